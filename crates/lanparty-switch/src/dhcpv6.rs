//! DHCP for IPv6 (RFC 8415).

use crate::said::Said;
use lanparty_obs::DropReason;

const CLIENT: u16 = 546;
const SERVER: u16 = 547;

/// Reads a datagram between these ports; nothing when it is no DHCPv6.
pub(crate) fn read<'a>(ports: (u16, u16)) -> Option<Said<'a>> {
    match ports {
        // From the server's port or to the client's (RFC 8415 §7.2).
        (SERVER, _) | (_, CLIENT) => Some(Said::OnlyTheLan(DropReason::Dhcpv6ServerReply)),
        _ => None,
    }
}
