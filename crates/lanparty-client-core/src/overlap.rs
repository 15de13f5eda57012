//! Home and party with the same addresses, the commonest case there is (spec R133): what belongs to whom.
//!
//! Home stays as it is: its routes, its router, and every address that is in use there. What the party has in the same
//! network is led to the party host by host, as its hosts are heard. The shell says what the machine has
//! ([`Home`], [`Seat`]), [`decide`] says which routes to the party there should be, and what is to be told.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::Ipv4Addr;

/// So many hosts of the party get a route of their own; a LAN with more of them has a network of its own.
pub const MAX_HOSTS: usize = 512;
/// The widest private network is 10.0.0.0/8.
const SHORTEST: u8 = 8;
/// So many doubled addresses are told, and the number of the others.
const TOLD_DOUBLES: usize = 3;
/// So many of home's networks are told.
const TOLD_NETWORKS: usize = 2;
/// What a machine without a DHCP server makes up an address of (RFC 3927).
const LINK_LOCAL: Prefix = Prefix {
    network: Ipv4Addr::new(169, 254, 0, 0),
    len: 16,
};

/// An IPv4 network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Prefix {
    network: Ipv4Addr,
    len: u8,
}

/// What an address is at home; the first of several counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// This machine's own.
    Own,
    /// The next hop of a route.
    Router,
    /// The one that knows names.
    NameServer,
    /// The relay.
    Relay,
    /// A machine that is there.
    Machine,
}

/// A network that the machine has apart from the party: of its own network cards, of containers, of a VPN.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct HomeNetwork {
    /// Its addresses.
    pub prefix: Prefix,
    /// The interface that leads there.
    pub interface: String,
}

/// What the machine has apart from the party.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Home {
    /// Where its routes lead, near or far.
    pub networks: BTreeSet<HomeNetwork>,
    /// Addresses in use.
    pub used: BTreeMap<Ipv4Addr, Role>,
}

/// The machine's place at the party: an address in the LAN's network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seat {
    /// The machine's own address there.
    pub own: Ipv4Addr,
    /// The LAN's network.
    pub prefix: Prefix,
}

/// An address that is somebody's at home and somebody's at the party. The one at home keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Double {
    /// The address.
    pub address: Ipv4Addr,
    /// Whose it is at home.
    pub role: Role,
    /// True when it is this machine's at the party.
    pub is_own: bool,
}

/// Which of the party's addresses are to be led to the party, and what there is to tell.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overlap {
    /// Whether one route may lead the party's whole network there: what home has of it has narrower routes, which go
    /// first. Where it may not, the adapter must have no route of its address' network either.
    pub whole: bool,
    /// Hosts that need a route of their own.
    pub hosts: BTreeSet<Ipv4Addr>,
    /// Whether the address that means all of the party's hosts means all of some home network as well.
    pub shares_broadcast: bool,
    /// Home's networks with addresses of the party's.
    pub networks: Vec<HomeNetwork>,
    /// What this machine needs elsewhere and the party's network would take: no network of home's leads there.
    pub needed: BTreeMap<Ipv4Addr, Role>,
    /// What truly collides.
    pub doubles: Vec<Double>,
}

/// Decides for a machine with this seat and this home, at a party where these hosts were heard.
pub fn decide(seat: &Seat, home: &Home, heard: impl IntoIterator<Item = Ipv4Addr>) -> Overlap {
    let party = seat.prefix;
    let networks: Vec<_> = home.overlapping(party).cloned().collect();
    let is_home = |ip| networks.iter().any(|home| home.prefix.covers(ip));
    let needed = home.needed(party, &networks);
    let whole = needed.is_empty() && networks.iter().all(|home| home.prefix.len > party.len);
    let (mut hosts, mut doubles) = (BTreeSet::new(), BTreeSet::new());
    doubles.extend(home.double(seat.own, true));
    for host in heard {
        if host == seat.own || !party.has_host(host) || (whole && !is_home(host)) {
            continue;
        }
        match home.double(host, false) {
            Some(double) => {
                doubles.insert(double);
            }
            None if hosts.len() < MAX_HOSTS => {
                hosts.insert(host);
            }
            None => {}
        }
    }
    let broadcast = party.broadcast();
    let shares_broadcast = broadcast.is_some()
        && networks
            .iter()
            .any(|home| home.prefix.broadcast() == broadcast);
    Overlap {
        whole,
        hosts,
        shares_broadcast,
        networks,
        needed,
        doubles: doubles.into_iter().collect(),
    }
}

impl Home {
    /// Notes an address in use.
    pub fn uses(&mut self, address: Ipv4Addr, role: Role) {
        let known = self.used.entry(address).or_insert(role);
        *known = role.min(*known);
    }

    /// The networks with addresses of `party`'s.
    fn overlapping(&self, party: Prefix) -> impl Iterator<Item = &HomeNetwork> {
        let networks = self.networks.iter();
        networks.filter(move |home| home.prefix.overlaps(party) && self.counts(home.prefix))
    }

    /// What would be sought at the party but for these networks: the LAN says which network it is, and may name anybody's.
    fn needed(&self, party: Prefix, networks: &[HomeNetwork]) -> BTreeMap<Ipv4Addr, Role> {
        let leads_there = |ip| networks.iter().any(|home| home.prefix.covers(ip));
        let needed = self
            .used
            .iter()
            .filter(|(ip, role)| role.is_needed() && party.has_host(**ip) && !leads_there(**ip));
        needed.map(|(ip, role)| (*ip, *role)).collect()
    }

    /// Systems have routes to made-up addresses in case of need; without such an address nobody needs them.
    fn counts(&self, network: Prefix) -> bool {
        let has_own =
            |(address, role): (&Ipv4Addr, &Role)| *role == Role::Own && LINK_LOCAL.covers(*address);
        network.is_network() && (network != LINK_LOCAL || self.used.iter().any(has_own))
    }

    fn double(&self, address: Ipv4Addr, is_own: bool) -> Option<Double> {
        self.used.get(&address).map(|&role| Double {
            address,
            role,
            is_own,
        })
    }
}

impl Role {
    /// Whether this machine's internet hangs on it, wherever it is.
    fn is_needed(self) -> bool {
        match self {
            Role::Router | Role::NameServer | Role::Relay => true,
            Role::Own | Role::Machine => false,
        }
    }
}

impl Seat {
    /// The place of a machine with this address at a party whose network has this prefix length.
    pub fn new(own: Ipv4Addr, len: u8) -> Self {
        Seat {
            own,
            prefix: Prefix::new(own, len),
        }
    }
}

impl Overlap {
    /// Whether home has addresses of the party's, or needs some.
    pub fn exists(&self) -> bool {
        !self.networks.is_empty() || !self.needed.is_empty()
    }

    /// What a player is told, in sentences: first that there is an overlap, then what collides.
    pub fn sentences(&self) -> Vec<String> {
        let noticed = (!self.networks.is_empty()).then(|| self.noticed());
        let noticed = noticed.into_iter().chain(self.needs());
        let doubles = self.doubles.iter().take(TOLD_DOUBLES);
        let more = self.doubles.len().saturating_sub(TOLD_DOUBLES);
        let more = (more > 0).then(|| {
            format!(
                "{more} more addresses are in use at home and at the party; those at home are used."
            )
        });
        let doubles = doubles.map(ToString::to_string);
        noticed.chain(doubles).chain(more).collect()
    }

    fn needs(&self) -> Option<String> {
        let (address, role) = self.needed.first_key_value()?;
        Some(format!(
            "The party's network has {address} in it, which is {role}: that is reached as before, and the party's machines one by \
             one, as they are heard. Tell the host that the LAN uses addresses of somebody else's."
        ))
    }

    fn noticed(&self) -> String {
        let names: Vec<_> = self.networks.iter().map(ToString::to_string).collect();
        let shown = match names.get(..TOLD_NETWORKS) {
            Some(first) if names.len() > TOLD_NETWORKS => {
                format!(
                    "{} and {} more",
                    first.join(", "),
                    names.len() - TOLD_NETWORKS
                )
            }
            _ => names.join(" and "),
        };
        format!(
            "Your home network has addresses of the party's ({shown}): home stays as it is, and the party's machines are \
             reached one by one, as they are heard."
        )
    }
}

impl fmt::Display for HomeNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}", self.prefix, self.interface)
    }
}

/// As part of a sentence.
impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Role::Own => "this machine's own address at home",
            Role::Router => "your router at home",
            Role::NameServer => "your name server at home",
            Role::Relay => "the relay's",
            Role::Machine => "a machine at your home",
        })
    }
}

impl fmt::Display for Double {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Double {
            address,
            role,
            is_own,
        } = self;
        match is_own {
            true => write!(
                f,
                "{address} is {role} and the party's LAN gave it to this one; if no other comes by itself, join with another address."
            ),
            false => write!(
                f,
                "{address} is {role} and a machine at the party; the one at home is used."
            ),
        }
    }
}

impl Prefix {
    /// The network of which `ip` is one.
    pub fn new(ip: Ipv4Addr, len: u8) -> Self {
        let len = len.min(32);
        Prefix {
            network: Ipv4Addr::from_bits(ip.to_bits() & !host_bits(len)),
            len,
        }
    }

    /// Its first address.
    pub fn network(self) -> Ipv4Addr {
        self.network
    }

    /// How many bits all of its addresses share.
    pub fn prefix_len(self) -> u8 {
        self.len
    }

    /// Whether it can be anybody's network: shorter ones are ways to the internet, whole or by halves.
    pub fn is_network(self) -> bool {
        self.len >= SHORTEST
    }

    /// Whether `ip` is in it.
    pub fn covers(self, ip: Ipv4Addr) -> bool {
        Prefix::new(ip, self.len) == self
    }

    /// Whether some address is in both.
    pub fn overlaps(self, other: Prefix) -> bool {
        let wider = self.len.min(other.len);
        Prefix::new(self.network, wider) == Prefix::new(other.network, wider)
    }

    /// The address that means all of its hosts; two hosts on a cable have none (RFC 3021).
    pub fn broadcast(self) -> Option<Ipv4Addr> {
        let last = Ipv4Addr::from_bits(self.network.to_bits() | host_bits(self.len));
        (self.len < 31).then_some(last)
    }

    /// Whether `ip` can be a host in it.
    pub fn has_host(self, ip: Ipv4Addr) -> bool {
        let names_all = self.len < 31 && (ip == self.network || Some(ip) == self.broadcast());
        self.covers(ip) && !names_all && !ip.is_unspecified() && !ip.is_multicast()
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.network, self.len)
    }
}

/// The bits of an address that name the host.
fn host_bits(len: u8) -> u32 {
    u32::MAX.checked_shr(len.into()).unwrap_or(0)
}

#[cfg(test)]
mod tests;
