//! What `lanparty-gateway ctl` and a running gateway say to each other: one line of JSON each.

use lanparty_ctrl::host::Member;
use lanparty_ctrl::{Name, RoomCode};
use lanparty_proto::VirtualMac;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// No line is longer than this, in bytes; an answer about as many members as fit a room may be.
pub(crate) const MAX_REQUEST: u64 = 4096;

/// What the host wants. It may hold a key, so there is no `Debug`.
#[derive(Clone, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub(crate) enum Request {
    /// Who is in the room?
    List,
    /// This player out.
    Kick { who: String },
    /// Nobody new in, or everybody again.
    Lock { on: bool },
    /// Nothing that this player says to everybody, or all of it again.
    Mute { who: String, on: bool },
    /// Players apart from each other, or together again.
    Isolate { on: bool },
    /// Which room is it?
    Room,
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
    Players(Players),
    /// Which room it is.
    Room(Room),
}

/// Who is in the room, and how it is.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Players {
    pub(crate) locked: bool,
    pub(crate) isolated: bool,
    pub(crate) players: Vec<Player>,
}

/// A player, with what the relay knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Player {
    pub(crate) mac: VirtualMac,
    pub(crate) name: Option<Name>,
    #[serde(flatten)]
    pub(crate) member: Member,
}

/// What an invite to the room needs beside its key, and where that is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Room {
    pub(crate) relay: String,
    pub(crate) room: RoomCode,
    pub(crate) pin: Option<String>,
    pub(crate) keys: PathBuf,
}
