//! The frames of one flow.

use super::codel::CoDel;
use super::round::Waits;
use super::tag::Tag;
use super::waiting::Waiting;
use super::{OLDEST, Seen, Turn};
use std::collections::VecDeque;
use std::time::Instant;

/// What an allocator spends on a frame's memory.
const ALLOCATION: usize = 32;
/// Room for frames to come is an eighth of those that wait, and at least so many: what is counted should be what is used.
const LEAST_SPARE: usize = 2;

/// A flow's frames, in order; those of many flows where these are a crowd.
#[derive(Debug)]
pub(super) struct Lane<T> {
    frames: VecDeque<Waiting<T>>,
    bytes: usize,
    codel: CoDel,
}

impl<T> Lane<T> {
    fn take(&mut self) -> Option<Waiting<T>> {
        let oldest = self.frames.pop_front()?;
        self.bytes -= oldest.len;
        self.give_back();
        Some(oldest)
    }

    fn spare(&self) -> usize {
        (self.frames.len() / 8).max(LEAST_SPARE)
    }

    fn give_back(&mut self) {
        if self.frames.is_empty() {
            self.frames = VecDeque::new();
        } else if self.frames.capacity() > 2 * (self.frames.len() + self.spare()) {
            self.frames.shrink_to(self.frames.len() + self.spare());
        }
    }

    /// What the frames take without room for others.
    fn least_memory(&self) -> usize {
        self.bytes + self.frames.len() * (ALLOCATION + size_of::<Waiting<T>>())
    }

    /// True when its oldest frame is too old for everybody.
    fn begins_stale(&self, now: Instant) -> bool {
        let first = self.frames.front();
        first.is_some_and(|first| now.saturating_duration_since(first.since) >= OLDEST)
    }
}

impl<T> Waits for Lane<T> {
    type Frame = T;
    const LEVEL: usize = 0;

    fn new() -> Self {
        Lane {
            frames: VecDeque::new(),
            bytes: 0,
            codel: CoDel::default(),
        }
    }

    fn bytes(&self) -> usize {
        self.bytes
    }

    fn frames(&self) -> usize {
        self.frames.len()
    }

    fn memory(&self) -> usize {
        let entries = self.frames.capacity() * size_of::<Waiting<T>>();
        self.bytes + self.frames.len() * ALLOCATION + entries
    }

    fn knowledge(&self) -> usize {
        0
    }

    /// A flow is small or not; there is nothing in it that is smaller.
    fn has_small(&self) -> bool {
        false
    }

    fn heads(&self) -> u16 {
        1
    }

    fn lacks(&self, _: Tag) -> bool {
        false
    }

    fn put(&mut self, _: Instant, _: &[Tag], _: bool, waiting: Waiting<T>) {
        if self.frames.len() == self.frames.capacity() {
            self.frames.reserve_exact(self.spare());
        }
        self.bytes += waiting.len;
        self.frames.push_back(waiting);
    }

    fn introduce(&mut self, _: Instant, _: &[Tag], _: bool) {}

    /// The oldest frame that is young enough and that CoDel lets pass.
    fn next(
        &mut self,
        now: Instant,
        _: Turn,
        sends_little: bool,
        seen: &mut Seen,
    ) -> Option<Waiting<T>> {
        loop {
            let is_stale = self.begins_stale(now);
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

    fn shed(&mut self, enough: usize, sends_little: bool, seen: &mut Seen) {
        let before = self.memory();
        while before.saturating_sub(self.least_memory()) < enough && self.take().is_some() {
            seen.drops_of(sends_little).full += 1;
        }
        self.frames.shrink_to(self.frames.len());
    }

    fn purge(&mut self, now: Instant, sends_little: bool, seen: &mut Seen) -> Option<Instant> {
        while self.begins_stale(now) && self.take().is_some() {
            seen.drops_of(sends_little).stale += 1;
        }
        self.frames.front().map(|first| first.since)
    }

    fn take_of(&mut self, flow: Tag) -> Vec<Waiting<T>> {
        if !self.frames.iter().any(|waiting| waiting.flow == flow) {
            return Vec::new();
        }
        let all = std::mem::take(&mut self.frames).into_iter();
        let (its, others) = all.partition::<Vec<_>, _>(|waiting| waiting.flow == flow);
        self.bytes -= its.iter().map(|waiting| waiting.len).sum::<usize>();
        self.frames = others.into();
        self.give_back();
        its
    }
}
