//! Packets as programs write them, and what they can be wrapped in.

use super::*;
use proptest::prelude::*;

/// What no client may say in IPv6, bare.
pub(super) fn forbidden_v6() -> Vec<(&'static str, u8, Vec<u8>, DropReason)> {
    use DropReason::{ArpSpoof, Dhcpv6ServerReply, HiddenUpperHeader, RouterAdvertisement};
    let (own, other) = (OWN.octets(), OTHER.octets());
    let udp = |from, to| udp_v6(from, to)[40..].to_vec();
    let mut two_options = neighbour(136, &[2, 1], own);
    two_options.extend([2, 1]);
    two_options.extend(other);
    let mut long_option = neighbour(135, &[1, 2], own);
    long_option.extend([0; 8]);
    let mut odd_byte = neighbour(135, &[1, 1], own);
    odd_byte.push(1);
    vec![
        ("DHCPv6 advertise", 17, udp(547, 546), Dhcpv6ServerReply),
        ("from the server's port", 17, udp(547, 9), Dhcpv6ServerReply),
        ("to the client's port", 17, udp(9, 546), Dhcpv6ServerReply),
        (
            "router advertisement",
            58,
            vec![134; 16],
            RouterAdvertisement,
        ),
        ("redirect", 58, vec![137; 40], RouterAdvertisement),
        ("half a UDP header", 17, vec![0; 7], HiddenUpperHeader),
        ("half an ICMPv6 header", 58, vec![128; 7], HiddenUpperHeader),
        ("half a TCP header", 6, vec![0; 19], HiddenUpperHeader),
        (
            "spoofed solicitation",
            58,
            neighbour(135, &[1, 1], other),
            ArpSpoof,
        ),
        (
            "spoofed advertisement",
            58,
            neighbour(136, &[2, 1], other),
            ArpSpoof,
        ),
        (
            "misplaced option",
            58,
            neighbour(136, &[1, 1], other),
            ArpSpoof,
        ),
        (
            "spoofed router solicitation",
            58,
            router_solicitation(other),
            ArpSpoof,
        ),
        ("a second option", 58, two_options, ArpSpoof),
        ("a long option", 58, long_option, ArpSpoof),
        ("an odd byte", 58, odd_byte, ArpSpoof),
        (
            "an option of no length",
            58,
            neighbour(135, &[14, 0], own),
            ArpSpoof,
        ),
        (
            "an option beyond the end",
            58,
            neighbour(135, &[14, 2], own),
            ArpSpoof,
        ),
        ("no target", 58, vec![135; 23], ArpSpoof),
    ]
}

/// Extension headers in every kind, alone and together.
pub(super) fn chains() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("hop-by-hop", vec![0]),
        ("routing", vec![43]),
        ("authentication", vec![51]),
        ("destination options", vec![60]),
        ("mobility", vec![135]),
        ("HIP", vec![139]),
        ("shim6", vec![140]),
        ("all of them", vec![0, 60, 43, 51, 60, 135, 139, 140]),
    ]
}

pub(super) fn extension() -> impl Strategy<Value = u8> {
    prop::sample::select(vec![0, 43, 44, 51, 60, 135, 139, 140])
}

/// An IPv6 packet with these extension headers in front of the message.
pub(super) fn extend(chain: &[u8], protocol: u8, message: &[u8]) -> Vec<u8> {
    let mut payload = Vec::new();
    for (index, &kind) in chain.iter().enumerate() {
        let next = *chain.get(index + 1).unwrap_or(&protocol);
        payload.extend(match kind {
            // Two more quarters than it says, and its neighbours two eighths: sixteen bytes each.
            51 => [next, 2, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0].to_vec(),
            44 => [next, 0, 0, 1, 0, 0, 0, 1].to_vec(),
            _ => [next, 1, 1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0].to_vec(),
        });
    }
    payload.extend(message);
    v6(*chain.first().unwrap_or(&protocol), &payload)
}

/// Ethernet II and both kinds of SNAP.
pub(super) fn wraps(ether_type: u16, payload: &[u8]) -> Vec<Vec<u8>> {
    let mut frames = vec![ethernet(OTHER, ether_type, payload)];
    for header in [[0xaa, 0xaa, 3, 0, 0, 0], [0xab, 0xab, 3, 0, 0, 0xf8]] {
        let snap = [&header, &ether_type.to_be_bytes()[..], payload].concat();
        let len = u16::try_from(snap.len()).unwrap();
        // The right length, and one that nobody should believe.
        for len in [len, 3] {
            frames.push(ethernet(OTHER, len, &snap));
        }
    }
    frames
}

pub(super) fn ethernet(destination: MacAddr, kind: u16, payload: &[u8]) -> Vec<u8> {
    let mut frame = [destination.octets(), OWN.octets()].concat();
    frame.extend(kind.to_be_bytes());
    frame.extend(payload);
    frame
}

pub(super) fn tag(control: [u8; 2], ether_type: u16, payload: &[u8]) -> Vec<u8> {
    [&control, &ether_type.to_be_bytes()[..], payload].concat()
}

pub(super) fn arp(sender: [u8; 6]) -> Vec<u8> {
    let mut message = vec![0, 1, 0x08, 0x00, 6, 4, 0, 2];
    message.extend(sender);
    message.extend([10, 0, 0, 7, 0, 0, 0, 0, 0, 0, 10, 0, 0, 1]);
    message
}

pub(super) fn udp_v4(from: u16, to: u16, payload: &[u8]) -> Vec<u8> {
    v4(17, &udp(from, to, payload))
}

pub(super) fn udp_v6(from: u16, to: u16) -> Vec<u8> {
    v6(17, &udp(from, to, &[7; 8]))
}

pub(super) fn udp(from: u16, to: u16, payload: &[u8]) -> Vec<u8> {
    let len = u16::try_from(8 + payload.len()).unwrap();
    let mut datagram: Vec<u8> = [from, to, len, 0]
        .into_iter()
        .flat_map(u16::to_be_bytes)
        .collect();
    datagram.extend(payload);
    datagram
}

pub(super) fn v4(protocol: u8, payload: &[u8]) -> Vec<u8> {
    fragment_v4(0, false, protocol, payload)
}

pub(super) fn fragment_v4(eighths: u16, more: bool, protocol: u8, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x45, 0];
    packet.extend(u16::try_from(20 + payload.len()).unwrap().to_be_bytes());
    packet.extend([0, 7]);
    packet.extend((eighths | u16::from(more) << 13).to_be_bytes());
    packet.extend([64, protocol, 0, 0, 10, 0, 0, 7, 10, 0, 0, 1]);
    packet.extend(payload);
    packet
}

/// An IPv4 packet with so many authentication headers in front of the message.
pub(super) fn authenticated_v4(headers: usize, protocol: u8, message: &[u8]) -> Vec<u8> {
    let mut payload = Vec::new();
    for left in (0..headers).rev() {
        let next = if left == 0 { protocol } else { 51 };
        payload.extend([next, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1]);
    }
    payload.extend(message);
    v4(51, &payload)
}

pub(super) fn with_options(packet: &[u8], len: usize) -> Vec<u8> {
    let mut packet = packet.to_vec();
    packet[0] += u8::try_from(len / 4).unwrap();
    packet[3] += u8::try_from(len).unwrap();
    packet.splice(20..20, vec![1; len]);
    packet
}

pub(super) fn v6(next: u8, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x60, 0, 0, 0];
    packet.extend(u16::try_from(payload.len()).unwrap().to_be_bytes());
    packet.extend([next, 255]);
    packet.extend([0xfe; 32]);
    packet.extend(payload);
    packet
}

pub(super) fn fragment_v6(eighths: u16, more: bool, next: u8, payload: &[u8]) -> Vec<u8> {
    let mut fragment = vec![next, 0];
    fragment.extend((eighths << 3 | u16::from(more)).to_be_bytes());
    fragment.extend([0, 0, 0, 7]);
    fragment.extend(payload);
    v6(44, &fragment)
}

/// A neighbour message with one option: its type and length, then an address.
pub(super) fn neighbour(kind: u8, option: &[u8], address: [u8; 6]) -> Vec<u8> {
    let mut message = vec![kind, 0, 0, 0, 0, 0, 0, 0];
    message.extend([0xfe; 16]);
    message.extend(option);
    message.extend(address);
    message
}

pub(super) fn router_solicitation(address: [u8; 6]) -> Vec<u8> {
    let mut message = vec![133, 0, 0, 0, 0, 0, 0, 0, 1, 1];
    message.extend(address);
    message
}
