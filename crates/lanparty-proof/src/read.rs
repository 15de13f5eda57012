//! Known again.

use crate::content;
use crate::frame::{self, Host, IPX_HEADER_LEN, UDP_HEADER_LEN};
use crate::mark::{MAGIC, Mark, Word};
use crate::style::{IPX_SOCKET, MDNS_PORT, PORT, SSDP_PORT, Style};
use lanparty_proto::ethernet::{self, ether_type};
use lanparty_proto::ip::{self, Part, UDP};
use lanparty_proto::{EthernetFrame, FrameKind, MacAddr};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const IPX: u16 = 0x8137;
/// Where in a frame things stand that has no options.
const IP: usize = ethernet::HEADER_LEN;
const UDP_IN_V4: usize = IP + ip::IPV4_HEADER_LEN;
const UDP_IN_V6: usize = IP + ip::IPV6_HEADER_LEN;
/// A mark behind the shortest headers.
const SHORTEST: usize = UDP_IN_V4 + UDP_HEADER_LEN + crate::MARK_LEN;

/// A frame of ours, whoever made it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Said {
    /// What it says.
    pub mark: Mark,
    /// Who says it.
    pub source: MacAddr,
    /// To whom.
    pub destination: MacAddr,
    pub(crate) from: Host,
    pub(crate) to: Option<IpAddr>,
    pub(crate) ports: (u16, u16),
    pub(crate) piece: Option<Piece>,
    /// How long its packet is.
    pub(crate) packet_len: usize,
    /// How long all of its packets are.
    pub(crate) bytes: usize,
}

impl Said {
    /// Whether it has come the way of its style, as far as one of its frames shows that. Who is answered in a style has
    /// asked in it, so that nobody is made to speak to all by a word to itself.
    pub(crate) fn is_of_style(&self, gateway: MacAddr) -> bool {
        if self.source.is_group() {
            return false;
        }
        let style = self.mark.style;
        let to_v4 = match self.to {
            Some(IpAddr::V4(to)) => Some(to),
            _ => None,
        };
        let is_to_all = self.destination == MacAddr::BROADCAST;
        match style {
            Style::Unicast => self.destination == gateway && to_v4.is_some(),
            Style::IpxEthernet | Style::IpxRaw => is_to_all && self.to.is_none(),
            // No subnet's broadcast address ends in anything else, as one has two hosts at least.
            Style::Directed | Style::DirectedOther => {
                let is_one = |to: Ipv4Addr| !to.is_multicast() && to.to_bits() & 3 == 3;
                is_to_all && to_v4.is_some_and(is_one)
            }
            style => match (style.group(), style.group_v6()) {
                (Some(group), _) => {
                    to_v4 == Some(group) && self.destination == frame::mac_of(group)
                }
                (_, Some(group)) => {
                    self.to == Some(group.into()) && self.destination == frame::mac_of_v6(group)
                }
                (None, None) => is_to_all && to_v4 == Some(Ipv4Addr::BROADCAST),
            },
        }
    }

    /// Whether it has come to the port of its style, whole as it is.
    pub(crate) fn is_to_port(&self) -> bool {
        self.mark.style.is_ipx() || self.ports.1 == self.mark.style.port()
    }
}

/// A part of a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Piece {
    /// The number of its datagram.
    pub(crate) id: u16,
    pub(crate) offset: usize,
    pub(crate) len: usize,
    pub(crate) is_last: bool,
}

/// False for nearly every frame that is none, at the price of a few bytes.
pub fn may_be(frame: &[u8]) -> bool {
    if frame.len() < SHORTEST {
        return false;
    }
    let number = |at: usize| u16::from_be_bytes([frame[at], frame[at + 1]]);
    let ports = |at: usize| {
        let (from, to) = (number(at), number(at + 2));
        matches!(to, PORT | MDNS_PORT | SSDP_PORT) || from == PORT
    };
    match number(12) {
        ether_type::IPV4 if frame[IP + 9] != UDP => false,
        // A later piece shows no ports.
        ether_type::IPV4 if number(IP + 6) & 0x1fff != 0 => {
            let near = &frame[UDP_IN_V4..UDP_IN_V4 + MAGIC.len() + 16];
            near.chunks_exact(8).any(|chunk| chunk == MAGIC)
        }
        ether_type::IPV4 => ports(UDP_IN_V4),
        ether_type::IPV6 => {
            frame.len() > UDP_IN_V6 + UDP_HEADER_LEN && frame[IP + 6] == UDP && ports(UDP_IN_V6)
        }
        IPX | 0..=1500 => number(IP) == 0xffff && number(IP + 16) == IPX_SOCKET,
        _ => false,
    }
}

/// Whether it says what only a gateway says.
pub fn is_answer(frame: &[u8]) -> bool {
    read(frame).is_some_and(|said| said.mark.word != Word::Question)
}

/// What a frame says, if it is one of ours.
pub fn read(frame: &[u8]) -> Option<Said> {
    if !may_be(frame) {
        return None;
    }
    let frame = EthernetFrame::parse(frame).ok()?;
    let packet = frame.payload();
    let found = match frame.kind() {
        FrameKind::EtherType(ether_type::IPV4) => v4(packet),
        FrameKind::EtherType(ether_type::IPV6) => v6(packet),
        FrameKind::EtherType(IPX) => ipx(packet, Style::IpxEthernet),
        FrameKind::Length(_) => ipx(packet, Style::IpxRaw),
        FrameKind::EtherType(_) => None,
    }?;
    let (source, destination) = (frame.source(), frame.destination());
    Some(Said {
        source,
        destination,
        ..found
    })
}

fn v4(packet: &[u8]) -> Option<Said> {
    let upper = ip::ipv4(packet).ok()?;
    let address = |at: usize| Some(Ipv4Addr::from(*packet.get(at..)?.first_chunk::<4>()?));
    let (from, to) = (address(12)?, address(16)?);
    let datagram = packet.get(upper.range.clone())?;
    let more = packet.get(6)? & 0x20 != 0;
    let (offset, ports, mark) = match upper.part {
        Part::Later(offset) => (usize::from(offset), (0, 0), content::read_piece(datagram)?),
        Part::First | Part::Whole => {
            let (ports, mark) = udp(datagram)?;
            (0, ports, mark)
        }
    };
    let piece = (upper.part != Part::Whole).then_some(Piece {
        id: u16::from_be_bytes([packet[4], packet[5]]),
        offset,
        len: datagram.len(),
        is_last: !more,
    });
    // What is in pieces says so, and the other way round: but for one style nobody here makes any.
    let may_be_whole = mark.style != Style::Pieces || mark.word == Word::Tally;
    if piece.is_some() && mark.style != Style::Pieces || piece.is_none() && !may_be_whole {
        return None;
    }
    Some(Said {
        from: Host::V4(from),
        to: Some(to.into()),
        ports,
        piece,
        ..said(mark, upper.range.end)
    })
}

fn v6(packet: &[u8]) -> Option<Said> {
    let upper = ip::ipv6(packet).ok()?;
    let address = |at: usize| Some(Ipv6Addr::from(*packet.get(at..)?.first_chunk::<16>()?));
    let (from, to) = (address(8)?, address(24)?);
    if upper.part != Part::Whole || upper.protocol != UDP {
        return None;
    }
    let (ports, mark) = udp(packet.get(upper.range.clone())?)?;
    Some(Said {
        from: Host::V6(from),
        to: Some(to.into()),
        ports,
        ..said(mark, upper.range.end)
    })
}

/// The ports, and the mark; a first piece has a length that it does not keep.
fn udp(datagram: &[u8]) -> Option<((u16, u16), Mark)> {
    let (header, content) = datagram.split_first_chunk::<UDP_HEADER_LEN>()?;
    let number = |at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
    let ports = (number(0), number(2));
    let len = usize::from(number(4)).checked_sub(UDP_HEADER_LEN)?;
    let content = &content[..len.min(content.len())];
    Some((ports, content::read(ports, content)?))
}

fn ipx(packet: &[u8], style: Style) -> Option<Said> {
    let len = usize::from(u16::from_be_bytes([*packet.get(2)?, *packet.get(3)?]));
    let mark = Mark::decode(packet.get(IPX_HEADER_LEN..len)?)?;
    (mark.style == style).then_some(Said {
        from: Host::Ipx,
        ..said(mark, len)
    })
}

fn said(mark: Mark, packet_len: usize) -> Said {
    Said {
        mark,
        source: MacAddr::ZERO,
        destination: MacAddr::ZERO,
        from: Host::Ipx,
        to: None,
        ports: (0, 0),
        piece: None,
        packet_len,
        bytes: packet_len,
    }
}
