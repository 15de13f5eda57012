//! Several players: everybody is on one LAN, and whoever leaves is gone.

#![allow(
    clippy::disallowed_methods,
    reason = "shell: these tests measure by the clock"
)]

use std::net::{IpAddr, Ipv4Addr};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use lanparty_lab::traffic::{broadcast_reaches_each_once, frames_cross, frames_that_cross};
use lanparty_lab::{
    Addressing, Check, Needs, Party, Player, Role, Suite, Venue, checks, eventually, run,
};
use rustix::process::Signal;

/// A relay that hears nothing gives a peer up after 15 seconds.
const GIVEN_UP: Duration = Duration::from_secs(20);
const SOON: Duration = Duration::from_secs(3);
/// After the last component is back (spec R93).
const WHOLE_AGAIN: Duration = Duration::from_secs(5);
/// One second (spec R92), and what a busy machine takes for starting `ping`.
const MOVED: Duration = Duration::from_secs(2);

fn main() -> ExitCode {
    let needs = Needs::programs(&["dnsmasq", "ping"]);
    let suites = [
        Suite::new(
            "two_players",
            || Party::builder().players(2).start(),
            together(),
        ),
        Suite::new(
            "five_players",
            || {
                Party::builder()
                    .players(5)
                    .log("info,lanparty::frames=trace")
                    .start()
            },
            together(),
        ),
        Suite::new(
            "claims",
            || {
                Party::builder()
                    .players(2)
                    .log("info,lanparty::frames=trace")
                    .start()
            },
            checks![
                the_lan_still_finds_a_player_whose_address_another_claims,
                the_lan_still_finds_its_router_when_a_player_claims_that,
            ],
        ),
        Suite::new(
            "leaving",
            || Party::builder().players(2).start(),
            checks![a_player_who_leaves_is_noticed_at_once],
        ),
        Suite::new(
            "vanishing",
            || Party::builder().players(2).start(),
            checks![a_player_who_vanishes_is_given_up],
        ),
        Suite::new("coming_back", || Ok(()), coming_back()),
    ];
    run(&needs, suites)
}

/// Each has a party of its own.
fn coming_back() -> Vec<Check<()>> {
    checks![
        a_killed_gateway_takes_its_place_back_at_once,
        a_gateway_without_its_interface_leaves_and_comes_back,
        a_player_moves_to_another_network_and_plays_on,
        a_relay_that_does_not_answer_is_found_again,
    ]
}

fn together() -> Vec<Check<Party>> {
    checks![
        every_player_has_an_address_of_its_own,
        players_reach_each_other_and_the_lan,
        a_broadcast_reaches_everybody_once,
    ]
}

fn every_player_has_an_address_of_its_own(party: &Party) -> Result<()> {
    let mut addresses = party
        .players
        .iter()
        .map(Player::address)
        .collect::<Result<Vec<_>>>()?;
    addresses.sort();
    addresses.dedup();
    ensure!(
        addresses.len() == party.players.len(),
        "an address was given twice"
    );
    Ok(())
}

fn players_reach_each_other_and_the_lan(party: &Party) -> Result<()> {
    for player in &party.players {
        player.machine.pings(Venue::LAN1, 56)?;
        party.venue.lan2.pings(player.address()?, 1472)?;
        for other in party
            .players
            .iter()
            .filter(|other| other.mac() != player.mac())
        {
            let ping = player.machine.pings(other.address()?, 1200);
            ping.with_context(|| {
                format!("from {} to {}", player.machine.name(), other.machine.name())
            })?;
        }
    }
    Ok(())
}

fn a_broadcast_reaches_everybody_once(party: &Party) -> Result<()> {
    let players: Vec<_> = party
        .players
        .iter()
        .map(|player| (&player.machine, Player::TAP))
        .collect();
    let lan = [(&party.venue.lan1, "eth0"), (&party.venue.lan2, "eth0")];
    let sources = players
        .iter()
        .zip(party.players.iter().map(Player::mac))
        .map(|(end, mac)| (*end, mac));
    for (from, mac) in sources.chain([(lan[0], party.venue.lan1.mac("eth0")?)]) {
        let others: Vec<_> = players
            .iter()
            .chain(&lan)
            .filter(|to| to.0.name() != from.0.name())
            .copied()
            .collect();
        broadcast_reaches_each_once(from, mac, &others)
            .with_context(|| format!("from {}", from.0.name()))?;
    }
    Ok(())
}

fn the_lan_still_finds_a_player_whose_address_another_claims(party: &Party) -> Result<()> {
    let [alice, _] = pair(party);
    assert_claims_die(party, alice.address()?, alice.mac())
}

fn the_lan_still_finds_its_router_when_a_player_claims_that(party: &Party) -> Result<()> {
    let router = &party.venue.router;
    let address = router.ipv4("eth0").context("the router has an address")?;
    assert_claims_die(party, address, router.mac("eth0")?)
}

/// The second player says in every way that it has this address; the LAN goes on to use the right MAC.
fn assert_claims_die(party: &Party, address: IpAddr, owner: [u8; 6]) -> Result<()> {
    let [_, mallory] = pair(party);
    let lan = &party.venue.lan1;
    lan.pings(address, 56)?;
    let mark = party.relay.mark();
    let claims: Vec<_> = [
        (1, address),
        (2, address),
        (1, Venue::LAN1),
        (2, Venue::LAN1),
    ]
    .map(|(operation, target)| arp(mallory.mac(), operation, address, target))
    .into();
    let (from, to) = ((&mallory.machine, Player::TAP), (lan, "eth0"));
    let crossed = frames_that_cross(from, to, &claims)?;
    ensure!(
        crossed.is_empty(),
        "{} claims reached the LAN",
        crossed.len()
    );
    let reason = "reason=claimed_address";
    party.relay.wait_for_line_after(mark, reason, SOON)?;

    // A question whether the address is free is none.
    let probe = arp(mallory.mac(), 1, Ipv4Addr::UNSPECIFIED.into(), address);
    frames_cross(from, to, &[probe]).context("a probe")?;
    let neighbour = lan.ip_shows(&format!("neigh show {address}"))?;
    ensure!(
        neighbour.contains(&colons(owner)),
        "now it is at {neighbour}"
    );
    lan.pings(address, 56)
}

fn pair(party: &Party) -> [&Player; 2] {
    let [first, second] = &party.players[..] else {
        unreachable!("a party of two")
    };
    [first, second]
}

/// ARP to everybody (RFC 826).
fn arp(sender: [u8; 6], operation: u8, address: IpAddr, target: IpAddr) -> Vec<u8> {
    let octets = |address| match address {
        IpAddr::V4(address) => address.octets(),
        IpAddr::V6(_) => unreachable!("ARP is for IPv4"),
    };
    let mut frame = [
        &[0xff; 6][..],
        &sender,
        &[8, 6, 0, 1, 8, 0, 6, 4, 0, operation],
    ]
    .concat();
    frame.extend(sender);
    frame.extend(octets(address));
    frame.extend([0; 6]);
    frame.extend(octets(target));
    frame.resize(60, 0);
    frame
}

fn a_player_who_leaves_is_noticed_at_once(party: &Party) -> Result<()> {
    let [stays, leaves] = pair(party);
    stays.machine.pings(leaves.address()?, 56)?;
    let status = leaves.program.interrupt()?;
    ensure!(status.success(), "{}", leaves.program.tail(10));
    is_gone_within(SOON, party, leaves)
}

fn a_player_who_vanishes_is_given_up(party: &Party) -> Result<()> {
    let [stays, vanishes] = pair(party);
    stays.machine.pings(vanishes.address()?, 56)?;
    vanishes.program.kill()?;
    ensure!(
        !vanishes.machine.has_interface(Player::TAP),
        "the TAP outlived its program"
    );
    is_gone_within(GIVEN_UP, party, vanishes)?;
    stays.machine.pings(Venue::LAN1, 56)
}

fn a_killed_gateway_takes_its_place_back_at_once((): &()) -> Result<()> {
    let mut party = alone()?;
    party.gateway.kill()?;
    let killed = Instant::now();
    party.start_again(Role::Gateway)?;
    is_whole_within(WHOLE_AGAIN, &party.players[0], killed)?;
    ensure!(
        !party.gateway.log().contains("Trying again"),
        "its own ghost refused it:\n{}",
        party.gateway.log()
    );
    Ok(())
}

fn a_gateway_without_its_interface_leaves_and_comes_back((): &()) -> Result<()> {
    let party = alone()?;
    let (player, gateway) = (&party.players[0], &party.venue.gateway);
    for (breaks, mends, says) in [
        (
            "link set eth0 down",
            "link set eth0 up",
            "Out of the room: eth0 is down",
        ),
        (
            "link set eth0 name gone0",
            "link set gone0 name eth0",
            "Out of the room: there is no interface eth0",
        ),
    ] {
        let before = player.program.mark();
        gateway.ip("link set eth0 down")?;
        gateway.ip(breaks)?;
        party.gateway.wait_for_line(says, SOON)?;
        player
            .program
            .wait_for_line_after(before, "waiting for the LAN gateway", SOON)?;
        gateway.ip(mends)?;
        gateway.ip("link set eth0 up")?;
        let mended = Instant::now();
        is_whole_within(WHOLE_AGAIN, player, mended)?;
    }
    let back = party.gateway.log().matches("eth0 is back").count();
    ensure!(
        back == 2,
        "it came back {back} times:\n{}",
        party.gateway.log()
    );
    Ok(())
}

fn a_player_moves_to_another_network_and_plays_on((): &()) -> Result<()> {
    let party = alone()?;
    let player = &party.players[0];
    player.machine.pings(Venue::LAN1, 56)?;
    party.venue.internet.ip("addr add 10.9.99.254/24 dev r1")?;
    party.venue.internet.ip("addr del 10.9.11.254/24 dev r1")?;
    player.machine.ip("-4 addr flush dev wan0")?;
    player.machine.ip("addr add 10.9.99.1/24 dev wan0")?;
    player.machine.ip("route add default via 10.9.99.254")?;
    let moved = Instant::now();
    is_whole_within(MOVED, player, moved)?;
    let log = player.program.log();
    ensure!(!log.contains("not reachable"), "it lost its link:\n{log}");
    let pins = player.machine.ip_shows("route show proto 76 10.9.1.1")?;
    ensure!(pins.contains("via 10.9.99.254"), "pinned like this: {pins}");
    let times = log.matches("Joined the room").count();
    ensure!(times == 1, "it joined {times} times");
    Ok(())
}

fn a_relay_that_does_not_answer_is_found_again((): &()) -> Result<()> {
    let party = alone()?;
    let player = &party.players[0];
    party.relay.signal(Signal::STOP)?;
    player
        .program
        .wait_for_line("does not answer any more", GIVEN_UP)?;
    party.relay.signal(Signal::CONT)?;
    let mended = Instant::now();
    is_whole_within(WHOLE_AGAIN, player, mended)
}

fn alone() -> Result<Party> {
    Party::builder()
        .players(1)
        .addressing(Addressing::Static)
        .start()
}

fn is_whole_within(limit: Duration, player: &Player, since: Instant) -> Result<()> {
    let ping = || player.machine.ping_on(Player::TAP, Venue::LAN1).ok();
    eventually("the player reaches the LAN", 2 * limit, ping)?;
    let gap = since.elapsed();
    println!("    a gap of {:.1} s", gap.as_secs_f32());
    ensure!(gap <= limit, "it took {gap:?}");
    Ok(())
}

/// The gateway names the player who left; the relay says that somebody did.
fn is_gone_within(deadline: Duration, party: &Party, player: &Player) -> Result<()> {
    let mac = colons(player.mac());
    let says = |line: &str| line.contains(&mac) && line.contains(" left: it ");
    eventually("the gateway says who left", deadline, || {
        party.gateway.log().lines().any(says).then_some(())
    })?;
    party
        .relay
        .wait_for_line("Left reason=", deadline)
        .map(drop)
}

fn colons(mac: [u8; 6]) -> String {
    mac.map(|byte| format!("{byte:02x}")).join(":")
}
