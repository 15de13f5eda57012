//! A host who sits down at a box with several interfaces: which has the party's LAN, one gateway for each, and `setup`.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lanparty_lab::{Machine, Needs, Plan, Process, Suite, Venue, World};
use lanparty_lab::{checks, program, run};

const SOON: Duration = Duration::from_secs(20);

fn main() -> ExitCode {
    let needs = Needs::programs(&["dnsmasq", "script"]);
    let interfaces = checks![
        the_lan_is_found_by_its_dhcp_server_and_the_others_are_told_why_not,
        the_servers_gave_no_lease,
        a_second_gateway_on_the_interface_is_refused,
        the_cable_to_the_internet_is_questioned,
        with_two_lans_somebody_must_say_which,
    ];
    run(&needs, [Suite::new("interfaces", Box_::begin, interfaces)])
}

/// A gateway's box: `eth0` has the LAN, `wan0` the internet, where a DHCP server answers too; there is a cable that is out, a member of a
/// bridge, and a macvlan.
struct Box_ {
    host: Process,
    /// The provider's.
    uplink_dhcp: Process,
    venue: Venue,
}

impl World for Box_ {
    fn report(&self) -> String {
        [&self.host, &self.uplink_dhcp]
            .map(|program| program.tail(15))
            .join("\n---\n")
    }
}

/// A DHCP server on a machine's interface.
fn dhcp(machine: &Machine, interface: &str, range: &str) -> Result<Process> {
    let (at, range) = (
        format!("--interface={interface}"),
        format!("--dhcp-range={range}"),
    );
    let leases = format!("--dhcp-leasefile={interface}.leases");
    let server = machine.spawn(
        &format!("dnsmasq-{interface}"),
        [
            "dnsmasq",
            "--keep-in-foreground",
            "--log-facility=-",
            "--log-dhcp",
            "--conf-file=/dev/null",
            "--no-resolv",
            "--no-hosts",
            "--no-ping",
            "--port=0",
            "--user=root",
            "--pid-file=",
            "--dhcp-authoritative",
            "--bind-interfaces",
            &leases,
            &at,
            &range,
        ],
    )?;
    server.wait_for_line("started", SOON)?;
    Ok(server)
}

/// A venue whose gateway has interfaces of every kind.
fn venue(remotes: usize) -> Result<(Venue, Process)> {
    let venue = Venue::build(Plan {
        remotes,
        ..Plan::default()
    })?;
    let gw = &venue.gateway;
    let uplink_dhcp = dhcp(
        &venue.internet,
        "gw",
        "10.9.2.100,10.9.2.199,255.255.255.0,1h",
    )?;
    for command in [
        "link add out0 type veth peer name out1",
        "link set out0 up",
        "link add br9 type bridge",
        "link add mem0 type veth peer name mem1",
        "link set mem0 master br9",
        "link set mem0 up",
        "link set mem1 up",
        "link add mv0 link eth0 type macvlan mode bridge",
        "link set mv0 up",
        "link set mem1 master br9",
    ] {
        gw.ip(command)?;
    }
    Ok((venue, uplink_dhcp))
}

impl Box_ {
    fn begin() -> Result<Self> {
        let (venue, uplink_dhcp) = venue(0)?;
        let mut command = program("lanparty-gateway")?;
        command.extend(["host", "--keys", "keys"].map(Into::into));
        let host = venue.gateway.spawn("host", command)?;
        host.wait_for_line("connected to the relay", SOON)?;
        Ok(Box_ {
            host,
            uplink_dhcp,
            venue,
        })
    }

    /// What a gateway says that does not begin.
    fn refused(&self, flags: &[&str]) -> Result<String> {
        let mut command = program("lanparty-gateway")?;
        command.extend(flags.iter().map(|flag| (*flag).into()));
        let output = self.venue.gateway.output(command)?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(output.status.code() == Some(1), "{}: {said}", output.status);
        Ok(said)
    }
}

fn the_lan_is_found_by_its_dhcp_server_and_the_others_are_told_why_not(world: &Box_) -> Result<()> {
    let said = "The party is at eth0: a DHCP server answers (192.168.50.1).";
    let log = world.host.log();
    ensure!(log.contains(said), "{log}");
    Ok(())
}

fn the_servers_gave_no_lease(world: &Box_) -> Result<()> {
    for server in [&world.venue.dhcp, &world.uplink_dhcp] {
        server.wait_for_line("DHCPOFFER", SOON)?;
        let log = server.log();
        ensure!(
            !log.contains("DHCPREQUEST") && !log.contains("DHCPACK"),
            "{log}"
        );
    }
    Ok(())
}

fn a_second_gateway_on_the_interface_is_refused(world: &Box_) -> Result<()> {
    let says = format!("another gateway (pid {}) runs on eth0", world.host.id());
    for flags in [
        &[
            "host",
            "--interface",
            "eth0",
            "--listen",
            "4433/udp",
            "--keys",
            "other",
        ][..],
        &[
            "--relay",
            "10.9.1.1",
            "--room",
            "OTHER",
            "--interface",
            "eth0",
            "--state",
            "other.json",
        ],
    ] {
        let said = world.refused(flags)?;
        ensure!(said.contains(&says) && said.lines().count() == 1, "{said}");
    }
    ensure!(world.host.is_running(), "{}", world.host.tail(10));
    Ok(())
}

fn the_cable_to_the_internet_is_questioned(world: &Box_) -> Result<()> {
    let mut command = program("lanparty-gateway")?;
    command.extend(
        [
            "host",
            "--interface",
            "wan0",
            "--listen",
            "4434/udp",
            "--keys",
            "third",
        ]
        .map(Into::into),
    );
    let host = world.venue.gateway.spawn("questioned", command)?;
    host.wait_for_line(
        "wan0 has this machine's way to the internet, and eth0 has a cable too",
        SOON,
    )?;
    host.wait_for_line("connected to the relay", SOON)?;
    ensure!(host.interrupt()?.success(), "{}", host.tail(10));
    Ok(())
}

fn with_two_lans_somebody_must_say_which(world: &Box_) -> Result<()> {
    let gw = &world.venue.gateway;
    world
        .venue
        .lab
        .cable((gw, "eth5"), (&world.venue.lan2, "more0"))?;
    world.venue.lan2.ip("addr add 192.168.77.1/24 dev more0")?;
    let _second = dhcp(
        &world.venue.lan2,
        "more0",
        "192.168.77.100,192.168.77.199,255.255.255.0,1h",
    )?;
    let said = world.refused(&["host", "--listen", "4435/udp", "--keys", "fourth"])?;
    for line in [
        "say it with --interface",
        "eth0: a DHCP server answers (192.168.50.1)",
        "eth5: a DHCP server answers (192.168.77.1)",
        "wan0: a DHCP server answers (10.9.2.254); this machine's way to the internet is here",
        "out0: has no carrier",
        "mem0: is a part of br9",
        "mv0: is of the kind macvlan",
    ] {
        ensure!(said.contains(line), "{line} is not in:\n{said}");
    }
    gw.ip("link del eth5").context("the second LAN goes")
}
