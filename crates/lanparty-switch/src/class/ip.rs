//! What a client may not say over IP.

use super::Forbidden;
use lanparty_proto::MacAddr;
use lanparty_proto::ip::{self, ICMPV4, ICMPV6, Part, TCP, UDP, Unclear, Upper};

/// The shortest header of TCP (RFC 9293 §3.1), UDP (RFC 768) and every ICMP message in use.
const TCP_HEADER_LEN: usize = 20;
const UDP_HEADER_LEN: usize = 8;
const ICMP_HEADER_LEN: usize = 8;

pub(super) fn check_v4(packet: &[u8]) -> Result<(), Forbidden> {
    let upper = ip::ipv4(packet)?;
    match (upper.protocol, shown(&upper, packet)?) {
        (UDP, Some(datagram)) => check_dhcp(datagram),
        (ICMPV4, Some(&[ICMPV4_REDIRECT | ICMPV4_ROUTER_ADVERTISEMENT, ..])) => {
            Err(Forbidden::RouterAdvertisement)
        }
        _ => Ok(()),
    }
}

pub(super) fn check_v6(packet: &[u8], own: MacAddr) -> Result<(), Forbidden> {
    let upper = ip::ipv6(packet)?;
    match (upper.protocol, shown(&upper, packet)?) {
        (UDP, Some(datagram)) => check_dhcpv6(datagram),
        (ICMPV6, Some(message)) => check_icmpv6(message, upper.part, own),
        _ => Ok(()),
    }
}

/// A whole upper header and what follows it; nothing when this is a later fragment.
fn shown<'a>(upper: &Upper, packet: &'a [u8]) -> Result<Option<&'a [u8]>, Forbidden> {
    if let Part::Later(offset) = upper.part {
        // A fragment that starts within the longest header that we judge or TCP's flags could
        // replace what the first one showed (RFC 1858 §3, RFC 3128).
        return if usize::from(offset) < TCP_HEADER_LEN {
            Err(Forbidden::HiddenUpperHeader)
        } else {
            Ok(None)
        };
    }
    let needed = match upper.protocol {
        TCP => TCP_HEADER_LEN,
        UDP => UDP_HEADER_LEN,
        ICMPV4 | ICMPV6 => ICMP_HEADER_LEN,
        _ => 0,
    };
    let bytes = &packet[upper.range.clone()];
    if bytes.len() < needed {
        return Err(Forbidden::HiddenUpperHeader);
    }
    Ok(Some(bytes))
}

const ICMPV4_REDIRECT: u8 = 5;
const ICMPV4_ROUTER_ADVERTISEMENT: u8 = 9;

/// DHCP ports and the operation of a server's message (RFC 2131 §2 and §4.1).
fn check_dhcp(datagram: &[u8]) -> Result<(), Forbidden> {
    const SERVER: u16 = 67;
    const CLIENT: u16 = 68;
    const BOOTREPLY: u8 = 2;
    match (ports(datagram), datagram.get(UDP_HEADER_LEN)) {
        ((SERVER, _) | (_, CLIENT), _) | ((_, SERVER), Some(&BOOTREPLY)) => {
            Err(Forbidden::DhcpServerReply)
        }
        // The operation may come in a second fragment.
        ((_, SERVER), None) => Err(Forbidden::HiddenUpperHeader),
        _ => Ok(()),
    }
}

/// DHCPv6 ports (RFC 8415 §7.2).
fn check_dhcpv6(datagram: &[u8]) -> Result<(), Forbidden> {
    const CLIENT: u16 = 546;
    const SERVER: u16 = 547;
    match ports(datagram) {
        (SERVER, _) | (_, CLIENT) => Err(Forbidden::Dhcpv6ServerReply),
        _ => Ok(()),
    }
}

fn ports(datagram: &[u8]) -> (u16, u16) {
    (
        u16::from_be_bytes([datagram[0], datagram[1]]),
        u16::from_be_bytes([datagram[2], datagram[3]]),
    )
}

/// Neighbour discovery (RFC 4861 §4): a client may ask and answer for itself.
fn check_icmpv6(message: &[u8], part: Part, own: MacAddr) -> Result<(), Forbidden> {
    const ROUTER_SOLICITATION: u8 = 133;
    const ROUTER_ADVERTISEMENT: u8 = 134;
    const NEIGHBOUR_SOLICITATION: u8 = 135;
    const NEIGHBOUR_ADVERTISEMENT: u8 = 136;
    const REDIRECT: u8 = 137;
    let options_at = match message[0] {
        ROUTER_ADVERTISEMENT | REDIRECT => return Err(Forbidden::RouterAdvertisement),
        ROUTER_SOLICITATION => 8,
        NEIGHBOUR_SOLICITATION | NEIGHBOUR_ADVERTISEMENT => 24,
        _ => return Ok(()),
    };
    if part != Part::Whole {
        return Err(Forbidden::HiddenUpperHeader);
    }
    let options = message.get(options_at..).ok_or(Forbidden::ArpSpoof)?;
    check_link_layer_options(options, own)
}

/// Checks that the options name no link-layer address but the client's own (RFC 4861 §4.6).
fn check_link_layer_options(mut options: &[u8], own: MacAddr) -> Result<(), Forbidden> {
    const SOURCE: u8 = 1;
    const TARGET: u8 = 2;
    while let [kind, eighths, ..] = *options {
        let len = usize::from(eighths) * 8;
        if len == 0 || len > options.len() {
            return Err(Forbidden::ArpSpoof);
        }
        let (option, rest) = options.split_at(len);
        if matches!(kind, SOURCE | TARGET) && option[2..] != own.octets() {
            return Err(Forbidden::ArpSpoof);
        }
        options = rest;
    }
    // One byte left over is no option.
    if options.is_empty() {
        Ok(())
    } else {
        Err(Forbidden::ArpSpoof)
    }
}

impl From<Unclear> for Forbidden {
    fn from(Unclear: Unclear) -> Self {
        Forbidden::HiddenUpperHeader
    }
}
