//! The frames of one flow.

use super::rotation::{Held, Member, Share};
use super::{ALLOCATION, OLDEST, SMALL_RATE, Seen};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// What waiting is good for: to keep a link busy that is not always ready (RFC 8289 §4.3).
const TARGET: Duration = Duration::from_millis(5);
/// How long waits may be longer than that, which is about the round trip of a slow path.
const INTERVAL: Duration = Duration::from_millis(100);

/// A flow's frames.
#[derive(Debug)]
pub(super) struct Lane<T> {
    frames: VecDeque<Waiting<T>>,
    held: Held,
    share: Share,
    codel: CoDel,
}

/// A frame, its length in bytes, and since when it waits.
#[derive(Debug)]
pub(super) struct Waiting<T> {
    pub(super) frame: T,
    pub(super) len: usize,
    pub(super) since: Instant,
}

impl<T> Waiting<T> {
    /// What it takes beside its bytes.
    pub(super) const BESIDE: usize = size_of::<Self>() + ALLOCATION;
}

impl<T> Lane<T> {
    pub(super) fn new(now: Instant) -> Self {
        Lane {
            frames: VecDeque::new(),
            held: Held::default(),
            share: Share::new(now, SMALL_RATE),
            codel: CoDel::default(),
        }
    }

    pub(super) fn push(&mut self, waiting: Waiting<T>) {
        self.held.bytes += waiting.len;
        self.held.frames += 1;
        self.frames.push_back(waiting);
    }

    /// One that has begun to wait is taken for a small flow, and is none if it has more than such a one has.
    pub(super) fn sends_little(&self) -> bool {
        self.share.may_send_first(self.held.bytes)
    }

    /// True when its oldest frame is too old for everybody.
    fn begins_stale(&self, now: Instant) -> bool {
        let first = self.frames.front();
        first.is_some_and(|first| now.saturating_duration_since(first.since) >= OLDEST)
    }

    pub(super) fn take(&mut self) -> Option<Waiting<T>> {
        let oldest = self.frames.pop_front()?;
        self.held.bytes -= oldest.len;
        self.held.frames -= 1;
        Some(oldest)
    }

    /// Throws away what is too old for everybody, and answers since when the oldest of the others waits.
    pub(super) fn purge(&mut self, now: Instant, seen: &mut Seen) -> Option<Instant> {
        while self.begins_stale(now) {
            seen.drops_of(self.sends_little()).stale += 1;
            self.take();
        }
        if self.frames.is_empty() {
            self.frames.shrink_to_fit();
        }
        self.frames.front().map(|first| first.since)
    }

    #[cfg(test)]
    pub(super) fn room(&self) -> usize {
        self.frames.capacity()
    }
}

impl<T> Member for Lane<T> {
    type Frame = T;

    fn share(&mut self) -> &mut Share {
        &mut self.share
    }

    fn held(&self) -> Held {
        self.held
    }

    /// The oldest frame that is young enough and that CoDel lets pass.
    fn next(&mut self, now: Instant, seen: &mut Seen) -> Option<Waiting<T>> {
        loop {
            let (sends_little, is_stale) = (self.sends_little(), self.begins_stale(now));
            let oldest = self.take()?;
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
                return Some(oldest);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_that_stands_again_soon_loses_frames_sooner() {
        let (mut codel, begin) = (CoDel::default(), Instant::now());
        let lost_in_a_second = |codel: &mut CoDel, second: u64| {
            let frames =
                (0..1000).map(|millis| begin + Duration::from_millis(1000 * second + millis));
            frames.filter(|&now| codel.drops(now, 2 * TARGET)).count()
        };
        let first = lost_in_a_second(&mut codel, 0);
        codel.rest();
        let second = lost_in_a_second(&mut codel, 1);
        assert!(second >= first + first / 2, "{first}, then {second}");
    }
}
