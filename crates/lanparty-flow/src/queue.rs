//! Frames that wait for a link: short queues, fair between people first and their flows second, small ones before large
//! ones (FQ-CoDel, RFC 8290, on two levels as CAKE's host isolation). Pure.
//!
//! A link is shared by a game that sends a hundred bytes every 16 ms and by a file copy that sends all
//! it can. In one queue the game's frame waits behind the copy's; here each flow has its own queue, a
//! flow that sends little is served before those that send much, those share evenly, and one whose
//! frames have been waiting too long loses some, which is how TCP learns to send less.
//!
//! But whoever has many flows would have many shares, and a flow costs nothing: so people share first. Who sends little in
//! all goes before those who send much, a thousand flows of one person are one share, and when there is no room it is the
//! heaviest person's longest flow that loses. What goes before everybody's bulk although its sender sends much, a game
//! beside the same person's copy, is bounded.

mod lane;
mod person;
mod rotation;
#[cfg(test)]
mod tests;
mod waits;

use lane::Waiting;
use lanparty_obs::link::{QueueDrops, QueueStats};
use lanparty_proto::flow::Flow;
use person::{Flows, earlier};
use rotation::{Member as _, Rotation};
use std::collections::{BinaryHeap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

pub use person::Person;
pub use waits::WaitWindow;
pub use waits::Waited;

/// How many queues a person has at most (RFC 8290 §4.1.2). Flows that fall into the same one are one flow here;
/// which do is a secret, for strangers choose what flows there are.
const BUCKETS: u64 = 1024;
/// How many people have a place of their own; the others share one.
const MOST_PEOPLE: usize = 1024;
/// What a flow or person may send in its turn, in bytes: a full frame.
const QUANTUM: f64 = 1514.0;
/// A flow that sends less than this, in bytes a second, is small however many others there are: a game
/// sends 5 to 15, a voice 10 kilobytes.
const SMALL_RATE: f64 = 32_000.0;
/// The same of a person, who has several of these.
const PERSONS_RATE: f64 = 64_000.0;
/// What the small flows of somebody who sends much may send at once, in bytes, before that rate holds for them.
const SMALL_AT_ONCE: f64 = 4.0 * QUANTUM;
/// After such a pause nothing is left of what a flow owes: twice the quantum at that rate.
const PAUSE: Duration = Duration::from_millis(100);
/// How many bytes those that send little may send for each of bulk when there are so many of them that they would never
/// end, and how many at once.
const SMALL_SHARE: usize = 8;
const MOST_AHEAD: usize = SMALL_SHARE * 1514;
/// What has waited for longer is of no use to any game, nor to TCP, which has sent it again: the link was
/// gone, or the machine slept.
const OLDEST: Duration = Duration::from_secs(1);
/// How often at most all flows are looked through for what has become that old.
const PURGE_PAUSE: Duration = Duration::from_millis(250);
/// A full queue is emptied by this part of its limit, so that one look at all flows serves for many frames (RFC 8290
/// §4.1.2 drops up to 64 for the same reason).
const ROOM_AT_ONCE: usize = 8;
/// What an allocator spends on a frame's memory.
const ALLOCATION: usize = 32;

/// Frames of many people and flows, each with its length in bytes.
#[derive(Debug)]
pub struct FlowQueue<T, S = RandomState> {
    hasher: S,
    people: Rotation<Person, Flows<T>>,
    /// Those who send much, and have small flows that may go first.
    small: VecDeque<Person>,
    limit: usize,
    /// When the oldest frame has waited for too long, if none is taken meanwhile; or soon after that.
    purge_at: Option<Instant>,
    seen: Seen,
}

/// What has become of frames.
#[derive(Debug, Default, Clone)]
struct Seen {
    waited: Waited,
    sparse: QueueDrops,
    bulk: QueueDrops,
    refused: u64,
}

impl Seen {
    fn drops_of(&mut self, is_sparse: bool) -> &mut QueueDrops {
        match is_sparse {
            true => &mut self.sparse,
            false => &mut self.bulk,
        }
    }
}

/// Whose frames may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Everybody's.
    Any,
    /// Those of people and flows that send little; the others wait until the path has room.
    SmallFlows,
}

impl<T, S: BuildHasher> FlowQueue<T, S> {
    /// A queue that holds so many bytes, what each frame takes beside its own included; `hasher` spreads flows over
    /// lanes.
    pub fn new(limit: usize, hasher: S) -> Self {
        FlowQueue {
            hasher,
            people: Rotation::new(),
            small: VecDeque::new(),
            limit,
            purge_at: None,
            seen: Seen::default(),
        }
    }

    /// What waits, and what has been thrown away so far. How long the others have waited says
    /// [`Self::waited`].
    pub fn stats(&self) -> QueueStats {
        QueueStats {
            bytes: self.people.held().bytes as u64,
            sparse: self.seen.sparse,
            bulk: self.seen.bulk,
            refused: self.seen.refused,
            ..QueueStats::default()
        }
    }

    /// A frame has gone past: nothing waited, so neither did it.
    pub fn note_passed(&mut self, now: Instant) {
        self.people.forget_paused(now);
        self.seen.waited.note(Duration::ZERO);
    }

    /// Whoever got a frame from here has thrown it away.
    pub fn note_refused(&mut self) {
        self.seen.refused += 1;
    }

    /// How long frames have waited so far.
    pub fn waited(&self) -> &Waited {
        &self.seen.waited
    }

    /// True when nothing waits.
    pub fn is_empty(&self) -> bool {
        self.people.held().frames == 0
    }

    /// Puts a frame of `len` bytes at the end of its flow. When there is no room, the longest flow of whoever takes
    /// most of it loses its oldest frames.
    pub fn push(&mut self, now: Instant, person: Person, flow: Flow, frame: T, len: usize) {
        self.people.forget_paused(now);
        let has_place = self.people.contains(person) || self.people.len() < MOST_PEOPLE;
        let person = if has_place { person } else { Person::Crowd };
        let (hasher, since) = (&self.hasher, now);
        let frame = Waiting { frame, len, since };
        let make = || Flows::new(now);
        let begins_small = self.people.enter(now, person, make, |flows| {
            flows.push(now, hasher, flow, frame);
            flows.has_small() && !std::mem::replace(&mut flows.is_small, true)
        });
        if begins_small {
            self.small.push_back(person);
        }
        self.purge_at.get_or_insert(now + OLDEST);
        if self.memory() > self.limit {
            self.make_room();
        }
    }

    /// How much memory the frames take.
    fn memory(&self) -> usize {
        self.people.held().memory(Waiting::<T>::BESIDE)
    }

    /// The heaviest people lose frames, one after the other, until there is room for a while.
    fn make_room(&mut self) {
        let enough = self.limit - self.limit / ROOM_AT_ONCE;
        let weight = |flows: &Flows<T>| flows.held().memory(Waiting::<T>::BESIDE);
        let people = self.people.iter();
        let mut heaviest: BinaryHeap<_> = people
            .map(|(person, flows)| Heavy(weight(flows), person))
            .collect();
        while self.memory() > enough
            && let Some(Heavy(memory, person)) = heaviest.pop()
        {
            // Until it is no heavier than the next one, or there is room.
            let next = heaviest.peek().map_or(0, |next| next.0);
            let left = next.max(memory.saturating_sub(self.memory() - enough));
            let seen = &mut self.seen;
            let weight = self.people.change(person, |flows| {
                flows.shorten(left, seen);
                weight(flows)
            });
            heaviest.extend(weight.map(|weight| Heavy(weight, person)));
        }
    }

    /// When [`Self::handle_timeout`] has something to do.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.purge_at.filter(|_| !self.is_empty())
    }

    /// Throws away what has waited too long: nobody may ever ask for it, and its memory is somebody else's.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.purge_at.is_none_or(|at| now < at) {
            return;
        }
        let (mut oldest, seen) = (None, &mut self.seen);
        self.people
            .change_all(|flows| oldest = earlier(oldest, flows.purge(now, seen)));
        self.purge_at = oldest.map(|since| (since + OLDEST).max(now + PURGE_PAUSE));
    }

    /// The frame whose turn it is.
    pub fn pop(&mut self, now: Instant, turn: Turn) -> Option<T> {
        loop {
            if turn == Turn::SmallFlows || !self.people.bulk_is_due() {
                let first = self.people.pop_sparse(now, &mut self.seen);
                let first = first.or_else(|| self.pop_small(now));
                if first.is_some() || turn == Turn::SmallFlows || !self.people.has_bulk() {
                    return first.map(|first| first.frame);
                }
            }
            if let Some(next) = self.people.pop_bulk(now, &mut self.seen) {
                return Some(next.frame);
            }
        }
    }

    /// The next small flow's frame of somebody who sends much.
    fn pop_small(&mut self, now: Instant) -> Option<Waiting<T>> {
        while let Some(person) = self.small.pop_front() {
            let seen = &mut self.seen;
            // One that is not there any more has nothing.
            let popped = self.people.change(person, |flows| {
                let next = flows
                    .has_small()
                    .then(|| flows.pop_small(now, seen))
                    .flatten();
                flows.is_small = next.is_some() && flows.has_small();
                (next, flows.is_small)
            });
            let Some((next, has_more)) = popped else {
                continue;
            };
            if has_more {
                self.small.push_back(person);
            }
            if let Some(next) = next {
                self.people.note_ahead(next.len);
                return Some(next);
            }
        }
        None
    }
}

/// Somebody, in the order of what they take.
struct Heavy(usize, Person);

impl PartialEq for Heavy {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for Heavy {}

impl PartialOrd for Heavy {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Heavy {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.cmp(&other.0)
    }
}
