//! A relay alone, with players that have no adapters: how many it carries, and what each costs.

mod against;
mod curve;
mod handshakes;
mod idle;
mod threads;
mod trial;

use anyhow::Result;

use super::aims::{Aim, Verdicts};
pub(crate) use against::{Then, build};
use trial::Programs;

/// Measures the curve, then what asks for a comparison, and prints tables. `then` is an older relay, or why there is none.
pub(crate) fn run(rounds: u8, then: Result<Then, String>, verdicts: &mut Verdicts) -> Result<()> {
    let ours = Programs::ours()?;
    curve::run(&ours)?;
    let then = match then {
        Ok(then) => Some(then),
        Err(reason) => {
            println!("\nSKIPPED: the comparison with an older relay: {reason}");
            verdicts.leave_out(Aim::RelayFrame, &reason);
            None
        }
    };
    if let Some(then) = &then {
        against::run(rounds, &ours, then, verdicts)?;
    }
    threads::run(rounds, &ours, verdicts)?;
    idle::run(&ours, then.as_ref(), verdicts)
}

/// Measures newcomers alone.
pub(crate) fn handshakes(rounds: u8) -> Result<()> {
    handshakes::run(rounds, &Programs::ours()?)
}
