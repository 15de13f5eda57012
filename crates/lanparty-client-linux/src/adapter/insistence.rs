//! Whether somebody who sets the adapter down means it.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// So often it is set up again,
const PATIENCE: usize = 3;
/// in so long.
const WHILE: Duration = Duration::from_secs(15);

/// How often the adapter was found down of late. A network manager that restarts sets it down once or twice; who does it
/// again and again wants it down, and gets that until it is up once more.
#[derive(Debug, Default)]
pub(super) struct Insistence {
    found_down: VecDeque<Instant>,
    yields: bool,
}

impl Insistence {
    /// The adapter is up.
    pub(super) fn is_up(&mut self) {
        self.yields = false;
    }

    /// The adapter was found down. True when it is to be set up again.
    pub(super) fn is_down(&mut self, now: Instant) -> bool {
        if self.yields {
            return false;
        }
        let is_old = |at: &Instant| now.duration_since(*at) >= WHILE;
        while self.found_down.front().is_some_and(is_old) {
            self.found_down.pop_front();
        }
        self.yields = self.found_down.len() >= PATIENCE;
        if self.yields {
            self.found_down.clear();
        } else {
            self.found_down.push_back(now);
        }
        !self.yields
    }

    /// Whether somebody insists.
    pub(super) fn yields(&self) -> bool {
        self.yields
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_insists_is_not_fought_for_ever() {
        let (mut insistence, now) = (Insistence::default(), Instant::now());
        for second in 0..3 {
            assert!(insistence.is_down(now + Duration::from_secs(second)));
            insistence.is_up();
        }
        let insists = now + Duration::from_secs(3);
        assert!(!insistence.is_down(insists) && insistence.yields());
        assert!(!insistence.is_down(insists + Duration::from_secs(3600)));
        insistence.is_up();
        assert!(!insistence.yields());
        assert!(insistence.is_down(insists + Duration::from_secs(3601)));
    }

    #[test]
    fn whose_manager_restarts_now_and_then_does_not_insist() {
        let (mut insistence, now) = (Insistence::default(), Instant::now());
        for minute in 0..60 {
            let at = now + Duration::from_secs(60 * minute);
            assert!(insistence.is_down(at) && insistence.is_down(at + Duration::from_secs(1)));
            insistence.is_up();
        }
    }
}
