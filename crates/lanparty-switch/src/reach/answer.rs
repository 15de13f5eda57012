//! What a player is told whose packet was refused, so that its program fails at once and does not wait.
//!
//! It comes as if the LAN's machine had said it: TCP is reset (RFC 9293 §3.10.7.1), and of the rest is said that an
//! administrator forbids it (RFC 1812 §5.2.7.1, RFC 4443 §3.1). It goes to the player alone from whose own MAC the packet
//! came, one for one at most, and never in answer to an answer.

use super::packet::{ACK, Packet, RST};
use lanparty_proto::checksum::Sum;
use lanparty_proto::ethernet::ether_type;
use lanparty_proto::ip::{ICMPV4, ICMPV6, TCP};
use lanparty_proto::{EthernetFrame, MacAddr};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const HOP_LIMIT: u8 = 64;
/// So much of what was refused is enough to know it again: the upper header's first eight bytes (RFC 792).
const QUOTED: usize = 8;

/// The frame for the player; nothing where nobody would hear it, or where it would answer an answer.
pub(super) fn to(frame: EthernetFrame<'_>, refused: &Packet<'_>) -> Option<Vec<u8>> {
    let source = refused.source;
    if source.is_unspecified() || source.is_multicast() || !refused.is_plain {
        return None;
    }
    let message = match refused.protocol {
        TCP if refused.ends() => return None,
        TCP => reset(refused)?,
        ICMPV4 | ICMPV6 if !refused.is_ping() => return None,
        _ => return unreachable(frame, refused),
    };
    packet(frame, refused, TCP, message)
}

fn reset(refused: &Packet<'_>) -> Option<Vec<u8>> {
    let (from, to) = refused.ports?;
    let number = |at: usize| {
        let octets = refused.upper.get(at..).and_then(<[u8]>::first_chunk);
        octets.map(|&octets| u32::from_be_bytes(octets))
    };
    let (sequence, acknowledged, flags) = match refused.flags() & ACK {
        0 => (
            0,
            number(4)?.wrapping_add(refused.sequence_len()),
            RST | ACK,
        ),
        _ => (number(8)?, 0, RST),
    };
    let mut segment = Vec::with_capacity(20);
    segment.extend(to.to_be_bytes());
    segment.extend(from.to_be_bytes());
    segment.extend(sequence.to_be_bytes());
    segment.extend(acknowledged.to_be_bytes());
    segment.extend([5 << 4, flags, 0, 0, 0, 0, 0, 0]);
    Some(segment)
}

fn unreachable(frame: EthernetFrame<'_>, refused: &Packet<'_>) -> Option<Vec<u8>> {
    let headers = refused.bytes.len() - refused.upper.len();
    let quoted = &refused.bytes[..(headers + QUOTED).min(refused.bytes.len())];
    let (protocol, head) = match refused.destination {
        IpAddr::V4(_) => (ICMPV4, [3, 13]),
        IpAddr::V6(_) => (ICMPV6, [1, 1]),
    };
    let message = [&head[..], &[0; 6], quoted].concat();
    packet(frame, refused, protocol, message)
}

fn packet(
    frame: EthernetFrame<'_>,
    refused: &Packet<'_>,
    protocol: u8,
    mut message: Vec<u8>,
) -> Option<Vec<u8>> {
    let at = match protocol {
        TCP => 16,
        _ => 2,
    };
    let len = u16::try_from(message.len()).ok()?;
    let (ether_type, header) = match (refused.destination, refused.source) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            let mut sum = Sum::of(&message);
            if protocol == TCP {
                sum += Sum::pseudo_v4(from.octets(), to.octets(), protocol, len);
            }
            message[at..at + 2].copy_from_slice(&sum.checksum().to_be_bytes());
            (ether_type::IPV4, v4(from, to, protocol, len))
        }
        (IpAddr::V6(from), IpAddr::V6(to)) => {
            let mut sum = Sum::pseudo_v6(from.octets(), to.octets(), protocol, len.into());
            sum += Sum::of(&message);
            message[at..at + 2].copy_from_slice(&sum.checksum().to_be_bytes());
            (ether_type::IPV6, v6(from, to, protocol, len))
        }
        _ => return None,
    };
    Some(ethernet(frame, ether_type, &header, &message))
}

fn v4(from: Ipv4Addr, to: Ipv4Addr, protocol: u8, len: u16) -> Vec<u8> {
    let mut header = vec![0x45, 0];
    header.extend((20 + len).to_be_bytes());
    header.extend([0, 0, 0x40, 0, HOP_LIMIT, protocol, 0, 0]);
    header.extend(from.octets());
    header.extend(to.octets());
    let sum = Sum::of(&header).checksum();
    header[10..12].copy_from_slice(&sum.to_be_bytes());
    header
}

fn v6(from: Ipv6Addr, to: Ipv6Addr, protocol: u8, len: u16) -> Vec<u8> {
    let mut header = vec![0x60, 0, 0, 0];
    header.extend(len.to_be_bytes());
    header.extend([protocol, HOP_LIMIT]);
    header.extend(from.octets());
    header.extend(to.octets());
    header
}

fn ethernet(refused: EthernetFrame<'_>, ether_type: u16, header: &[u8], message: &[u8]) -> Vec<u8> {
    let mac = MacAddr::octets;
    let (to, from) = (mac(refused.source()), mac(refused.destination()));
    [&to[..], &from, &ether_type.to_be_bytes(), header, message].concat()
}
