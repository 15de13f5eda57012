//! Small flows first, even shares, short queues.

mod people;

use super::*;
use lanparty_proto::{MacAddr, PeerId};
use std::hash::{BuildHasherDefault, DefaultHasher};

const LIMIT: usize = 100_000;
const FULL: usize = 1514;
/// Whose flows they are is the same where only flows matter.
const ME: Person = Person::Crowd;

fn flow(number: u8) -> Flow {
    Flow::Other {
        addresses: [number; 12],
        kind: [0x88, 0xb5],
    }
}

type Queue = FlowQueue<u32, BuildHasherDefault<DefaultHasher>>;

fn queue(limit: usize) -> Queue {
    FlowQueue::new(limit, BuildHasherDefault::default())
}

fn drain(queue: &mut Queue, now: Instant) -> Vec<u32> {
    std::iter::from_fn(|| queue.pop(now, Turn::Any)).collect()
}

fn bytes(queue: &Queue) -> usize {
    queue.peers.bytes()
}

fn frames(queue: &Queue) -> usize {
    queue.peers.frames()
}

/// True when nothing is left of the people and flows that came until `now`.
fn is_forgetful(queue: &mut Queue, now: Instant) -> bool {
    for pauses in 1..=2 {
        queue.peers.forget_paused(now + pauses * round::PAUSE);
    }
    queue.memory() == 0
}

#[test]
fn a_game_does_not_wait_behind_a_copy() {
    let (mut queue, now) = (queue(LIMIT), Instant::now());
    (0..20).for_each(|frame| queue.push(now, ME, flow(1), frame, FULL));
    let _ = queue.pop(now, Turn::Any);
    queue.push(now, ME, flow(2), 100, 120);
    // At most the frame whose turn had begun is before it.
    let next: Vec<_> = (0..2).filter_map(|_| queue.pop(now, Turn::Any)).collect();
    assert!(next.contains(&100), "{next:?}");
}

#[test]
fn each_flow_stays_in_order_and_nothing_is_lost_below_the_limit() {
    let (mut queue, now) = (queue(LIMIT), Instant::now());
    for frame in 0..60u32 {
        let len = 100 + (frame as usize * 37) % 1400;
        queue.push(now, ME, flow((frame % 3) as u8), frame, len);
    }
    let all = drain(&mut queue, now);
    assert_eq!(all.len(), 60);
    for lane in 0..3 {
        let order: Vec<_> = all.iter().filter(|&frame| frame % 3 == lane).collect();
        assert!(order.is_sorted(), "{order:?}");
    }
    assert!(bytes(&queue) == 0 && is_forgetful(&mut queue, now));
    assert_eq!((queue.stats().without_room(), queue.stats().late()), (0, 0));
}

#[test]
fn two_copies_share_by_bytes_not_by_frames() {
    let (mut queue, now) = (queue(LIMIT), Instant::now());
    (0..20).for_each(|_| queue.push(now, ME, flow(1), 1, FULL));
    (0..60).for_each(|_| queue.push(now, ME, flow(2), 2, 500));
    let served: Vec<_> = (0..40).filter_map(|_| queue.pop(now, Turn::Any)).collect();
    let full = served.iter().filter(|&&of| of == 1).count() * FULL;
    let small = served.iter().filter(|&&of| of == 2).count() * 500;
    assert!(full.abs_diff(small) <= 2 * FULL, "{full} and {small} bytes");
}

#[test]
fn a_full_queue_takes_from_the_longest_flow() {
    let (mut queue, now) = (queue(24_000), Instant::now());
    queue.push(now, ME, flow(2), 100, 120);
    (0..30).for_each(|frame| queue.push(now, ME, flow(1), frame, FULL));
    let drops = queue.stats();
    assert!((15..20).contains(&drops.bulk.full), "{drops:?}");
    assert_eq!(drops.sparse.full, 0);
    let all = drain(&mut queue, now);
    assert!(all.contains(&100));
    assert!(all.contains(&29) && !all.contains(&0), "{all:?}");
}

#[test]
fn a_full_queue_makes_room_for_many_frames_at_once() {
    let (limit, len) = (80_000, 68);
    for flows in [1, 100, 1000] {
        let (mut queue, now) = (queue(limit), Instant::now());
        let mut most = 0;
        let mut push = |frame: u32| {
            let before = queue.stats().without_room();
            queue.push(now, ME, numbered_flow(frame % flows), frame, len);
            assert!(queue.memory() <= limit);
            most = most.max(frames(&queue));
            queue.stats().without_room() - before
        };
        let lost: Vec<_> = (0..10_000)
            .map(&mut push)
            .filter(|&lost| lost > 0)
            .collect();
        // Each look at all flows frees an eighth; so no more looks than that needs.
        let eighth = most / 10;
        let fewest = lost.iter().min().copied().unwrap_or_default();
        assert!(fewest as usize >= eighth, "only {fewest} at once of {most}");
        let looks = (10_000 - most) / eighth + 1;
        assert!((1..=looks).contains(&lost.len()), "{} looks", lost.len());
        assert!(queue.memory() > limit * 3 / 4, "and no more than that");
    }
}

#[test]
fn a_full_queue_takes_from_all_long_flows_alike() {
    let (mut queue, now) = (queue(80_000), Instant::now());
    // Of three copies two are longer than the third and the game.
    for frame in 0..200u32 {
        for (number, each) in [(1, 1), (2, 1), (3, 20), (4, 100)] {
            if frame % each == 0 {
                queue.push(now, ME, flow(number), u32::from(number), FULL);
            }
        }
    }
    let left = drain(&mut queue, now);
    let of = |number| left.iter().filter(|&&of| of == number).count();
    assert!(of(1).abs_diff(of(2)) <= 1, "{} and {}", of(1), of(2));
    assert_eq!((of(3), of(4)), (10, 2));
}

#[test]
fn short_frames_count_with_what_they_take_beside() {
    let (mut queue, now) = (queue(100_000), Instant::now());
    (0..10_000).for_each(|frame| queue.push(now, ME, numbered_flow(frame % 500), frame, 22));
    // An allocation each, and their entries.
    assert!(frames(&queue) * (22 + 32 + size_of::<Waiting<u32>>()) <= 100_000);
    assert!(frames(&queue) > 400, "{}", frames(&queue));
}

#[test]
fn what_nobody_takes_is_gone_after_a_second() {
    let (mut queue, begin) = (queue(LIMIT), Instant::now());
    assert_eq!(queue.poll_timeout(), None);
    (0..100).for_each(|number| queue.push(begin, ME, numbered_flow(number), 0, 60));
    let half = begin + OLDEST / 2;
    (0..50).for_each(|number| queue.push(half, ME, numbered_flow(number), 1, 60));
    assert_eq!(queue.poll_timeout(), Some(begin + OLDEST));
    queue.handle_timeout(half);
    assert_eq!((frames(&queue), queue.stats().late()), (150, 0));

    queue.handle_timeout(begin + OLDEST);
    assert_eq!((frames(&queue), queue.stats().late()), (50, 100));
    assert_eq!(queue.poll_timeout(), Some(half + OLDEST));
    queue.handle_timeout(half + OLDEST);
    assert_eq!(
        (frames(&queue), bytes(&queue), queue.stats().late()),
        (0, 0, 150)
    );
    assert_eq!(queue.poll_timeout(), None, "there is nothing to wait for");
    assert_eq!(queue.memory(), 0, "nor memory for it");

    // It goes on as if nothing had been.
    let back = half + 2 * OLDEST;
    queue.push(back, ME, flow(1), 2, 60);
    assert_eq!(drain(&mut queue, back), [2]);
    assert!(is_forgetful(&mut queue, back));
}

#[test]
fn old_frames_are_looked_for_now_and_then_only() {
    let (mut queue, begin) = (queue(LIMIT), Instant::now());
    let mut looks = 0;
    for millis in 0..4000 {
        let now = begin + Duration::from_millis(millis);
        queue.push(now, ME, flow(1), 0, 60);
        while queue.poll_timeout().is_some_and(|at| at <= now) {
            queue.handle_timeout(now);
            looks += 1;
        }
    }
    assert!((8..=13).contains(&looks), "{looks} looks in four seconds");
}

fn numbered_flow(number: u32) -> Flow {
    let mut addresses = [0; 12];
    addresses[..4].copy_from_slice(&number.to_be_bytes());
    Flow::Other {
        addresses,
        kind: [0x88, 0xb5],
    }
}

#[test]
fn a_standing_queue_loses_frames_and_a_short_burst_does_not() {
    let (mut queue, begin) = (queue(LIMIT), Instant::now());
    let burst: Vec<_> = (0..40).collect();
    burst
        .iter()
        .for_each(|&frame| queue.push(begin, ME, flow(1), frame, FULL));
    assert_eq!(drain(&mut queue, begin + Duration::from_millis(50)), burst);

    // A millisecond's work every millisecond, behind a backlog of 40 ms.
    let at = |millis| begin + Duration::from_secs(1) + Duration::from_millis(millis);
    (0..40).for_each(|frame| queue.push(at(0), ME, flow(1), frame, FULL));
    for millis in 1..2000 {
        queue.push(at(millis), ME, flow(1), 0, FULL);
        let _ = queue.pop(at(millis), Turn::Any);
    }
    let drops = queue.stats();
    assert_eq!((drops.without_room(), drops.sparse.delay), (0, 0));
    assert!((5..60).contains(&drops.bulk.delay), "{drops:?}");
    let waits = WaitWindow::new(1).of_late(queue.waited());
    // The first 40 waited for 50 ms, those behind the backlog at first for nearly as long.
    assert!((40_000..65_000).contains(&waits.max_us), "{waits:?}");
    assert!(waits.frames > 1500, "{waits:?}");
    assert!(
        bytes(&queue) < 10 * FULL,
        "{} bytes still wait",
        bytes(&queue)
    );
}

#[test]
fn what_waited_while_the_link_was_gone_stays_behind() {
    let (mut queue, begin) = (queue(LIMIT), Instant::now());
    queue.push(begin, ME, flow(1), 1, 100);
    queue.push(begin, ME, flow(2), 2, 100);
    let back = begin + Duration::from_millis(1100);
    queue.push(back, ME, flow(2), 3, 100);
    assert_eq!(drain(&mut queue, back), [3]);
    assert_eq!(
        (queue.stats().without_room(), queue.stats().sparse.stale),
        (0, 2)
    );
    assert!(bytes(&queue) == 0 && is_forgetful(&mut queue, back));
}

#[test]
fn endless_new_flows_neither_pile_up_nor_keep_a_copy_waiting() {
    let (mut queue, mut now) = (queue(LIMIT), Instant::now());
    let mut copied = 0;
    for number in 0..40_000u32 {
        queue.push(now, ME, numbered_flow(number), 0, 60);
        queue.push(now, ME, flow(1), 1, FULL);
        // Room for less than comes.
        if number % 2 == 0 {
            copied += queue.pop(now, Turn::Any).unwrap_or_default();
        }
        now += Duration::from_micros(100);
        assert!(queue.memory() <= LIMIT);
    }
    assert!(copied > 2, "{copied} frames of the copy");
}

#[test]
fn many_flows_leave_nothing_behind() {
    let (mut queue, now) = (queue(LIMIT), Instant::now());
    for turn in 0..10u32 {
        (0..200).for_each(|number| queue.push(now, ME, flow(number), turn, 60));
        if turn % 3 == 0 {
            (0..150).for_each(|_| _ = queue.pop(now, Turn::Any));
        }
    }
    drain(&mut queue, now);
    assert!(bytes(&queue) == 0 && is_forgetful(&mut queue, now));
}

#[test]
fn a_closed_gate_stops_copies_and_no_game() {
    let (mut queue, mut now) = (queue(LIMIT), Instant::now());
    (0..20).for_each(|frame| queue.push(now, ME, flow(1), frame, FULL));
    let first: Vec<_> = std::iter::from_fn(|| queue.pop(now, Turn::SmallFlows)).collect();
    assert_eq!(first, [0]); // it might have been a small flow
    for frame in 0..600 {
        now += Duration::from_millis(16);
        queue.push(now, ME, flow(2), 1000 + frame, 120);
        let next = queue.pop(now, Turn::SmallFlows);
        assert_eq!(next, Some(1000 + frame));
        assert_eq!(queue.pop(now, Turn::SmallFlows), None);
    }
}

#[test]
fn a_copy_in_small_pieces_with_pauses_is_a_copy() {
    let (mut queue, now) = (queue(LIMIT), Instant::now());
    (0..20).for_each(|frame| queue.push(now, ME, flow(1), frame, FULL));
    let mut passed = 0;
    for _ in 0..100 {
        queue.push(now, ME, flow(2), 100, 500);
        passed += u32::from(queue.pop(now, Turn::SmallFlows) == Some(100));
    }
    assert_eq!(passed, 4); // a quantum, and the frame with which it ends
}
#[test]
fn a_copy_that_never_waits_long_is_a_copy() {
    let (mut queue, mut now) = (queue(LIMIT), Instant::now());
    let mut passed = 0;
    for _ in 0..1000 {
        now += Duration::from_millis(1);
        queue.push(now, ME, flow(1), 1, FULL);
        passed += u32::from(queue.pop(now, Turn::SmallFlows).is_some());
        drain(&mut queue, now);
    }
    // What small flows may send in a second, a quantum, and the frame with which it ends.
    assert!((20..=24).contains(&passed), "{passed}");
    assert!(is_forgetful(&mut queue, now));
}

#[test]
fn whatever_comes_and_goes_every_frame_is_accounted_for() {
    for seed in 0..40u64 {
        whatever_comes_and_goes(seed);
    }
}

/// A crowd of people and flows, bursts, closed gates, pauses, and links that are gone for a while.
fn whatever_comes_and_goes(seed: u64) {
    let limit = 60_000;
    let mut queue: FlowQueue<(u32, u32), _> =
        FlowQueue::new(limit, BuildHasherDefault::<DefaultHasher>::default());
    let (mut now, mut state) = (Instant::now(), seed + 1);
    let mut random = |below: u32| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u32 % below
    };
    let (mut pushed, mut popped) = (0, 0);
    let mut last = std::collections::HashMap::new();
    for number in 0..20_000 {
        match random(10) {
            0..=4 => {
                let (peer, mac, port) = (random(5) as u16 + 1, random(3), random(300));
                let person = Person::Machine {
                    peer: PeerId::new(peer).unwrap(),
                    mac: MacAddr::new([2, 0, 0, 0, peer as u8, mac as u8]),
                };
                let name = (u32::from(peer) << 16) | (mac << 12) | port;
                let frame = (name, number);
                queue.push(
                    now,
                    person,
                    numbered_flow(name),
                    frame,
                    20 + random(1500) as usize,
                );
                pushed += 1;
            }
            5..=7 => {
                let turn = [Turn::Any, Turn::SmallFlows][random(2) as usize];
                if let Some((name, number)) = queue.pop(now, turn) {
                    popped += 1;
                    let before = last.insert(name, number);
                    assert!(before.is_none_or(|before| before < number), "out of order");
                }
            }
            8 => now += Duration::from_micros(random(3000).into()),
            _ => {
                now += Duration::from_millis(if random(200) == 0 { 1500 } else { 1 });
                if queue.poll_timeout().is_some_and(|at| at <= now) {
                    queue.handle_timeout(now);
                }
            }
        }
        // What a list grows by with its last frame is seen with the next one.
        assert!(queue.memory() <= limit + 2048, "{}", queue.memory());
    }
    popped += std::iter::from_fn(|| queue.pop(now, Turn::Any)).count();
    let stats = queue.stats();
    assert!(queue.is_empty() && stats.bytes == 0);
    assert_eq!(pushed, popped as u64 + stats.without_room() + stats.late());
}
