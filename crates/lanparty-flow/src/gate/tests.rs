//! The gate on a path under virtual time: a drop-tail queue in front of a slow wire.

use super::*;
use std::collections::BTreeMap;

const PACKET: u64 = 1350;
const MAX_ACK_DELAY: Duration = Duration::from_millis(25);
const MS: Duration = Duration::from_millis(1);
/// A game's packets, which no gate holds up, and the time between two of them.
const GAME_PACKET: u64 = 150;
const GAME_PERIOD: Duration = Duration::from_micros(16_600);

/// The narrow part of a path, and what it takes to get to its other end and back.
struct Path {
    rate: f64,
    /// Bytes that may wait.
    limit: f64,
    rtt: Duration,
    /// The part of the packets that gets lost for no reason.
    loss: f64,
    /// News come late by up to this much: other programs run, and packets are handled in batches.
    lateness: Duration,
    news_at: Instant,
    idle_at: Instant,
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

    fn wait(&self, now: Instant) -> Duration {
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

    /// When a packet's acknowledgement is back, unless it gets lost.
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
struct Cubic {
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

enum Back {
    Acked,
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
struct World {
    now: Instant,
    path: Path,
    gate: Gate,
    pace: Pace,
    is_greedy: bool,
    has_rival: bool,
    rival: Option<Cubic>,
    next_game: Instant,
    events: BTreeMap<(Instant, u64), News>,
    sequence: u64,
    /// Packets that have arrived and are not acknowledged yet, and until when that may wait.
    unacked: Vec<(Instant, u64)>,
    held_until: Instant,
    delivered: u64,
    lost: u64,
    /// What a packet would have waited, sampled every millisecond.
    waits: Vec<Duration>,
}

impl World {
    fn new(megabits: f64, rtt: Duration) -> Self {
        let now = Instant::now();
        World {
            now,
            path: Path::new(now, megabits, rtt),
            gate: Gate::new(now, PACKET as u16),
            pace: Pace::new(now),
            is_greedy: true,
            has_rival: false,
            rival: None,
            next_game: now,
            events: BTreeMap::new(),
            sequence: 0,
            unacked: Vec::new(),
            held_until: now,
            delivered: 0,
            lost: 0,
            waits: Vec::new(),
        }
    }

    fn send(&mut self, is_ours: bool, bytes: u64) {
        self.sequence += 1;
        if is_ours {
            self.gate.on_sent(bytes);
        }
        let (back, what) = match self.path.carry(self.now, bytes) {
            Some(back) => (back, Back::Acked),
            // Seen when three packets behind it have arrived; about then.
            None => (
                self.now + self.path.wait(self.now) + self.path.rtt + MS,
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

    fn act(&mut self) {
        while self.is_greedy && self.gate.room() > 0 {
            if let Some(rate) = self.gate.pace()
                && self.pace.check(self.now, rate).is_err()
            {
                break;
            }
            self.pace.spend(PACKET as usize);
            self.send(true, PACKET);
        }
        if self.now >= self.next_game {
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
        for (sent, bytes) in self.unacked.drain(..) {
            self.gate.on_ack(sent, bytes);
        }
        self.gate.on_end_acks(self.now, self.gate.in_flight);
    }

    fn hear(&mut self, news: &News) {
        let (now, sent, bytes) = (self.now, news.sent, news.bytes);
        let rtt = now - sent;
        match (news.is_ours, &news.what) {
            (true, Back::Acked) => {
                self.delivered += bytes;
                self.unacked.push((sent, bytes));
                self.held_until = now + MAX_ACK_DELAY;
                if self.unacked.len() == 2 {
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
                    Back::Acked => tcp.on_ack(now, rtt.as_secs_f64()),
                    Back::Lost => tcp.on_loss(now, sent),
                }
            }
        }
    }

    /// Lets so much time pass, in steps of a tenth of a millisecond.
    fn run(&mut self, time: Duration) -> &mut Self {
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
            if !self.unacked.is_empty() && self.now >= self.held_until {
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

    fn wait(&self, percent: usize) -> Duration {
        self.waits[(self.waits.len() - 1) * percent / 100]
    }

    /// Our part of the path in the last run.
    fn share(&self) -> f64 {
        let seconds = self.waits.len() as f64 / 1e3;
        self.delivered as f64 / seconds / self.path.rate
    }
}

#[test]
fn the_queue_stays_near_a_millisecond_and_the_path_busy() {
    for (megabits, rtt, queue) in [
        (20.0, 20, 2),
        (100.0, 10, 2),
        (20.0, 1, 2),
        (5.0, 40, 7),
        (50.0, 100, 2),
    ] {
        let mut world = World::new(megabits, rtt * MS);
        world.run(5000 * MS).run(20_000 * MS);
        let (p50, p99) = (world.wait(50), world.wait(99));
        assert!(
            world.share() > 0.95,
            "{megabits} Mbit/s, {rtt} ms: {}",
            world.share()
        );
        // The rest is drains: what was not sent is made up for.
        assert!(
            p50 < queue * MS && p99 < 15 * MS,
            "{megabits} Mbit/s, {rtt} ms: {p50:?} {p99:?}"
        );
    }
}

#[test]
fn late_news_cost_little() {
    for (megabits, rtt) in [(20.0, 20), (100.0, 10), (20.0, 1)] {
        let mut world = World::new(megabits, rtt * MS);
        world.path.lateness = 4 * MS;
        world.run(5000 * MS).run(20_000 * MS);
        let (share, p50, p99) = (world.share(), world.wait(50), world.wait(99));
        let what = format!("{megabits} Mbit/s, {rtt} ms: {share} {p50:?} {p99:?}");
        assert!(share > 0.6 && p50 < 3 * MS && p99 < 8 * MS, "{what}");
    }
}

#[test]
fn a_machine_that_was_busy_is_forgiven() {
    let mut world = World::new(20.0, 20 * MS);
    world.run(5000 * MS);
    world.path.lateness = 60 * MS;
    world.run(500 * MS);
    world.path.lateness = MS;
    world.run(1000 * MS).run(3000 * MS);
    assert!(world.share() > 0.9, "{}", world.share());
}

#[test]
fn a_moment_without_a_processor_costs_half_the_window() {
    let mut world = World::new(200.0, MS / 2);
    world.run(4000 * MS);
    let window = world.gate.window();
    let pause = world.now + 60 * MS;
    (world.path.idle_at, world.path.news_at) = (pause, pause);
    let mut least = window;
    for _ in 0..100 {
        least = least.min(world.run(MS).gate.window());
    }
    // The window moves by a little without that, too.
    assert!(least > window * 2 / 5, "{least} of {window}");
}

#[test]
fn a_busy_uplink_adds_less_than_four_milliseconds() {
    let mut world = World::new(20.0, 20 * MS);
    world.run(2000 * MS).run(30_000 * MS);
    assert!(world.wait(99) < 4 * MS, "{:?}", world.wait(99));
}

#[test]
fn the_first_seconds_are_not_slow() {
    let mut world = World::new(20.0, 20 * MS);
    world.run(2000 * MS);
    assert!(world.share() > 0.9, "{}", world.share());
    assert!(world.wait(100) < 30 * MS, "{:?}", world.wait(100));
}

#[test]
fn a_quarter_is_kept_beside_a_download_outside_the_tunnel_and_all_of_it_later() {
    for comes_first in [true, false] {
        let mut world = World::new(20.0, 20 * MS);
        world.is_greedy = comes_first;
        world.has_rival = !comes_first;
        world.run(5000 * MS);
        (world.is_greedy, world.has_rival) = (true, true);
        world.run(10_000 * MS).run(60_000 * MS);
        let share = world.share();
        assert!(
            (0.25..0.6).contains(&share),
            "first: {comes_first}, {share}"
        );
        world.has_rival = false;
        world.run(10_000 * MS).run(10_000 * MS);
        assert!(world.share() > 0.95, "{}", world.share());
        assert!(world.wait(50) < 3 * MS, "{:?}", world.wait(50));
    }
}

#[test]
fn random_losses_are_no_reason_to_give_way() {
    for megabits in [5.0, 20.0, 100.0] {
        let mut world = World::new(megabits, 40 * MS);
        world.path.loss = 0.01;
        world.run(3000 * MS).run(20_000 * MS);
        assert!(world.share() > 0.9, "{megabits} Mbit/s: {}", world.share());
        assert!(
            world.wait(99) < 15 * MS,
            "{megabits} Mbit/s: {:?}",
            world.wait(99)
        );
    }
}

#[test]
fn heavy_losses_are() {
    let mut world = World::new(20.0, 20 * MS);
    // A path that polices instead of queueing.
    world.path.limit = 4200.0;
    world.run(3000 * MS).run(10_000 * MS);
    assert!(world.share() > 0.5, "{}", world.share());
    let lost = world.lost as f64 / (world.lost + world.delivered) as f64;
    assert!(lost < 0.1, "{lost}");
}

#[test]
fn a_longer_route_is_measured_anew() {
    let mut world = World::new(20.0, 20 * MS);
    world.run(10_000 * MS);
    world.path.rtt = 60 * MS;
    world.run(5000 * MS).run(10_000 * MS);
    assert!(world.share() > 0.9, "{}", world.share());
    assert!(world.wait(50) < 2 * MS, "{:?}", world.wait(50));
    assert!((60..62).contains(&world.gate.state().base.as_millis()));
}

#[test]
fn a_slower_and_a_faster_path_are_followed_at_once() {
    let mut world = World::new(50.0, 20 * MS);
    world.run(5000 * MS);
    world.path.rate /= 10.0;
    world.run(1000 * MS).run(5000 * MS);
    assert!(world.wait(99) < 10 * MS, "{:?}", world.wait(99));
    world.path.rate *= 10.0;
    world.run(500 * MS).run(3000 * MS);
    assert!(world.share() > 0.95, "{}", world.share());
}

#[test]
fn what_sends_less_than_the_path_takes_is_not_held_up() {
    let mut world = World::new(20.0, 20 * MS);
    world.run(5000 * MS);
    world.is_greedy = false;
    world.run(3000 * MS);
    // A second's worth of a game and its acknowledgements moves nothing.
    world.next_game += Duration::from_secs(10);
    let before = world.gate.window();
    for _ in 0..60 {
        world.gate.on_sent(150);
        assert!(world.gate.room() > 10_000);
        let sent = world.now;
        // A lonely packet's acknowledgement is held back.
        world.run(45 * MS);
        world.gate.on_ack(sent, 150);
        world.gate.on_end_acks(world.now, 0);
    }
    assert_eq!(world.gate.window(), before);
}

#[test]
fn an_outage_is_followed_by_a_new_start() {
    let mut world = World::new(20.0, 20 * MS);
    world.run(5000 * MS);
    world.gate.on_outage();
    assert!(world.gate.window() <= 10 * PACKET);
    world.run(1000 * MS).run(3000 * MS);
    assert!(world.share() > 0.95, "{}", world.share());
}

#[test]
fn the_pace_spreads_a_window_and_lets_a_burst_of_a_millisecond_pass() {
    let begin = Instant::now();
    let (mut pace, mut sent) = (Pace::new(begin), 0u64);
    for micros in (0..100_000).step_by(50) {
        let now = begin + Duration::from_micros(micros);
        while pace.check(now, 2_500_000).is_ok() {
            pace.spend(1350);
            sent += 1350;
        }
    }
    assert!((245_000..260_000).contains(&sent), "{sent}");
    let late = begin + Duration::from_secs(1);
    let burst = std::iter::from_fn(|| pace.check(late, 2_500_000).ok().map(|()| pace.spend(1350)));
    assert_eq!(burst.count(), 2);
    let again = pace.check(late, 2_500_000).unwrap_err();
    assert!(again > late && again < late + MS);
}

#[test]
fn small_flows_leave_no_debt_behind_that_would_shut_bulk_out() {
    let begin = Instant::now();
    let mut pace = Pace::new(begin);
    (0..10_000).for_each(|_| pace.spend(1000));
    assert!(pace.check(begin + 3 * MS, 1_350_000).is_ok());
}

#[test]
fn a_quarter_is_left_after_minutes_beside_a_download() {
    let mut world = World::new(20.0, 20 * MS);
    world.run(5000 * MS);
    world.has_rival = true;
    world.run(120_000 * MS).run(60_000 * MS);
    assert!(world.share() > 0.25, "{}", world.share());
}
