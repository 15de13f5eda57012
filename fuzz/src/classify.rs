//! The classifier, beside what etherparse and a few plain tables see.

use crate::packet::ethernet;
use etherparse::{EtherType, Icmpv6Slice, LaxNetSlice, LaxSlicedPacket, TransportSlice};
use lanparty_obs::DropReason;
use lanparty_proto::MacAddr;
use lanparty_switch::{Speaker, classify as judge};

/// What passes harms nobody by another parser's reading, and wrapping or padding changes no verdict.
pub fn classify(frame: &[u8]) {
    let own = source(frame).unwrap_or([2, 0, 0, 0, 0, 1]);
    check(frame, own);
}

/// Checks the verdicts about a frame from the LAN and from a client with this MAC.
pub(crate) fn check(frame: &[u8], own: [u8; 6]) {
    let speakers = [Speaker::Lan, Speaker::Player(MacAddr::new(own))];
    let verdicts = speakers.map(|speaker| verdict(frame, speaker));
    if verdicts[0].is_err() {
        assert_eq!(verdicts[0], verdicts[1], "a client may do no more");
    }
    if verdicts[0].is_ok() {
        assert_stays_on_no_cable(frame);
    }
    if verdicts[1].is_ok() {
        assert_claims_nothing(frame, own);
    }
    for (speaker, verdict) in speakers.into_iter().zip(verdicts) {
        assert_wrapping_is_seen_through(frame, speaker, verdict);
    }
}

pub(crate) fn verdict(frame: &[u8], speaker: Speaker) -> Result<(), DropReason> {
    judge(frame, speaker).map(|view| assert_eq!(view.bytes(), frame))
}

fn assert_stays_on_no_cable(frame: &[u8]) {
    let tag = if has_priority(frame) { 4 } else { 0 };
    assert!((14..=1514 + tag).contains(&frame.len()));
    let source = source(frame).expect("it is longer than a header");
    assert!(source[0] & 1 == 0 && source != [0; 6]);
    let for_bridges = frame[..5] == [0x01, 0x80, 0xc2, 0, 0] && frame[5] < 0x10;
    let for_cisco = frame[..5] == [0x01, 0x00, 0x0c, 0xcc, 0xcc] && matches!(frame[5], 0xcc | 0xcd);
    assert!(!for_bridges && !for_cisco);
    match content(frame) {
        Ok((ether_type, _)) => assert!(
            ![
                0x888e, 0x88c7, 0x88cc, 0x8809, 0x88e5, 0x8808, 0x8100, 0x88a8, 0x9100
            ]
            .contains(&ether_type),
            "{ether_type:04x}"
        ),
        Err(llc) => assert!(!matches!(llc.first(), Some(0x42 | 0x43))),
    }
}

/// True for a tag of VLAN 0, which is none.
fn has_priority(frame: &[u8]) -> bool {
    matches!(frame.get(12..18), Some(&[0x81, 0, high, 0, _, _]) if high & 0x0f == 0)
}

/// An EtherType and what follows it, or the LLC header and the rest.
fn content(frame: &[u8]) -> Result<(u16, &[u8]), &[u8]> {
    let frame = if has_priority(frame) {
        &frame[4..]
    } else {
        frame
    };
    let number = |at: usize| u16::from_be_bytes([frame[at], frame[at + 1]]);
    if number(12) >= 0x600 {
        return Ok((number(12), &frame[14..]));
    }
    let is_snap = frame.len() >= 22
        && frame[14] | 1 == 0xab
        && matches!(frame[17..20], [0, 0, 0] | [0, 0, 0xf8]);
    match is_snap {
        true => Ok((number(20), &frame[22..])),
        false => Err(&frame[14..]),
    }
}

fn assert_claims_nothing(frame: &[u8], own: [u8; 6]) {
    let Ok((ether_type, payload)) = content(frame) else {
        return;
    };
    assert_ne!(ether_type, 0x88b5);
    let payload = unfragmented(ether_type, payload);
    let packet = LaxSlicedPacket::from_ether_type(EtherType(ether_type), &payload);
    let (over_v4, over_v6) = match &packet.net {
        Some(LaxNetSlice::Arp(arp)) => {
            assert_eq!(arp.sender_hw_addr(), own);
            return;
        }
        Some(LaxNetSlice::Ipv4(_)) => (true, false),
        Some(LaxNetSlice::Ipv6(_)) => (false, true),
        None => (false, false),
    };
    match &packet.transport {
        Some(TransportSlice::Udp(udp)) if over_v4 => {
            assert!(udp.source_port() != 67 && udp.destination_port() != 68);
            assert!(udp.destination_port() != 67 || udp.payload().first() != Some(&2));
        }
        Some(TransportSlice::Udp(udp)) if over_v6 => {
            assert!(udp.source_port() != 547 && udp.destination_port() != 546);
        }
        Some(TransportSlice::Icmpv4(icmp)) if over_v4 => {
            assert!(!matches!(icmp.type_u8(), 5 | 9 | 18 | 32));
        }
        Some(TransportSlice::Icmpv6(icmp)) if over_v6 => assert_is_no_router(icmp, own),
        _ => {}
    }
}

fn assert_is_no_router(icmp: &Icmpv6Slice<'_>, own: [u8; 6]) {
    let kind = icmp.type_u8();
    assert!(!matches!(
        kind,
        130 | 134 | 137 | 138 | 141 | 142 | 151..=153
    ));
    let options_at = match kind {
        133 => 8,
        135 | 136 => 24,
        _ => return,
    };
    let mut options = &icmp.slice()[options_at..];
    while !options.is_empty() {
        let (option, rest) = options.split_at(usize::from(options[1]) * 8);
        if matches!(option[0], 1 | 2) {
            assert_eq!(option[2..], own);
        }
        options = rest;
    }
}

/// A first fragment as the start of the packet that its receiver will see: without the mark that
/// more follows, so that etherparse looks behind it.
fn unfragmented(ether_type: u16, payload: &[u8]) -> Vec<u8> {
    let mut packet = payload.to_vec();
    let (mark_at, offset_bits) = match ether_type {
        0x0800 => (6, 0x1fff),
        0x86dd => (
            fragment_header(payload).map_or(usize::MAX, |at| at + 2),
            0xfff8,
        ),
        _ => return packet,
    };
    // In IPv4 "more" is the bit 0x2000 of these two bytes, in IPv6 the bit 0x0001.
    let Some(&[high, low]) = packet.get(mark_at..).and_then(<[u8]>::first_chunk) else {
        return packet;
    };
    if u16::from_be_bytes([high, low]) & offset_bits == 0 {
        packet[mark_at..mark_at + 2].fill(0);
    }
    packet
}

/// Where the fragment header of an IPv6 packet stands. (The iterator over extension headers of
/// etherparse 0.21.0 reads beyond the packet here.)
fn fragment_header(packet: &[u8]) -> Option<usize> {
    let (mut kind, mut at) = (*packet.get(6)?, 40);
    while kind != 44 {
        let len = usize::from(*packet.get(at + 1)?);
        let next = match kind {
            0 | 43 | 60 | 135 | 139 | 140 => (len + 1) * 8,
            51 => (len + 2) * 4,
            _ => return None,
        };
        kind = packet[at];
        at += next;
    }
    Some(at)
}

fn assert_wrapping_is_seen_through(
    frame: &[u8],
    speaker: Speaker,
    verdict: Result<(), DropReason>,
) {
    let Some(&[high, low, ref payload @ ..]) = frame.get(12..) else {
        return;
    };
    let ether_type = u16::from_be_bytes([high, low]);
    // A tag in SNAP is refused, whatever it names.
    if ether_type < 0x600 || ether_type == 0x8100 || frame.len() + 8 > 1514 {
        return;
    }
    for organisation in [[0, 0, 0], [0, 0, 0xf8]] {
        let snap = [&[0xaa, 0xaa, 3], &organisation[..], &[high, low], payload].concat();
        let len = snap.len() as u16;
        let mac = |at: usize| frame[at..at + 6].try_into().expect("six bytes");
        let wrapped = ethernet(mac(0), mac(6), len, &snap);
        assert_eq!(self::verdict(&wrapped, speaker), verdict);
    }
    if verdict.is_ok() {
        let mut padded = frame.to_vec();
        padded.resize(frame.len().max(60), 0);
        assert_eq!(self::verdict(&padded, speaker), Ok(()));
    }
}

fn source(frame: &[u8]) -> Option<[u8; 6]> {
    frame.get(6..12)?.try_into().ok()
}
