//! Wakes a task at a moment.
//!
//! The moments of a link change with every packet and are nearly always put off, while tokio's wheel of timers wants to be
//! told of each, wakes the program to move them from one of its levels to the next, and is a millisecond coarse, which
//! is as long as the gate's whole burst. So the system is only asked again when a moment comes earlier than the one that it knows.

#[cfg(target_os = "linux")]
#[path = "alarm/linux.rs"]
mod timer;
#[cfg(not(target_os = "linux"))]
#[path = "alarm/elsewhere.rs"]
mod timer;

use std::io;
use std::task::{Context, Poll};
use std::time::Instant;
use timer::Timer;

/// What wakes a task; it may do so too early, never too late.
#[derive(Debug)]
pub(super) struct Alarm {
    timer: Timer,
    set_to: Option<Instant>,
}

impl Alarm {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Alarm {
            timer: Timer::new()?,
            set_to: None,
        })
    }

    /// Ready when that moment is over; else the task is woken then.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, at: Instant) -> Poll<()> {
        loop {
            let now = Instant::now();
            if at <= now {
                return Poll::Ready(());
            }
            if self.set_to.is_none_or(|set_to| set_to > at) {
                self.timer.set(at, at - now);
                self.set_to = Some(at);
            }
            if self.timer.poll(cx).is_pending() {
                return Poll::Pending;
            }
            self.set_to = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use std::time::Duration;

    #[tokio::test]
    async fn it_wakes_at_the_earliest_moment_and_never_too_early() {
        let mut alarm = Alarm::new().unwrap();
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        // A far one first, which the near one must not wait for; then one that was put off.
        for ms in [600_000, 300_000] {
            let is_over = poll_fn(|cx| Poll::Ready(alarm.poll(cx, at(ms)).is_ready()));
            assert!(!is_over.await);
        }
        for ms in [20, 40, 30] {
            poll_fn(|cx| alarm.poll(cx, at(ms))).await;
            assert!(Instant::now() >= at(ms));
        }
        poll_fn(|cx| alarm.poll(cx, start)).await;
        assert!(start.elapsed() < Duration::from_secs(60));
    }
}
