//! This relay's rooms: claimed, held, put back, lost.

use super::{Asker, Fleet, Located, Lost, Output, Purpose, Refusal};
use crate::card::{Card, Value};
use crate::directory::{Answer, Found, Guard, LeaseId, Put, Request, Revision, Write};
use crate::key::Key;
use crate::name::{Fence, RelayId, RoomHash};
use crate::placement::Distances;
use std::time::{Duration, Instant};

/// So many claims are under way at once.
const MAX_CLAIMING: usize = 64;
/// And so many wait.
const MAX_QUEUE: usize = 4096;
/// A claim that got no answer for so long has failed.
const CLAIM_PATIENCE: Duration = Duration::from_secs(2);
/// And is refused for so long.
const FAILED_FOR: Duration = Duration::from_secs(1);
/// A room that nobody entered is let go after that time.
const NEVER_OPENED: Duration = Duration::from_secs(10);
/// A room that all have left.
const CLOSED: Duration = Duration::from_secs(1);
/// An answer that did not come is asked for again.
pub(super) const AGAIN: Duration = Duration::from_millis(500);

#[derive(Debug)]
pub(super) struct Room {
    pub(super) state: State,
    /// It has members.
    pub(super) open: bool,
    /// Since when.
    pub(super) opened: Instant,
    /// When it is let go, unless it is open.
    idle_at: Instant,
    /// As its gateway has measured.
    pub(super) near: Distances,
    /// Its gateway has had its say in where it is.
    pub(super) placed: bool,
    pub(super) moving: Option<super::moves::Moving>,
}

#[derive(Debug)]
pub(super) enum State {
    Claiming(Claiming),
    Held(Held),
    Leaving(super::moves::Gone),
    Failed { until: Instant, why: Refusal },
}

#[derive(Debug)]
pub(super) struct Claiming {
    since: Instant,
    /// The revision that the room's key must have.
    expect: Revision,
    /// It was offered by its owner.
    offered: bool,
    asked: bool,
}

#[derive(Debug)]
pub(super) struct Held {
    pub(super) revision: Revision,
    pub(super) fence: Fence,
    /// Under which lease.
    lease: LeaseId,
    /// Being put back, where the key must have this revision.
    back: Option<Revision>,
    asked: bool,
}

impl Room {
    fn claiming(now: Instant, expect: Revision, offered: bool) -> Self {
        Room {
            state: State::Claiming(Claiming {
                since: now,
                expect,
                offered,
                asked: false,
            }),
            open: false,
            opened: now,
            idle_at: now + NEVER_OPENED,
            near: Distances::new(),
            placed: false,
            moving: None,
        }
    }

    /// What to write, if something is to be.
    fn wants(&self) -> Option<(Revision, bool)> {
        match &self.state {
            State::Claiming(claiming) if !claiming.asked => {
                Some((claiming.expect, claiming.offered))
            }
            State::Held(held) if !held.asked => held.back.map(|expect| (expect, false)),
            _ => None,
        }
    }

    fn set_asked(&mut self, is: bool) {
        match &mut self.state {
            State::Claiming(claiming) => claiming.asked = is,
            State::Held(held) => held.asked = is,
            State::Leaving(_) | State::Failed { .. } => {}
        }
    }

    fn expect(&mut self, revision: Revision) {
        match &mut self.state {
            State::Claiming(claiming) => claiming.expect = revision,
            State::Held(held) => held.back = Some(revision),
            State::Leaving(_) | State::Failed { .. } => {}
        }
    }
}

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
        let known = self.view.rooms.get(&room);
        let expect = known.map_or(Revision(0), |owned| owned.revision);
        let mut ours = Room::claiming(now, expect, false);
        ours.near = near;
        ours.placed = asker.gateway;
        self.enter(now, room, ours);
        Located::Ask
    }

    /// A room that its owner gives to this relay.
    pub(super) fn take_over(&mut self, now: Instant, room: RoomHash, expect: Revision) {
        self.enter(now, room, Room::claiming(now, expect, true));
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
        let Some(lease) = self.lease.live(now).filter(|_| self.epoch.is_some()) else {
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
            self.claiming += 1;
            self.counts.claims += 1;
            let write = Write {
                guard: Some(Guard {
                    key: Key::Room(room).bytes(),
                    revision: expect,
                }),
                puts: vec![Put {
                    key: Key::Room(room).bytes(),
                    value: self.settings.id.encode(),
                    lease: Some(lease),
                }],
                deletes: offered
                    .then(|| Key::Move(room).bytes())
                    .into_iter()
                    .collect(),
            };
            self.request(Purpose::Claim { room, lease }, Request::Write(write));
        }
    }

    pub(super) fn claimed(&mut self, now: Instant, room: RoomHash, lease: LeaseId, answer: Answer) {
        self.claiming -= 1;
        if let Some(ours) = self.rooms.get_mut(&room) {
            ours.set_asked(false);
        }
        match answer {
            Answer::Written { revision } => self.won(now, room, lease, revision),
            Answer::Refused { found: Some(found) } => self.not_won(now, room, lease, &found),
            Answer::Refused { found: None } => self.expect_and_queue(room, Revision(0)),
            Answer::Gone => {
                self.lease_lost(now, lease);
                self.queue.push_back(room);
            }
            _ => self.unknown(now, room, lease),
        }
        self.feed_queue(now);
    }

    /// It may have been written; the watch may know.
    fn unknown(&mut self, now: Instant, room: RoomHash, lease: LeaseId) {
        let known = self.view.rooms.get(&room);
        match known.filter(|owned| owned.relay == self.settings.id) {
            Some(owned) => self.won(now, room, lease, owned.revision),
            None => self.set_timer(now + AGAIN, room),
        }
    }

    fn won(&mut self, now: Instant, room: RoomHash, lease: LeaseId, revision: Revision) {
        self.view.own(room, self.settings.id, revision);
        let fence = self.fence(revision);
        let Some(ours) = self.rooms.get_mut(&room) else {
            return self.let_go(room, revision);
        };
        let held = Held {
            revision,
            fence,
            lease,
            back: None,
            asked: false,
        };
        match &mut ours.state {
            State::Held(before) => {
                let is_news = before.fence != fence;
                *before = held;
                if is_news {
                    self.outputs.push_back(Output::Refenced { room, fence });
                }
            }
            State::Claiming(_) | State::Failed { .. } => {
                ours.state = State::Held(held);
                self.outputs.push_back(Output::Settled(room));
            }
            State::Leaving(_) => return self.let_go(room, revision),
        }
        self.counts.won += 1;
        // The lease has changed meanwhile: once more.
        if self.lease.id() != Some(lease) {
            self.reclaim(room);
        }
        self.look_at_room(now, room);
    }

    fn not_won(&mut self, now: Instant, room: RoomHash, lease: LeaseId, found: &Found) {
        let Some(owner) = RelayId::decode(&found.value) else {
            return self.expect_and_queue(room, found.revision);
        };
        if owner == self.settings.id {
            return self.won(now, room, lease, found.revision);
        }
        self.counts.lost += 1;
        self.view.own(room, owner, found.revision);
        self.owner_changed(now, room);
    }

    fn expect_and_queue(&mut self, room: RoomHash, revision: Revision) {
        if let Some(ours) = self.rooms.get_mut(&room) {
            ours.expect(revision);
            self.queue.push_back(room);
        }
    }

    /// The directory names another owner of a room, or none any more.
    pub(super) fn owner_changed(&mut self, now: Instant, room: RoomHash) {
        let owned = self.view.rooms.get(&room).copied();
        let lease = self.lease.id();
        let Some(ours) = self.rooms.get(&room) else {
            // Ours by the directory, but not by us: an answer that came too late.
            if let Some(owned) = owned
                && owned.relay == self.settings.id
            {
                self.let_go(room, owned.revision);
            }
            return;
        };
        match (&ours.state, owned) {
            (State::Claiming(claiming), Some(owned))
                if owned.relay != self.settings.id
                    && owned.revision != claiming.expect
                    && !claiming.asked =>
            {
                self.rooms.remove(&room);
                self.outputs.push_back(Output::Settled(room));
            }
            // Revisions can be compared only with those of the directory that granted the lease.
            (State::Held(held), Some(owned))
                if owned.relay != self.settings.id
                    && (owned.revision > held.revision || lease != Some(held.lease)) =>
            {
                self.lost_to(now, room, owned.relay, owned.revision);
            }
            (State::Held(held), Some(owned)) if owned.revision > held.revision && !held.asked => {
                // Somebody wrote our name there; under our lease it is ours again.
                self.expect_and_queue(room, owned.revision);
            }
            (State::Held(held), None) if !held.asked && lease == Some(held.lease) => {
                self.expect_and_queue(room, Revision(0));
            }
            (State::Failed { .. }, Some(owned)) if owned.relay == self.settings.id => {
                self.let_go(room, owned.revision);
            }
            _ => {}
        }
    }

    /// A new view of everything: what is there no more, and what is there that is not ours.
    pub(super) fn compare_rooms(&mut self, now: Instant, revision: Revision, is_other: bool) {
        let mut all: Vec<RoomHash> = self.rooms.keys().copied().collect();
        let strays = self.view.rooms.iter();
        let strays = strays.filter(|(_, owned)| owned.relay == self.settings.id);
        all.extend(strays.map(|(&room, _)| room));
        all.sort_unstable();
        all.dedup();
        for room in all {
            let held = match self.rooms.get(&room).map(|ours| &ours.state) {
                Some(State::Held(held)) => Some(held.revision),
                _ => None,
            };
            // Written after the view was taken.
            if is_other || held.is_none_or(|held| held <= revision) {
                self.owner_changed(now, room);
            }
        }
    }

    /// There is a new lease: everything goes under it.
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
        let expect = known.map_or(Revision(0), |owned| owned.revision);
        let Some(ours) = self.rooms.get_mut(&room) else {
            return;
        };
        if matches!(&ours.state, State::Held(held) if self.lease.id() != Some(held.lease)) {
            ours.expect(expect);
        }
        self.queue.push_back(room);
    }

    /// The fleet agreed on another base of fences. What was written under a lease that is over has no revision to put on
    /// top of it: another directory counts anew, and may have given that very one to another relay.
    pub(super) fn refence_all(&mut self) {
        let epoch = self.epoch.unwrap_or_default();
        let lease = self.lease.id();
        for (&room, ours) in &mut self.rooms {
            if let State::Held(held) = &mut ours.state
                && held.back.is_none()
                && lease == Some(held.lease)
            {
                let fence = Fence::new(epoch, held.revision.0);
                if fence > held.fence {
                    held.fence = fence;
                    self.outputs.push_back(Output::Refenced { room, fence });
                }
            }
        }
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
        ours.open = false;
        ours.idle_at = now + CLOSED;
        self.set_timer(now + CLOSED, room);
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
            State::Held(held) if !ours.open && now >= ours.idle_at => {
                let revision = held.revision;
                self.rooms.remove(&room);
                self.let_go(room, revision);
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

    /// The directory shall not say any more that this room is here.
    pub(super) fn let_go(&mut self, room: RoomHash, revision: Revision) {
        let guard = Guard {
            key: Key::Room(room).bytes(),
            revision,
        };
        let write = Write {
            guard: Some(guard),
            puts: Vec::new(),
            deletes: vec![Key::Room(room).bytes(), Key::Move(room).bytes()],
        };
        self.request(Purpose::Forget, Request::Write(write));
    }

    /// The card of a relay that has a room.
    pub(super) fn card_of(&self, relay: RelayId) -> Option<Card> {
        self.view.relays.get(&relay).cloned()
    }
}
