//! Frames of each style.

use crate::content::{self, PIECES_LEN};
use crate::mark::{Mark, Word};
use crate::style::{IPX_SOCKET, PORT, Style};
use lanparty_proto::MacAddr;
use lanparty_proto::checksum::Sum;
use lanparty_proto::ethernet::ether_type;
use lanparty_proto::ip::{IPV4_HEADER_LEN, UDP};
use std::net::{Ipv4Addr, Ipv6Addr};

pub(crate) const UDP_HEADER_LEN: usize = 8;
pub(crate) const IPX_HEADER_LEN: usize = 30;
/// So many hops are enough where there are none (RFC 1112 §6.1 has one for groups).
const HOPS: u8 = 1;
/// A broadcast's and a single host's.
const MANY_HOPS: u8 = 64;
const IPX: u16 = 0x8137;

/// Who speaks to whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Way {
    pub(crate) source: MacAddr,
    pub(crate) source_ip: Ipv4Addr,
    pub(crate) to: To,
    pub(crate) ports: (u16, u16),
    /// How often this was said before: two datagrams in pieces are not to be taken for one.
    pub(crate) round: u8,
}

/// To whom, where the style leaves that open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum To {
    /// The style's own address; this is the subnet's broadcast address.
    All(Ipv4Addr),
    /// One machine.
    One(MacAddr, Host),
}

/// One machine's address, in the protocol in which it has asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Host {
    V4(Ipv4Addr),
    V6(Ipv6Addr),
    Ipx,
}

/// The frames that say this; several only in [`Style::Pieces`].
pub(crate) fn write(way: &Way, mark: &Mark, mtu: usize) -> Vec<Vec<u8>> {
    let (style, id) = (mark.style, id(way, mark));
    let room = mtu - IPV4_HEADER_LEN - UDP_HEADER_LEN;
    let content = match (mark.word, style) {
        (Word::Tally, _) => content::tally(mark),
        (_, Style::Large) => content::write(mark, room),
        (_, Style::Pieces) => content::write(mark, PIECES_LEN),
        _ => content::write(mark, 0),
    };
    match (way.to, style) {
        (To::One(_, Host::Ipx), _) => vec![ipx(way, style == Style::IpxRaw, &content)],
        (To::One(mac, Host::V6(ip)), _) => vec![v6(way, mac, ip, &content)],
        (To::One(mac, Host::V4(ip)), _) => v4(way, (mac, ip), mtu, id, &content),
        (To::All(_), Style::IpxEthernet) => vec![ipx(way, false, &content)],
        (To::All(_), Style::IpxRaw) => vec![ipx(way, true, &content)],
        (To::All(directed), _) => match (style.group(), style.group_v6()) {
            (_, Some(group)) => vec![v6(way, mac_of_v6(group), group, &content)],
            (Some(group), _) => v4(way, (mac_of(group), group), mtu, id, &content),
            (None, None) => {
                let is_directed = matches!(style, Style::Directed | Style::DirectedOther);
                let ip = if is_directed {
                    directed
                } else {
                    Ipv4Addr::BROADCAST
                };
                v4(way, (MacAddr::BROADCAST, ip), mtu, id, &content)
            }
        },
    }
}

/// "I want this group" (RFC 2236 §2), so that its answers find the way.
pub(crate) fn report(source: MacAddr, source_ip: Ipv4Addr, group: Ipv4Addr) -> Vec<u8> {
    const IGMP: u8 = 2;
    const REPORT: u8 = 0x16;
    let mut message = [&[REPORT, 0, 0, 0][..], &group.octets()].concat();
    let checksum = Sum::of(&message).checksum().to_be_bytes();
    message[2..4].copy_from_slice(&checksum);
    let router_alert = [0x94, 4, 0, 0];
    let header = Header {
        options: &router_alert,
        protocol: IGMP,
        hops: HOPS,
        id: 0,
        fragment: 0,
    };
    let packet = header.packet(source_ip, group, &message);
    ethernet(mac_of(group), source, ether_type::IPV4, &packet)
}

/// The number of IP's packet: another for each look, style, word and round (RFC 6864 §4.3).
fn id(way: &Way, mark: &Mark) -> u16 {
    let (halves, _) = mark.nonce.0.as_chunks::<2>();
    let random = halves
        .iter()
        .fold(0, |id, half| id ^ u16::from_be_bytes(*half));
    random ^ (mark.style as u16 | u16::from(way.round) << 4 | (mark.word as u16) << 12)
}

fn v4(
    way: &Way,
    (mac, ip): (MacAddr, Ipv4Addr),
    mtu: usize,
    id: u16,
    content: &[u8],
) -> Vec<Vec<u8>> {
    let datagram = udp(way.ports, content, |len| {
        Sum::pseudo_v4(way.source_ip.octets(), ip.octets(), UDP, len)
    });
    // All but the last end at a multiple of eight (RFC 791 §3.2).
    let room = match mtu - IPV4_HEADER_LEN {
        room if datagram.len() <= room => room,
        room => room & !7,
    };
    let count = datagram.len().div_ceil(room);
    let pieces = datagram.chunks(room).enumerate().map(|(number, piece)| {
        let more = if number + 1 < count { 0x2000 } else { 0 };
        let eighths = u16::try_from(number * room / 8).expect("a datagram is shorter than that");
        let header = Header {
            options: &[],
            protocol: UDP,
            hops: if ip.is_multicast() { HOPS } else { MANY_HOPS },
            id,
            fragment: more | eighths,
        };
        let packet = header.packet(way.source_ip, ip, piece);
        ethernet(mac, way.source, ether_type::IPV4, &packet)
    });
    pieces.collect()
}

struct Header<'a> {
    options: &'a [u8],
    protocol: u8,
    hops: u8,
    id: u16,
    fragment: u16,
}

impl Header<'_> {
    fn packet(&self, source: Ipv4Addr, to: Ipv4Addr, content: &[u8]) -> Vec<u8> {
        let len = IPV4_HEADER_LEN + self.options.len();
        let total = u16::try_from(len + content.len()).expect("a packet fits its frame");
        let version = 0x40 | (len / 4) as u8;
        let mut header = vec![version, 0];
        header.extend(total.to_be_bytes());
        header.extend(self.id.to_be_bytes());
        header.extend(self.fragment.to_be_bytes());
        header.extend([self.hops, self.protocol, 0, 0]);
        header.extend(source.octets());
        header.extend(to.octets());
        header.extend(self.options);
        let checksum = Sum::of(&header).checksum().to_be_bytes();
        header[10..12].copy_from_slice(&checksum);
        header.extend(content);
        header
    }
}

fn v6(way: &Way, mac: MacAddr, to: Ipv6Addr, content: &[u8]) -> Vec<u8> {
    let source = link_local(way.source);
    let datagram = udp(way.ports, content, |len| {
        Sum::pseudo_v6(source.octets(), to.octets(), UDP, len.into())
    });
    let len = u16::try_from(datagram.len()).expect("a packet fits its frame");
    let mut packet = vec![0x60, 0, 0, 0];
    packet.extend(len.to_be_bytes());
    packet.extend([UDP, HOPS]);
    packet.extend(source.octets());
    packet.extend(to.octets());
    packet.extend(datagram);
    ethernet(mac, way.source, ether_type::IPV6, &packet)
}

fn udp((from, to): (u16, u16), content: &[u8], pseudo: impl Fn(u16) -> Sum) -> Vec<u8> {
    let len = u16::try_from(UDP_HEADER_LEN + content.len()).expect("it is 8 KB at most");
    let mut datagram = [from, to, len, 0].map(u16::to_be_bytes).concat();
    datagram.extend(content);
    let mut sum = pseudo(len);
    sum += Sum::of(&datagram);
    // None at all is said by zero (RFC 768).
    let checksum = match sum.checksum() {
        0 => 0xffff,
        checksum => checksum,
    };
    datagram[6..8].copy_from_slice(&checksum.to_be_bytes());
    datagram
}

/// To all of network 0, which is "here" (Novell's IPX Router Specification, §2).
fn ipx(way: &Way, is_raw: bool, content: &[u8]) -> Vec<u8> {
    let mac = match way.to {
        To::All(_) => MacAddr::BROADCAST,
        To::One(mac, _) => mac,
    };
    let len = u16::try_from(IPX_HEADER_LEN + content.len()).expect("a packet fits its frame");
    let socket = IPX_SOCKET.to_be_bytes();
    let mut packet = vec![0xff, 0xff];
    packet.extend(len.to_be_bytes());
    packet.extend([0, 0]);
    for node in [mac, way.source] {
        packet.extend([0; 4]);
        packet.extend(node.octets());
        packet.extend(socket);
    }
    packet.extend(content);
    ethernet(mac, way.source, if is_raw { len } else { IPX }, &packet)
}

fn ethernet(to: MacAddr, from: MacAddr, kind: u16, packet: &[u8]) -> Vec<u8> {
    [
        &to.octets()[..],
        &from.octets(),
        &kind.to_be_bytes(),
        packet,
    ]
    .concat()
}

/// RFC 1112 §6.4.
pub(crate) fn mac_of(group: Ipv4Addr) -> MacAddr {
    let [_, a, b, c] = group.octets();
    MacAddr::new([1, 0, 0x5e, a & 0x7f, b, c])
}

/// RFC 2464 §7.
pub(crate) fn mac_of_v6(group: Ipv6Addr) -> MacAddr {
    let [.., a, b, c, d] = group.octets();
    MacAddr::new([0x33, 0x33, a, b, c, d])
}

/// The address that a MAC makes by itself (RFC 4291, appendix A).
fn link_local(mac: MacAddr) -> Ipv6Addr {
    let [a, b, c, d, e, f] = mac.octets();
    Ipv6Addr::from([
        0xfe,
        0x80,
        0,
        0,
        0,
        0,
        0,
        0,
        a ^ 2,
        b,
        c,
        0xff,
        0xfe,
        d,
        e,
        f,
    ])
}

/// The address of a gateway that has none: of those that anybody may make up for one cable (RFC 3927), and claimed by no
/// word of ours.
pub(crate) fn made_up(mac: MacAddr) -> Ipv4Addr {
    let [.., a, b] = mac.octets();
    Ipv4Addr::new(169, 254, 1 + a % 254, b)
}

/// The port that answers of this gateway come from where the style has none.
pub(crate) const TALLY_PORT: u16 = PORT;
