//! The gate on a [path under virtual time](world).

mod acks;
mod numbers;
mod rivals;
mod round;

mod world;

use super::*;
use world::{MS, PACKET, World};

#[test]
fn the_queue_stays_near_a_millisecond_and_the_path_busy() {
    for (megabits, rtt, queue) in [
        (20.0, 20, 2),
        (100.0, 10, 2),
        (20.0, 1, 2),
        (5.0, 40, 8),
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
    assert!(world.lost_part() < 0.1, "{}", world.lost_part());
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
        world.gate.on_ack(sent, 150, 20 * MS);
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
fn time_that_goes_back_is_not_paid_for_twice() {
    let begin = Instant::now();
    let (mut pace, mut sent) = (Pace::new(begin), 0u64);
    for micros in (1000..100_000).step_by(50) {
        // Another clock's news are half a millisecond old.
        for age in [0, 500] {
            let now = begin + Duration::from_micros(micros - age);
            while pace.check(now, 2_500_000).is_ok() {
                pace.spend(1350);
                sent += 1350;
            }
        }
    }
    assert!((240_000..260_000).contains(&sent), "{sent}");
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

#[test]
fn a_quarter_is_there_within_ten_seconds_of_a_download() {
    for (ours, theirs) in [(0, 0), (5000, 0), (0, 5000)] {
        for lateness in [0, 1, 4] {
            let mut world = World::new(20.0, 20 * MS);
            world.path.lateness = lateness * MS;
            (world.is_greedy, world.has_rival) = (ours > 0, theirs > 0);
            world.run((ours + theirs) * MS);
            (world.is_greedy, world.has_rival) = (true, true);
            world.run(5000 * MS).run(5000 * MS);
            let (share, lost) = (world.share(), world.lost_part());
            let what = format!("{ours}, {theirs}, {lateness}: {share}, {lost} lost");
            assert!(share > 0.25 && lost < 0.03, "{what}");
            // Twice of what the path and its queue hold.
            let most = 2.0 * world.path.rate * 0.12;
            assert!((world.gate.window() as f64) < most, "{what}");
        }
    }
}

#[test]
fn a_download_that_pauses_is_known_when_it_returns() {
    let mut world = World::new(20.0, 20 * MS);
    world.has_rival = true;
    world.run(20_000 * MS);
    world.has_rival = false;
    world.run(2000 * MS);
    world.has_rival = true;
    world.run(1000 * MS).run(1500 * MS);
    assert!(world.share() > 0.25, "{}", world.share());
}

#[test]
fn a_path_that_is_freed_is_full_within_three_seconds() {
    let mut world = World::new(5.0, 100 * MS);
    world.run(10_000 * MS);
    world.path.rate *= 10.0;
    world.path.limit *= 10.0;
    world.run(3000 * MS).run(2000 * MS);
    assert!(world.share() > 0.95, "{}", world.share());
}

#[test]
fn competition_ends_also_when_our_own_tcp_is_slower_than_the_gate() {
    let mut world = World::new(20.0, 20 * MS);
    world.has_rival = true;
    world.run(20_000 * MS);
    // It fills the queue with 40 ms, and never what the gate allows.
    (world.has_rival, world.inner) = (false, 150_000);
    world.gate.window = 250_000.0;
    assert_eq!(world.gate.mode, Mode::Compete);
    world.run(6000 * MS).run(5000 * MS);
    assert!(world.share() > 0.95, "{}", world.share());
    assert!(world.wait(50) < 3 * MS, "{:?}", world.wait(50));
    // Nor does it last when nobody sends anything but a game.
    world.has_rival = true;
    (world.gate.mode, world.gate.window) = (Mode::Compete, 250_000.0);
    world.run(1000 * MS);
    (world.has_rival, world.is_greedy) = (false, false);
    world.run(6000 * MS);
    assert_eq!(world.gate.mode, Mode::Steady);
}
