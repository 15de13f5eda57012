//! Home and party with the same addresses (spec R133): what Windows' tables say of both, and what should be in them.
//!
//! The adapter is the cheapest one, for broadcast, so of two equal networks Windows would take the party's. Its row is made
//! dearer than home's, and the party's hosts get a row each.

use crate::route::{Luid, Route};
use lanparty_client_core::overlap::{Home, HomeNetwork, Overlap, Prefix, Role, Seat};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

/// What the row of the party's network costs behind home's: more than any that Windows makes by itself.
pub const BEHIND_HOME: u32 = 9000;

/// What there is besides the party, as Windows says it.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// The rows of the routing table, without those that we made.
    pub routes: Vec<Route>,
    /// This machine's addresses, with the interface of each.
    pub own: Vec<(Luid, Ipv4Addr)>,
    /// Who answers whom this machine speaks with.
    pub neighbours: Vec<(Luid, Ipv4Addr)>,
    /// What people call the interfaces.
    pub names: BTreeMap<Luid, String>,
    /// The relay.
    pub relays: Vec<Ipv4Addr>,
}

impl Surroundings {
    /// The adapter's places at the party: its addresses, with the networks that Windows leads to it for them.
    pub fn seats(&self, adapter: Luid) -> Vec<Seat> {
        let own = self.own.iter().filter(|(luid, _)| *luid == adapter);
        own.filter_map(|&(_, own)| {
            let row = network_row(&self.routes, adapter, own)?;
            Some(Seat::new(own, row.prefix_len))
        })
        .collect()
    }

    /// What the machine has apart from the party.
    pub fn home(&self, adapter: Luid) -> Home {
        let mut home = Home::default();
        for route in self
            .routes
            .iter()
            .filter(|route| route.interface != adapter)
        {
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
        let at_home = |(luid, _): &&(Luid, Ipv4Addr)| *luid != adapter;
        for (_, own) in self.own.iter().filter(at_home) {
            home.uses(*own, Role::Own);
        }
        for (_, machine) in self.neighbours.iter().filter(at_home) {
            home.uses(*machine, Role::Machine);
        }
        for relay in &self.relays {
            home.uses(*relay, Role::Relay);
        }
        home
    }
}

/// The row by which Windows leads the network of one of the adapter's addresses to it.
pub fn network_row(routes: &[Route], adapter: Luid, own: Ipv4Addr) -> Option<&Route> {
    let own_rows = routes.iter().filter(|route| {
        route.interface == adapter
            && route.next_hop.is_unspecified()
            && prefix(route).is_some_and(|prefix| is_network(prefix) && prefix.covers(own))
    });
    own_rows.max_by_key(|route| route.prefix_len)
}

/// The rows of the party's hosts.
pub fn host_rows(adapter: Luid, overlap: &Overlap) -> Vec<Route> {
    let row = |&host: &Ipv4Addr| Route {
        destination: host.into(),
        prefix_len: 32,
        interface: adapter,
        next_hop: Ipv4Addr::UNSPECIFIED.into(),
        metric: 0,
    };
    overlap.hosts.iter().map(row).collect()
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
mod tests {
    use super::*;
    use lanparty_client_core::overlap::decide;

    const TAP: Luid = Luid(1);
    const WIFI: Luid = Luid(2);

    #[test]
    fn equal_networks_are_homes_and_the_partys_hosts_have_rows() {
        let pc = pc();
        let seats = pc.seats(TAP);
        assert_eq!(seats, [Seat::new(ip(77), 24)]);
        let heard = [ip(1), ip(20), ip(30), ip(40)];
        let overlap = decide(&seats[0], &pc.home(TAP), heard);
        assert!(!overlap.whole && overlap.shares_broadcast);
        // Not home's router, not a machine there, not this one.
        let rows: Vec<_> = host_rows(TAP, &overlap);
        let hosts: Vec<_> = rows.iter().map(|row| row.destination).collect();
        assert_eq!(hosts, [IpAddr::V4(ip(40))]);
        assert!(rows.iter().all(Route::is_host_route));
        let told = overlap.sentences().join(" ");
        assert!(told.contains("192.168.1.0/24 on Wi-Fi"), "{told}");
    }

    #[test]
    fn a_network_of_its_own_is_nobody_elses() {
        let mut pc = pc();
        pc.routes.retain(|route| route.interface == TAP);
        pc.routes.push(route(Ipv4Addr::UNSPECIFIED, 0, WIFI, ip(1)));
        let overlap = decide(&pc.seats(TAP)[0], &pc.home(TAP), [ip(40)]);
        assert!(overlap.whole && !overlap.exists() && overlap.hosts.is_empty());
    }

    #[test]
    fn the_row_of_the_network_is_found_among_those_of_single_addresses() {
        let pc = pc();
        let row = network_row(&pc.routes, TAP, ip(77)).unwrap();
        assert_eq!((row.destination, row.prefix_len), (ip(0).into(), 24));
        assert_eq!(network_row(&pc.routes, TAP, [10, 0, 0, 1].into()), None);
        assert_eq!(network_row(&[], TAP, ip(77)), None);
    }

    /// As `route print` shows it: home's /24 and the party's, each with its address and the one that means all.
    fn pc() -> Surroundings {
        let none = Ipv4Addr::UNSPECIFIED;
        let rows = |luid, own| {
            [
                route(ip(0), 24, luid, none),
                route(ip(own), 32, luid, none),
                route(ip(255), 32, luid, none),
                route([224, 0, 0, 0].into(), 4, luid, none),
                route([255; 4].into(), 32, luid, none),
            ]
        };
        let mut routes = [rows(TAP, 77), rows(WIFI, 30)].concat();
        routes.push(route(none, 0, WIFI, ip(1)));
        Surroundings {
            routes,
            own: vec![(TAP, ip(77)), (WIFI, ip(30))],
            neighbours: vec![(WIFI, ip(20)), (TAP, ip(40))],
            names: [(WIFI, "Wi-Fi".to_owned())].into(),
            relays: Vec::new(),
        }
    }

    fn ip(host: u8) -> Ipv4Addr {
        [192, 168, 1, host].into()
    }

    fn route(destination: Ipv4Addr, prefix_len: u8, interface: Luid, next_hop: Ipv4Addr) -> Route {
        Route {
            destination: destination.into(),
            prefix_len,
            interface,
            next_hop: next_hop.into(),
            metric: 256,
        }
    }
}
