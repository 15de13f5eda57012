//! What stands between this PC and the internet, as far as its own address says it: a router's NAT, as nearly everywhere, is a
//! part of what `network` says. How a NAT treats others than the relay
//! takes a second relay to know.

use super::Check;
use crate::facts::{Interface, Network, Pc};
use crate::found::Found;
use std::net::{IpAddr, Ipv4Addr};

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
    Some(Found::good(match nat {
        // A part of what `network` says.
        Nat::Router => return None,
        Nat::No => format!(
            "This computer has a public address on {name}: no NAT is in between that it could know of."
        ),
        Nat::Provider => format!(
            "Your provider's NAT is in between (100.64.0.0/10 on {name}): parties work by the relay, hosting without one does not."
        ),
    }))
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
    use crate::fake::{FakePc, prefix};

    #[test]
    fn the_address_says_whose_nat_is_in_between() {
        for mut pc in FakePc::both() {
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
}
