//! Direct paths between players and the party, through routers as people have them: who gets one, how soon, what lives
//! through its end, and that it is shown.
//!
//! The relay is 10 ms from everybody, so that a direct path is worth taking; `tests/nat.rs` judges the routers themselves.

#![allow(clippy::disallowed_methods, reason = "tests with real programs")]

mod evening;
mod joins;
mod rounds;
mod table;
mod wishes;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use lanparty_lab::{
    Guest, GuestPlan, Guests, Nat, Needs, Plan, Router, Suite, Venue, WireConditions, checks,
    eventually, run,
};

/// A busy machine's programs get this for what takes a second or two.
const SOON: Duration = Duration::from_secs(30);
/// One way.
const TO_THE_RELAY: Duration = Duration::from_millis(10);
/// A machine may join as often as it likes.
const MANY_JOINS: &[&str] = &["--max-joins", "10000", "--max-joins-per-address", "10000"];

const LINUX: &[Router] = &[Router::new(Nat::Linux)];
const OPEN: &[Router] = &[Router::new(Nat::LinuxOpen)];
const RANDOM: &[Router] = &[Router::new(Nat::Random)];
const CONE: &[Router] = &[Router::new(Nat::FullCone)];

fn main() -> ExitCode {
    let needs = Needs::programs(&["conntrack", "dnsmasq", "nft", "ping"]);
    run(
        &needs,
        [
            Suite::new("ordinary", table::behind_ordinary, table::ordinary()),
            Suite::new("open", table::behind_open, table::open()),
            Suite::new("cone", table::behind_cone, table::cone()),
            Suite::new("symmetric", table::behind_symmetric, table::symmetric()),
            Suite::new("ipv6", table::with_ipv6, table::ipv6()),
            Suite::new("beside", table::behind_one, table::beside()),
            Suite::new("hairpin", table::behind_one_hairpin, table::beside()),
            Suite::new("rounds", rounds::gather, rounds::all()),
            Suite::new("joins", joins::gather, joins::all()),
            Suite::new("evening", evening::begin, evening::all()),
            Suite::new("wishes", wishes::gather, wishes::all()),
            Suite::new(
                "itself",
                wishes::with_an_address_on_the_lan,
                checks![wishes::a_tunnel_never_goes_through_itself],
            ),
            Suite::new(
                "itself_outside",
                wishes::with_an_address_on_the_lan_and_a_way_outside,
                checks![wishes::a_tunnel_goes_outside],
            ),
        ],
    )
}

/// Guests behind these routers; all have begun to join, so that no test waits for what can go on beside another one. The relay
/// has two addresses, from which each finds out what its router does.
fn guests(gateway: &'static [Router], players: &'static [&'static [Router]]) -> Result<Guests> {
    all_join(Guests::gather(GuestPlan {
        relay_name: Some("relay.example"),
        relay_too: true,
        ..plan(gateway, players)
    })?)
}

fn all_join(guests: Guests) -> Result<Guests> {
    for guest in &guests.players {
        guest.begin_to_join()?;
    }
    Ok(guests)
}

fn plan(gateway: &'static [Router], players: &'static [&'static [Router]]) -> GuestPlan {
    GuestPlan {
        venue: Plan {
            remotes: players.len(),
            gateway_routers: gateway,
            player_routers: players,
            relay_path: Some(far()),
            ..Plan::default()
        },
        relay: MANY_JOINS,
        ..GuestPlan::default()
    }
}

fn far() -> WireConditions {
    WireConditions {
        delay: TO_THE_RELAY,
        ..WireConditions::default()
    }
}

/// The player is on the LAN, gets the direct path and uses it.
fn goes_direct(guests: &Guests, player: usize) -> Result<()> {
    let guest = is_in(guests, player)?;
    guest.goes("direct", SOON)?;
    plays(guest)?;
    let way = guest.way()?;
    ensure!(way == "direct", "after three pings the way is `{way}`");
    Ok(())
}

/// The player is told in the end why there is no direct path, and plays by the relay.
fn stays_with_the_relay(guests: &Guests, player: usize, because: &[&str]) -> Result<()> {
    let guest = is_in(guests, player)?;
    guest.shows("a lasting reason", SOON, |snapshot| {
        let why = snapshot["not_direct"]["id"].as_str().unwrap_or_default();
        because.contains(&why)
    })?;
    plays(guest)?;
    let way = guest.way()?;
    ensure!(way == "relay", "the way is `{way}`");
    let snapshot = guest.snapshot()?;
    let sentence = snapshot["not_direct"]["sentence"].as_str();
    ensure!(
        sentence.is_some_and(|sentence| sentence.ends_with('.')),
        "why is not said: {snapshot:#}"
    );
    Ok(())
}

/// Pings are answered, and none of three gets lost, once a busy machine has the time.
fn plays(guest: &Guest) -> Result<()> {
    eventually("three pings in a row are answered", SOON, || {
        guest.machine.pings(Venue::LAN1, 1000).ok()
    })
}

fn is_in(guests: &Guests, player: usize) -> Result<&Guest> {
    let guest = &guests.players[player];
    guest.is_in(Instant::now())?;
    Ok(guest)
}
