//! What LLC carries without SNAP, and the control of one cable.

use crate::router;
use crate::said::Said;
use lanparty_obs::DropReason;
use lanparty_proto::MacAddr;
use lanparty_proto::ethernet::ether_type::{EAPOL, LLDP, MAC_CONTROL, MACSEC, SLOW};

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
