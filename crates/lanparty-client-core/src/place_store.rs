//! The file that keeps a player's place, beside the identity.

use crate::place::KeptPlace;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

/// More than a place ever takes.
const MAX_LEN: u64 = 4096;

/// An open file with a place in it, or nothing. It stays open, so that a client that has given up
/// its right to open it can still write.
///
/// Losing what is in it costs some seconds after a crash and nothing else, so it is written in
/// place, and what cannot be read counts as nothing.
#[derive(Debug)]
pub struct PlaceFile(File);

impl PlaceFile {
    /// Opens the file, made if it is not there and then readable to its owner only.
    ///
    /// # Errors
    /// What the system says.
    pub fn open(file: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(file).map(PlaceFile)
    }

    /// The file that belongs to an identity's: `me.json` has `me.place.json`.
    pub fn beside(identity: &Path) -> PathBuf {
        identity.with_extension("place.json")
    }

    /// The place in it.
    pub fn load(&mut self) -> Option<KeptPlace> {
        self.0.rewind().ok()?;
        let mut json = Vec::new();
        (&self.0).take(MAX_LEN).read_to_end(&mut json).ok()?;
        serde_json::from_slice(&json).ok()
    }

    /// Keeps a place instead of the one before.
    ///
    /// # Errors
    /// What the system says.
    pub fn save(&mut self, place: &KeptPlace) -> io::Result<()> {
        let json = serde_json::to_vec(place)?;
        self.0.set_len(0)?;
        self.0.rewind()?;
        self.0.write_all(&json)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lanparty_ctrl::ResumeToken;
    use lanparty_proto::VirtualMac;

    #[test]
    fn the_last_place_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let file = PlaceFile::beside(&folder.path().join("me.json"));
        assert_eq!(file.file_name().unwrap(), "me.place.json");
        let mut store = PlaceFile::open(&file).unwrap();
        assert_eq!(store.load(), None);
        for relay in ["a-relay-with-a-long-name.example:443", "relay:443"] {
            store.save(&place(relay)).unwrap();
            assert_eq!(store.load(), Some(place(relay)));
        }
        assert_eq!(
            PlaceFile::open(&file).unwrap().load(),
            Some(place("relay:443"))
        );
    }

    #[test]
    fn what_cannot_be_read_is_nothing() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "{ half").unwrap();
        assert_eq!(PlaceFile::open(file.path()).unwrap().load(), None);
    }

    #[cfg(unix)]
    #[test]
    fn the_token_is_its_owners() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("me.place.json");
        PlaceFile::open(&file).unwrap();
        assert_eq!(
            std::fs::metadata(&file).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }

    fn place(relay: &str) -> KeptPlace {
        KeptPlace {
            relay: relay.to_owned(),
            room: "FRIDAY".parse().unwrap(),
            mac: VirtualMac::from_random([2, 0, 0, 0, 0, 1]),
            token: ResumeToken::from_random([7; 16]),
        }
    }
}
