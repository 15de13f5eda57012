//! What `lanparty-relay ctl` and a running relay say to each other: one line of JSON each.

use crate::registry::Seat;
use lanparty_ctrl::{Fingerprint, Name, RoomCode, Text};
use lanparty_obs::link::{QueueStats, UdpStats};
use lanparty_obs::{DropCounts, LinkStats, PeerStats};
use lanparty_proto::{RoomId, VirtualMac};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
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
    /// Nobody new in, and the end with the last player.
    Drain,
    /// The same, and the end in so many seconds at the latest.
    DrainWithin(u64),
    /// People in again.
    Undrain,
    /// Which relays are in its fleet, and how do they do?
    Fleet,
    /// Which relay is this, and how does it do?
    Status,
    /// What has it done since it started?
    Totals,
}

/// What the relay says to it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Answer {
    Rooms(Vec<RoomRow>),
    Peers(Vec<Peer>),
    Stats(Vec<PeerNumbers>),
    Status(Status),
    Totals(Box<TotalNumbers>),
    Fleet(FleetView),
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
    #[serde(default)]
    pub(crate) bytes: u64,
    pub(crate) dropped: u64,
}

/// The relay as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Status {
    pub(crate) version: String,
    /// For how long it has been running.
    pub(crate) seconds: u64,
    pub(crate) rooms: usize,
    pub(crate) players: usize,
    pub(crate) gateways: usize,
    /// Players who have asked for their party in the last seconds while its gateway was not here.
    #[serde(default)]
    pub(crate) waiting: usize,
    /// Where it is, as its operator calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) region: Option<Text>,
    /// How it stands with its fleet, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) fleet: Option<FleetStanding>,
    /// True while nobody new comes in.
    pub(crate) draining: bool,
    /// In so many seconds it ends, whoever is left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ends_in: Option<u64>,
}

/// How a relay stands with its fleet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FleetStanding {
    /// How many relays there are.
    pub(crate) relays: usize,
    /// Rooms that are this relay's.
    pub(crate) rooms: usize,
    /// What is wrong, if something is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) trouble: Option<String>,
}

/// The fleet as one of its relays sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct FleetView {
    pub(crate) relays: Vec<FleetRow>,
    /// What is wrong, if something is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) trouble: Option<String>,
}

/// A relay of the fleet. What it has not told the others it tells of itself alone.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct FleetRow {
    /// Where peers reach it.
    pub(crate) relay: String,
    /// It is the one that is asked.
    pub(crate) own: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) region: Option<Text>,
    pub(crate) rooms: usize,
    /// How many players it would still take.
    pub(crate) free: u32,
    /// It takes no new rooms.
    pub(crate) draining: bool,
    /// It is late, and is given new rooms only where all are.
    #[serde(default)]
    pub(crate) slow: bool,
    /// It has been up long enough to be given new rooms.
    pub(crate) ready: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) players: Option<usize>,
    /// How long ago its lease was kept alive, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) lease_age: Option<f64>,
    /// How late it reads packets, in seconds: 99 of 100 in the last five seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) lag: Option<f64>,
    /// The round trip to the directory, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) directory_rtt: Option<f64>,
}

/// What a relay has done since it started, those who have left among it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TotalNumbers {
    #[serde(flatten)]
    pub(crate) status: Status,
    pub(crate) opened_rooms: u64,
    pub(crate) joined_players: Come,
    pub(crate) joined_gateways: Come,
    pub(crate) left: BTreeMap<String, u64>,
    pub(crate) refused: BTreeMap<String, u64>,
    pub(crate) knocks: BTreeMap<String, u64>,
    pub(crate) handshakes: BTreeMap<String, u64>,
    /// Rounds in which two were introduced for a direct path.
    #[serde(default)]
    pub(crate) introductions: Introduced,
    /// How often somebody was told that there is no direct path, by reason.
    #[serde(default)]
    pub(crate) no_meetings: BTreeMap<String, u64>,
    pub(crate) from_players: Received,
    pub(crate) from_gateways: Received,
    pub(crate) to_players: Sent,
    pub(crate) to_gateways: Sent,
    /// What the queues in front of all links have thrown away.
    pub(crate) queue: QueueStats,
    pub(crate) udp: UdpStats,
}

/// How far rounds have got.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Introduced {
    pub(crate) begun: u64,
    pub(crate) ready: u64,
    pub(crate) met: u64,
}

/// How many have come in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Come {
    pub(crate) new: u64,
    /// To their own places.
    pub(crate) back: u64,
}

/// What has come, and what has become of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Received {
    pub(crate) datagrams: u64,
    pub(crate) pieces: u64,
    pub(crate) probes: u64,
    pub(crate) frames: u64,
    pub(crate) bytes: u64,
    pub(crate) drops: DropCounts,
}

/// What was handed to peers' links.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sent {
    pub(crate) frames: u64,
    pub(crate) bytes: u64,
    /// Frames for those whose link was down.
    pub(crate) link_down: u64,
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
