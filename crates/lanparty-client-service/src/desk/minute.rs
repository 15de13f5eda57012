//! The last minute's pings, one a second.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// So many seconds are shown.
const SECONDS: usize = 60;

/// The round trips of the last minute.
#[derive(Debug, Default)]
pub(super) struct Minute(VecDeque<(Instant, u32)>);

impl Minute {
    /// A round trip was measured, in microseconds.
    pub(super) fn note(&mut self, now: Instant, us: u32) {
        self.forget(now);
        self.0.push_back((now, us));
    }

    fn forget(&mut self, now: Instant) {
        while self
            .0
            .front()
            .is_some_and(|&(at, _)| age(now, at) >= SECONDS)
        {
            self.0.pop_front();
        }
    }

    /// The latest of each second, the last second at the end; as many seconds as have something to show.
    pub(super) fn seconds(&self, now: Instant) -> Vec<Option<u32>> {
        let mut seconds = vec![None; SECONDS];
        for &(at, us) in &self.0 {
            if let Some(second) = (SECONDS - 1).checked_sub(age(now, at)) {
                seconds[second] = Some(us);
            }
        }
        let first = seconds.iter().position(Option::is_some);
        seconds.split_off(first.unwrap_or(SECONDS))
    }
}

/// Whole seconds. A tick that comes a little late is still one second after the one before.
fn age(now: Instant, at: Instant) -> usize {
    let age = now.saturating_duration_since(at) + Duration::from_millis(100);
    usize::try_from(age.as_secs()).unwrap_or(SECONDS)
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "tests own the clock")]
mod tests {
    use super::*;

    #[test]
    fn a_minute_has_sixty_seconds_and_gaps_where_there_was_no_link() {
        let (mut minute, start) = (Minute::default(), Instant::now());
        assert!(minute.seconds(start).is_empty());
        let at = |second| start + Duration::from_secs(second);
        minute.note(at(0), 10);
        minute.note(at(1), 11);
        minute.note(at(4), 14);
        let seen = minute.seconds(at(4));
        assert_eq!(seen, [Some(10), Some(11), None, None, Some(14)]);
        let seen = minute.seconds(at(62));
        assert_eq!((seen.len(), seen[0], seen[58]), (59, Some(14), None));
        for second in 100..300 {
            minute.note(at(second), 7);
        }
        assert_eq!(minute.seconds(at(299)), [Some(7); 60]);
        assert!(minute.0.len() <= 60);
    }
}
