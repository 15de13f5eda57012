//! Who waits for the relay's word on the members. One question is under way at a time, as the relay answers several
//! that wait together once: who comes meanwhile has the next answer.

use lanparty_gateway_control::Answer;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// How long the relay may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often it is asked while somebody looks, and otherwise.
const LOOKED_AT: Duration = Duration::from_millis(900);
const UNSEEN: Duration = Duration::from_secs(5);
/// Somebody who has asked for a snapshot looks for so long.
const LOOK: Duration = Duration::from_secs(5);

/// Who waits for what.
pub(super) enum Waiter {
    /// That the relay has answered, which says that it has followed all orders before: true when it has.
    Word(oneshot::Sender<bool>),
    List(oneshot::Sender<Answer>),
    Snapshot(oneshot::Sender<Answer>),
}

#[derive(Default)]
pub(super) struct Rounds {
    /// When the relay was asked what it has not answered yet.
    asked_at: Option<Instant>,
    /// When the last round began.
    began_at: Option<Instant>,
    looked_at: Option<Instant>,
    waiting: Vec<Waiter>,
    /// Who has come since.
    next: Vec<Waiter>,
}

impl Rounds {
    /// Somebody waits. True when the relay must be asked now.
    pub(super) fn join(&mut self, now: Instant, waiter: Waiter) -> bool {
        if self.asked_at.is_some() {
            self.next.push(waiter);
            return false;
        }
        self.waiting.push(waiter);
        self.begin(now);
        true
    }

    /// Somebody has looked.
    pub(super) fn look(&mut self, now: Instant) {
        self.looked_at = Some(now);
    }

    /// True when the relay must be asked although nobody waits.
    pub(super) fn begin_if_due(&mut self, now: Instant, is_looked_at: bool) -> bool {
        let since = |at: Option<Instant>| at.map(|at| now.saturating_duration_since(at));
        let is_looked_at = is_looked_at || since(self.looked_at).is_some_and(|ago| ago < LOOK);
        let pause = if is_looked_at { LOOKED_AT } else { UNSEEN };
        let is_due = since(self.began_at).is_none_or(|ago| ago >= pause);
        let begins = is_due && self.asked_at.is_none();
        if begins {
            self.begin(now);
        }
        begins
    }

    /// The relay has answered. Who waited for that, and whether it must be asked again.
    pub(super) fn handle_answer(&mut self, now: Instant) -> (Vec<Waiter>, bool) {
        self.asked_at = None;
        let waited = std::mem::take(&mut self.waiting);
        self.waiting = std::mem::take(&mut self.next);
        let again = !self.waiting.is_empty();
        if again {
            self.begin(now);
        }
        (waited, again)
    }

    /// The relay takes too long: the same, without its word.
    pub(super) fn handle_timeout(&mut self, now: Instant) -> (Vec<Waiter>, bool) {
        let is_late = |at: Instant| now.saturating_duration_since(at) >= PATIENCE;
        match self.asked_at.is_some_and(is_late) {
            true => self.handle_answer(now),
            false => (Vec::new(), false),
        }
    }

    /// There is nobody to answer any more.
    pub(super) fn handle_lost_link(&mut self) -> Vec<Waiter> {
        let lost = std::mem::take(self);
        self.looked_at = lost.looked_at;
        lost.waiting.into_iter().chain(lost.next).collect()
    }

    fn begin(&mut self, now: Instant) {
        self.asked_at = Some(now);
        self.began_at = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_comes_while_the_relay_is_asked_has_the_next_answer() {
        let (mut rounds, now) = (Rounds::default(), Instant::now());
        let waiter = || Waiter::Word(oneshot::channel().0);
        assert!(rounds.join(now, waiter()), "the first asks");
        assert!(!rounds.join(now, waiter()) && !rounds.join(now, waiter()));
        let (served, again) = rounds.handle_answer(now);
        assert_eq!((served.len(), again), (1, true));
        let (served, again) = rounds.handle_answer(now);
        assert_eq!((served.len(), again), (2, false));
    }

    #[test]
    fn a_relay_that_does_not_answer_holds_nobody_for_long() {
        let (mut rounds, now) = (Rounds::default(), Instant::now());
        rounds.join(now, Waiter::Word(oneshot::channel().0));
        rounds.join(now, Waiter::Word(oneshot::channel().0));
        assert_eq!(rounds.handle_timeout(now).0.len(), 0);
        let (late, again) = rounds.handle_timeout(now + PATIENCE);
        assert_eq!((late.len(), again), (1, true));
        assert_eq!(rounds.handle_lost_link().len(), 1);
        assert!(!rounds.handle_answer(now).1);
    }

    #[test]
    fn the_relay_is_asked_each_second_only_while_somebody_looks() {
        let (mut rounds, start) = (Rounds::default(), Instant::now());
        let mut asked = |from: u64, looks: bool| {
            let seconds = (from..from + 20).map(|second| start + Duration::from_secs(second));
            let asked = seconds.filter(|&now| {
                let asks = rounds.begin_if_due(now, looks);
                if asks {
                    rounds.handle_answer(now);
                }
                asks
            });
            asked.count()
        };
        assert_eq!(asked(0, false), 4);
        assert_eq!(asked(20, true), 20);
        rounds.look(start + Duration::from_secs(40));
        let mut soon = (41..44).map(|second| start + Duration::from_secs(second));
        assert!(soon.all(|now| {
            let asks = rounds.begin_if_due(now, false);
            rounds.handle_answer(now);
            asks
        }));
    }
}
