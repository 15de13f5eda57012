//! A machine whose LAN is a bridge of its own, with virtual machines on it, as Proxmox makes it.

use anyhow::{Context, Result, ensure};
use lanparty_lab::traffic::{copy, openarena_server, openarena_servers_seen};
use lanparty_lab::{
    Check, LAN_BROADCAST, Machine, Party, Venue, World, checks, eventually, program,
};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::OnceLock;

use crate::reach::{MACHINE, everybody_hears_everybody_once};
use crate::{SOON, WITH, party, player};

const BRIDGE: &str = "vmbr0";
const GUEST: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 50, 60));

pub(crate) struct Bridged {
    guest: Machine,
    party: Party,
    before: String,
}

impl World for Bridged {
    fn report(&self) -> String {
        self.party.report()
    }
}

/// What the bridge looked like before the gateway began.
static BEFORE: OnceLock<String> = OnceLock::new();

pub(crate) fn begin() -> Result<Bridged> {
    let party = party().gateway_at(BRIDGE, build).start()?;
    let guest = party.venue.lab.machine("guest")?;
    let (machine, port) = (&party.venue.gateway, "veth100");
    party.venue.lab.cable((&guest, "eth0"), (machine, port))?;
    machine.ip(&format!("link set {port} master {BRIDGE}"))?;
    guest.ip(&format!("addr add {GUEST}/24 brd + dev eth0"))?;
    eventually("the bridge lets the guest in", SOON, || {
        guest.pings(MACHINE, 56).ok()
    })?;
    Ok(Bridged {
        guest,
        party,
        before: BEFORE.get().context("no bridge was made")?.clone(),
    })
}

/// With spanning tree and VLANs switched on, as careful people have it.
fn build(venue: &Venue) -> Result<()> {
    let machine = &venue.gateway;
    let mac = machine.mac("eth0")?.map(|byte| format!("{byte:02x}"));
    machine.ip(&format!(
        "link add {BRIDGE} address {} type bridge stp_state 1 forward_delay 200 mcast_snooping 0",
        mac.join(":")
    ))?;
    machine.ip("addr flush dev eth0")?;
    machine.ip(&format!("link set eth0 master {BRIDGE}"))?;
    machine.ip(&format!("link set {BRIDGE} up"))?;
    machine.ip(&format!("addr add 192.168.50.2/24 brd + dev {BRIDGE}"))?;
    eventually("the bridge forwards", SOON, || {
        machine.pings(Venue::LAN1, 56).ok()
    })?;
    let shown = ports(machine)?;
    BEFORE.get_or_init(|| shown);
    Ok(())
}

/// The bridge, its MAC, and which ports it has.
fn ports(machine: &Machine) -> Result<String> {
    let bridge = machine.ip_shows(&format!("-o link show dev {BRIDGE}"))?;
    Ok(bridge + &machine.run(["bridge", "-o", "link", "show", "dev", "eth0"])?)
}

pub(crate) fn checks() -> Vec<Check<Bridged>> {
    checks![
        player_machine_guest_and_wire_reach_each_other,
        a_broadcast_arrives_once_with_everybody,
        a_player_finds_a_server_on_the_machine,
        the_bridge_has_no_new_port,
        whoever_names_the_nic_is_told_of_the_bridge,
    ]
}

fn player_machine_guest_and_wire_reach_each_other(bridged: &Bridged) -> Result<()> {
    let (player, machine) = (player(&bridged.party)?, &bridged.party.venue.gateway);
    for target in [MACHINE, GUEST, Venue::LAN1] {
        player.machine.pings(target, 56)?;
    }
    for seeker in [machine, &bridged.guest, &bridged.party.venue.lan1] {
        seeker.pings(player.address()?, 56)?;
    }
    bridged.guest.pings(MACHINE, 56)?;
    copy(&player.machine, machine, MACHINE, 5_000_001)?;
    copy(machine, &player.machine, player.address()?, 5_000_001).map(drop)
}

fn a_broadcast_arrives_once_with_everybody(bridged: &Bridged) -> Result<()> {
    everybody_hears_everybody_once(&bridged.party, BRIDGE)
}

fn a_player_finds_a_server_on_the_machine(bridged: &Bridged) -> Result<()> {
    let _server = openarena_server(&bridged.party.venue.gateway, "Quaking")?;
    let seen = openarena_servers_seen(&player(&bridged.party)?.machine, LAN_BROADCAST)?;
    ensure!(seen.contains("192.168.50.2:27960"), "{seen}");
    Ok(())
}

fn the_bridge_has_no_new_port(bridged: &Bridged) -> Result<()> {
    let machine = &bridged.party.venue.gateway;
    let promiscuous = |text: &str| text.replace("PROMISC,", "");
    let (now, before) = (ports(machine)?, &bridged.before);
    ensure!(
        promiscuous(&now) == promiscuous(before),
        "before:\n{before}\nnow:\n{now}"
    );
    let members = machine.run(["bridge", "-o", "link"])?;
    ensure!(members.lines().count() == 2, "{members}");
    Ok(())
}

fn whoever_names_the_nic_is_told_of_the_bridge(bridged: &Bridged) -> Result<()> {
    let mut command = program("lanparty-gateway")?;
    command.extend(["--interface", "eth0", WITH].map(Into::into));
    command.extend(bridged.party.join_flags());
    let gateway = bridged.party.venue.gateway.spawn("nic", command)?;
    let status = gateway.wait(SOON)?;
    let said = gateway.log();
    ensure!(
        status.code() == Some(2) && said.contains("give vmbr0 instead"),
        "{said}"
    );
    Ok(())
}
