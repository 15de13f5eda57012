//! The file that keeps a peer's place.

use crate::args::RelayConfig;
use crate::place::KeptPlace;
use lanparty_ctrl::ResumeToken;
use lanparty_proto::VirtualMac;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

/// More than a place ever takes.
const MAX_LEN: u64 = 4096;

/// An open file with a place in it, or nothing. It stays open, so that a program that has given up
/// its right to open it can still write.
///
/// Losing what is in it costs some seconds after a crash and nothing else, so it is written in
/// place, and what cannot be read counts as nothing.
#[derive(Debug)]
pub struct PlaceFile(File);

impl PlaceFile {
    /// Opens the file for this process alone, made with its folder if it is not there and then readable
    /// to its owner only. Nobody else may have it open: two running programs with one token would push
    /// each other out of the room for ever.
    ///
    /// # Errors
    /// What the system says.
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
        Ok(PlaceFile(file))
    }

    /// Opens the file beside an identity's. Without it everything works, but a killed client waits
    /// until the relay has missed it.
    pub fn open_beside(identity: &Path) -> Option<Self> {
        let file = Self::beside(identity);
        let open = Self::open(&file);
        if let Err(error) = &open {
            tracing::debug!(%error, file = %file.display(), "The place in the room is not kept");
        }
        open.ok()
    }

    /// The file that belongs to an identity's: `me.json` has `me.place.json`.
    pub fn beside(identity: &Path) -> PathBuf {
        identity.with_extension("place.json")
    }

    /// The token in it, if it is for this relay, room and MAC (a gateway has none).
    pub fn token(&mut self, relay: &RelayConfig, mac: Option<VirtualMac>) -> Option<ResumeToken> {
        self.load()?
            .token_for(&relay.address.to_string(), &relay.room, mac)
    }

    /// Keeps the token of the last welcome. A failure is only logged: it costs some seconds after a
    /// crash.
    pub fn keep(&mut self, relay: &RelayConfig, mac: Option<VirtualMac>, token: ResumeToken) {
        let place = KeptPlace {
            relay: relay.address.to_string(),
            room: relay.room.clone(),
            mac,
            token,
        };
        if let Err(error) = self.save(&place) {
            tracing::debug!(%error, "The place in the room is not kept");
        }
    }

    /// The place in it.
    fn load(&mut self) -> Option<KeptPlace> {
        self.0.rewind().ok()?;
        let mut json = Vec::new();
        (&self.0).take(MAX_LEN).read_to_end(&mut json).ok()?;
        serde_json::from_slice(&json).ok()
    }

    /// Keeps a place instead of the one before.
    fn save(&mut self, place: &KeptPlace) -> io::Result<()> {
        let json = serde_json::to_vec(place)?;
        self.0.set_len(0)?;
        self.0.rewind()?;
        self.0.write_all(&json)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        drop(store);
        assert_eq!(
            PlaceFile::open(&file).unwrap().load(),
            Some(place("relay:443"))
        );
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn one_program_has_it_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("state/place.json");
        let first = PlaceFile::open(&file).unwrap();
        assert!(PlaceFile::open(&file).is_err());
        drop(first);
        assert!(PlaceFile::open(&file).is_ok());
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
            mac: Some(VirtualMac::from_random([2, 0, 0, 0, 0, 1])),
            token: ResumeToken::from_random([7; 16]),
        }
    }
}
