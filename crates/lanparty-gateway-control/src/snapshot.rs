//! How the party stands, all of it, at one moment. Nothing secret is in here.

use crate::{Ban, VERSION};
use lanparty_games::Game;
use lanparty_obs::DropCounts;
pub use lanparty_obs::way::{Measured, NotDirect, Reason, Way};
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// How a party stands at one moment. Durations are counted up to that moment, so that no two clocks must agree.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The vocabulary's version, [`VERSION`].
    pub version: u16,
    /// The version of the gateway's program.
    pub program: String,
    /// For how long the gateway has been running, in seconds.
    pub seconds: u64,
    /// Which party it is.
    pub party: Party,
    /// The party's LAN, as the gateway has it.
    pub lan: LanSide,
    /// The link to the relay.
    pub link: Link,
    /// How players come in from outside, where the relay runs beside the gateway.
    #[serde(default)]
    pub port: Option<Port>,
    /// True while nobody new comes in.
    #[serde(default)]
    pub locked: bool,
    /// True while players do not reach each other.
    #[serde(default)]
    pub isolated: bool,
    /// What of the LAN players may reach.
    #[serde(default)]
    pub reach: Reach,
    /// Who is in, by name and then by MAC, so that rows stay where they are.
    #[serde(default)]
    pub players: Vec<Guest>,
    /// Who may not come again.
    #[serde(default)]
    pub bans: Vec<Ban>,
    /// Which games are on, on the LAN and on players' machines.
    #[serde(default)]
    pub games: Vec<Game>,
    /// Which addresses the LAN's DHCP servers have lent to players.
    #[serde(default)]
    pub leases: Vec<Lease>,
    /// What players tried and were not let, the latest first.
    #[serde(default)]
    pub attempts: Vec<Attempt>,
    /// What is wrong though the party goes on, the gravest first.
    #[serde(default)]
    pub warnings: Vec<Warning>,
    /// What has happened this evening, the latest first.
    #[serde(default)]
    pub events: Vec<Event>,
    /// What crosses the gateway.
    #[serde(default)]
    pub rates: Rates,
    /// What the relay dropped in the room, by reason, also of those who have left.
    #[serde(default)]
    pub drops: DropCounts,
}

impl Snapshot {
    /// The snapshot of a gateway that has just started.
    pub fn begin(program: &str, party: Party, lan: LanSide, relay: String) -> Self {
        Snapshot {
            version: VERSION,
            program: program.to_owned(),
            seconds: 0,
            party,
            lan,
            link: Link::begin(relay),
            port: None,
            locked: false,
            isolated: false,
            reach: Reach::default(),
            players: Vec::new(),
            bans: Vec::new(),
            games: Vec::new(),
            leases: Vec::new(),
            attempts: Vec::new(),
            warnings: Vec::new(),
            events: Vec::new(),
            rates: Rates::default(),
            drops: DropCounts::default(),
        }
    }
}

/// Which party it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Party {
    /// The room's code.
    pub room: String,
    /// What the host calls it.
    #[serde(default)]
    pub name: Option<String>,
    /// False for a room that is open to whoever knows its code.
    pub keyed: bool,
    /// True where the relay runs beside the gateway (`lanparty-gateway host`).
    pub hosted: bool,
}

/// The party's LAN, as the gateway has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LanSide {
    /// The interface.
    pub interface: String,
    /// True while frames can cross it: it is there, up, and has its cable.
    pub up: bool,
    /// What is wrong with it, as a sentence.
    #[serde(default)]
    pub trouble: Option<String>,
    /// True where this machine itself takes part.
    #[serde(default)]
    pub with_this_machine: bool,
}

/// The link to the relay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// The relay, as people write it.
    pub relay: String,
    /// How it is.
    pub state: LinkState,
    /// For how long it has been so, in seconds.
    pub seconds: u64,
    /// The same as a sentence: what is, and, where it helps, what to do.
    pub sentence: String,
    /// The round trip, in microseconds.
    #[serde(default)]
    pub ping_us: Option<u32>,
    /// How many packets of a thousand got lost of late, the worse of both directions.
    #[serde(default)]
    pub loss_permille: Option<u16>,
    /// Which relay it is, where the party may be at several.
    #[serde(default, flatten)]
    pub places: Relays,
}

/// The relays at which a party may be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Relays {
    /// Each of them, the invite's first one first; none where there is only one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub relays: Vec<Relay>,
    /// Counts the party's stays at relays: each is higher than the one before. None in rooms without a key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub term: Option<u64>,
    /// How often the party has gone from one relay to another since the gateway started.
    #[serde(default)]
    pub moves: u64,
    /// For how many seconds that is known of the one of the others that was asked longest ago; they are asked now and then, and
    /// not all at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_s: Option<u64>,
}

/// One of several relays at which a party may be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Relay {
    /// `HOST:PORT`, as the invite names it.
    pub address: String,
    /// Where it is, as its operator calls it.
    #[serde(default)]
    pub region: Option<String>,
    /// The round trip from the gateway when it was last looked at, in microseconds.
    #[serde(default)]
    pub ping_us: Option<u32>,
    /// True for the one at which the party is.
    #[serde(default)]
    pub here: bool,
    /// The other relay of its fleet, `HOST:PORT`, to which it sends whoever asks for this party.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leads_to: Option<String>,
    /// Why it is of no use now, as part of a sentence.
    #[serde(default)]
    pub trouble: Option<String>,
}

impl Relays {
    /// Where a relay leads that is only the way to another one, as part of a sentence: `leads to r2:443, where the party is`.
    pub fn lead(&self, relay: &Relay) -> Option<String> {
        let to = relay.leads_to.as_ref()?;
        let is_here = self.relays.iter().any(|it| it.here && it.address == *to);
        let here = if is_here { ", where the party is" } else { "" };
        Some(format!("leads to {to}{here}"))
    }

    /// Where the party is, as part of a sentence: `relay 2 of 3, Paris`. Nothing where there is only one place, or no link.
    pub fn place(&self) -> Option<String> {
        let of = self.relays.len();
        let at = self.relays.iter().position(|relay| relay.here)?;
        let region = self.relays[at].region.as_ref();
        let region = region.map(|region| format!(", {region}"));
        Some(format!(
            "relay {} of {of}{}",
            at + 1,
            region.unwrap_or_default()
        ))
    }
}

impl Link {
    fn begin(relay: String) -> Self {
        Link {
            sentence: format!("Connecting to the relay {relay}."),
            relay,
            state: LinkState::Connecting,
            seconds: 0,
            ping_us: None,
            loss_permille: None,
            places: Relays::default(),
        }
    }
}

/// How the link to the relay is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkState {
    /// It has not stood yet.
    Connecting,
    /// It stands.
    Connected,
    /// It stood, and is being made anew.
    Lost,
}

/// Somebody in the room, with what the host can know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guest {
    /// The MAC address, which also names this player in a [`Request`](crate::Request).
    pub mac: String,
    /// What the host calls this player, or else what this player does.
    #[serde(default)]
    pub name: Option<String>,
    /// The name that this player gave, where the host has another one.
    #[serde(default)]
    pub own_name: Option<String>,
    /// The beginning of the fingerprint of this player's key.
    #[serde(default)]
    pub key: Option<String>,
    /// Addresses on the LAN.
    #[serde(default)]
    pub addresses: Vec<IpAddr>,
    /// The way that this player's frames take.
    pub way: Way,
    /// The round trip between the gateway and this player, in microseconds, by the way that is taken now: by the relay,
    /// both halves.
    #[serde(default)]
    pub ping_us: Option<u32>,
    /// What the way by the relay measures, whether or not it is the way now.
    #[serde(default)]
    pub relay: Measured,
    /// What the direct one measures, while there is one.
    #[serde(default)]
    pub direct: Measured,
    /// Why the way is not direct, where it could be.
    #[serde(default)]
    pub not_direct: Option<Reason>,
    /// The same each second of the last minute, the oldest first; 0 where nothing is known.
    #[serde(default)]
    pub pings_us: Vec<u32>,
    /// How many packets of a thousand get lost on the way to this player.
    #[serde(default)]
    pub loss_permille: Option<u16>,
    /// What this player sends and receives.
    #[serde(default)]
    pub rates: Rates,
    /// For how long this player has been in, in seconds.
    pub seconds: u64,
    /// True while nothing that this player says to everybody is heard.
    #[serde(default)]
    pub muted: bool,
    /// What of the LAN this player may reach, where it is not what everybody may.
    #[serde(default)]
    pub reach: Option<Reach>,
    /// Frames of this player's that the relay dropped.
    #[serde(default)]
    pub dropped: u64,
    /// The same by reason, the commonest alone.
    #[serde(default)]
    pub drops: DropCounts,
    /// Of these the commonest reason, in words.
    #[serde(default)]
    pub dropped_why: Option<String>,
}

/// Bytes per second, of late.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rates {
    /// From players to the LAN.
    #[serde(default)]
    pub to_lan: u64,
    /// From the LAN to players.
    #[serde(default)]
    pub from_lan: u64,
}

/// An address that a DHCP server of the LAN has lent to a player.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// The player's MAC address.
    pub mac: String,
    /// The address.
    pub address: Ipv4Addr,
    /// Who has lent it.
    pub server: Ipv4Addr,
    /// For how many seconds more; without it for ever.
    #[serde(default)]
    pub seconds: Option<u64>,
}

/// How players come in from outside, where the relay runs beside the gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Port {
    /// Where the relay listens, a UDP port.
    pub listens: u16,
    /// How far that is known to work.
    pub state: PortState,
    /// The same as a sentence: what is, and what to do.
    pub sentence: String,
    /// Where players find it: public, IPv6, LAN; what invites carry, the best first.
    #[serde(default)]
    pub addresses: Vec<SocketAddr>,
}

/// How far it is known that players can come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PortState {
    /// Somebody outside has knocked, and was heard.
    Proved,
    /// The router says that it has opened the port, or there is no router in between; nobody outside has tried.
    Opened,
    /// Nothing is known.
    Unknown,
    /// It is being looked at.
    Checking,
    /// Nobody outside comes in.
    Shut,
}

/// What of the LAN players may reach. Broadcast, DHCP and ARP are not touched by it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reach {
    /// Everything.
    #[default]
    Everything,
    /// What LAN machines announced as games, and the ports of the table of games.
    Games {
        /// What else, as `ADDRESS`, `ADDRESS:PORT` or `ADDRESS:FIRST-LAST`: with IPv6 in brackets, `/24` behind the
        /// address of a network, and `/tcp` or `/udp` at the end.
        #[serde(default)]
        also: Vec<String>,
    },
    /// These machines and ports, written the same, and nothing else.
    Only {
        /// Which.
        allowed: Vec<String>,
    },
}

/// Something that a player tried and was not let.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// The player's MAC address.
    pub mac: String,
    /// The player's name.
    #[serde(default)]
    pub name: Option<String>,
    /// `tcp`, `udp`, or another protocol's name.
    pub protocol: String,
    /// Where to, on the LAN.
    pub address: IpAddr,
    /// The port, where the protocol has any.
    #[serde(default)]
    pub port: Option<u16>,
    /// What usually listens there, such as `file shares`.
    #[serde(default)]
    pub what: Option<String>,
    /// How many frames.
    pub frames: u64,
    /// How long ago the last one was, in seconds.
    pub seconds: u64,
    /// What lets it through, as [`Reach::Games`] and [`Reach::Only`] write it.
    pub allow: String,
}

/// Something that is wrong though the party goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    /// The same for the same kind of trouble, such as `no_dhcp`.
    pub id: String,
    /// How grave it is.
    pub mark: Mark,
    /// What is wrong and what helps.
    pub sentence: String,
}

/// How grave something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    /// The party does not work.
    Bad,
    /// Something does not, or soon will not.
    Doubtful,
    /// Good to know.
    Note,
}

/// Something that has happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Counts up from 1, so that a view knows what it has seen.
    pub number: u64,
    /// When, in seconds since 1970.
    pub at: u64,
    /// How grave it is.
    pub mark: Mark,
    /// What, as a sentence.
    pub sentence: String,
}
