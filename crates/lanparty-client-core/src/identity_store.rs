//! The file that keeps a player's identity.

use crate::Identity;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

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

/// Reads the identity in `file`; where there is none yet, makes one from `random` bits and keeps it.
///
/// A file that holds something else is never replaced: it may be somebody's only copy.
///
/// # Errors
/// [`IdentityError`], which names the file.
pub fn load_or_create(
    file: &Path,
    random: impl FnOnce() -> io::Result<[u8; 6]>,
) -> Result<Identity, IdentityError> {
    if let Some(identity) = load(file)? {
        return Ok(identity);
    }
    let unwritable = |cause| IdentityError::Unwritable {
        file: file.to_owned(),
        cause,
    };
    let identity = Identity::from_random(random().map_err(unwritable)?);
    match create(file, identity) {
        // Another client was faster: what it wrote is the identity.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            load(file)?.ok_or_else(|| unwritable(error))
        }
        result => result.map(|()| identity).map_err(unwritable),
    }
}

fn load(file: &Path) -> Result<Option<Identity>, IdentityError> {
    match fs::read_to_string(file) {
        Ok(json) => Identity::decode(&json)
            .map(Some)
            .map_err(|cause| IdentityError::Broken {
                file: file.to_owned(),
                cause,
            }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(IdentityError::Unreadable {
            file: file.to_owned(),
            cause,
        }),
    }
}

/// Writes the whole file under another name first, so that it is there entirely or not at all.
fn create(file: &Path, identity: Identity) -> io::Result<()> {
    let folder = match file.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    fs::create_dir_all(folder)?;
    // Only its owner may read a temporary file, and it stays so.
    let mut temporary = tempfile::NamedTempFile::new_in(folder)?;
    temporary.write_all(identity.encode().as_bytes())?;
    temporary.as_file().sync_all()?;
    temporary
        .persist_noclobber(file)
        .map_err(|error| error.error)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const RANDOM: [u8; 6] = [7; 6];

    #[test]
    fn an_identity_is_made_once_and_then_kept() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("data").join(FILE_NAME);
        let made = load_or_create(&file, || Ok(RANDOM)).unwrap();
        assert_eq!(made, Identity::from_random(RANDOM));
        let kept = load_or_create(&file, || panic!("asked for another identity")).unwrap();
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
        let other = Identity::from_random([9; 6]);
        let racing = || create(&file, other).map(|()| RANDOM);
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
