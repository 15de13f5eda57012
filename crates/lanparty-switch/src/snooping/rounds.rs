//! When something is said that others may have missed: at once, soon after, and then every [`RENEWAL`].

use super::RENEWAL;
use std::time::{Duration, Instant};

/// At once, once more for an adapter or a switch's port that was not up yet, and once more for what got lost.
pub(super) const ROUNDS: [Duration; 3] = [
    Duration::ZERO,
    Duration::from_secs(1),
    Duration::from_secs(10),
];

/// The next round, while there are any.
#[derive(Debug, Clone, Copy, Default)]
pub struct Rounds {
    next: Option<(usize, Instant)>,
}

impl Rounds {
    /// Whoever shall hear it knows nothing yet.
    pub fn begin(&mut self, now: Instant) {
        self.next = Some((0, now));
    }

    /// There is nobody to hear it any more.
    pub fn end(&mut self) {
        self.next = None;
    }

    /// True from the beginning to the end.
    pub fn are_on(&self) -> bool {
        self.next.is_some()
    }

    /// What was said just now is known, and need not be said again before it is renewed.
    pub(super) fn renew(&mut self, now: Instant) {
        self.next = Some((ROUNDS.len(), now + RENEWAL));
    }

    /// Something is new that may get lost on its way.
    pub(super) fn hurry(&mut self, now: Instant) {
        if let Some((number, at)) = &mut self.next {
            *number = (*number).min(1);
            *at = (*at).min(now + ROUNDS[1]);
        }
    }

    /// When the next one is.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.next.map(|(_, at)| at)
    }

    /// The one that is due; `true` when it only renews what was said.
    pub fn poll(&mut self, now: Instant) -> Option<bool> {
        let (number, at) = self.next.filter(|&(_, at)| at <= now)?;
        let wait = match ROUNDS.get(number..) {
            Some([this, next, ..]) => *next - *this,
            _ => RENEWAL,
        };
        self.next = Some(((number + 1).min(ROUNDS.len()), at.max(now) + wait));
        Some(number == ROUNDS.len())
    }
}
