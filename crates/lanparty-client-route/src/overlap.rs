//! Home and party with the same addresses (spec R133): what Windows' tables say of both, and what should be in them.
//!
//! The adapter is the cheapest one, for broadcast, so of two equal networks Windows would take the party's. Its row is made
//! dearer than home's, and the party's hosts get a row each.

use crate::neighbours::Neighbours;
use crate::route::{Luid, Route};
use lanparty_client_core::overlap::{Home, HomeNetwork, Overlap, Prefix, Role, Seat};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

/// What the row of the party's network costs behind home's: more than any that Windows makes by itself.
pub const BEHIND_HOME: u32 = 9000;

/// An IPv4 address of this machine's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OwnAddress {
    /// The interface that has it.
    pub interface: Luid,
    /// The address.
    pub ip: Ipv4Addr,
    /// How many bits name its network.
    pub prefix_len: u8,
}

/// What there is besides the party, as Windows says it.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// The rows of the routing table, without those that we made.
    pub routes: Vec<Route>,
    /// This machine's addresses.
    pub own: Vec<OwnAddress>,
    /// Whom this machine has looked for.
    pub neighbours: Neighbours,
    /// Who knows names at home.
    pub name_servers: Vec<Ipv4Addr>,
    /// What people call the interfaces.
    pub names: BTreeMap<Luid, String>,
    /// The relay.
    pub relays: Vec<Ipv4Addr>,
}

/// What becomes of the row that Windows makes for the network of the adapter's address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwnRow {
    /// It stays: home has nothing of it, or narrower networks, which go first.
    Stays,
    /// It is made dearer than home's row of the same network.
    Behind,
    /// It is taken out: it would go before home's row of a wider network, whatever it costs.
    Out,
}

impl OwnRow {
    /// What is right for a party with this seat.
    pub fn decided(seat: &Seat, overlap: &Overlap) -> Self {
        let len = seat.prefix.prefix_len();
        let mut home = overlap.networks.iter();
        match home.any(|home| home.prefix.prefix_len() < len) {
            true => OwnRow::Out,
            false if overlap.whole => OwnRow::Stays,
            false => OwnRow::Behind,
        }
    }
}

impl Surroundings {
    /// The adapter's places at the party.
    pub fn seats(&self, adapter: Luid) -> Vec<Seat> {
        let own = self.own.iter().filter(|own| own.interface == adapter);
        let seats = own.map(|own| Seat::new(own.ip, own.prefix_len));
        seats.filter(|seat| is_network(seat.prefix)).collect()
    }

    /// What the machine has apart from the party.
    pub fn home(&self, adapter: Luid) -> Home {
        let mut home = Home::default();
        let routes = || self.routes.iter().filter(|row| row.interface != adapter);
        for route in routes() {
            if let Some(prefix) = prefix(route).filter(|prefix| is_network(*prefix)) {
                let name = self.names.get(&route.interface);
                home.networks.insert(HomeNetwork {
                    prefix,
                    interface: name.cloned().unwrap_or_else(|| "another adapter".into()),
                });
            }
            if let IpAddr::V4(router) = route.next_hop
                && !router.is_unspecified()
            {
                home.uses(router, Role::Router);
            }
        }
        for own in self.own.iter().filter(|own| own.interface != adapter) {
            home.uses(own.ip, Role::Own);
        }
        let machines = self.neighbours.machines();
        machines.for_each(|machine| home.uses(machine, Role::Machine));
        let servers = self.name_servers.iter();
        servers.for_each(|server| home.uses(*server, Role::NameServer));
        let relays = self.relays.iter();
        relays.for_each(|relay| home.uses(*relay, Role::Relay));
        home
    }

    /// The interfaces at home by whose link `ip` would be reached.
    pub fn links_to(&self, ip: Ipv4Addr, adapter: Luid) -> BTreeSet<Luid> {
        let leads_there = |row: &&Route| {
            row.interface != adapter
                && row.next_hop.is_unspecified()
                && prefix(row).is_some_and(|prefix| is_network(prefix) && prefix.covers(ip))
        };
        let rows = self.routes.iter().filter(leads_there);
        rows.map(|row| row.interface).collect()
    }
}

/// The row by which Windows leads the network of one of the adapter's addresses to it.
pub fn network_row<'a>(routes: &'a [Route], adapter: Luid, seat: &Seat) -> Option<&'a Route> {
    let row = on_link(adapter, seat.prefix);
    routes.iter().find(|route| route.is_same_row(&row))
}

/// The rows of the party's hosts.
pub fn host_rows(adapter: Luid, overlap: &Overlap) -> Vec<Route> {
    let hosts = overlap.hosts.iter();
    hosts
        .map(|&host| on_link(adapter, Prefix::new(host, 32)))
        .collect()
}

fn on_link(adapter: Luid, prefix: Prefix) -> Route {
    Route {
        destination: prefix.network().into(),
        prefix_len: prefix.prefix_len(),
        interface: adapter,
        next_hop: Ipv4Addr::UNSPECIFIED.into(),
        metric: 0,
    }
}

fn prefix(route: &Route) -> Option<Prefix> {
    match route.destination {
        IpAddr::V4(ip) if !ip.is_multicast() && !ip.is_loopback() => {
            Some(Prefix::new(ip, route.prefix_len))
        }
        _ => None,
    }
}

/// Windows has a row for each single address as well, and for the one that means all of a network.
fn is_network(prefix: Prefix) -> bool {
    prefix.is_network() && prefix.prefix_len() < 32
}

#[cfg(test)]
mod tests;
