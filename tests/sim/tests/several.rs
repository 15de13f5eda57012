//! A party with two or three relays in its invite, and everything that can happen to them; see [`lanparty_sim::several`].
//!
//! `LANPARTY_SIM_SEEDS=100000 cargo test --release -p lanparty-sim --test several -- --nocapture` plays more parties;
//! `LANPARTY_SIM_SEED=4711` plays one, and tells what happens.

#![allow(clippy::panic, reason = "a test fails by a panic")]

use lanparty_sim::seeds::play_some;
use lanparty_sim::several::{self, Sabotage, Tally};
use std::panic::{self, AssertUnwindSafe};

/// How many parties are played where nobody asks for another number. Of 1,000, two take longer, 642 and 644: their relay is cut
/// off from the players just after the party has come there, and a gateway stays until it has settled.
const PARTIES: u64 = 600;
/// How many parties may be played until one shows what was broken.
const SEEDS: u64 = 200;
/// Every fault, and every way to meet one: where one of these is never seen, the dice do not reach it.
const REACHED: [&str; 11] = [
    "a relay is killed",
    "a relay stands still",
    "a relay flaps",
    "a relay is cut off from the gateway alone",
    "a relay is cut off from the players alone",
    "a relay is cut off from one player alone",
    "went over",
    "nowhere to go",
    "the others are asked: Party",
    "the others are asked: Players",
    "the others are asked: Ready",
];

#[test]
fn a_party_is_whole_soon_and_at_one_relay() {
    let play = |seed, verbose| several::play(seed, Sabotage::None, verbose);
    let Some((seeds, tally)) = play_some("several", PARTIES, play, Tally::add) else {
        return;
    };
    println!("{seeds} parties: {tally:#?}");
    for reached in REACHED {
        assert!(tally.events.contains_key(reached), "never: {reached}");
    }
}

#[test]
fn a_gateway_that_hears_a_link_it_has_given_up_is_seen() {
    let play = |seed| several::meets_half_a_zombie(seed, Sabotage::HearsOldLinks, false);
    is_seen_by(play, "the gateway has a frame of term");
}

#[test]
fn nobody_goes_back_to_a_zombie() {
    let (mut whole, mut half) = (Tally::default(), Tally::default());
    for seed in 0..40 {
        whole.add(several::meets_a_zombie(seed, Sabotage::None, false));
        half.add(several::meets_half_a_zombie(seed, Sabotage::None, false));
    }
    println!(
        "Without the party at all for {} ms, and for {} ms where the relay wakes when some have left it",
        whole.longest_at_all, half.longest_at_all
    );
}

#[test]
fn a_player_that_goes_back_to_an_earlier_term_is_seen() {
    let play = |seed| several::meets_a_zombie(seed, Sabotage::FollowsAnyTerm, false);
    is_seen_by(play, "and has seen");
}

#[test]
fn a_gateway_that_leaves_its_players_alone_is_seen() {
    is_seen(Sabotage::LeavesPlayersAlone, "is without its party for");
}

#[test]
fn a_player_that_waits_for_its_gateway_is_seen() {
    is_seen(Sabotage::WaitsForGateway, "is without its party for");
}

fn is_seen(sabotage: Sabotage, words: &str) {
    is_seen_by(|seed| several::play(seed, sabotage, false), words);
}

/// One of some seeds fails, in these words.
fn is_seen_by(play: impl Fn(u64) -> Tally, words: &str) {
    let mut said = Vec::new();
    for seed in 0..SEEDS {
        let Err(why) = panic::catch_unwind(AssertUnwindSafe(|| play(seed))) else {
            continue;
        };
        let why = why.downcast_ref::<String>().cloned().unwrap_or_default();
        if why.contains(words) {
            return println!("Seed {seed} says: {why}");
        }
        said.push(why);
    }
    panic!("nobody sees it: {said:#?}");
}
