//! The table of routers: each kind against each, with what must happen.

use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lanparty_lab::{Check, GuestPlan, Guests, Nat, Plan, Router, checks, eventually, pass};

use crate::{
    CONE, LINUX, OPEN, RANDOM, all_join, goes_direct, guests, plan, plays, stays_with_the_relay,
};

const RELAY: Ipv4Addr = Ipv4Addr::new(10, 9, 1, 1);
const ANOTHER_PORT: &[Router] = &[Router::new(Nat::Port(5000))];
const CARRIER: &[Router] = &[Router::new(Nat::Linux), Router::new(Nat::Linux)];
const SYMMETRIC_CARRIER: &[Router] = &[Router::new(Nat::Linux), Router::new(Nat::Random)];
const RELAY_ALONE: &[Router] = &[Router::new(Nat::Linux).udp_only_to(RELAY)];
const NONE: &[Router] = &[Router::new(Nat::None)];
const FORGETS: &[Router] = &[Router::new(Nat::Linux).forgets_after(8)];
/// Than such a router remembers.
const LONGER: Duration = Duration::from_secs(12);
const SYMMETRIC_IPV6: &[Router] = &[Router::new(Nat::Random).with_ipv6()];
const HAIRPIN: &[Router] = &[Router::new(Nat::Linux).with_hairpin()];

/// A player's first round may begin before it is known what its router does; all three are over then.
const AFTER_ROUNDS: Duration = Duration::from_secs(60);
const PLAYERS_ROUTER: &str = "The player's router gives every destination another port";

pub(crate) fn behind_ordinary() -> Result<Guests> {
    guests(
        LINUX,
        &[
            LINUX,
            OPEN,
            RANDOM,
            CONE,
            ANOTHER_PORT,
            CARRIER,
            SYMMETRIC_CARRIER,
            RELAY_ALONE,
            NONE,
            FORGETS,
        ],
    )
}

pub(crate) fn ordinary() -> Vec<Check<Guests>> {
    checks![
        ordinary_and_ordinary,
        ordinary_and_open,
        ordinary_and_symmetric_never,
        ordinary_and_full_cone,
        ordinary_and_another_port,
        ordinary_and_a_carriers_ordinary,
        ordinary_and_a_carriers_symmetric_never,
        where_udp_goes_to_the_relay_alone_never,
        ordinary_and_a_firewall_without_translation,
        a_router_that_forgets_what_is_silent_for_a_while,
    ]
}

fn ordinary_and_ordinary(guests: &Guests) -> Result<()> {
    goes_direct(guests, 0)
}

fn ordinary_and_open(guests: &Guests) -> Result<()> {
    goes_direct(guests, 1)
}

fn ordinary_and_symmetric_never(guests: &Guests) -> Result<()> {
    stays_with_the_relay(guests, 2, &["player_nat"])?;
    let snapshot = guests.players[2].snapshot()?;
    let sentence = snapshot["not_direct"]["sentence"].as_str();
    let names_router = sentence.is_some_and(|told| told.starts_with("Your router gives every"));
    ensure!(names_router, "{snapshot:#}");
    let mut list = String::new();
    let told = eventually("the host is told whose router it is", AFTER_ROUNDS, || {
        list = guests.ctl(&["list"]).ok()?;
        let is_theirs = |line: &&str| line.contains("player3") && line.contains(PLAYERS_ROUTER);
        list.lines().find(is_theirs).map(drop)
    });
    told.with_context(|| list.clone())
}

fn ordinary_and_full_cone(guests: &Guests) -> Result<()> {
    goes_direct(guests, 3)
}

fn ordinary_and_another_port(guests: &Guests) -> Result<()> {
    goes_direct(guests, 4)
}

fn ordinary_and_a_carriers_ordinary(guests: &Guests) -> Result<()> {
    goes_direct(guests, 5)
}

fn ordinary_and_a_carriers_symmetric_never(guests: &Guests) -> Result<()> {
    stays_with_the_relay(guests, 6, &["player_nat"])
}

fn where_udp_goes_to_the_relay_alone_never(guests: &Guests) -> Result<()> {
    stays_with_the_relay(guests, 7, &["blocked"])
}

fn ordinary_and_a_firewall_without_translation(guests: &Guests) -> Result<()> {
    goes_direct(guests, 8)
}

/// Nobody plays meanwhile: only what keeps the path alive by itself counts.
fn a_router_that_forgets_what_is_silent_for_a_while(guests: &Guests) -> Result<()> {
    goes_direct(guests, 9)?;
    let guest = &guests.players[9];
    pass(LONGER);
    ensure!(guest.way()? == "direct", "{:#}", guest.snapshot()?);
    plays(guest)
}

pub(crate) fn behind_open() -> Result<Guests> {
    guests(OPEN, &[LINUX, OPEN, NONE])
}

/// Who is early takes the other one's port away, where the router itself takes what strangers send.
pub(crate) fn open() -> Vec<Check<Guests>> {
    checks![open_and_ordinary, open_and_open, open_and_a_firewall]
}

fn open_and_ordinary(guests: &Guests) -> Result<()> {
    goes_direct(guests, 0)
}

fn open_and_open(guests: &Guests) -> Result<()> {
    goes_direct(guests, 1)
}

fn open_and_a_firewall(guests: &Guests) -> Result<()> {
    goes_direct(guests, 2)
}

pub(crate) fn behind_cone() -> Result<Guests> {
    guests(CONE, &[LINUX, RANDOM, SYMMETRIC_CARRIER])
}

/// A forwarded port makes up for whatever the player has.
pub(crate) fn cone() -> Vec<Check<Guests>> {
    checks![
        full_cone_and_ordinary,
        full_cone_and_symmetric,
        full_cone_and_a_carriers_symmetric,
    ]
}

fn full_cone_and_ordinary(guests: &Guests) -> Result<()> {
    goes_direct(guests, 0)
}

fn full_cone_and_symmetric(guests: &Guests) -> Result<()> {
    goes_direct(guests, 1)
}

fn full_cone_and_a_carriers_symmetric(guests: &Guests) -> Result<()> {
    goes_direct(guests, 2)
}

pub(crate) fn behind_symmetric() -> Result<Guests> {
    guests(RANDOM, &[LINUX, RANDOM, CONE])
}

pub(crate) fn symmetric() -> Vec<Check<Guests>> {
    checks![
        symmetric_and_ordinary_never,
        symmetric_and_symmetric_never,
        symmetric_and_full_cone,
    ]
}

fn symmetric_and_ordinary_never(guests: &Guests) -> Result<()> {
    stays_with_the_relay(guests, 0, &["host_nat"])
}

fn symmetric_and_symmetric_never(guests: &Guests) -> Result<()> {
    stays_with_the_relay(guests, 1, &["both_nats"])
}

/// What the gateway sends comes in, and shows the port of which nobody could tell the player before.
fn symmetric_and_full_cone(guests: &Guests) -> Result<()> {
    goes_direct(guests, 2)
}

pub(crate) fn with_ipv6() -> Result<Guests> {
    guests(SYMMETRIC_IPV6, &[SYMMETRIC_IPV6])
}

/// Both have the worst router for IPv4, and IPv6 behind a firewall.
pub(crate) fn ipv6() -> Vec<Check<Guests>> {
    checks![ipv6_needs_no_translation]
}

fn ipv6_needs_no_translation(guests: &Guests) -> Result<()> {
    let [gateway, player] = ["2001:db8:2:1::2", "2001:db8:11:1::2"];
    let internet = &guests.venue.internet;
    goes_direct(guests, 0)?;
    internet.count("ipv6", &format!("ip6 saddr {player} ip6 daddr {gateway}"))?;
    plays(&guests.players[0])?;
    let count = internet.counted("ipv6")?;
    ensure!(count >= 3, "{count} packets went by IPv6");
    Ok(())
}

pub(crate) fn behind_one() -> Result<Guests> {
    behind(LINUX)
}

pub(crate) fn behind_one_hairpin() -> Result<Guests> {
    behind(HAIRPIN)
}

fn behind(router: &'static [Router]) -> Result<Guests> {
    let plan = plan(router, &[]);
    all_join(Guests::gather(GuestPlan {
        venue: Plan {
            remotes: 1,
            beside_gateway: 1,
            ..plan.venue
        },
        ..plan
    })?)
}

pub(crate) fn beside() -> Vec<Check<Guests>> {
    checks![both_behind_one_router]
}

/// By their own addresses, or by what the router forwards to itself, where it does.
fn both_behind_one_router(guests: &Guests) -> Result<()> {
    let internet = &guests.venue.internet;
    goes_direct(guests, 0)?;
    internet.count(
        "outside",
        "meta l4proto udp ip daddr != 10.9.1.1 ip saddr != 10.9.1.1",
    )?;
    plays(&guests.players[0])?;
    let count = internet.counted("outside")?;
    ensure!(count == 0, "{count} packets went out to the internet");
    Ok(())
}
