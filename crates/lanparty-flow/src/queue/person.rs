//! Who sends.

use lanparty_proto::{MacAddr, PeerId};

/// Who has sent a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Person {
    /// A machine: of a player, who has one, or one of the LAN, behind a gateway. The machines behind one peer are
    /// together hardly more than another peer, for a MAC is easily made up.
    Machine {
        /// The peer in whose name the frame travels; the relay sees to it that it is no other's.
        peer: PeerId,
        /// The source of the frame; the relay sees to it that a player has one.
        mac: MacAddr,
    },
    /// All those of whom nobody says who they are.
    Crowd,
}

impl Person {
    /// The peer in whose name its frames travel; zero where nobody says.
    pub fn peer(self) -> u16 {
        match self {
            Person::Machine { peer, .. } => u16::from(peer),
            Person::Crowd => 0,
        }
    }
}
