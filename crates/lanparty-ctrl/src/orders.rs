//! What a party's host may want of its room, and what the relay tells it of the members.

use crate::{AdmissionKey, Fingerprint};
use lanparty_obs::DropCounts;
use lanparty_proto::{MacAddr, PeerId, VirtualMac};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// How many members one [`Members`] tells of, so that it fits a message whatever they are.
pub const MEMBERS_PER_MESSAGE: usize = 64;

/// How many IP addresses a [`MemberReport`] is told with.
pub const ADDRESSES_PER_MEMBER: usize = 4;

/// With how many reasons a [`MemberReport`] is told for which its frames were dropped.
pub const REASONS_PER_MEMBER: usize = 8;

/// How many people one room can ban: as many as fit a message beside all else that a host may want.
pub const MAX_BANNED: usize = 256;

/// How many may come back into a locked room by a host's order, beside those who are in.
pub const MAX_GUESTS: usize = 1024;

/// How many machines of the LAN one [`HostOrder::Known`] names at most.
pub const MAX_KNOWN: usize = 256;

/// Somebody, by what is hardest to change about them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Person {
    /// Whoever has this key.
    Identity(Fingerprint),
    /// Whoever has this MAC; for those who showed no key.
    Mac(VirtualMac),
}

/// An order to the room. Only its gateway gives any, and only to a relay that knows
/// [`HOST_CONTROLS`](crate::HOST_CONTROLS).
///
/// A peer that is not there, or is no client, is not meant by any order: it may just have left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "order", rename_all = "snake_case")]
pub enum HostOrder {
    /// This client leaves now.
    Kick {
        /// Its number.
        peer_id: PeerId,
    },
    /// From now on nobody comes in who was not there, or everybody may again.
    Lock {
        /// Which of both.
        locked: bool,
        /// Who may come in beside those who are there: members on their way back to the room.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        also: Vec<VirtualMac>,
    },
    /// From now on these people are banned, [`MAX_BANNED`] at most, and nobody else: who is in leaves now,
    /// and none of them comes in.
    Ban {
        /// All of them.
        banned: Vec<Person>,
    },
    /// What this client says to everybody or to a group is dropped, or is not any more.
    Mute {
        /// Its number.
        peer_id: PeerId,
        /// Which of both.
        muted: bool,
    },
    /// Clients reach the LAN but not each other, or each other as well.
    Isolate {
        /// Which of both.
        isolated: bool,
    },
    /// A machine on the LAN has this MAC: the client with it leaves now, and none with it comes in for some minutes.
    /// Only to a relay that knows [`LAN_MACS`](crate::LAN_MACS).
    OnLan {
        /// The MAC.
        mac: VirtualMac,
    },
    /// These machines are on the LAN and have spoken to players by direct paths: what players say to them by way of
    /// the relay is for somebody known. [`MAX_KNOWN`] at most; only to a relay that knows [`DOORS`](crate::door::DOORS).
    Known {
        /// Their MACs.
        macs: Vec<MacAddr>,
    },
    /// Newcomers need another key from now on; who is in stays.
    Rotate {
        /// With what the relay shall check their proofs.
        admission_key: AdmissionKey,
    },
    /// The room shall be at another relay of the fleet; who is in hears `moved`. Where that cannot be, the answer is
    /// [`NotPlaced`](crate::places::NotPlaced). Only to a relay that knows [`PLACES`](crate::places::PLACES).
    Place {
        /// That relay, as [`FleetRelay::address`](crate::places::FleetRelay::address) has it.
        relay: String,
    },
    /// Tell me of the members.
    Members,
}

/// The answer to [`HostOrder::Members`], in as many messages as it takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Members {
    /// True while nobody new comes in.
    #[serde(default)]
    pub locked: bool,
    /// True while clients do not reach each other.
    #[serde(default)]
    pub isolated: bool,
    /// Some of the clients, [`MEMBERS_PER_MESSAGE`] at most.
    pub members: Vec<MemberReport>,
    /// True in the last message of the answer.
    pub last: bool,
    /// All frames that the relay dropped in this room, by reason, also those of peers who have left; in the
    /// last message only.
    #[serde(default, skip_serializing_if = "is_nothing")]
    pub drops: DropCounts,
}

/// What the relay knows about a client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberReport {
    /// Its number.
    pub peer_id: PeerId,
    /// IP addresses on the LAN that are held to be its, IPv4 first, [`ADDRESSES_PER_MEMBER`] at most.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<IpAddr>,
    /// For how long it has been in, in seconds.
    #[serde(default)]
    pub seconds: u64,
    /// The round trip between it and the relay, in microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rtt_us: Option<u64>,
    /// How many packets of a thousand from the relay got lost on the way to it, since it came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss_permille: Option<u16>,
    /// Bytes per second that it sent of late, by its own count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sends: Option<u64>,
    /// Bytes per second that it received of late, by its own count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receives: Option<u64>,
    /// Frames of its that the relay dropped.
    #[serde(default)]
    pub dropped: u64,
    /// The commonest reasons for that, [`REASONS_PER_MEMBER`] at most.
    #[serde(default, skip_serializing_if = "is_nothing")]
    pub drops: DropCounts,
    /// True while it may not speak to everybody.
    #[serde(default)]
    pub muted: bool,
}

fn is_nothing(drops: &DropCounts) -> bool {
    drops.total() == 0
}
