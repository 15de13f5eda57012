//! Which of several loops a packet is for: a byte of its connection ID says so, to the kernel and to us.
//!
//! All of an endpoint's sockets are bound to one address (`SO_REUSEPORT`), and a filter in the kernel chooses among them.
//! A client begins with an ID of its own choice, which means any loop, but the same one for what it says again; from the
//! loop's first answer on it uses IDs that this loop has made. So it stays where it is, whatever becomes of its address.
//! Those who will have to do with each other begin with the same byte ([`Company`]): a frame that goes from one loop to another
//! wakes two of them.
//! Where a packet comes to another loop all the same (the filter looks at the first of a train of packets alone), that one
//! hands it over: see [`Place::is_for`].

#[cfg(target_os = "linux")]
#[path = "steer/linux.rs"]
mod kernel;
#[cfg(not(target_os = "linux"))]
#[path = "steer/elsewhere.rs"]
mod kernel;

pub(crate) use kernel::{attach, join, leave, make_joinable};

use noq_proto::ConnectionId;
use std::io;
use std::net::UdpSocket;

/// As many loops as an endpoint may have.
pub const MAX_LOOPS: usize = 64;
/// The bit of the first byte that short packets do not have (RFC 9000 §17.2).
pub(crate) const LONG: u8 = 0x80;
/// Where the other side's ID begins in a long packet: after that byte, a version, and the ID's length.
pub(crate) const IN_LONG: usize = 6;
/// The same in a short one.
const IN_SHORT: usize = 1;

/// Has the kernel bring all packets of a group of sockets to the first of them, for a program that reads no other.
///
/// # Errors
/// When the socket is in no group.
pub fn steer_to_first(member: &UdpSocket) -> io::Result<()> {
    attach(member, 1)
}

/// Those who have the same one meet at the same loop, as long as each of them has the same idea of it. Everybody on the way sees
/// it, so it must tell nothing of the secret that it may be made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Company(u8);

impl Company {
    /// That of whoever has this byte. All bytes should be as likely.
    pub fn new(byte: u8) -> Self {
        Company(byte)
    }

    /// What a client calls a server whose own ID it does not know: long, and unpredictable but for the first byte (RFC 9000
    /// §7.2 wants eight).
    pub(crate) fn first_id(self) -> ConnectionId {
        let mut id: [u8; 16] = rand::random();
        id[0] = self.0;
        ConnectionId::new(&id)
    }
}

/// One of so many loops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    index: u8,
    loops: u8,
}

impl Place {
    /// The only one.
    pub(crate) const ALONE: Place = Place { index: 0, loops: 1 };

    /// All places of an endpoint with so many loops.
    pub(crate) fn all(loops: usize) -> impl Iterator<Item = Place> {
        let loops = loops.clamp(1, MAX_LOOPS) as u8;
        (0..loops).map(move |index| Place { index, loops })
    }

    pub(crate) fn index(self) -> usize {
        self.index.into()
    }

    pub(crate) fn loops(self) -> usize {
        self.loops.into()
    }

    /// The index of the loop that a packet is for.
    pub(crate) fn of(self, packet: &[u8]) -> usize {
        let at = match packet.first() {
            Some(first) if first & LONG != 0 => IN_LONG,
            _ => IN_SHORT,
        };
        usize::from(packet.get(at).map_or(0, |byte| byte % self.loops))
    }

    pub(crate) fn is_for(self, packet: &[u8]) -> bool {
        self.loops == 1 || self.of(packet) == self.index()
    }

    /// Whether packets with this ID come here.
    pub(crate) fn is_mine(self, id: &[u8]) -> bool {
        id.first().map_or(0, |byte| byte % self.loops) == self.index
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_comes_is_for_one_loop() {
        for loops in [1, 2, 3, 5, 64, 1000] {
            let places: Vec<_> = Place::all(loops).collect();
            assert_eq!(places.len(), loops.min(MAX_LOOPS));
            for byte in 0..=255 {
                for packet in [
                    &[][..],
                    &[byte],
                    &[0x40, byte, 1],
                    &[0xc0, 0, 0, 0, 1, 8, byte, 9],
                    &[0xc0, 0, 0, 0, byte, 8],
                ] {
                    let owners = places.iter().filter(|place| place.is_for(packet));
                    assert_eq!(owners.count(), 1, "{packet:?} of {loops}");
                }
            }
        }
    }

    #[test]
    fn a_first_id_is_its_companys_and_nobody_elses() {
        let ids: Vec<_> = (0..64).map(|_| Company::new(0xa5).first_id()).collect();
        assert!(ids.iter().all(|id| id.len() >= 9 && id[0] == 0xa5));
        assert!((1..ids.len()).all(|at| !ids[..at].contains(&ids[at])));
    }

    #[test]
    fn an_id_means_one_loop_in_packets_of_both_kinds() {
        for place in Place::all(7) {
            for byte in 0..=255 {
                let id = [byte, 1, 2, 3, 4, 5, 6, 7];
                let short = [&[0x40], &id[..], &[9; 20]].concat();
                let long = [&[0xe0, 0, 0, 0, 1, 8], &id[..], &[9; 20]].concat();
                assert_eq!(place.is_for(&short), place.is_mine(&id));
                assert_eq!(place.is_for(&long), place.is_mine(&id));
            }
        }
    }
}
