//! A frame with room for our header in front of it, so that a whole frame is never copied.

use crate::ethernet::{ADDRESSES_LEN, EthernetFrame, TAG_LEN};
use crate::overlay::{HEADER_LEN, Header};
use bytes::{Buf, Bytes, BytesMut};

/// How much a slab holds: some forty full frames between two allocations.
const SLAB_LEN: usize = 64 * 1024;

/// One owned frame and the [`HEADER_LEN`] bytes before it.
#[derive(Debug)]
pub struct FrameBuf(BytesMut);

impl FrameBuf {
    /// Copies a frame. Ports use a [`FrameSlab`] and do not copy.
    pub fn from_frame(frame: &[u8]) -> Self {
        let mut buf = BytesMut::with_capacity(HEADER_LEN + frame.len());
        buf.extend_from_slice(&[0; HEADER_LEN]);
        buf.extend_from_slice(frame);
        FrameBuf(buf)
    }

    /// The frame.
    pub fn frame(&self) -> &[u8] {
        &self.0[HEADER_LEN..]
    }

    /// The frame, to be changed in place.
    pub fn frame_mut(&mut self) -> &mut [u8] {
        &mut self.0[HEADER_LEN..]
    }

    /// Takes a priority tag out, which means nothing (IEEE 802.1Q §6.9): the addresses move up to the rest.
    pub fn strip_priority_tag(&mut self) {
        let view = EthernetFrame::parse(self.frame());
        if view.is_ok_and(EthernetFrame::is_priority_tagged) {
            self.0.copy_within(..HEADER_LEN + ADDRESSES_LEN, TAG_LEN);
            self.0.advance(TAG_LEN);
        }
    }

    /// The datagram that carries this frame in one piece.
    pub fn into_datagram(mut self, header: Header) -> Bytes {
        self.0[..HEADER_LEN].copy_from_slice(&header.encode());
        self.0.freeze()
    }
}

/// Memory that a port reads frames into: one allocation serves many frames.
#[derive(Debug, Default)]
pub struct FrameSlab(BytesMut);

impl FrameSlab {
    /// Reads one frame of at most `max_len` bytes with `read`, which answers how many bytes it wrote.
    ///
    /// # Errors
    /// What `read` answers.
    ///
    /// # Panics
    /// When `read` says it wrote more than it was given room for.
    pub fn read_frame<E>(
        &mut self,
        max_len: usize,
        read: impl FnOnce(&mut [u8]) -> Result<usize, E>,
    ) -> Result<FrameBuf, E> {
        let needed = HEADER_LEN + max_len;
        if self.0.capacity() < needed {
            self.0 = BytesMut::with_capacity(SLAB_LEN.max(needed));
        }
        self.0.resize(needed, 0);
        let frame_len = read(&mut self.0[HEADER_LEN..])?;
        assert!(
            frame_len <= max_len,
            "a port read {frame_len} bytes into room for {max_len}"
        );
        Ok(FrameBuf(self.0.split_to(HEADER_LEN + frame_len)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{PeerId, RoomId};

    fn header() -> Header {
        Header {
            peer: PeerId::new(7).unwrap(),
            room: RoomId::new(9).unwrap(),
            fragment: false,
        }
    }

    #[test]
    fn a_datagram_is_the_header_and_the_frame() {
        let datagram = FrameBuf::from_frame(b"a frame").into_datagram(header());
        assert_eq!(Header::decode(&datagram), Ok((header(), &b"a frame"[..])));
    }

    #[test]
    fn a_priority_tag_comes_off_and_the_header_still_fits() {
        let rest = [&[0x08, 0x00][..], &[7; 46]].concat();
        let tagged = [&[1; 12][..], &[0x81, 0, 0xe0, 0], &rest].concat();
        let untagged = [&[1; 12][..], &rest].concat();
        let mut buf = FrameBuf::from_frame(&tagged);
        buf.strip_priority_tag();
        assert_eq!(buf.frame(), untagged);
        buf.strip_priority_tag();
        let datagram = buf.into_datagram(header());
        assert_eq!(Header::decode(&datagram), Ok((header(), &untagged[..])));
        let mut buf = FrameBuf::from_frame(b"a frame");
        buf.strip_priority_tag();
        assert_eq!(buf.frame(), b"a frame");
    }

    #[test]
    fn a_slab_gives_each_frame_its_own_bytes() {
        let mut slab = FrameSlab::default();
        let mut read = |byte: u8| {
            slab.read_frame(1514, |room| {
                room[..100].fill(byte);
                Ok::<_, ()>(100)
            })
            .unwrap()
        };
        let frames: Vec<_> = (0..200).map(&mut read).collect();
        for (byte, frame) in (0..).zip(&frames) {
            assert_eq!(frame.frame(), [byte; 100]);
        }
    }

    #[test]
    fn a_failed_read_leaves_the_slab_usable() {
        let mut slab = FrameSlab::default();
        assert!(
            slab.read_frame(60, |_| Err::<usize, _>("nothing there"))
                .is_err()
        );
        let frame = slab.read_frame(60, |room| Ok::<_, ()>(room.len())).unwrap();
        assert_eq!(frame.frame().len(), 60);
    }
}
