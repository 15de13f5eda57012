//! How things stand, all of it, at one moment.

use crate::{FixOffer, State, VERSION};
use lanparty_games::Game;
pub use lanparty_obs::RelayPlace;
pub use lanparty_obs::way::{Measured, NotDirect, Reason, Way, ms};
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// How things stand at one moment. Durations are counted up to that moment, so that no two clocks must agree.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The vocabulary's version, [`VERSION`].
    pub version: u16,
    /// The version of the service's program.
    pub program: String,
    /// The session's state.
    pub state: State,
    /// For how long it has been that, in milliseconds.
    pub state_ms: u64,
    /// The state as a sentence: what is, and, where it helps, what to do.
    pub sentence: String,
    /// The party that is joined or wanted.
    #[serde(default)]
    pub party: Option<Party>,
    /// The player, as the others see them.
    #[serde(default)]
    pub me: Option<Me>,
    /// The address on the party's LAN.
    #[serde(default)]
    pub address: Option<LanAddress>,
    /// Who has lent that address, where somebody has.
    #[serde(default)]
    pub lease: Option<Lease>,
    /// How long packets may be.
    #[serde(default)]
    pub mtu: Option<Mtu>,
    /// How long frames take.
    #[serde(default)]
    pub ping: Ping,
    /// The way that frames take now.
    #[serde(default)]
    pub way: Option<Way>,
    /// What the way by the relay measures, to the party's LAN and back, whether or not it is the way now.
    #[serde(default)]
    pub relay: Measured,
    /// What the direct one measures, while there is one.
    #[serde(default)]
    pub direct: Measured,
    /// Why the way is not direct, where it could be.
    #[serde(default)]
    pub not_direct: Option<Reason>,
    /// At which relay the party is, where its invite names several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<RelayPlace>,
    /// Who else is in the room, by name.
    #[serde(default)]
    pub members: Vec<Member>,
    /// Which games are on.
    #[serde(default)]
    pub games: Vec<Game>,
    /// What is wrong though the session goes on.
    #[serde(default)]
    pub warnings: Vec<Warning>,
    /// The rooms whose invites are kept for who asks, the last one first.
    #[serde(default)]
    pub rooms: Vec<Room>,
    /// Whether the last room is joined by itself when the machine starts.
    #[serde(default)]
    pub auto_join: bool,
    /// Whether who asks wants everything to go by relays.
    #[serde(default)]
    pub relay_only: bool,
}

impl Snapshot {
    /// The snapshot of a service that has just started.
    pub fn idle(program: &str) -> Self {
        Snapshot {
            version: VERSION,
            program: program.to_owned(),
            state: State::NotConnected,
            state_ms: 0,
            sentence: "Not connected to a party.".to_owned(),
            party: None,
            me: None,
            address: None,
            lease: None,
            mtu: None,
            ping: Ping::default(),
            way: None,
            relay: Measured::default(),
            direct: Measured::default(),
            not_direct: None,
            place: None,
            members: Vec::new(),
            games: Vec::new(),
            warnings: Vec::new(),
            rooms: Vec::new(),
            auto_join: false,
            relay_only: false,
        }
    }
}

impl Snapshot {
    /// From this machine to the relay and back, in microseconds: what of the way by the relay is not the gateway's.
    pub fn ping_to_relay(&self) -> Option<u32> {
        let mut members = self.members.iter();
        let gateway = members.find(|member| member.is_gateway);
        let beyond = gateway.and_then(|gateway| gateway.ping_us).unwrap_or(0);
        // A service of before has only the one.
        let whole = self.relay.rtt_us.or(self.ping.us)?;
        Some(whole.saturating_sub(beyond))
    }

    /// From this machine to somebody in the room and back, in microseconds, which is what every view shows beside them:
    /// to the relay, and from there to them. For the gateway it is [`Ping::us`].
    pub fn ping_to(&self, member: &Member) -> Option<u32> {
        let beyond = member.ping_us?;
        if member.is_gateway {
            return self.ping.us;
        }
        Some(self.ping_to_relay()?.saturating_add(beyond))
    }
}

/// A party, as its invite names it; nothing secret is in here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Party {
    /// The room's code.
    pub room: String,
    /// What the host calls it.
    #[serde(default)]
    pub name: Option<String>,
    /// The relay, as the invite names it.
    pub relay: String,
    /// Where else it may be found.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<SocketAddr>,
    /// The other relays to which the party may move, as the invite names them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<String>,
    /// When the invite ends, in seconds since 1970.
    #[serde(default)]
    pub expires: Option<u64>,
    /// The account on this machine that joined it.
    #[serde(default)]
    pub joined_by: Option<String>,
}

impl Party {
    /// What people call it.
    pub fn title(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.room)
    }
}

/// The player, as the others see them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Me {
    /// The name.
    #[serde(default)]
    pub name: Option<String>,
    /// The adapter's MAC address.
    pub mac: String,
}

/// An address on the party's LAN.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LanAddress {
    /// The address.
    pub ip: IpAddr,
    /// True when the system made it up (RFC 3927), because nobody on the LAN gave one.
    #[serde(default)]
    pub made_up: bool,
}

/// An address that a DHCP server has lent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// The server.
    pub server: Ipv4Addr,
    /// For how many seconds more; without it for ever.
    #[serde(default)]
    pub seconds: Option<u64>,
}

/// How long packets may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mtu {
    /// In the room, on every machine's adapter.
    pub room: u16,
    /// What the way to the relay takes in one piece, with our own few bytes around a packet.
    #[serde(default)]
    pub path: Option<u16>,
}

/// How long a round trip takes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Ping {
    /// To the party's LAN and back, in microseconds, by the way that is taken now. Where a relay does not say how far the
    /// gateway is from it, to the relay alone.
    pub us: Option<u32>,
    /// The same for each of the last 60 seconds, the latest at the end; nothing where there was no link.
    pub minute: Vec<Option<u32>>,
    /// Of packets that were sent in that minute, how many of 1000 were lost.
    pub loss: Option<Loss>,
}

/// Packets that were lost, of 1000.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Loss(pub u16);

/// What a ping means for somebody who plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PingVerdict {
    /// Below 80 ms and 0.5 % loss.
    Good,
    /// Below 150 ms and 2 % loss.
    Slow,
    /// More.
    Bad,
}

impl Ping {
    /// What it means for somebody who plays; nothing while it is not known.
    pub fn verdict(&self) -> Option<PingVerdict> {
        let loss = self.loss.unwrap_or_default();
        Some(match self.us? {
            us if us < 80_000 && loss < Loss(5) => PingVerdict::Good,
            us if us < 150_000 && loss < Loss(20) => PingVerdict::Slow,
            _ => PingVerdict::Bad,
        })
    }
}

/// Somebody else in the room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// What they want to be called.
    #[serde(default)]
    pub name: Option<String>,
    /// The adapter's MAC address; the party's gateway has none.
    #[serde(default)]
    pub mac: Option<String>,
    /// True for the party's gateway, which is the LAN.
    #[serde(default)]
    pub is_gateway: bool,
    /// From their machine to the relay and back, in microseconds.
    #[serde(default)]
    pub ping_us: Option<u32>,
    /// The way that frames to them take.
    #[serde(default)]
    pub way: Option<Way>,
    /// True when frames of theirs came a moment ago.
    #[serde(default)]
    pub talks: bool,
}

/// Something that is wrong though the session goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    /// The same for the same kind of trouble, such as `no_lan_address`.
    pub id: String,
    /// What is wrong and what helps.
    pub sentence: String,
    /// What the service can do about it.
    #[serde(default)]
    pub fix: Option<FixOffer>,
}

/// A room whose invite is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Room {
    /// What `join` calls it: no two rooms of one person share it.
    pub name: String,
    /// The party.
    pub party: Party,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_is_told_in_json_and_a_newer_one_is_read() {
        let mut snapshot = Snapshot::idle("0.1.0");
        snapshot.address = Some(LanAddress {
            ip: "192.168.50.17".parse().unwrap(),
            made_up: false,
        });
        snapshot.way = Some(Way::Relay);
        let mut json = serde_json::to_value(&snapshot).unwrap();
        assert_eq!(json["state"], "not_connected");
        assert_eq!(json["address"]["ip"], "192.168.50.17");
        json["tomorrow"] = serde_json::json!({ "x": 1 });
        json["way"] = "by_pigeon".into();
        let newer: Snapshot = serde_json::from_value(json).unwrap();
        assert_eq!(newer.way, Some(Way::Other));
    }

    #[test]
    fn the_way_to_somebody_is_the_own_way_to_the_relay_and_theirs() {
        let member = |is_gateway, ping_us| Member {
            name: None,
            mac: None,
            is_gateway,
            ping_us,
            way: None,
            talks: false,
        };
        let (gateway, anna) = (member(true, Some(3_000)), member(false, Some(8_000)));
        let mut snapshot = Snapshot::idle("0.1.0");
        assert_eq!(snapshot.ping_to(&anna), None);
        snapshot.ping.us = Some(23_000);
        assert_eq!(
            snapshot.ping_to(&anna),
            Some(31_000),
            "no word of a gateway"
        );
        snapshot.members = vec![gateway.clone(), anna.clone()];
        assert_eq!(snapshot.ping_to_relay(), Some(20_000));
        assert_eq!(snapshot.ping_to(&anna), Some(28_000));
        assert_eq!(snapshot.ping_to(&gateway), snapshot.ping.us);
        assert_eq!(snapshot.ping_to(&member(false, None)), None);
    }

    #[test]
    fn what_a_ping_means() {
        let verdict = |ms: Option<u32>, loss| {
            Ping {
                us: ms.map(|ms| ms * 1000),
                loss: Some(Loss(loss)),
                ..Ping::default()
            }
            .verdict()
        };
        assert_eq!(verdict(None, 0), None);
        assert_eq!(verdict(Some(79), 4), Some(PingVerdict::Good));
        assert_eq!(verdict(Some(80), 0), Some(PingVerdict::Slow));
        assert_eq!(verdict(Some(20), 5), Some(PingVerdict::Slow));
        assert_eq!(verdict(Some(150), 0), Some(PingVerdict::Bad));
        assert_eq!(verdict(Some(20), 20), Some(PingVerdict::Bad));
    }
}
