//! Frames that wait for a link: short queues, fair between people first and their flows second, small ones before large
//! ones (FQ-CoDel, RFC 8290, on several levels as CAKE's host isolation). Pure.
//!
//! A link is shared by a game that sends a hundred bytes every 16 ms and by a file copy that sends all
//! it can. In one queue the game's frame waits behind the copy's; here each flow has its own queue, a
//! flow that sends little is served before those that send much, those share evenly, and one whose
//! frames have been waiting too long loses some, which is how TCP learns to send less.
//!
//! But whoever has many flows would have many shares, and a flow costs nothing: so people share first. Nor does a MAC: so
//! before people share the peers that the relay has let in. Who sends little in all goes before those who send much, a
//! thousand flows of one person are one share, and when there is no room it is the heaviest peer's heaviest person's longest
//! flow that loses. What goes before everybody's bulk although its sender sends much, a game beside the same person's copy,
//! is bounded.

mod codel;
mod lane;
mod person;
mod round;
mod tag;
#[cfg(test)]
mod tests;
mod waiting;
mod waits;

use lane::Lane;
use lanparty_obs::link::{QueueDrops, QueueStats};
use lanparty_proto::flow::Flow;
use round::{Round, Waits as _};
use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};
use tag::Tag;
use waiting::Waiting;

pub use person::Person;
pub use waits::WaitWindow;
pub use waits::Waited;

/// What has waited for longer is of no use to any game, nor to TCP, which has sent it again: the link was
/// gone, or the machine slept.
const OLDEST: Duration = Duration::from_secs(1);
/// How often at most all flows are looked through for what has become that old.
const PURGE_PAUSE: Duration = Duration::from_millis(250);
/// A full queue is emptied by this part of its limit, so that one look at all flows serves for many frames (RFC 8290
/// §4.1.2 drops up to 64 for the same reason).
const ROOM_AT_ONCE: usize = 8;
/// So many of those who went past of late are known.
const PASSED: usize = 8;
/// When what is known of people and flows takes this part of it, whoever else comes is one of a crowd.
const KNOWLEDGE: usize = 4;

/// Frames of many people and flows, each with its length in bytes.
#[derive(Debug)]
pub struct FlowQueue<T, S = RandomState> {
    hasher: S,
    /// Peers, the people behind each, and the flows of each of these.
    peers: Round<Round<Round<Lane<T>>>>,
    limit: usize,
    /// Whose frames have gone past of late, and when; few, for a flood does not go past.
    passed: Vec<(Person, Flow, Instant)>,
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
    /// A queue that holds so many bytes, all that it takes to keep the frames included; `hasher` names flows.
    pub fn new(limit: usize, hasher: S) -> Self {
        FlowQueue {
            hasher,
            peers: Round::new(),
            limit,
            passed: Vec::new(),
            purge_at: None,
            seen: Seen::default(),
        }
    }

    /// What waits, and what has been thrown away so far. How long the others have waited says
    /// [`Self::waited`].
    pub fn stats(&self) -> QueueStats {
        QueueStats {
            bytes: self.peers.bytes() as u64,
            sparse: self.seen.sparse,
            bulk: self.seen.bulk,
            refused: self.seen.refused,
            ..QueueStats::default()
        }
    }

    /// A frame has gone past: nothing waited, so neither did it. Whose it was is known for a while, so that a flood which fills the queue at
    /// once does not take the places of those who were there before it.
    pub fn note_passed(&mut self, now: Instant, who: Option<(Person, Flow)>) {
        self.peers.forget_paused(now);
        self.seen.waited.note(Duration::ZERO);
        let Some((person, flow)) = who else {
            return;
        };
        let is_same =
            |passed: &&mut (Person, Flow, Instant)| (passed.0, passed.1) == (person, flow);
        if let Some(known) = self.passed.iter_mut().find(is_same) {
            known.2 = now;
            return;
        }
        if self.passed.len() == PASSED {
            let oldest = (0..PASSED).min_by_key(|&place| self.passed[place].2);
            self.passed.swap_remove(oldest.expect("there are some"));
        }
        self.passed.push((person, flow, now));
    }

    /// Those who have gone past of late get their places before whoever comes now.
    fn introduce_passed(&mut self, now: Instant) {
        let mut passed = std::mem::take(&mut self.passed);
        for (person, flow, at) in passed.drain(..) {
            if now < at + round::PAUSE {
                let path = self.path(person, flow);
                let room = self.has_room_to_know();
                self.peers.introduce(now, &path, room);
            }
        }
        // It keeps its memory.
        self.passed = passed;
    }

    fn has_room_to_know(&self) -> bool {
        self.peers.knowledge() < self.limit / KNOWLEDGE
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
        self.peers.is_empty()
    }

    /// How much memory the queue takes: frames, the lists in which they are, and what is known of those who had some.
    pub fn memory(&self) -> usize {
        self.peers.memory()
    }

    /// Puts a frame of `len` bytes, whose memory is its own, at the end of its flow. When there is no room, the longest
    /// flow of whoever takes most of it loses its oldest frames.
    pub fn push(&mut self, now: Instant, person: Person, flow: Flow, frame: T, len: usize) {
        let path = self.path(person, flow);
        let waiting = Waiting {
            frame,
            len,
            since: now,
            flow: path[2],
        };
        if self.is_empty() {
            self.introduce_passed(now);
        }
        let room = self.has_room_to_know();
        self.peers.put(now, &path, room, waiting);
        self.purge_at.get_or_insert(now + OLDEST);
        if self.memory() > self.limit {
            self.make_room();
        }
    }

    /// The names of peer, person and flow; those of the last two nobody else knows.
    fn path(&self, person: Person, flow: Flow) -> [Tag; 3] {
        let peer = tag::spread(person.peer());
        // Zero is the crowd's.
        let [person, flow] = [
            self.hasher.hash_one(person),
            self.hasher.hash_one((person, flow)),
        ]
        .map(|name| name.max(1));
        [peer, person, flow]
    }

    /// The heaviest lose frames until there is room for a while.
    fn make_room(&mut self) {
        let enough = self.limit - self.limit / ROOM_AT_ONCE;
        let too_much = self.memory().saturating_sub(enough);
        self.peers.shed(too_much, false, &mut self.seen);
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
        let oldest = self.peers.purge(now, false, &mut self.seen);
        if oldest.is_none() {
            self.peers = Round::new();
        }
        self.purge_at = oldest.map(|since| (since + OLDEST).max(now + PURGE_PAUSE));
    }

    /// The frame whose turn it is.
    pub fn pop(&mut self, now: Instant, turn: Turn) -> Option<T> {
        let next = self.peers.next(now, turn, false, &mut self.seen)?;
        Some(next.frame)
    }
}
