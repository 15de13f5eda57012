//! What is under a frame's type: Ethernet II, or 802.3 with LLC and SNAP.

use crate::{EthernetFrame, FrameKind};

/// What a frame carries, once 802.3, LLC and SNAP are looked through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content<'a> {
    /// A payload with an EtherType, from Ethernet II or SNAP.
    Typed(u16, &'a [u8]),
    /// SNAP without an EtherType: whose numbers it has.
    Snap([u8; 3]),
    /// LLC without SNAP: its destination service access point, and all of it.
    Llc(u8, &'a [u8]),
    /// Nothing at all.
    Empty,
}

impl<'a> Content<'a> {
    /// Looks into a frame, past a priority tag.
    pub fn of(frame: EthernetFrame<'a>) -> Self {
        let untagged = || (frame.kind(), frame.payload());
        match frame.inside_priority_tag().unwrap_or_else(untagged) {
            (FrameKind::EtherType(ether_type), payload) => Content::Typed(ether_type, payload),
            (FrameKind::Length(_), payload) => Self::of_llc(payload),
        }
    }

    /// Reads an LLC header (IEEE 802.2). The lowest bit of an access point is a flag. The length and
    /// the source access point are not believed: hosts differ in whether they look at them.
    fn of_llc(payload: &'a [u8]) -> Self {
        match (payload.split_first_chunk(), payload) {
            // SNAP, with the organisation codes under which an EtherType follows (RFC 1042, IEEE 802.1H).
            (Some((&[0xaa..=0xab, _, _, 0, 0, 0 | 0xf8, high, low], payload)), _) => {
                Content::Typed(u16::from_be_bytes([high, low]), payload)
            }
            (Some((&[0xaa..=0xab, _, _, a, b, c, _, _], _)), _) => Content::Snap([a, b, c]),
            (_, [destination, ..]) => Content::Llc(destination & 0xfe, payload),
            (_, []) => Content::Empty,
        }
    }
}
