//! Where a peer is on the relay: by numbers, which people write as `7/3`.

use lanparty_proto::{PeerId, RoomId};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A peer's seat on the relay. As people write it: the room's number, a slash, the peer's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Seat {
    /// Its room.
    pub room: RoomId,
    /// Its number there.
    pub peer: PeerId,
}

impl fmt::Display for Seat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.room, self.peer)
    }
}

impl FromStr for Seat {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let seat = || {
            let (room, peer) = text.split_once('/')?;
            Some(Seat {
                room: RoomId::new(room.parse().ok()?)?,
                peer: PeerId::new(peer.parse().ok()?)?,
            })
        };
        seat().ok_or("a peer is its room's number, a slash, and its own, like 7/3")
    }
}
