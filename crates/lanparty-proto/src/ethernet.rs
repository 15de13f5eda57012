//! An Ethernet frame as a checked view over bytes: no copy, and accessors that cannot fail.
//!
//! ```text
//!  0           6          12     14
//!  +-----------+-----------+------+---------------------
//!  |destination|  source   | type | payload …             (no FCS: no API shows it)
//!  +-----------+-----------+------+---------------------
//! ```

use crate::mac::MacAddr;
use bytes::{BufMut, Bytes, BytesMut};

/// Destination, source and type: the shortest thing that can be called a frame.
pub const HEADER_LEN: usize = 14;
/// Destination and source, which a tag comes behind.
pub(crate) const ADDRESSES_LEN: usize = 12;
/// What an 802.1Q or 802.1ad tag adds.
pub const TAG_LEN: usize = 4;
/// The longest untagged frame that is not jumbo: 14 bytes of header and 1500 of payload.
pub const MAX_LEN: usize = 1514;
/// The longest frame that is not jumbo: [`MAX_LEN`] and one tag.
pub const MAX_TAGGED_LEN: usize = MAX_LEN + TAG_LEN;
/// The shortest frame a NIC sends (IEEE 802.3 §4A.4.2, less the FCS); shorter ones are padded.
pub const MIN_WIRE_LEN: usize = 60;

/// EtherType values that this project has an opinion about (IEEE 802 numbers).
pub mod ether_type {
    /// IPv4.
    pub const IPV4: u16 = 0x0800;
    /// ARP.
    pub const ARP: u16 = 0x0806;
    /// Reverse ARP (RFC 903).
    pub const REVERSE_ARP: u16 = 0x8035;
    /// 802.1Q customer tag.
    pub const VLAN: u16 = 0x8100;
    /// IPv6.
    pub const IPV6: u16 = 0x86dd;
    /// MAC control: PAUSE and PFC (802.3 Annex 31).
    pub const MAC_CONTROL: u16 = 0x8808;
    /// Slow protocols: LACP, marker, OAM (802.3 Annex 57A).
    pub const SLOW: u16 = 0x8809;
    /// EAP over LAN (802.1X).
    pub const EAPOL: u16 = 0x888e;
    /// 802.1ad service tag.
    pub const SERVICE_VLAN: u16 = 0x88a8;
    /// IEEE 802 local experimental 1: our CAM refresh (spec R46).
    pub const LOCAL_EXPERIMENTAL_1: u16 = 0x88b5;
    /// LLDP (802.1AB).
    pub const LLDP: u16 = 0x88cc;
    /// MACsec (802.1AE).
    pub const MACSEC: u16 = 0x88e5;
    /// The service tag that came before 802.1ad.
    pub const OLD_SERVICE_VLAN: u16 = 0x9100;
}

/// What the two bytes after the addresses say (IEEE 802.3 §3.2.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameKind {
    /// 0x0600 and up: an EtherType (Ethernet II).
    EtherType(u16),
    /// Below 0x0600: the payload's length (802.3, with LLC or raw).
    Length(u16),
}

impl From<u16> for FrameKind {
    fn from(field: u16) -> Self {
        match field {
            length @ ..0x0600 => FrameKind::Length(length),
            ether_type => FrameKind::EtherType(ether_type),
        }
    }
}

/// True for a tag of any usual kind (IEEE 802.1Q §9.6).
pub const fn is_tag(ether_type: u16) -> bool {
    use ether_type::{OLD_SERVICE_VLAN, SERVICE_VLAN, VLAN};
    matches!(ether_type, VLAN | SERVICE_VLAN | OLD_SERVICE_VLAN)
}

/// True for a customer tag that names no VLAN but a priority: its frame is an untagged one (IEEE 802.1Q §6.9).
pub const fn is_priority_tag(ether_type: u16, control: u16) -> bool {
    ether_type == ether_type::VLAN && control & 0x0fff == 0
}

/// The frame without its priority tag, if it has one; nearly always the very bytes that came.
pub fn without_priority_tag(frame: Bytes) -> Bytes {
    let Ok(view) = EthernetFrame::parse(&frame) else {
        return frame;
    };
    if !view.is_priority_tagged() {
        return frame;
    }
    let mut copy = BytesMut::with_capacity(frame.len() - TAG_LEN);
    copy.put_slice(&frame[..ADDRESSES_LEN]);
    copy.put_slice(&frame[ADDRESSES_LEN + TAG_LEN..]);
    copy.freeze()
}

/// Fewer than [`HEADER_LEN`] bytes: not a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a frame of {0} bytes is shorter than an Ethernet header")]
pub struct Runt(
    /// How many bytes there were.
    pub usize,
);

/// A frame of at least [`HEADER_LEN`] bytes, without FCS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EthernetFrame<'a>(&'a [u8]);

impl<'a> EthernetFrame<'a> {
    /// Looks at bytes as a frame.
    ///
    /// # Errors
    /// [`Runt`] when they are shorter than a header.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Runt> {
        if bytes.len() < HEADER_LEN {
            return Err(Runt(bytes.len()));
        }
        Ok(EthernetFrame(bytes))
    }

    /// Who should get it.
    pub fn destination(self) -> MacAddr {
        MacAddr::new(self.octets(0))
    }

    /// Who says to have sent it.
    pub fn source(self) -> MacAddr {
        MacAddr::new(self.octets(6))
    }

    /// EtherType or length.
    pub fn kind(self) -> FrameKind {
        u16::from_be_bytes([self.0[12], self.0[13]]).into()
    }

    /// Everything behind the header; for a tagged frame that starts inside the tag.
    pub fn payload(self) -> &'a [u8] {
        &self.0[HEADER_LEN..]
    }

    /// The whole frame.
    pub fn bytes(self) -> &'a [u8] {
        self.0
    }

    /// True when a VLAN tag of any usual kind follows the addresses.
    pub fn is_tagged(self) -> bool {
        matches!(self.kind(), FrameKind::EtherType(kind) if is_tag(kind))
    }

    /// What stands behind a priority tag: the frame means the same without it (IEEE 802.1Q §6.9). Nothing
    /// for untagged frames and VLANs, nor where another tag follows.
    pub fn inside_priority_tag(self) -> Option<(FrameKind, &'a [u8])> {
        let FrameKind::EtherType(tag) = self.kind() else {
            return None;
        };
        let (&[c0, c1, t0, t1], payload) = self.payload().split_first_chunk::<TAG_LEN>()?;
        let inner = u16::from_be_bytes([t0, t1]);
        let untagged = is_priority_tag(tag, u16::from_be_bytes([c0, c1])) && !is_tag(inner);
        untagged.then_some((inner.into(), payload))
    }

    /// True when [`without_priority_tag`] takes something away.
    pub fn is_priority_tagged(self) -> bool {
        self.inside_priority_tag().is_some()
    }

    /// True when it is longer than 1514 bytes, or 1518 with a tag (spec R3).
    pub fn is_jumbo(self) -> bool {
        let limit = if self.is_tagged() {
            MAX_TAGGED_LEN
        } else {
            MAX_LEN
        };
        self.0.len() > limit
    }

    fn octets(self, at: usize) -> [u8; 6] {
        self.0[at..at + 6]
            .try_into()
            .expect("six bytes make six octets")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u16, len: usize) -> Vec<u8> {
        let mut bytes = vec![0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1];
        bytes.extend(kind.to_be_bytes());
        bytes.resize(len, 0xaa);
        bytes
    }

    #[test]
    fn names_the_parts_of_a_frame() {
        let bytes = frame(0x8137, 60);
        let view = EthernetFrame::parse(&bytes).unwrap();
        assert!(view.destination().is_broadcast());
        assert_eq!(view.source(), MacAddr::new([2, 0, 0, 0, 0, 1]));
        assert_eq!(view.kind(), FrameKind::EtherType(0x8137));
        assert_eq!(view.payload(), &bytes[14..]);
        assert!(!view.is_jumbo() && !view.is_tagged());
    }

    #[test]
    fn below_0x0600_the_type_is_a_length() {
        let bytes = frame(0x05ff, 60);
        assert_eq!(
            EthernetFrame::parse(&bytes).unwrap().kind(),
            FrameKind::Length(0x05ff)
        );
        let bytes = frame(0x0600, 60);
        assert_eq!(
            EthernetFrame::parse(&bytes).unwrap().kind(),
            FrameKind::EtherType(0x0600)
        );
    }

    #[test]
    fn runts_are_not_frames() {
        for len in 0..HEADER_LEN {
            assert_eq!(
                EthernetFrame::parse(&[0; HEADER_LEN][..len]),
                Err(Runt(len))
            );
        }
        assert!(EthernetFrame::parse(&[0; HEADER_LEN]).is_ok());
    }

    #[test]
    fn jumbo_begins_past_1514_or_1518_with_a_tag() {
        for (kind, len, jumbo) in [
            (0x0800, 1514, false),
            (0x0800, 1515, true),
            (0x8100, 1518, false),
            (0x8100, 1519, true),
            (0x88a8, 1518, false),
        ] {
            let bytes = frame(kind, len);
            assert_eq!(
                EthernetFrame::parse(&bytes).unwrap().is_jumbo(),
                jumbo,
                "{kind:x} {len}"
            );
        }
    }

    #[test]
    fn a_priority_tag_comes_off_and_a_vlans_does_not() {
        let tagged = |tag: u16, control: u16, inner: u16| {
            let mut bytes = frame(tag, 14);
            bytes.extend(control.to_be_bytes());
            bytes.extend(inner.to_be_bytes());
            bytes.extend([7; 46]);
            Bytes::from(bytes)
        };
        let mut untagged = frame(0x0800, 14);
        untagged.extend([7; 46]);
        for control in [0, 0xe000, 0x1000] {
            let frame = tagged(0x8100, control, 0x0800);
            assert_eq!(without_priority_tag(frame), untagged, "{control:04x}");
        }
        for stays in [
            tagged(0x8100, 7, 0x0800),
            tagged(0x88a8, 0, 0x0800),
            tagged(0x9100, 0, 0x0800),
            tagged(0x8100, 0, 0x8100),
            tagged(0x8100, 0, 0x88a8),
            tagged(0x0800, 0, 0x0800),
            tagged(0x8100, 0, 0x0800).slice(..17),
            tagged(0x8100, 0, 0x0800).slice(..13),
        ] {
            assert_eq!(without_priority_tag(stays.clone()), stays);
        }
    }
}
