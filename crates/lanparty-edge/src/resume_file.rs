//! The file that keeps a peer's resume token.

use crate::address::RelayAddress;
use crate::kept_file::KeptFile;
use crate::kept_token::KeptToken;
use lanparty_ctrl::{ResumeToken, RoomCode};
use lanparty_proto::VirtualMac;
use std::io;
use std::path::{Path, PathBuf};

/// The file with the last token, or nothing. Nobody else may have it open: two running programs with one
/// token would push each other out of the room for ever.
///
/// Losing what is in it costs some seconds after a crash and nothing else, so what cannot be read counts
/// as nothing.
#[derive(Debug)]
pub struct ResumeFile(KeptFile);

impl ResumeFile {
    /// Opens the file; see [`KeptFile::open`].
    ///
    /// # Errors
    /// What the system says.
    pub fn open(file: &Path) -> io::Result<Self> {
        KeptFile::open(file).map(ResumeFile)
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
    pub fn token(
        &mut self,
        relay: &RelayAddress,
        room: &RoomCode,
        mac: Option<VirtualMac>,
    ) -> Option<ResumeToken> {
        self.load()?.token_for(&relay.to_string(), room, mac)
    }

    /// Whether the relay was one of a fleet when this room was there last.
    pub fn is_of_fleet(&mut self, relay: &RelayAddress, room: &RoomCode) -> bool {
        let kept = self.load();
        kept.is_some_and(|kept| kept.fleet && kept.relay == relay.to_string() && kept.room == *room)
    }

    /// Keeps the token of the last welcome, and whether the relay is one of a `fleet`. A failure is only logged: it costs some seconds after a
    /// crash.
    pub fn keep(
        &mut self,
        relay: &RelayAddress,
        room: &RoomCode,
        mac: Option<VirtualMac>,
        (token, fleet): (ResumeToken, bool),
    ) {
        let kept = KeptToken {
            relay: relay.to_string(),
            room: room.clone(),
            mac,
            token,
            fleet,
        };
        self.0.save(
            &kept,
            |error| tracing::debug!(%error, "The place in the room is not kept"),
        );
    }

    /// What is in it.
    fn load(&mut self) -> Option<KeptToken> {
        self.0.load().ok().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_token_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let file = ResumeFile::beside(&folder.path().join("me.json"));
        assert_eq!(file.file_name().unwrap(), "me.place.json");
        let mut store = ResumeFile::open(&file).unwrap();
        assert_eq!(store.load(), None);
        for relay in ["a-relay-with-a-long-name.example:443", "relay:443"] {
            store.0.save(&kept(relay), |error| panic!("{error}"));
            assert_eq!(store.load(), Some(kept(relay)));
        }
        drop(store);
        assert_eq!(
            ResumeFile::open(&file).unwrap().load(),
            Some(kept("relay:443"))
        );
    }

    #[test]
    fn that_a_relay_is_of_a_fleet_is_kept_for_its_room() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = ResumeFile::open(&folder.path().join("me.place.json")).unwrap();
        let address = |text: &str| text.parse::<RelayAddress>().unwrap();
        let (relay, room) = (address("relay"), "FRIDAY".parse::<RoomCode>().unwrap());
        assert!(!store.is_of_fleet(&relay, &room));
        let token = ResumeToken::from_random([7; 16]);
        store.keep(&relay, &room, None, (token.clone(), true));
        assert!(store.is_of_fleet(&relay, &room));
        assert!(!store.is_of_fleet(&address("other"), &room));
        assert!(!store.is_of_fleet(&relay, &"MONDAY".parse().unwrap()));
        store.keep(&relay, &room, None, (token, false));
        assert!(!store.is_of_fleet(&relay, &room));
    }

    #[test]
    fn what_cannot_be_read_is_nothing() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "{ half").unwrap();
        assert_eq!(ResumeFile::open(file.path()).unwrap().load(), None);
    }

    fn kept(relay: &str) -> KeptToken {
        KeptToken {
            relay: relay.to_owned(),
            room: "FRIDAY".parse().unwrap(),
            mac: Some(VirtualMac::from_random([2, 0, 0, 0, 0, 1])),
            token: ResumeToken::from_random([7; 16]),
            fleet: false,
        }
    }
}
