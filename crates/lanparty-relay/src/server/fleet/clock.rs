//! The time by which a relay's part in the fleet goes.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

/// The system's time, or another one, so that what takes seconds can be seen without waiting for them.
#[derive(Clone)]
pub struct FleetClock(Arc<dyn Fn() -> Instant + Send + Sync>);

impl FleetClock {
    /// The system's.
    pub fn system() -> Self {
        FleetClock::new(Instant::now)
    }

    /// One that says this. When it has leapt on, something must be heard from the directory, whatever that is.
    pub fn new(now: impl Fn() -> Instant + Send + Sync + 'static) -> Self {
        FleetClock(Arc::new(now))
    }

    pub(super) fn now(&self) -> Instant {
        (self.0)()
    }
}

impl fmt::Debug for FleetClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FleetClock(…)")
    }
}
