//! Ten thousand parties.
//!
//! `LANPARTY_SIM_SEEDS=1000000 cargo test -p lanparty-sim` plays more of them;
//! `LANPARTY_SIM_SEED=4711 cargo test -p lanparty-sim -- --nocapture` replays one and tells it step by step.
#![allow(clippy::panic, clippy::unwrap_used, reason = "tests fail by panicking")]

use lanparty_sim::party::{self, Tally};
use std::panic::{self, AssertUnwindSafe};
use std::thread;

const SEEDS: u64 = 10_000;
const STEPS: usize = 100;

#[test]
fn the_relay_agrees_with_the_reference_on_every_step_of_every_party() {
    if let Some(seed) = number("LANPARTY_SIM_SEED") {
        party::play(seed, STEPS, true);
        return;
    }
    let seeds = number("LANPARTY_SIM_SEEDS").unwrap_or(SEEDS);
    let workers = thread::available_parallelism().map_or(1, |n| n.get() as u64);
    let tally = thread::scope(|scope| {
        let play =
            |worker| scope.spawn(move || play_all((worker..seeds).step_by(workers as usize)));
        let played: Vec<_> = (0..workers).map(play).collect();
        let mut tally = Tally::default();
        for worker in played {
            let played = worker.join().expect("the parties agree, see above");
            tally.add(played);
        }
        tally
    });
    println!("{seeds} parties: {tally:#?}");
    if seeds >= SEEDS {
        everything_happened(&tally);
    }
}

fn play_all(seeds: impl Iterator<Item = u64>) -> Tally {
    let mut tally = Tally::default();
    for seed in seeds {
        let played = panic::catch_unwind(AssertUnwindSafe(|| party::play(seed, STEPS, false)));
        match played {
            Ok(played) => tally.add(played),
            Err(_) => panic!(
                "party {seed} fails; replay it with LANPARTY_SIM_SEED={seed} cargo test -p lanparty-sim -- --nocapture"
            ),
        }
    }
    tally
}

/// The dice are worth something only if they reach every corner.
fn everything_happened(tally: &Tally) {
    for reason in [
        "RoomFull",
        "RelayFull",
        "GatewayPresent",
        "MacInUse",
        "RateLimited",
        "Draining",
    ] {
        assert!(
            tally.refused.contains_key(reason),
            "nobody was refused for {reason}"
        );
    }
    for reason in [
        "malformed",
        "forged_header",
        "bad_fragment",
        "runt",
        "jumbo",
        "invalid_source_mac",
        "unauthorized_source_mac",
        "unknown_destination",
        "reserved_multicast",
        "eapol",
        "lldp",
        "slow_protocol",
        "mac_sec",
        "pause",
        "cam_refresh",
        "dhcp_server_reply",
        "router_advertisement",
        "vlan_tagged",
        "arp_spoof",
        "claimed_address",
        "broadcast_rate",
        "unknown_unicast_rate",
        "byte_rate",
        "link_down",
    ] {
        assert!(
            tally.dropped.contains_key(reason),
            "nothing was dropped for {reason}"
        );
    }
    assert!(tally.resumed > 0 && tally.expelled > 0 && tally.pending > 0 && tally.probes > 0);
}

fn number(variable: &str) -> Option<u64> {
    let value = std::env::var(variable).ok()?;
    Some(
        value
            .parse()
            .unwrap_or_else(|_| panic!("{variable} is a number, not `{value}`")),
    )
}
