//! Three relays around one directory, and everything that can happen to them; see [`lanparty_sim::fleet`].
//!
//! `LANPARTY_WHOLE=1 cargo test --release -p lanparty-sim --test fleet -- --nocapture` plays a minute of 10,000 players.
//! `LANPARTY_SIM_SEED=4711` plays another seed, and tells what happens; `LANPARTY_SIM_HANDSHAKES=830` is for relays that do so many a
//! second.

#![allow(
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by a panic, and says what it has cost"
)]

use lanparty_sim::fleet::{self, Sabotage, Scale, Tally};
use std::panic::{self, AssertUnwindSafe};
use std::time::Duration;

/// What one core does of them in a second, as `cargo xtask bench handshakes` measured; a relay that carries a third of 10,000
/// players has ten cores, half of which are free. A smaller fleet has slower relays, so that a herd is one there, too.
const HANDSHAKES: usize = 2_200;
const WHOLE: Scale = Scale {
    rooms: 2_000,
    players: 10_000,
    seconds: 60,
    handshakes: HANDSHAKES,
};
/// For builds that are not optimised.
const SMALL: Scale = Scale {
    rooms: 80,
    players: 400,
    seconds: 30,
    handshakes: HANDSHAKES * 400 / 10_000,
};
const SEEDS: u64 = 5;
/// Where something is broken on purpose.
const TINY: Scale = Scale {
    rooms: 12,
    players: 60,
    seconds: 30,
    handshakes: HANDSHAKES * 60 / 10_000,
};

#[test]
fn nobody_is_without_its_party_for_long() {
    let asked = number("LANPARTY_SIM_SEED");
    let is_whole = std::env::var_os("LANPARTY_WHOLE").is_some();
    let mut scale = if is_whole { WHOLE } else { SMALL };
    if let Some(handshakes) = number("LANPARTY_SIM_HANDSHAKES") {
        scale.handshakes = handshakes as usize;
    }
    let seeds = match asked {
        Some(seed) => seed..seed + 1,
        None if is_whole => 0..1,
        None => 0..SEEDS,
    };
    let mut tally = Tally::default();
    for seed in seeds {
        let before = processor_time();
        let played = play(seed, scale, Sabotage::None, is_whole || asked.is_some());
        let played = played
            .unwrap_or_else(|why| panic!("seed {seed} fails, see LANPARTY_SIM_SEED={seed}: {why}"));
        println!(
            "Seed {seed}: {} players in {} rooms at 60 frames/s for {} s of virtual time took {:.1} s of one processor: \
             {} frames, {} handshakes; the longest wait for one took {} ms, the longest without a party {} ms",
            scale.players,
            scale.rooms,
            scale.seconds,
            (processor_time() - before).as_secs_f64(),
            played.frames,
            played.handshakes,
            played.longest_queue,
            played.longest_alone,
        );
        tally.add(played);
    }
    println!("{tally:#?}");
}

#[test]
fn a_relay_that_does_not_fence_itself_is_seen() {
    is_seen(Sabotage::NeverFenced, "has been at two relays");
}

#[test]
fn a_relay_that_keeps_whom_it_has_lost_is_seen() {
    is_seen(Sabotage::KeepsLostRooms, "has had members of a room");
}

#[test]
fn a_gateway_that_hears_a_link_it_has_given_up_is_seen() {
    is_seen(
        Sabotage::HearsOldLinks,
        "by a relay that its gateway has left",
    );
}

#[test]
fn a_directory_that_takes_strangers_for_hosts_is_seen() {
    is_seen(Sabotage::HashesWithoutHost, "a stranger has the claim");
}

/// By the queue, or by who waits in it for too long; and where nobody knocks at once and again, there is neither.
#[test]
fn a_herd_is_seen() {
    let is_of_herd = |why: &String| why.contains("a herd") || why.contains("without its party for");
    let seen = (0..20).find(|&seed| {
        let with = play(seed, TINY, Sabotage::Herd, false);
        with.is_err_and(|why| is_of_herd(&why)) && play(seed, TINY, Sabotage::None, false).is_ok()
    });
    println!("Seed {seen:?} says so");
    assert!(seen.is_some(), "nobody sees a herd");
}

/// One of some seeds fails, in these words.
fn is_seen(sabotage: Sabotage, words: &str) {
    let mut said = Vec::new();
    for seed in 0..20 {
        match play(seed, TINY, sabotage, false) {
            Err(why) if why.contains(words) => return println!("Seed {seed} says: {why}"),
            Err(why) => said.push(why),
            Ok(_) => said.push("all is well".to_owned()),
        }
    }
    panic!("nobody sees {sabotage:?}: {said:#?}");
}

fn play(seed: u64, scale: Scale, sabotage: Sabotage, verbose: bool) -> Result<Tally, String> {
    let play = || fleet::play(seed, scale, sabotage, verbose);
    panic::catch_unwind(AssertUnwindSafe(play)).map_err(|why| match why.downcast::<String>() {
        Ok(why) => *why,
        Err(_) => "something else".to_owned(),
    })
}

fn number(variable: &str) -> Option<u64> {
    let value = std::env::var(variable).ok()?;
    Some(value.parse().expect("a number"))
}

/// What this thread has used of the processors.
fn processor_time() -> Duration {
    // /proc/thread-self/schedstat: nanoseconds on a processor, waiting, and slices (Documentation/scheduler/sched-stats.rst).
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let used = stat
        .split_whitespace()
        .next()
        .and_then(|used| used.parse().ok());
    Duration::from_nanos(used.unwrap_or_default())
}
