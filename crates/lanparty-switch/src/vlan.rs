//! VLAN tags: a room is one untagged segment.
//!
//! A tag of VLAN 0 is none: it names a priority, and its frame means the same without it (IEEE 802.1Q
//! §6.9). Programs take it out where a frame comes in; who did not is judged by what is inside
//! ([`EthernetFrame::inside_priority_tag`](lanparty_proto::EthernetFrame::inside_priority_tag)).

use crate::said::Said;
use lanparty_obs::DropReason;
use lanparty_proto::ethernet::is_tag;

/// A tag of any kind (IEEE 802.1Q §9.6), in SNAP too; nothing for another EtherType.
pub(crate) fn read<'a>(ether_type: u16) -> Option<Said<'a>> {
    is_tag(ether_type).then_some(Said::OnOneCable(DropReason::VlanTagged))
}
