//! What the queue in front of a link costs, in time and allocations (`cargo bench -p lanparty-flow`).
//!
//! An item is one frame of 1304 bytes.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a benchmark owns the clock and may panic"
)]

use divan::counter::ItemsCount;
use divan::{AllocProfiler, Bencher};
use lanparty_flow::queue::{FlowQueue, Person, Turn};
use lanparty_proto::flow::Flow;
use std::hash::RandomState;
use std::time::Instant;

#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

const LEN: usize = 1304;
/// Frames at a time: a super-frame's, and fewer than QUIC is given at once.
const TURN: usize = 40;

fn main() {
    divan::main();
}

/// So many frames of so many flows into the queue and out again.
#[divan::bench(args = [(1, 1), (TURN, 1), (TURN, 8), (TURN, TURN)])]
fn push_and_pop(bencher: Bencher, (frames, flows): (usize, usize)) {
    let mut queue = FlowQueue::new(512 * 1024, RandomState::new());
    let now = Instant::now();
    bencher.counter(ItemsCount::new(frames)).bench_local(|| {
        (0..frames).for_each(|frame| queue.push(now, Person::Crowd, flow(frame % flows), (), LEN));
        while queue.pop(now, Turn::Any).is_some() {}
    });
}

/// A short frame of one of so many flows into a queue that is full of such.
#[divan::bench(args = [1, 100, 1000])]
fn push_into_a_full_queue(bencher: Bencher, flows: usize) {
    let mut queue = FlowQueue::new(512 * 1024, RandomState::new());
    let (now, mut number) = (Instant::now(), 0);
    let mut push = || {
        number = (number + 1) % flows;
        queue.push(now, Person::Crowd, flow(number), (), 68);
    };
    (0..20_000).for_each(|_| push());
    bencher
        .counter(ItemsCount::new(1000usize))
        .bench_local(|| (0..1000).for_each(|_| push()));
}

fn flow(number: usize) -> Flow {
    Flow::Ipv4 {
        addresses: [10, 0, 0, 1, 10, 0, 0, 2],
        protocol: 17,
        ports: [(number >> 8) as u8, number as u8, 0, 1],
    }
}
