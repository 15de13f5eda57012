//! What a peer is in its room.

use lanparty_proto::VirtualMac;
use serde::{Deserialize, Serialize};

/// What a peer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// A player's adapter: one MAC.
    Client,
    /// The LAN side: as many MACs as the LAN has.
    Gateway,
}

/// A role with what belongs to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Newcomer {
    /// A player's adapter.
    Client(VirtualMac),
    /// The LAN side.
    Gateway,
}

impl Newcomer {
    /// The role alone.
    pub fn role(self) -> Role {
        match self {
            Newcomer::Client(_) => Role::Client,
            Newcomer::Gateway => Role::Gateway,
        }
    }

    /// The MAC, for clients.
    pub fn mac(self) -> Option<VirtualMac> {
        match self {
            Newcomer::Client(mac) => Some(mac),
            Newcomer::Gateway => None,
        }
    }
}
