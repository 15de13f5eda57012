//! The frames of liars, byte by byte.

use std::net::{Ipv4Addr, Ipv6Addr};

pub(crate) type Mac = [u8; 6];

pub(crate) const EVERYBODY: Mac = [0xff; 6];
pub(crate) const IPV4: u16 = 0x0800;
pub(crate) const ARP: u16 = 0x0806;
pub(crate) const IPV6: u16 = 0x86dd;
/// The second EtherType that the standard keeps free for local experiments; the gateway uses the first.
pub(crate) const EXPERIMENT: u16 = 0x88b6;

const UDP: u8 = 17;
const ICMPV6: u8 = 58;
const HOP_BY_HOP: u8 = 0;
const DESTINATION: u8 = 60;

/// A frame with an EtherType, or a length where that is below 1536; padded as a wire wants it.
pub(crate) fn ethernet(destination: Mac, source: Mac, kind: u16, payload: &[u8]) -> Vec<u8> {
    let mut frame = [&destination[..], &source, &kind.to_be_bytes(), payload].concat();
    frame.resize(frame.len().max(60), 0);
    frame
}

/// A frame with LLC in it: its kind is its length.
pub(crate) fn llc(destination: Mac, source: Mac, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).expect("a short payload");
    ethernet(destination, source, length, payload)
}

/// Who an ARP packet speaks of.
pub(crate) type Station = (Mac, Ipv4Addr);

/// An ARP packet (RFC 826); operation 1 asks, 2 answers.
pub(crate) fn arp(operation: u8, sender: Station, target: Station) -> Vec<u8> {
    let mut packet = vec![0, 1, 8, 0, 6, 4, 0, operation];
    for (mac, address) in [sender, target] {
        packet.extend(mac);
        packet.extend(address.octets());
    }
    packet
}

/// UDP in IPv4, with a checksum of zero, which means none.
pub(crate) fn udp(from: (Ipv4Addr, u16), to: (Ipv4Addr, u16), payload: &[u8]) -> Vec<u8> {
    let length = |header: usize| {
        let length = u16::try_from(header + payload.len()).expect("a short payload");
        length.to_be_bytes()
    };
    let mut packet = vec![0x45, 0];
    packet.extend(length(28));
    packet.extend([0, 0, 0, 0, 64, UDP, 0, 0]);
    packet.extend(from.0.octets());
    packet.extend(to.0.octets());
    let checksum = checksum(&packet);
    packet[10..12].copy_from_slice(&checksum);
    packet.extend(from.1.to_be_bytes());
    packet.extend(to.1.to_be_bytes());
    packet.extend(length(8));
    packet.extend([0, 0]);
    packet.extend(payload);
    packet
}

/// A DHCP server's answer to a client's message (RFC 2131): an offer to a discover, an acknowledgement to a request.
/// Nothing when the frame is no such message.
pub(crate) fn dhcp_answer(asked: &[u8], server: Ipv4Addr, lease: Ipv4Addr) -> Option<Vec<u8>> {
    const OPTIONS: usize = 14 + 20 + 8 + 240;
    let from_client = asked.get(34..38) == Some(&[0, 68, 0, 67]);
    let kind = match asked.get(OPTIONS..OPTIONS + 3)? {
        [53, 1, 1] if from_client => 2,
        [53, 1, 3] if from_client => 5,
        _ => return None,
    };
    let mut message = asked.get(42..OPTIONS)?.to_vec();
    message[0] = 2;
    message[16..20].copy_from_slice(&lease.octets());
    message.extend([53, 1, kind, 54, 4]);
    message.extend(server.octets());
    message.extend([51, 4, 0, 0, 14, 16, 1, 4, 255, 255, 255, 0, 3, 4]);
    message.extend(server.octets());
    message.push(255);
    Some(udp((server, 67), (Ipv4Addr::BROADCAST, 68), &message))
}

/// A DHCP client's message of this hardware address, with these options.
pub(crate) fn dhcp_question(hardware: Mac, options: &[u8]) -> Vec<u8> {
    let mut message = vec![1, 1, 6, 0, 0x66, 0x66, 0x66, 0x66];
    message.resize(240, 0);
    message[28..34].copy_from_slice(&hardware);
    message[236..].copy_from_slice(&[99, 130, 83, 99]);
    message.extend(options);
    message
}

/// How an IPv6 packet hides what it carries.
#[derive(Clone, Copy)]
pub(crate) enum Behind {
    Nothing,
    HopByHop,
    DestinationOptions,
}

/// A router advertisement (RFC 4861) for a /64, from a router that wants to be everybody's.
pub(crate) fn router_advertisement(source: Mac, prefix: Ipv6Addr, behind: Behind) -> Vec<u8> {
    let mut message = vec![134, 0, 0, 0, 64, 0, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0];
    message.extend([3, 4, 64, 0xc0]); // prefix information: on-link, autonomous
    message.extend([0, 0, 14, 16, 0, 0, 14, 16, 0, 0, 0, 0]);
    message.extend(prefix.octets());
    let all_nodes = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
    icmpv6([0x33, 0x33, 0, 0, 0, 1], source, all_nodes, message, behind)
}

/// A neighbour advertisement (RFC 4861): `address` is at `claimed`, forget what you knew.
pub(crate) fn neighbour_advertisement(
    destination: (Mac, Ipv6Addr),
    source: Mac,
    address: Ipv6Addr,
    claimed: Mac,
) -> Vec<u8> {
    let mut message = vec![136, 0, 0, 0, 0x20, 0, 0, 0];
    message.extend(address.octets());
    message.extend([2, 1]);
    message.extend(claimed);
    icmpv6(
        destination.0,
        source,
        destination.1,
        message,
        Behind::Nothing,
    )
}

fn icmpv6(
    mac: Mac,
    source: Mac,
    destination: Ipv6Addr,
    mut message: Vec<u8>,
    behind: Behind,
) -> Vec<u8> {
    let from = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0x66, u16::from(source[5]));
    let length = u16::try_from(message.len()).expect("a short message");
    let pseudo = [
        &from.octets()[..],
        &destination.octets(),
        &[0, 0],
        &length.to_be_bytes(),
        &[0, 0, 0, ICMPV6],
        &message,
    ];
    let checksum = checksum(&pseudo.concat());
    message[2..4].copy_from_slice(&checksum);
    let padding = [ICMPV6, 0, 1, 4, 0, 0, 0, 0];
    let (first, options) = match behind {
        Behind::Nothing => (ICMPV6, &padding[..0]),
        Behind::HopByHop => (HOP_BY_HOP, &padding[..]),
        Behind::DestinationOptions => (DESTINATION, &padding[..]),
    };
    let payload = [options, &message].concat();
    let length = u16::try_from(payload.len()).expect("a short message");
    let mut packet = vec![0x60, 0, 0, 0];
    packet.extend(length.to_be_bytes());
    packet.extend([first, 255]);
    packet.extend(from.octets());
    packet.extend(destination.octets());
    packet.extend(payload);
    ethernet(mac, source, IPV6, &packet)
}

/// A spanning tree configuration message (802.1D) of a bridge that is better than any other.
pub(crate) fn better_bridge(source: Mac) -> Vec<u8> {
    let bridge = [&[0, 0], &source[..]].concat();
    let mut message = vec![0x42, 0x42, 3, 0, 0, 0, 0, 0];
    message.extend(&bridge);
    message.extend([0; 4]);
    message.extend(&bridge);
    message.extend([0x80, 1, 0, 0, 20, 0, 2, 0, 15, 0]);
    llc([1, 0x80, 0xc2, 0, 0, 0], source, &message)
}

fn checksum(bytes: &[u8]) -> [u8; 2] {
    let words = bytes.chunks(2).map(|pair| {
        u32::from(u16::from_be_bytes([
            pair[0],
            pair.get(1).copied().unwrap_or(0),
        ]))
    });
    let sum: u32 = words.sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    let folded = (folded & 0xffff) + (folded >> 16);
    (!(folded as u16)).to_be_bytes()
}
