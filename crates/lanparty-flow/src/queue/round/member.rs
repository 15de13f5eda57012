//! One of those that take turns: what it may send, and what it owes.

use super::{QUANTUM, Waits};
use std::time::Instant;

/// What a member may owe at most.
const MOST_DEBT: f64 = 2.0 * QUANTUM;

/// What holds for the members of a level.
pub(super) struct Rules {
    /// How many have a place of their own. Whoever comes when all are taken is one of the crowd, until somebody pauses: it is
    /// those that do not stay to whom this happens.
    pub(super) most: usize,
    /// When so many are there, a new one has to pause once before it is taken for a small one.
    pub(super) trusted: usize,
    /// A new one is one of the crowd also when too much is known of too many.
    pub(super) needs_room: bool,
    /// Who sends less than this, in bytes a second, sends little.
    small_rate: f64,
    /// As much of what is small may pass the others of whoever sends more.
    pass_rate: f64,
}

/// Of flows, people, and peers. A game sends 5 to 15, a voice 10 kilobytes a second; who sends much may play on two
/// machines at once. Peers are let in one by one, and few have frames at the same time: they get places also where there is
/// no room for more knowledge, up to a number for which it is smaller than the frames.
pub(super) const RULES: [Rules; 3] = [
    Rules {
        most: 64,
        trusted: 32,
        needs_room: true,
        small_rate: 32_000.0,
        pass_rate: 0.0,
    },
    Rules {
        most: 128,
        trusted: 32,
        needs_room: true,
        small_rate: 32_000.0,
        pass_rate: 64_000.0,
    },
    Rules {
        most: 144,
        trusted: usize::MAX,
        needs_room: false,
        small_rate: 32_000.0,
        pass_rate: 128_000.0,
    },
];

/// What members have together.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sums {
    pub(super) bytes: usize,
    pub(super) frames: usize,
    pub(super) memory: usize,
    pub(super) knowledge: usize,
}

impl Sums {
    pub(super) fn of(member: &impl Waits) -> Self {
        Sums {
            bytes: member.bytes(),
            frames: member.frames(),
            memory: member.memory(),
            knowledge: member.knowledge(),
        }
    }

    pub(super) fn replace(&mut self, before: Sums, after: Sums) {
        self.bytes = self.bytes - before.bytes + after.bytes;
        self.frames = self.frames - before.frames + after.frames;
        self.memory = self.memory - before.memory + after.memory;
        self.knowledge = self.knowledge - before.knowledge + after.knowledge;
    }
}

/// One that takes turns. It is in one of the lists of those that send little and those that send much or, if it has
/// sent little, paused and begun again, for a while in both. What it owes outlives a pause that is too short to earn it:
/// else whoever sends no faster than the queue is emptied were small again with each frame.
#[derive(Debug)]
pub(super) struct Member<M> {
    pub(super) inner: M,
    pub(super) came: Instant,
    /// What it may send before the others have their turn; and since when that holds.
    pub(super) deficit: f64,
    pub(super) credited: Instant,
    /// What of its small frames may pass the others, though it sends much itself.
    pub(super) may_pass: f64,
    may_pass_since: Instant,
    pub(super) is_sparse: bool,
    pub(super) is_express: bool,
    pub(super) is_bulk: bool,
    pub(super) has_paused: bool,
}

impl<M: Waits> Member<M> {
    pub(super) const RULES: &Rules = &RULES[M::LEVEL];

    pub(super) fn new(now: Instant, is_trusted: bool) -> Self {
        let credit = if is_trusted { QUANTUM } else { 0.0 };
        Member {
            inner: M::new(),
            came: now,
            deficit: credit,
            credited: now,
            may_pass: credit,
            may_pass_since: now,
            is_sparse: false,
            is_express: false,
            is_bulk: false,
            has_paused: false,
        }
    }

    pub(super) fn weight(&self) -> f64 {
        f64::from(self.inner.heads())
    }

    pub(super) fn burst(&self) -> f64 {
        QUANTUM * self.weight()
    }

    /// What comes in since then at this rate.
    pub(super) fn earned(&self, rate: f64, since: Instant, now: Instant) -> f64 {
        let time = now.saturating_duration_since(since).as_secs_f64();
        time * rate * self.weight()
    }

    /// One that begins again gets what a small one may send.
    pub(super) fn credit_pause(&mut self, now: Instant) {
        if self.inner.is_empty() && self.deficit < self.burst() {
            let earned = self.earned(Self::RULES.small_rate, self.credited, now);
            self.deficit = self.burst().min(self.deficit + earned);
        }
        self.credited = self.credited.max(now);
    }

    /// True when something small of it may pass the others.
    pub(super) fn may_pass(&mut self, now: Instant) -> bool {
        let earned = self.earned(Self::RULES.pass_rate, self.may_pass_since, now);
        self.may_pass = self.burst().min(self.may_pass + earned);
        self.may_pass_since = self.may_pass_since.max(now);
        self.may_pass > 0.0
    }

    /// One that has begun to wait is taken for a small one, and is none if it has more than such a one has.
    pub(super) fn sends_little(&self) -> bool {
        self.is_sparse && self.inner.bytes() as f64 <= self.deficit
    }

    pub(super) fn spend(&mut self, len: usize) {
        let most_debt = MOST_DEBT * self.weight();
        self.deficit = (self.deficit - len as f64).max(-most_debt);
    }

    /// Its memory, on each of the heads as whom it counts.
    pub(super) fn burden(&self) -> usize {
        self.inner.memory() / usize::from(self.inner.heads())
    }

    pub(super) fn is_listed(&self) -> bool {
        self.is_sparse || self.is_express || self.is_bulk
    }
}
