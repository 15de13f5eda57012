//! A home network with the party's addresses: packets for the party go to the neighbours at home, unless somebody sees to it.

use super::{Check, is_anybodys};
use crate::facts::{Interface, Network, Pc, Prefix};
use crate::found::{Cure, Found};
use std::net::IpAddr;

pub(crate) const CHECK: Check = Check {
    id: "overlap",
    about: "Home and party",
    look,
    is_personal: false,
};

fn look(pc: &dyn Pc) -> Option<Found> {
    let network = pc.network().ok()?;
    let adapter = network.party().filter(|adapter| adapter.is_up)?;
    let party = networks(adapter).next()?;
    let homes = network.interfaces.iter().filter(|i| !i.is_party && i.is_up);
    let twin = homes
        .flat_map(|home| networks(home).map(move |prefix| (home, prefix)))
        .filter(|(_, prefix)| prefix.overlaps(party))
        .min_by_key(|(_, prefix)| prefix.len);
    let Some((home, widest)) = twin else {
        return Some(Found::good(
            "Your home network and the party's LAN have different addresses.",
        ));
    };
    let shown = match is_anybodys(party.ip) {
        true => format!(" ({party})"),
        false => String::new(),
    };
    if widest.len > party.len || goes_by_hosts(&network, adapter, party) {
        return Some(Found::doubt(format!(
            "Your home network on {} has addresses of the party's{shown}; home stays as it is, and the party's machines are reached one by one.",
            home.name
        )));
    }
    Some(match leads_to_the_party(&network, adapter, party) {
        true => Found::doubt(format!(
            "Your home network on {} and the party's LAN have the same addresses{shown}; while you play, they mean the party.",
            home.name
        )),
        false => Found::bad(
            format!(
                "Your home network on {} and the party's LAN have the same addresses{shown}, so games reach your home and not the party.",
                home.name
            ),
            Cure::by_hand(
                "Give your home router another network, such as 192.168.77.0/24, or join by another one, such as your phone's.",
            ),
        ),
    })
}

/// The networks on an interface, but for those that systems make up.
fn networks(interface: &Interface) -> impl Iterator<Item = Prefix> {
    let is_real = |prefix: &&Prefix| match prefix.ip {
        IpAddr::V4(ip) => !ip.is_link_local() && prefix.len < 32,
        IpAddr::V6(_) => false,
    };
    interface
        .addresses
        .iter()
        .filter(is_real)
        .map(|prefix| prefix.network())
}

/// Whether the client leads single hosts to the party and leaves the network to home.
fn goes_by_hosts(network: &Network, adapter: &Interface, party: Prefix) -> bool {
    let of_adapter = || {
        let routes = network.routes.iter();
        routes.filter(|route| route.interface == adapter.name)
    };
    let is_host = |ip: IpAddr| party.covers(ip) && adapter.addresses.iter().all(|own| own.ip != ip);
    let leads_all = of_adapter().any(|route| route.destination.network() == party);
    let broadcast = last(party);
    let mut hosts = of_adapter()
        .map(|route| route.destination)
        .filter(|host| host.len == 32 && is_host(host.ip) && Some(host.ip) != broadcast);
    // Others' routes for single addresses at the party's adapter would be strange, and a client without any has heard of
    // nobody yet.
    !leads_all || hosts.next().is_some()
}

/// The address that means all of a network.
fn last(network: Prefix) -> Option<IpAddr> {
    let IpAddr::V4(first) = network.ip else {
        return None;
    };
    let host = u32::MAX.checked_shr(network.len.into()).unwrap_or(0);
    Some(IpAddr::V4((first.to_bits() | host).into()))
}

/// Whether the narrowest routes to the party's addresses are its adapter's: looked at in both halves, as one host may have a
/// route of its own.
fn leads_to_the_party(network: &Network, adapter: &Interface, party: Prefix) -> bool {
    let IpAddr::V4(first) = party.ip else {
        return false;
    };
    let half = 1_u32.checked_shl(31 - u32::from(party.len)).unwrap_or(0);
    [
        first.to_bits() + 3 * half / 4,
        first.to_bits() + half + half / 2,
    ]
    .into_iter()
    .all(|bits| {
        let way = network.way_to(IpAddr::V4(bits.into()));
        way.is_some_and(|way| way.interface == adapter.name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Route;
    use crate::fake::{FakePc, prefix};
    use lanparty_client_control::{Mark, Row};

    fn row(pc: &FakePc) -> Row {
        look(pc).unwrap().row(CHECK.id)
    }

    fn at_home_like_at_the_party(mut pc: FakePc) -> FakePc {
        let network = pc.network.as_mut().unwrap();
        let home = network.interfaces.iter_mut().find(|i| !i.is_party).unwrap();
        home.addresses = vec![prefix("192.168.50.77/24")];
        let route = Route {
            destination: prefix("192.168.50.0/24"),
            interface: home.name.clone(),
            metric: 0,
        };
        network.routes.insert(0, route);
        pc
    }

    #[test]
    fn the_same_addresses_twice_lead_home() {
        for pc in FakePc::both() {
            assert_eq!(row(&pc).mark, Mark::Good);
            let mut pc = at_home_like_at_the_party(pc);
            assert_eq!(row(&pc).mark, Mark::Bad);
            let network = pc.network.as_mut().unwrap();
            let party = network.party().unwrap().name.clone();
            for half in ["192.168.50.0/25", "192.168.50.128/25"] {
                network.routes.push(Route {
                    destination: prefix(half),
                    interface: party.clone(),
                    metric: 0,
                });
            }
            assert_eq!(row(&pc).mark, Mark::Doubt);
        }
    }

    #[test]
    fn a_client_that_leads_single_hosts_leaves_home_its_network() {
        for pc in FakePc::both() {
            let mut without = at_home_like_at_the_party(pc.clone());
            let network = without.network.as_mut().unwrap();
            let party = network.party().unwrap().name.clone();
            let lan = prefix("192.168.50.0/24");
            network
                .routes
                .retain(|route| route.interface != party || route.destination != lan);
            let said = row(&without);
            assert_eq!(said.mark, Mark::Doubt);
            assert!(said.sentence.contains("one by one"), "{}", said.sentence);
            // As on Windows, where the network's own route stays and costs more.
            let mut beside = at_home_like_at_the_party(pc);
            let network = beside.network.as_mut().unwrap();
            network.routes.push(Route {
                destination: prefix("192.168.50.11/32"),
                interface: party,
                metric: 1,
            });
            assert_eq!(row(&beside).mark, Mark::Doubt);
        }
    }

    #[test]
    fn own_addresses_and_the_broadcast_are_no_hosts_of_the_partys() {
        for pc in FakePc::both() {
            let mut pc = at_home_like_at_the_party(pc);
            let network = pc.network.as_mut().unwrap();
            let party = network.party().unwrap().name.clone();
            for own in ["192.168.50.17/32", "192.168.50.255/32"] {
                network.routes.push(Route {
                    destination: prefix(own),
                    interface: party.clone(),
                    metric: 256,
                });
            }
            assert_eq!(row(&pc).mark, Mark::Bad);
        }
    }

    #[test]
    fn a_home_within_the_partys_network_goes_first_by_itself() {
        for mut pc in FakePc::both() {
            let network = pc.network.as_mut().unwrap();
            let home = network.interfaces.iter_mut().find(|i| !i.is_party).unwrap();
            home.addresses = vec![prefix("192.168.50.77/26")];
            assert_eq!(row(&pc).mark, Mark::Doubt);
        }
    }

    #[test]
    fn who_has_no_address_at_the_party_is_told_nothing() {
        let mut pc = FakePc::linux();
        let network = pc.network.as_mut().unwrap();
        network
            .interfaces
            .iter_mut()
            .for_each(|i| i.addresses.clear());
        assert_eq!(look(&pc), None);
    }
}
