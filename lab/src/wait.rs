//! Waiting for something to become true, with a deadline: the only place in the lab that sleeps.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

const INTERVAL: Duration = Duration::from_millis(20);

/// Asks again and again until `condition` answers with a value; fails with `what` when the deadline passes.
pub fn eventually<T>(
    what: &str,
    deadline: Duration,
    mut condition: impl FnMut() -> Option<T>,
) -> Result<T> {
    let end = Instant::now() + deadline;
    loop {
        if let Some(value) = condition() {
            return Ok(value);
        }
        if Instant::now() >= end {
            bail!("waited {deadline:?} in vain: {what}");
        }
        thread::sleep(INTERVAL);
    }
}

/// Lets time pass: a fault lasts for a while, and what it breaks late must have had its time.
pub fn pass(time: Duration) {
    thread::sleep(time);
}
