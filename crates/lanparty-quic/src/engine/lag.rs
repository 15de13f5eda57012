//! How late a loop reads: from when a packet could have been read, or a loop was rung, to its turn.
//!
//! Nobody measures until somebody asks. A loop that rests is rung from time to time and says when its turn came; one
//! whose socket is never empty at a turn's end is behind, and for how long it has been so is how late it may be.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// The upper ends of what is told apart, in microseconds; what is longer counts as the last.
const ENDS: [u64; 12] = [
    100, 250, 500, 1000, 2400, 5000, 10_000, 20_000, 50_000, 100_000, 250_000, 1_000_000,
];
/// How often loops are to be rung: one that answered late has missed the rings between.
pub const RING: Duration = Duration::from_millis(20);
/// Over how many looks.
const LOOKS: usize = 5;

/// How late one loop was.
#[derive(Debug)]
pub(super) struct Lateness {
    begin: Instant,
    /// When it was rung, in microseconds since then and one more; 0 while it need not answer.
    rung: AtomicU64,
    counts: [AtomicU64; ENDS.len()],
    /// Since when each turn has left something in the socket.
    behind: Mutex<Option<Instant>>,
}

impl Lateness {
    pub(super) fn new(begin: Instant) -> Self {
        Lateness {
            begin,
            rung: AtomicU64::new(0),
            counts: Default::default(),
            behind: Mutex::new(None),
        }
    }

    /// It is rung at `now`. True when it has answered the ring before.
    pub(super) fn ring(&self, now: Instant) -> bool {
        let at = self.since(now) + 1;
        let rung = self
            .rung
            .compare_exchange(0, at, Ordering::Relaxed, Ordering::Relaxed);
        rung.is_ok()
    }

    /// It has a turn at `now`, after which more may be in the socket.
    pub(super) fn turn(&self, now: Instant, leaves_some: bool) {
        let rung = self.rung.swap(0, Ordering::Relaxed);
        if rung > 0 {
            let late = self.since(now).saturating_sub(rung - 1);
            self.note(late, 1 + late / micros(RING));
        }
        let mut behind = self.behind.lock().unwrap_or_else(PoisonError::into_inner);
        match (leaves_some, *behind) {
            (false, None) => {}
            (false, Some(_)) => *behind = None,
            (true, None) => *behind = Some(now),
            (true, Some(since)) => self.note(micros(now.saturating_duration_since(since)), 1),
        }
    }

    fn note(&self, late: u64, times: u64) {
        let place = ENDS.iter().position(|&end| late <= end);
        let place = place.unwrap_or(ENDS.len() - 1);
        self.counts[place].fetch_add(times, Ordering::Relaxed);
    }

    fn since(&self, now: Instant) -> u64 {
        micros(now.saturating_duration_since(self.begin))
    }

    pub(super) fn counts(&self) -> Counts {
        self.counts
            .each_ref()
            .map(|count| count.load(Ordering::Relaxed))
    }
}

pub(super) type Counts = [u64; ENDS.len()];

/// How late the loops of an endpoint were in the last looks at it.
#[derive(Debug, Default)]
pub struct LagWindow(VecDeque<Vec<Counts>>);

impl LagWindow {
    /// One look more, and how late the latest loop was since the one five looks ago: 99 of 100 turns were earlier.
    pub(super) fn look(&mut self, now: Vec<Counts>) -> Option<Duration> {
        let then = match self.0.len() > LOOKS - 1 {
            true => self.0.pop_front(),
            false => self.0.front().cloned(),
        };
        let worst = then.and_then(|then| {
            let loops = then.iter().zip(&now);
            loops.filter_map(|(then, now)| late(then, now)).max()
        });
        self.0.push_back(now);
        worst.map(Duration::from_micros)
    }
}

/// The 99th percentile of what has come between the two.
fn late(then: &Counts, now: &Counts) -> Option<u64> {
    let mut between = [0; ENDS.len()];
    for (place, count) in between.iter_mut().enumerate() {
        *count = now[place].saturating_sub(then[place]);
    }
    let all: u64 = between.iter().sum();
    let rank = (all * 99).div_ceil(100);
    let mut seen = 0;
    let place = between.iter().position(|count| {
        seen += count;
        seen >= rank
    })?;
    (all > 0).then_some(ENDS[place])
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_loop_that_answers_at_once_is_not_late_and_one_stall_is_no_percentile() {
        let start = Instant::now();
        let (lateness, mut window) = (Lateness::new(start), LagWindow::default());
        assert_eq!(window.look(vec![lateness.counts()]), None, "nothing before");
        let mut now = start;
        for ring in 0..500 {
            now += RING;
            assert!(lateness.ring(now));
            let late = if ring == 77 { 7 * MS } else { MS / 20 };
            lateness.turn(now + late, false);
            // Turns for packets alone answer nothing.
            lateness.turn(now + 9 * MS, false);
        }
        assert_eq!(window.look(vec![lateness.counts()]), Some(MS / 10));
    }

    #[test]
    fn a_loop_that_sleeps_through_rings_is_late_by_each_of_them() {
        let start = Instant::now();
        let (lateness, mut window) = (Lateness::new(start), LagWindow::default());
        window.look(vec![lateness.counts()]);
        assert!(lateness.ring(start));
        assert!(!lateness.ring(start + RING), "it has not answered");
        lateness.turn(start + 500 * MS, false);
        assert_eq!(lateness.counts()[11], 26);
        assert_eq!(window.look(vec![lateness.counts()]), Some(1000 * MS));
    }

    #[test]
    fn a_socket_that_is_never_empty_is_late_by_how_long_that_has_been_so() {
        let start = Instant::now();
        let (lateness, mut window) = (Lateness::new(start), LagWindow::default());
        window.look(vec![lateness.counts(); 2]);
        for turn in 0..100 {
            lateness.turn(start + turn * MS, true);
        }
        lateness.turn(start + 100 * MS, false);
        lateness.turn(start + 101 * MS, true);
        let idle = Lateness::new(start);
        let counts = [&idle, &lateness].map(Lateness::counts);
        let late = window.look(counts.to_vec());
        assert_eq!(late, Some(100 * MS), "of the latest loop");
        // Five looks later that is forgotten.
        for _ in 0..4 {
            window.look(counts.to_vec());
        }
        assert_eq!(window.look(counts.to_vec()), None);
    }
}
