//! When to drop a frame that has waited too long (CoDel, RFC 8289 §5).

use std::time::{Duration, Instant};

/// What waiting is good for: to keep a link busy that is not always ready (RFC 8289 §4.3).
const TARGET: Duration = Duration::from_millis(5);
/// How long waits may be longer than that, which is about the round trip of a slow path.
const INTERVAL: Duration = Duration::from_millis(100);

/// One flow's.
#[derive(Debug, Default)]
pub(super) struct CoDel {
    /// When waits will have been too long for an interval.
    patience_ends: Option<Instant>,
    next_drop: Option<Instant>,
    /// Drops since waits became too long; they come faster and faster.
    count: u32,
}

impl CoDel {
    /// The queue does not stand.
    pub(super) fn rest(&mut self) {
        *self = CoDel {
            count: self.count / 2,
            ..CoDel::default()
        };
    }

    pub(super) fn drops(&mut self, now: Instant, waited: Duration) -> bool {
        if waited < TARGET {
            self.rest();
            return false;
        }
        let patience_ends = *self.patience_ends.get_or_insert(now + INTERVAL);
        if now < patience_ends || self.next_drop.is_some_and(|next| now < next) {
            return false;
        }
        self.count += 1;
        let wait = INTERVAL.div_f64(f64::from(self.count).sqrt());
        self.next_drop = Some(self.next_drop.unwrap_or(now) + wait);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_that_stands_again_soon_loses_frames_sooner() {
        let (mut codel, begin) = (CoDel::default(), Instant::now());
        let lost_in_a_second = |codel: &mut CoDel, second: u64| {
            let frames =
                (0..1000).map(|millis| begin + Duration::from_millis(1000 * second + millis));
            frames.filter(|&now| codel.drops(now, 2 * TARGET)).count()
        };
        let first = lost_in_a_second(&mut codel, 0);
        codel.rest();
        let second = lost_in_a_second(&mut codel, 1);
        assert!(second >= first + first / 2, "{first}, then {second}");
    }
}
