//! What became of everybody's frames.

use std::cell::{Cell, RefCell};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

/// Bytes of a frame's stamp: nanoseconds since the beginning.
pub(crate) const STAMP: usize = size_of::<u64>();

/// Counts the frames that were sent while the window was open, and when they came.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    window: Cell<Option<Window>>,
    waiting: RefCell<Vec<Waker>>,
    sent: Cell<u64>,
    /// By how much each was sent too late.
    late: RefCell<Vec<Duration>>,
    ways: RefCell<Vec<Duration>>,
}

#[derive(Clone, Copy, Debug)]
struct Window {
    /// When the games begin.
    begin: Instant,
    /// From when until when they count, from there.
    warm_up: Duration,
    end: Duration,
}

impl Tally {
    /// The games begin now, and count after the warm-up.
    pub(crate) fn open(&self, warm_up: Duration, time: Duration) {
        self.window.set(Some(Window {
            begin: Instant::now(),
            warm_up,
            end: warm_up + time,
        }));
        self.waiting.take().into_iter().for_each(Waker::wake);
    }

    /// When the games began, if they have.
    pub(crate) fn begin(&self) -> Option<Instant> {
        self.window.get().map(|window| window.begin)
    }

    /// Ready when they have; else the task is woken then.
    pub(crate) fn poll_opened(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.begin().is_some() {
            return Poll::Ready(());
        }
        let mut waiting = self.waiting.borrow_mut();
        if !waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
            waiting.push(cx.waker().clone());
        }
        Poll::Pending
    }

    /// A frame leaves that was due then: its stamp.
    pub(crate) fn sends(&self, due: Instant, now: Instant) -> [u8; STAMP] {
        let Some(window) = self.window.get() else {
            return [0; STAMP];
        };
        let age = now.duration_since(window.begin);
        if window.counts(age) {
            self.sent.update(|sent| sent + 1);
            self.late.borrow_mut().push(now - due);
        }
        (age.as_nanos() as u64).to_be_bytes()
    }

    /// A frame with this stamp has come.
    pub(crate) fn receives(&self, now: Instant, stamp: [u8; STAMP]) {
        let Some(window) = self.window.get() else {
            return;
        };
        let age = Duration::from_nanos(u64::from_be_bytes(stamp));
        if window.counts(age) {
            let way = now.duration_since(window.begin).saturating_sub(age);
            self.ways.borrow_mut().push(way);
        }
    }

    /// One line: how many were sent, how many came, how long half of those and 99 of 100 took at most, and how late 99 of
    /// 100 were sent at most, which is none of the relay's doing.
    pub(crate) fn summary(&self) -> String {
        let quantile = |times: &RefCell<Vec<Duration>>, percent: usize| {
            let mut times = times.borrow_mut();
            times.sort_unstable();
            let time = times.get(times.len() * percent / 100);
            time.copied().unwrap_or_default().as_micros()
        };
        let (sent, received) = (self.sent.get(), self.ways.borrow().len());
        let [p50, p99] = [50, 99].map(|percent| quantile(&self.ways, percent));
        let late = quantile(&self.late, 99);
        format!("sent {sent} received {received} p50 {p50} us p99 {p99} us late {late} us")
    }
}

impl Window {
    fn counts(&self, age: Duration) -> bool {
        (self.warm_up..self.end).contains(&age)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_what_was_sent_in_the_window_whenever_it_comes() {
        let tally = Tally::default();
        tally.open(Duration::from_secs(1), Duration::from_secs(2));
        let begin = tally.begin().unwrap();
        let at = |ms| begin + Duration::from_millis(ms);
        for (sent, way) in [(999, 1), (1000, 2), (1500, 40), (2999, 6), (3000, 9)] {
            let stamp = tally.sends(at(sent - 3), at(sent));
            tally.receives(at(sent + way), stamp);
        }
        tally.sends(at(2500), at(2500)); // lost
        assert_eq!(
            tally.summary(),
            "sent 4 received 3 p50 6000 us p99 40000 us late 3000 us"
        );
    }
}
