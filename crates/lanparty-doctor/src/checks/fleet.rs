//! Where the relay's name leads to several machines, as a fleet's does: which of them hear us? The party may be at any of them next.

use super::Check;
use super::relays::{answer, answers};
use crate::facts::Pc;
use crate::found::{Cure, Found};

pub(crate) const CHECK: Check = Check {
    id: "fleet",
    about: "The addresses of the relay's name",
    look,
    is_personal: false,
};

fn look(pc: &dyn Pc) -> Option<Found> {
    let machines = pc.machines();
    let count = machines.len();
    let good = machines.iter().filter(|machine| answers(machine)).count();
    // That nobody answers is the relay's row.
    if count < 2 || good == 0 {
        return None;
    }
    let all = machines
        .iter()
        .zip(1..)
        .map(|(machine, number)| answer(&format!("{number}"), machine, machine.region.clone()));
    let all = all.collect::<Vec<_>>().join("; ");
    Some(match good {
        _ if good == count => Found::good(format!(
            "All {count} addresses of the relay's name answer ({all})."
        )),
        _ => Found::doubt(format!(
            "{good} of the {count} addresses of the relay's name answer ({all}): the party survives less."
        ))
        .cured(Cure::by_hand(
            "Play on; if it stays so, tell the host, so that the relay's operator looks after the others.",
        )),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Probe;
    use crate::fake::FakePc;
    use lanparty_client_control::{Mark, Row};
    use std::time::Duration;

    fn said(pc: &FakePc) -> Row {
        look(pc).unwrap().row(CHECK.id)
    }

    fn after(ms: u64) -> Option<Probe> {
        Some(Probe::Answered(Duration::from_millis(ms)))
    }

    #[test]
    fn of_a_name_with_one_address_there_is_no_row() {
        let mut pc = FakePc::linux();
        assert_eq!(look(&pc), None);
        pc.machines = vec![(after(12), None)];
        assert_eq!(look(&pc), None);
    }

    #[test]
    fn each_machine_is_shown_with_its_round_trip_and_where_it_is() {
        let mut pc = FakePc::linux();
        let at = |region: &str| Some(region.to_owned());
        pc.machines = vec![
            (after(12), at("Paris")),
            (after(24), None),
            (after(0), at("Oslo, beside the very old harbour")),
        ];
        let row = said(&pc);
        assert_eq!(row.mark, Mark::Good);
        assert_eq!(
            row.sentence,
            "All 3 addresses of the relay's name answer (1: 12 ms, Paris; 2: 24 ms; 3: 1 ms, Oslo, beside the)."
        );
        pc.machines[1].0 = Some(Probe::Silent);
        let row = said(&pc);
        assert_eq!(row.mark, Mark::Doubt);
        assert!(
            row.sentence.starts_with("2 of the 3 addresses")
                && row.sentence.contains("2: no answer;"),
            "{row:?}"
        );
        assert!(row.how_to.is_some());
    }

    #[test]
    fn that_no_machine_answers_is_the_relays_row() {
        let mut pc = FakePc::linux();
        pc.machines = vec![(Some(Probe::Silent), None); 3];
        assert_eq!(look(&pc), None);
    }
}
