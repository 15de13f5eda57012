//! Who wants no direct path has none, and everybody is told; and the trap in which a tunnel goes through itself.

use std::net::Ipv4Addr;

use anyhow::{Context, Result, ensure};
use lanparty_lab::{Check, GuestPlan, Guests, Router, Venue, checks, eventually, program};

use crate::{LINUX, RANDOM, SOON, all_join, goes_direct, plan, plays, stays_with_the_relay};

pub(crate) fn gather() -> Result<Guests> {
    Guests::gather(plan(LINUX, &[LINUX]))
}

pub(crate) fn all() -> Vec<Check<Guests>> {
    checks![
        the_host_sees_the_same_way,
        a_player_may_want_none,
        a_host_may_want_none,
    ]
}

fn the_host_sees_the_same_way(guests: &Guests) -> Result<()> {
    guests.players[0].begin_to_join()?;
    goes_direct(guests, 0)?;
    let list = guests.ctl(&["list"])?;
    ensure!(list.contains("direct"), "{list}");
    guests.players[0].leave()?;
    guests.players[0].goes_away()
}

fn a_player_may_want_none(guests: &Guests) -> Result<()> {
    let invite = guests.venue.lab.write("relay-only.txt", &guests.invite)?;
    let mut command = program("lanparty-client")?;
    let words = [
        "--relay-only",
        "--tap",
        "other0",
        "--identity",
        "other.json",
    ];
    command.extend(words.map(str::to_owned));
    command.push(format!("@{invite}"));
    let client = guests.players[0].machine.spawn("relay-only", command)?;
    client.wait_for_line("LAN address", SOON)?;
    let internet = &guests.venue.internet;
    let [home, party] = outside(guests)?;
    internet.count("between", &format!("ip saddr {home} ip daddr {party}"))?;
    internet.count("back", &format!("ip saddr {party} ip daddr {home}"))?;
    let mut list = String::new();
    let told = eventually("the host is told", SOON, || {
        list = guests.ctl(&["list"]).ok()?;
        list.contains("--relay-only").then_some(())
    });
    told.with_context(|| list.clone())?;
    client.interrupt()?;
    for name in ["between", "back"] {
        let count = internet.counted(name)?;
        ensure!(count == 0, "{count} packets showed the player's address");
    }
    Ok(())
}

/// The host's program is started anew.
fn a_host_may_want_none(_guests: &Guests) -> Result<()> {
    let guests = all_join(Guests::gather(GuestPlan {
        gateway: &["--no-door"],
        ..plan(LINUX, &[LINUX])
    })?)?;
    stays_with_the_relay(&guests, 0, &["host_off"])
}

fn outside(guests: &Guests) -> Result<[Ipv4Addr; 2]> {
    let venue = &guests.venue;
    let player = venue.player_routers[0].last().context("no router")?;
    let gateway = venue.gateway_routers.last().context("no router")?;
    Ok([player.outside(), gateway.outside()])
}

/// The gateway's cable to the LAN has no address; the machine has one there by another interface, and offers it as any
/// address of its own. A player reaches that through the tunnel.
fn on_the_lan(gateway: &'static [Router], players: &'static [&'static [Router]]) -> Result<Guests> {
    let plan = plan(gateway, players);
    let venue = Venue::build(plan.venue)?;
    venue.gateway.ip("addr flush dev eth0")?;
    let Venue {
        lab,
        gateway,
        switch,
        ..
    } = &venue;
    lab.cable((gateway, "eth1"), (switch, "gw1"))?;
    switch.ip("link set gw1 master br0")?;
    gateway.ip("addr add 192.168.50.2/24 brd + dev eth1")?;
    // The way to the address by which a program asks the system for its own one towards the internet (RFC 5737).
    gateway.ip("route add 192.0.2.0/24 via 192.168.50.1")?;
    all_join(Guests::gather_at(plan, venue)?)
}

pub(crate) fn with_an_address_on_the_lan() -> Result<Guests> {
    on_the_lan(RANDOM, &[RANDOM])
}

pub(crate) fn with_an_address_on_the_lan_and_a_way_outside() -> Result<Guests> {
    on_the_lan(LINUX, &[LINUX])
}

pub(crate) fn a_tunnel_never_goes_through_itself(guests: &Guests) -> Result<()> {
    stays_with_the_relay(
        guests,
        0,
        &["both_nats", "player_nat", "host_nat", "no_answer"],
    )
}

pub(crate) fn a_tunnel_goes_outside(guests: &Guests) -> Result<()> {
    let [home, party] = outside(guests)?;
    let internet = &guests.venue.internet;
    goes_direct(guests, 0)?;
    internet.count("between", &format!("ip saddr {home} ip daddr {party}"))?;
    plays(&guests.players[0])?;
    let count = internet.counted("between")?;
    ensure!(count >= 3, "{count} packets went outside");
    Ok(())
}
