//! Other runs of this program on this machine.

use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};
use std::fs;

/// Whether a process is a client that runs, and not one that merely got its number.
pub(crate) fn is_client(process: u32) -> bool {
    let own_name = fs::read("/proc/self/comm").ok();
    match fs::read(format!("/proc/{process}/comm")) {
        Ok(name) => Some(name) == own_name && !is_dead(process),
        Err(_) => is_hidden(process),
    }
}

/// Whether a process has ended and nobody has asked how: its name stays until then, which in a container without an init is
/// for ever (proc_pid_stat(5)).
fn is_dead(process: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // The name in front of the state may have anything in it.
    stat.rsplit_once(") ")
        .is_some_and(|(_, rest)| rest.starts_with(['Z', 'X']))
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
    use rustix::process::{WaitId, WaitIdOptions, waitid};

    #[test]
    fn only_processes_of_this_name_are_clients() {
        assert!(is_client(std::process::id()));
        assert!(!is_client(1));
        assert!(!is_client(u32::MAX));
    }

    #[test]
    fn one_that_nobody_has_buried_is_dead() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        assert!(!is_dead(std::process::id()));
        // It ends by itself; waitid(2) with WNOWAIT leaves it as it is.
        let pid = Pid::from_child(&child);
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        waitid(WaitId::Pid(pid), options).unwrap();
        assert!(is_dead(child.id()));
        child.wait().unwrap();
    }
}
