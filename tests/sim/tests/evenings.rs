//! Thousands of evenings on which everything breaks; `lanparty_sim::seeds` says how to play more, or one.

use lanparty_sim::evening::{self, Tally, Who};
use lanparty_sim::seeds::{SEEDS, play_all};

const STEPS: usize = 60;

#[test]
fn whoever_lives_is_in_the_room_at_the_end_of_every_evening() {
    let play = |seed, verbose| evening::play(seed, STEPS, verbose);
    let Some((seeds, tally)) = play_all("evenings", play, Tally::add) else {
        return;
    };
    println!("{seeds} evenings: {tally:#?}");
    if seeds >= SEEDS {
        everybody_died_at_every_step(&tally);
    }
}

#[test]
fn however_long_somebody_was_away_the_party_is_whole_in_five_seconds() {
    // Up to when waits are as long as they become.
    const MILLIS: [u64; 17] = [
        200, 500, 1_000, 1_500, 2_000, 2_200, 2_600, 3_000, 3_300, 4_000, 5_000, 6_000, 8_000,
        12_000, 30_000, 60_000, 100_000,
    ];
    for who in [Who::Relay, Who::Gateway, Who::Client] {
        for away in MILLIS {
            for seed in 0..40 {
                println!("{who:?} is away for {away} ms, seed {seed}");
                evening::outage(seed, who, away, false);
            }
        }
    }
}

/// The dice are worth something only if they reach every corner.
fn everybody_died_at_every_step(tally: &Tally) {
    let happened = |event: &str| assert!(tally.events.contains_key(event), "never: {event}");
    for who in ["client", "gateway"] {
        for step in [
            "Waiting, seated: false",
            "Connecting, seated: false",
            "Greeting, seated: false",
            "Greeting, seated: true",
            "Joined, seated: true",
            "Joined, seated: false",
        ] {
            happened(&format!("{who} killed: {step}"));
        }
        for step in ["Off", "Waiting", "Connecting", "Greeting", "Joined"] {
            happened(&format!("relay killed: {who} {step}"));
        }
    }
    for event in [
        "left: Waiting",
        "left: Connecting",
        "left: Greeting",
        "left: Joined",
        "link cut",
        "machine asleep",
        "resumed",
        "overtook an announcement",
        "refused: GatewayPresent",
        "refused: MacInUse",
        "refused: Banned",
        "refused: Locked",
        "host: kick, done",
        "host: ban, done",
        "host: unban, done",
        "host: lock, done",
        "host: isolate, done",
        "host: mute, done",
        "kicked",
        "direct path",
        "direct path broken",
        "direct path ended",
        "direct path shut",
        "direct path misused",
        "frame went straight",
        "frame went straight without a relay",
        "frames go straight",
        "frames go back to the relay",
        "refused at a door",
        "round in vain",
        "met by nobody",
        "no meeting: spent",
    ] {
        happened(event);
    }
}
