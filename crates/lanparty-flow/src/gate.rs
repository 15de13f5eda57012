//! How much of the frames that fill a path may be on it at a time: so much that the path is busy, and so
//! little that its own queue stays near a millisecond. Pure.
//!
//! A full path has a queue in front of its narrowest part, often a tenth of a second long, and whatever
//! comes behind waits there: a game's frame too. Controllers that look for loss fill that queue. This one
//! looks at round trips, after FAST TCP (Wei, Jin, Low, Hegde, 2006): what a round trip takes longer than the
//! shortest one was spent in queues. Then the queue stands in front of the gate instead, where it is
//! sorted by flow ([`crate::queue`]).
//!
//! Round trips alone are not enough, so four things are added:
//! * A queue that stays when the gate gives way is somebody else's: a download beside the tunnel, which
//!   would leave nothing for it. Then the gate follows losses as that one does, until the queue is gone
//!   (`Mode::Compete`).
//! * The shortest round trip is forgotten after ten seconds, and measured anew with a short pause: the
//!   route may have become longer (`Mode::Drain`).
//! * Programs that have other work answer a bit late, which looks like a queue of a millisecond. What the path has
//!   carried for a while is therefore kept unless the queue is much longer than that.
//! * A lost packet is no news on a path without a queue; only many of them are.

mod extreme;
mod pace;
mod rivals;
#[cfg(test)]
mod tests;

use extreme::Extreme;
use rivals::{Crowd, Rivalry};
use std::time::{Duration, Instant};

pub use pace::Pace;

/// So many bytes are acknowledged at once, fewer may wait for a frame that takes the acknowledgement along: two packets
/// of bulk, as large as every QUIC path carries them (RFC 9000 §14). Not more than the smallest window has of the
/// smallest packets, or the two would wait for each other.
pub const AT_ONCE: u64 = 2 * 1200;
/// What may wait waits no longer than this, in seconds (RFC 9000 §18.2).
const MOST_HELD: f64 = 0.025;
/// The queue that a path shall have, in seconds: it stays busy when we are a little late.
const TARGET: f64 = 0.001;
/// On paths faster than this, in bytes a second, what looks like a queue are machines that handle packets in batches:
/// they shall have up to so much more.
const FAST: f64 = 32e6;
const BATCHES: f64 = 0.002;
/// The same on slow paths, in packets: fewer cannot keep anything busy.
const LEAST_QUEUE: f64 = 2.0;
/// But not longer than this, in seconds, so that a path of which others leave us little is not taken for a slow one.
const LONGEST_WANTED: f64 = 0.025;
/// Packets on the path at the beginning (RFC 9002 §7.2), and at least.
const FIRST_WINDOW: f64 = 10.0;
const LEAST_WINDOW: f64 = 2.0;
/// More than any path holds, in bytes.
const LARGEST_WINDOW: f64 = 64e6;
/// Round trips are judged over as long at least: the shortest of so many is late by little.
const SHORTEST_ROUND: Duration = Duration::from_millis(10);
/// What a round trip always takes longer on a busy path than on a quiet one, at most, in seconds: packets come
/// in small bursts, and whoever answers has other work.
const MOST_LATENESS: f64 = 0.002;
/// How much the newest measurement of that counts.
const NEWEST: f64 = 0.25;
/// How long measurements are believed: each extreme is that of this and the last such time.
const BASE_AGE: Duration = Duration::from_secs(5);
const BEST_AGE: Duration = Duration::from_secs(15);
/// The same for the rate of the moment, in round trips.
const RATE_AGE: f64 = 2.0;
/// What a path has carried for so many round trips, and so long, it can carry: acknowledgements that come late and
/// then at once make shorter times look better than they were.
const LASTING: f64 = 4.0;
const SHORTEST_LASTING: Duration = Duration::from_millis(50);
/// The part of that which round trips alone do not take away again, as long as no queue is too long.
const KEPT: f64 = 0.9;
/// What is left of that after each two round trips in a row with a queue that is.
const AFTER_LONG: f64 = 0.6;
/// What the first round with such a queue leaves of the window at least: a moment without a processor looks the same,
/// and is over in the next one.
const AFTER_FIRST_LONG: f64 = 0.5;
/// What the window grows by in a round at most, at the beginning and later.
const START_GROWTH: f64 = 0.5;
const MOST_GROWTH: f64 = 0.25;
/// What a loss leaves of the window in competition (RFC 9438 §4.6).
const AFTER_LOSS: f64 = 0.7;
/// Losing more than this part of so many packets, and not of fewer, means that the path cannot take them.
/// Then the window does not grow for a while.
const HEAVY_LOSS: f64 = 0.05;
const LOSS_SAMPLE: f64 = 20.0;
const FEW_LOSSES: f64 = 3.0;
const REST: Duration = Duration::from_secs(1);

/// The gate of one path. Bytes are those of QUIC packets, times are seconds, rates bytes a second.
#[derive(Debug, Clone)]
pub struct Gate {
    packet: f64,
    window: f64,
    in_flight: u64,
    mode: Mode,
    round: Round,
    arrived: Arrived,
    /// The shortest round trip of late, and that of the last round.
    base: Extreme,
    rtt: f64,
    /// What round trips take longer on this path without a queue.
    lateness: f64,
    /// The best rate of a moment.
    rate: Extreme,
    lasting: Lasting,
    /// The best that lasted: of late, and since a queue was too long.
    best: Extreme,
    kept: Extreme,
    /// How many steps the window grows at once; doubled while the path has no queue.
    stride: f64,
    rests_until: Option<Instant>,
    crowd: Option<Crowd>,
    /// The queue was that in the last round, as far as that could tell.
    was_too_long: bool,
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
enum Mode {
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
pub struct GateState {
    /// Start, steady, drain or compete.
    pub mode: &'static str,
    /// Bytes that may be on the path.
    pub window: u64,
    /// The queues of the path, as the last round trip showed them.
    pub queue: Duration,
    /// The shortest round trip of late.
    pub base: Duration,
}

/// Packets sent after its beginning end a round when they arrive.
#[derive(Debug, Clone)]
struct Round {
    began: Instant,
    /// Since when it might end.
    over_since: Option<Instant>,
    /// It begins when the queue is empty.
    awaits_drain: bool,
    /// The gate, and not a lack of frames, has kept the path from having more.
    is_limited: bool,
    shortest: Option<f64>,
    /// The same, as far as acknowledgements that were held back can tell.
    guessed: Option<f64>,
    delivered: u64,
    lost: u64,
    is_marked: bool,
}

impl Round {
    fn new(now: Instant) -> Self {
        Round {
            began: now,
            over_since: None,
            awaits_drain: false,
            is_limited: false,
            shortest: None,
            guessed: None,
            delivered: 0,
            lost: 0,
            is_marked: false,
        }
    }
}

/// What an acknowledgement has told so far.
#[derive(Debug, Clone, Copy, Default)]
struct Arrived {
    bytes: u64,
    newest: Option<Instant>,
    smoothed: Duration,
}

/// A round trip, in seconds.
#[derive(Debug, Clone, Copy)]
enum Trip {
    /// Nobody waited.
    Measured(f64),
    /// The acknowledgement may have been held back; this is likely.
    Guessed(f64),
}

/// What has arrived in full rounds, and how long they took.
#[derive(Debug, Clone, Copy, Default)]
struct Lasting {
    bytes: u64,
    time: Duration,
}

impl Gate {
    /// The gate of a new path that takes packets of so many bytes.
    pub fn new(now: Instant, packet: u16) -> Self {
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
            lateness: 0.0,
            rate: Extreme::new(Duration::ZERO, f64::max),
            lasting: Lasting::default(),
            best: Extreme::new(BEST_AGE, f64::max),
            kept: Extreme::new(BEST_AGE, f64::max),
            stride: 1.0,
            rests_until: None,
            crowd: None,
            was_too_long: false,
            trusts_until: None,
            rivalry: Rivalry::default(),
            next_drain: None,
            delivered: 0.0,
            lost: 0.0,
        }
    }

    /// How many bytes more may be sent of flows that send all they can.
    pub fn room(&self) -> u64 {
        self.window().saturating_sub(self.in_flight)
    }

    /// How many bytes may be on the path.
    pub fn window(&self) -> u64 {
        self.window as u64
    }

    /// How fast to send what there is room for, so that it does not come as one burst; `None` before the
    /// first round trip.
    pub fn pace(&self) -> Option<u64> {
        let gain = match self.mode {
            Mode::Start => 1.25 * (1.0 + START_GROWTH),
            Mode::Steady | Mode::Drain { .. } | Mode::Compete => 1.25,
        };
        (self.rtt > 0.0).then(|| (gain * self.window / self.rtt) as u64)
    }

    /// The path takes packets of another size.
    pub fn set_packet(&mut self, packet: u16) {
        self.packet = f64::from(packet);
    }

    /// What it does now: start, steady, drain or compete.
    pub fn mode_name(&self) -> &'static str {
        match self.mode {
            Mode::Start => "start",
            Mode::Steady => "steady",
            Mode::Drain { .. } => "drain",
            Mode::Compete => "compete",
        }
    }

    /// What it knows.
    pub fn state(&self) -> GateState {
        let base = self.base.value().unwrap_or(0.0);
        GateState {
            mode: self.mode_name(),
            window: self.window(),
            queue: Duration::from_secs_f64((self.rtt - base - self.lateness).max(0.0)),
            base: Duration::from_secs_f64(base),
        }
    }

    /// Bytes have left.
    pub fn on_sent(&mut self, bytes: u64) {
        self.in_flight += bytes;
        self.round.is_limited |= self.in_flight as f64 + self.packet > self.window;
    }

    /// A packet has arrived that was sent then. Round trips took `smoothed` so far, without what the other side says it
    /// has waited.
    pub fn on_ack(&mut self, sent: Instant, bytes: u64, smoothed: Duration) {
        self.in_flight = self.in_flight.saturating_sub(bytes);
        self.delivered += bytes as f64;
        self.round.delivered += bytes;
        self.arrived.bytes += bytes;
        self.arrived.smoothed = smoothed;
        self.arrived.newest = Some(self.arrived.newest.map_or(sent, |newest| newest.max(sent)));
    }

    /// All that an acknowledgement said has been told; so many bytes are on the path.
    pub fn on_end_acks(&mut self, now: Instant, in_flight: u64) {
        self.in_flight = in_flight;
        let arrived = std::mem::take(&mut self.arrived);
        if let Some(sent) = arrived.newest {
            let trip = self.trip(now.saturating_duration_since(sent), &arrived);
            self.note_round_trip(now, sent, trip);
        }
        if self.round.awaits_drain && in_flight as f64 <= self.window {
            self.round = Round::new(now);
        }
        if self.is_round_over(now) {
            self.end_round(now);
        }
    }

    fn is_round_over(&self, now: Instant) -> bool {
        // Of a drain only what was sent since then counts, so it takes longer to have as many.
        let begin = match self.mode {
            Mode::Drain { .. } => self.round.over_since,
            Mode::Start | Mode::Steady | Mode::Compete => {
                self.round.over_since.map(|_| self.round.began)
            }
        };
        begin.is_some_and(|begin| now >= begin + SHORTEST_ROUND)
    }

    /// What the time until an acknowledgement says of the path. One that was not for bulk took up to [`MOST_HELD`] longer than
    /// the path did. What the other side says of that is believed as far as it can be so.
    fn trip(&self, took: Duration, arrived: &Arrived) -> Trip {
        let took = took.as_secs_f64();
        if arrived.bytes >= AT_ONCE {
            return Trip::Measured(took);
        }
        let likely = arrived.smoothed.as_secs_f64();
        Trip::Guessed(likely.clamp((took - MOST_HELD).max(0.0), took))
    }

    fn note_round_trip(&mut self, now: Instant, sent: Instant, trip: Trip) {
        let (Trip::Measured(rtt) | Trip::Guessed(rtt)) = trip;
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
        let is_new = sent >= self.round.began && !self.round.awaits_drain;
        if is_new {
            self.round.over_since.get_or_insert(now);
        }
        // What was sent before the queue could empty says nothing of a path without one.
        if is_new || !matches!(self.mode, Mode::Drain { .. }) {
            let known = match trip {
                Trip::Measured(_) => &mut self.round.shortest,
                Trip::Guessed(_) => &mut self.round.guessed,
            };
            *known = Some(known.map_or(rtt, |known| known.min(rtt)));
        }
    }

    /// Bytes have got lost.
    pub fn on_lost(&mut self, bytes: u64) {
        self.in_flight = self.in_flight.saturating_sub(bytes);
        self.lost += bytes as f64;
        self.round.lost += bytes;
    }

    /// The path says that its queue is long (ECN).
    pub fn on_mark(&mut self) {
        self.round.is_marked = true;
    }

    /// Nothing has arrived for long.
    pub fn on_outage(&mut self) {
        self.window = self.window.min(FIRST_WINDOW * self.packet);
        self.mode = Mode::Start;
        self.crowd = None;
        self.was_too_long = false;
        self.kept.forget();
    }

    fn end_round(&mut self, now: Instant) {
        let round = std::mem::replace(&mut self.round, Round::new(now));
        let rtt = round.shortest.or(round.guessed);
        let (Some(rtt), Some(base)) = (rtt, self.base.value()) else {
            return;
        };
        self.rtt = rtt.max(1e-6);
        // A path that has not been full says little; only whoever waits for an answer takes it, or may be the one who
        // fills the path's queue himself.
        let takes_all = matches!(self.mode, Mode::Drain { .. } | Mode::Compete);
        if !round.is_limited && !takes_all {
            self.crowd = None;
            self.was_too_long = false;
            self.lasting = Lasting::default();
            (self.delivered, self.lost) = (0.0, 0.0);
            return;
        }
        self.rate.age = Duration::from_secs_f64(RATE_AGE * self.rtt);
        if !matches!(self.mode, Mode::Drain { .. }) {
            self.note_rate(now, &round);
        }
        self.judge_losses(now);
        let queue = (rtt - base - self.lateness).max(0.0);
        self.window = match self.mode {
            Mode::Start => self.start(queue, &round),
            Mode::Steady => self.steady(now, queue, &round),
            Mode::Compete => self.compete(now, queue, &round),
            Mode::Drain { window, competes } => self.resume(now, queue, window, competes),
        };
        let is_due = now >= *self.next_drain.get_or_insert(now + BASE_AGE);
        if is_due && let Mode::Steady | Mode::Compete = self.mode {
            self.window = self.drain(now, self.window, self.mode == Mode::Compete);
        }
        let least = LEAST_WINDOW * self.packet;
        self.window = self.window.clamp(least, LARGEST_WINDOW);
    }

    fn note_rate(&mut self, now: Instant, round: &Round) {
        let time = now - round.began;
        self.rate
            .note(now, round.delivered as f64 / time.as_secs_f64());
        self.lasting.bytes += round.delivered;
        self.lasting.time += time;
        let Lasting { bytes, time } = self.lasting;
        if time >= SHORTEST_LASTING && time.as_secs_f64() >= LASTING * self.rtt {
            let rate = bytes as f64 / time.as_secs_f64();
            // What others leave us says nothing of the path.
            match self.mode {
                Mode::Compete => self.best.improve(rate),
                Mode::Start | Mode::Steady | Mode::Drain { .. } => self.best.note(now, rate),
            }
            self.kept.note(now, rate);
            self.lasting = Lasting::default();
        }
    }

    /// The queue that the path shall have, in bytes.
    fn step(&self) -> f64 {
        self.queue_at(self.rate.value().unwrap_or(0.0))
    }

    /// The queue that a path of this rate shall have, in bytes.
    fn queue_at(&self, rate: f64) -> f64 {
        (target(rate) * rate).max(LEAST_QUEUE * self.packet)
    }

    /// The same in seconds. What the path can do counts here, not what others leave us of it.
    fn wanted(&self) -> f64 {
        match self.best.value() {
            Some(best) if best > 0.0 => {
                let least = (LEAST_QUEUE * self.packet / best).min(LONGEST_WANTED);
                least.max(target(best))
            }
            _ => TARGET,
        }
    }

    /// FAST's next window, with all of its step at once.
    fn fast(&self, queue: f64) -> f64 {
        let emptied = self.window * (self.rtt - queue) / self.rtt;
        let mut rate = self.rate.value().unwrap_or(0.0);
        // A round of many round trips shows a rate with pauses in it, when a machine had no processor for us. Those are
        // no reason to want a shorter queue between them.
        if self.rtt < SHORTEST_ROUND.as_secs_f64() {
            rate = rate.max(self.window / self.rtt);
        }
        (emptied + self.queue_at(rate)).min(2.0 * self.window)
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
        let is_too_long = queue >= self.crowd();
        let was_too_long = std::mem::replace(&mut self.was_too_long, is_too_long);
        if was_too_long && is_too_long {
            self.kept.scale(AFTER_LONG);
        }
        let kept = self.kept_window(queue);
        if !is_too_long && self.window < kept {
            return kept.min(self.window * (1.0 + MOST_GROWTH));
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
        let next = self.window + part * (self.fast(queue) - self.window);
        match (is_too_long, was_too_long) {
            (true, true) => next,
            (true, false) => next.max(AFTER_FIRST_LONG * self.window),
            (false, _) => next.max(kept),
        }
    }

    /// The window that would carry what the path has carried. Where packets come and go a bit late all the time, that
    /// looks like a queue, and the window would become smaller and smaller for it.
    fn kept_window(&self, queue: f64) -> f64 {
        let kept = self.kept.value().unwrap_or(0.0);
        KEPT * kept * (self.rtt - queue + queue.min(target(kept)))
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
            if let Mode::Drain { window, .. } = &mut self.mode {
                *window *= 1.0 - part;
            }
            self.stride = 1.0;
            self.rests_until = Some(now + REST);
            // What it carried once it does not carry now, unless somebody else is there.
            if self.mode != Mode::Compete {
                self.best.scale(1.0 - part);
            }
            self.kept.forget();
            if self.mode == Mode::Start {
                self.mode = Mode::Steady;
            }
        }
    }
}

/// The queue, in seconds, that a path of this rate shall have.
fn target(rate: f64) -> f64 {
    TARGET + BATCHES * (1.0 - FAST / rate.max(FAST))
}
