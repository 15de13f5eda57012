//! How fast what may go goes.

use std::time::{Duration, Instant};

/// Sends what there is room for at a pace, with bursts of a millisecond.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    credit: f64,
    at: Instant,
}

/// A burst, in seconds; and in bytes at least.
const BURST: f64 = 0.001;
const LEAST_BURST: f64 = 2.0 * 1350.0;

impl Pace {
    /// A pace that lets a burst go at once.
    pub fn new(now: Instant) -> Self {
        Pace {
            credit: LEAST_BURST,
            at: now,
        }
    }

    /// When more may be sent at this rate: now, or later.
    ///
    /// # Errors
    /// When that will be.
    pub fn check(&mut self, now: Instant, rate: u64) -> Result<(), Instant> {
        let rate = (rate as f64).max(1.0);
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.at = self.at.max(now);
        let burst = (rate * BURST).max(LEAST_BURST);
        self.credit = (self.credit + passed * rate).min(burst);
        if self.credit > 0.0 {
            return Ok(());
        }
        Err(now + Duration::from_secs_f64((1.0 - self.credit) / rate))
    }

    /// So many bytes were given away. Small flows, which are not asked to wait, make no more of a debt than others may.
    pub fn spend(&mut self, bytes: usize) {
        self.credit = (self.credit - bytes as f64).max(-LEAST_BURST);
    }
}
