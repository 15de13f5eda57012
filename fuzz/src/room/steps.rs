//! What can happen to a relay.

use arbitrary::Arbitrary;
use lanparty_ctrl::message::Newcomer;
use lanparty_proto::{MacAddr, VirtualMac};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

#[derive(Arbitrary, Debug)]
pub(super) enum Step {
    Join(Join),
    Leave {
        seat: u8,
    },
    Frame {
        seat: u8,
        frame: Frame,
        /// Cut into pieces for this budget.
        cut: Option<u8>,
        /// The piece that does not come.
        lost: Option<u8>,
    },
    /// Bytes behind a header that is the sender's own.
    Body {
        seat: u8,
        fragment: bool,
        bytes: Vec<u8>,
    },
    /// Bytes that need not be a datagram of ours.
    Datagram {
        seat: u8,
        bytes: Vec<u8>,
    },
    /// A question whether the path carries so many bytes, in the name of a seat.
    Probe {
        seat: u8,
        asking: u8,
        len: u16,
    },
    /// A frame under the header of another seat.
    Forged {
        seat: u8,
        victim: u8,
        frame: Frame,
    },
    /// A frame from a peer that has left.
    Ghost {
        ghost: u8,
        frame: Frame,
    },
    Stats {
        seat: u8,
    },
    Wait {
        tenths: u8,
    },
    Drain,
}

#[derive(Arbitrary, Debug)]
pub(super) struct Join {
    pub(super) room: bool,
    pub(super) who: Option<u8>,
    pub(super) source: u8,
    /// The token of this seat, or a wrong one.
    pub(super) token: Option<u8>,
}

#[derive(Arbitrary, Debug)]
pub(super) struct Frame {
    destination: Address,
    source: Option<Address>,
    content: Content,
    len: u16,
}

#[derive(Arbitrary, Debug)]
enum Address {
    Client(u8),
    Lan(u8),
    Broadcast,
    Multicast,
    Bridges,
    Zero,
}

#[derive(Arbitrary, Debug)]
enum Content {
    Game,
    Tagged,
    Arp { claims: Address },
    Raw(Vec<u8>),
}

impl Join {
    pub(super) fn who(&self) -> Newcomer {
        match self.who {
            Some(number) => Newcomer::Client(client_mac(number % 8)),
            None => Newcomer::Gateway,
        }
    }

    /// An address, and which of three sites it belongs to.
    pub(super) fn source(&self) -> (IpAddr, usize) {
        source(self.source)
    }
}

/// One site with an IPv4 address in two spellings, one with two IPv6 addresses, and one more.
pub(super) fn source(which: u8) -> (IpAddr, usize) {
    let first = Ipv4Addr::new(192, 0, 2, 1);
    let v6 = |host| Ipv6Addr::new(0x2001, 0xdb8, 0, 0, host, 0, 0, 1);
    match which % 5 {
        0 => (first.into(), 0),
        1 => (first.to_ipv6_mapped().into(), 0),
        2 => (v6(0).into(), 1),
        3 => (v6(7).into(), 1),
        _ => (Ipv4Addr::new(192, 0, 2, 2).into(), 2),
    }
}

pub(super) fn client_mac(number: u8) -> VirtualMac {
    VirtualMac::from_random([2, 0, 0, 0, 0, number])
}

impl Frame {
    /// The frame's bytes; without a source it has its sender's own.
    pub(super) fn build(&self, own: MacAddr) -> Vec<u8> {
        let source = self.source.as_ref().map_or(own, Address::mac);
        let mut frame = [self.destination.mac().octets(), source.octets()].concat();
        match &self.content {
            Content::Game => frame.extend([0x88, 0xb6]),
            Content::Tagged => frame.extend([0x81, 0x00]),
            Content::Arp { claims } => {
                frame.extend([8, 6, 0, 1, 8, 0, 6, 4, 0, 2]);
                frame.extend(claims.mac().octets());
                frame.extend([0; 14]);
            }
            Content::Raw(bytes) => frame.extend(bytes),
        }
        frame.resize(usize::from(self.len % 1600), 0);
        frame
    }
}

impl Address {
    fn mac(&self) -> MacAddr {
        match *self {
            Address::Client(number) => client_mac(number % 8).addr(),
            Address::Lan(number) => MacAddr::new([0, 0x16, 0x3e, 0, 0, number]),
            Address::Broadcast => MacAddr::BROADCAST,
            Address::Multicast => MacAddr::new([1, 0, 0x5e, 0, 0, 0xfb]),
            Address::Bridges => MacAddr::new([1, 0x80, 0xc2, 0, 0, 0]),
            Address::Zero => MacAddr::ZERO,
        }
    }
}
