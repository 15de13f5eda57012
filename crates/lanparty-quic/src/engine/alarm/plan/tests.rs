use super::*;

/// Timers without a clock: time goes on to whatever comes next.
struct Machine {
    plan: Plan,
    start: Instant,
    now: Instant,
    at: Instant,
    sets: usize,
    wakeups: usize,
    due: Vec<Duration>,
}

impl Machine {
    fn new() -> Self {
        let start = Instant::now();
        Machine {
            plan: Plan::default(),
            start,
            now: start,
            at: start + Duration::from_secs(3600),
            sets: 0,
            wakeups: 0,
            due: Vec::new(),
        }
    }

    /// As the alarm is polled at the end of a turn. Whatever is due then is due once.
    fn rest(&mut self) {
        if self.at <= self.now {
            self.due.push(self.now - self.start);
            self.at = self.now + Duration::from_secs(3600);
        }
        if let Some(Step::Exact(_)) = self.plan.next(self.now, self.at) {
            self.sets += 1;
        }
        let (exact, coarse) = (self.plan.exact(), self.plan.coarse());
        let comes = exact.is_some_and(|exact| exact <= self.at)
            || coarse.is_some_and(|coarse| coarse + tokio_is_late() <= self.at);
        assert!(comes, "nobody would be woken in time");
    }

    /// Time passes until `until`, and timers come.
    fn wait(&mut self, until: Duration) {
        let until = self.start + until;
        loop {
            let exact = self.plan.exact();
            let coarse = self.plan.coarse().map(|coarse| coarse + tokio_is_late());
            let Some(next) = exact
                .into_iter()
                .chain(coarse)
                .min()
                .filter(|at| *at <= until)
            else {
                break;
            };
            self.now = self.now.max(next);
            self.wakeups += 1;
            if exact.is_some_and(|exact| exact <= self.now) {
                self.plan.exact_came(self.now);
            }
            if coarse.is_some_and(|coarse| coarse <= self.now) {
                self.plan.coarse_came();
            }
            self.rest();
        }
        self.now = until;
    }

    /// Something else than a timer wakes the program, and moves the moment.
    fn turn(&mut self, at: Duration, moment: Duration) {
        self.wait(at);
        self.at = self.start + moment;
        self.rest();
    }
}

fn tokio_is_late() -> Duration {
    Duration::from_micros(2000)
}

fn ms(ms: f64) -> Duration {
    Duration::from_secs_f64(ms / 1000.0)
}

/// A link's moments while 60 pings a second are answered after `round_trip`: what was sent is asked after if there is no
/// answer (RFC 9002 §6.2.1), and the answer is to be acknowledged in 25 ms.
fn game(machine: &mut Machine, pings: u32, round_trip: f64) {
    let mut turns: Vec<(f64, f64)> = Vec::new();
    for ping in 0..pings {
        let sent = f64::from(ping) * 1000.0 / 60.0;
        turns.push((sent, sent + 1.4 * round_trip + 26.0));
        turns.push((sent + round_trip, sent + round_trip + 25.0));
    }
    turns.sort_by(|a, b| a.0.total_cmp(&b.0));
    for (at, moment) in turns {
        machine.turn(ms(at), ms(moment));
    }
}

#[test]
fn a_game_sets_no_timer_and_is_woken_by_none() {
    for round_trip in [0.4, 5.0, 15.0, 40.0, 90.0] {
        let mut machine = Machine::new();
        game(&mut machine, 600, round_trip);
        assert!(machine.due.is_empty());
        assert!(
            machine.sets <= 12 && machine.wakeups <= 6,
            "{} set, {} times woken at {round_trip} ms",
            machine.sets,
            machine.wakeups
        );
    }
}

#[test]
fn what_is_due_after_a_game_is_due_exactly_then() {
    let mut machine = Machine::new();
    game(&mut machine, 60, 0.4);
    let last = machine.at;
    machine.wait(Duration::from_secs(10));
    assert_eq!(machine.due, [last - machine.start]);
    // And then there is silence.
    let woken = machine.wakeups;
    machine.wait(Duration::from_secs(3000));
    assert!(machine.wakeups <= woken + 1);
}

#[test]
fn a_packet_now_and_then_costs_what_its_moments_do() {
    let mut machine = Machine::new();
    for second in 0..100 {
        let at = f64::from(second) * 1000.0;
        machine.turn(ms(at), ms(at + 25.0));
    }
    machine.wait(ms(100_000.0));
    assert_eq!(machine.due.len(), 100);
    // One for each, and one for the hour after it.
    assert!(machine.sets <= 200, "{}", machine.sets);
    assert_eq!(machine.wakeups, 100);
}

#[test]
fn a_game_whose_packets_are_acknowledged_by_the_clock_costs_no_more_than_that() {
    let mut machine = Machine::new();
    for packet in 0..300 {
        let at = f64::from(packet) * 33.0;
        machine.turn(ms(at), ms(at + 25.0));
    }
    // Each moment is the earliest that is known when it is, and the one in an hour is then.
    assert!(machine.sets <= 600, "{}", machine.sets);
    assert!(machine.wakeups <= 300, "{}", machine.wakeups);
}

#[test]
fn every_moment_comes_exactly_whatever_was_before() {
    // Some moments of each kind in every order that a simple generator gives.
    let mut state: u32 = 1;
    let mut random = |below: u32| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) % below
    };
    for _ in 0..2000 {
        let mut machine = Machine::new();
        let mut at = 0.0;
        for _ in 0..40 {
            at += f64::from(random(40_000)) / 1000.0;
            machine.turn(ms(at), ms(at + f64::from(random(120_000)) / 1000.0));
        }
        let (due, last) = (machine.due.len(), machine.at);
        machine.wait(ms(at + 1000.0));
        if last > machine.start + ms(at) && last < machine.start + Duration::from_secs(3000) {
            assert_eq!(machine.due[due..], [last - machine.start]);
        }
    }
}
