//! What a player's frame is, as far as that decides whether it may reach the LAN.

use crate::judge;
use crate::said::Said;
use lanparty_proto::ethernet::ether_type;
use lanparty_proto::ip::{
    self, ICMPV4, ICMPV6, IPV4_HEADER_LEN, IPV6_HEADER_LEN, Part, TCP, UDP, Upper,
};
use lanparty_proto::{Content, EthernetFrame, MacAddr};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const FRAGMENT_HEADER_LEN: usize = 8;
const IPX: u16 = 0x8137;
const IPX_ACCESS_POINT: u8 = 0xe0;

const FIN: u8 = 0x01;
const SYN: u8 = 0x02;
pub(super) const RST: u8 = 0x04;
pub(super) const ACK: u8 = 0x10;

/// What a frame is.
#[derive(Debug)]
pub(super) enum Seen<'a> {
    /// What keeps a machine on the LAN: ARP, neighbour discovery, group membership.
    Control,
    /// A DHCP client's question, and where to.
    Dhcp(IpAddr),
    Ipx,
    Packet(Packet<'a>),
    /// Anything else.
    Other,
}

/// An IP packet.
#[derive(Debug)]
pub(super) struct Packet<'a> {
    pub(super) source: IpAddr,
    pub(super) destination: IpAddr,
    pub(super) protocol: u8,
    pub(super) part: Part,
    /// By what its pieces belong together: the number, and for IPv4 the protocol.
    pub(super) piece: (u32, u8),
    /// False where options or extension headers stand before the upper header.
    pub(super) is_plain: bool,
    /// From and to, where TCP and UDP have them.
    pub(super) ports: Option<(u16, u16)>,
    pub(super) icmp: Option<u8>,
    /// The packet, without padding.
    pub(super) bytes: &'a [u8],
    /// What is behind the IP headers; empty in a later piece.
    pub(super) upper: &'a [u8],
}

/// Looks at a frame that the switch has let through.
pub(super) fn see(frame: EthernetFrame<'_>) -> Seen<'_> {
    match Content::of(frame) {
        Content::Typed(ether_type::ARP | ether_type::REVERSE_ARP, _) => Seen::Control,
        Content::Typed(ether_type::IPV4, bytes) => v4(bytes).map_or(Seen::Other, |p| of(frame, p)),
        Content::Typed(ether_type::IPV6, bytes) => v6(bytes).map_or(Seen::Other, |p| of(frame, p)),
        Content::Typed(IPX, _)
        | Content::Llc(IPX_ACCESS_POINT, _)
        | Content::Llc(_, [0xff, 0xff, ..]) => Seen::Ipx,
        Content::Typed(..) | Content::Llc(..) | Content::Snap(_) | Content::Empty => Seen::Other,
    }
}

/// The switch's own reading says what control is, so that both mean the same.
fn of<'a>(frame: EthernetFrame<'a>, packet: Packet<'a>) -> Seen<'a> {
    let may_be_control = match packet.protocol {
        UDP => packet.ports.is_some_and(|(_, to)| matches!(to, 67 | 547)),
        ip::IGMP | ICMPV6 | TCP => packet.protocol != TCP,
        _ => false,
    };
    if !may_be_control {
        return Seen::Packet(packet);
    }
    match judge::read(frame) {
        Said::Neighbour(_) | Said::Membership => Seen::Control,
        Said::DhcpQuestion(_) | Said::Dhcpv6Question(_) if packet.is_plain => {
            Seen::Dhcp(packet.destination)
        }
        _ => Seen::Packet(packet),
    }
}

fn v4(bytes: &[u8]) -> Option<Packet<'_>> {
    let header = bytes.first_chunk::<IPV4_HEADER_LEN>()?;
    let upper = ip::ipv4(bytes).ok()?;
    let address = |at: usize| {
        let octets = header[at..].first_chunk::<4>().copied();
        octets.map(|octets| IpAddr::from(Ipv4Addr::from(octets)))
    };
    let is_plain = upper.range.start == IPV4_HEADER_LEN;
    let number = u16::from_be_bytes([header[4], header[5]]);
    let piece = (number.into(), upper.protocol);
    Some(Packet::new(
        bytes,
        (address(12)?, address(16)?),
        upper,
        piece,
        is_plain,
    ))
}

fn v6(bytes: &[u8]) -> Option<Packet<'_>> {
    let header = bytes.first_chunk::<IPV6_HEADER_LEN>()?;
    let upper = ip::ipv6(bytes).ok()?;
    let address = |at: usize| {
        let octets = header[at..].first_chunk::<16>().copied();
        octets.map(|octets| IpAddr::from(Ipv6Addr::from(octets)))
    };
    let is_whole = upper.part == Part::Whole;
    let headers = match is_whole {
        true => IPV6_HEADER_LEN,
        false => IPV6_HEADER_LEN + FRAGMENT_HEADER_LEN,
    };
    let is_plain = upper.range.start == headers;
    // The fragment header's last four bytes, where it comes first (RFC 8200 §4.5).
    let number = bytes[IPV6_HEADER_LEN..].get(4..FRAGMENT_HEADER_LEN);
    let number = number.and_then(|number| number.first_chunk().copied());
    let number = number.filter(|_| !is_whole).map_or(0, u32::from_be_bytes);
    // Pieces need not agree on what is behind the first.
    let piece = (number, 0);
    Some(Packet::new(
        bytes,
        (address(8)?, address(24)?),
        upper,
        piece,
        is_plain,
    ))
}

impl<'a> Packet<'a> {
    fn new(
        bytes: &'a [u8],
        (source, destination): (IpAddr, IpAddr),
        upper: Upper,
        piece: (u32, u8),
        is_plain: bool,
    ) -> Self {
        let Upper {
            protocol,
            range,
            part,
            ..
        } = upper;
        let bytes = &bytes[..range.end];
        let shown = match part {
            Part::Whole | Part::First => &bytes[range.start..],
            Part::Later(_) => &[],
        };
        let ports = match (protocol, shown) {
            (TCP | UDP, &[a, b, c, d, ..]) => {
                Some((u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])))
            }
            _ => None,
        };
        let icmp = match protocol {
            ICMPV4 | ICMPV6 => shown.first().copied(),
            _ => None,
        };
        Packet {
            source,
            destination,
            protocol,
            part,
            piece,
            is_plain,
            ports,
            icmp,
            bytes,
            upper: shown,
        }
    }

    /// The flags of TCP, where this is that.
    pub(super) fn flags(&self) -> u8 {
        match self.protocol {
            TCP => self.upper.get(13).copied().unwrap_or(0),
            _ => 0,
        }
    }

    /// True for the packet by which a TCP connection is asked for.
    pub(super) fn is_first_of_tcp(&self) -> bool {
        self.protocol == TCP && self.flags() & (SYN | ACK) == SYN
    }

    /// True for one that ends a TCP connection at once.
    pub(super) fn ends(&self) -> bool {
        self.flags() & RST != 0
    }

    /// How many numbers of TCP's sequence it takes, for who answers it.
    pub(super) fn sequence_len(&self) -> u32 {
        let header = self.upper.get(12).map_or(0, |&at| usize::from(at >> 4) * 4);
        let payload = self.upper.len().saturating_sub(header);
        let flags = u32::from(self.flags() & SYN != 0) + u32::from(self.flags() & FIN != 0);
        u32::try_from(payload).unwrap_or(0) + flags
    }

    pub(super) fn is_ping(&self) -> bool {
        matches!(
            (self.protocol, self.icmp),
            (ICMPV4, Some(8)) | (ICMPV6, Some(128))
        )
    }

    /// True when it goes to one machine, by both of its addresses.
    pub(super) fn is_for_one(&self, to: MacAddr) -> bool {
        let is_all = self.destination == IpAddr::V4(Ipv4Addr::BROADCAST);
        !to.is_group()
            && !self.destination.is_multicast()
            && !self.destination.is_unspecified()
            && !is_all
    }
}
