//! Whether a LAN has DHCP servers, found out without taking an address from them.
//!
//! A DISCOVER is a question (RFC 2131 §3.1): what servers offer is theirs again when nobody requests it. The client identifier
//! (RFC 2132 §9.14) is one of its own, so that no server takes the question for the machine's own client.

use crate::wire::{self, Verdict};
use lanparty_proto::MacAddr;
use smoltcp::wire::{DhcpMessageType, DhcpOption, DhcpPacket, DhcpRepr, EthernetAddress};
use std::net::Ipv4Addr;

/// A client identifier that is no hardware address, as its first byte says.
const CLIENT_IDENTIFIER: u8 = 61;
const OPAQUE: u8 = 0;

/// What a DHCP server would give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offer {
    /// The server; where it does not say who it is, nobody.
    pub server: Option<Ipv4Addr>,
    /// The address that is offered.
    pub address: Ipv4Addr,
}

/// The frame that asks for servers, in the name of the machine with this MAC and of nobody whom they know: `client` is
/// random. Answers go to everybody, as the machine may have no address.
pub fn question(mac: MacAddr, xid: u32, client: [u8; 8]) -> Vec<u8> {
    let hardware = EthernetAddress(mac.octets());
    let nobody = Ipv4Addr::UNSPECIFIED;
    let mut name = [OPAQUE; 9];
    name[1..].copy_from_slice(&client);
    let name = [DhcpOption {
        kind: CLIENT_IDENTIFIER,
        data: &name,
    }];
    let message = DhcpRepr {
        message_type: DhcpMessageType::Discover,
        transaction_id: xid,
        secs: 0,
        client_hardware_address: hardware,
        client_ip: nobody,
        your_ip: nobody,
        server_ip: nobody,
        router: None,
        subnet_mask: None,
        relay_agent_ip: nobody,
        broadcast: true,
        requested_ip: None,
        client_identifier: None,
        server_identifier: None,
        parameter_request_list: Some(&wire::WANTED),
        dns_servers: None,
        max_size: None,
        lease_duration: None,
        renew_duration: None,
        rebind_duration: None,
        additional_options: &name,
    };
    let mut bytes = vec![0; message.buffer_len().max(wire::SHORTEST_MESSAGE)];
    message
        .emit(&mut DhcpPacket::new_unchecked(&mut bytes[..]))
        .expect("there is room for it");
    let to = (MacAddr::BROADCAST, Ipv4Addr::BROADCAST);
    wire::datagram((mac, nobody), to, &bytes)
}

/// The offer in this frame, if it is one to that question.
pub fn offer(frame: &[u8], mac: MacAddr, xid: u32) -> Option<Offer> {
    let answer = wire::read_unfinished(frame, mac)?;
    let is_offer = answer.verdict == Verdict::Offer && answer.xid == xid;
    is_offer.then_some(Offer {
        server: answer.server,
        address: answer.address,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MAC: MacAddr = MacAddr::new([0x52, 0x54, 0, 0, 0, 1]);

    #[test]
    fn a_question_is_a_discover_of_nobody_whom_a_server_knows() {
        let frame = question(MAC, 7, [9; 8]);
        assert_eq!(frame[..6], [0xff; 6]);
        let message = &frame[42..];
        let packet = DhcpPacket::new_checked(message).unwrap();
        let read = DhcpRepr::parse(&packet).unwrap();
        assert_eq!(read.message_type, DhcpMessageType::Discover);
        assert!(read.broadcast && read.requested_ip.is_none());
        assert_eq!(read.transaction_id, 7);
        let name = packet
            .options()
            .find(|option| option.kind == CLIENT_IDENTIFIER);
        assert_eq!(name.unwrap().data, [0, 9, 9, 9, 9, 9, 9, 9, 9]);
    }

    /// A server's answer, made of a question.
    fn answer(kind: DhcpMessageType, xid: u32) -> Vec<u8> {
        let server = Ipv4Addr::new(192, 168, 50, 53);
        let message = DhcpRepr {
            message_type: kind,
            transaction_id: xid,
            secs: 0,
            client_hardware_address: EthernetAddress(MAC.octets()),
            client_ip: Ipv4Addr::UNSPECIFIED,
            your_ip: Ipv4Addr::new(192, 168, 50, 77),
            server_ip: server,
            router: None,
            subnet_mask: None,
            relay_agent_ip: Ipv4Addr::UNSPECIFIED,
            broadcast: true,
            requested_ip: None,
            client_identifier: None,
            server_identifier: Some(server),
            parameter_request_list: None,
            dns_servers: None,
            max_size: None,
            lease_duration: Some(3600),
            renew_duration: None,
            rebind_duration: None,
            additional_options: &[],
        };
        let mut bytes = vec![0; message.buffer_len()];
        let mut packet = DhcpPacket::new_unchecked(&mut bytes[..]);
        message.emit(&mut packet).unwrap();
        wire::datagram_between(
            (67, 68),
            (MAC, server),
            (MacAddr::BROADCAST, Ipv4Addr::BROADCAST),
            &bytes,
        )
    }

    #[test]
    fn an_offer_to_this_question_counts_and_nothing_else() {
        let offered = offer(&answer(DhcpMessageType::Offer, 7), MAC, 7).unwrap();
        assert_eq!(offered.server, Some(Ipv4Addr::new(192, 168, 50, 53)));
        assert_eq!(offered.address, Ipv4Addr::new(192, 168, 50, 77));
        let other = MacAddr::new([2; 6]);
        assert_eq!(offer(&answer(DhcpMessageType::Offer, 8), MAC, 7), None);
        assert_eq!(offer(&answer(DhcpMessageType::Ack, 7), MAC, 7), None);
        assert_eq!(offer(&answer(DhcpMessageType::Offer, 7), other, 7), None);
        assert_eq!(offer(&question(MAC, 7, [9; 8]), MAC, 7), None);
        // As a raw socket hears it from a program on the same machine.
        let mut unfinished = answer(DhcpMessageType::Offer, 7);
        unfinished[40] ^= 0xff;
        assert_eq!(offer(&unfinished, MAC, 7), Some(offered));
    }

    proptest! {
        #[test]
        fn strange_frames_are_no_offers(at: usize, byte: u8, cut: usize) {
            let mut frame = answer(DhcpMessageType::Offer, 7);
            let len = frame.len();
            frame[at % len] ^= byte;
            frame.truncate(cut % (len + 1));
            let _ = offer(&frame, MAC, 7);
        }
    }
}
