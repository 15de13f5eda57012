//! Who says to have which IP address.
//!
//! Neighbours learn where an address is from ARP and neighbour discovery, and believe whoever spoke
//! last. What is read here is exactly what they learn from, through the same wrappings as
//! [`classify`](super::classify) looks through. Nothing here forbids anything.

use super::Content;
use lanparty_proto::MacAddr;
use lanparty_proto::ethernet::{EthernetFrame, ether_type};
use lanparty_proto::ip::{self, ICMPV6, Part, UDP};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

/// The address that a frame's sender claims for itself, if it does.
///
/// In ARP that is the sender's protocol address, in requests as in replies (RFC 826); in neighbour
/// discovery the target of an advertisement and the source of a solicitation (RFC 4861 §7.2). Whoever
/// first asks whether an address is free claims nothing yet: an ARP probe comes from 0.0.0.0 (RFC 5227
/// §2.1), duplicate address detection from `::` (RFC 4862 §5.4.2).
pub fn claimed_address(frame: EthernetFrame<'_>) -> Option<IpAddr> {
    let address = match Content::of(frame) {
        Content::Typed(ether_type::ARP, message) => {
            Ipv4Addr::from(*sender_address(message)?).into()
        }
        Content::Typed(ether_type::IPV6, packet) => discovered_address(packet)?.into(),
        Content::Typed(..) | Content::Llc(_) | Content::Empty => return None,
    };
    Some(address).filter(|address: &IpAddr| !address.is_unspecified())
}

/// An address that a DHCP server gives to a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// The machine.
    pub mac: MacAddr,
    /// The address.
    pub address: Ipv4Addr,
    /// For how long.
    pub duration: Duration,
    /// The server that gives it, and the LAN's first router, as the server names them (RFC 2132 §9.7, §3.5).
    pub lan: [Option<Ipv4Addr>; 2],
}

/// The lease that a frame confirms, if it is a DHCP server's acknowledgement (RFC 2131 §4.3.1) to that
/// machine or to everybody.
pub fn confirmed_lease(frame: EthernetFrame<'_>) -> Option<Lease> {
    let Content::Typed(ether_type::IPV4, packet) = Content::of(frame) else {
        return None;
    };
    let upper = ip::ipv4(packet).ok()?;
    if (upper.protocol, upper.part) != (UDP, Part::Whole) {
        return None;
    }
    let lease = acknowledged(&packet[upper.range])?;
    let to_it = frame.destination() == lease.mac || frame.destination().is_group();
    to_it.then_some(lease)
}

/// The sender's protocol address in ARP for IPv4 over Ethernet.
fn sender_address(message: &[u8]) -> Option<&[u8; 4]> {
    match message.get(..28)? {
        [0, 1, 0x08, 0x00, 6, 4, rest @ ..] => rest[8..].first_chunk(),
        _ => None,
    }
}

fn discovered_address(packet: &[u8]) -> Option<Ipv6Addr> {
    const SOURCE: usize = 8; // in the IPv6 header (RFC 8200 §3)
    const TARGET: usize = 8; // in the advertisement (RFC 4861 §4.4)
    let upper = ip::ipv6(packet).ok()?;
    if (upper.protocol, upper.part) != (ICMPV6, Part::Whole) {
        return None;
    }
    let message = &packet[upper.range];
    let address = match message.first()? {
        133 | 135 => &packet[SOURCE..],
        136 => message.get(TARGET..)?,
        _ => return None,
    };
    address.first_chunk::<16>().copied().map(Ipv6Addr::from)
}

/// Reads a server's answer: fixed fields (RFC 2131 §2), then options (RFC 2132).
fn acknowledged(datagram: &[u8]) -> Option<Lease> {
    const PORTS: [u8; 4] = [0, 67, 0, 68];
    const BOOTREPLY_TO_ETHERNET: [u8; 3] = [2, 1, 6];
    const COOKIE: [u8; 4] = [99, 130, 83, 99];
    const MESSAGE_TYPE: u8 = 53;
    const ACK: &[u8] = &[5];
    const LEASE_TIME: u8 = 51;
    const SERVER: u8 = 54;
    const ROUTERS: u8 = 3;
    let (ports, message) = (datagram.get(..4)?, datagram.get(8..)?);
    let (fields, options) = message.split_first_chunk::<240>()?;
    let is_answer = ports == PORTS && fields[..3] == BOOTREPLY_TO_ETHERNET;
    let address = Ipv4Addr::from(*fields[16..].first_chunk()?);
    if !is_answer || fields[236..] != COOKIE || address.is_unspecified() {
        return None;
    }
    if option(options, MESSAGE_TYPE) != Some(ACK) {
        return None;
    }
    let seconds = option(options, LEASE_TIME)?.try_into().ok()?;
    Some(Lease {
        mac: MacAddr::new(*fields[28..].first_chunk()?),
        address,
        duration: Duration::from_secs(u32::from_be_bytes(seconds).into()),
        lan: [SERVER, ROUTERS].map(|kind| {
            let address = option(options, kind)?.first_chunk::<4>()?;
            Some(Ipv4Addr::from(*address)).filter(|address| !address.is_unspecified())
        }),
    })
}

/// The first option of this kind (RFC 2132 §2).
fn option(mut options: &[u8], wanted: u8) -> Option<&[u8]> {
    const PAD: u8 = 0;
    const END: u8 = 255;
    loop {
        options = match *options {
            [PAD, ref rest @ ..] => rest,
            [END] | [END, ..] | [] | [_] => return None,
            [kind, len, ref rest @ ..] => {
                let (value, rest) = rest.split_at_checked(len.into())?;
                if kind == wanted {
                    return Some(value);
                }
                rest
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        claimed_address(EthernetFrame::parse(frame).unwrap())
    }

    fn leased(frame: &[u8]) -> Option<Lease> {
        confirmed_lease(EthernetFrame::parse(frame).unwrap())
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
}
