//! Does the relay hear us: does UDP pass?

use super::Check;
use crate::facts::{Lookup, Pc, Probe, Probes, System, TcpOutcome};
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
    let probes = pc.probe(&addresses);
    let best = probes.best();
    if let Some(found) = by_tcp_alone(pc, &name, port, best) {
        return Some(found);
    }
    Some(match best {
        Probe::Answered(_) => Found::good(format!("{name} answers {}.", by_families(probes))),
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

/// Where UDP does not pass and TCP does, the party comes all the same.
fn by_tcp_alone(pc: &dyn Pc, name: &str, port: u16, udp: Probe) -> Option<Found> {
    let cure = match udp {
        Probe::Silent | Probe::Refused => {
            format!(
                "Try another network, or let UDP to port {port} out where your router or its network keeps it back."
            )
        }
        Probe::Blocked => allow(pc.system(), port),
        Probe::Answered(_) | Probe::NoRoute | Probe::Failed => return None,
    };
    let is_open = matches!(pc.tcp()?.outcome, TcpOutcome::Open(_));
    is_open.then(|| {
        Found::doubt(format!(
            "{name} answers by TCP, and no UDP gets through port {port}: the party works, and games stutter when packets get lost."
        ))
        .cured(Cure::by_hand(cure))
    })
}

/// Of each family that the relay has.
fn by_families(probes: Probes) -> String {
    let of = |family: &str, probe: Option<Probe>| match probe {
        Some(Probe::Answered(after)) => {
            Some(format!("after {} ms by {family}", after.as_millis().max(1)))
        }
        _ => None,
    };
    let fails = |family: &str, probe: Option<Probe>| {
        let why = match probe? {
            Probe::Answered(_) => return None,
            Probe::NoRoute => "no route leads there",
            Probe::Refused => "nobody listens there",
            Probe::Blocked => "this computer's firewall",
            Probe::Silent | Probe::Failed => "no answer",
        };
        Some(format!("; not by {family} ({why})"))
    };
    let both = [("IPv4", probes.four), ("IPv6", probes.six)];
    let good: Vec<_> = both
        .iter()
        .filter_map(|&(name, probe)| of(name, probe))
        .collect();
    let bad: String = both
        .iter()
        .filter_map(|&(name, probe)| fails(name, probe))
        .collect();
    format!("{}, so UDP passes{bad}", good.join(" and "))
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
                pc.probe6 = probe;
                pc.tcp = None;
                let row = look(&pc).unwrap().row(CHECK.id);
                assert_eq!(row.mark, expected);
                seen.insert(row.sentence);
            }
        }
        assert_eq!(seen.len(), 6);
    }

    #[test]
    fn each_family_is_told_and_tcp_alone_is_a_doubt() {
        let said = |pc: &FakePc| look(pc).unwrap().row(CHECK.id);
        let mut pc = FakePc::linux();
        let both = "answers after 12 ms by IPv4 and after 13 ms by IPv6, so UDP passes.";
        assert!(said(&pc).sentence.ends_with(both), "{:?}", said(&pc));
        pc.probe6 = Probe::NoRoute;
        let one = "after 12 ms by IPv4, so UDP passes; not by IPv6 (no route leads there).";
        assert!(said(&pc).sentence.ends_with(one), "{:?}", said(&pc));
        for probe in [Probe::Silent, Probe::Refused, Probe::Blocked] {
            pc.probe = probe;
            let row = said(&pc);
            assert_eq!(row.mark, Mark::Doubt);
            assert!(
                row.sentence.contains("by TCP") && row.how_to.is_some(),
                "{row:?}"
            );
        }
        pc.tcp.as_mut().unwrap().outcome = TcpOutcome::Silent;
        assert_eq!(said(&pc).mark, Mark::Bad);
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
