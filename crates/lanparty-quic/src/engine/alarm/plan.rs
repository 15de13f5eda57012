//! Which timer is set to when. No clock and no system call: the moment comes, and what is to be set goes.

use std::time::{Duration, Instant};

/// How much earlier than the moment the coarse timer is set to come; it comes up to two of tokio's milliseconds late.
const BEFORE: Duration = Duration::from_millis(4);
/// The coarse timer is early enough for a moment that is later by this, which may have come a little earlier since.
const LEAST_BEFORE: Duration = Duration::from_micros(2500);
/// The coarse timer is put off when it is nearer than this, and by more than that little: not with every packet, and before it
/// comes in a game of 60 packets a second.
const NEAR: Duration = Duration::from_millis(15);
const LITTLE: Duration = Duration::from_millis(2);
/// It is put off by no more than this. What waits for an answer may have a far moment now, but what acknowledges the
/// answer has one that is 25 ms away then, and tokio is told of an earlier one by a system call and a wake-up.
const REACH: Duration = Duration::from_millis(20);
/// Two exact timers that have come in vain within this time make a traffic that puts moments off.
const TRAFFIC: Duration = Duration::from_millis(64);

/// What is set.
#[derive(Debug, Default)]
pub(super) struct Plan {
    exact: Option<Instant>,
    coarse: Option<Instant>,
    /// What was asked for last.
    asked: Option<Instant>,
    /// When the exact timer came in vain last.
    in_vain: Option<Instant>,
    /// It has just come in vain, and not for the first time.
    is_traffic: bool,
}

/// What has to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// The exact timer is to be set to this moment, instead of any other.
    Exact(Instant),
    /// The coarse one is.
    Coarse(Instant),
}

impl Plan {
    /// What has to be set so that one of the timers comes before `at`, or exactly then.
    pub(super) fn next(&mut self, now: Instant, at: Instant) -> Option<Step> {
        let is_traffic = std::mem::take(&mut self.is_traffic);
        self.asked = Some(at);
        let before = at.checked_sub(BEFORE).unwrap_or(now).min(now + REACH);
        if !self.knows(at) {
            return Some(match is_traffic && before > now {
                true => self.set_coarse(before),
                false => self.set_exact(at),
            });
        }
        let coarse = self.coarse?;
        (coarse < now + NEAR && coarse + LITTLE < before).then(|| self.set_coarse(before))
    }

    /// One of them comes early enough.
    fn knows(&self, at: Instant) -> bool {
        let exact = self.exact.is_some_and(|exact| exact <= at);
        exact
            || self
                .coarse
                .is_some_and(|coarse| coarse + LEAST_BEFORE <= at)
    }

    fn set_exact(&mut self, at: Instant) -> Step {
        self.exact = Some(at);
        Step::Exact(at)
    }

    fn set_coarse(&mut self, at: Instant) -> Step {
        self.coarse = Some(at);
        Step::Coarse(at)
    }

    pub(super) fn exact(&self) -> Option<Instant> {
        self.exact
    }

    pub(super) fn coarse(&self) -> Option<Instant> {
        self.coarse
    }

    /// The exact timer has come; in vain, if the moment has been put off.
    pub(super) fn exact_came(&mut self, now: Instant) {
        let moment = self.exact.take();
        if self.asked > moment {
            let last = self.in_vain.replace(now);
            let age = last.map(|last| now.saturating_duration_since(last));
            self.is_traffic = age.is_some_and(|age| age < TRAFFIC);
        }
    }

    /// The coarse one has come: the moment is near, or nothing has put it off of late.
    pub(super) fn coarse_came(&mut self) {
        self.coarse = None;
    }
}

#[cfg(test)]
#[path = "plan/tests.rs"]
mod tests;
