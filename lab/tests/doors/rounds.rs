//! What goes out towards addresses that do not answer: little, and not for ever.

use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::{Result, ensure};
use lanparty_lab::{Check, Guests, Nat, Router, checks, eventually, pass};

use crate::{RANDOM, plan, stays_with_the_relay};

/// Of one round (spec R140).
const PACKETS: u64 = 100;
/// Of one meeting that fails again and again; the next one is minutes later.
const ROUNDS: u64 = 3;
/// Behind the last of the rounds there is nothing for so long.
const QUIET: Duration = Duration::from_secs(5);
const RELAY: Ipv4Addr = Ipv4Addr::new(10, 9, 1, 1);
const WHY: &[&str] = &[
    "blocked",
    "both_nats",
    "player_nat",
    "host_nat",
    "no_answer",
];
const RELAY_ALONE: &[Router] = &[Router::new(Nat::Random).udp_only_to(RELAY)];

pub(crate) fn gather() -> Result<Guests> {
    Guests::gather(plan(RANDOM, &[RANDOM, RELAY_ALONE]))
}

pub(crate) fn all() -> Vec<Check<Guests>> {
    checks![few_packets_go_to_addresses_that_do_not_answer_and_then_none]
}

/// Counted where they leave the homes, before a filter drops them.
fn few_packets_go_to_addresses_that_do_not_answer_and_then_none(guests: &Guests) -> Result<()> {
    let leaves = "iifname \"lan0\" meta l4proto udp ip daddr != 10.9.1.1";
    let venue = &guests.venue;
    let homes = venue.player_routers.iter().chain([&venue.gateway_routers]);
    let homes: Vec<_> = homes.map(|routers| &routers[0].machine).collect();
    for home in &homes {
        home.count("strangers", leaves)?;
    }
    for guest in &guests.players {
        guest.begin_to_join()?;
    }
    for player in 0..guests.players.len() {
        stays_with_the_relay(guests, player, WHY)?;
    }
    let mut before = Vec::new();
    eventually("nothing goes out any more", QUIET * 10, || {
        let now: Option<Vec<_>> = homes
            .iter()
            .map(|home| home.counted("strangers").ok())
            .collect();
        let now = now?;
        if now == before && now.iter().all(|&packets| packets > 0) {
            return Some(());
        }
        before = now;
        pass(QUIET);
        None
    })?;
    println!("{before:?} packets went to addresses that do not answer");
    // The gateway, the last of them, has met both players.
    let allowed = [1, 1, 2].map(|meetings| meetings * ROUNDS * PACKETS);
    ensure!(
        before
            .iter()
            .zip(allowed)
            .all(|(&packets, allowed)| packets <= allowed),
        "{before:?} packets"
    );
    Ok(())
}
