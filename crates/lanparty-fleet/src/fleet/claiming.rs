//! This relay's rooms: claimed, held, put back, lost.

use super::agreement::Stamp;
use super::room::{Held, Room, State, Terms};
use super::{Asker, Fleet, Located, Lost, Output, Purpose, Refusal};
use crate::card::{Card, Value};
use crate::directory::{Answer, Found, Put, Request, Revision, Write};
use crate::key::Key;
use crate::name::{Fence, RelayId, RoomHash};
use crate::placement::Distances;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// So many claims are under way at once.
const MAX_CLAIMING: usize = 64;
/// And so many wait.
const MAX_QUEUE: usize = 4096;
/// A claim that got no answer for so long has failed.
const CLAIM_PATIENCE: Duration = Duration::from_secs(2);
/// And is refused for so long.
const FAILED_FOR: Duration = Duration::from_secs(1);
/// An answer that did not come is asked for again.
pub(super) const AGAIN: Duration = Duration::from_millis(500);

impl Fleet {
    /// A room becomes this relay's, if nobody was faster.
    pub(super) fn open(
        &mut self,
        now: Instant,
        room: RoomHash,
        asker: &Asker<'_>,
        near: Distances,
    ) -> Located {
        if self.queue.len() >= MAX_QUEUE {
            return Located::Refused(Refusal::Busy);
        }
        let mut ours = Room::claiming(now, self.heard_of(&room), false);
        ours.near = near;
        ours.placed = asker.gateway;
        self.enter(now, room, ours);
        Located::Ask
    }

    /// A room that its owner gives to this relay.
    pub(super) fn take_over(&mut self, now: Instant, room: RoomHash) {
        self.enter(now, room, Room::claiming(now, self.heard_of(&room), true));
    }

    fn enter(&mut self, now: Instant, room: RoomHash, ours: Room) {
        self.set_timer(ours.idle_at, room);
        self.set_timer(now + CLAIM_PATIENCE, room);
        self.rooms.insert(room, ours);
        self.queue.push_back(room);
        self.feed_queue(now);
    }

    /// Writes what waits to be written.
    pub(super) fn feed_queue(&mut self, now: Instant) {
        let (Some(lease), Some(base)) = (self.lease.live(now), self.agreement.base()) else {
            return;
        };
        while self.claiming < MAX_CLAIMING
            && let Some(room) = self.queue.pop_front()
        {
            let Some(ours) = self.rooms.get_mut(&room) else {
                continue;
            };
            let Some((expect, offered)) = ours.wants() else {
                continue;
            };
            ours.set_asked(true);
            // Where it was another directory's, the answer will tell what is in this one.
            let guards = self.guards(Key::Room(room), expect);
            let Some(guards) = guards.or_else(|| self.guards(Key::Room(room), Stamp::NONE)) else {
                return;
            };
            self.claiming += 1;
            self.counts.claims += 1;
            let offer = offered.then(|| Key::Move(room).bytes());
            let write = Write {
                guards,
                puts: vec![Put {
                    key: Key::Room(room).bytes(),
                    value: self.settings.id.encode(),
                    lease: Some(lease),
                }],
                deletes: offer.into_iter().collect(),
            };
            let terms = Terms { lease, base };
            self.request(Purpose::Claim(room, terms), Request::Write(write));
        }
    }

    pub(super) fn claimed(&mut self, now: Instant, room: RoomHash, terms: Terms, answer: Answer) {
        self.claiming -= 1;
        if let Some(ours) = self.rooms.get_mut(&room) {
            ours.set_asked(false);
        }
        match answer {
            Answer::Written { revision } => self.won(now, room, terms, revision),
            Answer::Refused { found } => self.refused(now, room, terms, &found),
            Answer::Gone => {
                self.lease_lost(now, terms.lease);
                self.queue.push_back(room);
            }
            _ => self.unknown(now, room),
        }
        self.feed_queue(now);
    }

    /// It may have been written; the watch may know. By which revision is told only by the answer to the next write.
    fn unknown(&mut self, now: Instant, room: RoomHash) {
        let known = self.view.rooms.get(&room);
        let is_ours = known.is_some_and(|owned| owned.relay == self.settings.id);
        let heard = self.heard_of(&room);
        if let Some(ours) = self.rooms.get_mut(&room).filter(|_| is_ours) {
            ours.expect(heard);
        }
        self.set_timer(now + AGAIN, room);
    }

    fn won(&mut self, now: Instant, room: RoomHash, terms: Terms, revision: Revision) {
        self.view.own(room, self.settings.id, revision);
        let fence = Fence::new(terms.base, revision.0);
        self.note_fence(fence);
        let Some(ours) = self.rooms.get_mut(&room) else {
            return self.strays.add(room);
        };
        let held = Held {
            revision,
            fence,
            terms,
            back: None,
            asked: false,
        };
        match &mut ours.state {
            // An answer that was overtaken by that to a later write.
            State::Held(before) if before.fence >= fence => return,
            State::Held(before) => {
                *before = held;
                self.outputs.push_back(Output::Refenced { room, fence });
            }
            State::Claiming(_) | State::Failed { .. } => {
                ours.state = State::Held(held);
                self.outputs.push_back(Output::Settled(room));
            }
            State::Leaving(_) => return self.strays.add(room),
        }
        self.counts.won += 1;
        // Something has changed meanwhile: once more.
        if !self.is_current(terms) {
            self.reclaim(room);
        }
        self.look_at_room(now, room);
    }

    /// Whether what is written under these terms is written to stay.
    fn is_current(&self, terms: Terms) -> bool {
        self.lease.id() == Some(terms.lease) && self.agreement.base() == Some(terms.base)
    }

    fn refused(&mut self, now: Instant, room: RoomHash, terms: Terms, found: &[Option<Found>]) {
        let (room_found, fleet_found) = match found {
            [room, fleet] => (room.as_ref(), fleet.as_ref()),
            _ => (None, None),
        };
        if !self.agreement.is_met_by(terms.base, fleet_found) {
            // Another directory, or this one with something else in it: what its room's key is says nothing yet.
            self.agreement.doubt(now);
            return self.set_timer(now + AGAIN, room);
        }
        let owner = room_found.and_then(|found| RelayId::decode(&found.value));
        let revision = room_found.map_or(Revision(0), |found| found.revision);
        match owner.filter(|&owner| owner != self.settings.id) {
            Some(owner) => self.not_won(now, room, terms, owner, revision),
            // Nobody's, or rubbish, or ours by a write whose answer was lost.
            None if room_found.is_none() => self.expect_and_queue(room, Stamp::NONE),
            None => {
                let base = Some(terms.base);
                self.expect_and_queue(room, Stamp { revision, base });
            }
        }
    }

    fn not_won(
        &mut self,
        now: Instant,
        room: RoomHash,
        terms: Terms,
        owner: RelayId,
        revision: Revision,
    ) {
        self.counts.lost += 1;
        self.view.own(room, owner, revision);
        match self.rooms.get(&room).map(|ours| &ours.state) {
            Some(State::Claiming(_) | State::Failed { .. }) => {
                self.rooms.remove(&room);
                self.outputs.push_back(Output::Settled(room));
            }
            Some(State::Held(held))
                if held.terms.base != terms.base || held.revision < revision =>
            {
                let fence = Fence::new(terms.base, revision.0);
                self.lost_to(now, room, owner, fence);
            }
            Some(State::Held(_) | State::Leaving(_)) | None => {}
        }
    }

    fn expect_and_queue(&mut self, room: RoomHash, stamp: Stamp) {
        if let Some(ours) = self.rooms.get_mut(&room) {
            ours.expect(stamp);
            self.queue.push_back(room);
        }
    }

    /// The directory names another owner of a room, or none any more.
    pub(super) fn owner_changed(&mut self, now: Instant, room: RoomHash) {
        let owned = self.view.rooms.get(&room).copied();
        let is_ours = owned.is_some_and(|owned| owned.relay == self.settings.id);
        let heard = self.view.fleet.as_ref().map(|fleet| fleet.base);
        let lease = self.lease.id();
        let state = self.rooms.get(&room).map(|ours| &ours.state);
        match (state, owned) {
            (Some(State::Claiming(claiming)), Some(owned))
                if !is_ours && owned.revision != claiming.expect.revision && !claiming.asked =>
            {
                self.rooms.remove(&room);
                self.outputs.push_back(Output::Settled(room));
            }
            (Some(State::Claiming(_)), _) => {}
            // Revisions can be compared only within one directory; in another one the answer to a write will tell.
            (Some(State::Held(held)), _) if heard != Some(held.terms.base) => {}
            (Some(State::Held(held)), Some(owned)) if owned.revision > held.revision => {
                if is_ours && !held.asked {
                    // Somebody wrote our name there; under our lease it is ours again.
                    self.expect_and_queue(room, self.heard(owned.revision));
                } else if !is_ours {
                    let fence = Fence::new(held.terms.base, owned.revision.0);
                    self.lost_to(now, room, owned.relay, fence);
                }
            }
            (Some(State::Held(held)), None) if !held.asked && lease == Some(held.terms.lease) => {
                self.expect_and_queue(room, Stamp::NONE);
            }
            (Some(State::Held(_)), _) => {}
            // Ours by the directory, but not by us: an answer that came too late.
            (Some(State::Failed { .. } | State::Leaving(_)) | None, _) if is_ours => {
                self.strays.add(room);
            }
            (Some(State::Failed { .. } | State::Leaving(_)) | None, _) => {}
        }
    }

    /// A new view of everything: what is there no more, and what is there that is not ours.
    pub(super) fn compare_rooms(&mut self, now: Instant) {
        let (id, view) = (self.settings.id, &self.view);
        let held_after = |ours: &Room| match &ours.state {
            State::Held(held) => held.revision > view.revision,
            _ => false,
        };
        // Those that were written after the view was taken are not in it yet.
        let ours = self.rooms.iter().filter(|(_, ours)| !held_after(ours));
        let strays = view.rooms.iter().filter(|(_, owned)| owned.relay == id);
        let rooms = ours.map(|(&room, _)| room);
        let rooms: BTreeSet<RoomHash> = rooms.chain(strays.map(|(&room, _)| room)).collect();
        let offers = view.moves.iter();
        let offers = offers.filter(|(_, (offer, _))| offer.from == id || offer.to == id);
        let offers: BTreeSet<RoomHash> = offers.map(|(&room, _)| room).collect();
        for room in rooms {
            self.owner_changed(now, room);
        }
        for room in offers {
            self.offered(now, room);
        }
    }

    /// There is a new lease, or another directory, or another base of fences: everything is written anew.
    pub(super) fn reclaim_all(&mut self) {
        let mut all: Vec<RoomHash> = self.rooms.keys().copied().collect();
        all.sort_unstable();
        for room in all {
            self.reclaim(room);
        }
    }

    fn reclaim(&mut self, room: RoomHash) {
        let known = self.view.rooms.get(&room);
        let known = known.filter(|owned| owned.relay == self.settings.id);
        let expect = known.map_or(Stamp::NONE, |owned| self.heard(owned.revision));
        let (lease, base) = (self.lease.id(), self.agreement.base());
        let is_current = |terms: Terms| lease == Some(terms.lease) && base == Some(terms.base);
        let Some(ours) = self.rooms.get_mut(&room) else {
            return;
        };
        if matches!(&ours.state, State::Held(held) if !is_current(held.terms)) {
            ours.expect(expect);
        }
        self.queue.push_back(room);
    }

    /// Rooms end with the directory.
    pub(super) fn close_all(&mut self) {
        let mut all: Vec<_> = self.rooms.drain().map(|(room, _)| room).collect();
        all.sort_unstable();
        for room in all {
            let why = Lost::NoDirectory;
            self.outputs.push_back(Output::RoomLost { room, why });
        }
        self.holds.clear();
    }

    pub(super) fn closed(&mut self, now: Instant, room: RoomHash) {
        let Some(ours) = self.rooms.get_mut(&room) else {
            return;
        };
        let idle_at = ours.close(now);
        self.set_timer(idle_at, room);
    }

    pub(super) fn look_at_rooms(&mut self, now: Instant) {
        while let Some(&(at, room)) = self.timers.first()
            && at <= now
        {
            self.timers.pop_first();
            self.look_at_room(now, room);
        }
    }

    fn look_at_room(&mut self, now: Instant, room: RoomHash) {
        let Some(ours) = self.rooms.get_mut(&room) else {
            return;
        };
        match &ours.state {
            State::Claiming(claiming) if now >= claiming.since + CLAIM_PATIENCE => {
                let offered = claiming.offered;
                let until = now + FAILED_FOR;
                let why = Refusal::NoDirectory;
                ours.state = State::Failed { until, why };
                self.set_timer(until, room);
                if !offered {
                    self.outputs.push_back(Output::Settled(room));
                }
            }
            State::Claiming(claiming) if !claiming.asked => self.queue.push_back(room),
            State::Failed { until, .. } if now >= *until => {
                self.rooms.remove(&room);
            }
            State::Held(_) if !ours.open && now >= ours.idle_at => {
                self.rooms.remove(&room);
                self.strays.add(room);
            }
            State::Held(held) => {
                let wants = held.back.is_some() && !held.asked;
                if wants {
                    self.queue.push_back(room);
                }
                self.look_at_move(now, room);
            }
            State::Leaving(_) => self.look_at_leaver(now, room),
            State::Claiming(_) | State::Failed { .. } => {}
        }
    }

    /// The card of a relay that has a room.
    pub(super) fn card_of(&self, relay: RelayId) -> Option<Card> {
        self.view.relays.get(&relay).cloned()
    }
}
