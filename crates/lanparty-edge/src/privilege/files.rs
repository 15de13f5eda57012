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

/// Allows reading [`NAMES`] and `also`, and writing files of `written`; what of these is not there now is out of reach later.
pub(super) fn confine(
    also: &[PathBuf],
    written: &[PathBuf],
) -> Result<RulesetStatus, RulesetError> {
    let readable = NAMES
        .map(PathBuf::from)
        .into_iter()
        .chain(also.iter().cloned());
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    // As a shell's `>` does it, of which nothing is left to truncate.
    let write = read | AccessFs::WriteFile | AccessFs::Truncate;
    let rules = Ruleset::default()
        .handle_access(AccessFs::from_all(ABI::V5))?
        .create()?
        .add_rules(path_beneath_rules(readable, read))?
        .add_rules(path_beneath_rules(written, write))?;
    Ok(rules.restrict_self()?.ruleset)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::process::Command;

    #[test]
    fn only_what_is_named_can_be_read_and_nothing_written() {
        let [mine, other, changed] = [(); 3].map(|()| tempfile::tempdir().unwrap());
        let files = [&mine, &other, &changed].map(|folder| folder.path().join("file"));
        for file in &files {
            fs::write(file, "text").unwrap();
        }
        let [folder, written] = [mine.path().to_owned(), changed.path().to_owned()];
        // A thread of its own, as this cannot be undone.
        let confined = std::thread::spawn(move || {
            if confine(&[folder], &[written]).unwrap() == RulesetStatus::NotEnforced {
                lanparty_skip::skip("this kernel has no Landlock");
                return;
            }
            assert_eq!(fs::read_to_string(&files[0]).unwrap(), "text");
            assert!(fs::read_to_string(&files[1]).is_err());
            assert!(fs::write(&files[0], "more").is_err());
            fs::write(&files[2], "more").unwrap();
            assert_eq!(fs::read_to_string(&files[2]).unwrap(), "more");
            assert!(fs::write(files[2].with_file_name("new"), "").is_err());
            assert!(fs::read("/etc/hosts").is_ok());
            assert!(Command::new("/bin/true").status().is_err());
        });
        confined.join().unwrap();
    }
}
