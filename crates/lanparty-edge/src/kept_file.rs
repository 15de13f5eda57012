//! A file that one running program keeps open, and writes anew whenever something changes.

use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::Path;

/// Much more than any of them holds that a program of ours wrote.
const MAX_LEN: u64 = 1024 * 1024;

/// An open file with one value as JSON in it, or nothing. It stays open, so that a program that has given
/// up its right to open it can still write; so it is written in place, and a machine that loses its power
/// in that moment may lose what is in it.
#[derive(Debug)]
pub struct KeptFile(File);

impl KeptFile {
    /// Opens the file for this process alone, made with its folder if it is not there and then readable
    /// to its owner only.
    ///
    /// # Errors
    /// What the system says, also when another process has it open.
    pub fn open(file: &Path) -> io::Result<Self> {
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(file)?;
        // Its owner's death unlocks it.
        #[cfg(target_os = "linux")]
        rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive)?;
        Ok(KeptFile(file))
    }

    /// What is in it; `None` when nothing is.
    ///
    /// # Errors
    /// When it cannot be read, or holds something else.
    pub fn load<T: DeserializeOwned>(&mut self) -> io::Result<Option<T>> {
        self.0.rewind()?;
        let mut json = Vec::new();
        (&self.0).take(MAX_LEN).read_to_end(&mut json)?;
        // Behind the value there may be the rest of a longer one, whose writer was killed.
        let mut values = serde_json::Deserializer::from_slice(&json).into_iter();
        Ok(values.next().transpose()?)
    }

    /// Puts a value in the place of the one before.
    ///
    /// # Errors
    /// What the system says.
    pub fn save(&mut self, value: &impl Serialize) -> io::Result<()> {
        let json = serde_json::to_vec(value)?;
        self.0.rewind()?;
        self.0.write_all(&json)?;
        self.0.set_len(json.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_value_is_kept_whatever_was_there_before() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/kept.json");
        let mut file = KeptFile::open(&path).unwrap();
        assert_eq!(file.load::<String>().unwrap(), None);
        for value in ["a long one", "short"] {
            file.save(&value).unwrap();
            assert_eq!(file.load::<String>().unwrap().unwrap(), value);
        }
        assert_eq!(std::fs::read(&path).unwrap(), br#""short""#);
        std::fs::write(&path, r#""shorter" one""#).unwrap();
        assert_eq!(file.load::<String>().unwrap().unwrap(), "shorter");
        std::fs::write(&path, "{ half").unwrap();
        assert!(file.load::<String>().is_err());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn one_program_has_it_at_a_time_and_its_owner_alone_reads_it() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kept.json");
        let first = KeptFile::open(&path).unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(KeptFile::open(&path).is_err());
        drop(first);
        assert!(KeptFile::open(&path).is_ok());
    }
}
