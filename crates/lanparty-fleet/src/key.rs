//! The directory's keys, below the fleet's prefix.

use crate::name::{RelayId, RoomHash};
use std::fmt;

/// The longest key that is read; a fleet's own are below 80 bytes.
const MAX_KEY: usize = 128;

/// Everything that a fleet has in its directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Key {
    /// What all agree on; without a lease.
    Fleet,
    /// A relay's card, under its lease.
    Relay(RelayId),
    /// Who has a room, under its owner's lease.
    Room(RoomHash),
    /// To whom a room's owner gives it, under its owner's lease.
    Move(RoomHash),
    /// Whose room that is, gateway there or not, under a lease of its own.
    Claim(RoomHash),
}

impl Key {
    /// The key of these bytes, if a relay writes such a one.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        if bytes.len() > MAX_KEY {
            return None;
        }
        let text = std::str::from_utf8(bytes).ok()?;
        if text == "fleet" {
            return Some(Key::Fleet);
        }
        let (kind, name) = text.split_once('/')?;
        match kind {
            "relays" => RelayId::parse(name).map(Key::Relay),
            "rooms" => RoomHash::parse(name).map(Key::Room),
            "moves" => RoomHash::parse(name).map(Key::Move),
            "claims" => RoomHash::parse(name).map(Key::Claim),
            _ => None,
        }
    }

    pub(crate) fn bytes(self) -> Vec<u8> {
        self.to_string().into_bytes()
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Key::Fleet => f.write_str("fleet"),
            Key::Relay(relay) => write!(f, "relays/{relay}"),
            Key::Room(room) => write!(f, "rooms/{room}"),
            Key::Move(room) => write!(f, "moves/{room}"),
            Key::Claim(room) => write!(f, "claims/{room}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_as_they_are_written_and_no_others() {
        let room = RoomHash::from_bytes([9; 32]);
        let relay = Key::Relay(RelayId::from_random(7));
        for key in [
            Key::Fleet,
            relay,
            Key::Room(room),
            Key::Move(room),
            Key::Claim(room),
        ] {
            assert_eq!(Key::parse(&key.bytes()), Some(key));
        }
        let long = vec![b'a'; 5000];
        for bad in [
            &b""[..],
            b"/",
            b"rooms/",
            b"rooms/../x",
            b"\xff/x",
            &long,
            b"fleet/",
        ] {
            assert_eq!(Key::parse(bad), None);
        }
    }
}
