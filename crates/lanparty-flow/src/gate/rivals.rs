//! Queues that are not ours: how a gate finds out, and holds its own beside whoever fills them.

use super::*;

/// A queue so much longer than it should be, and so long in seconds, does not go when we halve our window, for so
/// many rounds and so long: then it is not ours.
const CROWDED: f64 = 1.5;
const SHORTEST_CROWD: f64 = 0.003;
const PATIENCE_ROUNDS: u32 = 4;
const PATIENCE: Duration = Duration::from_millis(250);
/// The same when the queue was somebody else's a moment ago: then it only has to be seen once more.
const SUSPICION: Duration = Duration::from_millis(50);
/// After what time the queue is emptied while we compete, for it might be ours or the route longer: at first, and
/// at most, as it is doubled each time.
const DOUBT: Duration = Duration::from_secs(2);
const LONGEST_DOUBT: Duration = Duration::from_secs(4);
/// A queue so long after a drain, in seconds, is no program that was late.
const SURELY_LONG: f64 = 0.012;
/// Round trips without a queue of ours that differ by less, in seconds, so many times in a row are the route's.
const SAME_ROUTE: f64 = 0.002;
const SAME_TIMES: u32 = 2;
/// What the window grows by in competition, in packets a second. CUBIC (RFC 9438 §4.2) gains 7 on the average after it has
/// lost one of a hundred packets; whoever comes to a full queue is far behind it.
const GROWTH: f64 = 20.0;
/// The part of the best rate that is held beside others, and the longest queue, in seconds, for which that
/// is so.
const OWN_SHARE: f64 = 0.3;
const LONGEST_QUEUE: f64 = 0.2;

/// A queue that is too long.
#[derive(Debug, Clone, Copy)]
pub(super) struct Crowd {
    since: Instant,
    rounds: u32,
}

/// What competition has shown.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Rivalry {
    /// The window at its end, and when that was.
    pub(super) window: f64,
    pub(super) ended: Option<Instant>,
    /// When a queue was left after a drain, and the shortest round trip then; and how many times in a row that was
    /// as long as before.
    pub(super) drained: Option<(Instant, f64)>,
    same: u32,
    /// How long to compete until the next drain.
    doubt: Duration,
    /// A loss has reduced the window; and that was in the last round, so there may be more of the same losses.
    has_cut: bool,
    has_just_cut: bool,
    /// The queue, on the average of some rounds.
    queue: Option<f64>,
}

impl Rivalry {
    /// Somebody else's queue was there a moment ago.
    fn is_suspected(&self, now: Instant) -> bool {
        let drained = self.drained.map(|(at, _)| at);
        [drained, self.ended]
            .into_iter()
            .flatten()
            .any(|at| now < at + BASE_AGE)
    }
}

impl Gate {
    /// A queue that is too long, in seconds.
    pub(super) fn crowd(&self) -> f64 {
        SHORTEST_CROWD.max(CROWDED * self.wanted())
    }

    /// Whether the queue stays too long whatever we do.
    pub(super) fn is_crowded(&mut self, now: Instant, queue: f64) -> bool {
        let trusts = self.trusts_until.is_some_and(|until| now < until);
        if queue < self.crowd() || trusts {
            self.crowd = None;
            return false;
        }
        let crowd = self.crowd.get_or_insert(Crowd {
            since: now,
            rounds: 0,
        });
        crowd.rounds += 1;
        let (rounds, patience) = match self.rivalry.is_suspected(now) {
            true => (PATIENCE_ROUNDS / 2, SUSPICION),
            false => (PATIENCE_ROUNDS, PATIENCE),
        };
        crowd.rounds >= rounds && now >= crowd.since + patience
    }

    /// The window that holds our share of what the path has shown to carry.
    pub(super) fn own_share(&self) -> f64 {
        let longest = self.base.value().unwrap_or(0.0) + LONGEST_QUEUE;
        OWN_SHARE * self.best.value().unwrap_or(0.0) * self.rtt.min(longest)
    }

    pub(super) fn compete(&mut self, now: Instant, queue: f64, round: &Round) -> f64 {
        let usual = self
            .rivalry
            .queue
            .get_or_insert(queue.max(2.0 * self.crowd()));
        *usual += (queue - *usual) / 8.0;
        if *usual < self.crowd() {
            return self.end_competition(now, queue, self.window);
        }
        let has_just_cut = std::mem::take(&mut self.rivalry.has_just_cut);
        let next = if (round.lost > 0 || round.is_marked) && !has_just_cut {
            self.rivalry.has_just_cut = true;
            self.rivalry.has_cut = true;
            self.window * AFTER_LOSS
        } else if round.is_limited {
            self.grow_until_loss()
        } else {
            self.window
        };
        next.max(self.own_share())
    }

    /// Follows losses as the others do: grows by much until there is one, then evenly.
    pub(super) fn grow_until_loss(&self) -> f64 {
        let growth = match self.rivalry.has_cut {
            false => START_GROWTH * self.window,
            true => {
                (MOST_GROWTH * self.window).min(GROWTH * self.rtt.min(LONGEST_QUEUE) * self.packet)
            }
        };
        self.window + growth
    }

    /// The queue is gone, or was ours.
    pub(super) fn end_competition(&mut self, now: Instant, queue: f64, window: f64) -> f64 {
        self.mode = Mode::Steady;
        self.rivalry = Rivalry {
            window,
            ended: Some(now),
            ..Rivalry::default()
        };
        let rate = self.rate.value().unwrap_or(0.0);
        window.min(rate * (self.rtt - queue) + self.step())
    }

    /// Lets the queue empty; then goes on with this window.
    pub(super) fn drain(&mut self, now: Instant, window: f64, competes: bool) -> f64 {
        self.crowd = None;
        self.was_too_long = false;
        self.next_drain = Some(now + BASE_AGE);
        self.mode = Mode::Drain { window, competes };
        self.round.awaits_drain = true;
        let (rate, base) = (self.rate.value(), self.base.value());
        self.window
            .min(rate.unwrap_or(0.0) * base.unwrap_or(0.0) / 2.0)
    }

    /// After a drain: is there a queue that is not ours?
    pub(super) fn resume(&mut self, now: Instant, queue: f64, window: f64, competes: bool) -> f64 {
        let own = self.rate.value().map_or(0.0, |rate| self.packet / rate);
        if queue < SHORTEST_CROWD + own {
            self.trusts_until = Some(now + DOUBT);
            if competes {
                // Whoever fills queues has an empty one, too, for a moment after he has lost something.
                self.trusts_until = None;
                return self.end_competition(now, queue, window);
            }
            let lateness = self.rtt - self.base.value().unwrap_or(self.rtt) - own;
            self.lateness += NEWEST * (lateness.clamp(0.0, MOST_LATENESS) - self.lateness);
            self.mode = Mode::Steady;
            return window;
        }
        let was_there = self.rivalry.ended.is_some_and(|at| now < at + BASE_AGE);
        let before = self.rivalry.drained.replace((now, self.rtt));
        // Once may be chance: this or another machine was busy with something else.
        let is_chance = before.is_none_or(|(at, _)| now >= at + BASE_AGE)
            && !(was_there && queue >= SURELY_LONG);
        if !competes && is_chance {
            self.mode = Mode::Steady;
            return window;
        }
        // Somebody else's queue becomes longer and shorter.
        let is_the_same = before.is_some_and(|(_, rtt)| (self.rtt - rtt).abs() < SAME_ROUTE);
        if is_the_same {
            self.rivalry.same += 1;
            if self.rivalry.same == SAME_TIMES {
                self.base.forget();
                self.base.note(now, self.rtt);
                return self.end_competition(now, 0.0, window);
            }
            self.rivalry.doubt = DOUBT;
        } else {
            self.rivalry.same = 0;
            self.rivalry.doubt = (2 * self.rivalry.doubt).clamp(DOUBT, LONGEST_DOUBT);
        }
        self.mode = Mode::Compete;
        self.next_drain = Some(now + self.rivalry.doubt);
        let is_the_same_rival = self
            .rivalry
            .ended
            .is_some_and(|ended| now < ended + BASE_AGE);
        let resumed = if is_the_same_rival {
            self.rivalry.window
        } else {
            0.0
        };
        window.max(self.own_share()).max(resumed)
    }
}
