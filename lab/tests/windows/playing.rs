//! What a player at Windows can do.

use anyhow::{Context, Result, ensure};
use lanparty_lab::traffic::{teeworlds_server, teeworlds_servers_seen};
use lanparty_lab::{RawSocket, Venue, WindowsPc, eventually};
use std::net::Ipv4Addr;
use std::time::Duration;

use crate::guest::{Guest, SOON};

pub(crate) fn the_lease_comes_from_the_lan_and_leaves_the_default_route_alone(
    guest: &Guest,
) -> Result<()> {
    let address = guest.wait_for_address()?;
    guest
        .party
        .venue
        .dhcp
        .wait_for_line(&format!("DHCPACK(eth0) {address}"), SOON)?;
    let routes = guest.pc.machine().default_routes()?;
    ensure!(
        routes.lines().all(|route| route.contains("dev wan0")),
        "{routes}"
    );
    Ok(())
}

pub(crate) fn a_thousand_pings_of_1400_bytes_are_answered(guest: &Guest) -> Result<()> {
    let target = Venue::LAN1.to_string();
    // Longer than the room's MTU, so each travels in two pieces.
    let ping = "ping -n -q -A -c 1000 -w 300 -s 1400";
    let shown = guest
        .pc
        .machine()
        .run(ping.split(' ').chain([target.as_str()]))?;
    ensure!(
        shown.contains("1000 received") && !shown.contains("duplicates"),
        "{shown}"
    );
    let times = shown.lines().find(|line| line.starts_with("rtt"));
    println!(
        "1000 of 1000 pings of 1400 bytes: {}",
        times.unwrap_or_default()
    );
    Ok(())
}

pub(crate) fn the_lan_reaches_the_player(guest: &Guest) -> Result<()> {
    guest
        .party
        .venue
        .lan1
        .pings(guest.wait_for_address()?, 1472)
}

/// The seeker asks 255.255.255.255, which goes where the interface metric says.
pub(crate) fn a_game_server_on_the_lan_is_found_by_broadcast(guest: &Guest) -> Result<()> {
    let _server = teeworlds_server(&guest.party.venue.lan1, "Teeing")?;
    let seen = teeworlds_servers_seen(guest.pc.machine(), Ipv4Addr::BROADCAST)?;
    let server = (Venue::LAN1, 8303).into();
    ensure!(
        seen.get(&server).is_some_and(|name| name == "Teeing"),
        "{seen:?}"
    );
    Ok(())
}

pub(crate) fn the_network_is_made_private_again_and_the_firewall_follows(
    guest: &Guest,
) -> Result<()> {
    let program = guest.program()?;
    let verdict = "the firewall uses its private profile";
    program.wait_for_line(verdict, SOON)?;
    guest.pc.forget(None);
    guest.pc.make_network_public();
    program.wait_for_line("Repaired: network category", SOON)?;
    // The journal has it already, and a second look finds nothing to do.
    eventually("the firewall is looked at again", SOON, || {
        let calls = guest.pc.calls();
        let repaired = calls.iter().position(|call| call.starts_with("Set"))?;
        let looks = calls[repaired..].iter();
        (looks.filter(|call| call.starts_with("GetFirewall")).count() >= 2).then_some(())
    })?;
    let changes = guest.pc.changes();
    ensure!(
        changes == ["SetNetworkCategory category=1 = 0"],
        "{changes:#?}"
    );
    Ok(())
}

/// A client that waits for Windows carries no frames, and takes itself for one that has slept.
pub(crate) fn frames_do_not_wait_for_windows_answers(guest: &Guest) -> Result<()> {
    let program = guest.program()?;
    let mark = program.mark();
    guest.pc.forget(None);
    guest.pc.delay_networks(Duration::from_secs(1));
    let looked = eventually("the network is looked at twice", SOON, || {
        let calls = guest.pc.calls();
        let looks = calls.iter().filter(|call| call.starts_with("GetFirewall"));
        (looks.count() >= 2).then_some(())
    });
    let heard = guest.pc.machine().ping_on(WindowsPc::TAP, Venue::LAN1);
    guest.pc.delay_networks(Duration::ZERO);
    looked?;
    heard?;
    let log = program.log();
    let mut said = log.lines().skip(mark);
    let lost = said.find(|line| line.contains("Trying again"));
    ensure!(lost.is_none(), "{lost:?}");
    Ok(())
}

pub(crate) fn a_sleep_is_survived(guest: &Guest) -> Result<()> {
    guest.pc.sleep()?;
    guest.pc.wake()?;
    is_back(guest)
}

pub(crate) fn a_restart_of_the_adapter_is_survived(guest: &Guest) -> Result<()> {
    let mark = guest.program()?.mark();
    guest.pc.restart_adapter()?;
    for line in ["The adapter went away", "The adapter is back"] {
        guest.program()?.wait_for_line_after(mark, line, SOON)?;
    }
    is_back(guest)
}

pub(crate) fn a_disabled_adapter_is_waited_for_and_said_so(guest: &Guest) -> Result<()> {
    let program = guest.program()?;
    let mark = program.mark();
    guest.pc.disable_adapter()?;
    program.wait_for_line_after(mark, "adapter for the party is not there", SOON)?;
    guest.pc.enable_adapter()?;
    is_back(guest)?;
    program
        .wait_for_line_after(mark, "Connected to the LAN", SOON)
        .map(drop)
}

/// It would take the player's IPv6 traffic, and answer every name that they look up.
pub(crate) fn a_router_on_the_lan_is_not_heard(guest: &Guest) -> Result<()> {
    let lan1 = &guest.party.venue.lan1;
    lan1.ip("addr add fd12::11/64 dev eth0")?;
    let tap = guest
        .pc
        .machine()
        .enter(|| RawSocket::open(WindowsPc::TAP))?;
    tap.set_timeout(SOON)?;
    let announcing = "dnsmasq --keep-in-foreground --log-facility=- --conf-file=/dev/null --port=0 \
        --user=root --pid-file= --interface=eth0 --enable-ra --dhcp-range=fd12::,ra-only \
        --dhcp-option=option6:dns-server,[fd12::53]";
    let _router = lan1.spawn("ipv6-router", announcing.split_whitespace())?;
    let lan2 = &guest.party.venue.lan2;
    eventually("the LAN has made addresses", SOON, || {
        let shown = lan2.ip_shows("-6 address show dev eth0").ok()?;
        shown.contains("fd12:").then_some(())
    })?;
    let mut frame = [0; 2048];
    // Ethernet, IPv6 without extensions, ICMPv6: a router advertisement.
    while frame[12..14] != [0x86, 0xdd] || frame[54] != 134 {
        tap.receive(&mut frame)
            .context("the player's adapter gets no advertisement")?;
    }
    guest.pc.machine().ping_on(WindowsPc::TAP, Venue::LAN1)?;
    let shown = guest.pc.machine().ip_shows("-6 address show")?;
    ensure!(!shown.contains("fd12:"), "{shown}");
    Ok(())
}

fn is_back(guest: &Guest) -> Result<()> {
    let answered = eventually("the LAN answers again", SOON, || {
        guest.pc.machine().ping_on(WindowsPc::TAP, Venue::LAN1).ok()
    });
    answered.context("after the adapter was away")?;
    ensure!(guest.program()?.is_running(), "the client has ended");
    guest.wait_for_address().map(drop)
}
