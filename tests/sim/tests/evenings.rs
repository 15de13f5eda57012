//! Ten thousand evenings on which everything breaks; `lanparty_sim::seeds` says how to play more, or one.

use lanparty_sim::evening::{self, Tally};
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
    ] {
        happened(event);
    }
}
