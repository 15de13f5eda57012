//! The file that keeps a player's identity.

use crate::Identity;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// The file's usual name, in the user's data folder.
pub const FILE_NAME: &str = "lanparty-client-identity.json";

/// Why there is no identity.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The file is there, and something else is in it.
    #[error("{} does not hold an identity ({cause}); repair it, or delete it to get a new one", file.display())]
    Broken {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        cause: serde_json::Error,
    },
    /// The file is there and cannot be read.
    #[error("cannot read the identity in {} ({cause}); name another file with --identity", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// The file is not there and cannot be made.
    #[error("cannot keep an identity in {} ({cause}); name another file with --identity", file.display())]
    Unwritable {
        /// The file.
        file: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
}

/// The random bits of an identity: for the MAC and for the key.
pub type Random = ([u8; 6], [u8; 32]);

/// Reads the identity in `file`; where there is none yet, makes one from `random` bits and keeps it. What
/// an earlier version kept gets what it lacks.
///
/// A file that holds something else is never replaced: it may be somebody's only copy.
///
/// # Errors
/// [`IdentityError`], which names the file.
pub fn load_or_create(
    file: &Path,
    random: impl FnOnce() -> io::Result<Random>,
) -> Result<Identity, IdentityError> {
    let unwritable = |cause| IdentityError::Unwritable {
        file: file.to_owned(),
        cause,
    };
    let (octets, seed) = random().map_err(unwritable)?;
    if let Some((identity, is_whole)) = load(file, seed)? {
        if !is_whole {
            replace(file, &identity).map_err(unwritable)?;
        }
        return Ok(identity);
    }
    let identity = Identity::from_random(octets, seed);
    match create(file, &identity) {
        // Another client was faster: what it wrote is the identity.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let theirs = load(file, seed)?.ok_or_else(|| unwritable(error))?;
            Ok(theirs.0)
        }
        result => result.map(|()| identity).map_err(unwritable),
    }
}

/// Keeps another name of the player's in `file`, which holds the identity already.
///
/// # Errors
/// [`IdentityError::Unwritable`].
pub fn rename(file: &Path, identity: &Identity) -> Result<(), IdentityError> {
    replace(file, identity).map_err(|cause| IdentityError::Unwritable {
        file: file.to_owned(),
        cause,
    })
}

fn load(file: &Path, seed: [u8; 32]) -> Result<Option<(Identity, bool)>, IdentityError> {
    match fs::read_to_string(file) {
        Ok(json) => {
            let decoded = Identity::decode(&json, seed).map_err(|cause| IdentityError::Broken {
                file: file.to_owned(),
                cause,
            });
            decoded.map(Some)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(IdentityError::Unreadable {
            file: file.to_owned(),
            cause,
        }),
    }
}

fn create(file: &Path, identity: &Identity) -> io::Result<()> {
    let written = unfinished(file, identity)?.persist_noclobber(file);
    written.map(drop).map_err(|error| error.error)
}

fn replace(file: &Path, identity: &Identity) -> io::Result<()> {
    let written = unfinished(file, identity)?.persist(file);
    written.map(drop).map_err(|error| error.error)
}

/// Writes the whole file under another name first, so that it is there entirely or not at all.
fn unfinished(file: &Path, identity: &Identity) -> io::Result<NamedTempFile> {
    let folder = match file.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    fs::create_dir_all(folder)?;
    // Only its owner may read a temporary file, and it stays so.
    let mut temporary = NamedTempFile::new_in(folder)?;
    temporary.write_all(identity.encode().as_bytes())?;
    temporary.as_file().sync_all()?;
    Ok(temporary)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RANDOM: Random = ([7; 6], [7; 32]);

    #[test]
    fn an_identity_is_made_once_and_then_kept() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("data").join(FILE_NAME);
        let made = load_or_create(&file, || Ok(RANDOM)).unwrap();
        assert_eq!(made, Identity::from_random(RANDOM.0, RANDOM.1));
        let kept = load_or_create(&file, || Ok(([9; 6], [9; 32]))).unwrap();
        assert_eq!(kept, made);
    }

    #[cfg(unix)]
    #[test]
    fn the_file_is_its_owners_and_nothing_else_is_left() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(FILE_NAME);
        load_or_create(&file, || Ok(RANDOM)).unwrap();
        assert_eq!(
            fs::metadata(&file).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn an_old_file_gets_a_key_once_and_is_its_owners() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(FILE_NAME);
        fs::write(&file, r#"{ "mac": "02:1a:2b:3c:4d:5e" }"#).unwrap();
        let upgraded = load_or_create(&file, || Ok(RANDOM)).unwrap();
        assert_eq!(upgraded.mac.to_string(), "02:1a:2b:3c:4d:5e");
        let kept = load_or_create(&file, || Ok(([9; 6], [9; 32]))).unwrap();
        assert_eq!(kept, upgraded);
        let mode = fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_broken_file_is_named_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(FILE_NAME);
        fs::write(&file, "{ half").unwrap();
        let error = load_or_create(&file, || Ok(RANDOM)).unwrap_err();
        assert!(
            error.to_string().contains(&*file.to_string_lossy()),
            "{error}"
        );
        assert!(!error.to_string().contains('\n'), "{error}");
        assert_eq!(fs::read_to_string(&file).unwrap(), "{ half");
    }

    #[test]
    fn the_faster_of_two_clients_decides() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(FILE_NAME);
        let other = Identity::from_random([9; 6], [9; 32]);
        let racing = || create(&file, &other).map(|()| RANDOM);
        assert_eq!(load_or_create(&file, racing).unwrap(), other);
    }

    #[test]
    fn a_place_that_cannot_be_written_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let obstacle = folder.path().join("obstacle");
        fs::write(&obstacle, "").unwrap();
        let error = load_or_create(&obstacle.join(FILE_NAME), || Ok(RANDOM)).unwrap_err();
        assert!(error.to_string().contains("obstacle"), "{error}");
    }
}
