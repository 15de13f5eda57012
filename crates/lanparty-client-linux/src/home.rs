//! What this machine has apart from the party: its networks, and who is there, as the kernel knows it.

use crate::route::{PROTOCOL, Route};
use lanparty_client_core::overlap::{Home, HomeNetwork, Prefix, Role, Seat};
use lanparty_proto::{MacAddr, VirtualMac};
use netlink_packet_core::NLM_F_CREATE;
use netlink_packet_route::address::{AddressAttribute, AddressMessage};
use netlink_packet_route::link::{LinkAttribute, LinkFlags, LinkMessage};
use netlink_packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourFlags, NeighbourMessage, NeighbourState,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::{fs, io};

/// Who knows names: as programs are told, and as systemd-resolved was told itself.
const NAME_SERVERS: [&str; 2] = ["/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"];

/// What systemd-resolved was told of each interface, in a file of its number.
const OF_INTERFACES: &str = "/run/systemd/resolve/netif";

/// Hardware with so many addresses answers for others (proxy ARP, RFC 1027), as some routers and access points do for
/// whatever they are asked: that somebody has the address it does not say.
const STANDS_IN: usize = 8;

/// The machine's networks, seen from the adapter.
#[derive(Debug)]
pub(crate) struct Surroundings {
    /// The adapter's addresses.
    pub(crate) seats: Vec<Seat>,
    /// Everything else.
    pub(crate) home: Home,
    /// Who was asked for at home.
    pub(crate) neighbours: Neighbours,
    /// Who knows names for this machine, wherever that is.
    pub(crate) name_servers: BTreeSet<IpAddr>,
}

/// Neighbours on home's interfaces, while home has addresses of the party's.
#[derive(Debug, Default)]
pub(crate) struct Neighbours {
    known: Vec<Neighbour>,
    /// Of the party, as the adapter knows them.
    of_party: Vec<Neighbour>,
    /// Interfaces where one asks by ARP, by name.
    asking: BTreeMap<String, u32>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Neighbour {
    ip: Ipv4Addr,
    device: u32,
    state: NeighbourState,
    mac: Vec<u8>,
}

#[derive(Debug)]
struct Device {
    index: u32,
    name: String,
    asks: bool,
}

impl Surroundings {
    /// What there is now, where the adapter has this hardware address and this machine needs these `name_servers`. Who is
    /// there is looked at only where home has addresses of the party's, or may have the one that the party gives next.
    pub(crate) fn look(
        tap: u32,
        own: VirtualMac,
        name_servers: BTreeSet<IpAddr>,
    ) -> io::Result<Self> {
        let addresses = addresses()?;
        let of_tap = |device: u32| device == tap;
        let seats = addresses.iter().filter(|(device, _)| of_tap(*device));
        let mut surroundings = Surroundings {
            seats: seats.map(|(_, seat)| *seat).collect(),
            home: Home::default(),
            neighbours: Neighbours::default(),
            name_servers,
        };
        let home = &mut surroundings.home;
        for (device, seat) in addresses {
            if !of_tap(device) {
                home.uses(seat.own, Role::Own);
            }
        }
        let mut routes = Route::list_everywhere(Ipv4Addr::UNSPECIFIED.into())?;
        // Pins are nobody's network, but another client's party is.
        let is_pin = |route: &Route| route.protocol == PROTOCOL && route.prefix_len == 32;
        routes.retain(|route| !of_tap(route.device) && !is_pin(route));
        // Always: the party may give one of these next, and nothing would work any more.
        for route in &routes {
            if let Some(IpAddr::V4(router)) = route.next_hop {
                home.uses(router, Role::Router);
            }
        }
        for server in &surroundings.name_servers {
            if let IpAddr::V4(server) = server {
                home.uses(*server, Role::NameServer);
            }
        }
        let seats = &surroundings.seats;
        let is_shared = |prefix: &Prefix| seats.iter().any(|seat| seat.prefix.overlaps(*prefix));
        let ways = routes
            .iter()
            .filter_map(|route| Some((network(route)?, route.device)));
        let shared: BTreeSet<_> = ways.filter(|(prefix, _)| is_shared(prefix)).collect();
        let mut seated = home.used.keys();
        let needs_some = seated.any(|ip| is_shared(&Prefix::new(*ip, 32)));
        if shared.is_empty() && !needs_some && !seats.is_empty() {
            return Ok(surroundings);
        }
        let devices = devices()?;
        for (prefix, index) in shared {
            let device = devices.iter().find(|known| known.index == index);
            home.networks.extend(device.map(|device| HomeNetwork {
                prefix,
                interface: device.name.clone(),
            }));
        }
        let (of_party, known): (Vec<_>, Vec<_>) = neighbours()?
            .into_iter()
            .partition(|known| of_tap(known.device));
        // Who plays in the party's own LAN meets itself there.
        let others = |known: &Neighbour| known.mac != own.addr().octets();
        let known: Vec<_> = known.into_iter().filter(others).collect();
        for ip in machines(&known) {
            home.uses(ip, Role::Machine);
        }
        let asking = devices
            .into_iter()
            .filter(|device| device.asks && !of_tap(device.index));
        surroundings.neighbours = Neighbours {
            known,
            of_party,
            asking: asking.map(|device| (device.name, device.index)).collect(),
        };
        Ok(surroundings)
    }
}

impl Neighbours {
    /// Whether somebody was there, and nobody has looked since.
    pub(crate) fn is_stale(&self, ip: Ipv4Addr) -> bool {
        let of_it = || self.known.iter().filter(|known| known.ip == ip);
        let is_stale = |known: &Neighbour| known.state == NeighbourState::Stale;
        of_it().any(is_stale) && of_it().all(|known| is_stale(known) || !known.is_there())
    }

    /// Whether home has that very machine: who plays in the party's own LAN has its hosts at home.
    pub(crate) fn is_at_home(&self, ip: Ipv4Addr, mac: MacAddr) -> bool {
        let is_it = |known: &Neighbour| known.ip == ip && known.mac == mac.octets();
        self.known
            .iter()
            .any(|known| is_it(known) && known.is_there())
    }

    /// Who is asked for now, and has not answered yet.
    pub(crate) fn unanswered(&self) -> impl Iterator<Item = Ipv4Addr> + '_ {
        self.in_state(NeighbourState::Incomplete)
    }

    /// Whom this machine has spoken with at the party.
    pub(crate) fn at_the_party(&self) -> impl Iterator<Item = Ipv4Addr> + '_ {
        let there = self.of_party.iter().filter(|known| known.is_there());
        there.map(|known| known.ip)
    }

    /// Who was asked for and did not answer.
    pub(crate) fn failed(&self) -> impl Iterator<Item = Ipv4Addr> + '_ {
        self.in_state(NeighbourState::Failed)
    }

    fn in_state(&self, state: NeighbourState) -> impl Iterator<Item = Ipv4Addr> + '_ {
        let known = self.known.iter();
        known
            .filter(move |known| known.state == state)
            .map(|known| known.ip)
    }

    /// Lets the kernel look for `ip` in those of the networks that have it, as if somebody here wanted to reach it. What
    /// comes of it is seen in its table.
    pub(crate) fn ask(&self, ip: Ipv4Addr, networks: &[HomeNetwork]) {
        for network in networks.iter().filter(|network| network.prefix.covers(ip)) {
            if let Some(&device) = self.asking.get(&network.interface)
                && let Err(error) = ask(ip, device)
            {
                tracing::debug!(%error, %ip, interface = network.interface, "Could not look for an address at home");
            }
        }
    }
}

impl Neighbour {
    /// Where nobody can be asked, everything that was ever sent for is in the table: that says nothing.
    fn is_there(&self) -> bool {
        use NeighbourState::{Delay, Permanent, Probe, Reachable, Stale};
        matches!(self.state, Reachable | Stale | Delay | Probe | Permanent)
    }
}

/// Where a route leads, if that is anybody's network.
fn network(route: &Route) -> Option<Prefix> {
    let IpAddr::V4(network) = route.destination else {
        return None;
    };
    let prefix = Prefix::new(network, route.prefix_len);
    prefix.is_network().then_some(prefix)
}

/// The IPv4 addresses of every interface but loopback, each with its network.
fn addresses() -> io::Result<Vec<(u32, Seat)>> {
    let mut question = AddressMessage::default();
    question.header.family = AddressFamily::Inet;
    let answers = lanparty_netlink::list(RouteNetlinkMessage::GetAddress(question))?;
    Ok(answers.iter().filter_map(address).collect())
}

fn address(answer: &RouteNetlinkMessage) -> Option<(u32, Seat)> {
    let RouteNetlinkMessage::NewAddress(message) = answer else {
        return None;
    };
    let own = message
        .attributes
        .iter()
        .find_map(|attribute| match attribute {
            AddressAttribute::Local(IpAddr::V4(ip)) => Some(*ip),
            _ => None,
        })?;
    let seat = Seat::new(own, message.header.prefix_len);
    (!own.is_loopback()).then_some((message.header.index, seat))
}

fn devices() -> io::Result<Vec<Device>> {
    let answers = lanparty_netlink::list(RouteNetlinkMessage::GetLink(LinkMessage::default()))?;
    Ok(answers.iter().filter_map(device).collect())
}

fn device(answer: &RouteNetlinkMessage) -> Option<Device> {
    let RouteNetlinkMessage::NewLink(message) = answer else {
        return None;
    };
    let name = message
        .attributes
        .iter()
        .find_map(|attribute| match attribute {
            LinkAttribute::IfName(name) => Some(name.clone()),
            _ => None,
        })?;
    let flags = message.header.flags;
    Some(Device {
        index: message.header.index,
        name,
        asks: flags.contains(LinkFlags::LowerUp)
            && !flags.intersects(LinkFlags::Noarp | LinkFlags::Loopback | LinkFlags::Pointopoint),
    })
}

fn neighbours() -> io::Result<Vec<Neighbour>> {
    let mut question = NeighbourMessage::default();
    question.header.family = AddressFamily::Inet;
    let answers = lanparty_netlink::list(RouteNetlinkMessage::GetNeighbour(question))?;
    Ok(answers.iter().filter_map(neighbour).collect())
}

fn neighbour(answer: &RouteNetlinkMessage) -> Option<Neighbour> {
    let RouteNetlinkMessage::NewNeighbour(message) = answer else {
        return None;
    };
    let (mut ip, mut mac) = (None, Vec::new());
    for attribute in &message.attributes {
        match attribute {
            NeighbourAttribute::Destination(NeighbourAddress::Inet(named)) => ip = Some(*named),
            NeighbourAttribute::LinkLayerAddress(named) => mac.clone_from(named),
            _ => {}
        }
    }
    Some(Neighbour {
        ip: ip?,
        device: message.header.ifindex,
        state: message.header.state,
        mac,
    })
}

/// Those that are there and speak for themselves.
fn machines(known: &[Neighbour]) -> impl Iterator<Item = Ipv4Addr> + '_ {
    let there = || known.iter().filter(|known| known.is_there());
    let mut addresses = BTreeMap::<_, usize>::new();
    for neighbour in there() {
        *addresses
            .entry((neighbour.device, &neighbour.mac))
            .or_default() += 1;
    }
    let speaks = move |known: &&Neighbour| addresses[&(known.device, &known.mac)] < STANDS_IN;
    there().filter(speaks).map(|known| known.ip)
}

fn ask(ip: Ipv4Addr, device: u32) -> io::Result<()> {
    let mut message = NeighbourMessage::default();
    message.header.family = AddressFamily::Inet;
    message.header.ifindex = device;
    message.header.flags = NeighbourFlags::Use;
    message
        .attributes
        .push(NeighbourAttribute::Destination(NeighbourAddress::Inet(ip)));
    lanparty_netlink::order(RouteNetlinkMessage::NewNeighbour(message), NLM_F_CREATE)
}

/// Who knows names for this machine, but for those that somebody gave to the adapter.
pub(crate) fn name_servers(tap: u32) -> BTreeSet<IpAddr> {
    // Not every machine has both, nor may we read them everywhere.
    let files = NAME_SERVERS
        .iter()
        .filter_map(|file| fs::read_to_string(file).ok());
    let mut servers: BTreeSet<_> = files.flat_map(|file| servers_in(&file)).collect();
    let of_tap = fs::read_to_string(format!("{OF_INTERFACES}/{tap}")).unwrap_or_default();
    servers.retain(|server| !servers_of_interface(&of_tap).any(|own| own == *server));
    servers
}

fn servers_in(file: &str) -> Vec<IpAddr> {
    let lines = file
        .lines()
        .filter_map(|line| line.trim().strip_prefix("nameserver"));
    lines
        .filter_map(|server| server.trim().parse().ok())
        .collect()
}

fn servers_of_interface(file: &str) -> impl Iterator<Item = IpAddr> + '_ {
    let servers = file
        .lines()
        .filter_map(|line| line.strip_prefix("SERVERS="));
    let servers = servers.flat_map(str::split_whitespace);
    servers.filter_map(|server| server.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_knows_names_is_read_from_their_file() {
        let file = "# made by hand\nnameserver 192.168.1.1\n nameserver\t10.0.0.53 \nnameserver fd00::1\nsearch lan\n";
        let expected = ["192.168.1.1", "10.0.0.53", "fd00::1"];
        let expected = expected.map(|ip| ip.parse::<IpAddr>().unwrap());
        assert_eq!(servers_in(file), expected);
        let of_one = "LLMNR=yes\nSERVERS=192.168.1.1 10.0.0.53 fd00::1\nDOMAINS=lan\n";
        assert!(servers_of_interface(of_one).eq(expected));
    }

    #[test]
    fn who_was_there_counts_until_somebody_has_looked() {
        let neighbours = |states: &[NeighbourState]| Neighbours {
            known: (2..)
                .zip(states)
                .map(|(device, state)| Neighbour {
                    ip: Ipv4Addr::new(192, 168, 1, 30),
                    device,
                    state: *state,
                    mac: vec![2; 6],
                })
                .collect(),
            ..Neighbours::default()
        };
        use NeighbourState::{Failed, Noarp, Reachable, Stale};
        let is_stale = |states| neighbours(states).is_stale(Ipv4Addr::new(192, 168, 1, 30));
        assert!(is_stale(&[Stale]) && is_stale(&[Failed, Stale]));
        assert!(!is_stale(&[Stale, Reachable]) && !is_stale(&[Failed]) && !is_stale(&[]));
        assert!(!neighbours(&[Noarp]).known[0].is_there());
    }

    #[test]
    fn who_answers_for_everybody_says_nothing_of_anybody() {
        let neighbour = |last, mac: u8| Neighbour {
            ip: Ipv4Addr::new(192, 168, 1, last),
            device: 2,
            state: NeighbourState::Reachable,
            mac: vec![mac; 6],
        };
        let router = (1..=9).map(|last| neighbour(last, 1));
        let repeater = (20..27).map(|last| neighbour(last, 2));
        let known: Vec<_> = router.chain(repeater).collect();
        let there: Vec<_> = machines(&known).map(|ip| ip.octets()[3]).collect();
        assert_eq!(there, [20, 21, 22, 23, 24, 25, 26]);
    }
}
