//! How busy this relay is, by how late its loop runs, not by how many it carries.

use super::Fleet;
use crate::trouble::Trouble;
use std::time::{Duration, Instant};

/// A relay later than this for [`FOR`] takes no new rooms.
const SLOW: Duration = Duration::from_millis(5);
/// And takes some again when it was faster than this for [`CALM`].
const FAST: Duration = Duration::from_micros(2500);
/// A relay later than this for [`SOON`] sends its newest rooms away.
const TOO_SLOW: Duration = Duration::from_millis(20);
const FOR: Duration = Duration::from_secs(5);
const CALM: Duration = Duration::from_secs(10);
const SOON: Duration = Duration::from_secs(2);
/// So far apart, so that what it helped is seen before the next one goes.
const SHED_PACE: Duration = Duration::from_secs(2);

/// How a relay stands; to be told about once a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Load {
    /// How many more players it takes.
    pub free: u32,
    /// From when a socket can be read to when it is, the 99th percentile of the last second.
    pub lag: Duration,
}

/// Whether it is too much.
#[derive(Debug, Default)]
pub(super) struct Overload {
    slow: bool,
    too_slow: bool,
    late_since: Option<Instant>,
    calm_since: Option<Instant>,
    too_late_since: Option<Instant>,
    next_shed: Option<Instant>,
}

impl Overload {
    /// It takes no new rooms.
    pub(super) fn is_slow(&self) -> bool {
        self.slow
    }

    /// It is so late that players feel it.
    pub(super) fn is_too_slow(&self) -> bool {
        self.too_slow
    }

    /// What changed; and whether a room is to go.
    fn handle(&mut self, now: Instant, lag: Duration) -> (Option<Trouble>, bool) {
        let since = |is: bool, since: &mut Option<Instant>, long: Duration| {
            if !is {
                *since = None;
                return false;
            }
            now >= *since.get_or_insert(now) + long
        };
        let late = since(lag > SLOW, &mut self.late_since, FOR);
        let calm = since(lag < FAST, &mut self.calm_since, CALM);
        let too_late = since(lag > TOO_SLOW, &mut self.too_late_since, SOON);
        self.too_slow = too_late;
        let was = self.slow;
        self.slow = late || too_late || was && !calm;
        let sheds = too_late && self.next_shed.is_none_or(|next| now >= next);
        if sheds {
            self.next_shed = Some(now + SHED_PACE);
        }
        let change = match (was, self.slow) {
            (false, true) => Some(Trouble::Slow),
            (true, false) => Some(Trouble::Recovered),
            _ => None,
        };
        (change, sheds)
    }
}

impl Fleet {
    /// How busy the relay is now.
    pub fn handle_load(&mut self, now: Instant, load: Load) {
        // Whatever follows is decided by who is still in the fleet now.
        self.handle_timeout(now);
        self.look_for_double(now);
        self.card.free = load.free;
        let (change, sheds) = self.overload.handle(now, load.lag);
        if let Some(change) = change {
            self.say(now, change);
        }
        if sheds && !self.draining {
            self.say(now, Trouble::TooSlow);
            self.shed_newest(now);
        }
        self.handle_timeout(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_late_for_long_takes_no_rooms_and_who_is_calm_for_long_does() {
        let start = Instant::now();
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        let late = Duration::from_millis(6);
        let mut load = Overload::default();
        for second in 0..5 {
            assert_eq!(load.handle(at(second), late), (None, false));
        }
        assert_eq!(load.handle(at(5), late), (Some(Trouble::Slow), false));
        for second in 6..16 {
            assert_eq!(load.handle(at(second), Duration::ZERO), (None, false));
        }
        assert_eq!(
            load.handle(at(16), Duration::ZERO),
            (Some(Trouble::Recovered), false)
        );
    }

    #[test]
    fn one_late_second_is_nothing() {
        let start = Instant::now();
        let mut load = Overload::default();
        for second in 0..60 {
            let lag = Duration::from_millis(if second % 4 == 0 { 1 } else { 19 });
            let (change, sheds) = load.handle(start + Duration::from_secs(second), lag);
            assert!(change.is_none() && !sheds);
        }
    }

    #[test]
    fn who_is_far_too_late_sends_a_room_away_each_two_seconds() {
        let start = Instant::now();
        let mut load = Overload::default();
        let sheds = (0..9).filter(|&second| {
            load.handle(
                start + Duration::from_secs(second),
                Duration::from_millis(30),
            )
            .1
        });
        assert_eq!(sheds.collect::<Vec<_>>(), [2, 4, 6, 8]);
    }
}
