//! All checks, in the order in which people read them.

mod adapter;
mod clock;
mod direct;
mod driver;
mod firewall;
mod fleet;
mod invites;
mod lease;
mod leftovers;
mod mtu;
mod multicast;
mod names;
mod nat;
mod network;
mod overlap;
mod port;
pub(crate) mod proof;
mod relay;
mod relays;
mod rights;
pub(crate) mod service;
mod tcp;
mod vpn;
mod ways;

use crate::facts::Pc;
use crate::found::Found;
use lanparty_client_control::{Fix, FixOffer};
use std::net::IpAddr;

/// A look at one thing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Check {
    /// The same on every machine.
    pub(crate) id: &'static str,
    /// What is looked at, as the subject of a sentence.
    pub(crate) about: &'static str,
    /// Nothing, where there is nothing to be said.
    pub(crate) look: fn(&dyn Pc) -> Option<Found>,
    /// Whether it is about who asks, so that the service can say nothing of it.
    pub(crate) is_personal: bool,
}

/// All of them.
pub(crate) const ALL: &[Check] = &[
    service::CHECK,
    rights::CHECK,
    driver::CHECK,
    leftovers::CHECK,
    network::CHECK,
    nat::CHECK,
    names::CHECK,
    relay::CHECK,
    relays::CHECK,
    fleet::CHECK,
    tcp::CHECK,
    port::CHECK,
    direct::CHECK,
    clock::CHECK,
    invites::CHECK,
    adapter::CHECK,
    lease::CHECK,
    mtu::CHECK,
    ways::CHECK,
    multicast::CHECK,
    vpn::CHECK,
    overlap::CHECK,
    firewall::CHECK,
    proof::TUNNEL,
    proof::CHECK,
    proof::BROADCAST,
    proof::MULTICAST,
    proof::IPX,
    proof::LONG,
];

/// What sets the adapter up anew, where the service runs.
fn reset_adapter(pc: &dyn Pc) -> Option<FixOffer> {
    pc.service().snapshot()?;
    Some(crate::found::by_service(
        Fix::ResetAdapter,
        "Set the adapter up again",
        "The party's adapter gets its settings, its address and its routes again; games lose the party for a second or two.",
    ))
}

/// What asks the LAN for an address again, where the service runs.
fn renew_address(pc: &dyn Pc) -> Option<FixOffer> {
    pc.service().snapshot()?;
    Some(crate::found::by_service(
        Fix::RenewAddress,
        "Get an address",
        "The party's LAN is asked for an address again; the one that the adapter has now goes.",
    ))
}

/// True for an address that says nothing of where a person lives: one that anybody may have at home.
fn is_anybodys(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_private() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::{FakePc, SECRETS};
    use lanparty_client_control::Mark;
    use std::collections::BTreeSet;

    #[test]
    fn every_cross_has_a_cure_on_every_pc() {
        FakePc::all(|pc| {
            for check in ALL {
                let row = (check.look)(pc).map(|found| found.row(check.id));
                if let Some(row) = row.filter(|row| row.mark == Mark::Bad) {
                    assert!(row.fix.is_some() || row.how_to.is_some(), "{row:?}");
                }
            }
        });
    }

    #[test]
    fn nothing_leaks_on_any_pc() {
        FakePc::all(|pc| {
            for check in ALL {
                let Some(row) = (check.look)(pc).map(|found| found.row(check.id)) else {
                    continue;
                };
                let said = serde_json::to_string(&row).unwrap();
                for secret in SECRETS {
                    assert!(!said.contains(secret), "{secret} in {said}");
                }
            }
        });
    }

    #[test]
    fn rows_are_sentences_for_people() {
        FakePc::all(|pc| {
            for check in ALL {
                let Some(row) = (check.look)(pc).map(|found| found.row(check.id)) else {
                    continue;
                };
                let changes = row.fix.iter().map(|fix| &fix.changes);
                for said in [&row.sentence]
                    .into_iter()
                    .chain(&row.how_to)
                    .chain(changes)
                {
                    assert!(said.ends_with('.') && !said.contains('\n'), "{said}");
                    assert!(said.len() <= 240, "{said}");
                    assert!(said.starts_with(|c: char| !c.is_lowercase()), "{said}");
                }
                if row.mark == Mark::Good {
                    assert!(row.fix.is_none() && row.how_to.is_none(), "{row:?}");
                }
            }
        });
    }

    #[test]
    fn there_are_eight_to_twenty_five_rows_on_every_pc() {
        FakePc::all(|pc| {
            let rows = ALL.iter().filter(|check| (check.look)(pc).is_some());
            let ids: Vec<_> = rows.map(|check| check.id).collect();
            // The service says nothing of who asks, and what cannot be read gives fewer rows.
            let fewest = 8 - usize::from(pc.asks()) - 2 * usize::from(pc.network.is_err());
            assert!((fewest..=25).contains(&ids.len()), "{ids:?} on {pc:?}");
        });
    }

    #[test]
    fn no_two_checks_have_one_name() {
        let ids: BTreeSet<_> = ALL.iter().map(|check| check.id).collect();
        assert_eq!(ids.len(), ALL.len());
    }
}
