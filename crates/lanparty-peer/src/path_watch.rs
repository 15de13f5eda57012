//! Does the path still carry full datagrams?
//!
//! A link never changes its packet size (see [`lanparty_quic::PathFloor`]), and QUIC's own small packets
//! keep it alive on a path that swallows large ones. So we ask: every few seconds a probe of full length
//! and a short one go to the relay, which sends both back. When the short ones return and the long ones
//! do not, the path has become too narrow, and a new link with smaller packets is due.

use std::time::{Duration, Instant};

/// How often a healthy path is asked.
const PERIOD: Duration = Duration::from_secs(10);
/// How long a pair of probes has to come back, and how soon a doubtful path is asked again.
const PATIENCE: Duration = Duration::from_secs(1);
/// How many long probes in a row must be lost, beside short ones that return, to condemn a path. On
/// one that loses 5 % at random that happens once in 160,000 times; one loss brings three more probes.
const STRIKES: u32 = 4;

/// Two probes to send at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pair {
    /// The number of the one with full length.
    pub(crate) long: u32,
    /// The number of the short one.
    pub(crate) short: u32,
}

/// What is known about a link's path; pure, the time is passed in.
#[derive(Debug)]
pub(crate) struct PathWatch {
    next_check: Instant,
    next_number: u32,
    waiting_for: Option<Pair>,
    returned: (bool, bool),
    strikes: u32,
}

impl PathWatch {
    /// A number that no pair has: its echo says that the relay is there, and nothing about sizes.
    pub(crate) const NOBODYS_NUMBER: u32 = u32::MAX;

    /// A watch over a path that has just been found to be wide enough.
    pub(crate) fn new(now: Instant) -> Self {
        PathWatch {
            next_check: now + PERIOD,
            next_number: 0,
            waiting_for: None,
            returned: (false, false),
            strikes: 0,
        }
    }

    /// Judges the last pair when its time is over, and says which one to send now.
    pub(crate) fn poll(&mut self, now: Instant) -> Option<Pair> {
        if now < self.next_check {
            return None;
        }
        if self.waiting_for.take().is_some() && !self.judge() {
            self.next_check = now + PERIOD - PATIENCE;
            return None;
        }
        let pair = Pair {
            long: self.next_number,
            short: self.next_number.wrapping_add(1),
        };
        self.next_number = self.next_number.wrapping_add(2);
        self.waiting_for = Some(pair);
        self.returned = (false, false);
        self.next_check = now + PATIENCE;
        Some(pair)
    }

    /// A probe has come back.
    pub(crate) fn handle_echo(&mut self, number: u32) {
        let Some(pair) = self.waiting_for else { return };
        self.returned.0 |= number == pair.long;
        self.returned.1 |= number == pair.short;
    }

    /// True when the path swallows full datagrams.
    pub(crate) fn is_narrow(&self) -> bool {
        self.strikes >= STRIKES
    }

    /// True when there is reason to ask again at once.
    fn judge(&mut self) -> bool {
        self.strikes = match self.returned {
            (true, _) => 0,
            (false, true) => self.strikes + 1,
            // Nothing gets through: that says nothing about sizes, and the idle timeout sees to it.
            (false, false) => self.strikes,
        };
        self.returned != (true, true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Plays a minute in which the path treats long and short probes like this; true when condemned.
    fn minute(mut carries: impl FnMut(u32) -> (bool, bool)) -> (bool, u32) {
        let start = Instant::now();
        let mut watch = PathWatch::new(start);
        let mut pairs = 0;
        for second in 0..60 {
            if let Some(pair) = watch.poll(start + Duration::from_secs(second)) {
                let (long, short) = carries(pairs);
                [(long, pair.long), (short, pair.short)]
                    .iter()
                    .filter(|(returns, _)| *returns)
                    .for_each(|(_, number)| watch.handle_echo(*number));
                pairs += 1;
            }
        }
        (watch.is_narrow(), pairs)
    }

    #[test]
    fn a_wide_path_is_asked_every_ten_seconds() {
        assert_eq!(minute(|_| (true, true)), (false, 5));
    }

    #[test]
    fn a_path_that_swallows_only_long_probes_is_narrow_after_four() {
        let (narrow, pairs) = minute(|_| (false, true));
        assert!(narrow && pairs > 4);
        assert!(!minute(|pair| (pair >= 3, true)).0);
    }

    #[test]
    fn an_outage_and_random_loss_condemn_nobody() {
        assert!(!minute(|_| (false, false)).0);
        assert!(!minute(|pair| (pair % 3 == 0, pair % 2 == 0)).0);
    }

    #[test]
    fn a_clock_that_jumps_condemns_nobody() {
        let mut now = Instant::now();
        let mut watch = PathWatch::new(now);
        for _ in 0..20 {
            now += Duration::from_secs(8 * 3600);
            watch.poll(now);
        }
        assert_eq!(watch.strikes, 0);
    }

    #[test]
    fn an_old_echo_says_nothing() {
        let start = Instant::now();
        let mut watch = PathWatch::new(start);
        let first = watch.poll(start + PERIOD).unwrap();
        watch.handle_echo(first.short);
        let second = watch.poll(start + PERIOD + PATIENCE).unwrap();
        watch.handle_echo(first.long);
        watch.handle_echo(second.short);
        watch.poll(start + PERIOD + 2 * PATIENCE);
        assert_eq!(watch.strikes, 2);
    }
}
