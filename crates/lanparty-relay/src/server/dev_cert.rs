//! The certificate file for pinning (spec R21).

use std::io;
use std::path::{Path, PathBuf};

/// The certificate cannot be written.
#[derive(Debug, thiserror::Error)]
#[error(
    "the certificate cannot be written to {0}: {1}; give a file in a folder that you may write to to --dev-cert-der-out"
)]
pub struct DevCertError(pub(crate) PathBuf, #[source] pub(crate) io::Error);

/// Writes the file in one step, so that whoever waits for it never reads half of it.
pub(super) fn write(file: &Path, der: &[u8]) -> Result<(), DevCertError> {
    let error = |error| DevCertError(file.to_owned(), error);
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder).map_err(error)?;
    }
    let mut unfinished = file.as_os_str().to_owned();
    unfinished.push(".new");
    std::fs::write(&unfinished, der).map_err(error)?;
    std::fs::rename(&unfinished, file).map_err(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parent_folders_are_made_and_nothing_else_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a/b/relay.der");
        write(&file, b"one").unwrap();
        write(&file, b"two").unwrap();
        assert_eq!(std::fs::read(&file).unwrap(), b"two");
        let parent = file.parent().unwrap();
        assert_eq!(std::fs::read_dir(parent).unwrap().count(), 1);
    }

    #[test]
    fn a_file_that_cannot_be_written_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let error = write(folder.path(), b"").unwrap_err().to_string();
        assert!(error.contains(&folder.path().display().to_string()));
    }
}
