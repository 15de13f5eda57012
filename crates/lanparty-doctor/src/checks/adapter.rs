//! The party's adapter: is it there, is it up, has it an address that the LAN gave?

use super::{Check, is_anybodys, lease, renew_address, reset_adapter};
use crate::facts::{Interface, Pc, Prefix, System};
use crate::found::{Cure, Found};
use lanparty_client_control::State;
use std::net::IpAddr;

pub(crate) const CHECK: Check = Check {
    id: "adapter",
    about: "The party's adapter",
    look,
    is_personal: false,
};

const REJOIN: &str = "Leave the party and join it again.";

fn look(pc: &dyn Pc) -> Option<Found> {
    let network = pc.network().ok()?;
    let state = pc.service().snapshot().map(|snapshot| snapshot.state);
    let adapter = network.party();
    // On Windows it stays while nobody is at a party; elsewhere a run of its own shows by it.
    let is_played = match state {
        Some(state) => state.is_session() && state != State::CannotConnect,
        None => pc.system() == System::Linux && adapter.is_some(),
    };
    match (adapter, is_played) {
        (None, true) if state == Some(State::Connecting) => None,
        (None, true) => Some(Found::bad("The party's adapter is gone.", cure(pc))),
        (None, false) => None,
        (Some(adapter), false) => Some(Found::good(format!(
            "The adapter {} waits for a party.",
            adapter.name
        ))),
        (Some(adapter), true) => Some(at_the_party(pc, adapter, state)),
    }
}

fn cure(pc: &dyn Pc) -> Cure {
    reset_adapter(pc).map_or_else(|| Cure::by_hand(REJOIN), Cure::fix)
}

fn at_the_party(pc: &dyn Pc, adapter: &Interface, state: Option<State>) -> Found {
    let name = &adapter.name;
    // It is set up in the room, not before.
    if !adapter.is_up && state == Some(State::Connecting) {
        return Found::good(format!("The adapter {name} waits for the party."));
    }
    if !adapter.is_up {
        return Found::bad(
            format!("Somebody has set the adapter {name} down."),
            cure(pc),
        );
    }
    let renew = || renew_address(pc).map_or_else(|| Cure::by_hand(REJOIN), Cure::fix);
    let ipv4 = adapter.addresses.iter().filter(|a| a.ip.is_ipv4());
    let (made_up, given): (Vec<Prefix>, Vec<Prefix>) = ipv4.partition(|a| is_made_up(a.ip));
    match (given.first(), made_up.first()) {
        (Some(address), _) => managed(pc, adapter, address.ip),
        (None, Some(_)) => Found::doubt(format!(
            "No DHCP server on the party's LAN gives an address that this PC can use, so {name} has given itself an address, which reaches others who have done the same."
        ))
        .cured(renew_address(pc).map_or_else(|| Cure::by_hand(free_address(pc)), Cure::fix)),
        // A run without a service does not say how far it is.
        (None, None) if state != Some(State::Connected) => {
            let sentence = format!("The adapter {name} has no address on the party's LAN yet.");
            match state {
                Some(_) => Found::doubt(sentence),
                None => Found::doubt(sentence).cured(renew()),
            }
        }
        (None, None) => Found::bad(
            format!("The adapter {name} has no address on the party's LAN."),
            renew(),
        ),
    }
}

/// What helps where nobody gives addresses; joining again would bring the same.
fn free_address(pc: &dyn Pc) -> &'static str {
    match pc.system() {
        System::Linux => {
            "Ask the host whether the LAN has a DHCP server, or for a free address, and give that with --address."
        }
        System::Windows => "Ask the host whether the LAN has a DHCP server.",
    }
}

fn managed(pc: &dyn Pc, adapter: &Interface, ip: IpAddr) -> Found {
    let Interface {
        name, managed_by, ..
    } = adapter;
    let address = match is_anybodys(ip) {
        true => format!("the address {ip}"),
        false => "an address".to_owned(),
    };
    match managed_by {
        None => Found::good(format!(
            "The adapter {name} is up and has {address}{}.",
            lease::end_of_sentence(pc)
        )),
        Some(manager) => Found::doubt(format!(
            "The adapter {name} has {address}, but {manager} sees to it too and may change it."
        ))
        .cured(Cure::by_hand(match manager.as_str() {
            "NetworkManager" => format!("Say `nmcli device set {name} managed no`."),
            _ => format!("Tell {manager} to leave {name} alone."),
        })),
    }
}

/// RFC 3927.
fn is_made_up(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V4(ip) if ip.is_link_local())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Service;
    use crate::fake::{FakePc, prefix, snapshot};
    use lanparty_client_control::{Fix, Mark, Row};

    fn row(pc: &FakePc) -> Row {
        look(pc).unwrap().row(CHECK.id)
    }

    fn adapter(pc: &mut FakePc) -> &mut Interface {
        let mut interfaces = pc.network.as_mut().unwrap().interfaces.iter_mut();
        interfaces.find(|interface| interface.is_party).unwrap()
    }

    #[test]
    fn one_that_is_up_with_an_address_is_good() {
        for pc in FakePc::both() {
            let row = row(&pc);
            assert_eq!(row.mark, Mark::Good);
            assert!(row.sentence.contains("192.168.50.17"), "{row:?}");
        }
    }

    #[test]
    fn a_made_up_address_can_be_asked_for_again() {
        for mut pc in FakePc::both() {
            adapter(&mut pc).addresses = vec![prefix("169.254.7.7/16")];
            let made_up = row(&pc);
            assert_eq!(made_up.mark, Mark::Doubt);
            assert_eq!(made_up.fix.unwrap().fix, Fix::RenewAddress);
            adapter(&mut pc).addresses.clear();
            assert_eq!(row(&pc).mark, Mark::Bad);
            pc.service = snapshot(State::WaitingForGateway);
            assert_eq!(row(&pc).mark, Mark::Doubt);
        }
    }

    #[test]
    fn one_that_is_down_or_gone_is_set_up_again() {
        for mut pc in FakePc::both() {
            adapter(&mut pc).is_up = false;
            assert_eq!(row(&pc).fix.unwrap().fix, Fix::ResetAdapter);
            pc.network
                .as_mut()
                .unwrap()
                .interfaces
                .retain(|i| !i.is_party);
            assert_eq!(row(&pc).fix.unwrap().fix, Fix::ResetAdapter);
            pc.service = snapshot(State::NotConnected);
            assert_eq!(look(&pc), None);
        }
    }

    #[test]
    fn one_that_is_not_set_up_yet_is_nobodys_fault() {
        for mut pc in FakePc::both() {
            pc.service = snapshot(State::Connecting);
            adapter(&mut pc).is_up = false;
            assert_eq!(row(&pc).mark, Mark::Good);
        }
    }

    #[test]
    fn a_run_without_a_service_is_told_what_to_do_by_hand() {
        let mut pc = FakePc::linux();
        pc.service = Service::Absent;
        adapter(&mut pc).is_up = false;
        let row = row(&pc);
        assert!(row.fix.is_none() && row.how_to.is_some(), "{row:?}");
    }

    #[test]
    fn another_manager_is_a_doubt() {
        let mut pc = FakePc::linux();
        adapter(&mut pc).managed_by = Some("NetworkManager".into());
        assert_eq!(row(&pc).mark, Mark::Doubt);
    }
}
