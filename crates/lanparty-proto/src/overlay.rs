//! The eight bytes in front of every frame or fragment in a QUIC datagram (spec R1).
//!
//! ```text
//!   0      4      8              16                             32
//!  +------+------+--------------+------------------------------+
//!  | ver  | type |    flags     |           peer id            |
//!  +------+------+--------------+------------------------------+
//!  |                          room id                          |
//!  +-----------------------------------------------------------+
//! ```
//!
//! Big endian. Version 1, type 1 (an Ethernet frame) or 2 (a [`Probe`]), flag 0x01 (a fragment
//! follows, see [`crate::fragment`]). The peer id is the frame's *origin*, on every hop: the relay checks it
//! against the connection and passes the same bytes on.

use crate::ids::{PeerId, RoomId};
use bytes::{BufMut, Bytes, BytesMut};

/// The length of a [`Header`] on the wire.
pub const HEADER_LEN: usize = 8;
/// The version this code speaks.
pub const VERSION: u8 = 1;

const TYPE_FRAME: u8 = 1;
const TYPE_PROBE: u8 = 2;
const FLAG_FRAGMENT: u8 = 0x01;

/// Where a datagram comes from, and whether it carries a whole frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The frame's origin.
    pub peer: PeerId,
    /// The room it belongs to.
    pub room: RoomId,
    /// True when a fragment header follows.
    pub fragment: bool,
}

/// Why bytes are not a datagram of ours. One cause is as bad as another: all are malformed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// Shorter than a header.
    #[error("the datagram is shorter than its header")]
    Short,
    /// Another version of the protocol.
    #[error("the datagram has an unknown version")]
    Version,
    /// A type that does not exist.
    #[error("the datagram has an unknown type")]
    Type,
    /// A flag bit without a meaning.
    #[error("the datagram has an undefined flag")]
    Flags,
    /// A peer or room number that no one can have.
    #[error("the datagram names a reserved peer or room")]
    ReservedId,
}

impl Header {
    /// The header's bytes.
    pub fn encode(self) -> [u8; HEADER_LEN] {
        let flags = if self.fragment { FLAG_FRAGMENT } else { 0 };
        let [p0, p1] = self.peer.number().to_be_bytes();
        let [r0, r1, r2, r3] = self.room.number().to_be_bytes();
        [VERSION << 4 | TYPE_FRAME, flags, p0, p1, r0, r1, r2, r3]
    }

    /// Splits a datagram into its header and what follows.
    ///
    /// # Errors
    /// [`HeaderError`] for anything that version 1 does not define.
    pub fn decode(datagram: &[u8]) -> Result<(Self, &[u8]), HeaderError> {
        let Some((&[first, flags, p0, p1, r0, r1, r2, r3], body)) =
            datagram.split_first_chunk::<HEADER_LEN>()
        else {
            return Err(HeaderError::Short);
        };
        if first >> 4 != VERSION {
            return Err(HeaderError::Version);
        }
        if first & 0x0f != TYPE_FRAME {
            return Err(HeaderError::Type);
        }
        if flags & !FLAG_FRAGMENT != 0 {
            return Err(HeaderError::Flags);
        }
        let (peer, room) = ids([p0, p1], [r0, r1, r2, r3])?;
        let header = Header {
            peer,
            room,
            fragment: flags & FLAG_FRAGMENT != 0,
        };
        Ok((header, body))
    }
}

/// A question whether the path carries datagrams of this length. A peer sends it, the relay sends the
/// same bytes back to that peer alone. Behind the header (type 2, no flags) stand the probe's number
/// in 4 bytes and zeros up to the length in question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Probe {
    /// Who asks.
    pub peer: PeerId,
    /// In which room.
    pub room: RoomId,
    /// Which of its probes this is.
    pub number: u32,
}

impl Probe {
    /// The length of the shortest probe.
    pub const MIN_LEN: usize = HEADER_LEN + 4;

    /// The probe as a datagram of `len` bytes, or [`Self::MIN_LEN`] if that is more.
    pub fn encode(self, len: usize) -> Bytes {
        let mut datagram = BytesMut::with_capacity(len.max(Self::MIN_LEN));
        datagram.put_slice(&[VERSION << 4 | TYPE_PROBE, 0]);
        datagram.put_u16(self.peer.number());
        datagram.put_u32(self.room.number());
        datagram.put_u32(self.number);
        datagram.resize(len.max(Self::MIN_LEN), 0);
        datagram.freeze()
    }

    /// Reads a probe; `None` when the datagram is something else, or nothing at all.
    pub fn decode(datagram: &[u8]) -> Option<Self> {
        let (&[first, flags, p0, p1, r0, r1, r2, r3, n0, n1, n2, n3], _) =
            datagram.split_first_chunk::<{ Self::MIN_LEN }>()?;
        if first != VERSION << 4 | TYPE_PROBE || flags != 0 {
            return None;
        }
        let (peer, room) = ids([p0, p1], [r0, r1, r2, r3]).ok()?;
        let number = u32::from_be_bytes([n0, n1, n2, n3]);
        Some(Probe { peer, room, number })
    }
}

fn ids(peer: [u8; 2], room: [u8; 4]) -> Result<(PeerId, RoomId), HeaderError> {
    let peer = PeerId::new(u16::from_be_bytes(peer)).ok_or(HeaderError::ReservedId)?;
    let room = RoomId::new(u32::from_be_bytes(room)).ok_or(HeaderError::ReservedId)?;
    Ok((peer, room))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn header(fragment: bool) -> Header {
        Header {
            peer: PeerId::new(0x0102).unwrap(),
            room: RoomId::new(0x0a0b_0c0d).unwrap(),
            fragment,
        }
    }

    #[test]
    fn a_whole_frame_has_these_bytes() {
        assert_eq!(
            header(false).encode(),
            [
                0x11, // version 1, type 1: frame
                0x00, // no flags
                0x01, 0x02, // peer 258
                0x0a, 0x0b, 0x0c, 0x0d, // room
            ]
        );
    }

    #[test]
    fn a_fragment_differs_in_one_flag() {
        assert_eq!(
            header(true).encode(),
            [0x11, 0x01, 0x01, 0x02, 0x0a, 0x0b, 0x0c, 0x0d]
        );
    }

    #[test]
    fn a_probe_has_these_bytes_and_no_frame_is_one() {
        let probe = Probe {
            peer: header(false).peer,
            room: header(false).room,
            number: 0x0708_090a,
        };
        let datagram = probe.encode(14);
        assert_eq!(
            datagram[..],
            [
                0x12, // version 1, type 2: probe
                0x00, // no flags
                0x01, 0x02, // peer 258
                0x0a, 0x0b, 0x0c, 0x0d, // room
                0x07, 0x08, 0x09, 0x0a, // number
                0x00, 0x00, // zeros
            ]
        );
        assert_eq!(Probe::decode(&datagram), Some(probe));
        assert_eq!(Probe::decode(&datagram[..11]), None);
        assert_eq!(Header::decode(&datagram), Err(HeaderError::Type));
        let frame = [&header(false).encode()[..], &[0; 60]].concat();
        assert_eq!(Probe::decode(&frame), None);
        assert_eq!(probe.encode(0).len(), Probe::MIN_LEN);
        assert_eq!(probe.encode(1312).len(), 1312);
    }

    #[test]
    fn what_version_1_does_not_define_is_refused() {
        let good = header(false).encode();
        let with = |at: usize, value: u8| {
            let mut bytes = good;
            bytes[at] = value;
            Header::decode(&bytes).map(|(header, _)| header)
        };
        assert_eq!(Header::decode(&good[..7]), Err(HeaderError::Short));
        assert_eq!(with(0, 0x21), Err(HeaderError::Version));
        assert_eq!(with(0, 0x10), Err(HeaderError::Type));
        for flag in 1..8 {
            assert_eq!(with(1, 1 << flag), Err(HeaderError::Flags));
        }
        assert_eq!(
            Header::decode(&[0x11, 0, 0, 0, 0, 0, 0, 1]),
            Err(HeaderError::ReservedId)
        );
        assert_eq!(
            Header::decode(&[0x11, 0, 255, 255, 0, 0, 0, 1]),
            Err(HeaderError::ReservedId)
        );
        assert_eq!(
            Header::decode(&[0x11, 0, 0, 1, 0, 0, 0, 0]),
            Err(HeaderError::ReservedId)
        );
    }

    proptest! {
        #[test]
        fn decode_returns_what_encode_was_given(peer in 1..u16::MAX, room in 1..u32::MAX, fragment: bool, body: Vec<u8>) {
            let header = Header { peer: PeerId::new(peer).unwrap(), room: RoomId::new(room).unwrap(), fragment };
            let mut datagram = header.encode().to_vec();
            datagram.extend(&body);
            prop_assert_eq!(Header::decode(&datagram), Ok((header, body.as_slice())));
        }

        #[test]
        fn any_bytes_decode_or_err(bytes: Vec<u8>) {
            if let Ok((header, body)) = Header::decode(&bytes) {
                prop_assert_eq!([&header.encode()[..], body].concat(), bytes);
            }
        }
    }
}
