//! How long to wait before trying again (spec R90).

use std::time::Duration;

/// The first wait, before jitter.
pub const FIRST: Duration = Duration::from_millis(250);
/// The longest wait, before jitter. An attempt lasts five seconds and sends its last packet half a second
/// before its end; with this wait, and the handshake, a relay that is back is found within the five
/// seconds of spec R93, which R90's ten would not do.
pub const LONGEST: Duration = Duration::from_secs(3);

/// Whoever had a link for less is no better off than whoever had none.
pub const STEADY: Duration = Duration::from_secs(10);

/// Doubling waits from [`FIRST`] to [`LONGEST`], each with jitter, so that a room full of players
/// does not come back in one instant.
#[derive(Debug, Default)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The wait before the next attempt: between half and all of the doubled time. `random` is
    /// 32 random bits.
    pub fn next_wait(&mut self, random: u32) -> Duration {
        let full = FIRST
            .saturating_mul(1 << self.failures.min(16))
            .min(LONGEST);
        self.failures += 1;
        full / 2 + (full / 2).mul_f64(f64::from(random) / f64::from(u32::MAX))
    }

    /// A link has ended that stood for so long: after a steady one the next wait is short again.
    pub fn ended(&mut self, stood: Duration) {
        if stood >= STEADY {
            self.failures = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_three_seconds_and_start_again() {
        let mut backoff = Backoff::default();
        let waits: Vec<_> = (0..8)
            .map(|_| backoff.next_wait(u32::MAX).as_millis())
            .collect();
        assert_eq!(waits, [250, 500, 1000, 2000, 3000, 3000, 3000, 3000]);
        backoff.ended(STEADY);
        assert_eq!(backoff.next_wait(0), FIRST / 2);
    }

    /// Two machines with one identity file would take the place from each other four times a second.
    #[test]
    fn links_that_end_at_once_are_made_anew_ever_more_slowly() {
        let mut backoff = Backoff::default();
        let mut waits = (0..5).map(|_| {
            backoff.ended(STEADY - Duration::from_millis(1));
            backoff.next_wait(u32::MAX).as_millis()
        });
        assert!(waits.by_ref().eq([250, 500, 1000, 2000, 3000]));
    }

    #[test]
    fn jitter_spreads_over_half_the_wait() {
        let wait = |random| Backoff { failures: 9 }.next_wait(random);
        assert_eq!((wait(0), wait(u32::MAX)), (LONGEST / 2, LONGEST));
        assert!(wait(u32::MAX / 2) > wait(u32::MAX / 4));
    }

    /// Whoever loses the relay in the same instant, and is refused each time at once, must not come back in one.
    #[test]
    fn fifty_players_are_no_herd() {
        let mut players: Vec<_> = (0..50)
            .map(|_| (Backoff::default(), Duration::ZERO))
            .collect();
        let mut random = 1u32;
        for attempt in 0..6 {
            let mut spread = [0; 5];
            let full = (FIRST * (1 << attempt)).min(LONGEST);
            for (backoff, knocks_at) in &mut players {
                random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let wait = backoff.next_wait(random);
                let later = (wait - full / 2).as_secs_f64() / (full / 2).as_secs_f64();
                spread[((later * 5.0) as usize).min(4)] += 1;
                *knocks_at += wait;
            }
            // Ten in each fifth of the jitter, give or take.
            assert!(
                spread.iter().all(|count| (2..=20).contains(count)),
                "{spread:?}"
            );
        }
        // What was spread once is spread further.
        let [first, last] = [
            players.iter().map(|p| p.1).min(),
            players.iter().map(|p| p.1).max(),
        ];
        assert!(
            last > first.map(|first| first + LONGEST / 2),
            "{first:?} to {last:?}"
        );
    }
}
