//! Frames that wait for a link: short queues, small flows first (FQ-CoDel, RFC 8290). Pure.
//!
//! A link is shared by a game that sends a hundred bytes every 16 ms and by a file copy that sends all
//! it can. In one queue the game's frame waits behind the copy's; here each flow has its own queue, a
//! flow that sends little is served before those that send much, those share evenly, and one whose
//! frames have been waiting too long loses some, which is how TCP learns to send less.

#[cfg(test)]
mod tests;
mod waits;

use lanparty_obs::link::{QueueDrops, QueueStats};
use lanparty_proto::flow::Flow;
use std::collections::binary_heap::PeekMut;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

pub use waits::WaitWindow;
pub use waits::Waited;

/// How many queues there are at most (RFC 8290 §4.1.2). Flows that fall into the same one are one flow here;
/// which do is a secret, for strangers choose what flows there are.
const BUCKETS: u64 = 1024;
/// What a flow may send in its turn, in bytes: a full frame.
const QUANTUM: i64 = 1514;
/// A flow that sends less than this, in bytes a second, is small however many others there are: a game
/// sends 5 to 15, a voice 10 kilobytes.
const SMALL_RATE: f64 = 32_000.0;
/// After such a pause nothing is left of what a flow owes: twice the quantum at that rate.
const PAUSE: Duration = Duration::from_millis(100);
/// How many bytes small flows may send for each of bulk when there are so many of them that they would never
/// end, and how many at once.
const SMALL_SHARE: usize = 8;
const MOST_AHEAD: usize = SMALL_SHARE * 1514;
/// What waiting is good for: to keep a link busy that is not always ready (RFC 8289 §4.3).
const TARGET: Duration = Duration::from_millis(5);
/// How long waits may be longer than that, which is about the round trip of a slow path.
const INTERVAL: Duration = Duration::from_millis(100);
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

/// Frames of many flows, each with its length in bytes.
#[derive(Debug)]
pub struct FlowQueue<T, S = RandomState> {
    hasher: S,
    lanes: HashMap<Bucket, Lane<T>>,
    // Those that send little, served first; and those that have used up their quantum or paused.
    sparse: VecDeque<Bucket>,
    bulk: VecDeque<Bucket>,
    /// Those that have paused, and when to look whether they still do.
    paused: VecDeque<(Instant, Bucket)>,
    /// Bytes that small flows have sent before bulk, which has its share of that to come.
    ahead: usize,
    bytes: usize,
    frames: usize,
    limit: usize,
    /// When the oldest frame has waited for too long, if none is taken meanwhile; or soon after that.
    purge_at: Option<Instant>,
    /// Memory for a look at all flows, kept for the next one.
    by_length: Vec<(usize, Bucket)>,
    seen: Seen,
}

/// The number of a lane.
type Bucket = u16;

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
    /// Those of flows that send little; the others wait until the path has room.
    SmallFlows,
}

/// A flow's frames. It is in one of the lists that have turns or, if it has sent little, paused and begun again,
/// for a while in both. What it owes outlives a pause that is too short to earn it: else whoever sends no faster
/// than the queue is emptied were a small flow again with each frame.
#[derive(Debug)]
struct Lane<T> {
    frames: VecDeque<Waiting<T>>,
    bytes: usize,
    /// What it may send before the others have their turn; and since when that holds.
    deficit: i64,
    credited: Instant,
    is_sparse: bool,
    is_bulk: bool,
    has_paused: bool,
    codel: CoDel,
}

#[derive(Debug)]
struct Waiting<T> {
    frame: T,
    len: usize,
    since: Instant,
}

impl<T, S: BuildHasher> FlowQueue<T, S> {
    /// What a frame takes beside its bytes.
    const EACH: usize = size_of::<Waiting<T>>() + ALLOCATION;

    /// A queue that holds so many bytes, what each frame takes beside its own included; `hasher` spreads flows over
    /// its lanes.
    pub fn new(limit: usize, hasher: S) -> Self {
        FlowQueue {
            hasher,
            lanes: HashMap::new(),
            sparse: VecDeque::new(),
            bulk: VecDeque::new(),
            paused: VecDeque::new(),
            ahead: 0,
            bytes: 0,
            frames: 0,
            limit,
            purge_at: None,
            by_length: Vec::new(),
            seen: Seen::default(),
        }
    }

    /// What waits, and what has been thrown away so far. How long the others have waited says
    /// [`Self::waited`].
    pub fn stats(&self) -> QueueStats {
        QueueStats {
            bytes: self.bytes as u64,
            sparse: self.seen.sparse,
            bulk: self.seen.bulk,
            refused: self.seen.refused,
            ..QueueStats::default()
        }
    }

    /// A frame has gone past: nothing waited, so neither did it.
    pub fn note_passed(&mut self, now: Instant) {
        self.forget_paused(now);
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
        self.bytes == 0
    }

    /// Puts a frame of `len` bytes at the end of its flow. When there is no room, the flow that takes
    /// most of it loses its oldest frames.
    pub fn push(&mut self, now: Instant, flow: Flow, frame: T, len: usize) {
        self.forget_paused(now);
        let bucket = (self.hasher.hash_one(flow) % BUCKETS) as Bucket;
        let lane = self.lanes.entry(bucket).or_insert_with(|| Lane::new(now));
        lane.credit_pause(now);
        // A game's flow pauses after each frame, and is small as long as it stays within its quantum.
        if lane.frames.is_empty() && !lane.is_sparse {
            if lane.deficit > 0 {
                lane.is_sparse = true;
                self.sparse.push_back(bucket);
            } else if !lane.is_bulk {
                lane.is_bulk = true;
                self.bulk.push_back(bucket);
            }
        }
        lane.frames.push_back(Waiting {
            frame,
            len,
            since: now,
        });
        lane.bytes += len;
        self.bytes += len;
        self.frames += 1;
        self.purge_at.get_or_insert(now + OLDEST);
        if self.held() > self.limit {
            self.make_room();
        }
    }

    /// How much memory the frames take.
    fn held(&self) -> usize {
        self.bytes + self.frames * Self::EACH
    }

    /// The longest flows lose their oldest frames, one after the other, until there is room for a while.
    fn make_room(&mut self) {
        let enough = self.limit - self.limit / ROOM_AT_ONCE;
        let mut lengths = std::mem::take(&mut self.by_length);
        lengths.extend(self.lanes.iter().map(|(&at, lane)| (lane.held(), at)));
        let mut longest = BinaryHeap::from(lengths);
        while self.held() > enough {
            let mut first = longest.peek_mut().expect("what is held is held in a lane");
            let lane = lane(&mut self.lanes, first.1);
            let sends_little = lane.sends_little();
            let Some(oldest) = lane.take() else {
                PeekMut::pop(first);
                continue;
            };
            first.0 = lane.held();
            self.bytes -= oldest.len;
            self.frames -= 1;
            self.seen.drops_of(sends_little).full += 1;
        }
        self.by_length = longest.into_vec();
        self.by_length.clear();
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
        let mut oldest = None;
        for lane in self.lanes.values_mut() {
            while lane.begins_stale(now) {
                let sends_little = lane.sends_little();
                let Some(stale) = lane.take() else { break };
                self.bytes -= stale.len;
                self.frames -= 1;
                self.seen.drops_of(sends_little).stale += 1;
            }
            match lane.frames.front() {
                None => lane.frames.shrink_to_fit(),
                Some(first) => oldest = Some(oldest.map_or(first.since, |o| first.since.min(o))),
            }
        }
        self.purge_at = oldest.map(|since| (since + OLDEST).max(now + PURGE_PAUSE));
    }

    /// The frame whose turn it is.
    pub fn pop(&mut self, now: Instant, turn: Turn) -> Option<T> {
        loop {
            let bulk_is_due =
                turn == Turn::Any && self.ahead >= MOST_AHEAD && !self.bulk.is_empty();
            let waiting = self.bytes;
            let next = match self.sparse.front() {
                Some(&bucket) if !bulk_is_due => {
                    let next = self.pop_sparse(now, bucket);
                    self.ahead = MOST_AHEAD.min(self.ahead + waiting - self.bytes);
                    next
                }
                _ if turn == Turn::SmallFlows => return None,
                _ => {
                    let next = self.pop_bulk(now, *self.bulk.front()?);
                    let served = waiting - self.bytes;
                    self.ahead = self.ahead.saturating_sub(served * SMALL_SHARE);
                    next
                }
            };
            if next.is_some() {
                return next;
            }
        }
    }

    /// The next frame of the first sparse lane; without one it is sparse no longer.
    fn pop_sparse(&mut self, now: Instant, bucket: Bucket) -> Option<T> {
        let lane = lane(&mut self.lanes, bucket);
        if lane.deficit > 0
            && let Some(next) = lane.next(now, &mut self.bytes, &mut self.frames, &mut self.seen)
        {
            return Some(next);
        }
        self.sparse.pop_front();
        lane.is_sparse = false;
        if lane.frames.is_empty() {
            self.note_pause(now, bucket);
        } else if !lane.is_bulk {
            lane.is_bulk = true;
            self.bulk.push_back(bucket);
        }
        None
    }

    /// The next frame of the first bulk lane; without one its turn is over.
    fn pop_bulk(&mut self, now: Instant, bucket: Bucket) -> Option<T> {
        let lane = lane(&mut self.lanes, bucket);
        if lane.is_sparse {
            // It has begun again and has its turn there; after that it comes to the end here.
            self.bulk.pop_front();
            lane.is_bulk = false;
            return None;
        }
        if lane.deficit > 0
            && let Some(next) = lane.next(now, &mut self.bytes, &mut self.frames, &mut self.seen)
        {
            return Some(next);
        }
        self.bulk.pop_front();
        if lane.frames.is_empty() {
            lane.is_bulk = false;
            // The rest of its turn is lost, else it would be small with that.
            lane.deficit = lane.deficit.min(0);
            self.note_pause(now, bucket);
        } else {
            lane.deficit += QUANTUM;
            self.bulk.push_back(bucket);
        }
        None
    }

    fn note_pause(&mut self, now: Instant, bucket: Bucket) {
        let lane = lane(&mut self.lanes, bucket);
        if !std::mem::replace(&mut lane.has_paused, true) {
            self.paused.push_back((now + PAUSE, bucket));
        }
    }

    /// Forgets flows that have paused for so long that they are like new ones.
    fn forget_paused(&mut self, now: Instant) {
        while let Some(&(_, bucket)) = self.paused.front().filter(|(until, _)| *until <= now) {
            self.paused.pop_front();
            let lane = lane(&mut self.lanes, bucket);
            lane.has_paused = false;
            if lane.is_sparse || lane.is_bulk {
                continue;
            }
            if now >= lane.credited + PAUSE {
                self.lanes.remove(&bucket);
            } else {
                self.note_pause(now, bucket);
            }
        }
    }
}

fn lane<T>(lanes: &mut HashMap<Bucket, Lane<T>>, bucket: Bucket) -> &mut Lane<T> {
    let lane = lanes.get_mut(&bucket);
    lane.expect("what has a turn has a lane")
}

impl<T> Lane<T> {
    fn new(now: Instant) -> Self {
        Lane {
            frames: VecDeque::new(),
            bytes: 0,
            deficit: QUANTUM,
            credited: now,
            is_sparse: false,
            is_bulk: false,
            has_paused: false,
            codel: CoDel::default(),
        }
    }

    /// One that has begun to wait is taken for a small flow, and is none if it has more than such a one has.
    fn sends_little(&self) -> bool {
        self.is_sparse && self.bytes as i64 <= self.deficit
    }

    fn held(&self) -> usize {
        self.bytes + self.frames.len() * FlowQueue::<T>::EACH
    }

    /// True when its oldest frame is too old for everybody.
    fn begins_stale(&self, now: Instant) -> bool {
        let first = self.frames.front();
        first.is_some_and(|first| now.saturating_duration_since(first.since) >= OLDEST)
    }

    fn take(&mut self) -> Option<Waiting<T>> {
        let oldest = self.frames.pop_front()?;
        self.bytes -= oldest.len;
        Some(oldest)
    }

    /// A flow that begins again gets what a small one may send.
    fn credit_pause(&mut self, now: Instant) {
        if self.frames.is_empty() && self.deficit < QUANTUM {
            let pause = now.saturating_duration_since(self.credited).as_secs_f64();
            self.deficit = QUANTUM.min(self.deficit + (pause * SMALL_RATE) as i64);
        }
        self.credited = now;
    }

    /// The oldest frame that is young enough and that CoDel lets pass.
    fn next(
        &mut self,
        now: Instant,
        bytes: &mut usize,
        frames: &mut usize,
        seen: &mut Seen,
    ) -> Option<T> {
        loop {
            let (sends_little, is_stale) = (self.sends_little(), self.begins_stale(now));
            let oldest = self.take()?;
            *bytes -= oldest.len;
            *frames -= 1;
            let waited = now.saturating_duration_since(oldest.since);
            // CoDel never gets the last frame: nothing would come behind it to show the loss.
            let is_spared = if self.frames.is_empty() {
                self.codel.rest();
                true
            } else {
                !self.codel.drops(now, waited)
            };
            let drops = seen.drops_of(sends_little);
            if is_stale {
                drops.stale += 1;
            } else if !is_spared {
                drops.delay += 1;
            } else {
                seen.waited.note(waited);
                self.deficit -= oldest.len as i64;
                return Some(oldest.frame);
            }
        }
    }
}

/// When to drop a frame that has waited too long (RFC 8289 §5).
#[derive(Debug, Default)]
struct CoDel {
    /// When waits will have been too long for an interval.
    patience_ends: Option<Instant>,
    next_drop: Option<Instant>,
    /// Drops since waits became too long; they come faster and faster.
    count: u32,
}

impl CoDel {
    /// The queue does not stand.
    fn rest(&mut self) {
        *self = CoDel {
            count: self.count / 2,
            ..CoDel::default()
        };
    }

    fn drops(&mut self, now: Instant, waited: Duration) -> bool {
        if waited < TARGET {
            self.rest();
            return false;
        }
        let patience_ends = *self.patience_ends.get_or_insert(now + INTERVAL);
        if now < patience_ends || self.next_drop.is_some_and(|next| now < next) {
            return false;
        }
        self.count += 1;
        let wait = INTERVAL.div_f64(f64::from(self.count).sqrt());
        self.next_drop = Some(self.next_drop.unwrap_or(now) + wait);
        true
    }
}
