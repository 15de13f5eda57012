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

/// A question or an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Message {
    sender: MacAddr,
    address: Ipv4Addr,
}

/// What cannot be read might be read by somebody else.
pub(crate) fn read(message: &[u8]) -> Result<Message, DropReason> {
    match message.first_chunk::<LEN>() {
        Some(message) if message[..6] == ETHERNET_IPV4 => Ok(Message {
            sender: MacAddr::new(octets(message, 8)),
            address: octets(message, 14).into(),
        }),
        _ => Err(DropReason::ArpSpoof),
    }
}

impl Message {
    /// A player speaks for itself only.
    pub(crate) fn check_player(&self, own: MacAddr) -> Result<(), DropReason> {
        match self.sender == own {
            true => Ok(()),
            false => Err(DropReason::ArpSpoof),
        }
    }

    /// The sender has the sender's address, in requests as in replies.
    pub(crate) fn claim(&self) -> Claim {
        Claim {
            address: self.address.into(),
        }
    }
}

fn octets<const N: usize>(message: &[u8; LEN], at: usize) -> [u8; N] {
    *message[at..].first_chunk().expect("it is long enough")
}
