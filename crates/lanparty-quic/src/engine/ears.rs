//! How long a socket that cannot be read is still listened to.
//!
//! A receive may fail for want of memory, or tell of an earlier packet, and work the next time. Which errors
//! those are differs from system to system, so none is final by its name: what counts is whether it stays.

use std::time::{Duration, Instant};

/// Between two attempts, from the second that fails in a row.
const PAUSE: Duration = Duration::from_millis(20);
/// How long every attempt has to fail until the socket is given up.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often it is logged that attempts fail.
const TOLD_EVERY: Duration = Duration::from_secs(60);

/// How reading goes.
#[derive(Debug, Default)]
pub(super) struct Ears {
    failing_since: Option<Instant>,
    again_at: Option<Instant>,
    told_at: Option<Instant>,
}

/// What follows from a failure.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// Another attempt, and whether a log should know.
    Passing { is_news: bool },
    /// Nothing more is to be expected.
    Final,
}

impl Ears {
    /// False in the pause between two attempts.
    pub(super) fn may_try(&self, now: Instant) -> bool {
        self.again_at.is_none_or(|at| at <= now)
    }

    pub(super) fn worked(&mut self) {
        self.failing_since = None;
        self.again_at = None;
    }

    pub(super) fn failed(&mut self, now: Instant) -> Failure {
        match self.failing_since {
            Some(since) if now.saturating_duration_since(since) >= PATIENCE => {
                return Failure::Final;
            }
            Some(_) => self.again_at = Some(now + PAUSE),
            None => self.failing_since = Some(now),
        }
        let told_at = self.told_at;
        let is_news = told_at.is_none_or(|at| now.saturating_duration_since(at) >= TOLD_EVERY);
        if is_news {
            self.told_at = Some(now);
        }
        Failure::Passing { is_news }
    }

    /// When the next attempt is due.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.again_at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_failure_is_tried_again_at_once_and_the_next_after_a_pause() {
        let (mut ears, now) = (Ears::default(), Instant::now());
        assert_eq!(ears.failed(now), Failure::Passing { is_news: true });
        assert!(ears.may_try(now));
        assert_eq!(ears.failed(now), Failure::Passing { is_news: false });
        assert!(!ears.may_try(now));
        assert_eq!(ears.poll_timeout(), Some(now + PAUSE));
        assert!(ears.may_try(now + PAUSE));
    }

    #[test]
    fn only_a_socket_that_never_works_for_seconds_is_given_up() {
        let (mut ears, mut now) = (Ears::default(), Instant::now());
        for round in 0..1000 {
            if round % 100 == 0 {
                ears.worked();
            }
            assert!(matches!(ears.failed(now), Failure::Passing { .. }));
            now += PAUSE;
        }
        ears.worked();
        let start = now;
        while ears.failed(now) != Failure::Final {
            now += PAUSE;
        }
        assert_eq!(now - start, PATIENCE);
    }

    #[test]
    fn a_socket_that_keeps_failing_now_and_then_fills_no_log() {
        let (mut ears, start) = (Ears::default(), Instant::now());
        let told = (0..600).filter(|&tenth| {
            ears.worked();
            let failure = ears.failed(start + Duration::from_millis(100) * tenth);
            failure == Failure::Passing { is_news: true }
        });
        assert_eq!(told.count(), 1);
    }
}
