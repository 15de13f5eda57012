//! Time that goes on while the machine sleeps. On Linux [`std::time::Instant`] stands still meanwhile.

use std::ops::Add;
use std::time::Duration;

/// A moment since the machine was started, or before the first one that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Moment(Duration);

impl Moment {
    pub(super) fn now() -> Self {
        Moment(imp::uptime())
    }

    pub(super) fn since(self, earlier: Moment) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for Moment {
    type Output = Moment;

    fn add(self, later: Duration) -> Moment {
        Moment(self.0 + later)
    }
}

#[cfg(target_os = "linux")]
mod imp {
    use rustix::time::{ClockId, clock_gettime};
    use std::time::Duration;

    pub(super) fn uptime() -> Duration {
        let now = clock_gettime(ClockId::Boottime);
        // Neither part is ever negative.
        Duration::new(now.tv_sec.unsigned_abs(), now.tv_nsec.unsigned_abs() as u32)
    }
}

/// Windows' counter, behind `Instant`, goes on in a sleep.
#[cfg(not(target_os = "linux"))]
mod imp {
    use std::sync::OnceLock;
    use std::time::{Duration, Instant};

    pub(super) fn uptime() -> Duration {
        static FIRST: OnceLock<Instant> = OnceLock::new();
        FIRST.get_or_init(Instant::now).elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_goes_on() {
        let moments = [Moment::now(), Moment::now(), Moment::now()];
        assert!(moments.is_sorted());
        let later = moments[0] + Duration::from_secs(3);
        assert_eq!(later.since(moments[0]), Duration::from_secs(3));
        assert_eq!(moments[0].since(later), Duration::ZERO);
    }

    /// `/proc/uptime` counts sleep in (proc_uptime(5)).
    #[cfg(target_os = "linux")]
    #[test]
    fn a_sleep_of_the_machine_counts() {
        let uptime = || {
            let text = std::fs::read_to_string("/proc/uptime").unwrap();
            let seconds = text.split(' ').next().unwrap().parse().unwrap();
            Duration::from_secs_f64(seconds)
        };
        let hundredth = Duration::from_millis(10);
        let (before, now, after) = (uptime(), Moment::now().0, uptime());
        assert!(
            before <= now && now <= after + hundredth,
            "{before:?} {now:?} {after:?}"
        );
    }
}
