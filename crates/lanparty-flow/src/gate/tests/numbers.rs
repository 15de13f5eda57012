//! The gate's numbers, one round at a time.

use super::*;
use crate::gate::extreme::Extreme;
use crate::gate::{Lasting, Round};
use round::*;

#[test]
fn the_pace_is_a_quarter_above_the_window_and_more_at_the_start() {
    let (mut gate, now) = steady();
    assert_eq!(gate.pace(), Some((1.25 * 52_000.0 / 0.021) as u64));
    gate.mode = Mode::Start;
    assert_eq!(gate.pace(), Some((1.875 * 52_000.0 / 0.021) as u64));
    assert_eq!(Gate::new(now, 1350).pace(), None);
}

#[test]
fn what_it_does_has_a_name() {
    let (mut gate, now) = steady();
    assert_eq!(Gate::new(now, 1350).mode_name(), "start");
    assert_eq!(gate.mode_name(), "steady");
    gate.drain(now, 1.0, false);
    assert_eq!(gate.mode_name(), "drain");
    assert_eq!(competing().0.state().mode, "compete");
}

#[test]
fn the_queue_is_what_is_neither_the_path_nor_lateness() {
    let (mut gate, _) = steady();
    (gate.rtt, gate.lateness) = (0.030, 0.001);
    let state = gate.state();
    assert_eq!(state.queue.as_micros(), 9000);
    assert_eq!((state.base.as_micros(), state.window), (20_000, 52_000));
    gate.rtt = 0.0205;
    assert_eq!(gate.state().queue, Duration::ZERO);
}

#[test]
fn a_path_of_smaller_packets_takes_a_smaller_window() {
    let (mut gate, now) = steady();
    gate.set_packet(1200);
    gate.window = 100.0;
    end_round(&mut gate, now, 20, 0.5, 1000);
    assert_eq!(gate.window(), 2400);
}

#[test]
fn a_round_is_full_when_another_packet_would_not_have_fitted() {
    let (mut gate, _) = steady();
    gate.window = 10_000.0;
    gate.on_sent(8650);
    assert!(!gate.round.is_limited);
    gate.on_sent(1);
    assert!(gate.round.is_limited);
    assert_eq!((gate.in_flight, gate.room()), (8651, 1349));
}

#[test]
fn what_arrives_and_what_gets_lost_is_counted() {
    let (mut gate, now) = steady();
    gate.on_sent(5000);
    gate.on_ack(now, 1000, 20 * MS);
    gate.on_ack(now, 500, 20 * MS);
    gate.on_lost(300);
    gate.on_lost(200);
    assert_eq!(gate.in_flight, 3000);
    assert_eq!((gate.round.delivered, gate.round.lost), (1500, 500));
    assert_eq!((gate.delivered, gate.lost), (1500.0, 500.0));
    gate.on_end_acks(now, 2900);
    assert_eq!(gate.in_flight, 2900);
}

#[test]
fn an_outage_leaves_ten_packets_and_no_memory_of_better_times() {
    let (mut gate, now) = steady();
    gate.kept.note(now, RATE);
    gate.was_too_long = true;
    gate.on_outage();
    assert_eq!((gate.window(), gate.mode), (13_500, Mode::Start));
    assert_eq!((gate.kept.value(), gate.was_too_long), (None, false));
    gate.window = 5000.0;
    gate.on_outage();
    assert_eq!(gate.window(), 5000);
}

#[test]
fn a_round_takes_a_round_trip_and_ten_milliseconds() {
    let begin = Instant::now();
    let mut gate = Gate::new(begin, 1350);
    assert!(!gate.is_round_over(begin + 100 * MS));
    gate.round.over_since = Some(begin + 5 * MS);
    assert!(!gate.is_round_over(begin + 9 * MS));
    assert!(gate.is_round_over(begin + 10 * MS));
    // After a drain only what was sent since counts.
    gate.drain(begin, 1.0, false);
    assert!(!gate.is_round_over(begin + 14 * MS));
    assert!(gate.is_round_over(begin + 15 * MS));
}

#[test]
fn a_drain_begins_when_no_more_is_on_the_path_than_may_be() {
    let (mut gate, now) = steady();
    gate.window = gate.drain(now, 52_000.0, false);
    gate.on_end_acks(now + MS, 25_001);
    assert!(gate.round.awaits_drain);
    // What was sent before says nothing, not even how long it took.
    gate.on_ack(now, AT_ONCE, 20 * MS);
    gate.on_end_acks(now + 2 * MS, 25_001);
    assert_eq!((gate.round.shortest, gate.round.over_since), (None, None));
    gate.on_end_acks(now + 3 * MS, 25_000);
    assert!(!gate.round.awaits_drain);
    assert_eq!(gate.round.began, now + 3 * MS);
}

#[test]
fn a_round_that_was_not_full_changes_nothing() {
    let (mut gate, now) = steady();
    gate.was_too_long = true;
    gate.on_lost(100_000);
    gate.lasting.bytes = 7;
    gate.round = Round::new(now);
    gate.round.shortest = Some(0.2);
    gate.end_round(now + 20 * MS);
    assert_eq!((gate.window(), gate.mode), (52_000, Mode::Steady));
    assert_near(gate.rtt, 0.2);
    assert_eq!((gate.was_too_long, gate.lasting.bytes), (false, 0));
    assert_eq!((gate.delivered, gate.lost), (0.0, 0.0));
    // But it ends a drain.
    gate.drain(now, 52_000.0, false);
    gate.round = Round::new(now);
    gate.round.shortest = Some(0.020);
    gate.end_round(now + 20 * MS);
    assert_eq!((gate.window(), gate.mode), (52_000, Mode::Steady));
}

#[test]
fn the_rate_of_a_moment_is_that_of_the_last_two_round_trips_or_four() {
    let (mut gate, now) = steady();
    end_round(&mut gate, now, 20, 0.021, 40_000);
    assert_eq!(gate.rate.age, Duration::from_secs_f64(0.042));
    assert_near(gate.rate.value().unwrap(), RATE);
    let later = now + 200 * MS;
    end_round(&mut gate, later, 20, 0.021, 40_000);
    assert_near(gate.rate.value().unwrap(), 2_000_000.0);
}

#[test]
fn what_lasts_four_round_trips_is_kept() {
    let (mut gate, now) = steady();
    (gate.best, gate.kept) = (extreme(), extreme());
    // 84 ms are four round trips of 21.
    for (begin, took) in [(0, 40), (40, 43)] {
        end_round(&mut gate, now + begin * MS, took, 0.021, 80_000);
        assert_eq!(gate.kept.value(), None);
    }
    end_round(&mut gate, now + 83 * MS, 17, 0.021, 40_000);
    assert_near(gate.kept.value().unwrap(), 2_000_000.0);
    assert_near(gate.best.value().unwrap(), 2_000_000.0);
    assert_eq!((gate.lasting.bytes, gate.lasting.time), (0, Duration::ZERO));
}

#[test]
fn of_a_short_round_trip_fifty_milliseconds_are_kept() {
    let (mut gate, now) = steady();
    gate.base = Extreme::new(BASE_AGE, f64::min);
    gate.base.note(now, 0.001);
    end_round(&mut gate, now, 49, 0.001, 98_000);
    assert_eq!(gate.kept.value(), None);
    end_round(&mut gate, now + 49 * MS, 1, 0.001, 2000);
    assert_near(gate.kept.value().unwrap(), 2_000_000.0);
}

#[test]
fn what_others_leave_us_does_not_age_what_the_path_can() {
    for (mode, best) in [(Mode::Steady, 1_000_000.0), (Mode::Compete, RATE)] {
        let (mut gate, now) = steady();
        gate.mode = mode;
        gate.lasting = Lasting {
            bytes: 900_000,
            time: Duration::from_millis(900),
        };
        let later = now + Duration::from_secs(50);
        end_round(&mut gate, later, 100, 0.021, 100_000);
        assert_near(gate.best.value().unwrap(), best);
    }
}

fn extreme() -> Extreme {
    Extreme::new(BEST_AGE, f64::max)
}

#[test]
fn the_wanted_queue_is_a_millisecond_two_packets_and_more_on_fast_paths() {
    for (rate, wanted) in [
        (625_000.0, 0.00432),
        (RATE, TWO_PACKETS),
        (1_000.0, 0.025),
        (20e6, 0.001),
        (64e6, 0.002),
        (200e6, 0.00268),
    ] {
        let (mut gate, now) = steady();
        gate.best = extreme();
        gate.best.note(now, rate);
        assert_near(gate.wanted(), wanted);
        assert_near(gate.crowd(), (1.5 * wanted).max(0.003));
        let step = (target(rate) * rate).max(2700.0);
        assert_near(gate.queue_at(rate), step);
    }
    let (mut gate, now) = steady();
    assert_near(gate.step(), 2700.0);
    gate.best = extreme();
    assert_near(gate.wanted(), 0.001);
    gate.best.note(now, 0.0);
    assert_near(gate.wanted(), 0.001);
    assert_near(target(32e6), 0.001);
    assert_near(target(128e6), 0.0025);
}

#[test]
fn fast_empties_the_queue_and_adds_its_step() {
    let (mut gate, _) = steady();
    gate.rtt = 0.025;
    assert_near(gate.fast(0.005), 52_000.0 * 0.8 + 2700.0);
    // No more than twice as much at once.
    gate.window = 2000.0;
    assert_near(gate.fast(0.0), 4000.0);
    // A short round trip shows the rate better than a round of many.
    (gate.rtt, gate.window) = (0.002, 20_000.0);
    assert_near(gate.fast(0.001), 10_000.0 + 10_000.0);
    (gate.rtt, gate.window) = (0.010, 1_000_000.0);
    assert_near(gate.fast(0.005), 500_000.0 + 2700.0);
}

#[test]
fn the_start_grows_by_half_until_there_is_a_queue_or_a_mark() {
    for (queue, is_marked, mode, window) in [
        (0.0005, false, Mode::Start, 78_000.0),
        (
            0.000_51,
            false,
            Mode::Steady,
            52_000.0 * 20.49 / 21.0 + 2700.0,
        ),
        (0.0, true, Mode::Steady, 54_700.0),
    ] {
        let (mut gate, now) = steady();
        gate.mode = Mode::Start;
        let mut round = full_round(now);
        round.is_marked = is_marked;
        assert_near(gate.start(queue, &round), window);
        assert_eq!(gate.mode, mode);
    }
}

#[test]
fn a_short_queue_lets_the_window_grow_twice_as_fast_each_time() {
    let (mut gate, now) = steady();
    let round = full_round(now);
    for growth in [1350.0, 2700.0, 5400.0, 10_800.0, 13_000.0] {
        assert_near(gate.steady(now, 0.000_53, &round), 52_000.0 + growth);
    }
    // About right: by halves, and the next growth is small again.
    let halfway = (52_000.0 * 20.45 / 21.0 + 2700.0 + 52_000.0) / 2.0;
    assert_near(gate.steady(now, 0.000_55, &round), halfway);
    assert_near(gate.steady(now, 0.0, &round), 53_350.0);
    gate.rests_until = Some(now + MS);
    assert_near(gate.steady(now, 0.0, &round), 52_000.0);
    assert_near(gate.steady(now + MS, 0.0, &round), 54_700.0);
}

#[test]
fn a_mark_costs_three_tenths() {
    let (mut gate, now) = steady();
    end_round(&mut gate, now, 20, 0.020, 40_000);
    let before = gate.window;
    gate.on_mark();
    let is_marked = gate.round.is_marked;
    assert!(is_marked);
    let mut round = full_round(now);
    round.is_marked = true;
    assert_near(gate.steady(now, 0.0, &round), before * 0.7);
}

#[test]
fn a_queue_that_is_too_long_halves_the_window_once_and_then_empties_it() {
    let (mut gate, now) = steady();
    let round = full_round(now);
    gate.rtt = 0.100;
    gate.kept.note(now, 1_000_000.0);
    assert_near(gate.steady(now, 0.080, &round), 26_000.0);
    assert_near(gate.kept.value().unwrap(), 1_000_000.0);
    assert_near(gate.steady(now, 0.080, &round), 52_000.0 * 0.2 + 2700.0);
    assert_near(gate.kept.value().unwrap(), 600_000.0);
    // 3 ms are too long, and not yet four times of what is wanted.
    let (mut gate, now) = steady();
    let halves = |queue: f64| 26_000.0 * (1.0 + (0.021 - queue) / 0.021) + 1350.0;
    assert_near(gate.steady(now, 0.0029, &round), halves(0.0029));
    assert!(!gate.was_too_long);
    assert_near(gate.steady(now, 0.003, &round), halves(0.003));
    assert!(gate.was_too_long);
    assert_near(
        gate.steady(now, 0.0044, &round),
        52_000.0 * 16.6 / 21.0 + 2700.0,
    );
}

#[test]
fn what_the_path_has_carried_is_kept_in_front_of_a_short_queue() {
    let (mut gate, now) = steady();
    let round = full_round(now);
    gate.kept.note(now, 3_000_000.0);
    // Nine tenths of it, for the round trip with no more than a millisecond of queue.
    let kept = |queue: f64| 0.9 * 3_000_000.0 * (0.021 - queue + queue.min(0.001));
    assert_near(gate.kept_window(0.0005), kept(0.0005));
    assert_near(gate.kept_window(0.002), kept(0.002));
    assert_near(gate.steady(now, 0.002, &round), kept(0.002));
    gate.window = 20_000.0;
    assert_near(gate.steady(now, 0.002, &round), 25_000.0);
    // A window that is larger does not become smaller than that.
    gate.window = 54_100.0;
    assert_near(gate.steady(now, 0.0025, &round), kept(0.0025));
    // But for a queue that is too long.
    assert!(gate.steady(now, 0.0045, &round) < kept(0.0045));
}

#[test]
fn many_losses_of_many_packets_cost_as_much_as_they_are() {
    let losing = |delivered: f64, lost: f64| {
        let (mut gate, now) = steady();
        gate.kept.note(now, RATE);
        (gate.delivered, gate.lost) = (delivered, lost);
        gate.judge_losses(now);
        (gate, now)
    };
    // A tenth of 27,000 bytes, which are 20 packets; but it has to be three of them.
    let (gate, _) = losing(24_300.0, 2700.0);
    assert_near(gate.window, 52_000.0);
    assert_eq!((gate.delivered, gate.lost), (0.0, 0.0));
    let (gate, _) = losing(22_000.0, 4900.0);
    assert_eq!((gate.delivered, gate.lost), (22_000.0, 4900.0));
    let (gate, now) = losing(22_950.0, 4050.0);
    assert_near(gate.window, 52_000.0 * 0.85);
    assert_near(gate.best.value().unwrap(), RATE * 0.85);
    assert_eq!(gate.kept.value(), None);
    assert_eq!(gate.rests_until, Some(now + Duration::from_secs(1)));
    // One of twenty is not many.
    let (gate, _) = losing(95_000.0, 5000.0);
    assert_near(gate.window, 52_000.0);
    let (gate, _) = losing(94_000.0, 6000.0);
    assert_near(gate.window, 52_000.0 * 0.94);
}

#[test]
fn many_losses_end_a_start_shrink_a_drain_and_are_the_rival_s_in_competition() {
    let lose = |gate: &mut Gate, now| {
        (gate.delivered, gate.lost) = (80_000.0, 20_000.0);
        gate.stride = 8.0;
        gate.judge_losses(now);
        assert_near(gate.stride, 1.0);
    };
    let (mut gate, now) = steady();
    gate.mode = Mode::Start;
    lose(&mut gate, now);
    assert_eq!(gate.mode, Mode::Steady);
    let (window, competes) = (50_000.0, false);
    gate.mode = Mode::Drain { window, competes };
    lose(&mut gate, now);
    let window = 40_000.0;
    assert_eq!(gate.mode, Mode::Drain { window, competes });
    let (mut gate, now) = competing();
    lose(&mut gate, now);
    assert_near(gate.best.value().unwrap(), RATE);
    assert_eq!(gate.mode, Mode::Compete);
}

#[test]
fn rounds_are_judged_with_what_got_lost_in_them() {
    let (mut gate, now) = steady();
    (gate.delivered, gate.lost) = (80_000.0, 20_000.0);
    end_round(&mut gate, now, 20, 0.0225, 40_000);
    assert!(
        (0.75..0.85).contains(&(gate.window / 52_000.0)),
        "{}",
        gate.window
    );
}

#[test]
fn a_drain_is_due_five_seconds_after_the_first_round() {
    let (mut gate, now) = steady();
    end_round(&mut gate, now, 20, 0.021, 40_000);
    assert_eq!(gate.mode, Mode::Steady);
    end_round(&mut gate, now + 4999 * MS, 20, 0.021, 40_000);
    assert_eq!(gate.mode, Mode::Steady);
    end_round(&mut gate, now + 5000 * MS, 20, 0.021, 40_000);
    assert!(matches!(
        gate.mode,
        Mode::Drain {
            competes: false,
            ..
        }
    ));
    let (mut gate, now) = competing();
    gate.next_drain = Some(now);
    end_round(&mut gate, now, 100, 0.100, 40_000);
    assert!(matches!(gate.mode, Mode::Drain { competes: true, .. }));
    // A start is not interrupted.
    let (mut gate, now) = steady();
    (gate.mode, gate.next_drain) = (Mode::Start, Some(now));
    end_round(&mut gate, now, 20, 0.020, 40_000);
    assert_eq!(gate.mode, Mode::Start);
}

#[test]
fn a_drain_leaves_half_of_what_the_path_holds() {
    let (mut gate, now) = steady();
    gate.was_too_long = true;
    assert_near(gate.drain(now, 52_000.0, false), 25_000.0);
    assert_eq!(gate.next_drain, Some(now + Duration::from_secs(5)));
    assert!(gate.round.awaits_drain && !gate.was_too_long);
    gate.window = 10_000.0;
    assert_near(gate.drain(now, 52_000.0, false), 10_000.0);
}

#[test]
fn an_extreme_is_that_of_now_and_the_time_before() {
    let begin = Instant::now();
    let age = Duration::from_secs(5);
    let at = |seconds: u64| begin + Duration::from_secs(seconds);
    let mut least = Extreme::new(age, f64::min);
    assert_eq!(least.value(), None);
    least.note(at(0), 3.0);
    least.note(at(4), 5.0);
    assert_eq!(least.value(), Some(3.0));
    least.note(at(5), 4.0);
    assert_eq!(least.value(), Some(3.0));
    least.note(at(9), 6.0);
    assert_eq!(least.value(), Some(3.0));
    least.note(at(10), 7.0);
    assert_eq!(least.value(), Some(4.0));
    // Something old is better than nothing, up to three times its age.
    least.note(at(24), 9.0);
    assert_eq!(least.value(), Some(7.0));
    least.note(at(39), 11.0);
    assert_eq!(least.value(), Some(11.0));
    least.scale(2.0);
    assert_eq!(least.value(), Some(22.0));
    least.improve(30.0);
    assert_eq!(least.value(), Some(22.0));
    least.forget();
    assert_eq!((least.value(), least.age), (None, age));
}

#[test]
fn the_pace_says_when_and_forgets_what_was_not_used() {
    let begin = Instant::now();
    let mut pace = Pace::new(begin);
    pace.spend(2700);
    // Up to the first byte: a microsecond at a million bytes a second.
    assert_eq!(
        pace.check(begin, 1_000_000),
        Err(begin + Duration::from_micros(1))
    );
    pace.spend(999);
    assert_eq!(pace.check(begin, 1_000_000), Err(begin + MS));
    assert_eq!(pace.check(begin + MS, 1_000_000), Ok(()));
    // A burst is a millisecond's worth where that is more than two packets.
    let later = begin + Duration::from_secs(1);
    assert_eq!(pace.check(later, 10_000_000), Ok(()));
    pace.spend(10_000);
    assert!(pace.check(later, 10_000_000).is_err());
    // No rate is none at all.
    assert!(pace.check(later, 0).is_err());
}
