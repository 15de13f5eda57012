//! What must always hold.

use super::peer::Place;
use super::relay::Relay;
use super::{At, BEGIN, Fleets, RELAYS, Sabotage};
use lanparty_fleet::{Fence, RoomHash, Standing};
use std::collections::BTreeMap;

/// Nobody is without its party for longer.
const ALONE: u64 = 10_000;
/// Nobody waits for longer for a handshake.
const QUEUE: u64 = 3_000;
/// One relay gives a room up while another has it already for as long as the directory's word takes; that is slow at times.
const HANDING_OVER: u64 = 250;
/// A relay's members have left a room that is another's, or are sent away, after that.
const STRAYS: u64 = 6_000;
/// Players who were left behind by their gateway talk to each other for so long at most.
const LEFT_BEHIND: u64 = 8_000;
/// A gateway gives its relay up a second before a player at most: where that one has stood still for so long, it may wake in between
/// and hand over what the gateway has said before.
const NOT_GIVEN_UP: u64 = 1_500;

/// Where a gateway is.
#[derive(Debug, Clone, Copy)]
struct Bridge {
    at: At,
    fence: Fence,
    since: u64,
}

pub(super) struct Checks {
    /// Where each room's gateway was last.
    bridges: Vec<Option<Bridge>>,
    /// The highest fence by which a relay has each room, and which relay that is.
    fences: Vec<Option<(Fence, At)>>,
    /// A relay may own other rooms than at the last look.
    pub(super) is_news: bool,
    /// Since when two relays believe to have a room.
    two: Vec<Option<u64>>,
    /// When each room was last without help: its relay or the directory out of reach of the other.
    disturbed: Vec<u64>,
    /// Since when somebody is without its party.
    alone: Vec<Option<u64>>,
    /// Since when a relay has members of a room that the directory says is another's.
    strays: BTreeMap<(usize, RoomHash), u64>,
}

impl Checks {
    pub(super) fn new(halls: usize, peers: usize) -> Self {
        Checks {
            bridges: vec![None; halls],
            fences: vec![None; halls],
            is_news: true,
            two: vec![None; halls],
            disturbed: vec![0; halls],
            alone: vec![None; peers],
            strays: BTreeMap::new(),
        }
    }
}

impl Fleets {
    /// After each step. Who owns what changes only where a relay's part in the fleet was called; what else costs more is looked at
    /// less often.
    pub(super) fn check(&mut self) {
        let is_news = std::mem::take(&mut self.checks.is_news);
        if is_news || self.checks.two.iter().any(Option::is_some) {
            self.check_owners();
        }
        if self.now.is_multiple_of(100) {
            self.check_parties();
        }
        if self.now.is_multiple_of(500) {
            self.check_the_directory();
        }
    }

    /// A relay is about to let somebody in, or says that somebody is there.
    pub(super) fn check_a_fence(&mut self, number: usize, hall: usize, fence: Fence) {
        let at = self.relays[number].at;
        let highest = self.checks.fences[hall].get_or_insert((fence, at));
        if fence > highest.0 {
            *highest = (fence, at);
        }
        assert!(
            fence != highest.0 || highest.1 == at,
            "room {hall} is at {at:?} and at {:?} by the same fence {fence}",
            highest.1
        );
    }

    pub(super) fn check_the_queue(&mut self, number: usize, waited: u64) {
        self.tally.longest_queue = self.tally.longest_queue.max(waited);
        assert!(
            waited <= QUEUE,
            "somebody has waited {waited} ms for a handshake with relay {number}: a herd"
        );
    }

    pub(super) fn check_a_welcome(&mut self, number: usize, place: &Place) {
        let peer = &self.peers[number];
        assert!(
            !peer.is_intruder,
            "somebody with another room's key came into room {} at {:?}",
            peer.hall, place.at
        );
    }

    /// A gateway has come in somewhere.
    pub(super) fn note_a_bridge(&mut self, number: usize) {
        let peer = &self.peers[number];
        let Some(place) = &peer.place else { return };
        let (at, fence) = (place.at, place.fence);
        let before = self.checks.bridges[peer.hall];
        assert!(
            before.is_none_or(|before| fence >= before.fence),
            "the gateway of room {} goes back to a lower fence: {before:?}, now {at:?} by {fence}",
            peer.hall
        );
        let same = before.filter(|before| before.at == at);
        self.checks.bridges[peer.hall] = Some(Bridge {
            at,
            fence,
            since: same.map_or(self.now, |before| before.since),
        });
    }

    /// From now on it counts for who lost its link, and for all whose gateway did.
    pub(super) fn note_a_broken_link(&mut self, number: usize) {
        self.checks.alone[number] = Some(self.now);
        if self.peers[number].is_gateway {
            self.checks.disturbed[self.peers[number].hall] = self.now;
        }
    }

    /// A frame comes out at somebody's port.
    pub(super) fn check_a_frame(&self, at: At, from: usize, to: usize) {
        let (from, to) = (&self.peers[from], &self.peers[to]);
        assert_eq!(from.hall, to.hall, "a frame goes to another room");
        let Some(bridge) = self.checks.bridges[from.hall] else {
            assert!(!to.is_gateway, "it was never in");
            return;
        };
        if to.is_gateway {
            assert_eq!(
                at, bridge.at,
                "a frame crosses to the LAN of room {} by a relay that its gateway has left",
                from.hall
            );
            return;
        }
        if from.is_gateway {
            assert!(
                at == bridge.at || self.now < bridge.since + NOT_GIVEN_UP,
                "a frame comes from the LAN of room {} by a relay that its gateway has left",
                from.hall
            );
            return;
        }
        let fence = to.place.as_ref().map(|place| place.fence);
        let is_late = fence.is_some_and(|fence| fence < bridge.fence) && at != bridge.at;
        assert!(
            !is_late || self.now < bridge.since + LEFT_BEHIND,
            "players of room {} talk at {at:?} since their gateway went to {bridge:?}",
            from.hall
        );
    }

    /// A room has one owner, but for the moment in which it changes hands.
    fn check_owners(&mut self) {
        let is_in = |relay: &&Relay| relay.is_awake() && relay.fleet.standing() == Standing::In;
        let relays: Vec<_> = self.relays.iter().filter(is_in).collect();
        for number in 0..self.halls.len() {
            let hash = self.halls[number].hash;
            let owned = |relay: &&Relay| Some((relay.at, relay.fleet.fence_of(&hash)?));
            let owners: Vec<_> = relays.iter().filter_map(owned).collect();
            if owners.len() < 2 {
                self.checks.two[number] = None;
                continue;
            }
            let since = *self.checks.two[number].get_or_insert(self.now);
            assert!(
                self.now - since <= HANDING_OVER,
                "room {number} has been at two relays for {} ms: {owners:?}",
                self.now - since
            );
        }
    }

    /// Who should have its party has it, or will soon.
    fn check_parties(&mut self) {
        if self.now < BEGIN {
            return;
        }
        let is_one_well = self.relays.iter().any(|relay| {
            relay.is_awake() && !relay.is_cut && relay.fleet.standing() == Standing::In
        });
        if self.faults.is_directory_away || !is_one_well {
            self.faults.disturbed = self.now;
        }
        self.note_who_is_cut_off();
        for number in 0..self.peers.len() {
            if self.peers[number].is_intruder {
                continue;
            }
            if self.is_in_its_party(number) {
                self.checks.alone[number] = None;
                continue;
            }
            let hall = self.peers[number].hall;
            let since = *self.checks.alone[number].get_or_insert(self.now);
            let since = since
                .max(self.faults.disturbed)
                .max(self.checks.disturbed[hall]);
            let alone = self.now - since;
            self.tally.longest_alone = self.tally.longest_alone.max(alone);
            assert!(
                alone <= ALONE,
                "{} has been without its party for {alone} ms",
                self.who(number)
            );
        }
    }

    /// Where the relay of a room hears nothing of the directory, nobody can help who is elsewhere.
    fn note_who_is_cut_off(&mut self) {
        for relay in self.relays.iter().filter(|relay| relay.is_cut) {
            for (number, hall) in self.halls.iter().enumerate() {
                let gateway = self.peers[hall.gateway].place.as_ref();
                let is_there = gateway.is_some_and(|place| place.at == relay.at);
                if is_there || relay.fleet.fence_of(&hall.hash).is_some() {
                    self.checks.disturbed[number] = self.now;
                }
            }
        }
    }

    /// Its gateway and itself are in one room of one relay that runs.
    fn is_in_its_party(&self, number: usize) -> bool {
        let gateway = self.halls[self.peers[number].hall].gateway;
        let is_in = |number: usize| {
            let place = self.peers[number].place.as_ref();
            let place = place.filter(|place| !place.is_broken && self.speaks(place.at))?;
            let seated = self.relays[place.at.relay].seated[number];
            (seated == place.link.number).then_some((place.at, place.seat.room))
        };
        let here = is_in(number);
        here.is_some() && here == is_in(gateway)
    }

    fn who(&self, number: usize) -> String {
        let peer = &self.peers[number];
        let gateway = &self.peers[self.halls[self.peers[number].hall].gateway];
        let place = |place: &Option<Place>| {
            let place = place.as_ref();
            place.map(|place| (place.at, place.fence, place.is_broken))
        };
        format!(
            "{} {number} of room {} at {:?}, whose gateway is at {:?} and has {}, ",
            if peer.is_gateway {
                "the gateway"
            } else {
                "player"
            },
            peer.hall,
            place(&peer.place),
            place(&gateway.place),
            peer.state(),
        )
    }

    /// What the directory says and where people are agree, and codes are kept for those whose they are.
    fn check_the_directory(&mut self) {
        let mut strays = BTreeMap::new();
        for number in 0..RELAYS {
            let relay = &self.relays[number];
            if !relay.is_awake() || relay.is_cut || relay.fleet.standing() != Standing::In {
                continue;
            }
            let own = relay.fleet.id().to_string();
            for &room in relay.here.keys() {
                let owner = self.model.value(format!("rooms/{room}").as_bytes());
                let is_others = owner
                    .is_some_and(|owner| !String::from_utf8_lossy(owner).contains(own.as_str()));
                if is_others && !self.faults.is_directory_away {
                    let since = self.checks.strays.get(&(number, room)).copied();
                    let since = since.unwrap_or(self.now);
                    strays.insert((number, room), since);
                    assert!(
                        self.now - since <= STRAYS,
                        "relay {number} has had members of a room for {} ms that is another's",
                        self.now - since
                    );
                }
            }
        }
        self.checks.strays = strays;
        for (number, hall) in self.halls.iter().enumerate() {
            let claim = self
                .model
                .value(format!("claims/{}", hall.hash_text).as_bytes());
            let host = hall.host.to_string();
            assert!(
                claim.is_none_or(|claim| String::from_utf8_lossy(claim).contains(host.as_str())),
                "a stranger has the claim of room {number}"
            );
        }
    }

    /// In the end everybody is there.
    pub(super) fn check_the_end(&mut self) {
        for number in 0..self.peers.len() {
            let is_whole = self.peers[number].is_intruder || self.is_in_its_party(number);
            assert!(
                is_whole,
                "in the end {} is without its party",
                self.who(number)
            );
        }
        assert!(self.sabotage == Sabotage::None || self.tally.frames > 0);
    }
}
