//! Where the invite names several relays: which of them hear us? The party goes on at another one when its relay fails.

use super::Check;
use crate::facts::{Pc, Probe, RelaySeen, TcpOutcome};
use crate::found::{Cure, Found};

pub(crate) const CHECK: Check = Check {
    id: "relays",
    about: "The relays of the invite",
    look,
    is_personal: false,
};

/// Longer names of regions are cut, so that five of them are a sentence.
const MAX_REGION: usize = 16;

fn look(pc: &dyn Pc) -> Option<Found> {
    let relays = pc.relays();
    let count = relays.len();
    if count < 2 {
        return None;
    }
    let good = relays.iter().filter(|relay| answers(relay)).count();
    let all: Vec<_> = relays.iter().map(|relay| one(pc, relay)).collect();
    let all = all.join("; ");
    let found = match good {
        _ if good == count => {
            Found::good(format!("All {count} relays of the invite answer ({all})."))
        }
        0 => none(pc, count, &all),
        good => Found::doubt(format!(
            "{good} of the {count} relays of the invite answer ({all}): the party survives less."
        ))
        .cured(Cure::by_hand(
            "Play on; if it stays so, tell the host, who can name another relay in a new invite.",
        )),
    };
    let names = relays.iter().filter_map(|relay| {
        let name = relay.name.as_ref()?;
        Some(format!("relay {} is {name}", relay.number))
    });
    Some(found.detailed(names.collect()))
}

fn answers(relay: &RelaySeen) -> bool {
    matches!(relay.probe, Some(Probe::Answered(_)))
}

fn none(pc: &dyn Pc, count: usize, all: &str) -> Found {
    let is_open = pc
        .tcp()
        .is_some_and(|tcp| matches!(tcp.outcome, TcpOutcome::Open(_)));
    match is_open {
        true => Found::doubt(format!(
            "None of the {count} relays of the invite answers by UDP ({all}); the first one does by TCP, so the party works."
        ))
        .cured(Cure::by_hand(
            "Try another network, or let UDP out where your router or its network keeps it back.",
        )),
        false => Found::bad(
            format!("None of the {count} relays of the invite answers ({all})."),
            Cure::by_hand(
                "Ask the host whether others are in; if they are, try another network, such as your phone's, and look at your router's firewall.",
            ),
        ),
    }
}

/// `2: 24 ms, Paris`, or why not. An address would say where the host lives.
fn one(pc: &dyn Pc, relay: &RelaySeen) -> String {
    let number = relay.number;
    let answer = match relay.probe {
        Some(Probe::Answered(after)) => format!("{} ms", after.as_millis().max(1)),
        Some(Probe::Silent | Probe::Failed) => "no answer".to_owned(),
        Some(Probe::Refused) => "nobody listens".to_owned(),
        Some(Probe::Blocked) => "blocked here".to_owned(),
        Some(Probe::NoRoute) => "no route".to_owned(),
        None => "name not found".to_owned(),
    };
    match region(pc, number) {
        Some(region) => format!("{number}: {answer}, {region}"),
        None => format!("{number}: {answer}"),
    }
}

/// As the relay has said that the party is at.
fn region(pc: &dyn Pc, number: usize) -> Option<String> {
    let service = pc.service();
    let place = service.snapshot()?.place.as_ref()?;
    let region = place.region.as_ref()?;
    (place.number == Some(number)).then(|| region.chars().take(MAX_REGION).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::FakePc;
    use lanparty_client_control::{Mark, RelayPlace, Row};
    use std::time::Duration;

    fn said(pc: &FakePc) -> Row {
        look(pc).unwrap().row(CHECK.id)
    }

    fn after(ms: u64) -> Option<Probe> {
        Some(Probe::Answered(Duration::from_millis(ms)))
    }

    #[test]
    fn of_one_relay_there_is_no_row() {
        let mut pc = FakePc::linux();
        assert_eq!(look(&pc), None);
        pc.relays = vec![after(12)];
        assert_eq!(look(&pc), None);
    }

    #[test]
    fn all_some_or_none_answer() {
        let mut pc = FakePc::linux();
        pc.relays = vec![after(12), after(24), after(0)];
        let row = said(&pc);
        assert_eq!(row.mark, Mark::Good);
        assert_eq!(
            row.sentence,
            "All 3 relays of the invite answer (1: 12 ms; 2: 24 ms; 3: 1 ms)."
        );
        assert_eq!(row.details[1], "relay 2 is relay2.example.net");
        pc.relays = vec![after(12), None, Some(Probe::Silent)];
        let row = said(&pc);
        assert_eq!(row.mark, Mark::Doubt);
        assert!(row.sentence.starts_with("1 of the 3 relays"), "{row:?}");
        assert!(row.sentence.contains("2: name not found; 3: no answer"));
        assert!(row.sentence.ends_with("the party survives less.") && row.how_to.is_some());
        pc.relays = vec![Some(Probe::Silent), Some(Probe::Refused)];
        assert_eq!(said(&pc).mark, Mark::Doubt, "by TCP");
        pc.tcp = None;
        assert_eq!(said(&pc).mark, Mark::Bad);
    }

    #[test]
    fn the_region_of_the_one_where_the_party_is_stands_beside_it() {
        let mut pc = FakePc::linux();
        pc.relays = vec![after(12), after(24)];
        pc.place(RelayPlace {
            number: Some(2),
            of: 2,
            region: Some("Paris, where the cheese is".to_owned()),
            ..RelayPlace::default()
        });
        let row = said(&pc);
        assert!(
            row.sentence.contains("2: 24 ms, Paris, where the)"),
            "{row:?}"
        );
    }
}
