//! Acknowledgements that were held back say little of the path, and nothing wrong.

use super::*;
use crate::gate::AT_ONCE;

/// What a gate knows of its path, in whole milliseconds.
fn known(world: &World) -> (u128, u128) {
    let state = world.gate.state();
    (state.base.as_millis(), state.queue.as_millis())
}

#[test]
fn a_game_alone_keeps_the_shortest_round_trip() {
    for frames in [Some(7 * MS), Some(17 * MS), Some(500 * MS), None] {
        let mut world = World::of_a_game(20.0, 20 * MS);
        world.receiver.frames = frames;
        for second in 1..180 {
            world.run(1000 * MS);
            let what = format!("{frames:?}, {second} s");
            assert_eq!(known(&world), (20, 0), "{what}");
        }
    }
}

#[test]
fn bulk_after_minutes_of_a_game_finds_the_path_as_it_is() {
    for frames in [Some(17 * MS), None] {
        let mut world = World::of_a_game(20.0, 20 * MS);
        world.receiver.frames = frames;
        world.run(180_000 * MS);
        world.is_greedy = true;
        world.run(2000 * MS);
        assert_eq!(known(&world).0, 20);
        assert!(world.share() > 0.9, "{frames:?}: {}", world.share());
        assert!(
            world.wait(100) < 30 * MS,
            "{frames:?}: {:?}",
            world.wait(100)
        );
    }
}

#[test]
fn the_acknowledgements_of_a_download_are_not_held_up() {
    let mut world = World::new(20.0, 20 * MS);
    // A TCP's, one for each second packet of 20 Mbit/s; with ours about it. What comes back leaves all the time.
    (world.size, world.bulk) = (110, Some(95_000.0));
    world.receiver.frames = Some(MS / 2);
    for second in 0..60 {
        world.run(1000 * MS);
        let rate = world.share() * world.path.rate;
        assert!(rate > 94_000.0, "{second} s: {rate}");
        assert_eq!(known(&world), (20, 0), "{second} s");
    }
    (world.size, world.bulk) = (PACKET, None);
    world.run(2000 * MS);
    assert!(world.share() > 0.9, "{}", world.share());
}

#[test]
fn bulk_that_is_too_little_to_be_acknowledged_at_once_is_not_held_up() {
    // Up to a full packet every 34 ms.
    for rate in [5e3, 20e3, 40e3] {
        let mut world = World::new(20.0, 20 * MS);
        world.bulk = Some(rate);
        for second in 0..60 {
            world.run(1000 * MS);
            assert_eq!(known(&world), (20, 0), "{rate}, {second} s");
        }
        world.bulk = None;
        world.run(2000 * MS);
        assert!(world.share() > 0.9, "{}", world.share());
    }
}

#[test]
fn a_path_so_slow_that_each_packet_is_acknowledged_late_is_busy_with_few() {
    for megabits in [0.2, 0.3, 0.4, 0.6, 1.0] {
        let mut world = World::new(megabits, 40 * MS);
        world.path.limit = 1e6;
        world.run(10_000 * MS).run(30_000 * MS);
        let packet = Duration::from_secs_f64(PACKET as f64 / world.path.rate);
        let (share, wait) = (world.share(), world.wait(50));
        assert!(share > 0.95, "{megabits}: {share}");
        assert!(wait < 4 * packet, "{megabits}: {wait:?}");
    }
}

#[test]
fn packets_that_are_not_quite_full_are_measured_as_well() {
    for size in [1200, 1290] {
        let mut world = World::new(20.0, 20 * MS);
        world.size = size;
        world.run(2000 * MS).run(10_000 * MS);
        assert!(world.share() > 0.95, "{size}: {}", world.share());
        assert!(world.wait(99) < 4 * MS, "{size}: {:?}", world.wait(99));
    }
}

#[test]
fn losses_that_are_seen_late_cost_no_more() {
    let mut world = World::new(20.0, 40 * MS);
    (world.path.loss, world.loss_delay) = (0.01, 25 * MS);
    world.run(3000 * MS).run(20_000 * MS);
    assert!(world.share() > 0.9, "{}", world.share());
    let mut world = World::new(20.0, 20 * MS);
    (world.path.limit, world.loss_delay) = (4200.0, 25 * MS);
    world.run(3000 * MS).run(10_000 * MS);
    // What is lost counts as on the path until it is missed.
    assert!(world.share() > 0.4, "{}", world.share());
    assert!(world.lost_part() < 0.1, "{}", world.lost_part());
}

#[test]
fn a_longer_route_shows_without_bulk_as_well() {
    let mut world = World::of_a_game(20.0, 20 * MS);
    world.run(20_000 * MS);
    world.path.rtt = 60 * MS;
    world.run(15_000 * MS);
    assert_eq!(known(&world), (60, 0));
    world.path.rtt = 10 * MS;
    world.run(3000 * MS);
    assert_eq!(known(&world), (10, 0));
}

#[test]
fn a_queue_of_others_shows_without_bulk_as_well() {
    let mut world = World::of_a_game(20.0, 20 * MS);
    world.run(10_000 * MS);
    for _ in 0..30 {
        world.path.idle_at = world.now + 60 * MS;
        world.run(MS * 10);
    }
    let (base, queue) = known(&world);
    assert!(base == 20 && (30..80).contains(&queue), "{base} {queue}");
}

/// A gate whose path takes 20 ms, and which has just been told of so many bytes after `took`.
fn after(took: u32, bytes: u64, smoothed: u32) -> GateState {
    let begin = Instant::now();
    let mut gate = Gate::new(begin, PACKET as u16);
    for (sent, took, bytes, smoothed) in [(0, 20, AT_ONCE, 20), (100, took, bytes, smoothed)] {
        let sent = begin + sent * MS;
        // A round ends with the first packet that is acknowledged 10 ms after it began.
        for part in [bytes / 2, bytes - bytes / 2] {
            gate.on_sent(part);
            gate.on_ack(sent, part, smoothed * MS);
        }
        gate.on_end_acks(sent + took * MS, 0);
    }
    gate.state()
}

#[test]
fn what_may_have_been_held_back_is_taken_for_what_it_can_be() {
    let ms = |state: GateState| (state.base.as_millis(), state.queue.as_millis());
    // All of it was spent on the path.
    assert_eq!(ms(after(45, AT_ONCE, 20)), (20, 25));
    // Nothing, or a part of it.
    assert_eq!(ms(after(45, AT_ONCE - 1, 20)), (20, 0));
    assert_eq!(ms(after(45, AT_ONCE - 1, 27)), (20, 7));
    // Nobody holds it back for longer.
    assert_eq!(ms(after(55, 150, 20)), (20, 10));
    // It took no longer than it took, whatever was believed.
    assert_eq!(ms(after(23, 150, 100)), (20, 3));
    // Shorter is shorter.
    assert_eq!(ms(after(15, 150, 20)), (15, 0));
    assert_eq!(ms(after(15, 150, 0)), (0, 0));
}
