//! What the host wants, and what the gateway says to it.

use crate::{Attempt, Reach, Relays, Snapshot};
use lanparty_ctrl::orders::{MemberReport, Person};
use lanparty_ctrl::{Fingerprint, HostId, Name, RoomCode};
use lanparty_games::Game;
use lanparty_obs::{DropCounts, PeerStats, Way};
use lanparty_proto::VirtualMac;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::path::PathBuf;

/// What the host wants. It may hold a key, so there is no `Debug`.
#[derive(Clone, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Request {
    /// How does everything stand?
    Snapshot,
    /// Who is in the room?
    List,
    /// This player out.
    Kick {
        /// By MAC address, name or key, as everywhere in here.
        who: String,
    },
    /// This player out, and never in again.
    Ban {
        /// Who it is.
        who: String,
    },
    /// Whoever is meant by this may come again.
    Unban {
        /// Who it is.
        who: String,
    },
    /// Who is banned?
    Bans,
    /// Nobody new in, or everybody again.
    Lock {
        /// Which of both.
        on: bool,
    },
    /// Nothing that this player says to everybody, or all of it again.
    Mute {
        /// Who it is.
        who: String,
        /// Which of both.
        on: bool,
    },
    /// Players apart from each other, or together again.
    Isolate {
        /// Which of both.
        on: bool,
    },
    /// How does the link to the relay do, in numbers?
    Stats,
    /// Which games are on?
    Games,
    /// Which room is it?
    InviteFacts,
    /// From now on this room key, as text, which whoever asks has kept.
    Rotate {
        /// The key.
        key: String,
    },
    /// A new room key, which the gateway makes and keeps; the answer is the new invite.
    NewKey,
    /// The invite to the room.
    Invite {
        /// After so many hours the players' programs take it no more.
        #[serde(default)]
        hours: Option<u32>,
    },
    /// Call the party so, or a player.
    Rename {
        /// The player; without it the party.
        #[serde(default)]
        who: Option<String>,
        /// The name; empty for none.
        name: String,
    },
    /// What players may reach on the LAN, from now on.
    Reach {
        /// The player; without it everybody.
        #[serde(default)]
        who: Option<String>,
        /// What; without it what everybody may, for a player.
        #[serde(default)]
        reach: Option<Reach>,
    },
    /// Where is the party page? Asked at the gateway's own socket alone, as the answer makes whoever has it the host.
    Page,
    /// What may players reach on the LAN, and what have they tried?
    Reaches,
    /// One thing more that players may reach, as [`Attempt::allow`](crate::Attempt::allow) has it.
    Allow {
        /// The player; without it everybody, also those of whom something else is said.
        #[serde(default)]
        who: Option<String>,
        /// What.
        what: String,
    },
    /// One thing less, the other way round.
    Disallow {
        /// The player; without it everybody.
        #[serde(default)]
        who: Option<String>,
        /// What, as it was allowed.
        what: String,
    },
    /// How do all relays do at which the party may be? They are asked before the answer.
    Relays,
    /// The party to this relay.
    MoveTo {
        /// By its number or address in [`Relays`], by its region, or `best`.
        relay: String,
    },
}

/// What the gateway says to it.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
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
    /// What players may reach on the LAN.
    Reaches(Box<Reaches>),
    /// How everything stands.
    Snapshot(Box<Snapshot>),
    /// The invite.
    Invite(Shown),
    /// Where the party page is.
    Page(PageFacts),
    /// At which relays the party may be.
    Relays(Relays),
}

/// An invite to be shown. It is a secret, so there is no `Debug`.
#[derive(Clone, Serialize, Deserialize)]
pub struct Shown {
    /// The link, `lanparty://…`.
    pub link: String,
    /// The same behind a page for those who have no program yet, where the host has one.
    #[serde(default)]
    pub page: Option<String>,
    /// The QR code as an SVG picture.
    pub svg: String,
    /// When it ends, in seconds since 1970.
    #[serde(default)]
    pub expires: Option<u64>,
    /// What became of the order, where it was one.
    #[serde(default)]
    pub sentence: Option<String>,
}

/// Where the party page is. Its link is a secret, so there is no `Debug`.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct PageFacts {
    /// The host's, with its token.
    #[serde(default)]
    pub link: Option<String>,
    /// The SHA-256 of its certificate, where it speaks TLS.
    #[serde(default)]
    pub fingerprint: Option<String>,
    /// Everybody's, without buttons.
    #[serde(default)]
    pub public: Option<String>,
    /// What does not work, in sentences.
    #[serde(default)]
    pub troubles: Vec<String>,
}

/// Who is in the room, and how it is.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Players {
    /// True while nobody new comes in.
    pub locked: bool,
    /// True while players do not reach each other.
    pub isolated: bool,
    /// Who is in.
    pub players: Vec<Player>,
    /// What the relay dropped in the room, also of those who have left.
    #[serde(default)]
    pub drops: DropCounts,
    /// How many games are on.
    #[serde(default)]
    pub games: usize,
    /// At which relays the party may be.
    #[serde(default)]
    pub places: Relays,
}

/// A player, with what the relay knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Player {
    /// The MAC address.
    pub mac: VirtualMac,
    /// The name that this player gave.
    pub name: Option<Name>,
    /// The fingerprint of this player's key.
    pub identity: Option<Fingerprint>,
    /// The way that frames take between this player and the gateway.
    #[serde(default)]
    pub way: Way,
    /// How long that is, there and back, in microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ping_us: Option<u32>,
    /// What the relay knows.
    #[serde(flatten)]
    pub member: MemberReport,
}

/// What players may reach on the LAN, and what they have tried.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reaches {
    /// What everybody may, of whom nothing else is said.
    pub everybody: Reach,
    /// What these may.
    #[serde(default)]
    pub own: Vec<OwnReach>,
    /// What players tried and were not let, the latest first.
    #[serde(default)]
    pub attempts: Vec<Attempt>,
}

/// What somebody may reach, where it is not what everybody may.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnReach {
    /// By key or MAC.
    pub who: Person,
    /// The MAC address by which this person was last seen.
    #[serde(default)]
    pub mac: Option<VirtualMac>,
    /// The name then.
    #[serde(default)]
    pub name: Option<Name>,
    /// What.
    pub reach: Reach,
}

/// Somebody who is banned, and how the host knows who that is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ban {
    /// By key or MAC.
    pub who: Person,
    /// The MAC address by which this person was last seen.
    pub mac: Option<VirtualMac>,
    /// The name then.
    pub name: Option<Name>,
}

/// What an invite to the room needs beside its key, and where that is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InviteFacts {
    /// The relay, as invites name it.
    pub relay: String,
    /// Where else invites say that it is.
    #[serde(default)]
    pub also: Vec<SocketAddr>,
    /// The relays beside the first, each `HOST:PORT` or `HOST:PORT~PIN`.
    #[serde(default)]
    pub others: Vec<String>,
    /// The room.
    pub room: RoomCode,
    /// Whose it is.
    #[serde(default)]
    pub host: Option<HostId>,
    /// The pin of the relay's key.
    pub pin: Option<String>,
    /// The folder of the keys.
    pub keys: PathBuf,
}
