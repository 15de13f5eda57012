//! What an operator sees of the fleet.

use super::room::State;
use super::{Fleet, Standing};
use crate::card::Card;
use crate::name::{Fence, RelayId, RoomHash};
use std::time::{Duration, Instant};

/// What was counted since the start; each only grows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Requests to the directory.
    pub requests: u64,
    /// Of these, how many got no answer in time.
    pub unanswered: u64,
    /// What the directory told by itself.
    pub events: u64,
    /// How often it could not be heard.
    pub deaf: u64,
    /// Keys and values there that no relay writes.
    pub garbage: u64,
    /// How often it was silent for nearly as long as a lease lasts.
    pub fenced: u64,
    /// Leases of this relay's that it has ended.
    pub leases_lost: u64,
    /// Claims of rooms.
    pub claims: u64,
    /// Of these, how many this relay got.
    pub won: u64,
    /// And how many another had.
    pub lost: u64,
    /// Hellos that found their room here.
    pub here: u64,
    /// Hellos that were sent to another relay.
    pub redirected: u64,
    /// Hellos that got no answer.
    pub refused: u64,
    /// Rooms offered to other relays.
    pub offers: u64,
    /// Of these, how many were taken.
    pub moved: u64,
    /// Rooms that went to another relay in any way.
    pub gone: u64,
}

/// A relay of the fleet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayRow {
    /// Which run of it.
    pub id: RelayId,
    /// It is the one that is asked.
    pub is_self: bool,
    /// What it says of itself.
    pub card: Card,
    /// How many rooms the directory says it has.
    pub rooms: usize,
}

/// A room of this relay's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomRow {
    /// Which.
    pub room: RoomHash,
    /// By which fence it is here; none while it is claimed.
    pub fence: Option<Fence>,
    /// To whom it is going, or has gone.
    pub to: Option<String>,
}

impl Fleet {
    /// How this relay stands.
    pub fn standing(&self) -> Standing {
        self.standing
    }

    /// This run of this relay.
    pub fn id(&self) -> RelayId {
        self.settings.id
    }

    /// How long ago the lease was kept alive; none without one.
    pub fn lease_age(&self, now: Instant) -> Option<Duration> {
        self.lease.age(now)
    }

    /// Whether it takes no new rooms.
    pub fn is_draining(&self) -> bool {
        self.draining
    }

    /// Whether it is late, and gets new rooms only where all relays are.
    pub fn is_slow(&self) -> bool {
        self.overload.is_slow()
    }

    /// Whether new rooms may go here, as this relay says of itself: it is in, does not drain and has places.
    pub fn takes_rooms(&self, now: Instant) -> bool {
        self.standing == Standing::In && self.wanted_card(now).takes_rooms()
    }

    /// What was counted.
    pub fn counts(&self) -> Counts {
        Counts {
            garbage: self.view.garbage,
            ..self.counts
        }
    }

    /// The fence by which a room is here.
    pub fn fence_of(&self, room: &RoomHash) -> Option<Fence> {
        match &self.rooms.get(room)?.state {
            State::Held(held) => Some(held.fence),
            _ => None,
        }
    }

    /// How many relays there are, this one among them: one at least.
    pub fn size(&self) -> usize {
        let own = self.view.relays.contains_key(&self.settings.id);
        self.view.relays.len() + usize::from(!own)
    }

    /// Relays to whom peers may be sent, at most `most`; of these they measure round trips.
    pub fn given_out(&self, most: usize) -> Vec<Card> {
        let ready = self.view.relays.values();
        let ready = ready.filter(|card| card.ready && card.takes_rooms());
        ready.take(most).cloned().collect()
    }

    /// All relays, in the order of their ids.
    pub fn relays(&self) -> Vec<RelayRow> {
        let mut rooms = std::collections::HashMap::<RelayId, usize>::new();
        for owned in self.view.rooms.values() {
            *rooms.entry(owned.relay).or_default() += 1;
        }
        let rows = self.view.relays.iter().map(|(&id, card)| RelayRow {
            id,
            is_self: id == self.settings.id,
            card: card.clone(),
            rooms: rooms.get(&id).copied().unwrap_or_default(),
        });
        rows.collect()
    }

    /// All rooms of this relay, in the order of their hashes.
    pub fn rooms(&self) -> Vec<RoomRow> {
        let mut rows: Vec<_> = self
            .rooms
            .iter()
            .map(|(&room, ours)| {
                let (fence, to) = match &ours.state {
                    State::Held(held) => (Some(held.fence), None),
                    State::Leaving(gone) => (Some(gone.fence), Some(gone.to.address.to_string())),
                    State::Claiming(_) | State::Failed { .. } => (None, None),
                };
                RoomRow { room, fence, to }
            })
            .collect();
        rows.sort_unstable_by_key(|row| row.room);
        rows
    }
}
