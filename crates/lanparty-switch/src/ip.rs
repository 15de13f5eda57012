//! What stands behind IP's headers, and what hides there.
//!
//! A player's packet must show what it is. It does not when it is cut short, has too many extension
//! headers, is a first fragment without its upper header (RFC 7112, RFC 1858), or a later one that
//! overlaps it.

use crate::said::Said;
use crate::{chatter, dhcp, dhcpv6, group, nd, router};
use lanparty_proto::EthernetFrame;
use lanparty_proto::ip::{self, ICMPV4, ICMPV6, IGMP, Part, TCP, UDP, Unclear, Upper};
use std::net::Ipv6Addr;

/// The shortest header of TCP (RFC 9293 §3.1), UDP (RFC 768) and every ICMP and IGMP message in use.
const TCP_HEADER_LEN: usize = 20;
const UDP_HEADER_LEN: usize = 8;
const ICMP_HEADER_LEN: usize = 8;

pub(crate) fn read_v4<'a>(frame: EthernetFrame<'_>, packet: &'a [u8]) -> Said<'a> {
    const DESTINATION: usize = 16; // in the IPv4 header (RFC 791 §3.1)
    let Ok((upper, message)) = ip::ipv4(packet).and_then(|upper| shown(upper, packet)) else {
        return Said::HIDDEN;
    };
    if let Some(reason) = router::protocol(upper.protocol) {
        return Said::OnlyTheLan(reason);
    }
    match (upper.protocol, message) {
        (UDP, Some(datagram)) => {
            let ports = ports(datagram);
            let to_group = frame.destination().is_group() || packet[DESTINATION] >= 224;
            if dhcp::speaks(ports) {
                let message = dhcp::read(frame, ports, datagram, upper.part);
                return message.map_or_else(Said::OnlyTheLan, Said::of_dhcp);
            }
            other(ports, to_group)
        }
        (IGMP, Some(message)) => group::igmp(message, upper.part),
        (ICMPV4, Some(message)) => router::icmpv4(message[0]),
        _ => Said::Anything,
    }
}

pub(crate) fn read_v6<'a>(frame: EthernetFrame<'_>, packet: &'a [u8]) -> Said<'a> {
    const SOURCE: usize = 8; // in the IPv6 header (RFC 8200 §3)
    const DESTINATION: usize = 24;
    let Ok((upper, message)) = ip::ipv6(packet).and_then(|upper| shown(upper, packet)) else {
        return Said::HIDDEN;
    };
    if let Some(reason) = router::protocol(upper.protocol) {
        return Said::OnlyTheLan(reason);
    }
    match (upper.protocol, message) {
        (UDP, Some(datagram)) => {
            let ports = ports(datagram);
            let to_group = frame.destination().is_group() || packet[DESTINATION] == 0xff;
            if dhcpv6::speaks(ports) {
                let question = dhcpv6::read(ports, datagram, upper.part);
                return question.map_or_else(Said::OnlyTheLan, Said::Dhcpv6Question);
            }
            other(ports, to_group)
        }
        (ICMPV6, Some(message)) => {
            let source = packet[SOURCE..].first_chunk::<16>().copied();
            let source = source.map_or(Ipv6Addr::UNSPECIFIED, Ipv6Addr::from);
            let other = || router::icmpv6(message[0]).map(Said::OnlyTheLan);
            nd::read(message, source, upper.part)
                .map(|message| message.map_or_else(Said::OnlyTheLan, Said::Neighbour))
                .or_else(|| group::mld(message))
                .or_else(other)
                .unwrap_or(Said::Anything)
        }
        _ => Said::Anything,
    }
}

/// A whole upper header and what follows it; nothing when this is a later fragment.
fn shown(upper: Upper, packet: &[u8]) -> Result<(Upper, Option<&[u8]>), Unclear> {
    if let Part::Later(offset) = upper.part {
        // A fragment that starts within the longest header that we judge or TCP's flags could
        // replace what the first one showed (RFC 1858 §3, RFC 3128).
        return match usize::from(offset) < TCP_HEADER_LEN {
            true => Err(Unclear),
            false => Ok((upper, None)),
        };
    }
    let needed = match upper.protocol {
        TCP => TCP_HEADER_LEN,
        UDP => UDP_HEADER_LEN,
        ICMPV4 | ICMPV6 | IGMP => ICMP_HEADER_LEN,
        _ => 0,
    };
    let bytes = &packet[upper.range.clone()];
    match bytes.len() < needed {
        true => Err(Unclear),
        false => Ok((upper, Some(bytes))),
    }
}

/// What is said between these ports, when it is of no kind of its own.
fn other<'a>(ports: (u16, u16), to_group: bool) -> Said<'a> {
    match router::udp(ports, to_group) {
        Some(reason) => Said::OnlyTheLan(reason),
        None if chatter::is_chatter(ports) => Said::Chatter,
        None => Said::Anything,
    }
}

fn ports(datagram: &[u8]) -> (u16, u16) {
    (
        u16::from_be_bytes([datagram[0], datagram[1]]),
        u16::from_be_bytes([datagram[2], datagram[3]]),
    )
}
