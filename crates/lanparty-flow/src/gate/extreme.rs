//! The best of what was measured lately.

use std::time::{Duration, Instant};

/// The least or greatest value of late.
#[derive(Debug, Clone)]
pub(super) struct Extreme {
    of: fn(f64, f64) -> f64,
    pub(super) age: Duration,
    since: Option<Instant>,
    now: Option<f64>,
    before: Option<f64>,
}

impl Extreme {
    pub(super) fn new(age: Duration, of: fn(f64, f64) -> f64) -> Self {
        Extreme {
            of,
            age,
            since: None,
            now: None,
            before: None,
        }
    }

    pub(super) fn note(&mut self, now: Instant, value: f64) {
        let since = *self.since.get_or_insert(now);
        if now >= since + self.age {
            self.since = Some(now);
            // An old value is better than none, unless nothing was noted for long.
            self.before = self.now.take().filter(|_| now < since + 3 * self.age);
        }
        self.improve(value);
    }

    pub(super) fn value(&self) -> Option<f64> {
        match (self.now, self.before) {
            (Some(now), Some(before)) => Some((self.of)(now, before)),
            (now, before) => now.or(before),
        }
    }

    /// Takes a better value without forgetting older ones.
    pub(super) fn improve(&mut self, value: f64) {
        self.now = Some(self.now.map_or(value, |known| (self.of)(known, value)));
    }

    pub(super) fn scale(&mut self, factor: f64) {
        for value in [&mut self.now, &mut self.before].into_iter().flatten() {
            *value *= factor;
        }
    }

    pub(super) fn forget(&mut self) {
        *self = Extreme::new(self.age, self.of);
    }
}
