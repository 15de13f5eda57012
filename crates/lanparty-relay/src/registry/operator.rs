//! What the relay's operator may see and want while it runs.

use super::{GuessLimits, Limits, Registry, Seat};
use crate::room::{Departure, Rates};
use lanparty_ctrl::{LeaveReason, RoomCode};
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

    /// Takes in nobody new from now on; members who lost their link come back.
    pub fn drain_gently(&mut self) {
        self.admits = self.admits.max(super::Admits::Members);
    }

    /// True when nobody new comes in and nobody is left.
    pub fn is_drained(&self) -> bool {
        self.admits != super::Admits::All && self.peers == 0
    }

    /// Takes on so much from now on. Who is here stays, also where there are more than that.
    pub fn set_limits(&mut self, now: Instant, limits: Limits, rates: Rates, guesses: GuessLimits) {
        self.limits = limits;
        self.claims.set_capacity(2 * limits.rooms);
        self.joins.set_limits(limits.joins);
        self.guesses.set_limits(guesses);
        if self.rates != rates {
            self.rates = rates;
            for room in self.rooms.values_mut() {
                room.set_rates(now, rates);
            }
        }
    }
}
