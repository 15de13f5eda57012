//! Which files a program may still open (landlock(7)).

use landlock::{
    ABI, Access, AccessFs, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetError, RulesetStatus,
    path_beneath_rules,
};
use std::path::PathBuf;

/// What the C library reads to look names up, the libraries for that among them. All of /etc, because
/// resolv.conf is replaced whenever the network changes.
const NAMES: [&str; 10] = [
    "/etc",
    "/lib",
    "/lib64",
    "/usr/lib",
    "/usr/lib64",
    "/usr/local/lib",
    "/run/systemd/resolve",
    "/run/NetworkManager",
    "/run/resolvconf",
    "/run/connman",
];

/// Allows reading [`NAMES`] and `also`; what of these is not there now cannot be read later.
pub(super) fn read_only(also: &[PathBuf]) -> Result<RulesetStatus, RulesetError> {
    let readable = NAMES
        .map(PathBuf::from)
        .into_iter()
        .chain(also.iter().cloned());
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    let rules = Ruleset::default()
        .handle_access(AccessFs::from_all(ABI::V5))?
        .create()?
        .add_rules(path_beneath_rules(readable, read))?;
    Ok(rules.restrict_self()?.ruleset)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::process::Command;

    #[test]
    fn only_what_is_named_can_be_read_and_nothing_written() {
        let [mine, other] = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let files = [&mine, &other].map(|folder| folder.path().join("file"));
        for file in &files {
            fs::write(file, "text").unwrap();
        }
        let folder = mine.path().to_owned();
        // A thread of its own, as this cannot be undone.
        let confined = std::thread::spawn(move || {
            if read_only(&[folder]).unwrap() == RulesetStatus::NotEnforced {
                lanparty_skip::skip("this kernel has no Landlock");
                return;
            }
            assert_eq!(fs::read_to_string(&files[0]).unwrap(), "text");
            assert!(fs::read_to_string(&files[1]).is_err());
            assert!(fs::write(&files[0], "more").is_err());
            assert!(fs::read("/etc/hosts").is_ok());
            assert!(Command::new("/bin/true").status().is_err());
        });
        confined.join().unwrap();
    }
}
