//! Who hears which group: IGMP (RFC 9776, RFC 2236, RFC 1112) and MLD (RFC 9777, RFC 2710).
//!
//! A player reports what it listens to. To ask is the querier's, and there is one on the LAN or none:
//! on a LAN that snoops, a querier that stops asking silences all multicast some minutes later.

use crate::said::Said;
use lanparty_obs::DropReason;
use lanparty_proto::ip::Part;

/// Reads an IGMP message of at least eight bytes.
pub(crate) fn igmp<'a>(message: &[u8], part: Part) -> Said<'a> {
    if part != Part::Whole {
        return Said::HIDDEN;
    }
    match message[0] {
        0x12 | 0x16 | 0x22 | 0x17 => Said::Membership,
        // Queries of every version, and multicast router discovery (RFC 4286).
        0x11 | 0x30..=0x32 => Said::OnlyTheLan(DropReason::GroupQuery),
        // DVMRP, PIM's first version, mtrace, RGMP: routers' among themselves.
        _ => Said::OnlyTheLan(DropReason::RouterProtocol),
    }
}

/// Reads an ICMPv6 message; nothing when it is not about groups.
pub(crate) fn mld<'a>(message: &[u8]) -> Option<Said<'a>> {
    match message[0] {
        131 | 132 | 143 => Some(Said::Membership),
        // Queries, and multicast router discovery (RFC 4286).
        130 | 151..=153 => Some(Said::OnlyTheLan(DropReason::GroupQuery)),
        _ => None,
    }
}
