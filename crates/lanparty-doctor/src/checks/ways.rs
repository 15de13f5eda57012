//! Which way packets take: broadcast to the party, the internet by the player's own connection.

use super::{Check, reset_adapter};
use crate::facts::{Interface, Network, Pc, Route};
use crate::found::{Cure, Found};
use std::net::{IpAddr, Ipv4Addr};

pub(crate) const CHECK: Check = Check {
    id: "ways",
    about: "The way that packets take",
    look,
    is_personal: false,
};

/// An address on the internet (RFC 5737); nothing is sent to it.
const FAR_AWAY: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1));
const EVERYBODY: IpAddr = IpAddr::V4(Ipv4Addr::BROADCAST);

fn look(pc: &dyn Pc) -> Option<Found> {
    let network = pc.network().ok()?;
    let of = |route: Option<&Route>| network.interface(&route?.interface).cloned();
    let far = of(network.way_to(FAR_AWAY));
    let cure = || {
        let by_hand = "Leave the party and join it again.";
        reset_adapter(pc).map_or_else(|| Cure::by_hand(by_hand), Cure::fix)
    };
    if far.as_ref().is_some_and(|interface| interface.is_party) {
        return Some(Found::bad(
            "What you do on the internet goes through the party's LAN, by a default route of its adapter.",
            cure(),
        ));
    }
    if let Some(thief) = broadcast_goes_elsewhere(&network) {
        return Some(
            Found::doubt(format!(
                "Games look for others by {thief} and not at the party, because it comes first for broadcast."
            ))
            .cured(cure()),
        );
    }
    Some(match far {
        Some(Interface {
            name,
            is_tunnel: true,
            ..
        }) => Found::doubt(format!(
            "Everything goes through another VPN, {name}; that costs ping, and it may not let the party's packets through."
        ))
        .cured(Cure::by_hand("Switch the other VPN off while you play, if the ping is bad.")),
        _ if network.party().is_some_and(is_used) => {
            Found::good("Games' broadcasts go to the party, everything else goes its usual way.")
        }
        _ => Found::good("No other VPN is in the way."),
    })
}

/// Who gets broadcast in the place of the party's adapter, while that is in use.
fn broadcast_goes_elsewhere(network: &Network) -> Option<String> {
    network.party().filter(|adapter| is_used(adapter))?;
    let way = network.way_to(EVERYBODY)?;
    let interface = network.interface(&way.interface)?;
    (!interface.is_party).then(|| interface.name.clone())
}

/// Whether an adapter has what games need of it.
pub(super) fn is_used(adapter: &Interface) -> bool {
    adapter.is_up && adapter.addresses.iter().any(|a| a.ip.is_ipv4())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::{FakePc, prefix};
    use lanparty_client_control::{Fix, Mark, Row};

    fn row(pc: &FakePc) -> Row {
        look(pc).unwrap().row(CHECK.id)
    }

    #[test]
    fn broadcast_belongs_to_the_party_and_the_rest_to_the_player() {
        for mut pc in FakePc::both() {
            assert_eq!(row(&pc).mark, Mark::Good);
            let network = pc.network.as_mut().unwrap();
            let party = network.party().unwrap().name.clone();
            network.routes.retain(|route| route.interface != party);
            assert_eq!(row(&pc).fix.unwrap().fix, Fix::ResetAdapter);
            pc.network.as_mut().unwrap().routes.push(Route {
                destination: prefix("0.0.0.0/0"),
                interface: party,
                metric: 0,
            });
            assert_eq!(row(&pc).mark, Mark::Bad);
        }
    }

    #[test]
    fn another_vpn_is_a_doubt() {
        for mut pc in FakePc::both() {
            let network = pc.network.as_mut().unwrap();
            network
                .interfaces
                .iter_mut()
                .for_each(|i| i.is_tunnel = !i.is_party);
            let row = row(&pc);
            assert_eq!(row.mark, Mark::Doubt);
            assert!(row.how_to.is_some());
        }
    }
}
