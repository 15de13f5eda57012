//! Who says to have which address.

use crate::claim::Claim;
use crate::judge::read;
use lanparty_proto::ethernet::ether_type;
use lanparty_proto::{EthernetFrame, MacAddr};
use std::net::IpAddr;

const OWN: [u8; 6] = [2, 0, 0, 0, 0, 1];
const FOUR: [u8; 4] = [192, 168, 50, 7];
const SIX: [u8; 16] = [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7];

#[test]
fn arp_claims_its_senders_address_in_requests_and_replies() {
    for operation in [1, 2] {
        for frame in wraps(ether_type::ARP, &arp(operation, FOUR)) {
            assert_eq!(claimed(&frame), Some(FOUR.into()));
        }
    }
}

#[test]
fn neighbour_discovery_claims_the_source_when_it_asks_and_the_target_when_it_answers() {
    let other = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    for (kind, source, target) in [(133, SIX, other), (135, SIX, other), (136, other, SIX)] {
        for extension in [&[][..], &[58, 0, 1, 4, 0, 0, 0, 0]] {
            for frame in wraps(
                ether_type::IPV6,
                &neighbour(kind, source, target, extension),
            ) {
                assert_eq!(claimed(&frame), Some(SIX.into()), "{kind}");
            }
        }
    }
}

#[test]
fn a_question_whether_an_address_is_free_claims_nothing() {
    let probe = arp(1, [0; 4]);
    assert_eq!(claimed(&ethernet(ether_type::ARP, &probe)), None);
    let detection = neighbour(135, [0; 16], SIX, &[]);
    assert_eq!(claimed(&ethernet(ether_type::IPV6, &detection)), None);
}

#[test]
fn other_traffic_claims_nothing() {
    let ping = neighbour(128, SIX, SIX, &[]);
    assert_eq!(claimed(&ethernet(ether_type::IPV6, &ping)), None);
    assert_eq!(claimed(&ethernet(ether_type::IPV4, &[0x45; 60])), None);
    let arp = arp(2, FOUR);
    assert_eq!(claimed(&ethernet(ether_type::ARP, &arp[..27])), None);
    assert_eq!(claimed(&ethernet(0x8137, &arp)), None);
}

#[test]
fn a_claim_is_of_the_hardware_address_inside_the_message() {
    const THEIRS: [u8; 6] = [2, 0, 0, 0, 0, 9];
    let mut arp = arp(2, FOUR);
    arp[8..14].copy_from_slice(&THEIRS);
    let said = claim(&ethernet(ether_type::ARP, &arp)).unwrap();
    assert_eq!((said.mac, said.firm), (MacAddr::new(THEIRS), false));
    for (kind, option, mac) in [
        (135, 1, THEIRS),
        (133, 1, THEIRS),
        (136, 2, THEIRS),
        (136, 1, OWN),
    ] {
        let mut packet = neighbour(kind, SIX, SIX, &[]);
        packet.truncate(packet.len() - if kind == 133 { 16 } else { 0 });
        packet.extend([14, 1, 0, 0, 0, 0, 0, 0, option, 1]);
        packet.extend(THEIRS);
        packet[5] = u8::try_from(packet.len() - 40).unwrap();
        let said = claim(&ethernet(ether_type::IPV6, &packet)).unwrap();
        assert_eq!(said.mac, MacAddr::new(mac), "{kind} {option}");
    }
}

#[test]
fn answers_for_others_are_not_firm() {
    let firm = |frame: &[u8]| claim(frame).unwrap().firm;
    let mut announcement = arp(2, FOUR);
    announcement[24..28].copy_from_slice(&FOUR);
    assert!(firm(&ethernet(ether_type::ARP, &announcement)));
    assert!(firm(&ethernet(ether_type::ARP, &arp(1, FOUR))));
    assert!(!firm(&ethernet(ether_type::ARP, &arp(2, FOUR))));
    let mut advertisement = neighbour(136, SIX, SIX, &[]);
    assert!(!firm(&ethernet(ether_type::IPV6, &advertisement)));
    advertisement[44] = 0x20;
    assert!(firm(&ethernet(ether_type::IPV6, &advertisement)));
    assert!(firm(&ethernet(
        ether_type::IPV6,
        &neighbour(135, SIX, SIX, &[])
    )));
}

fn claimed(frame: &[u8]) -> Option<IpAddr> {
    claim(frame).map(|claim| claim.address)
}

fn claim(frame: &[u8]) -> Option<Claim> {
    let frame = EthernetFrame::parse(frame).unwrap();
    read(frame).claim(frame.source())
}

fn wraps(ether_type: u16, payload: &[u8]) -> [Vec<u8>; 2] {
    let mut snap = vec![0xaa, 0xaa, 3, 0, 0, 0];
    snap.extend(ether_type.to_be_bytes());
    snap.extend(payload);
    let len = snap.len() as u16;
    [ethernet(ether_type, payload), ethernet(len, &snap)]
}

fn ethernet(kind: u16, payload: &[u8]) -> Vec<u8> {
    [&[0xff; 6][..], &OWN, &kind.to_be_bytes(), payload].concat()
}

fn arp(operation: u8, sender: [u8; 4]) -> Vec<u8> {
    let mut message = vec![0, 1, 8, 0, 6, 4, 0, operation];
    message.extend(OWN);
    message.extend(sender);
    message.resize(46, 9);
    message
}

fn neighbour(kind: u8, source: [u8; 16], target: [u8; 16], extension: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x60, 0, 0, 0, 0, 24 + extension.len() as u8];
    packet.extend([if extension.is_empty() { 58 } else { 0 }, 255]);
    packet.extend(source);
    packet.extend([0xff; 16]);
    packet.extend(extension);
    packet.extend([kind, 0, 0, 0, 0, 0, 0, 0]);
    packet.extend(target);
    packet
}
