//! The place of the party before anyone plugs in: the LAN, the internet, and the machines on both.
//!
//! ```text
//!          LAN 192.168.50.0/24                                 internet (a router; one /24 for each machine)
//!
//!   router .1 (DHCP, DNS) ─┐                                                 ┌─ wan0 relay  10.9.1.1
//!   lan1  .11 ─────────────┼─ sw ─ eth0 .2 [ gw ] wan0 10.9.2.1 ─(wire)─ inet┤
//!   lan2  .12 ─────────────┘                                                 └─(wire)─ wan0 r1 10.9.11.1, r2 …
//! ```
//!
//! The wires are there only when the plan gives them conditions, and routers that translate stand between a machine and the
//! internet only when it names them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use anyhow::Result;

use crate::nat::{self, NatRouter, Router};
use crate::suite::World;
use crate::{Lab, Machine, Process, Wire, WireConditions};

/// The directed broadcast address of the LAN.
pub const LAN_BROADCAST: Ipv4Addr = Ipv4Addr::new(192, 168, 50, 255);
/// A name that only the LAN's own DNS server knows; it means `lan1`.
pub const LAN_NAME: &str = "games.party.test";

/// What the venue shall look like.
#[derive(Clone, Copy, Debug, Default)]
pub struct Plan {
    /// Machines far away, for players.
    pub remotes: usize,
    /// What the path between each remote machine and the internet is like.
    pub player_path: Option<WireConditions>,
    /// What the path between the gateway and the internet is like.
    pub gateway_path: Option<WireConditions>,
    /// What the path between the relay and the internet is like.
    pub relay_path: Option<WireConditions>,
    /// The first remote machine's home network has the same addresses as the LAN.
    pub home_overlaps: bool,
    /// The first remote machine has this home.
    pub home: Option<HomePlan>,
    /// The routers between the gateway and the internet, the nearest first.
    pub gateway_routers: &'static [Router],
    /// The same for each remote machine; those behind the last entry have none.
    pub player_routers: &'static [&'static [Router]],
    /// The first so many remote machines are behind the gateway's own router.
    pub beside_gateway: usize,
}

/// A home with a router and a printer on a switch of its own.
#[derive(Clone, Copy, Debug)]
pub struct HomePlan {
    /// The player's machine.
    pub player: Ipv4Addr,
    /// The router, which leads to the internet.
    pub router: Ipv4Addr,
    /// The printer.
    pub printer: Ipv4Addr,
    /// How many bits of these addresses name the network.
    pub prefix_len: u8,
}

/// The machines of a party; removed when dropped.
#[derive(Debug)]
pub struct Venue {
    /// Wires with conditions: the relay's and the gateway's first if they have one, then one for each remote machine.
    pub wires: Vec<Wire>,
    /// dnsmasq on the router.
    pub dhcp: Process,
    /// The LAN's switch: a bridge `br0` with a port named after each machine.
    pub switch: Machine,
    /// The LAN's router: DHCP and DNS.
    pub router: Machine,
    /// A machine on the LAN.
    pub lan1: Machine,
    /// Another machine on the LAN.
    pub lan2: Machine,
    /// The machine with `eth0` on the LAN and `wan0` on the internet.
    pub gateway: Machine,
    /// The internet: a router that joins every `wan0`.
    pub internet: Machine,
    /// The public server.
    pub relay: Machine,
    /// Machines far away.
    pub remotes: Vec<Machine>,
    /// The routers between the gateway and the internet, the nearest first.
    pub gateway_routers: Vec<NatRouter>,
    /// The same for each remote machine.
    pub player_routers: Vec<Vec<NatRouter>>,
    /// The printer at the first remote machine's home, if the plan has one.
    pub printer: Option<Machine>,
    /// Everything above is in here.
    pub lab: Lab,
}

impl Venue {
    /// The address of `lan1` on the LAN.
    pub const LAN1: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 50, 11));
    /// The address of `lan2` on the LAN.
    pub const LAN2: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 50, 12));
    /// The relay's address on the internet.
    pub const RELAY: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 9, 1, 1));
    /// Another address that it may have there.
    pub const RELAY_TOO: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 9, 1, 2));
    /// The relay's address there for IPv6.
    pub const RELAY_IPV6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfd00, 9, 1, 0, 0, 0, 0, 1));

    /// Makes the machines, lays the cables and starts the DHCP server.
    pub fn build(plan: Plan) -> Result<Self> {
        let lab = Lab::new()?;
        let switch = lab.switch("sw")?;
        let [router, lan1, lan2] = ["router", "lan1", "lan2"].map(|name| lab.machine(name));
        let (router, lan1, lan2, gateway) = (router?, lan1?, lan2?, lab.machine("gw")?);
        for (machine, host) in [(&router, 1), (&gateway, 2), (&lan1, 11), (&lan2, 12)] {
            lab.plug(machine, "eth0", &switch)?;
            machine.ip(&format!("addr add 192.168.50.{host}/24 brd + dev eth0"))?;
        }
        let dhcp = dnsmasq(&router)?;

        let internet = lab.machine("inet")?;
        internet.sysctl("net/ipv4/ip_forward", "1")?;
        internet.sysctl("net/ipv6/conf/all/forwarding", "1")?;
        let mut wires = Vec::new();
        let relay = lab.machine("relay")?;
        let (place, path) = (Home::number(1), plan.relay_path);
        wires.extend(connect(&lab, &relay, &internet, &place, path)?);
        let gateway_routers = if plan.gateway_routers.is_empty() {
            let (home, path) = (Home::number(2), plan.gateway_path);
            wires.extend(connect(&lab, &gateway, &internet, &home, path)?);
            Vec::new()
        } else {
            let (routers, path) = (plan.gateway_routers, plan.gateway_path);
            let (wire, routers) = nat::connect(&lab, &gateway, &internet, 2, routers, path)?;
            wires.extend(wire);
            routers
        };
        let (mut remotes, mut printer) = (Vec::new(), None);
        let mut player_routers = Vec::new();
        for number in 1..=plan.remotes {
            let remote = lab.machine(&format!("r{number}"))?;
            let behind = Behind::of(&plan, number, &gateway_routers);
            if let Some((wire, routers)) = behind.connect(&lab, &remote, &internet, number)? {
                wires.extend(wire);
                player_routers.push(routers);
                remotes.push(remote);
                continue;
            }
            player_routers.push(Vec::new());
            if let (Some(home), 1) = (plan.home, number) {
                printer = Some(settle(&lab, &remote, &internet, home)?);
                remotes.push(remote);
                continue;
            }
            let home = if plan.home_overlaps && number == 1 {
                Home::like_the_lan()
            } else {
                Home::number(10 + number)
            };
            wires.extend(connect(&lab, &remote, &internet, &home, plan.player_path)?);
            remotes.push(remote);
        }
        Ok(Self {
            wires,
            dhcp,
            switch,
            router,
            lan1,
            lan2,
            gateway,
            internet,
            relay,
            remotes,
            gateway_routers,
            player_routers,
            printer,
            lab,
        })
    }
}

impl Venue {
    /// One more machine on the internet, at 10.9.`number`.1: not 1, 2, or from 11 on.
    pub fn public_machine(&self, name: &str, number: usize) -> Result<Machine> {
        let (machine, _) = self.public_machine_by(name, number, None)?;
        Ok(machine)
    }

    /// The same with a path like this to it.
    pub fn public_machine_by(
        &self,
        name: &str,
        number: usize,
        path: Option<WireConditions>,
    ) -> Result<(Machine, Option<Wire>)> {
        let machine = self.lab.machine(name)?;
        let place = Home::number(number);
        let wire = connect(&self.lab, &machine, &self.internet, &place, path)?;
        Ok((machine, wire))
    }
}

impl World for Venue {}

/// Where a machine is connected to the internet.
struct Home {
    /// The first three numbers of its IPv4 network.
    ipv4: String,
    /// The machine's last number; the internet's end is 254.
    host: u8,
    /// The first three groups of its IPv6 network.
    ipv6: String,
}

impl Home {
    fn number(number: usize) -> Self {
        Self {
            ipv4: format!("10.9.{number}"),
            host: 1,
            ipv6: format!("fd00:9:{number}"),
        }
    }

    fn like_the_lan() -> Self {
        Self {
            ipv4: "192.168.50".into(),
            host: 77,
            ipv6: "fd00:9:77".into(),
        }
    }
}

/// Gives a machine an interface `wan0`, addresses, and default routes to the internet.
fn connect(
    lab: &Lab,
    machine: &Machine,
    internet: &Machine,
    home: &Home,
    path: Option<WireConditions>,
) -> Result<Option<Wire>> {
    let (near, far) = ((machine, "wan0"), (internet, machine.name()));
    let wire = match path {
        Some(conditions) => Some(Wire::lay(
            lab,
            &format!("wire-{}", machine.name()),
            near,
            far,
            conditions,
        )?),
        None => {
            lab.cable(near, far)?;
            None
        }
    };
    let Home { ipv4, host, ipv6 } = home;
    machine.ip(&format!("addr add {ipv4}.{host}/24 brd + dev wan0"))?;
    machine.ip(&format!("addr add {ipv6}::1/64 dev wan0 nodad"))?;
    internet.ip(&format!(
        "addr add {ipv4}.254/24 brd + dev {}",
        machine.name()
    ))?;
    internet.ip(&format!(
        "addr add {ipv6}::fe/64 dev {} nodad",
        machine.name()
    ))?;
    machine.ip(&format!("route add default via {ipv4}.254"))?;
    machine.ip(&format!("route add default via {ipv6}::fe"))?;
    Ok(wire)
}

/// Which routers are between a player's machine and the internet.
enum Behind<'a> {
    /// The gateway's own, which runs already.
    TheGateways(&'a NatRouter),
    /// These, on a line like this.
    Own(&'static [Router], Option<WireConditions>),
}

impl<'a> Behind<'a> {
    fn of(plan: &Plan, number: usize, gateways: &'a [NatRouter]) -> Self {
        match gateways.first() {
            Some(router) if number <= plan.beside_gateway => Self::TheGateways(router),
            _ => {
                let routers = plan.player_routers.get(number - 1).copied();
                Self::Own(routers.unwrap_or_default(), plan.player_path)
            }
        }
    }

    /// Nothing where there are no routers.
    fn connect(
        self,
        lab: &Lab,
        remote: &Machine,
        internet: &Machine,
        number: usize,
    ) -> Result<Option<(Option<Wire>, Vec<NatRouter>)>> {
        match self {
            Self::TheGateways(router) => {
                nat::plug_in(lab, remote, router, 2 + number as u8)?;
                Ok(Some((None, Vec::new())))
            }
            Self::Own([], _) => Ok(None),
            Self::Own(routers, path) => {
                nat::connect(lab, remote, internet, 10 + number, routers, path).map(Some)
            }
        }
    }
}

/// Gives a machine a home with a printer, and answers with that; the internet's end is the home's router.
fn settle(lab: &Lab, machine: &Machine, internet: &Machine, home: HomePlan) -> Result<Machine> {
    let switch = lab.switch("home")?;
    let printer = lab.machine("printer")?;
    let router = machine.name();
    for (machine, interface, address) in [
        (machine, "wan0", home.player),
        (internet, router, home.router),
        (&printer, "eth0", home.printer),
    ] {
        lab.plug(machine, interface, &switch)?;
        let len = home.prefix_len;
        machine.ip(&format!("addr add {address}/{len} brd + dev {interface}"))?;
    }
    for machine in [machine, &printer] {
        machine.ip(&format!("route add default via {}", home.router))?;
    }
    Ok(printer)
}

/// A home router's DHCP and DNS: it offers itself as default route and resolver.
fn dnsmasq(router: &Machine) -> Result<Process> {
    let name = format!("--address=/{LAN_NAME}/{}", Venue::LAN1);
    let server = router.spawn(
        "dnsmasq",
        [
            "dnsmasq",
            "--keep-in-foreground",
            "--log-facility=-",
            "--log-dhcp",
            "--conf-file=/dev/null",
            "--no-resolv",
            "--no-hosts",
            "--no-ping", // it would wait three seconds before each offer
            "--user=root",
            "--pid-file=",
            "--dhcp-leasefile=dhcp.leases",
            "--dhcp-authoritative",
            "--interface=eth0",
            "--dhcp-range=192.168.50.100,192.168.50.199,255.255.255.0,1h",
            &name,
        ],
    )?;
    server.wait_for_line("started", Duration::from_secs(5))?;
    Ok(server)
}
