//! Everybody reaches the gateway's machine, and it reaches everybody.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lanparty_lab::traffic::{
    MDNS, broadcast_reaches_each_once, copy, frame, frames_that_cross, multicast_crosses,
    openarena_server, openarena_servers_seen, teeworlds_server, teeworlds_servers_seen,
};
use lanparty_lab::{
    Addressing, LAN_BROADCAST, Machine, Party, Player, Process, RawSocket, Venue, World, eventually,
};

use crate::{LEG, SOON, party, player};

/// The address of the gateway's machine on the LAN.
pub(crate) const MACHINE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 50, 2));
const BULK: u64 = 20_000_001;
const EXPERIMENT: u16 = 0x88b6;

pub(crate) fn player_and_machine_ping_each_other(party: &Party) -> Result<()> {
    let (player, machine) = (player(party)?, &party.venue.gateway);
    for size in [0, 56, 1000, 1472] {
        machine
            .pings(player.address()?, size)
            .with_context(|| format!("{size} bytes from the machine"))?;
    }
    let own = player.machine.mtu(Player::TAP)? - 28;
    for size in [0, 56, 1000, own] {
        player
            .machine
            .pings(MACHINE, size)
            .with_context(|| format!("{size} bytes from the player"))?;
    }
    Ok(())
}

pub(crate) fn ipv6_link_local_pings_work_both_ways(party: &Party) -> Result<()> {
    let (player, machine) = (player(party)?, &party.venue.gateway);
    let far = machine
        .ipv6_link_local("eth0")
        .context("no address at eth0")?;
    let near = player
        .machine
        .ipv6_link_local(Player::TAP)
        .context("no address at the TAP")?;
    player
        .machine
        .ping_target(&format!("{far}%{}", Player::TAP), 56)?;
    machine.ping_target(&format!("{near}%eth0"), 1452)
}

/// Long enough for super-frames both ways, which the gateway joins and splits.
pub(crate) fn bytes_arrive_whole_both_ways_and_with_right_checksums(party: &Party) -> Result<()> {
    let (player, machine) = (player(party)?, &party.venue.gateway);
    let wrong = || -> Result<u64> {
        let mut wrong = 0;
        for counter in ["TcpInCsumErrors", "UdpInCsumErrors", "IcmpInCsumErrors"] {
            wrong += machine.counter(counter)? + player.machine.counter(counter)?;
        }
        Ok(wrong)
    };
    let before = wrong()?;
    copy(&player.machine, machine, MACHINE, BULK).context("to the machine")?;
    copy(machine, &player.machine, player.address()?, BULK).context("from the machine")?;
    ensure!(wrong()? == before, "checksums were wrong");
    Ok(())
}

pub(crate) fn the_machine_reaches_the_lan_as_before(party: &Party) -> Result<()> {
    let (lan1, machine) = (&party.venue.lan1, &party.venue.gateway);
    lan1.pings(MACHINE, 1472)?;
    machine.pings(Venue::LAN1, 1472)?;
    copy(lan1, machine, MACHINE, BULK)?;
    copy(machine, lan1, Venue::LAN1, BULK)?;
    player(party)?.machine.pings(Venue::LAN1, 56)
}

pub(crate) fn multicast_is_heard_both_ways(party: &Party) -> Result<()> {
    let player = player(party)?;
    let (machine, player) = (
        (&party.venue.gateway, MACHINE),
        (&player.machine, player.address()?),
    );
    multicast_crosses(MDNS, machine, player)?;
    multicast_crosses(MDNS, player, machine)
}

pub(crate) fn a_broadcast_arrives_once_with_everybody(party: &Party) -> Result<()> {
    everybody_hears_everybody_once(party, "eth0")
}

/// Each of player, LAN and machine broadcasts, and the others hear it once.
pub(crate) fn everybody_hears_everybody_once(party: &Party, interface: &str) -> Result<()> {
    let (player, venue) = (player(party)?, &party.venue);
    let tap = (&player.machine, Player::TAP);
    let machine = (&venue.gateway, interface);
    let (lan1, lan2) = ((&venue.lan1, "eth0"), (&venue.lan2, "eth0"));
    broadcast_reaches_each_once(tap, player.mac(), &[lan1, lan2, machine])
        .context("from the player")?;
    broadcast_reaches_each_once(lan1, lan1.0.mac("eth0")?, &[tap, lan2, machine])
        .context("from the LAN")?;
    broadcast_reaches_each_once(machine, machine.0.mac(interface)?, &[tap, lan1, lan2])
        .context("from the machine")
}

pub(crate) fn a_player_finds_the_machines_game_servers_and_so_does_the_lan(
    party: &Party,
) -> Result<()> {
    let machine = &party.venue.gateway;
    let _openarena = openarena_server(machine, "Quaking")?;
    let _teeworlds = teeworlds_server(machine, "Teeing")?;
    for seeker in [&player(party)?.machine, &party.venue.lan1] {
        finds(seeker, MACHINE).with_context(|| format!("on {}", seeker.name()))?;
    }
    Ok(())
}

pub(crate) fn the_machine_finds_a_players_game_servers(party: &Party) -> Result<()> {
    let player = player(party)?;
    let _openarena = openarena_server(&player.machine, "Quaking")?;
    let _teeworlds = teeworlds_server(&player.machine, "Teeing")?;
    finds(&party.venue.gateway, player.address()?)
}

fn finds(seeker: &Machine, server: IpAddr) -> Result<()> {
    let seen = openarena_servers_seen(seeker, LAN_BROADCAST)?;
    ensure!(
        seen.contains(&format!("{server}:27960")) && seen.contains("Quaking"),
        "{seen}"
    );
    let seen = teeworlds_servers_seen(seeker, LAN_BROADCAST)?;
    ensure!(
        seen.get(&(server, 8303).into())
            .is_some_and(|name| name == "Teeing"),
        "{seen:?}"
    );
    Ok(())
}

/// The leg is nobody's interface.
pub(crate) fn who_has_said_nothing_has_no_address_there(party: &Party) -> Result<()> {
    let shown = party
        .venue
        .gateway
        .ip_shows(&format!("addr show dev {LEG}"))?;
    ensure!(
        shown.contains("NO-CARRIER") && !shown.contains("inet"),
        "{shown}"
    );
    Ok(())
}

/// A router's or a file server's frames, and those of a VLAN on the same cable, are not the room's.
pub(crate) fn what_the_machine_sends_elsewhere_stays_out_of_the_room(party: &Party) -> Result<()> {
    let (player, machine) = (player(party)?, &party.venue.gateway);
    let own = machine.mac("eth0")?;
    let mut in_a_vlan = frame([0xff; 6], own, EXPERIMENT, 300);
    in_a_vlan.splice(12..12, [0x81, 0, 0, 7]);
    let another = frame([0xff; 6], [0x52, 0x54, 0, 0, 0, 9], EXPERIMENT, 301);
    let (from, to) = ((machine, "eth0"), (&player.machine, Player::TAP));
    let crossed = frames_that_cross(from, to, &[in_a_vlan, another])?;
    ensure!(crossed.is_empty(), "{crossed:x?}");
    Ok(())
}

/// Neither as a drop, nor as a machine of the LAN's with a player's MAC, nor as a loop.
pub(crate) fn what_the_leg_brings_in_is_not_heard_again(party: &Party) -> Result<()> {
    const SHOUTS: u64 = 20;
    let (player, machine) = (player(party)?, &party.venue.gateway);
    let stats = || -> Option<serde_json::Value> {
        let stats = machine.ctl("lanparty-gateway", &["stats"]).ok()?;
        serde_json::from_str(&stats).ok()
    };
    let before = eventually("there are numbers", SOON, stats)?;
    let tap = player.machine.enter(|| RawSocket::open(Player::TAP))?;
    for number in 0..SHOUTS {
        let length = 300 + usize::try_from(number)?;
        tap.send(&frame([0xff; 6], player.mac(), EXPERIMENT, length))?;
    }
    player.machine.pings(MACHINE, 56)?;
    let count = |stats: &serde_json::Value| stats["group_frames_from_relay"].as_u64();
    let after = eventually("all were carried", SOON, || {
        stats().filter(|now| count(now) >= count(&before).map(|count| count + SHOUTS))
    })?;
    for reason in ["vlan_tagged", "unauthorized_source_mac", "loop"] {
        let [then, now] = [&before, &after].map(|stats| stats["drops"][reason].clone());
        ensure!(then == now, "{reason}: {then}, then {now}");
    }
    ensure!(!party.gateway.log().contains("Loop: "));
    Ok(())
}

/// A party's dnsmasq on the gateway's machine, instead of a router's.
pub(crate) struct OwnServer {
    party: Party,
    server: Process,
}

impl World for OwnServer {
    fn report(&self) -> String {
        format!("{}\n{}", self.server.tail(20), self.party.report())
    }
}

pub(crate) fn with_its_own_dhcp_server() -> Result<OwnServer> {
    let party = party().addressing(Addressing::None).start()?;
    party.venue.dhcp.stop()?;
    let server = party.venue.gateway.spawn(
        "own-dnsmasq",
        [
            "dnsmasq",
            "--keep-in-foreground",
            "--log-facility=-",
            "--log-dhcp",
            "--conf-file=/dev/null",
            "--port=0",
            "--no-ping",
            "--user=root",
            "--pid-file=",
            "--dhcp-leasefile=own.leases",
            "--dhcp-authoritative",
            "--interface=eth0",
            "--dhcp-range=192.168.50.210,192.168.50.219,255.255.255.0,1h",
        ],
    )?;
    server.wait_for_line("started", Duration::from_secs(5))?;
    Ok(OwnServer { party, server })
}

pub(crate) fn players_and_lan_lease_from_the_machine(own: &OwnServer) -> Result<()> {
    let (player, lab) = (player(&own.party)?, &own.party.venue.lab);
    for (machine, interface) in [
        (&player.machine, Player::TAP),
        (&own.party.venue.lan2, "eth0"),
    ] {
        let name = machine.name();
        let leases = lab.write(&format!("{name}.leases"), "")?;
        let pid = format!("{leases}.pid");
        let command = [
            "dhclient",
            "-1",
            "-d",
            "-v",
            "-sf",
            "/bin/true",
            "-lf",
            &leases,
            "-pf",
            &pid,
            interface,
        ];
        let client = machine.spawn("dhclient", command)?;
        let bound = client.wait_for_line("bound to 192.168.50.21", SOON)?;
        let address = bound.split_whitespace().nth(2).context("no address")?;
        own.server
            .wait_for_line(&format!("DHCPACK(eth0) {address}"), SOON)?;
        client.stop()?;
        machine.ip(&format!("addr replace {address}/24 dev {interface}"))?;
    }
    // What has been leased is used.
    let address = player.address()?;
    eventually("the player is reached", SOON, || {
        own.party.venue.gateway.ping_on("eth0", address).ok()
    })
}
