//! A path under virtual time: a drop-tail queue in front of a slow wire, and at its end somebody who acknowledges lazily.

use super::*;
use std::collections::BTreeMap;

pub(super) const PACKET: u64 = 1350;
pub(super) const MS: Duration = Duration::from_millis(1);
/// A game's packets, which no gate holds up, and the time between two of them.
const GAME_PACKET: u64 = 150;
const GAME_PERIOD: Duration = Duration::from_micros(16_600);
/// How long an acknowledgement may be held back (RFC 9000 §18.2).
const MAX_ACK_DELAY: Duration = Duration::from_millis(25);

/// The narrow part of a path, and what it takes to get to its other end and back.
pub(super) struct Path {
    pub(super) rate: f64,
    /// Bytes that may wait.
    pub(super) limit: f64,
    pub(super) rtt: Duration,
    /// The part of the packets that gets lost for no reason.
    pub(super) loss: f64,
    /// News come late by up to this much: other programs run, and packets are handled in batches.
    pub(super) lateness: Duration,
    pub(super) news_at: Instant,
    pub(super) idle_at: Instant,
    dice: u64,
}

impl Path {
    fn new(now: Instant, megabits: f64, rtt: Duration) -> Self {
        let rate = megabits * 1e6 / 8.0;
        Path {
            rate,
            limit: rate * 0.1,
            rtt,
            loss: 0.0,
            lateness: Duration::ZERO,
            news_at: now,
            idle_at: now,
            dice: 1,
        }
    }

    pub(super) fn wait(&self, now: Instant) -> Duration {
        self.idle_at.saturating_duration_since(now)
    }

    /// A number from 0 to 1.
    fn draw(&mut self) -> f64 {
        self.dice = self
            .dice
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.dice >> 33) as f64 / (1u64 << 31) as f64
    }

    /// When a packet is there and news of it could be back, unless it gets lost.
    fn carry(&mut self, now: Instant, bytes: u64) -> Option<Instant> {
        let (drawn, late) = (self.draw(), self.draw());
        let waiting = self.wait(now).as_secs_f64() * self.rate;
        if waiting + bytes as f64 > self.limit {
            return None;
        }
        let takes = Duration::from_secs_f64(bytes as f64 / self.rate);
        self.idle_at = self.idle_at.max(now) + takes;
        (drawn >= self.loss).then(|| {
            // Mostly by little.
            let back = self.idle_at + self.rtt + self.lateness.mul_f64(late.powi(3));
            self.news_at = self.news_at.max(back);
            self.news_at
        })
    }
}

/// A TCP that sends all it can and reduces its window when a packet is lost (CUBIC, RFC 9438, without its
/// finer points).
pub(super) struct Cubic {
    window: f64,
    in_flight: f64,
    peak: f64,
    since: Instant,
    recovered: Instant,
}

impl Cubic {
    fn new(now: Instant) -> Self {
        Cubic {
            window: 10.0,
            in_flight: 0.0,
            peak: f64::MAX,
            since: now,
            recovered: now,
        }
    }

    fn on_ack(&mut self, now: Instant, rtt: f64) {
        self.in_flight -= 1.0;
        if self.peak == f64::MAX {
            self.window += 1.0;
            return;
        }
        let k = (self.peak * 0.3 / 0.4).cbrt();
        let t = (now - self.since).as_secs_f64() + rtt;
        let cubic = 0.4 * (t - k).powi(3) + self.peak;
        let reno = 0.53 / self.window;
        self.window += ((cubic - self.window) / self.window).clamp(reno, 0.5);
    }

    fn on_loss(&mut self, now: Instant, sent: Instant) {
        self.in_flight -= 1.0;
        if sent >= self.recovered {
            (self.peak, self.window) = (self.window, (self.window * 0.7).max(2.0));
            (self.since, self.recovered) = (now, now);
        }
    }
}

/// Who gets our packets and acknowledges them: at once when many bytes have come, else when a frame leaves that takes
/// the acknowledgement along, or when it may not wait any longer. (What takes it back is part of the path.)
pub(super) struct Receiver {
    /// Bytes that are acknowledged at once.
    pub(super) at_once: u64,
    /// The time between two of its own frames, and when the next one leaves.
    pub(super) frames: Option<Duration>,
    next_frame: Instant,
    /// Packets that have come and are not acknowledged yet: when they were sent, and came.
    unacked: Vec<(Instant, Instant, u64)>,
}

impl Receiver {
    fn is_due(&mut self, now: Instant) -> bool {
        let has_frame = now >= self.next_frame;
        if let (true, Some(period)) = (has_frame, self.frames) {
            self.next_frame = now + period;
        }
        let bytes: u64 = self.unacked.iter().map(|&(_, _, bytes)| bytes).sum();
        let is_late = self
            .unacked
            .first()
            .is_some_and(|&(_, came, _)| now >= came + MAX_ACK_DELAY);
        // QUIC writes an acknowledgement into a packet from the second unacknowledged one on.
        let rides = has_frame && self.frames.is_some() && self.unacked.len() >= 2;
        bytes >= self.at_once || is_late || rides
    }
}

enum Back {
    Arrived,
    Lost,
}

/// What will be known of a packet.
struct News {
    is_ours: bool,
    sent: Instant,
    bytes: u64,
    what: Back,
}

/// Somebody with a gate who sends all that it lets pass and plays a game, and maybe a TCP beside, on one path.
pub(super) struct World {
    pub(super) now: Instant,
    pub(super) path: Path,
    pub(super) gate: Gate,
    pace: Pace,
    /// How late our own clock wakes us when the pace says wait.
    pub(super) clock: Duration,
    opens_at: Option<Instant>,
    pub(super) is_greedy: bool,
    /// Bulk is no more than so many bytes a second.
    pub(super) bulk: Option<f64>,
    bulk_credit: f64,
    /// Or no more than so many bytes on the path: a TCP's window.
    pub(super) inner: u64,
    /// What bulk's packets weigh.
    pub(super) size: u64,
    pub(super) plays: bool,
    pub(super) has_rival: bool,
    rival: Option<Cubic>,
    pub(super) next_game: Instant,
    events: BTreeMap<(Instant, u64), News>,
    sequence: u64,
    pub(super) receiver: Receiver,
    /// Round trips on the average, without what the receiver says it held back (RFC 9002 §5.3).
    smoothed: Option<f64>,
    /// Losses are seen later by so much.
    pub(super) loss_delay: Duration,
    pub(super) delivered: u64,
    pub(super) lost: u64,
    /// What a packet would have waited, sampled every millisecond.
    waits: Vec<Duration>,
}

impl World {
    pub(super) fn new(megabits: f64, rtt: Duration) -> Self {
        let now = Instant::now();
        World {
            now,
            path: Path::new(now, megabits, rtt),
            gate: Gate::new(now, PACKET as u16),
            pace: Pace::new(now),
            clock: Duration::ZERO,
            opens_at: None,
            is_greedy: true,
            bulk: None,
            bulk_credit: 0.0,
            inner: u64::MAX,
            size: PACKET,
            plays: true,
            has_rival: false,
            rival: None,
            next_game: now,
            events: BTreeMap::new(),
            sequence: 0,
            receiver: Receiver {
                at_once: AT_ONCE,
                frames: None,
                next_frame: now,
                unacked: Vec::new(),
            },
            smoothed: None,
            loss_delay: Duration::ZERO,
            delivered: 0,
            lost: 0,
            waits: Vec::new(),
        }
    }

    /// The same with a game alone, and a receiver that plays as well.
    pub(super) fn of_a_game(megabits: f64, rtt: Duration) -> Self {
        let mut world = World::new(megabits, rtt);
        world.is_greedy = false;
        world.receiver.frames = Some(GAME_PERIOD);
        world
    }

    fn send(&mut self, is_ours: bool, bytes: u64) {
        self.sequence += 1;
        if is_ours {
            self.gate.on_sent(bytes);
        }
        let (back, what) = match self.path.carry(self.now, bytes) {
            Some(back) => (back, Back::Arrived),
            // Seen when three packets behind it have arrived; about then.
            None => (
                self.now + self.path.wait(self.now) + self.path.rtt + MS + self.loss_delay,
                Back::Lost,
            ),
        };
        let news = News {
            is_ours,
            sent: self.now,
            bytes,
            what,
        };
        self.events.insert((back, self.sequence), news);
    }

    fn may_send(&mut self) -> bool {
        if self.gate.room() == 0 || self.opens_at.is_some_and(|at| self.now < at) {
            return false;
        }
        if self.gate.in_flight >= self.inner || (self.bulk.is_some() && self.bulk_credit < 0.0) {
            return false;
        }
        let Some(rate) = self.gate.pace() else {
            return true;
        };
        let may = self.pace.check(self.now, rate);
        self.opens_at = may.err().map(|at| at + self.clock);
        may.is_ok()
    }

    fn act(&mut self) {
        if let Some(rate) = self.bulk {
            self.bulk_credit = (self.bulk_credit + rate / 1e4).min(PACKET as f64);
        }
        while self.is_greedy && self.may_send() {
            self.pace.spend(self.size as usize);
            self.bulk_credit -= self.size as f64;
            self.send(true, self.size);
        }
        if self.plays && self.now >= self.next_game {
            self.next_game += GAME_PERIOD;
            self.send(true, GAME_PACKET);
        }
        while self
            .rival
            .as_ref()
            .is_some_and(|tcp| tcp.in_flight + 1.0 <= tcp.window)
        {
            self.rival.as_mut().unwrap().in_flight += 1.0;
            self.send(false, PACKET);
        }
    }

    fn acknowledge(&mut self) {
        let smoothed = Duration::from_secs_f64(self.smoothed.unwrap_or(0.1));
        let mut newest = None;
        for (sent, came, bytes) in self.receiver.unacked.drain(..) {
            self.gate.on_ack(sent, bytes, smoothed);
            newest = Some((came - sent).as_secs_f64());
        }
        let rtt = newest.unwrap();
        let smoothed = self.smoothed.get_or_insert(rtt);
        *smoothed += (rtt - *smoothed) / 8.0;
        self.gate.on_end_acks(self.now, self.gate.in_flight);
        self.opens_at = None;
    }

    fn hear(&mut self, news: &News) {
        let (now, sent, bytes) = (self.now, news.sent, news.bytes);
        let rtt = now - sent;
        match (news.is_ours, &news.what) {
            (true, Back::Arrived) => {
                self.delivered += bytes;
                self.receiver.unacked.push((sent, now, bytes));
                if self.receiver.is_due(now) {
                    self.acknowledge();
                }
            }
            (true, Back::Lost) => {
                self.lost += bytes;
                self.gate.on_lost(bytes);
            }
            (false, what) => {
                let Some(tcp) = &mut self.rival else { return };
                match what {
                    Back::Arrived => tcp.on_ack(now, rtt.as_secs_f64()),
                    Back::Lost => tcp.on_loss(now, sent),
                }
            }
        }
    }

    /// Lets so much time pass, in steps of a tenth of a millisecond.
    pub(super) fn run(&mut self, time: Duration) -> &mut Self {
        let end = self.now + time;
        (self.delivered, self.lost, self.waits) = (0, 0, Vec::new());
        match self.has_rival {
            true => _ = self.rival.get_or_insert_with(|| Cubic::new(self.now)),
            false => self.rival = None,
        }
        let mut step = 0u32;
        while self.now < end {
            while let Some(entry) = self.events.first_entry()
                && entry.key().0 <= self.now
            {
                let news = entry.remove();
                self.hear(&news);
            }
            if self.receiver.is_due(self.now) {
                self.acknowledge();
            }
            self.act();
            if step.is_multiple_of(10) {
                self.waits.push(self.path.wait(self.now));
            }
            self.now += MS / 10;
            step += 1;
        }
        self.waits.sort();
        self
    }

    pub(super) fn wait(&self, percent: usize) -> Duration {
        self.waits[(self.waits.len() - 1) * percent / 100]
    }

    /// Our part of the path in the last run.
    pub(super) fn share(&self) -> f64 {
        let seconds = self.waits.len() as f64 / 1e3;
        self.delivered as f64 / seconds / self.path.rate
    }

    /// The part of our packets that got lost in the last run.
    pub(super) fn lost_part(&self) -> f64 {
        self.lost as f64 / (self.lost + self.delivered) as f64
    }
}
