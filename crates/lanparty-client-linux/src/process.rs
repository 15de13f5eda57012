//! Other runs of this program on this machine.

use std::fs;

/// Whether a process is a client that runs, and not one that merely got its number.
pub(crate) fn is_client(process: u32) -> bool {
    let own_name = fs::read("/proc/self/comm").ok();
    let name = fs::read(format!("/proc/{process}/comm")).ok();
    name.is_some() && name == own_name
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
