//! Rooms that leave: offered to another relay, taken by it, and their members told.
//!
//! The owner writes to whom it gives a room; the other one, which alone may claim for itself, takes it with a write that
//! succeeds only while the owner still has it. Only when the directory says that the room is there are its members told,
//! so nobody finds a room where it is not yet.

use super::room::{Gone, Moving, State};
use super::{Fleet, Lost, Output, Purpose, Standing, Whom};
use crate::card::{Address, Card, Move, Value};
use crate::directory::{Answer, Put, Request, Write};
use crate::key::Key;
use crate::name::{Fence, RelayId, RoomHash};
use crate::trouble::Trouble;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// A relay that does not take a room in that time is not going to.
const OFFER: Duration = Duration::from_secs(2);
/// After so many relays did not, it is tried again later.
const OFFERS: usize = 3;
/// Then.
const LATER: Duration = Duration::from_secs(5);
/// Clients are told after the gateway.
const CLIENTS_AFTER: Duration = Duration::from_millis(300);
/// Whoever has not gone after that is out.
const EVICT_AFTER: Duration = Duration::from_secs(5);
/// So many rooms are offered at once.
const MAX_OFFERS: usize = 8;

/// Which rooms are to leave.
#[derive(Debug)]
pub(super) struct Leaving {
    queue: VecDeque<RoomHash>,
    next: Instant,
}

impl Leaving {
    pub(super) fn new(now: Instant) -> Self {
        Leaving {
            queue: VecDeque::new(),
            next: now,
        }
    }
}

impl Fleet {
    /// Rooms leave one after the other, and no new ones come. [`Output::Drained`] says when the last one has.
    pub fn drain(&mut self, now: Instant) {
        if self.draining {
            return;
        }
        self.draining = true;
        let mut all: Vec<_> = self.rooms.keys().copied().collect();
        all.sort_unstable();
        self.leaving.queue.extend(all);
        self.handle_timeout(now);
    }

    /// Takes rooms again; those that have left stay where they are.
    pub fn undrain(&mut self, now: Instant) {
        self.draining = false;
        self.drained = false;
        self.leaving.queue.clear();
        self.handle_timeout(now);
    }

    /// The relay ends now: nothing of it stays in the directory.
    pub fn leave(&mut self, now: Instant) {
        if let Some(lease) = self.lease.id() {
            self.request(Purpose::Idle, Request::Revoke { lease });
            self.lease.lost(now, lease);
        }
        self.standing = Standing::Left;
    }

    /// The newest room goes, so that those who have played longest stay.
    pub(super) fn shed_newest(&mut self, now: Instant) {
        let id = self.settings.id;
        let is_relief =
            |(&relay, card): (&RelayId, &Card)| relay != id && card.takes_rooms() && !card.slow;
        // Among relays that are late all the same a room would only go to and fro.
        if !self.view.relays.iter().any(is_relief) {
            return;
        }
        let held = self.rooms.iter().filter(|(_, ours)| {
            ours.open && ours.moving.is_none() && matches!(ours.state, State::Held(_))
        });
        let newest = held.max_by_key(|&(&room, ours)| (ours.opened, room));
        if let Some((&room, _)) = newest {
            self.send_away(now, room);
        }
    }

    /// A room is to leave as soon as its turn comes.
    pub(super) fn send_away(&mut self, now: Instant, room: RoomHash) {
        if !self.leaving.queue.contains(&room) {
            self.leaving.queue.push_back(room);
        }
        self.look_at_leaving(now);
    }

    pub(super) fn leaving_timeout(&self) -> Option<Instant> {
        self.may_offer().then_some(self.leaving.next)
    }

    /// Whether a room waits to leave, and may. Counted anew each time: rooms that are offered end in many ways.
    fn may_offer(&self) -> bool {
        let waits = self.standing == Standing::In && !self.leaving.queue.is_empty();
        waits && self.has_offers_left()
    }

    /// Those that hosts wish are not waited for by those that must leave.
    fn has_offers_left(&self) -> bool {
        let moving = self.rooms.values().filter_map(|ours| ours.moving.as_ref());
        let offered = moving.filter(|moving| moving.wished.is_none());
        offered.take(MAX_OFFERS).count() < MAX_OFFERS
    }

    pub(super) fn look_at_leaving(&mut self, now: Instant) {
        while now >= self.leaving.next
            && self.may_offer()
            && let Some(room) = self.leaving.queue.pop_front()
        {
            self.offer(now, room, Vec::new());
        }
        if self.draining && self.rooms.is_empty() && !self.drained {
            self.drained = true;
            self.outputs.push_back(Output::Drained);
        }
    }

    fn offer(&mut self, now: Instant, room: RoomHash, declined: Vec<RelayId>) {
        let own = self.wanted_card(now);
        let id = self.settings.id;
        let Some(ours) = self.rooms.get(&room).filter(|ours| ours.moving.is_none()) else {
            return;
        };
        if !matches!(ours.state, State::Held(_)) {
            // Not ours yet; its turn comes again.
            if matches!(ours.state, State::Claiming(_)) {
                self.leaving.queue.push_back(room);
                self.leaving.next = now + LATER.min(self.settings.pace * 10);
            }
            return;
        }
        if !ours.open {
            self.rooms.remove(&room);
            return self.strays.add(room);
        }
        let but: Vec<_> = declined.iter().copied().chain([id]).collect();
        let to = self.best(now, &own, &room, &ours.near, &but);
        let Some(to) = to.filter(|_| declined.len() < OFFERS) else {
            self.say(now, Trouble::NowhereToMove);
            self.leaving.queue.push_back(room);
            self.leaving.next = now + LATER;
            return;
        };
        if !self.offer_to(now, room, to, declined, None) {
            // A moment later this relay is fenced; until then it must not be the same room's turn again and again.
            self.leaving.queue.push_back(room);
            self.leaving.next = now + LATER;
            return;
        }
        self.leaving.next = now + self.settings.pace;
    }

    /// Offers a room that is held to this relay. False where this one cannot write now.
    pub(super) fn offer_to(
        &mut self,
        now: Instant,
        room: RoomHash,
        to: RelayId,
        declined: Vec<RelayId>,
        wished: Option<Address>,
    ) -> bool {
        let id = self.settings.id;
        let guards = match self.rooms.get(&room).map(|ours| &ours.state) {
            Some(State::Held(held)) => self.guards(Key::Room(room), held.stamp()),
            _ => None,
        };
        let (Some(lease), Some(guards)) = (self.lease.live(now), guards) else {
            return false;
        };
        let until = now + OFFER;
        let write = Write {
            guards,
            puts: vec![Put {
                key: Key::Move(room).bytes(),
                value: Move { from: id, to }.encode(),
                lease: Some(lease),
            }],
            deletes: Vec::new(),
        };
        self.request(Purpose::Offer(room), Request::Write(write));
        if let Some(ours) = self.rooms.get_mut(&room) {
            ours.moving = Some(Moving {
                to,
                until,
                declined,
                wished,
            });
        }
        self.counts.offers += 1;
        self.set_timer(until, room);
        true
    }

    pub(super) fn offer_written(&mut self, now: Instant, room: RoomHash, answer: Answer) {
        if !matches!(answer, Answer::Written { .. }) {
            self.look_at_move(now, room);
        }
    }

    /// An offer that nobody took goes to the next.
    pub(super) fn look_at_move(&mut self, now: Instant, room: RoomHash) {
        let Some(ours) = self.rooms.get_mut(&room) else {
            return;
        };
        let Some(mut moving) = ours.moving.take_if(|moving| now >= moving.until) else {
            return;
        };
        moving.declined.push(moving.to);
        self.strays.add(room);
        if let Some(relay) = moving.wished {
            self.outputs.push_back(Output::Stays { room, relay });
            if !self.draining {
                return;
            }
        }
        self.offer(now, room, moving.declined);
    }

    /// Somebody offers a room; perhaps to this relay.
    pub(super) fn offered(&mut self, now: Instant, room: RoomHash) {
        let Some(&(offer, _)) = self.view.moves.get(&room) else {
            return;
        };
        if self.is_withdrawn(room, &offer) {
            // Its answer has come after its time, or was lost.
            return self.strays.add(room);
        }
        let Move { from, to } = offer;
        let Some(owned) = self.view.rooms.get(&room).copied() else {
            return;
        };
        let is_for_us = to == self.settings.id && from != to && owned.relay == from;
        let takes = self.wanted_card(now).takes_rooms() && self.standing == Standing::In;
        if is_for_us && takes && !self.rooms.contains_key(&room) {
            self.take_over(now, room);
        }
    }

    /// Another relay has this room now.
    pub(super) fn lost_to(&mut self, now: Instant, room: RoomHash, relay: RelayId, fence: Fence) {
        let to = self.card_of(relay);
        self.holds.remove(&room);
        let Some(ours) = self.rooms.get_mut(&room) else {
            return;
        };
        if ours.moving.take().is_some() {
            self.counts.moved += 1;
        }
        self.counts.gone += 1;
        let Some(to) = to.filter(|_| ours.open) else {
            let was_open = ours.open;
            self.rooms.remove(&room);
            if was_open {
                let why = Lost::Elsewhere;
                self.outputs.push_back(Output::RoomLost { room, why });
            }
            return;
        };
        ours.state = State::Leaving(Gone {
            to: to.clone(),
            fence,
            clients_at: Some(now + CLIENTS_AFTER),
            evict_at: now + EVICT_AFTER,
        });
        self.set_timer(now + CLIENTS_AFTER, room);
        self.set_timer(now + EVICT_AFTER, room);
        let whom = Whom::Gateway;
        self.outputs.push_back(Output::Moved {
            room,
            to,
            fence,
            whom,
        });
    }

    pub(super) fn look_at_leaver(&mut self, now: Instant, room: RoomHash) {
        let Some(ours) = self.rooms.get_mut(&room) else {
            return;
        };
        let State::Leaving(gone) = &mut ours.state else {
            return;
        };
        if gone.clients_at.take_if(|at| now >= *at).is_some() {
            self.outputs.push_back(Output::Moved {
                room,
                to: gone.to.clone(),
                fence: gone.fence,
                whom: Whom::Clients,
            });
        }
        let over = now >= gone.evict_at;
        if over || !ours.open {
            let was_open = ours.open;
            self.rooms.remove(&room);
            if was_open {
                let why = Lost::Moved;
                self.outputs.push_back(Output::RoomLost { room, why });
            }
        }
    }
}
