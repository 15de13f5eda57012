//! A party whose invite names three relays, and what becomes of it when the one where it is dies, freezes, is cut off, or
//! comes and goes: how long a game is without answers, that TCP lives, and that no frame comes twice or late.
//!
//! `LANPARTY_RUNS=20 cargo xtask lab --scenario relays` makes the table of docs/fleet.md; CI has one run of each, or two.

#![allow(
    clippy::disallowed_methods,
    reason = "shell: these tests measure by the clock"
)]

mod faults;
mod guests;
mod table;
mod world;

use std::env;
use std::process::ExitCode;
use std::time::Duration;

use lanparty_lab::{Needs, Suite, checks, run};

use world::Relays;

/// So often each thing happens.
const RUNS: &str = "LANPARTY_RUNS";
/// One of them takes so long at most.
const LONGEST: Duration = Duration::from_secs(120);

fn main() -> ExitCode {
    let needs = Needs::programs(&["dnsmasq", "nft"]);
    let checks = checks![
        faults::the_relay_is_killed,
        faults::the_relay_freezes_for_ten_seconds,
        faults::the_relay_is_cut_off_from_the_gateway,
        faults::the_relay_is_cut_off_from_the_players,
        faults::the_relay_comes_and_goes,
        guests::an_old_invite_beside_new_ones,
    ];
    run(
        &needs,
        [Suite::within(
            LONGEST * runs(2),
            "relays",
            Relays::gather,
            checks,
        )],
    )
}

fn runs(in_ci: u32) -> u32 {
    let said = env::var(RUNS).ok().and_then(|runs| runs.parse().ok());
    said.unwrap_or(in_ci).max(1)
}
