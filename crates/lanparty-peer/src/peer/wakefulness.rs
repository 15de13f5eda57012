//! Whether a loop kept turning, or the machine or the program slept meanwhile.

use super::uptime::Moment;
use std::time::Duration;

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

#[cfg(test)]
mod tests {
    use super::*;

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
