//! Does the relay hear us: does UDP pass?

use super::Check;
use crate::facts::{Lookup, Pc, Probe, System};
use crate::found::{Cure, Found};
use crate::relay_place;
use std::net::{IpAddr, SocketAddr};

pub(crate) const CHECK: Check = Check {
    id: "relay",
    about: "The relay",
    look,
    is_personal: false,
};

fn look(pc: &dyn Pc) -> Option<Found> {
    let (host, port) = relay_place(&pc.party()?.relay);
    let (name, addresses) = match host.parse::<IpAddr>() {
        // An address would say where the host lives.
        Ok(ip) => ("The relay".to_owned(), vec![ip]),
        Err(_) => match pc.look_up(&host) {
            Lookup::Found(addresses) => (format!("The relay {host}"), addresses),
            // That is told already.
            Lookup::Unknown | Lookup::Silent | Lookup::Failed => return None,
        },
    };
    let addresses: Vec<_> = addresses
        .into_iter()
        .map(|ip| SocketAddr::new(ip, port))
        .collect();
    Some(match pc.probe(&addresses) {
        Probe::Answered(after) => {
            let ms = after.as_millis().max(1);
            Found::good(format!("{name} answers after {ms} ms, so UDP passes."))
        }
        Probe::Silent => Found::bad(
            format!(
                "{name} does not answer: it is down, or something on the way lets no UDP through port {port}."
            ),
            Cure::by_hand(
                "Ask the host whether others are in; if they are, try another network, such as your phone's, and look at your router's firewall.",
            ),
        ),
        Probe::Refused => Found::bad(
            format!("The machine of the relay answers, but nobody listens on its port {port}."),
            Cure::by_hand("Ask the host to start the relay, or for a new invite."),
        ),
        Probe::Blocked => Found::bad(
            format!("This computer's own firewall lets no UDP out to port {port}."),
            Cure::by_hand(allow(pc.system(), port)),
        ),
        Probe::NoRoute => Found::bad(
            format!("{name} cannot be reached: no route leads there."),
            Cure::by_hand("Connect this computer to the internet; a VPN may be in the way too."),
        ),
        Probe::Failed => Found::unseen(format!("{name} could not be asked.")),
    })
}

fn allow(system: System, port: u16) -> String {
    match system {
        System::Linux => format!(
            "Let it: `sudo ufw allow out {port}/udp`, or `sudo nft list ruleset` to see which rule drops it."
        ),
        System::Windows => format!(
            "Let softlan-vpn send UDP to port {port} in Windows' firewall, or in the security program that you use."
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::FakePc;
    use lanparty_client_control::Mark;
    use std::time::Duration;

    #[test]
    fn each_answer_is_told_apart() {
        let mut seen = std::collections::BTreeSet::new();
        for (probe, expected) in [
            (Probe::Answered(Duration::from_millis(12)), Mark::Good),
            (Probe::Silent, Mark::Bad),
            (Probe::Refused, Mark::Bad),
            (Probe::Blocked, Mark::Bad),
            (Probe::NoRoute, Mark::Bad),
            (Probe::Failed, Mark::Doubt),
        ] {
            for mut pc in FakePc::both() {
                pc.probe = probe;
                let row = look(&pc).unwrap().row(CHECK.id);
                assert_eq!(row.mark, expected);
                seen.insert(row.sentence);
            }
        }
        assert_eq!(seen.len(), 6);
    }

    #[test]
    fn a_name_that_is_not_found_is_told_once() {
        let mut pc = FakePc::linux();
        pc.lookup = Lookup::Silent;
        assert_eq!(look(&pc), None);
    }

    #[test]
    fn an_address_is_not_shown() {
        let mut pc = FakePc::linux();
        pc.party.as_mut().unwrap().relay = "203.0.113.7".into();
        let row = look(&pc).unwrap().row(CHECK.id);
        assert_eq!(row.mark, Mark::Good);
        assert!(!row.sentence.contains("203"), "{row:?}");
    }
}
