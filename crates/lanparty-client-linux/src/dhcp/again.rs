//! When a DHCP client that has ended is started again.

use std::time::{Duration, Instant};

const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(60);

/// The next start: soon after the first end, and later each time, unless one ran for long.
#[derive(Debug)]
pub(crate) struct Again {
    pause: Duration,
    ended: Option<Instant>,
    due: Option<Instant>,
}

impl Again {
    pub(crate) fn new() -> Self {
        Again {
            pause: FIRST,
            ended: None,
            due: None,
        }
    }

    /// One has ended, or could not be started.
    pub(crate) fn ended(&mut self, now: Instant) {
        let was_long_ago = |ended| now.duration_since(ended) > 2 * LONGEST;
        if self.ended.is_none_or(was_long_ago) {
            self.pause = FIRST;
        }
        self.ended = Some(now);
        self.due = Some(now + self.pause);
        self.pause = (2 * self.pause).min(LONGEST);
    }

    /// One runs again.
    pub(crate) fn started(&mut self) {
        self.due = None;
    }

    pub(crate) fn is_due(&self, now: Instant) -> bool {
        self.due.is_some_and(|due| now >= due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_ends_is_started_again_and_not_without_pause() {
        let mut now = Instant::now();
        let mut again = Again::new();
        assert!(!again.is_due(now));
        for pause in [1, 2, 4, 8, 16, 32, 60, 60] {
            again.ended(now);
            let due = now + Duration::from_secs(pause);
            assert!(!again.is_due(due - Duration::from_millis(1)), "{pause}");
            assert!(again.is_due(due), "{pause}");
            again.started();
            assert!(!again.is_due(due));
            now = due;
        }
        now += 3 * LONGEST;
        again.ended(now);
        assert!(again.is_due(now + FIRST));
    }
}
