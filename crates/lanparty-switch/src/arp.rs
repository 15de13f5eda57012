//! ARP for IPv4 over Ethernet (RFC 826).
//!
//! ```text
//!  0      2      4  5  6          8            14         18           24         28
//!  +------+------+--+--+----------+------------+----------+------------+----------+
//!  | 0001 | 0800 | 6| 4| operation| sender MAC | sender IP| target MAC | target IP|
//!  +------+------+--+--+----------+------------+----------+------------+----------+
//! ```

use crate::claim::Claim;
use lanparty_obs::DropReason;
use lanparty_proto::MacAddr;
use std::net::Ipv4Addr;

const LEN: usize = 28;
const ETHERNET_IPV4: [u8; 6] = [0, 1, 0x08, 0x00, 6, 4];

const REQUEST: u16 = 1;
const REPLY: u16 = 2;
const REVERSE_REQUEST: u16 = 3;

/// A question or an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Message {
    operation: u16,
    sender: MacAddr,
    address: Ipv4Addr,
    target: MacAddr,
    target_address: Ipv4Addr,
}

/// What cannot be read might be read by somebody else.
pub(crate) fn read(message: &[u8]) -> Result<Message, DropReason> {
    match message.first_chunk::<LEN>() {
        Some(message) if message[..6] == ETHERNET_IPV4 => Ok(Message {
            operation: u16::from_be_bytes(octets(message, 6)),
            sender: MacAddr::new(octets(message, 8)),
            address: octets(message, 14).into(),
            target: MacAddr::new(octets(message, 18)),
            target_address: octets(message, 24).into(),
        }),
        _ => Err(DropReason::ArpSpoof),
    }
}

impl Message {
    /// A player asks and answers for itself only. Reverse ARP (RFC 903) is a question whose answer is a
    /// server's; machines that move announce their own MAC with it.
    pub(crate) fn check_player(&self, own: MacAddr) -> Result<(), DropReason> {
        let may = match self.operation {
            REQUEST | REPLY => true,
            REVERSE_REQUEST => self.target == own,
            _ => false,
        };
        match may && self.sender == own {
            true => Ok(()),
            false => Err(DropReason::ArpSpoof),
        }
    }

    /// Who asks for whose hardware, where it is that question.
    pub(crate) fn question(&self) -> Option<(Ipv4Addr, Ipv4Addr)> {
        (self.operation == REQUEST).then_some((self.address, self.target_address))
    }

    /// The sender's hardware has the sender's address, in requests as in replies. It is not firm in a
    /// reply: routers that stand in for others answer for addresses that they do not have.
    pub(crate) fn claim(&self) -> Option<Claim> {
        let is_answer = self.operation == REPLY && self.address != self.target_address;
        matches!(self.operation, REQUEST | REPLY).then_some(Claim {
            mac: self.sender,
            address: self.address.into(),
            firm: !is_answer,
        })
    }
}

/// Says which hardware has the first address, to who has the second one.
pub(crate) fn answer(sender: (MacAddr, Ipv4Addr), target: (MacAddr, Ipv4Addr)) -> Vec<u8> {
    let mut message = Vec::with_capacity(LEN);
    message.extend(ETHERNET_IPV4);
    message.extend(REPLY.to_be_bytes());
    for (mac, address) in [sender, target] {
        message.extend(mac.octets());
        message.extend(address.octets());
    }
    message
}

fn octets<const N: usize>(message: &[u8; LEN], at: usize) -> [u8; N] {
    *message[at..].first_chunk().expect("it is long enough")
}
