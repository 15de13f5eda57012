//! Routers as people have them at home, and as carriers put before them: what they translate, and what they let in.
//!
//! ```text
//!   [ r1 ] wan0 192.168.11.2 ── lan0 .1 [ r1-nat0 ] wan0 203.0.113.18 ── 203.0.113.17 r1 [ inet ]
//!   [ gw ] wan0 192.168.2.2 ─── lan0 .1 [ gw-nat0 ] wan0 203.0.113.2 ─── 203.0.113.1  gw [ inet ]
//! ```
//!
//! A second router stands between the first and the internet; the network between the two is 100.64.N.0/24. Where a router
//! does not translate, what is behind it has an address that the internet knows. `inet` is the router between the two
//! sides: a packet that begins with a TTL of 2 behind one home router ends there.

mod addresses;
mod rules;

use std::net::Ipv4Addr;
use std::path::Path;

use anyhow::{Result, ensure};

use crate::{Lab, Machine, Wire, WireConditions};
use addresses::{Net, Place};
pub use rules::Weather;

/// What a router makes of the addresses of what it forwards, and whom it lets in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nat {
    /// An ordinary Linux router: ports are kept, and answers come in from the address and port that were asked.
    Linux,
    /// The same, but that the router itself takes what comes from strangers, so that a stranger's packet that is early
    /// takes the port away from the machine behind.
    LinuxOpen,
    /// Each destination sees another port ("symmetric").
    Random,
    /// Whatever comes in goes to the first machine behind, as with a forwarded port ("full cone").
    FullCone,
    /// Everybody sees this port for all UDP of the machine behind; answers come in as with `Linux`.
    Port(u16),
    /// No translation; answers come in as with `Linux`.
    None,
    /// No translation and no filter: one more router on the way.
    Hop,
}

/// What a router shall be like.
#[derive(Clone, Copy, Debug)]
pub struct Router {
    nat: Nat,
    hairpin: bool,
    udp_only_to: Option<Ipv4Addr>,
    udp_timeout: Option<u16>,
    ipv6: bool,
}

impl Router {
    /// A router of this kind.
    pub const fn new(nat: Nat) -> Self {
        Self {
            nat,
            hairpin: false,
            udp_only_to: None,
            udp_timeout: None,
            ipv6: false,
        }
    }

    /// Machines behind it reach one another by its own address outside.
    pub const fn with_hairpin(self) -> Self {
        Self {
            hairpin: true,
            ..self
        }
    }

    /// UDP goes to this address alone, as where a network lets one service through.
    pub const fn udp_only_to(self, address: Ipv4Addr) -> Self {
        Self {
            udp_only_to: Some(address),
            ..self
        }
    }

    /// It forgets what has been silent for so many seconds.
    pub const fn forgets_after(self, seconds: u16) -> Self {
        Self {
            udp_timeout: Some(seconds),
            ..self
        }
    }

    /// Behind it is IPv6 as well, without translation.
    pub const fn with_ipv6(self) -> Self {
        Self { ipv6: true, ..self }
    }

    /// What is behind has no address of the internet's.
    const fn translates(&self) -> bool {
        !matches!(self.nat, Nat::None | Nat::Hop)
    }
}

/// A router that runs.
#[derive(Debug)]
pub struct NatRouter {
    /// The machine; `wan0` leads to the internet, `lan0` is the bridge for what is behind.
    pub machine: Machine,
    plan: Router,
    uplink: Net,
    renumbered: bool,
    host: Ipv4Addr,
}

impl NatRouter {
    /// Its address outside.
    pub fn outside(&self) -> Ipv4Addr {
        self.uplink.host(if self.renumbered { 3 } else { 2 })
    }

    /// From now on it is of another kind; what it has translated so far is forgotten.
    pub fn becomes(&mut self, nat: Nat) -> Result<()> {
        self.plan.nat = nat;
        self.load()?;
        self.forget().map(drop)
    }

    /// Forgets every translation of UDP at once, as some do after a fixed time; answers how many there were.
    pub fn forget(&self) -> Result<usize> {
        self.delete_entries(&[])
    }

    /// The same for what goes to one address, or comes from there.
    pub fn forget_about(&self, address: Ipv4Addr) -> Result<usize> {
        let address = address.to_string();
        let sides = ["--orig-dst", "--orig-src"];
        let deleted = sides.map(|side| self.delete_entries(&[side, &address]));
        deleted.into_iter().sum()
    }

    /// The provider gives it another address.
    pub fn renumber(&mut self) -> Result<()> {
        let [before, after] = [2, 3].map(|host| self.uplink.with_len(host));
        self.machine.ip(&format!("addr del {before} dev wan0"))?;
        self.machine.ip(&format!("addr add {after} dev wan0"))?;
        let gate = self.uplink.host(1);
        self.machine.ip(&format!("route add default via {gate}"))?;
        self.renumbered = true;
        self.load()
    }

    /// From now on this becomes of what it forwards.
    pub fn weather(&self, weather: &[Weather]) -> Result<()> {
        self.machine.weather(weather)
    }

    fn load(&self) -> Result<()> {
        let rules = rules::router(&self.plan, self.outside(), self.host);
        self.machine.run(["nft", &rules]).map(drop)
    }

    /// `conntrack` fails where there is nothing to delete.
    fn delete_entries(&self, which: &[&str]) -> Result<usize> {
        let mut command = vec!["conntrack", "-D", "-p", "udp"];
        command.extend(which);
        let output = self.machine.output(command)?;
        let entries = String::from_utf8_lossy(&output.stdout).lines().count();
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(said.contains("flow entries have been deleted"), "{said}");
        Ok(entries)
    }
}

impl Machine {
    /// From now on this becomes of what the machine forwards; nothing, where the list is empty.
    pub fn weather(&self, weather: &[Weather]) -> Result<()> {
        self.run(["nft", &rules::weather(weather)]).map(drop)
    }

    /// Begins to count forwarded packets that a rule of nftables matches; a counter of the same name begins anew.
    pub fn count(&self, name: &str, matching: &str) -> Result<()> {
        let _ = self.output(["nft", "delete", "table", "inet", name])?;
        self.run(["nft", &rules::counter(name, matching)]).map(drop)
    }

    /// How many packets it was so far.
    pub fn counted(&self, name: &str) -> Result<u64> {
        let shown = self.run(["nft", "list", "counter", "inet", name, "seen"])?;
        rules::packets(&shown)
    }
}

/// Connects a machine's new interface `wan0` to the internet through these routers, the nearest first.
pub(crate) fn connect(
    lab: &Lab,
    machine: &Machine,
    internet: &Machine,
    number: usize,
    routers: &[Router],
    path: Option<WireConditions>,
) -> Result<(Option<Wire>, Vec<NatRouter>)> {
    let place = Place::number(number);
    let mut chain = Vec::new();
    for (depth, plan) in routers.iter().enumerate() {
        let inside = place.behind(depth, plan.translates());
        let uplink = match routers.get(depth + 1) {
            Some(next) => place.behind(depth + 1, next.translates()),
            None => place.uplink(),
        };
        let router = begin(lab, &format!("{}-nat{depth}", machine.name()), inside)?;
        chain.push(NatRouter {
            machine: router,
            plan: *plan,
            uplink,
            renumbered: false,
            host: inside.host(2),
        });
    }
    plug_in(lab, machine, &chain[0], 2)?;
    for [near, far] in chain.array_windows() {
        lab.cable((&near.machine, "wan0"), (&far.machine, near.machine.name()))?;
        let far = &far.machine;
        far.ip(&format!("link set {} master lan0", near.machine.name()))?;
    }
    let last = &chain[chain.len() - 1];
    let (near, far) = ((&last.machine, "wan0"), (internet, machine.name()));
    let wire = match path {
        Some(conditions) => {
            let name = format!("wire-{}", machine.name());
            Some(Wire::lay(lab, &name, near, far, conditions)?)
        }
        None => {
            lab.cable(near, far)?;
            None
        }
    };
    let outside = place.uplink().with_len(1);
    internet.ip(&format!("addr add {outside} dev {}", machine.name()))?;
    for router in &chain {
        let (own, gate) = (router.uplink.with_len(2), router.uplink.host(1));
        router.machine.ip(&format!("addr add {own} dev wan0"))?;
        let default = format!("route add default via {gate}");
        router.machine.ip(&default)?;
        router.load()?;
        if let Some(seconds) = router.plan.udp_timeout {
            for name in ["udp_timeout", "udp_timeout_stream"] {
                let path = format!("net/netfilter/nf_conntrack_{name}");
                router.machine.sysctl(&path, &seconds.to_string())?;
            }
        }
    }
    teach_routes(internet, place, &chain)?;
    if chain[0].plan.ipv6 {
        connect_ipv6(machine, internet, place, &chain[0].machine)?;
    }
    Ok((wire, chain))
}

/// Plugs a machine's new interface `wan0` into the bridge of a router that runs.
pub(crate) fn plug_in(lab: &Lab, machine: &Machine, router: &NatRouter, host: u8) -> Result<()> {
    let port = machine.name();
    lab.cable((machine, "wan0"), (&router.machine, port))?;
    router.machine.ip(&format!("link set {port} master lan0"))?;
    let inside = Net::around(router.host, router.plan.translates());
    machine.ip(&format!(
        "addr add {} brd + dev wan0",
        inside.with_len(host)
    ))?;
    let default = format!("route add default via {}", inside.host(1));
    machine.ip(&default)
}

fn begin(lab: &Lab, name: &str, inside: Net) -> Result<Machine> {
    let router = lab.machine(name)?;
    router.sysctl("net/ipv4/ip_forward", "1")?;
    for table in ["ip", "ip6", "arp"] {
        let netfilter = format!("net/bridge/bridge-nf-call-{table}tables");
        if Path::new("/proc/sys").join(&netfilter).exists() {
            router.sysctl(&netfilter, "0")?;
        }
    }
    router.ip("link add lan0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0")?;
    router.ip("link set lan0 up")?;
    router.ip(&format!("addr add {} dev lan0", inside.with_len(1)))?;
    Ok(router)
}

/// What is behind a router that does not translate is known outside, up to the first one that does.
fn teach_routes(internet: &Machine, place: Place, chain: &[NatRouter]) -> Result<()> {
    for (depth, router) in chain.iter().enumerate() {
        if router.plan.translates() {
            continue;
        }
        let inside = place.behind(depth, false);
        for outer in depth..chain.len() {
            let via = chain[outer].uplink.host(2);
            let knows = chain.get(outer + 1);
            let machine = knows.map_or(internet, |router| &router.machine);
            machine.ip(&format!("route add {inside} via {via}"))?;
            if knows.is_some_and(|router| router.plan.translates()) {
                break;
            }
        }
    }
    Ok(())
}

fn connect_ipv6(
    machine: &Machine,
    internet: &Machine,
    place: Place,
    router: &Machine,
) -> Result<()> {
    let (inside, uplink) = place.ipv6();
    router.sysctl("net/ipv6/conf/all/forwarding", "1")?;
    router.ip(&format!("addr add {inside}::1/64 dev lan0 nodad"))?;
    router.ip(&format!("addr add {uplink}::1/64 dev wan0 nodad"))?;
    router.ip(&format!("route add default via {uplink}::fe"))?;
    let port = machine.name();
    internet.ip(&format!("addr add {uplink}::fe/64 dev {port} nodad"))?;
    internet.ip(&format!("route add {inside}::/64 via {uplink}::1"))?;
    machine.ip(&format!("addr add {inside}::2/64 dev wan0 nodad"))?;
    machine.ip(&format!("route add default via {inside}::1"))
}
