//! Other runs of this program on this machine.

use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};
use std::fs;

/// Whether a process is a client that runs, and not one that merely got its number.
pub(crate) fn is_client(process: u32) -> bool {
    let own_name = fs::read("/proc/self/comm").ok();
    match fs::read(format!("/proc/{process}/comm")) {
        Ok(name) => Some(name) == own_name,
        Err(_) => is_hidden(process),
    }
}

/// Whether a process is there that we may not see (`hidepid` of proc(5), systemd's `ProtectProc=`): it may well be a client,
/// and what a client has made is not to be taken from it.
fn is_hidden(process: u32) -> bool {
    let number = i32::try_from(process).ok().filter(|number| *number > 0);
    let process = number.and_then(Pid::from_raw);
    process.is_some_and(|process| test_kill_process(process) == Err(Errno::PERM))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_processes_of_this_name_are_clients() {
        assert!(is_client(std::process::id()));
        assert!(!is_client(1));
        assert!(!is_client(u32::MAX));
    }
}
