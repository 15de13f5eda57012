//! timerfd_create(2): nanoseconds, and nobody is woken before.

use super::super::udp::watch;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};
use std::io;
use std::os::fd::OwnedFd;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// A timer of the kernel's, on the clock of [`Instant`].
#[derive(Debug)]
pub(super) struct Timer(AsyncFd<OwnedFd>);

impl Timer {
    pub(super) fn new() -> io::Result<Self> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        watch(timer, Interest::READABLE).map(Timer)
    }

    /// It will be ready in `left`.
    pub(super) fn set(&mut self, _at: Instant, left: Duration) {
        let zero = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        // Zero would stop it.
        let left = left.max(Duration::from_nanos(1));
        let spec = Itimerspec {
            it_interval: zero,
            it_value: Timespec::try_from(left).unwrap_or(zero),
        };
        let set = timerfd_settime(self.0.get_ref(), TimerfdTimerFlags::empty(), &spec);
        set.expect("the descriptor is a timer's and the time is a time");
    }

    /// Ready once after the time has come. Setting it again takes back what was not read, so nothing is read.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self.0.poll_read_ready(cx) {
            Poll::Ready(Ok(mut ready)) => {
                ready.clear_ready();
                Poll::Ready(())
            }
            // The runtime ends, and this task with it.
            Poll::Ready(Err(_)) | Poll::Pending => Poll::Pending,
        }
    }
}
