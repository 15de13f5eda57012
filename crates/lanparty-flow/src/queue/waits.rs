//! How long frames wait, in few numbers.

use lanparty_obs::link::Waits;
use std::collections::VecDeque;
use std::time::Duration;

/// Each power of two is cut in so many, so that a time is known to a quarter.
const STEPS: usize = 4;
/// Nothing waits for longer than a second, which is less than 2^20 µs.
const LARGEST_POWER: usize = 20;
const BUCKETS: usize = STEPS * (LARGEST_POWER - 1);

/// Frames by how long they have waited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waited {
    frames: [u64; BUCKETS],
    /// All their waits together, in µs.
    sum: u64,
}

impl Default for Waited {
    fn default() -> Self {
        Waited {
            frames: [0; BUCKETS],
            sum: 0,
        }
    }
}

impl Waited {
    /// A frame has waited for so long.
    pub fn note(&mut self, waited: Duration) {
        self.frames[bucket(waited)] += 1;
        self.sum += waited.as_micros() as u64;
    }

    /// Those of another link as well.
    pub fn add(&mut self, other: &Waited) {
        for (frames, others) in self.frames.iter_mut().zip(other.frames) {
            *frames += others;
        }
        self.sum += other.sum;
    }

    /// How many have waited for less than 4, 16, 64 … µs and so on up to a quarter of a second, each counted once; how many
    /// for longer; and how long all of them together.
    pub fn by_power(&self) -> (Vec<(Duration, u64)>, u64, Duration) {
        let mut from = 0;
        let powers = (2..LARGEST_POWER).step_by(2).map(|power| {
            // Powers of two are where buckets begin.
            let until = STEPS * (power - 1);
            let frames = self.frames[from..until].iter().sum();
            from = until;
            (Duration::from_micros(1 << power), frames)
        });
        let powers: Vec<_> = powers.collect();
        let beyond = self.frames[from..].iter().sum();
        (powers, beyond, Duration::from_micros(self.sum))
    }

    fn since(&self, before: &Waited) -> Waits {
        let counts: [u64; BUCKETS] = std::array::from_fn(|at| self.frames[at] - before.frames[at]);
        let frames = counts.iter().sum();
        let longest_of = |frames: u64| {
            let mut passed = 0;
            let reached = counts.iter().position(|&count| {
                passed += count;
                passed >= frames
            });
            reached.map_or(0, longest_in)
        };
        match frames {
            0 => Waits::default(),
            _ => Waits {
                frames,
                p50_us: longest_of(frames.div_ceil(2)),
                p99_us: longest_of((frames * 99).div_ceil(100)),
                max_us: longest_of(frames),
            },
        }
    }
}

fn bucket(waited: Duration) -> usize {
    let us = waited.as_micros() as usize;
    let Some(power) = us.checked_ilog2().filter(|&power| power >= 2) else {
        return us;
    };
    let step = (us >> (power - 2)) % STEPS;
    (STEPS * (power as usize - 1) + step).min(BUCKETS - 1)
}

/// The longest time in a bucket, in µs.
fn longest_in(bucket: usize) -> u64 {
    if bucket < STEPS {
        return bucket as u64;
    }
    let (power, step) = (bucket / STEPS + 1, bucket % STEPS);
    ((STEPS + step + 1) as u64 * (1 << (power - 2))) - 1
}

/// What was known at the last looks, so that the next one tells what has happened since the oldest.
#[derive(Debug)]
pub struct WaitWindow {
    /// Empty at first, for whoever never looks; before the first look nothing had happened.
    known: VecDeque<Waited>,
    looks: usize,
}

impl WaitWindow {
    /// A window that goes back so many looks.
    pub fn new(looks: usize) -> Self {
        WaitWindow {
            known: VecDeque::new(),
            looks,
        }
    }

    /// Looks.
    pub fn of_late(&mut self, now: &Waited) -> Waits {
        let is_full = self.known.len() >= self.looks;
        let oldest = self.known.pop_front_if(|_| is_full);
        self.known.reserve_exact(1);
        self.known.push_back(*now);
        now.since(&oldest.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_known_to_a_quarter_and_never_too_short() {
        let mut last = 0;
        for us in 0..1_000_000_u64 {
            let at = bucket(Duration::from_micros(us));
            let known = longest_in(at);
            assert!(known >= us && known <= us + us / 4, "{us} is {known}");
            assert!((last..=last + 1).contains(&at));
            last = at;
        }
        assert_eq!(bucket(Duration::from_secs(9)), BUCKETS - 1);
    }

    #[test]
    fn waits_of_several_links_are_told_by_powers_of_four() {
        let [mut one, mut other] = [Waited::default(), Waited::default()];
        let us = Duration::from_micros;
        for time in [0, 3, 4, 1_023] {
            one.note(us(time));
        }
        for time in [1_024, 1_048_575, 1_048_576, 3_000_000] {
            other.note(us(time));
        }
        one.add(&other);
        let (powers, beyond, sum) = one.by_power();
        let waited: Vec<_> = powers.iter().filter(|(_, frames)| *frames > 0).collect();
        let expected = [(4, 2), (16, 1), (1024, 1), (4096, 1)];
        let expected = expected.map(|(time, frames)| (us(time), frames));
        assert!(waited.into_iter().eq(&expected));
        let all = 3 + 4 + 1_023 + 1_024 + 1_048_575 + 1_048_576 + 3_000_000;
        assert_eq!((beyond, sum), (3, us(all)));
    }

    #[test]
    fn a_look_tells_of_the_last_few_only() {
        let (mut waited, mut window) = (Waited::default(), WaitWindow::new(2));
        assert_eq!(window.of_late(&waited), Waits::default());
        (0..98).for_each(|_| waited.note(Duration::ZERO));
        waited.note(Duration::from_micros(3));
        waited.note(Duration::from_micros(100));
        let waits = Waits {
            frames: 100,
            p50_us: 0,
            p99_us: 3,
            max_us: 111,
        };
        assert_eq!(window.of_late(&waited), waits);
        assert_eq!(window.of_late(&waited), waits);
        assert_eq!(window.of_late(&waited).frames, 0);
    }
}
