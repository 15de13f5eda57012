//! A relay's rooms under people who join, leave and send whatever they like.

mod admission;
mod model;
mod steps;
mod traffic;

use crate::epoch;
use arbitrary::{Arbitrary, Unstructured};
use model::Party;
use steps::Step;

/// After every step: nothing went back to its sender or to another room, everything that came is
/// accounted for, limits hold, and who has left has left no trace.
pub fn room(data: &[u8]) {
    let mut input = Unstructured::new(data);
    let mut party = Party::new(epoch());
    while !input.is_empty() {
        let Ok(step) = Step::arbitrary(&mut input) else {
            break;
        };
        party.take(step);
        party.check();
    }
    party.end();
}
