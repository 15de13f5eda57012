//! How much of the frames that fill a path may be on it at a time: so much that the path is busy, and so
//! little that its own queue stays near a millisecond. Pure.
//!
//! A full path has a queue in front of its narrowest part, often a tenth of a second long, and whatever
//! comes behind waits there: a game's frame too. Controllers that look for loss fill that queue. This one
//! looks at round trips, after FAST TCP (Wei, Jin, Low, Hegde, 2006): what a round trip takes longer than the
//! shortest one was spent in queues. Then the queue stands in front of the gate instead, where it is
//! sorted by flow (`crate::queue`).
//!
//! Round trips alone are not enough, so three things are added:
//! * A queue that stays when the gate gives way is somebody else's: a download beside the tunnel, which
//!   would leave nothing for it. Then the gate follows losses as that one does, until the queue is gone
//!   ([`Mode::Compete`]).
//! * The shortest round trip is forgotten after ten seconds, and measured anew with a short pause: the
//!   route may have become longer ([`Mode::Drain`]).
//! * A lost packet is no news on a path without a queue; only many of them are.

#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

/// The queue that a path shall have, in seconds: it stays busy when we are a little late.
const TARGET: f64 = 0.001;
/// The same on slow paths, in packets: fewer cannot keep anything busy.
const LEAST_QUEUE: f64 = 2.0;
/// Packets on the path at the beginning (RFC 9002 §7.2), and at least.
const FIRST_WINDOW: f64 = 10.0;
const LEAST_WINDOW: f64 = 2.0;
/// More than any path holds, in bytes.
const LARGEST_WINDOW: f64 = 64e6;
/// Round trips are judged over as long at least.
const SHORTEST_ROUND: Duration = Duration::from_millis(2);
/// A queue so much longer than it should be does not go when we halve our window, for so many rounds and
/// so long: then it is not ours.
const CROWDED: f64 = 1.5;
const PATIENCE_ROUNDS: u32 = 8;
const PATIENCE: Duration = Duration::from_millis(250);
/// How long measurements are believed: each extreme is that of this and the last such time.
const BASE_AGE: Duration = Duration::from_secs(5);
const BEST_AGE: Duration = Duration::from_secs(15);
/// The same for the rate of the moment, in round trips.
const RATE_AGE: f64 = 2.0;
/// How often the queue is emptied while we compete: it might be ours, or the route longer.
const DOUBT: Duration = Duration::from_secs(2);
/// Round trips without a queue of ours that differ by less, in seconds, are the route's.
const SAME_ROUTE: f64 = 0.002;
/// What the window grows by in competition, in packets a round trip, and a second at least.
const GROWTH: f64 = 1.0;
const LEAST_GROWTH: f64 = 25.0;
/// What the window grows by in a round at most, at the beginning and later.
const START_GROWTH: f64 = 0.5;
const MOST_GROWTH: f64 = 0.25;
/// What a loss leaves of the window in competition (RFC 9438 §4.6).
const AFTER_LOSS: f64 = 0.7;
/// The part of the best rate that is held beside others, and the longest queue, in seconds, for which that
/// is so.
const OWN_SHARE: f64 = 0.25;
const LONGEST_QUEUE: f64 = 0.2;
/// Losing more than this part of so many packets, and not of fewer, means that the path cannot take them.
/// Then the window does not grow for a while.
const HEAVY_LOSS: f64 = 0.05;
const LOSS_SAMPLE: f64 = 20.0;
const FEW_LOSSES: f64 = 3.0;
const REST: Duration = Duration::from_secs(1);

/// The gate of one path. Bytes are those of QUIC packets, times are seconds, rates bytes a second.
#[derive(Debug, Clone)]
pub(crate) struct Gate {
    packet: f64,
    window: f64,
    in_flight: u64,
    mode: Mode,
    round: Round,
    arrived: Arrived,
    /// The shortest round trip of late, and that of the last round.
    base: Extreme,
    rtt: f64,
    /// The best rate of a moment, and of late.
    rate: Extreme,
    best: Extreme,
    /// How many steps the window grows at once; doubled while the path has no queue.
    stride: f64,
    rests_until: Option<Instant>,
    crowd: Option<Crowd>,
    /// Until then a long queue is known to be ours.
    trusts_until: Option<Instant>,
    rivalry: Rivalry,
    next_drain: Option<Instant>,
    /// What became of packets since losses were last judged, in bytes.
    delivered: f64,
    lost: f64,
}

/// What a gate does.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Mode {
    /// It looks for the path's rate.
    Start,
    /// It keeps the path's queue short.
    Steady,
    /// It lets the queue empty, to see how long a round trip is without one; then it goes on with this.
    Drain { window: f64, competes: bool },
    /// It holds its own beside somebody who fills the queue.
    Compete,
}

/// What a gate knows, for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct GateState {
    /// Start, steady, drain or compete.
    pub(crate) mode: &'static str,
    /// Bytes that may be on the path.
    pub(crate) window: u64,
    /// The queues of the path, as the last round trip showed them.
    pub(crate) queue: Duration,
    /// The shortest round trip of late.
    pub(crate) base: Duration,
}

/// Packets sent after its beginning end a round when they arrive.
#[derive(Debug, Clone)]
struct Round {
    began: Instant,
    is_over: bool,
    /// The gate, and not a lack of frames, has kept the path from having more.
    is_limited: bool,
    shortest: Option<f64>,
    delivered: u64,
    lost: u64,
    is_marked: bool,
}

impl Round {
    fn new(now: Instant) -> Self {
        Round {
            began: now,
            is_over: false,
            is_limited: false,
            shortest: None,
            delivered: 0,
            lost: 0,
            is_marked: false,
        }
    }
}

/// What an acknowledgement has told so far. One for a single packet may have been held back for 25 ms (RFC
/// 9000 §13.2.1), one for several comes at once.
#[derive(Debug, Clone, Copy, Default)]
struct Arrived {
    packets: u32,
    newest: Option<Instant>,
}

/// A queue that is too long.
#[derive(Debug, Clone, Copy)]
struct Crowd {
    since: Instant,
    rounds: u32,
}

/// What competition has shown.
#[derive(Debug, Clone, Copy, Default)]
struct Rivalry {
    /// The window at its end, and when that was.
    window: f64,
    ended: Option<Instant>,
    /// The shortest round trip after the last drain, if nothing got lost since.
    drained: Option<f64>,
    /// Since when there has been no queue.
    calm_since: Option<Instant>,
}

/// The least or greatest value of late.
#[derive(Debug, Clone)]
struct Extreme {
    of: fn(f64, f64) -> f64,
    age: Duration,
    since: Option<Instant>,
    now: Option<f64>,
    before: Option<f64>,
}

impl Extreme {
    fn new(age: Duration, of: fn(f64, f64) -> f64) -> Self {
        Extreme {
            of,
            age,
            since: None,
            now: None,
            before: None,
        }
    }

    fn note(&mut self, now: Instant, value: f64) {
        let since = *self.since.get_or_insert(now);
        if now >= since + self.age {
            self.since = Some(now);
            // An old value is better than none, unless nothing was noted for long.
            self.before = self.now.take().filter(|_| now < since + 3 * self.age);
        }
        self.improve(value);
    }

    fn value(&self) -> Option<f64> {
        match (self.now, self.before) {
            (Some(now), Some(before)) => Some((self.of)(now, before)),
            (now, before) => now.or(before),
        }
    }

    /// Takes a better value without forgetting older ones.
    fn improve(&mut self, value: f64) {
        self.now = Some(self.now.map_or(value, |known| (self.of)(known, value)));
    }

    fn forget(&mut self) {
        *self = Extreme::new(self.age, self.of);
    }
}

impl Gate {
    /// The gate of a new path that takes packets of so many bytes.
    pub(crate) fn new(now: Instant, packet: u16) -> Self {
        let packet = f64::from(packet);
        Gate {
            packet,
            window: FIRST_WINDOW * packet,
            in_flight: 0,
            mode: Mode::Start,
            round: Round::new(now),
            arrived: Arrived::default(),
            base: Extreme::new(BASE_AGE, f64::min),
            rtt: 0.0,
            rate: Extreme::new(Duration::ZERO, f64::max),
            best: Extreme::new(BEST_AGE, f64::max),
            stride: 1.0,
            rests_until: None,
            crowd: None,
            trusts_until: None,
            rivalry: Rivalry::default(),
            next_drain: None,
            delivered: 0.0,
            lost: 0.0,
        }
    }

    /// How many bytes more may be sent of flows that send all they can.
    pub(crate) fn room(&self) -> u64 {
        self.window().saturating_sub(self.in_flight)
    }

    /// How many bytes may be on the path.
    pub(crate) fn window(&self) -> u64 {
        self.window as u64
    }

    /// How fast to send what there is room for, so that it does not come as one burst; `None` before the
    /// first round trip.
    pub(crate) fn pace(&self) -> Option<u64> {
        let gain = match self.mode {
            Mode::Start => 1.25 * (1.0 + START_GROWTH),
            Mode::Steady | Mode::Drain { .. } | Mode::Compete => 1.25,
        };
        (self.rtt > 0.0).then(|| (gain * self.window / self.rtt) as u64)
    }

    /// The path takes packets of another size.
    pub(crate) fn set_packet(&mut self, packet: u16) {
        self.packet = f64::from(packet);
    }

    pub(crate) fn mode_name(&self) -> &'static str {
        match self.mode {
            Mode::Start => "start",
            Mode::Steady => "steady",
            Mode::Drain { .. } => "drain",
            Mode::Compete => "compete",
        }
    }

    /// What it knows.
    pub(crate) fn state(&self) -> GateState {
        let base = self.base.value().unwrap_or(0.0);
        GateState {
            mode: self.mode_name(),
            window: self.window(),
            queue: Duration::from_secs_f64((self.rtt - base).max(0.0)),
            base: Duration::from_secs_f64(base),
        }
    }

    /// Bytes have left.
    pub(crate) fn on_sent(&mut self, bytes: u64) {
        self.in_flight += bytes;
        self.round.is_limited |= self.in_flight as f64 + self.packet > self.window;
    }

    /// A packet has arrived that was sent then.
    pub(crate) fn on_ack(&mut self, sent: Instant, bytes: u64) {
        self.in_flight = self.in_flight.saturating_sub(bytes);
        self.delivered += bytes as f64;
        self.round.delivered += bytes;
        self.arrived.packets += 1;
        self.arrived.newest = Some(self.arrived.newest.map_or(sent, |newest| newest.max(sent)));
    }

    /// All that an acknowledgement said has been told; so many bytes are on the path.
    pub(crate) fn on_end_acks(&mut self, now: Instant, in_flight: u64) {
        self.in_flight = in_flight;
        if let Arrived {
            packets: 2..,
            newest: Some(sent),
        } = std::mem::take(&mut self.arrived)
        {
            self.note_round_trip(now, sent);
        }
        if self.round.is_over && now >= self.round.began + SHORTEST_ROUND {
            self.end_round(now);
        }
    }

    fn note_round_trip(&mut self, now: Instant, sent: Instant) {
        let rtt = now.saturating_duration_since(sent).as_secs_f64();
        match self.mode {
            Mode::Start
            | Mode::Steady
            | Mode::Drain {
                competes: false, ..
            } => {
                self.base.note(now, rtt);
            }
            // All round trips are long now; that of before the competition is not forgotten for that.
            Mode::Compete | Mode::Drain { competes: true, .. } => self.base.improve(rtt),
        }
        let is_new = sent >= self.round.began;
        self.round.is_over |= is_new;
        // What was sent before the queue could empty says nothing of a path without one.
        if is_new || !matches!(self.mode, Mode::Drain { .. }) {
            self.round.shortest = Some(self.round.shortest.map_or(rtt, |known| known.min(rtt)));
        }
    }

    /// Bytes have got lost.
    pub(crate) fn on_lost(&mut self, bytes: u64) {
        self.in_flight = self.in_flight.saturating_sub(bytes);
        self.lost += bytes as f64;
        self.round.lost += bytes;
    }

    /// The path says that its queue is long (ECN).
    pub(crate) fn on_mark(&mut self) {
        self.round.is_marked = true;
    }

    /// Nothing has arrived for long.
    pub(crate) fn on_outage(&mut self) {
        self.window = self.window.min(FIRST_WINDOW * self.packet);
        self.mode = Mode::Start;
        self.crowd = None;
    }

    fn end_round(&mut self, now: Instant) {
        let round = std::mem::replace(&mut self.round, Round::new(now));
        let (Some(rtt), Some(base)) = (round.shortest, self.base.value()) else {
            return;
        };
        self.rtt = rtt.max(1e-6);
        // A path that has not been full says little; only whoever waits for an answer takes it.
        if !round.is_limited && !matches!(self.mode, Mode::Drain { .. }) {
            self.crowd = None;
            return;
        }
        self.rate.age = Duration::from_secs_f64(RATE_AGE * self.rtt);
        if !matches!(self.mode, Mode::Drain { .. }) {
            let rate = round.delivered as f64 / (now - round.began).as_secs_f64();
            self.rate.note(now, rate);
            self.best.note(now, rate);
        }
        let queue = rtt - base;
        self.window = match self.mode {
            Mode::Start => self.start(queue, &round),
            Mode::Steady => self.steady(now, queue, &round),
            Mode::Compete => self.compete(now, queue, &round),
            Mode::Drain { window, competes } => self.resume(now, queue, window, competes),
        };
        self.judge_losses(now);
        let is_due = now >= *self.next_drain.get_or_insert(now + BASE_AGE);
        if is_due && let Mode::Steady | Mode::Compete = self.mode {
            self.window = self.drain(now, self.window, self.mode == Mode::Compete);
        }
        let least = LEAST_WINDOW * self.packet;
        self.window = self.window.clamp(least, LARGEST_WINDOW);
    }

    /// The queue that the path shall have, in bytes.
    fn step(&self) -> f64 {
        let rate = self.rate.value().unwrap_or(0.0);
        (TARGET * rate).max(LEAST_QUEUE * self.packet)
    }

    /// The same in seconds. What the path can do counts here, not what others leave us of it.
    fn wanted(&self) -> f64 {
        match self.best.value() {
            Some(best) if best > 0.0 => TARGET.max(LEAST_QUEUE * self.packet / best),
            _ => TARGET,
        }
    }

    /// FAST's next window, with all of its step at once.
    fn fast(&self, queue: f64) -> f64 {
        let emptied = self.window * (self.rtt - queue) / self.rtt;
        (emptied + self.step()).min(2.0 * self.window)
    }

    fn start(&mut self, queue: f64, round: &Round) -> f64 {
        if queue > TARGET / 2.0 || round.is_marked {
            self.mode = Mode::Steady;
            return self.fast(queue);
        }
        self.window * (1.0 + START_GROWTH)
    }

    fn steady(&mut self, now: Instant, queue: f64, round: &Round) -> f64 {
        if self.is_crowded(now, queue) {
            return self.drain(now, self.window, false);
        }
        if round.is_marked {
            return self.window * AFTER_LOSS;
        }
        if queue < self.wanted() / 2.0 {
            if self.rests_until.is_some_and(|until| now < until) {
                return self.window;
            }
            let growth = self.stride * self.step() / 2.0;
            self.stride *= 2.0;
            return self.window + growth.min(MOST_GROWTH * self.window);
        }
        self.stride = 1.0;
        // A queue that is much too long is emptied at once, one that is about right by halves.
        let is_much_too_long = queue > 4.0 * self.wanted();
        let part = if is_much_too_long { 1.0 } else { 0.5 };
        self.window + part * (self.fast(queue) - self.window)
    }

    /// Whether the queue stays too long whatever we do.
    fn is_crowded(&mut self, now: Instant, queue: f64) -> bool {
        let trusts = self.trusts_until.is_some_and(|until| now < until);
        if queue < CROWDED * self.wanted() || trusts {
            self.crowd = None;
            return false;
        }
        let crowd = self.crowd.get_or_insert(Crowd {
            since: now,
            rounds: 0,
        });
        crowd.rounds += 1;
        crowd.rounds >= PATIENCE_ROUNDS && now >= crowd.since + PATIENCE
    }

    /// The window that holds our share of what the path has shown to carry.
    fn own_share(&self) -> f64 {
        let longest = self.base.value().unwrap_or(0.0) + LONGEST_QUEUE;
        OWN_SHARE * self.best.value().unwrap_or(0.0) * self.rtt.min(longest)
    }

    fn compete(&mut self, now: Instant, queue: f64, round: &Round) -> f64 {
        if queue < CROWDED * self.wanted() {
            let calm_since = *self.rivalry.calm_since.get_or_insert(now);
            if now >= calm_since + PATIENCE {
                return self.end_competition(now, queue, self.window);
            }
        } else {
            self.rivalry.calm_since = None;
        }
        if round.lost > 0 || round.is_marked {
            self.rivalry.drained = None;
            (self.window * AFTER_LOSS).max(self.own_share())
        } else {
            let growth = GROWTH.max(LEAST_GROWTH * self.rtt) * self.packet;
            self.window.max(self.own_share()) + growth
        }
    }

    /// The queue is gone, or was ours.
    fn end_competition(&mut self, now: Instant, queue: f64, window: f64) -> f64 {
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
    fn drain(&mut self, now: Instant, window: f64, competes: bool) -> f64 {
        self.crowd = None;
        self.next_drain = Some(now + if competes { DOUBT } else { BASE_AGE });
        self.mode = Mode::Drain { window, competes };
        let (rate, base) = (self.rate.value(), self.base.value());
        self.window
            .min(rate.unwrap_or(0.0) * base.unwrap_or(0.0) / 2.0)
    }

    /// After a drain: is there a queue that is not ours?
    fn resume(&mut self, now: Instant, queue: f64, window: f64, competes: bool) -> f64 {
        let own = self.rate.value().map_or(0.0, |rate| self.packet / rate);
        if queue < CROWDED * TARGET + own {
            self.trusts_until = Some(now + DOUBT);
            if competes {
                return self.end_competition(now, queue, window);
            }
            self.mode = Mode::Steady;
            return window;
        }
        let before = self.rivalry.drained.replace(self.rtt);
        if before.is_some_and(|before| (self.rtt - before).abs() < SAME_ROUTE) {
            self.base.forget();
            self.base.note(now, self.rtt);
            return self.end_competition(now, 0.0, window);
        }
        self.mode = Mode::Compete;
        self.next_drain = Some(now + DOUBT);
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

    fn judge_losses(&mut self, now: Instant) {
        let all = self.delivered + self.lost;
        if all < LOSS_SAMPLE * self.packet {
            return;
        }
        let (lost, part) = (self.lost, self.lost / all);
        (self.delivered, self.lost) = (0.0, 0.0);
        if part > HEAVY_LOSS && lost >= FEW_LOSSES * self.packet {
            self.window *= 1.0 - part;
            self.stride = 1.0;
            self.rests_until = Some(now + REST);
            // What it carried once it does not carry now.
            self.best.forget();
            if self.mode == Mode::Start {
                self.mode = Mode::Steady;
            }
        }
    }
}

/// Sends what there is room for at a pace, with bursts of a millisecond.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    credit: f64,
    at: Instant,
}

/// A burst, in seconds; and in bytes at least.
const BURST: f64 = 0.001;
const LEAST_BURST: f64 = 2.0 * 1350.0;

impl Pace {
    pub(crate) fn new(now: Instant) -> Self {
        Pace {
            credit: LEAST_BURST,
            at: now,
        }
    }

    /// When more may be sent at this rate: now, or later.
    ///
    /// # Errors
    /// When that will be.
    pub(crate) fn check(&mut self, now: Instant, rate: u64) -> Result<(), Instant> {
        let rate = (rate as f64).max(1.0);
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.at = now;
        let burst = (rate * BURST).max(LEAST_BURST);
        self.credit = (self.credit + passed * rate).min(burst);
        if self.credit > 0.0 {
            return Ok(());
        }
        Err(now + Duration::from_secs_f64((1.0 - self.credit) / rate))
    }

    /// So many bytes were given away.
    pub(crate) fn spend(&mut self, bytes: usize) {
        self.credit -= bytes as f64;
    }
}
