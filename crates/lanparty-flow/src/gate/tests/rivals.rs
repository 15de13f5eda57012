//! The gate's numbers beside somebody who fills queues, one round at a time.

use super::*;
use crate::gate::Round;
use round::*;

#[test]
fn a_queue_that_stays_for_four_rounds_and_a_quarter_second_is_drained() {
    let (mut gate, now) = steady();
    let asked = |gate: &mut Gate, at: u32, queue| gate.is_crowded(now + at * MS, queue);
    for at in [0, 100, 250] {
        assert!(!asked(&mut gate, at, 0.003), "{at}");
    }
    assert!(asked(&mut gate, 250, 0.003));
    // It begins anew when the queue was short once.
    assert!(!asked(&mut gate, 260, 0.0029));
    for at in [300, 400, 500, 549] {
        assert!(!asked(&mut gate, at, 0.003), "{at}");
    }
    assert!(asked(&mut gate, 550, 0.003));
    // Or when it is known to be ours.
    gate.trusts_until = Some(now + 2000 * MS);
    assert!(!asked(&mut gate, 1999, 0.1) && gate.crowd.is_none());
    for at in [2000, 2100, 2200] {
        assert!(!asked(&mut gate, at, 0.003), "{at}");
    }
    assert!(asked(&mut gate, 2250, 0.003));
}

#[test]
fn somebody_who_was_seen_a_moment_ago_is_seen_sooner() {
    for is_over in [true, false] {
        let (mut gate, now) = steady();
        match is_over {
            true => gate.rivalry.ended = Some(now),
            false => gate.rivalry.drained = Some((now, 0.1)),
        }
        assert!(!gate.is_crowded(now, 0.1));
        assert!(gate.is_crowded(now + 50 * MS, 0.1));
        let later = now + Duration::from_secs(5);
        gate.crowd = None;
        for at in [0, 50, 100] {
            assert!(!gate.is_crowded(later + at * MS, 0.1));
        }
    }
}

#[test]
fn three_tenths_of_what_the_path_can_are_held_for_no_longer_than_a_fifth_of_a_second() {
    let (mut gate, now) = competing();
    assert_near(gate.own_share(), 0.3 * RATE * 0.1);
    gate.rtt = 0.5;
    assert_near(gate.own_share(), 0.3 * RATE * 0.22);
    gate.window = 1000.0;
    let round = full_round(now);
    assert_near(gate.compete(now, 0.4, &round), 0.3 * RATE * 0.22);
}

#[test]
fn competition_grows_by_halves_until_a_loss_and_then_evenly() {
    let (mut gate, now) = competing();
    gate.window = 100_000.0;
    let mut round = full_round(now);
    assert_near(gate.compete(now, 0.08, &round), 150_000.0);
    round.lost = 1350;
    // What is lost in the next round belongs to the same.
    assert_near(gate.compete(now, 0.08, &round), 75_000.0_f64.max(70_000.0));
    gate.best.scale(0.1);
    assert_near(gate.compete(now, 0.08, &round), 102_700.0);
    assert_near(gate.compete(now, 0.08, &round), 70_000.0);
    round.lost = 0;
    assert_near(gate.compete(now, 0.08, &round), 102_700.0);
    // A mark is as good as a loss.
    round.is_marked = true;
    assert_near(gate.compete(now, 0.08, &round), 70_000.0);
    gate.rtt = 0.5;
    assert_near(gate.grow_until_loss(), 100_000.0 + 20.0 * 0.2 * 1350.0);
    gate.window = 8000.0;
    assert_near(gate.grow_until_loss(), 10_000.0);
}

#[test]
fn competition_ends_when_the_queue_was_short_for_some_rounds() {
    let (mut gate, now) = competing();
    let round = full_round(now);
    for _ in 0..5 {
        gate.compete(now, 0.0, &round);
        assert_eq!(gate.mode, Mode::Compete);
    }
    gate.rtt = 0.025;
    gate.window = 200_000.0;
    assert_near(gate.compete(now, 0.001, &round), RATE * 0.024 + 2700.0);
    assert_eq!(gate.mode, Mode::Steady);
    assert_eq!(gate.rivalry.ended, Some(now));
    assert_near(gate.rivalry.window, 200_000.0);
    // A long queue at its beginning takes longer to be forgotten.
    let (mut gate, now) = competing();
    gate.compete(now, 0.08, &round);
    for _ in 0..20 {
        gate.compete(now, 0.0, &round);
        assert_eq!(gate.mode, Mode::Compete);
    }
}

#[test]
fn a_drain_that_finds_no_queue_learns_what_else_takes_time() {
    let (mut gate, now) = steady();
    // One packet takes 0.54 ms.
    gate.rtt = 0.020 + TWO_PACKETS / 2.0 + 0.001;
    assert_near(gate.resume(now, 0.0035, 60_000.0, false), 60_000.0);
    assert_eq!(gate.mode, Mode::Steady);
    assert_near(gate.lateness, 0.000_25);
    assert_eq!(gate.trusts_until, Some(now + Duration::from_secs(2)));
    // A quarter of the difference each time, and not more than 2 ms.
    gate.resume(now, 0.0, 60_000.0, false);
    assert_near(gate.lateness, 0.000_437_5);
    gate.rtt = 0.1;
    gate.resume(now, 0.0, 60_000.0, false);
    assert_near(gate.lateness, 0.75 * 0.000_437_5 + 0.25 * 0.002);
    gate.rtt = 0.0201;
    (gate.lateness, gate.trusts_until) = (0.001, None);
    gate.resume(now, 0.0, 60_000.0, false);
    assert_near(gate.lateness, 0.000_75);
    // After a competition it says that this is over, or that the other has just lost something.
    let (mut gate, now) = competing();
    gate.rtt = 0.021;
    let window = gate.resume(now, 0.001, 60_000.0, true);
    assert_near(window, RATE * 0.020 + 2700.0);
    assert_eq!((gate.mode, gate.trusts_until), (Mode::Steady, None));
    assert_near(gate.lateness, 0.0);
}

#[test]
fn a_queue_after_two_drains_is_somebody_else_s() {
    let (mut gate, now) = steady();
    let queue = 0.003 + TWO_PACKETS / 2.0;
    gate.rtt = 0.1;
    assert_near(gate.resume(now, queue, 20_000.0, false), 20_000.0);
    assert_eq!(gate.mode, Mode::Steady);
    gate.rtt = 0.11;
    let again = now + 4999 * MS;
    assert_near(
        gate.resume(again, queue, 20_000.0, false),
        0.3 * RATE * 0.11,
    );
    assert_eq!(gate.mode, Mode::Compete);
    assert_eq!(gate.next_drain, Some(again + Duration::from_secs(2)));
    // It is doubted less often while the queue is now longer and now shorter.
    gate.rtt = 0.1;
    gate.resume(again, queue, 20_000.0, true);
    assert_eq!(gate.next_drain, Some(again + Duration::from_secs(4)));
    gate.rtt = 0.11;
    gate.resume(again, queue, 20_000.0, true);
    assert_eq!(gate.next_drain, Some(again + Duration::from_secs(4)));
    // After five seconds the first one is forgotten.
    let (mut gate, now) = steady();
    gate.rivalry.drained = Some((now, 0.1));
    gate.resume(now + 5000 * MS, queue, 20_000.0, false);
    assert_eq!(gate.mode, Mode::Steady);
    // A little less than that is none.
    let (mut gate, now) = steady();
    gate.rivalry.drained = Some((now, 0.1));
    gate.resume(now, queue - 1e-6, 20_000.0, false);
    assert_eq!(gate.mode, Mode::Steady);
    assert!(gate.trusts_until.is_some());
}

#[test]
fn a_queue_that_stays_the_same_three_times_is_the_route() {
    let (mut gate, now) = steady();
    gate.mode = Mode::Compete;
    for rtt in [0.060, 0.0619] {
        gate.rtt = rtt;
        gate.resume(now, 0.04, 20_000.0, true);
        assert_eq!(gate.mode, Mode::Compete);
    }
    assert_eq!(gate.next_drain, Some(now + Duration::from_secs(2)));
    // Another time in between, and it begins anew.
    for rtt in [0.0642, 0.0642] {
        gate.rtt = rtt;
        gate.resume(now, 0.04, 20_000.0, true);
        assert_eq!(gate.mode, Mode::Compete);
    }
    assert_near(gate.resume(now, 0.04, 20_000.0, true), 20_000.0);
    assert_eq!(gate.mode, Mode::Steady);
    assert_near(gate.base.value().unwrap(), 0.0642);
}

#[test]
fn a_rival_that_returns_finds_the_window_of_before() {
    for (after, window) in [(4999, 90_000.0), (5000, 75_000.0)] {
        let (mut gate, now) = steady();
        gate.rivalry.window = 90_000.0;
        gate.rivalry.ended = Some(now);
        gate.rivalry.drained = Some((now + after * MS, 0.05));
        gate.rtt = 0.1;
        assert_near(gate.resume(now + after * MS, 0.08, 20_000.0, false), window);
        assert_eq!(gate.mode, Mode::Compete);
    }
}

#[test]
fn a_rival_of_a_moment_ago_is_known_after_one_drain_that_leaves_no_doubt() {
    for (after, queue, mode) in [
        (4999, 0.012, Mode::Compete),
        (4999, 0.011, Mode::Steady),
        (5000, 0.012, Mode::Steady),
    ] {
        let (mut gate, now) = steady();
        gate.rivalry.ended = Some(now);
        gate.rtt = 0.1;
        gate.resume(now + after * MS, queue, 20_000.0, false);
        assert_eq!(gate.mode, mode, "{after} {queue}");
    }
}

#[test]
fn a_round_that_was_not_full_is_judged_in_competition_and_does_not_grow() {
    let (mut gate, now) = competing();
    gate.window = 100_000.0;
    let mut round = Round::new(now);
    assert_near(gate.compete(now, 0.08, &round), 100_000.0);
    round.lost = 1350;
    assert_near(gate.compete(now, 0.08, &round), 75_000.0);
    gate.next_drain = Some(now);
    gate.round = Round::new(now);
    gate.round.shortest = Some(0.1);
    gate.end_round(now + 100 * MS);
    assert!(matches!(gate.mode, Mode::Drain { competes: true, .. }));
}
