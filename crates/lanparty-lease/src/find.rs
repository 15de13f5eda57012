//! Which frames there is something to do about.
//!
//! Read as the most credulous host would: a DHCP client reads at a raw socket what its kernel would drop, and knows
//! neither fragments nor lengths there. What only such a one would take for a lease is refused.

use crate::Refused;
use lanparty_proto::ethernet::ether_type;
use lanparty_proto::ip::{self, ICMPV4, ICMPV6, IPV6_HEADER_LEN, Part, UDP, Upper};
use lanparty_proto::{Content, EthernetFrame};
use std::ops::Range;

const DHCP_CLIENT: u16 = 68;
const DHCPV6_CLIENT: u16 = 546;

const ROUTER_ADVERTISEMENT: u8 = 134;

/// Something to edit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) message: Message,
    /// Where its UDP or ICMP header stands in the frame, and all that follows it.
    pub(crate) upper: Range<usize>,
}

/// What it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Message {
    Dhcp,
    Dhcpv6,
    Advertisement,
}

/// What there is to edit in a frame, in most nothing.
pub(crate) fn find(frame: &[u8]) -> Result<Option<Found>, Refused> {
    let Ok(view) = EthernetFrame::parse(frame) else {
        return Ok(None);
    };
    let (packet, found) = match Content::of(view) {
        Content::Typed(ether_type::IPV4, packet) => (packet, in_ipv4(packet)?),
        Content::Typed(ether_type::IPV6, packet) => (packet, in_ipv6(packet)?),
        Content::Typed(..) | Content::Snap(_) | Content::Llc(..) | Content::Empty => {
            return Ok(None);
        }
    };
    let at = frame.len() - packet.len();
    Ok(found.map(|(message, upper)| Found {
        message,
        upper: at + upper.start..at + upper.end,
    }))
}

type InPacket = Result<Option<(Message, Range<usize>)>, Refused>;

fn in_ipv4(packet: &[u8]) -> InPacket {
    let Ok(upper) = ip::ipv4(packet) else {
        return match is_lease_to_the_credulous(packet) {
            true => Err(Refused::Hidden),
            false => Ok(None),
        };
    };
    if let Part::Later(_) = upper.part {
        // Whatever it belongs to is refused by its first piece, which shows the ports.
        return Ok(None);
    }
    match (upper.protocol, &packet[upper.range.clone()]) {
        (UDP, datagram) if destination_port(datagram) == Some(DHCP_CLIENT) => {
            whole(Message::Dhcp, upper)
        }
        // Redirect, RFC 792; router advertisement, RFC 1256; mobile host redirect.
        (ICMPV4, [5 | 9 | 32, ..]) => Err(Refused::Router),
        _ => Ok(None),
    }
}

/// An IPv4 packet that contradicts itself, and yet looks like DHCP at the places where clients look.
fn is_lease_to_the_credulous(packet: &[u8]) -> bool {
    let Some(&[first, _, _, _, _, _, _, _, _, protocol]) = packet.first_chunk() else {
        return false;
    };
    let datagram = packet.get(usize::from(first & 0x0f) * 4..);
    protocol == UDP && datagram.and_then(destination_port) == Some(DHCP_CLIENT)
}

fn in_ipv6(packet: &[u8]) -> InPacket {
    let Ok(upper) = ip::ipv6(packet) else {
        return match is_taken_by_hosts(packet) {
            true => Err(Refused::Hidden),
            false => Ok(None),
        };
    };
    match (upper.part, upper.protocol, &packet[upper.range.clone()]) {
        (Part::Later(_), _, _) => Ok(None),
        (_, ICMPV6, [ROUTER_ADVERTISEMENT, ..]) => whole(Message::Advertisement, upper),
        // Redirect, RFC 4861.
        (_, ICMPV6, [137, ..]) => Err(Refused::Router),
        (_, UDP, datagram) if destination_port(datagram) == Some(DHCPV6_CLIENT) => {
            whole(Message::Dhcpv6, upper)
        }
        // Its next piece may show what it is (RFC 7112 forbids that, and not every host does).
        (Part::First, ICMPV6, []) | (Part::First, UDP, []) => Err(Refused::Hidden),
        _ => Ok(None),
    }
}

/// An IPv6 packet of which only the chain of headers is unclear, and that a host would go on reading.
fn is_taken_by_hosts(packet: &[u8]) -> bool {
    let Some(header) = packet.first_chunk::<IPV6_HEADER_LEN>() else {
        return false;
    };
    let payload = usize::from(u16::from_be_bytes([header[4], header[5]]));
    header[0] >> 4 == 6 && payload != 0 && IPV6_HEADER_LEN + payload <= packet.len()
}

/// What comes in pieces or is signed nobody can edit.
fn whole(message: Message, upper: Upper) -> InPacket {
    match upper.part == Part::Whole && !upper.authenticated {
        true => Ok(Some((message, upper.range))),
        false => Err(Refused::Broken),
    }
}

fn destination_port(datagram: &[u8]) -> Option<u16> {
    let port = datagram.get(2..)?.first_chunk()?;
    Some(u16::from_be_bytes(*port))
}
