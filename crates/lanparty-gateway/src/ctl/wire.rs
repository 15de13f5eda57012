//! What `lanparty-gateway ctl` and a running gateway say to each other: one line of JSON each.

use lanparty_ctrl::orders::{MemberReport, Person};
use lanparty_ctrl::{Fingerprint, HostId, Name, RoomCode};
use lanparty_games::Game;
use lanparty_obs::{DropCounts, PeerStats};
use lanparty_proto::VirtualMac;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// What the host wants. It may hold a key, so there is no `Debug`.
#[derive(Clone, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub(crate) enum Request {
    /// Who is in the room?
    List,
    /// This player out.
    Kick { who: String },
    /// This player out, and never in again.
    Ban { who: String },
    /// Whoever is meant by this may come again.
    Unban { who: String },
    /// Who is banned?
    Bans,
    /// Nobody new in, or everybody again.
    Lock { on: bool },
    /// Nothing that this player says to everybody, or all of it again.
    Mute { who: String, on: bool },
    /// Players apart from each other, or together again.
    Isolate { on: bool },
    /// How does the link to the relay do, in numbers?
    Stats,
    /// Which games are on?
    Games,
    /// Which room is it?
    InviteFacts,
    /// From now on this room key, as text.
    Rotate { key: String },
}

/// What the gateway says to it.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Answer {
    /// It is done; a sentence says what.
    Done(String),
    /// It is not; a sentence says why.
    Refused(String),
    /// Who is in the room.
    Players(Box<Players>),
    /// Who is banned.
    Bans(Vec<Ban>),
    /// Which room it is.
    InviteFacts(InviteFacts),
    /// How the link does, and what has been carried.
    Stats(Box<PeerStats>),
    /// Which games are on.
    Games(Vec<Game>),
}

/// Who is in the room, and how it is.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Players {
    pub(crate) locked: bool,
    pub(crate) isolated: bool,
    pub(crate) players: Vec<Player>,
    /// What the relay dropped in the room, also of those who have left.
    #[serde(default)]
    pub(crate) drops: DropCounts,
    /// How many games are on.
    #[serde(default)]
    pub(crate) games: usize,
}

/// A player, with what the relay knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Player {
    pub(crate) mac: VirtualMac,
    pub(crate) name: Option<Name>,
    pub(crate) identity: Option<Fingerprint>,
    #[serde(flatten)]
    pub(crate) member: MemberReport,
}

/// Somebody who is banned, and how the host knows who that is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ban {
    pub(crate) who: Person,
    pub(crate) mac: Option<VirtualMac>,
    pub(crate) name: Option<Name>,
}

/// What an invite to the room needs beside its key, and where that is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct InviteFacts {
    pub(crate) relay: String,
    pub(crate) room: RoomCode,
    #[serde(default)]
    pub(crate) host: Option<HostId>,
    pub(crate) pin: Option<String>,
    pub(crate) keys: PathBuf,
}
