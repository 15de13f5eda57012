//! Between a program's loop and the thread that serves its numbers: the loop says that it lives, and hands out copies.
//!
//! Ten times a second the loop's own timer fires. How late that is, is how long everything else there had to wait.

use crate::sheet::Buckets;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};
use tokio::time::MissedTickBehavior;

/// How often the loop is felt.
const BEAT: Duration = Duration::from_millis(100);
/// A loop that has not turned for so long hangs.
const HANGS: Duration = Duration::from_secs(5);
/// How long a copy of the numbers is waited for.
const PATIENCE: Duration = Duration::from_secs(2);
/// In seconds. tokio's timers know milliseconds, so the first is as good as none.
const BOUNDS: [f64; 11] = [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0];

/// What is known of the loop.
#[derive(Debug)]
struct Pulse {
    start: Instant,
    /// The last beat, in µs since the start.
    last: AtomicU64,
    late: [AtomicU64; BOUNDS.len() + 1],
    late_us: AtomicU64,
}

impl Pulse {
    fn new(start: Instant) -> Self {
        Pulse {
            start,
            last: AtomicU64::new(0),
            late: Default::default(),
            late_us: AtomicU64::new(0),
        }
    }

    fn note(&self, now: Instant, late: Duration) {
        let us = micros(now.saturating_duration_since(self.start));
        self.last.store(us, Ordering::Relaxed);
        let seconds = late.as_secs_f64();
        let bucket = BOUNDS.iter().position(|&bound| seconds <= bound);
        self.late[bucket.unwrap_or(BOUNDS.len())].fetch_add(1, Ordering::Relaxed);
        self.late_us.fetch_add(micros(late), Ordering::Relaxed);
    }

    /// For how long the loop has not turned.
    fn silence(&self, now: Instant) -> Duration {
        let last = self.start + Duration::from_micros(self.last.load(Ordering::Relaxed));
        now.saturating_duration_since(last)
    }

    fn lag(&self) -> Buckets {
        let count = |at: usize| self.late[at].load(Ordering::Relaxed);
        let counts = BOUNDS.iter().enumerate();
        Buckets {
            counts: counts.map(|(at, &bound)| (bound, count(at))).collect(),
            beyond: count(BOUNDS.len()),
            sum: Duration::from_micros(self.late_us.load(Ordering::Relaxed)).as_secs_f64(),
        }
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// The loop's end of the line.
#[derive(Debug)]
pub struct LoopEnd<T> {
    pulse: Arc<Pulse>,
    asked: mpsc::Receiver<oneshot::Sender<T>>,
}

/// The other end.
#[derive(Debug)]
pub(crate) struct ServerEnd<T> {
    pulse: Arc<Pulse>,
    ask: mpsc::Sender<oneshot::Sender<T>>,
}

/// A line between a loop and whoever wants to know how it is.
pub(crate) fn line<T>(now: Instant) -> (LoopEnd<T>, ServerEnd<T>) {
    let (ask, asked) = mpsc::channel(1);
    let pulse = Arc::new(Pulse::new(now));
    let ours = pulse.clone();
    (LoopEnd { pulse: ours, asked }, ServerEnd { pulse, ask })
}

impl<T> LoopEnd<T> {
    /// Says that the loop turns, and hands out copies of its numbers, for as long as it is polled there.
    pub async fn run(mut self, mut copy: impl FnMut() -> T) -> Infallible {
        let mut beat = tokio::time::interval(BEAT);
        // After a pause the loop is late once, not for each beat that it has missed.
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                due = beat.tick() => {
                    let now = Instant::now();
                    self.pulse.note(now, now.saturating_duration_since(due.into_std()));
                }
                Some(asker) = self.asked.recv() => {
                    // It may have lost patience.
                    let _ = asker.send(copy());
                }
            }
        }
    }
}

impl<T> ServerEnd<T> {
    /// A copy of the loop's numbers; nothing when the loop hangs, or has ended.
    pub(crate) async fn copy(&self) -> Option<T> {
        let asking = async {
            let (asker, copy) = oneshot::channel();
            self.ask.send(asker).await.ok()?;
            copy.await.ok()
        };
        tokio::time::timeout(PATIENCE, asking).await.ok().flatten()
    }

    /// Why the loop is not healthy, if it is not.
    pub(crate) fn trouble(&self, now: Instant) -> Option<String> {
        let silence = self.pulse.silence(now);
        if self.ask.is_closed() {
            return Some("the program has stopped serving".to_owned());
        }
        let seconds = silence.as_secs();
        (silence > HANGS).then(|| format!("the program's loop has not turned for {seconds} s"))
    }

    pub(crate) fn lag(&self) -> Buckets {
        self.pulse.lag()
    }

    pub(crate) fn uptime(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.pulse.start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_loop_answers_and_one_that_hangs_or_ends_is_known_as_such() {
        let start = Instant::now();
        let (theirs, ours) = line(start);
        let running = tokio::spawn(theirs.run(|| 7));
        assert_eq!(ours.copy().await, Some(7));
        assert_eq!(ours.trouble(start + Duration::from_secs(4)), None);
        let trouble = ours.trouble(start + Duration::from_secs(9)).unwrap();
        assert!(trouble.contains("has not turned for"), "{trouble}");
        running.abort();
        assert!(running.await.unwrap_err().is_cancelled());
        assert_eq!(ours.copy().await, None);
        let trouble = ours.trouble(start).unwrap();
        assert!(trouble.contains("has stopped"), "{trouble}");
    }

    #[tokio::test(start_paused = true)]
    async fn who_asks_a_hanging_loop_loses_patience() {
        let (theirs, ours) = line::<u8>(Instant::now());
        assert_eq!(ours.copy().await, None);
        drop(theirs);
    }

    #[test]
    fn a_beat_is_counted_where_it_belongs() {
        let start = Instant::now();
        let pulse = Pulse::new(start);
        for ms in [0, 1, 15, 7_000] {
            pulse.note(start, Duration::from_millis(ms));
        }
        let lag = pulse.lag();
        let counted: Vec<_> = lag.counts.iter().filter(|(_, count)| *count > 0).collect();
        assert_eq!(counted, [&(0.002, 2), &(0.02, 1)]);
        assert_eq!((lag.beyond, lag.sum), (1, 7.016));
    }
}
