//! Wakes a task at a moment.
//!
//! The moments of a link change with every packet and are nearly always put off. A timer of the kernel's is exact, which a
//! gate needs whose whole burst lasts a millisecond, but costs a system call each time it is set, and two when it has come
//! in vain. tokio's timers are a millisecond coarse, but moving one costs no system call, for it is the time that the
//! wait for packets takes at most. So the exact one is set when a moment comes earlier than all that were known,
//! and while moments are put off again and again, as in a game, a coarse one goes before them: see [`plan`].

#[cfg(target_os = "linux")]
#[path = "alarm/linux.rs"]
mod exact;
#[cfg(not(target_os = "linux"))]
#[path = "alarm/elsewhere.rs"]
mod exact;
mod plan;

use exact::Timer;
use plan::{Plan, Step};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;
use tokio::time::{Sleep, sleep_until};

/// What wakes a task. It may do so too early, and is never late but by what the system's clock is coarse: nothing on Linux, a millisecond of
/// tokio's and up to 16 of Windows' elsewhere.
#[derive(Debug)]
pub(super) struct Alarm {
    exact: Timer,
    coarse: Option<Pin<Box<Sleep>>>,
    plan: Plan,
}

impl Alarm {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Alarm {
            exact: Timer::new()?,
            coarse: None,
            plan: Plan::default(),
        })
    }

    /// Ready when that moment is over; else the task is woken then.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, at: Instant) -> Poll<()> {
        loop {
            let now = Instant::now();
            if at <= now {
                return Poll::Ready(());
            }
            // What has come is no timer any more that could be put off.
            self.poll_both(cx, now);
            match self.plan.next(now, at) {
                Some(Step::Exact(at)) => self.exact.set(at, at - now),
                Some(Step::Coarse(at)) => self.set_coarse(at),
                None => return Poll::Pending,
            }
        }
    }

    /// tokio takes over the new time of a timer that was put off when the old one comes, which is once too often. A new timer
    /// has none.
    fn set_coarse(&mut self, at: Instant) {
        let sleep = sleep_until(at.into());
        match &mut self.coarse {
            Some(coarse) => coarse.set(sleep),
            none => *none = Some(Box::pin(sleep)),
        }
    }

    /// Notes which have come; else the task is woken by them.
    fn poll_both(&mut self, cx: &mut Context<'_>, now: Instant) {
        if self.plan.exact().is_some() && self.exact.poll(cx).is_ready() {
            self.plan.exact_came(now);
        }
        if self.plan.coarse().is_some()
            && let Some(coarse) = &mut self.coarse
            && coarse.as_mut().poll(cx).is_ready()
        {
            self.plan.coarse_came();
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

    #[tokio::test]
    async fn moments_that_are_put_off_come_all_the_same() {
        let mut alarm = Alarm::new().unwrap();
        let start = Instant::now();
        // Whatever a wake-up was for, the moment is later by then, until it is not any more.
        let mut at = start + Duration::from_millis(25);
        let end = start + Duration::from_millis(200);
        poll_fn(|cx| {
            at = end.min(at.max(Instant::now() + Duration::from_millis(15)));
            alarm.poll(cx, at)
        })
        .await;
        assert!(Instant::now() >= end);
        assert!(start.elapsed() < Duration::from_secs(60));
    }
}
