//! Where a client stands with the LAN's DHCP servers (RFC 2131 §4.4).

use crate::claim::Probing;
use crate::lease::Lease;
use crate::random::Random;
use std::time::{Duration, Instant};

/// The first answer is waited for a second, and each further one twice as long, up to half a minute, give or take an
/// eighth. RFC 2131 §4.1 begins with four for networks of its time, where a question that gets lost is rare; ours cross
/// the internet, and a person waits. Half a minute is how late a player hears of a server that comes later.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(32);
/// How often a server that has offered, or that knows the address of before, is asked: for seven seconds.
pub(crate) const REQUESTS: u32 = 3;
/// Whom nobody answers asks for more time again after half of what is left (RFC 2131 §4.4.5), and not sooner than
/// this. The RFC's minute would leave a lease of two minutes one try.
const SHORTEST_PAUSE: Duration = Duration::from_secs(60);
const SHORTEST_PART: u32 = 16;

#[derive(Debug)]
pub(crate) enum Asking {
    /// There is no LAN.
    Idle,
    /// For a moment, after a server's no or an address that somebody has.
    Waiting(Instant),
    /// For offers.
    Selecting(Exchange),
    /// For what a server has offered.
    Requesting(Exchange, Box<Lease>),
    /// Whether the address of before is good here. True once the server's machine was heard, or where it cannot be.
    Rebooting(Exchange, bool),
    /// Whether somebody has what was given.
    Probing(Box<Lease>, Probing),
    /// There is a lease.
    Bound,
    /// For more time: its server, and later all.
    Extending(Exchange),
}

/// A question that is asked until somebody answers.
#[derive(Debug, Clone)]
pub(crate) struct Exchange {
    pub(crate) xid: u32,
    /// When all this began, and how many seconds ago that was at the last question.
    began: Instant,
    pub(crate) secs: u16,
    /// When it was last said: a lease counts from there.
    pub(crate) asked: Instant,
    pub(crate) tries: u32,
    pub(crate) next: Instant,
}

impl Exchange {
    /// One that begins now.
    pub(crate) fn new(now: Instant, random: &mut Random) -> Self {
        Exchange {
            xid: random.number(),
            began: now,
            secs: 0,
            asked: now,
            tries: 0,
            next: now,
        }
    }

    /// The next question of the same, to who has offered.
    pub(crate) fn goes_on(self, now: Instant) -> Self {
        Exchange {
            tries: 0,
            next: now,
            ..self
        }
    }

    /// It is asked now; when again, goes up.
    pub(crate) fn ask(&mut self, now: Instant, random: &mut Random) {
        let wait = FIRST_WAIT.saturating_mul(1 << self.tries.min(10));
        self.asked_until(now, now + random.around(wait.min(LONGEST_WAIT)));
    }

    pub(crate) fn asked_until(&mut self, now: Instant, next: Instant) {
        let secs = now.saturating_duration_since(self.began).as_secs();
        self.secs = u16::try_from(secs).unwrap_or(u16::MAX);
        self.asked = now;
        self.tries += 1;
        self.next = next;
    }
}

/// When more time is asked for again.
pub(crate) fn next_extension(now: Instant, lease: &Lease) -> Instant {
    let (Some(renew_at), Some(rebind_at), Some(until)) =
        (lease.renew_at, lease.rebind_at, lease.until)
    else {
        return now + SHORTEST_PAUSE;
    };
    let turn = if now < rebind_at { rebind_at } else { until };
    let left = turn.saturating_duration_since(now);
    let least = until.saturating_duration_since(renew_at) / SHORTEST_PART;
    let least = least.clamp(Duration::from_secs(1), SHORTEST_PAUSE);
    let next = now + (left / 2).max(least);
    next.min(turn).max(now + Duration::from_secs(1))
}

impl Asking {
    pub(crate) fn poll_timeout(&self, lease: Option<&Lease>) -> Option<Instant> {
        match self {
            Asking::Idle => None,
            Asking::Waiting(until) => Some(*until),
            Asking::Selecting(exchange)
            | Asking::Requesting(exchange, _)
            | Asking::Rebooting(exchange, _)
            | Asking::Extending(exchange) => Some(exchange.next),
            Asking::Probing(_, probing) => Some(probing.next),
            Asking::Bound => lease?.renew_at,
        }
    }
}
