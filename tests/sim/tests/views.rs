//! Thousands of halls in which several judge; `lanparty_sim::seeds` says how to play more, or one.

use lanparty_sim::seeds::{SEEDS, play_all};
use lanparty_sim::views::{self, Tally};

const STEPS: usize = 100;

#[test]
fn together_they_let_nothing_through_that_one_who_sees_everything_refuses() {
    let play = |seed, verbose| views::play(seed, STEPS, verbose);
    let Some((seeds, tally)) = play_all("views", play, Tally::add) else {
        return;
    };
    println!("{seeds} halls: {tally:#?}");
    if seeds >= SEEDS {
        everything_happened(&tally);
    }
}

/// The dice are worth something only if they reach every corner.
fn everything_happened(tally: &Tally) {
    for (judge, reasons) in [
        (
            "door",
            &["not_direct", "unknown_unicast_rate", "arp_spoof"][..],
        ),
        (
            "outside",
            &["jumbo", "reserved_multicast", "muted", "broadcast_rate"],
        ),
        (
            "inside",
            &["claimed_address", "lease_conflict", "arp_spoof"],
        ),
        (
            "whole",
            &["claimed_address", "lan_rate", "unwanted", "isolated"],
        ),
    ] {
        for reason in ["Ok", "unauthorized_source_mac", "runt"]
            .iter()
            .chain(reasons)
        {
            let seen = tally.verdicts.contains_key(&(judge, *reason));
            assert!(seen, "{judge} never said {reason}");
        }
    }
    assert!(tally.arrived.iter().all(|&arrived| arrived > 0));
}
