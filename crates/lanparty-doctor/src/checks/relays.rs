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
    let all = pc.relays();
    if all.len() < 2 {
        return None;
    }
    let (relays, of_fleet): (Vec<_>, Vec<_>) =
        all.into_iter().partition(|relay| relay.number.is_some());
    let count = relays.len();
    let good = relays.iter().filter(|relay| answers(relay)).count();
    let all = relays.iter().chain(&of_fleet);
    let all: Vec<_> = all.map(|relay| one(pc, relay)).collect();
    let all = all.join("; ");
    let party_answers = of_fleet.iter().any(answers);
    let found = match good {
        _ if good == count && (party_answers || of_fleet.is_empty()) => {
            Found::good(format!("{} ({all}).", all_answer(count)))
        }
        _ if good == count => Found::doubt(format!(
            "{}, but not the one where the party is ({all}).",
            all_answer(count)
        ))
        .cured(Cure::by_hand(
            "Play on if the party works; if not, leave it and join it again, and tell the host if it stays so.",
        )),
        0 if party_answers => Found::doubt(format!("{} ({all}).", none_answers(count)))
            .cured(Cure::by_hand(
                "Play on where the party is; tell the host if it stays so, as nobody else finds it.",
            )),
        0 => none(pc, count, &all),
        good => Found::doubt(format!(
            "{good} of the {count} relays of the invite answer ({all}): the party survives less."
        ))
        .cured(Cure::by_hand(
            "Play on; if it stays so, tell the host, who can name another relay in a new invite.",
        )),
    };
    let names = relays.iter().chain(&of_fleet).filter_map(|relay| {
        let name = relay.name.as_ref()?;
        Some(match relay.number {
            Some(number) => format!("relay {number} is {name}"),
            None => format!("the party is at {name}"),
        })
    });
    Some(found.detailed(names.collect()))
}

pub(super) fn answers(relay: &RelaySeen) -> bool {
    matches!(relay.probe, Some(Probe::Answered(_)))
}

fn all_answer(count: usize) -> String {
    match count {
        1 => "The relay of the invite answers".to_owned(),
        _ => format!("All {count} relays of the invite answer"),
    }
}

fn none_answers(count: usize) -> String {
    match count {
        1 => "The relay of the invite does not answer".to_owned(),
        _ => format!("None of the {count} relays of the invite answers"),
    }
}

/// Neither one of the invite's answers nor one of a fleet: that is this network's doing more likely than theirs.
fn none(pc: &dyn Pc, count: usize, all: &str) -> Found {
    let is_open = pc
        .tcp()
        .is_some_and(|tcp| matches!(tcp.outcome, TcpOutcome::Open(_)));
    let none = none_answers(count);
    match is_open {
        true => Found::doubt(format!(
            "{none} by UDP ({all}); {} does by TCP, so the party works.",
            if count == 1 { "it" } else { "the first one" }
        ))
        .cured(Cure::by_hand(
            "Try another network, or let UDP out where your router or its network keeps it back.",
        )),
        false => Found::bad(
            format!("{none} ({all})."),
            Cure::by_hand(
                "Ask the host whether others are in; if they are, try another network, such as your phone's, and look at your router's firewall.",
            ),
        ),
    }
}

/// What is said of one of the invite's, or of that where the party is.
fn one(pc: &dyn Pc, relay: &RelaySeen) -> String {
    let which = match relay.number {
        Some(number) => number.to_string(),
        None => "where the party is".to_owned(),
    };
    let region = relay.region.clone();
    answer(
        &which,
        relay,
        region.or_else(|| region_of(pc, relay.number)),
    )
}

/// `2: 24 ms, Paris`, or why not. An address would say where the host lives.
pub(super) fn answer(which: &str, relay: &RelaySeen, region: Option<String>) -> String {
    let answer = match relay.probe {
        Some(Probe::Answered(after)) => format!("{} ms", after.as_millis().max(1)),
        Some(Probe::Silent | Probe::Failed) => "no answer".to_owned(),
        Some(Probe::Refused) => "nobody listens".to_owned(),
        Some(Probe::Blocked) => "blocked here".to_owned(),
        Some(Probe::NoRoute) => "no route".to_owned(),
        None => "name not found".to_owned(),
    };
    match region {
        Some(region) => {
            let region: String = region.chars().take(MAX_REGION).collect();
            format!("{which}: {answer}, {region}")
        }
        None => format!("{which}: {answer}"),
    }
}

/// As the relay has said that the party is at: one that cannot be asked by UDP.
fn region_of(pc: &dyn Pc, number: Option<usize>) -> Option<String> {
    let service = pc.service();
    let place = service.place_of(&pc.party()?)?;
    let region = place.region.as_ref()?;
    (place.number == number).then(|| region.clone())
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
    fn each_one_that_says_where_it_is_is_shown_with_it() {
        let mut pc = FakePc::linux();
        pc.relays = vec![after(12), after(24), Some(Probe::Silent)];
        pc.regions = [(1, "Paris".to_owned()), (2, "Oslo".to_owned())].into();
        let row = said(&pc);
        assert!(
            row.sentence
                .contains("(1: 12 ms, Paris; 2: 24 ms, Oslo; 3: no answer)"),
            "{row:?}"
        );
    }

    #[test]
    fn the_one_of_a_fleet_at_which_the_party_is_is_told_of_too() {
        let mut pc = FakePc::linux();
        pc.of_fleet = after(31);
        pc.relays = vec![after(12)];
        pc.regions = [(1, "Paris".to_owned())].into();
        let row = said(&pc);
        assert_eq!(row.mark, Mark::Good);
        assert_eq!(
            row.sentence,
            "The relay of the invite answers (1: 12 ms, Paris; where the party is: 31 ms, Vienna)."
        );
        assert_eq!(row.details[1], "the party is at r7.example.net");
        pc.relays = vec![after(12), Some(Probe::Silent)];
        let row = said(&pc);
        assert!(row.sentence.starts_with("1 of the 2 relays"), "{row:?}");
        assert!(row.sentence.contains("party is: 31 ms, Vienna)"), "{row:?}");
        pc.relays = vec![Some(Probe::Silent)];
        pc.regions.clear();
        let row = said(&pc);
        assert_eq!(row.mark, Mark::Doubt);
        assert!(
            row.sentence
                .contains("does not answer (1: no answer; where the party is: 31"),
            "{row:?}"
        );
    }

    #[test]
    fn a_silent_one_where_the_party_is_is_a_doubt() {
        let mut pc = FakePc::linux();
        pc.of_fleet = Some(Probe::Silent);
        pc.relays = vec![after(12)];
        let row = said(&pc);
        assert_eq!(row.mark, Mark::Doubt);
        assert_eq!(
            row.sentence,
            "The relay of the invite answers, but not the one where the party is (1: 12 ms; where the party is: no answer, Vienna)."
        );
        assert!(row.how_to.is_some());
        pc.relays = vec![after(12), after(24)];
        let row = said(&pc);
        assert_eq!(row.mark, Mark::Doubt);
        assert!(
            row.sentence
                .starts_with("All 2 relays of the invite answer, but not"),
            "{row:?}"
        );
    }

    #[test]
    fn where_no_udp_gets_out_the_one_relay_is_not_to_blame() {
        let mut pc = FakePc::linux();
        pc.of_fleet = Some(Probe::Silent);
        pc.relays = vec![Some(Probe::Silent)];
        let row = said(&pc);
        assert_eq!(row.mark, Mark::Doubt);
        assert!(
            row.sentence
                .starts_with("The relay of the invite does not answer by UDP (1: no")
                && row
                    .sentence
                    .ends_with("it does by TCP, so the party works."),
            "{row:?}"
        );
        let how_to = row.how_to.unwrap();
        assert!(how_to.starts_with("Try another network"), "{how_to}");
        pc.tcp = None;
        assert_eq!(said(&pc).mark, Mark::Bad);
        // Where the other one answers by UDP, it is the relays'.
        pc.of_fleet = after(31);
        pc.relays = vec![Some(Probe::Silent), Some(Probe::Silent)];
        let row = said(&pc);
        assert_eq!(row.mark, Mark::Doubt);
        assert!(row.how_to.unwrap().starts_with("Play on where the party"));
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
        // Not beside another party's.
        pc.party.as_mut().unwrap().room = "MONDAY".to_owned();
        assert!(said(&pc).sentence.contains("2: 24 ms)"));
    }
}
