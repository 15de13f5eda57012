//! Keys of this relay's that shall go: of rooms that it does not have any more, and of offers that nobody took.
//!
//! They go when the directory can be asked, however long that takes: a room's key that stays would send its players here,
//! and an offer's would have another relay take a room that is no more to leave.

use super::room::State;
use super::{Fleet, Purpose};
use crate::card::Move;
use crate::directory::{Answer, Request, Write};
use crate::key::Key;
use crate::name::{RelayId, RoomHash};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// So many are being deleted at once.
const MAX_ASKED: usize = 64;
/// What failed is tried again after that time.
const AGAIN: Duration = Duration::from_millis(500);

/// Rooms of which something may be there that shall not.
#[derive(Debug, Default)]
pub(super) struct Strays {
    next: BTreeSet<RoomHash>,
    later: BTreeSet<(Instant, RoomHash)>,
    asked: usize,
}

impl Strays {
    /// It is looked whether anything of this room is there that shall not.
    pub(super) fn add(&mut self, room: RoomHash) {
        self.next.insert(room);
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.later.first().map(|&(at, _)| at)
    }
}

impl Fleet {
    pub(super) fn look_at_strays(&mut self, now: Instant) {
        while let Some(&(at, room)) = self.strays.later.first()
            && at <= now
        {
            self.strays.later.pop_first();
            self.strays.add(room);
        }
        while self.strays.asked < MAX_ASKED
            && self.lease.live(now).is_some()
            && self.agreement.is_known()
            && let Some(room) = self.strays.next.pop_first()
        {
            self.forget(now, room);
        }
    }

    /// Has the directory not say any more what it still says of a room, as far as this relay hears, and should not.
    fn forget(&mut self, now: Instant, room: RoomHash) {
        let (owned, offered) = (self.view.rooms.get(&room), self.view.moves.get(&room));
        let owned = owned.filter(|owned| owned.relay == self.settings.id && !self.wants(room));
        let offered = offered.filter(|(offer, _)| self.is_withdrawn(room, offer));
        let (key, revision) = match (owned, offered) {
            (Some(owned), _) => (Key::Room(room), owned.revision),
            (None, Some(&(_, revision))) => (Key::Move(room), revision),
            (None, None) => return,
        };
        let Some(guards) = self.guards(key, self.heard(revision)) else {
            // What was heard of is another directory's than this one; what is in this one is heard soon.
            self.strays.later.insert((now + AGAIN, room));
            return;
        };
        let deletes = match key {
            Key::Room(_) => vec![key.bytes(), Key::Move(room).bytes()],
            _ => vec![key.bytes()],
        };
        let write = Write {
            guards,
            puts: Vec::new(),
            deletes,
        };
        self.strays.asked += 1;
        self.request(Purpose::Forget(key), Request::Write(write));
    }

    /// Whether this relay has a room, or is about to.
    fn wants(&self, room: RoomHash) -> bool {
        let state = self.rooms.get(&room).map(|ours| &ours.state);
        matches!(state, Some(State::Held(_) | State::Claiming(_)))
    }

    /// Whether this relay has made an offer, and it does not count any more.
    pub(super) fn is_withdrawn(&self, room: RoomHash, offer: &Move) -> bool {
        offer.from == self.settings.id && self.is_offered_to(room) != Some(offer.to)
    }

    fn is_offered_to(&self, room: RoomHash) -> Option<RelayId> {
        let moving = self.rooms.get(&room)?.moving.as_ref();
        moving.map(|moving| moving.to)
    }

    pub(super) fn forgotten(&mut self, now: Instant, key: Key, answer: Answer) {
        self.strays.asked -= 1;
        let (Key::Room(room) | Key::Move(room)) = key else {
            return;
        };
        match answer {
            Answer::Written { revision } => {
                self.view.delete(key, revision);
                self.strays.add(room);
            }
            // What is there is heard soon, and then it is looked again.
            _ => {
                self.strays.later.insert((now + AGAIN, room));
            }
        }
    }
}
