//! Whether a loop kept turning, or the machine or the program slept meanwhile.

use super::uptime::Moment;
use std::time::{Duration, Instant};

/// A loop that turns several times a second has slept when it stood still for so long; what waits in
/// queues then is older than any game wants.
const NAP: Duration = Duration::from_secs(2);

/// When a loop last began a turn.
#[derive(Debug)]
pub(super) struct Wakefulness {
    turned: Moment,
}

impl Wakefulness {
    pub(super) fn new(now: Moment) -> Self {
        Wakefulness { turned: now }
    }

    /// Another turn begins. False when the loop has slept since the last one.
    pub(super) fn turn(&mut self, now: Moment) -> bool {
        let awake = !self.has_slept(now);
        self.turned = now;
        awake
    }

    /// True when this turn has stood still on its way.
    pub(super) fn has_slept(&self, now: Moment) -> bool {
        now.since(self.turned) > NAP
    }
}

/// Two clocks that are read one after the other differ by less.
const SHORTEST_SLEEP: Duration = Duration::from_secs(1);

/// How long the machine sleeps in ways that `Instant` does not see.
#[derive(Debug)]
pub(super) struct Sleep {
    moment: Moment,
    instant: Instant,
}

impl Sleep {
    pub(super) fn new(moment: Moment, instant: Instant) -> Self {
        Sleep { moment, instant }
    }

    /// How long it has slept since this was last answered, if it has.
    pub(super) fn take(&mut self, moment: Moment, instant: Instant) -> Option<Duration> {
        let awake = instant.saturating_duration_since(self.instant);
        let slept = moment.since(self.moment).saturating_sub(awake);
        if slept < SHORTEST_SLEEP {
            return None;
        }
        *self = Sleep::new(moment, instant);
        Some(slept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_clock_counts_and_the_other_does_not_is_sleep() {
        let (moment, instant) = (Moment::now(), Instant::now());
        let at = |awake, asleep| {
            let (awake, asleep) = (Duration::from_secs(awake), Duration::from_millis(asleep));
            (moment + awake + asleep, instant + awake)
        };
        let mut sleep = Sleep::new(moment, instant);
        let mut take = |(moment, instant)| sleep.take(moment, instant);
        assert_eq!(take(at(86400, 0)), None);
        assert_eq!(take(at(86400, 900)), None);
        // Many short ones count together, and each once.
        assert_eq!(take(at(86401, 1800)), Some(Duration::from_millis(1800)));
        assert_eq!(take(at(86401, 1800)), None);
        assert_eq!(take(at(90000, 3_601_800)), Some(Duration::from_secs(3600)));
    }

    #[test]
    fn a_busy_moment_is_no_nap_and_two_seconds_are() {
        let begin = Moment::now();
        let mut awake = Wakefulness::new(begin);
        let busy = begin + Duration::from_millis(1900);
        assert!(awake.turn(busy));
        let slept = busy + Duration::from_millis(2100);
        assert!(awake.has_slept(slept));
        assert!(!awake.turn(slept));
        assert!(!awake.has_slept(slept), "a new turn begins awake");
    }
}
