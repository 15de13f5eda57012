//! When the players' next frames are due.
//!
//! tokio's own timers are a millisecond coarse: hundreds of players would send in bunches, whose frames wait for each other
//! in the relay, and the bunches would be in the relay's figures. So one timer of the kernel's (timerfd_create(2)) wakes
//! each player at the due moment.

#![allow(
    unsafe_code,
    reason = "tokio watches a descriptor only for whoever vouches for it"
)]

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Wakes players; somebody must [run](Self::run) it.
#[derive(Debug)]
pub(crate) struct Clock {
    timer: AsyncFd<OwnedFd>,
    /// By moment and player.
    waiting: RefCell<BTreeMap<(Instant, usize), Waker>>,
    /// When the timer fires, if it does.
    set_to: Cell<Option<Instant>>,
}

impl Clock {
    pub(crate) fn new() -> io::Result<Self> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        // SAFETY: the `AsyncFd` owns the timer, an `OwnedFd` always answers the same descriptor, and nothing here takes it
        // out or puts another one in its place.
        let timer = unsafe { AsyncFd::register_with_interest(timer, Interest::READABLE) };
        Ok(Self {
            timer: timer?,
            waiting: RefCell::default(),
            set_to: Cell::default(),
        })
    }

    /// Ready when that moment is over; else this player's task is woken then.
    pub(crate) fn poll(&self, cx: &mut Context<'_>, player: usize, at: Instant) -> Poll<()> {
        let now = Instant::now();
        if at <= now {
            return Poll::Ready(());
        }
        let wakers = &mut *self.waiting.borrow_mut();
        wakers
            .entry((at, player))
            .and_modify(|waker| waker.clone_from(cx.waker()))
            .or_insert_with(|| cx.waker().clone());
        if self.set_to.get().is_none_or(|set_to| at < set_to) {
            self.set(at, now);
        }
        Poll::Pending
    }

    /// Wakes whoever is due, for ever.
    pub(crate) async fn run(&self) -> io::Result<()> {
        loop {
            // Setting it takes back what was not read, so nothing is read.
            self.timer.readable().await?.clear_ready();
            self.set_to.set(None);
            let now = Instant::now();
            let wakers = &mut *self.waiting.borrow_mut();
            while let Some(first) = wakers.first_entry() {
                let (at, _) = *first.key();
                if at > now {
                    self.set(at, now);
                    break;
                }
                first.remove().wake();
            }
        }
    }

    fn set(&self, at: Instant, now: Instant) {
        // Zero would stop it.
        let left = (at - now).max(Duration::from_nanos(1));
        let zero = Timespec::default();
        let spec = Itimerspec {
            it_interval: zero,
            it_value: Timespec::try_from(left).unwrap_or(zero),
        };
        let set = timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &spec);
        set.expect("the descriptor is a timer's and the time is a time");
        self.set_to.set(Some(at));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use std::rc::Rc;

    #[tokio::test(flavor = "local")]
    async fn everybody_is_woken_in_the_order_of_their_moments_and_never_too_early() {
        let clock = Rc::new(Clock::new().unwrap());
        let begin = Instant::now();
        let woken = Rc::new(RefCell::new(Vec::new()));
        let players: Vec<_> = [30, 10, 20, 10]
            .into_iter()
            .enumerate()
            .map(|(player, ms)| {
                let (clock, woken) = (clock.clone(), woken.clone());
                tokio::task::spawn_local(async move {
                    let at = begin + Duration::from_millis(ms);
                    poll_fn(|cx| clock.poll(cx, player, at)).await;
                    assert!(Instant::now() >= at);
                    woken.borrow_mut().push(player);
                })
            })
            .collect();
        tokio::task::spawn_local(async move { clock.run().await });
        for player in players {
            player.await.unwrap();
        }
        assert_eq!(*woken.borrow(), [1, 3, 2, 0]);
    }
}
