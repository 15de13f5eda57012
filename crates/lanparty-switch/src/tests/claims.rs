//! Who says to have which address, and which leases are confirmed.

use crate::dhcp::Lease;
use crate::judge::read;
use lanparty_proto::ethernet::ether_type;
use lanparty_proto::{EthernetFrame, MacAddr};
use std::net::IpAddr;
use std::time::Duration;

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
fn an_acknowledgement_is_a_lease_and_an_offer_is_none() {
    let lease = Lease {
        mac: MacAddr::new(OWN),
        address: FOUR.into(),
        duration: Duration::from_secs(3600),
        lan: [None, Some([192, 168, 50, 1].into())],
    };
    for frame in wraps(ether_type::IPV4, &dhcp(5, FOUR)) {
        assert_eq!(leased(&frame), Some(lease));
    }
    let offer = ethernet(ether_type::IPV4, &dhcp(2, FOUR));
    assert_eq!(leased(&offer), None);
    let inform = ethernet(ether_type::IPV4, &dhcp(5, [0; 4]));
    assert_eq!(leased(&inform), None, "an answer that gives no address");
    let mut to_another = ethernet(ether_type::IPV4, &dhcp(5, FOUR));
    to_another[..6].copy_from_slice(&[2, 0, 0, 0, 0, 9]);
    assert_eq!(leased(&to_another), None);
}

#[test]
fn a_lease_that_is_cut_anywhere_is_none() {
    let whole = dhcp(5, FOUR);
    for len in 0..whole.len() - 1 {
        let mut packet = whole[..len].to_vec();
        if let Some(total) = packet.get_mut(2..4) {
            total.copy_from_slice(&(len as u16).to_be_bytes());
        }
        assert_eq!(leased(&ethernet(ether_type::IPV4, &packet)), None, "{len}");
    }
}

fn claimed(frame: &[u8]) -> Option<IpAddr> {
    read(EthernetFrame::parse(frame).unwrap())
        .claim()
        .map(|claim| claim.address)
}

fn leased(frame: &[u8]) -> Option<Lease> {
    read(EthernetFrame::parse(frame).unwrap()).lease()
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

fn dhcp(message_type: u8, address: [u8; 4]) -> Vec<u8> {
    let mut message = vec![2, 1, 6];
    message.resize(240, 0);
    message[16..20].copy_from_slice(&address);
    message[28..34].copy_from_slice(&OWN);
    message[236..].copy_from_slice(&[99, 130, 83, 99]);
    message.extend([
        0,
        53,
        1,
        message_type,
        3,
        8,
        192,
        168,
        50,
        1,
        192,
        168,
        50,
        3,
    ]);
    message.extend([51, 4, 0, 0, 14, 16, 255]);
    let len = 8 + message.len() as u16;
    let mut packet = vec![0x45, 0];
    packet.extend((20 + len).to_be_bytes());
    packet.extend([0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 255, 255, 255, 255]);
    packet.extend([0, 67, 0, 68]);
    packet.extend(len.to_be_bytes());
    packet.extend([0, 0]);
    packet.extend(message);
    packet
}
