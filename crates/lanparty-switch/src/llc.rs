//! What is under a frame's type: 802.3 with LLC and SNAP, and the control of one cable.

use crate::router;
use crate::said::Said;
use lanparty_obs::DropReason;
use lanparty_proto::ethernet::ether_type::{EAPOL, LLDP, MAC_CONTROL, MACSEC, SLOW};
use lanparty_proto::{EthernetFrame, FrameKind, MacAddr};

/// What a frame carries, once 802.3, LLC and SNAP are looked through.
pub(crate) enum Content<'a> {
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
    pub(crate) fn of(frame: EthernetFrame<'a>) -> Self {
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

/// 802.1X pre-authentication (IEEE 802.11i).
const PREAUTHENTICATION: u16 = 0x88c7;
/// Where bridges listen for BPDUs (IEEE 802.1D §9.3.1), less the group bit.
const SPANNING_TREE: u8 = 0x42;

/// What LLC for this access point says.
pub(crate) fn read(access_point: u8, payload: &[u8]) -> Said<'_> {
    match access_point {
        SPANNING_TREE => Said::OnOneCable(DropReason::ReservedMulticast),
        _ => router::llc(access_point, payload),
    }
}

/// What stays on one cable, by its EtherType; nothing for others.
pub(crate) fn link_control<'a>(ether_type: u16) -> Option<Said<'a>> {
    Some(Said::OnOneCable(match ether_type {
        EAPOL | PREAUTHENTICATION => DropReason::Eapol,
        LLDP => DropReason::Lldp,
        SLOW => DropReason::SlowProtocol,
        MACSEC => DropReason::MacSec,
        MAC_CONTROL => DropReason::Pause,
        _ => return None,
    }))
}

/// Refuses what is for bridges, which listen to these addresses and never forward them:
/// 01-80-C2-00-00-00 to -0F (IEEE 802.1Q §8.6.3), and Cisco's 01-00-0C-CC-CC-CC and -CD (CDP, VTP, DTP,
/// UDLD, PVST+).
pub(crate) fn check_destination(destination: MacAddr) -> Result<(), DropReason> {
    match destination.octets() {
        [0x01, 0x80, 0xc2, 0x00, 0x00, 0x00..=0x0f]
        | [0x01, 0x00, 0x0c, 0xcc, 0xcc, 0xcc | 0xcd] => Err(DropReason::ReservedMulticast),
        _ => Ok(()),
    }
}
