//! Numbers the relay gives out: who a peer is, and in which room.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A peer's number inside its room, assigned by the relay (spec R5). 0 and 65535 are reserved.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub struct PeerId(u16);

impl PeerId {
    /// A peer id, unless the number is reserved.
    pub const fn new(number: u16) -> Option<Self> {
        match number {
            0 | u16::MAX => None,
            _ => Some(PeerId(number)),
        }
    }

    /// The number as it stands in the overlay header.
    pub const fn number(self) -> u16 {
        self.0
    }
}

/// A room's number on its relay, assigned by the relay (spec R5). 0 is reserved.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct RoomId(u32);

impl RoomId {
    /// A room id, unless the number is reserved.
    pub const fn new(number: u32) -> Option<Self> {
        match number {
            0 => None,
            _ => Some(RoomId(number)),
        }
    }

    /// The number as it stands in the overlay header.
    pub const fn number(self) -> u32 {
        self.0
    }
}

/// The number is reserved: nobody can have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} is a reserved number")]
pub struct ReservedId(u32);

impl TryFrom<u16> for PeerId {
    type Error = ReservedId;

    fn try_from(number: u16) -> Result<Self, ReservedId> {
        PeerId::new(number).ok_or(ReservedId(number.into()))
    }
}

impl From<PeerId> for u16 {
    fn from(id: PeerId) -> u16 {
        id.0
    }
}

impl TryFrom<u32> for RoomId {
    type Error = ReservedId;

    fn try_from(number: u32) -> Result<Self, ReservedId> {
        RoomId::new(number).ok_or(ReservedId(number))
    }
}

impl From<RoomId> for u32 {
    fn from(id: RoomId) -> u32 {
        id.0
    }
}

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "peer {}", self.0)
    }
}

impl fmt::Display for RoomId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for RoomId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "room {}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_numbers_are_not_ids() {
        assert_eq!(PeerId::new(0), None);
        assert_eq!(PeerId::new(65535), None);
        assert_eq!(RoomId::new(0), None);
        assert_eq!(PeerId::new(65534).map(PeerId::number), Some(65534));
        assert_eq!(RoomId::new(u32::MAX).map(RoomId::number), Some(u32::MAX));
    }
}
