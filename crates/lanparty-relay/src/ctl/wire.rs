//! What `lanparty-relay ctl` and a running relay say to each other: one line of JSON each.

use crate::registry::Seat;
use lanparty_ctrl::{Fingerprint, Name, RoomCode};
use lanparty_obs::{DropCounts, LinkStats, PeerStats};
use lanparty_proto::{RoomId, VirtualMac};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// What the operator wants.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Request {
    /// Which rooms are there?
    Rooms,
    /// Who is on the relay?
    Peers,
    /// How do their links do, in numbers?
    Stats,
    /// This peer out.
    Kick(Seat),
    /// Nobody new in, and the end with the last.
    Drain,
}

/// What the relay says to it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Answer {
    Rooms(Vec<RoomRow>),
    Peers(Vec<Peer>),
    Stats(Vec<PeerNumbers>),
    /// It is done; a sentence says what.
    Done(String),
    /// It is not; a sentence says why.
    Refused(String),
}

/// A room, for the operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RoomRow {
    pub(crate) number: RoomId,
    pub(crate) code: RoomCode,
    pub(crate) keyed: bool,
    pub(crate) gateway: bool,
    pub(crate) players: usize,
}

/// A peer, for the operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Peer {
    pub(crate) seat: Seat,
    pub(crate) code: RoomCode,
    pub(crate) mac: Option<VirtualMac>,
    pub(crate) name: Option<Name>,
    pub(crate) identity: Option<Fingerprint>,
    pub(crate) source: IpAddr,
    pub(crate) seconds: u64,
    pub(crate) rtt_us: Option<u64>,
    pub(crate) frames: u64,
    pub(crate) dropped: u64,
}

/// A peer's link in numbers, as they were when the peer last sent its counters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PeerNumbers {
    pub(crate) peer: String,
    pub(crate) gateway: bool,
    /// What the relay knows of its own end.
    pub(crate) relay_end: Option<LinkStats>,
    /// What the peer said.
    pub(crate) peer_end: Option<PeerStats>,
    /// What the relay dropped of it, by reason.
    #[serde(default)]
    pub(crate) drops: DropCounts,
}
