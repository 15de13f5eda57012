//! What the relay's operator may see and want while it runs.

use super::{Admits, GuessLimits, Limits, Registry, Seat};
use crate::room::{Departure, Rates, Room};
use lanparty_ctrl::{LeaveReason, Notice, NoticeKind, RoomCode};
use lanparty_proto::RoomId;
use std::time::Instant;

/// A room, seen from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomSummary {
    /// Its number.
    pub number: RoomId,
    /// Its code.
    pub code: RoomCode,
    /// True when it is for invited people.
    pub is_keyed: bool,
    /// True while its gateway is there.
    pub has_gateway: bool,
    /// How many clients are in it.
    pub clients: usize,
}

/// Nobody new is taken in, and the relay ends with the last player.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Draining {
    /// Or at this time, if there are some left.
    pub until: Option<Instant>,
}

impl<L: Clone> Registry<L> {
    /// The rooms, in the order of their numbers.
    pub fn summaries(&self) -> Vec<RoomSummary> {
        let rooms = self.names.iter().map(|(name, id)| RoomSummary {
            number: *id,
            code: name.code.clone(),
            is_keyed: name.host.is_some(),
            has_gateway: self.rooms[id].has_gateway(),
            clients: self.rooms[id].clients(),
        });
        let mut rooms: Vec<_> = rooms.collect();
        rooms.sort_by_key(|room| room.number);
        rooms
    }

    /// Sends a peer out; `None` when it is not there.
    pub fn expel(&mut self, place: Seat) -> Option<Departure<L>> {
        if let Some(mac) = self.peer(place)?.who.mac() {
            self.rooms.get_mut(&place.room)?.strike_off(mac);
        }
        self.leave(place, LeaveReason::Kicked)
    }

    /// Takes in nobody new from now on, until `end` at the latest; members who lost their link come back.
    pub fn drain_gently(&mut self, end: Option<Instant>) {
        self.admits = self.admits.max(Admits::Members);
        self.drained_at = end;
    }

    /// Takes people in again. False when it is too late for that: the relay ends.
    pub fn undrain(&mut self) -> bool {
        if self.admits == Admits::Nobody {
            return false;
        }
        self.admits = Admits::All;
        self.drained_at = None;
        true
    }

    /// How it drains, if it does.
    pub fn draining(&self) -> Option<Draining> {
        (self.admits != Admits::All).then_some(Draining {
            until: self.drained_at,
        })
    }

    /// Who is to hear how it drains, or that it does not any more, and what.
    pub fn drain_notices(&self, now: Instant) -> (Vec<L>, Notice) {
        let notice = match self.draining() {
            None => Notice::new(NoticeKind::Staying, 0),
            Some(Draining { until }) => Notice {
                seconds: until.map(|until| until.saturating_duration_since(now).as_secs()),
                ..Notice::new(NoticeKind::Draining, 0)
            },
        };
        let rooms = self.rooms.values();
        let links = rooms.flat_map(Room::who_hears_of_drains).cloned();
        (links.collect(), notice)
    }

    /// True when nobody new comes in and no player is left, or the time for that is over. Gateways alone keep no relay
    /// up: they come back by themselves.
    pub fn is_drained(&self, now: Instant) -> bool {
        let is_over = self.drained_at.is_some_and(|end| now >= end);
        let is_left = self.players() == 0 && !self.do_members_return(now);
        self.admits != Admits::All && (is_over || is_left)
    }

    /// True while members of the relay that was here before may be on their way back.
    pub(super) fn do_members_return(&self, now: Instant) -> bool {
        self.members_return_until.is_some_and(|until| now < until)
    }

    /// How many clients are on the relay.
    pub fn players(&self) -> usize {
        self.rooms.values().map(Room::clients).sum()
    }

    /// Takes on so much from now on. Who is here stays, also where there are more than that.
    pub fn set_limits(&mut self, now: Instant, limits: Limits, rates: Rates, guesses: GuessLimits) {
        self.limits = limits;
        self.claims.set_capacity(2 * limits.rooms);
        self.joins.set_limits(limits.joins);
        #[cfg(feature = "cluster-etcd")]
        self.claimants.set_rate(super::places::claims_from(&limits));
        self.guess_limits = guesses;
        self.guesses.set_limits(guesses.shared(self.guess_share));
        if self.rates != rates {
            self.rates = rates;
            for room in self.rooms.values_mut() {
                room.set_rates(now, rates);
            }
        }
    }
}
