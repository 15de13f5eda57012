//! Who is in the room beside the player, and how they are doing.

use super::Session;
use bytes::Bytes;
use lanparty_ctrl::message::{Newcomer, PeerJoined};
use lanparty_ctrl::{Name, Pings, Role};
use lanparty_obs::DropReason;
use lanparty_proto::VirtualMac;
use lanparty_proto::fragment::{Fragment, Reassembler};
use std::time::{Duration, Instant};

/// For how long somebody counts as talking after a frame. A game says something several times a second.
const TALKS: Duration = Duration::from_secs(2);

/// Another peer in the room.
#[derive(Debug)]
pub(super) struct Neighbour {
    pub(super) who: Newcomer,
    pub(super) name: Option<Name>,
    pub(super) pieces: Reassembler,
    /// Between it and the relay.
    pub(super) rtt: Option<Duration>,
    /// When a frame of its last got here.
    pub(super) heard_at: Option<Instant>,
}

/// What a player may know of somebody else in the room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberFacts {
    /// What it wants to be called; gateways have no name.
    pub name: Option<Name>,
    /// Its MAC; a gateway has none of its own.
    pub mac: Option<VirtualMac>,
    /// True for the party's LAN.
    pub is_gateway: bool,
    /// The round trip between it and the relay, where the relay tells.
    pub rtt: Option<Duration>,
    /// True while frames of its get here.
    pub is_talking: bool,
}

impl Session {
    /// Who else is in the room, in the order of their numbers; nobody while there is no link. A gateway that the player
    /// does not believe in is nobody.
    pub fn members(&self, now: Instant) -> impl Iterator<Item = MemberFacts> {
        let neighbours = self.place.iter().flat_map(|place| &place.neighbours);
        let neighbours = neighbours.filter(|&(&peer, neighbour)| match neighbour.who {
            Newcomer::Gateway => self.believes(peer),
            Newcomer::Client(_) => true,
        });
        neighbours.map(move |(_, neighbour)| neighbour.facts(now))
    }

    pub(super) fn hear_pings(&mut self, pings: &Pings) {
        let Some(place) = &mut self.place else { return };
        place.loss_permille = pings.loss_permille;
        if pings.all {
            let neighbours = place.neighbours.values_mut();
            neighbours.for_each(|neighbour| neighbour.rtt = None);
        }
        for &(peer, rtt_us) in &pings.rtt_us {
            if let Some(neighbour) = place.neighbours.get_mut(&peer) {
                neighbour.rtt = Some(Duration::from_micros(rtt_us.into()));
            }
        }
    }
}

impl Neighbour {
    pub(super) fn new(who: Newcomer, name: Option<Name>) -> Self {
        Neighbour {
            who,
            name,
            pieces: Reassembler::default(),
            rtt: None,
            heard_at: None,
        }
    }

    pub(super) fn reassemble(
        &mut self,
        now: Instant,
        body: &[u8],
    ) -> Result<Option<Bytes>, DropReason> {
        Fragment::decode(body)
            .and_then(|fragment| self.pieces.insert(now, fragment))
            .map_err(|_| DropReason::BadFragment)
    }

    fn facts(&self, now: Instant) -> MemberFacts {
        let is_young = |at| now.saturating_duration_since(at) < TALKS;
        MemberFacts {
            name: self.name.clone(),
            mac: self.who.mac(),
            is_gateway: self.who == Newcomer::Gateway,
            rtt: self.rtt,
            is_talking: self.heard_at.is_some_and(is_young),
        }
    }
}

/// A peer as it was announced; a client without a MAC cannot have sent anything.
pub(super) fn announced(joined: PeerJoined) -> Option<(Newcomer, Option<Name>)> {
    match joined.role {
        Role::Client => Some((Newcomer::Client(joined.mac?), joined.name)),
        Role::Gateway => Some((Newcomer::Gateway, None)),
    }
}
