//! A gate in the middle of its work, whose rounds tests end by hand.

use super::*;
use crate::gate::Round;

/// 20 Mbit/s, in bytes a second.
pub(super) const RATE: f64 = 2_500_000.0;
/// What two packets take on it, in seconds.
pub(super) const TWO_PACKETS: f64 = 0.00108;

/// A gate that keeps the queue of a path of [`RATE`] and 20 ms near a millisecond.
pub(super) fn steady() -> (Gate, Instant) {
    let now = Instant::now();
    let mut gate = Gate::new(now, 1350);
    gate.mode = Mode::Steady;
    gate.window = 52_000.0;
    gate.rtt = 0.021;
    gate.base.note(now, 0.020);
    gate.rate.age = Duration::from_secs(1);
    gate.rate.note(now, RATE);
    gate.best.note(now, RATE);
    (gate, now)
}

pub(super) fn competing() -> (Gate, Instant) {
    let (mut gate, now) = steady();
    gate.mode = Mode::Compete;
    gate.rtt = 0.1;
    (gate, now)
}

pub(super) fn full_round(now: Instant) -> Round {
    Round {
        is_limited: true,
        ..Round::new(now)
    }
}

#[track_caller]
pub(super) fn assert_near(value: f64, expected: f64) {
    let difference = (value - expected).abs();
    assert!(
        difference <= 1e-6 * expected.abs(),
        "{value}, not {expected}"
    );
}

/// Ends a round that took so many milliseconds, in which so much arrived.
pub(super) fn end_round(gate: &mut Gate, began: Instant, took: u32, rtt: f64, delivered: u64) {
    gate.round = full_round(began);
    gate.round.shortest = Some(rtt);
    gate.round.delivered = delivered;
    gate.end_round(began + took * MS);
}
