//! Addresses, and reaching each other.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lanparty_lab::traffic::{MDNS, multicast_crosses};
use lanparty_lab::{LAN_NAME, Party, Player, Venue, eventually};

use crate::player;

pub(crate) fn the_lease_comes_from_the_lan_and_leaves_default_route_and_dns_alone(
    party: &Party,
) -> Result<()> {
    let player = player(party)?;
    let address = player.address()?;
    let acknowledged = format!("DHCPACK(eth0) {address} 02:1a:00:00:00:01");
    party
        .venue
        .dhcp
        .wait_for_line(&acknowledged, Duration::from_secs(1))?;

    let routes = player.machine.default_routes()?;
    ensure!(
        routes.lines().count() == 2 && !routes.contains(Player::TAP),
        "the default route changed:\n{routes}"
    );
    ensure!(
        player.machine.resolver()? == "nameserver 192.0.2.53\n",
        "the resolver changed"
    );
    ensure!(
        !player
            .machine
            .output(["getent", "hosts", LAN_NAME])?
            .status
            .success(),
        "the LAN's DNS is in use"
    );
    Ok(())
}

pub(crate) fn player_and_lan_ping_each_other(party: &Party) -> Result<()> {
    let player = player(party)?;
    for machine in [Venue::LAN1, Venue::LAN2] {
        player.machine.pings(machine, 56)?;
    }
    party.venue.lan1.pings(player.address()?, 56)?;
    party.venue.lan2.pings(player.address()?, 56)
}

/// 1472 bytes of payload are an IP packet of 1500 bytes that must not be fragmented on its way.
pub(crate) fn a_ping_that_fills_the_lans_frames_is_answered(party: &Party) -> Result<()> {
    let player = player(party)?;
    for size in [0, 18, 1000, 1200, 1300, 1372, 1472] {
        party
            .venue
            .lan1
            .pings(player.address()?, size)
            .with_context(|| format!("{size} bytes from the LAN"))?;
    }
    let own = player.machine.mtu(Player::TAP)? - 28;
    for size in [0, 18, 1000, own] {
        player
            .machine
            .pings(Venue::LAN1, size)
            .with_context(|| format!("{size} bytes from the player"))?;
    }
    Ok(())
}

pub(crate) fn ipv6_link_local_pings_work_both_ways(party: &Party) -> Result<()> {
    let player = player(party)?;
    let far = party
        .venue
        .lan1
        .ipv6_link_local("eth0")
        .context("lan1 has no link-local address")?;
    let near = player
        .machine
        .ipv6_link_local(Player::TAP)
        .context("the TAP has no link-local address")?;
    player
        .machine
        .ping_target(&format!("{far}%{}", Player::TAP), 56)?;
    party.venue.lan1.ping_target(&format!("{near}%eth0"), 1452)
}

pub(crate) fn arp_finds_both_ends(party: &Party) -> Result<()> {
    let player = player(party)?;
    let from_lan = party.venue.lan1.run([
        "arping",
        "-c2",
        "-w3",
        "-I",
        "eth0",
        &player.address()?.to_string(),
    ])?;
    ensure!(from_lan.contains("[02:1A:00:00:00:01]"), "{from_lan}");
    let from_player = player.machine.run([
        "arping",
        "-c2",
        "-w3",
        "-I",
        Player::TAP,
        &Venue::LAN1.to_string(),
    ])?;
    let lan1 = party
        .venue
        .lan1
        .mac("eth0")?
        .map(|byte| format!("{byte:02X}"))
        .join(":");
    ensure!(from_player.contains(&lan1), "{from_player}");
    Ok(())
}

pub(crate) fn service_discovery_multicast_is_heard_both_ways(party: &Party) -> Result<()> {
    let player = player(party)?;
    let (lan, player) = (
        (&party.venue.lan1, Venue::LAN1),
        (&player.machine, player.address()?),
    );
    multicast_crosses(MDNS, lan, player)?;
    multicast_crosses(MDNS, player, lan)
}

pub(crate) fn the_relay_stays_reachable_when_home_and_lan_share_addresses(
    party: &Party,
) -> Result<()> {
    let player = player(party)?;
    // The route of the TAP covers the home router's address too; only a route of its own saves the relay.
    let route = player
        .machine
        .ip_shows(&format!("route get {}", Venue::RELAY))?;
    ensure!(route.contains("dev wan0"), "{route}");
    let ping = || player.machine.ping_on(Player::TAP, Venue::LAN2).ok();
    eventually(
        "the LAN answers through the TAP",
        Duration::from_secs(5),
        ping,
    )?;
    ensure!(
        player.program.is_running() && !player.program.log().contains("not reachable"),
        "the link broke"
    );
    Ok(())
}
