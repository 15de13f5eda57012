//! VLAN tags: a room is one untagged segment.

use lanparty_proto::ethernet::ether_type::{OLD_SERVICE_VLAN, SERVICE_VLAN, VLAN};

/// True for a tag of any usual kind (IEEE 802.1Q §9.6): 0x8100, 0x88A8, 0x9100; in SNAP too.
pub(crate) fn is_tag(ether_type: u16) -> bool {
    matches!(ether_type, VLAN | SERVICE_VLAN | OLD_SERVICE_VLAN)
}
