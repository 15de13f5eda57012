//! Whose turn it is: those that send little before those that send much, and those evenly (deficit round robin, RFC 8290).
//!
//! People take turns like that, and among the frames of each of them its flows.

use super::lane::Waiting;
use super::{MOST_AHEAD, PAUSE, QUANTUM, SMALL_SHARE, Seen};
use foldhash::fast::RandomState;
use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::time::Instant;

/// What waits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) bytes: usize,
    pub(super) frames: usize,
}

impl Held {
    /// How much memory that takes, where each frame has so many bytes beside its own.
    pub(super) fn memory(self, beside: usize) -> usize {
        self.bytes + self.frames * beside
    }

    /// Of which something has gone.
    fn follow(&mut self, before: Held, after: Held) {
        self.bytes -= before.bytes - after.bytes;
        self.frames -= before.frames - after.frames;
    }
}

/// Who takes turns, and has frames.
pub(super) trait Member {
    type Frame;

    fn share(&mut self) -> &mut Share;

    fn held(&self) -> Held;

    /// The next frame, if all that is left does not have to be thrown away.
    fn next(&mut self, now: Instant, seen: &mut Seen) -> Option<Waiting<Self::Frame>>;
}

/// Where a member stands. It is in one of the lists that have turns or, if it has sent little, paused and begun again,
/// for a while in both. What it owes outlives a pause that is too short to earn it: else whoever sends no faster
/// than the queue is emptied would send little again with each frame.
#[derive(Debug)]
pub(super) struct Share {
    /// What it may send before the others have their turn; and since when that holds.
    deficit: f64,
    credited: Instant,
    /// Who sends less, in bytes a second, sends little however many others there are.
    rate: f64,
    is_sparse: bool,
    is_bulk: bool,
    has_paused: bool,
}

impl Share {
    pub(super) fn new(now: Instant, rate: f64) -> Self {
        Share {
            deficit: QUANTUM,
            credited: now,
            rate,
            is_sparse: false,
            is_bulk: false,
            has_paused: false,
        }
    }

    /// Whether so many bytes of it go before those of the ones that send much.
    pub(super) fn may_send_first(&self, bytes: usize) -> bool {
        self.is_sparse && bytes as f64 <= self.deficit
    }

    pub(super) fn is_sparse(&self) -> bool {
        self.is_sparse
    }

    pub(super) fn spend(&mut self, len: usize) {
        self.deficit -= len as f64;
    }

    /// Who begins again gets what somebody may send who sends little.
    fn credit_pause(&mut self, now: Instant) {
        if self.deficit < QUANTUM {
            let pause = now.saturating_duration_since(self.credited).as_secs_f64();
            self.deficit = QUANTUM.min(self.deficit + pause * self.rate);
        }
    }
}

/// Members by their keys, and the lists of those that have turns.
#[derive(Debug)]
pub(super) struct Rotation<K, M> {
    members: HashMap<K, M, RandomState>,
    // Those that send little, served first; and those that have used up their quantum or paused.
    sparse: VecDeque<K>,
    bulk: VecDeque<K>,
    /// Those that have paused, and when to look whether they still do.
    paused: VecDeque<(Instant, K)>,
    /// Bytes that have gone before bulk, which has its share of that to come.
    ahead: usize,
    held: Held,
}

impl<K: Copy + Eq + Hash, M: Member> Rotation<K, M> {
    pub(super) fn new() -> Self {
        Rotation {
            members: HashMap::default(),
            sparse: VecDeque::new(),
            bulk: VecDeque::new(),
            paused: VecDeque::new(),
            ahead: 0,
            held: Held::default(),
        }
    }

    pub(super) fn held(&self) -> Held {
        self.held
    }

    pub(super) fn len(&self) -> usize {
        self.members.len()
    }

    pub(super) fn contains(&self, key: K) -> bool {
        self.members.contains_key(&key)
    }

    /// Whether somebody has a turn who sends little.
    pub(super) fn has_sparse(&self) -> bool {
        !self.sparse.is_empty()
    }

    pub(super) fn has_bulk(&self) -> bool {
        !self.bulk.is_empty()
    }

    /// Whether those that send little have gone first for long enough.
    pub(super) fn bulk_is_due(&self) -> bool {
        self.ahead >= MOST_AHEAD && self.has_bulk()
    }

    /// So many bytes have gone before bulk.
    pub(super) fn note_ahead(&mut self, len: usize) {
        self.ahead = MOST_AHEAD.min(self.ahead + len);
    }

    /// Changes a member, which is made if there is none, and puts it into the list that it belongs to.
    pub(super) fn enter<R>(
        &mut self,
        now: Instant,
        key: K,
        make: impl FnOnce() -> M,
        push: impl FnOnce(&mut M) -> R,
    ) -> R {
        let member = self.members.entry(key).or_insert_with(make);
        let before = member.held();
        let share = member.share();
        // Whoever sends little pauses after each frame, and stays so as long as it stays within its quantum.
        if before.frames == 0 {
            share.credit_pause(now);
            if !share.is_sparse && share.deficit > 0.0 {
                share.is_sparse = true;
                self.sparse.push_back(key);
            } else if !share.is_sparse && !share.is_bulk {
                share.is_bulk = true;
                self.bulk.push_back(key);
            }
        }
        share.credited = now;
        let pushed = push(member);
        let after = member.held();
        self.held.bytes += after.bytes - before.bytes;
        self.held.frames += after.frames - before.frames;
        pushed
    }

    /// Changes a member that may lose frames by it; `None` when there is none.
    pub(super) fn change<R>(&mut self, key: K, change: impl FnOnce(&mut M) -> R) -> Option<R> {
        let member = self.members.get_mut(&key)?;
        let before = member.held();
        let changed = change(member);
        self.held.follow(before, member.held());
        Some(changed)
    }

    /// The same for all of them.
    pub(super) fn change_all(&mut self, mut change: impl FnMut(&mut M)) {
        for member in self.members.values_mut() {
            let before = member.held();
            change(member);
            self.held.follow(before, member.held());
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (K, &M)> {
        self.members.iter().map(|(&key, member)| (key, member))
    }

    /// The next frame of anybody's.
    pub(super) fn pop(&mut self, now: Instant, seen: &mut Seen) -> Option<Waiting<M::Frame>> {
        loop {
            let next = match self.has_sparse() && !self.bulk_is_due() {
                true => self.pop_sparse(now, seen),
                false if !self.has_bulk() => return None,
                false => self.pop_bulk(now, seen),
            };
            if next.is_some() {
                return next;
            }
        }
    }

    /// The next frame of those that send little.
    pub(super) fn pop_sparse(
        &mut self,
        now: Instant,
        seen: &mut Seen,
    ) -> Option<Waiting<M::Frame>> {
        while let Some(&key) = self.sparse.front() {
            if let Some(next) = self.take_turn(now, key, seen) {
                self.note_ahead(next.len);
                return Some(next);
            }
            self.sparse.pop_front();
            let member = member(&mut self.members, key);
            let is_empty = member.held().frames == 0;
            let share = member.share();
            share.is_sparse = false;
            if is_empty {
                self.note_pause(now, key);
            } else if !share.is_bulk {
                share.is_bulk = true;
                self.bulk.push_back(key);
            }
        }
        None
    }

    /// The next frame of the first one that sends much; without one its turn is over, and it may be somebody else's.
    pub(super) fn pop_bulk(&mut self, now: Instant, seen: &mut Seen) -> Option<Waiting<M::Frame>> {
        let key = *self.bulk.front()?;
        let share = member(&mut self.members, key).share();
        if share.is_sparse {
            // It has begun again and has its turn there; after that it comes to the end here.
            self.bulk.pop_front();
            share.is_bulk = false;
            return None;
        }
        if let Some(next) = self.take_turn(now, key, seen) {
            self.ahead = self.ahead.saturating_sub(next.len * SMALL_SHARE);
            return Some(next);
        }
        self.bulk.pop_front();
        let member = member(&mut self.members, key);
        let is_empty = member.held().frames == 0;
        let share = member.share();
        if is_empty {
            share.is_bulk = false;
            // The rest of its turn is lost, else it would send little with that.
            share.deficit = share.deficit.min(0.0);
            self.note_pause(now, key);
        } else {
            share.deficit += QUANTUM;
            self.bulk.push_back(key);
        }
        None
    }

    /// A frame of this one's, if it may send one more.
    fn take_turn(&mut self, now: Instant, key: K, seen: &mut Seen) -> Option<Waiting<M::Frame>> {
        let member = member(&mut self.members, key);
        if member.share().deficit <= 0.0 {
            return None;
        }
        let before = member.held();
        let next = member.next(now, seen);
        self.held.follow(before, member.held());
        if let Some(next) = &next {
            member.share().spend(next.len);
        }
        next
    }

    fn note_pause(&mut self, now: Instant, key: K) {
        let share = member(&mut self.members, key).share();
        if !std::mem::replace(&mut share.has_paused, true) {
            self.paused.push_back((now + PAUSE, key));
        }
    }

    /// Forgets those that have paused for so long that they are like new ones.
    pub(super) fn forget_paused(&mut self, now: Instant) {
        while let Some(&(_, key)) = self.paused.front().filter(|(until, _)| *until <= now) {
            self.paused.pop_front();
            let share = member(&mut self.members, key).share();
            share.has_paused = false;
            if share.is_sparse || share.is_bulk {
                continue;
            }
            if now >= share.credited + PAUSE {
                self.members.remove(&key);
            } else {
                self.note_pause(now, key);
            }
        }
    }

    #[cfg(test)]
    pub(super) fn is_forgotten(&self) -> bool {
        self.members.is_empty()
            && self.paused.is_empty()
            && self.sparse.is_empty()
            && self.bulk.is_empty()
    }
}

fn member<K: Eq + Hash, M>(members: &mut HashMap<K, M, RandomState>, key: K) -> &mut M {
    let member = members.get_mut(&key);
    member.expect("who has a turn is there")
}
