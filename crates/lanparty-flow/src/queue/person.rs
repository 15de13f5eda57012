//! The flows of one person.

use super::lane::{Lane, Waiting};
use super::rotation::{Held, Member, Rotation, Share};
use super::{BUCKETS, PERSONS_RATE, SMALL_AT_ONCE, Seen};
use lanparty_proto::flow::Flow;
use lanparty_proto::{MacAddr, PeerId};
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::hash::BuildHasher;
use std::time::Instant;

/// Who has sent a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Person {
    /// A machine: of a player, who has one, or one of the LAN, behind a gateway.
    Machine {
        /// The peer in whose name the frame travels; the relay sees to it that it is no other's.
        peer: PeerId,
        /// The source of the frame; the relay sees to it that a player has one.
        mac: MacAddr,
    },
    /// All those for whom there is no place of their own.
    Crowd,
}

/// The number of a lane.
type Bucket = u16;

/// A person's flows, and what they may send.
#[derive(Debug)]
pub(super) struct Flows<T> {
    lanes: Rotation<Bucket, Lane<T>>,
    share: Share,
    /// What its small flows may send before anybody's bulk while it sends much; and since when that holds.
    small: f64,
    credited: Instant,
    pub(super) is_small: bool,
}

impl<T> Flows<T> {
    pub(super) fn new(now: Instant) -> Self {
        Flows {
            lanes: Rotation::new(),
            share: Share::new(now, PERSONS_RATE),
            small: SMALL_AT_ONCE,
            credited: now,
            is_small: false,
        }
    }

    pub(super) fn push(
        &mut self,
        now: Instant,
        hasher: &impl BuildHasher,
        flow: Flow,
        frame: Waiting<T>,
    ) {
        self.lanes.forget_paused(now);
        let pause = now.saturating_duration_since(self.credited).as_secs_f64();
        self.small = SMALL_AT_ONCE.min(self.small + pause * PERSONS_RATE);
        self.credited = now;
        let bucket = (hasher.hash_one(flow) % BUCKETS) as Bucket;
        let make = || Lane::new(now);
        self.lanes.enter(now, bucket, make, |lane| lane.push(frame));
    }

    /// Whether a small flow of somebody who sends much may go before everybody's bulk.
    pub(super) fn has_small(&self) -> bool {
        !self.share.is_sparse() && self.small > 0.0 && self.lanes.has_sparse()
    }

    /// Its next frame of a small flow, which its bulk pays for.
    pub(super) fn pop_small(&mut self, now: Instant, seen: &mut Seen) -> Option<Waiting<T>> {
        let next = self.lanes.pop_sparse(now, seen)?;
        self.small -= next.len as f64;
        self.share.spend(next.len);
        Some(next)
    }

    /// Its longest flows lose their oldest frames, until it takes no more than `memory`; at least one frame.
    pub(super) fn shorten(&mut self, memory: usize, seen: &mut Seen) {
        let beside = Waiting::<T>::BESIDE;
        let lengths = self.lanes.iter();
        let mut longest: BinaryHeap<_> = lengths
            .map(|(at, lane)| (lane.held().memory(beside), at))
            .collect();
        loop {
            let Some(mut first) = longest.peek_mut() else {
                return;
            };
            let lost = self.lanes.change(first.1, |lane| {
                let sends_little = lane.sends_little();
                let has_lost = lane.take().is_some();
                (has_lost.then_some(sends_little), lane.held())
            });
            let Some((Some(sends_little), left)) = lost else {
                PeekMut::pop(first);
                continue;
            };
            first.0 = left.memory(beside);
            drop(first);
            seen.drops_of(sends_little).full += 1;
            if self.lanes.held().memory(beside) <= memory {
                return;
            }
        }
    }

    /// Throws away what is too old for everybody, and answers since when the oldest of the others waits.
    pub(super) fn purge(&mut self, now: Instant, seen: &mut Seen) -> Option<Instant> {
        let mut oldest = None;
        self.lanes
            .change_all(|lane| oldest = earlier(oldest, lane.purge(now, seen)));
        oldest
    }

    #[cfg(test)]
    pub(super) fn lanes(&self) -> &Rotation<Bucket, Lane<T>> {
        &self.lanes
    }

    #[cfg(test)]
    pub(super) fn forget_paused(&mut self, now: Instant) {
        self.lanes.forget_paused(now);
    }
}

/// The earlier of two moments.
pub(super) fn earlier(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    one.into_iter().chain(other).min()
}

impl<T> Member for Flows<T> {
    type Frame = T;

    fn share(&mut self) -> &mut Share {
        &mut self.share
    }

    fn held(&self) -> Held {
        self.lanes.held()
    }

    fn next(&mut self, now: Instant, seen: &mut Seen) -> Option<Waiting<T>> {
        self.lanes.pop(now, seen)
    }
}
