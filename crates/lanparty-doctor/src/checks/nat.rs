//! What stands between this PC and the internet: whose NAT, by its own address, and what kind, by what relays see of one socket. One
//! that gives each destination another port (RFC 4787 §4.1, "symmetric") keeps others from being told where this PC is.

use super::Check;
use crate::facts::{Interface, Network, Paths, Pc};
use crate::found::{Cure, Found};
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

pub(crate) const CHECK: Check = Check {
    id: "nat",
    about: "This computer's way through NAT",
    look,
    is_personal: false,
};

/// An address on the internet (RFC 5737); nothing is sent to it.
const FAR_AWAY: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1));

fn look(pc: &dyn Pc) -> Option<Found> {
    let network = pc.network().ok()?;
    let (name, nat) = nat(&network)?;
    let paths = pc.paths();
    let whose = match nat {
        Nat::Provider => format!("Your provider's NAT (100.64.0.0/10 on {name})"),
        Nat::Router => "Your router's NAT".to_owned(),
        // Then another one is in between.
        Nat::No => "A NAT".to_owned(),
    };
    let hairpin = match paths.hairpin {
        Some(true) => "; it leads back what is sent to its own address (hairpin)",
        Some(false) => "; what is sent to its own address does not come back (no hairpin)",
        None => "",
    };
    Some(match kind(&paths) {
        Kind::Untold => Found::good(known_without_relay(name, nat)?),
        Kind::No => Found::good(format!(
            "No NAT is in between: the relay sees this computer by the address that it has on {name}."
        )),
        Kind::Stable => Found::good(format!(
            "{whose} gives this computer one port for every destination, as direct paths need it{hairpin}."
        )),
        Kind::Kept => Found::good(format!(
            "{whose} keeps this computer's port; whether for every destination takes a relay's second address to know{hairpin}."
        )),
        Kind::Changed => Found::good(format!(
            "{whose} changes this computer's port; whether for each destination takes a relay's second address to know{hairpin}."
        )),
        Kind::Varies => Found::doubt(format!(
            "{whose} gives each destination another port (symmetric): nobody can be told where to find this computer{hairpin}."
        ))
        .cured(Cure::by_hand(
            "Nothing has to be done to play; a direct path needs IPv6, another network, or a host whose router has opened a port.",
        )),
    })
}

/// What this PC's own address says.
fn known_without_relay(name: &str, nat: Nat) -> Option<String> {
    match nat {
        // A part of what `network` says.
        Nat::Router => None,
        Nat::No => Some(format!(
            "This computer has a public address on {name}: no NAT is in between that it could know of."
        )),
        Nat::Provider => Some(format!(
            "Your provider's NAT is in between (100.64.0.0/10 on {name}): parties work by the relay, hosting without one does not."
        )),
    }
}

/// What the NAT does for IPv4, as relays see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// No relay says it.
    Untold,
    /// There is none.
    No,
    /// One port for every destination.
    Stable,
    /// The PC's own port, for the one relay that was asked.
    Kept,
    /// Another port, for the one relay that was asked.
    Changed,
    /// Another port for each destination.
    Varies,
}

pub(super) fn kind(paths: &Paths) -> Kind {
    let sights = paths.sights.iter();
    let seen: Vec<_> = sights
        .filter_map(|sight| Some((sight, sight.seen.filter(SocketAddr::is_ipv4)?)))
        .collect();
    let Some(&(first, from)) = seen.first() else {
        return Kind::Untold;
    };
    let addresses: BTreeSet<_> = seen.iter().map(|(sight, _)| sight.relay.ip()).collect();
    if seen.iter().all(|(sight, from)| *from == sight.own) {
        return Kind::No;
    }
    match () {
        () if seen.iter().any(|(_, other)| *other != from) => Kind::Varies,
        () if addresses.len() > 1 => Kind::Stable,
        () if from.port() == first.own.port() => Kind::Kept,
        () => Kind::Changed,
    }
}

/// What stands in between as nearly everywhere: the end of a sentence.
pub(super) fn end_of_sentence(network: &Network) -> &'static str {
    match nat(network) {
        Some((_, Nat::Router)) => ", through your router's NAT",
        _ => "",
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Nat {
    No,
    Router,
    Provider,
}

/// By which interface, and what its addresses say.
fn nat(network: &Network) -> Option<(&str, Nat)> {
    // What the far end of a tunnel has, its own program knows.
    let home = home(network).filter(|home| !home.is_tunnel)?;
    let addresses = || {
        home.addresses.iter().filter_map(|prefix| match prefix.ip {
            IpAddr::V4(ip) if !ip.is_link_local() => Some(ip),
            _ => None,
        })
    };
    addresses().next()?;
    let nat = match () {
        () if addresses().any(is_public) => Nat::No,
        () if addresses().any(is_carriers) => Nat::Provider,
        () => Nat::Router,
    };
    Some((&home.name, nat))
}

/// The interface that leads to the internet, which is not the party's.
fn home(network: &Network) -> Option<&Interface> {
    let way = network.way_to(FAR_AWAY)?;
    let home = network.interface(&way.interface)?;
    (!home.is_party).then_some(home)
}

/// Carrier-grade NAT (RFC 6598).
fn is_carriers(ip: Ipv4Addr) -> bool {
    ip.octets()[0] == 100 && ip.octets()[1] & 0xc0 == 64
}

fn is_public(ip: Ipv4Addr) -> bool {
    !ip.is_private() && !is_carriers(ip) && !ip.is_loopback()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::{FakePc, paths, prefix};
    use lanparty_client_control::Mark;

    #[test]
    fn the_address_says_whose_nat_is_in_between() {
        for mut pc in FakePc::both() {
            pc.paths = Paths::default();
            for (address, says) in [
                ("192.168.1.23/24", None),
                ("172.20.0.9/16", None),
                ("100.64.0.1/10", Some("Your provider's NAT")),
                ("100.127.255.254/10", Some("Your provider's NAT")),
                ("100.128.0.1/10", Some("a public address")),
                ("203.0.113.9/24", Some("a public address")),
            ] {
                let network = pc.network.as_mut().unwrap();
                network.interfaces[0].addresses = vec![prefix(address)];
                let is_routers = !end_of_sentence(network).is_empty();
                assert_eq!(is_routers, says.is_none(), "{address}");
                let row = look(&pc).map(|found| found.row(CHECK.id).sentence);
                let said = row.as_deref().zip(says);
                assert!(
                    said.is_none_or(|(row, says)| row.contains(says)),
                    "{said:?}"
                );
                assert_eq!(row.is_some(), says.is_some());
            }
            let network = pc.network.as_mut().unwrap();
            network.interfaces[0].is_tunnel = true;
            assert_eq!(look(&pc), None);
            pc.network.as_mut().unwrap().routes.clear();
            assert_eq!(look(&pc), None);
        }
    }

    #[test]
    fn what_relays_see_says_what_kind_it_is() {
        let public = |mut paths: Paths| {
            for sight in &mut paths.sights {
                sight.own = sight.seen.unwrap();
            }
            paths.hairpin = None;
            paths
        };
        for (paths, is, says, mark) in [
            (Paths::default(), Kind::Untold, None, Mark::Good),
            (
                public(paths(&[(1, 40_000)])),
                Kind::No,
                Some("No NAT"),
                Mark::Good,
            ),
            (paths(&[(1, 40_000)]), Kind::Kept, Some("keeps"), Mark::Good),
            (
                paths(&[(1, 7_000)]),
                Kind::Changed,
                Some("changes"),
                Mark::Good,
            ),
            // Two ports of one address tell nothing of others.
            (
                paths(&[(1, 7_000), (1, 7_000)]),
                Kind::Changed,
                Some("changes"),
                Mark::Good,
            ),
            (
                paths(&[(1, 7_000), (2, 7_000)]),
                Kind::Stable,
                Some("one port"),
                Mark::Good,
            ),
            (
                paths(&[(1, 7_000), (2, 7_001)]),
                Kind::Varies,
                Some("(symmetric)"),
                Mark::Doubt,
            ),
        ] {
            let mut pc = FakePc::linux();
            assert_eq!(kind(&paths), is);
            pc.paths = paths;
            let row = look(&pc).map(|found| found.row(CHECK.id));
            let Some(says) = says else {
                assert_eq!(row, None);
                continue;
            };
            let row = row.unwrap();
            assert!(row.sentence.contains(says), "{row:?}");
            assert_eq!(
                (row.mark, row.how_to.is_some()),
                (mark, mark == Mark::Doubt)
            );
            let is_tried = is != Kind::No;
            assert_eq!(row.sentence.contains("hairpin"), is_tried, "{row:?}");
        }
    }

    #[test]
    fn a_providers_nat_is_named_with_what_it_does() {
        let mut pc = FakePc::linux();
        let network = pc.network.as_mut().unwrap();
        network.interfaces[0].addresses = vec![prefix("100.64.0.9/10")];
        pc.paths = paths(&[(1, 7_000), (2, 7_001)]);
        let row = look(&pc).unwrap().row(CHECK.id);
        assert!(
            row.sentence
                .starts_with("Your provider's NAT (100.64.0.0/10"),
            "{row:?}"
        );
    }
}
