//! What a killed run left on this machine.

use super::Check;
use crate::facts::{Leftovers, Pc, Rights, System};
use crate::found::{Cure, Found};
use lanparty_client_control::{Fix, FixOffer};

pub(crate) const CHECK: Check = Check {
    id: "leftovers",
    about: "What an earlier run left",
    look,
    is_personal: false,
};

fn look(pc: &dyn Pc) -> Option<Found> {
    Some(match pc.leftovers() {
        Leftovers::Nothing => Found::good("No earlier run has left anything on this computer."),
        Leftovers::Some(count) => {
            let changes = if count == 1 { "change" } else { "changes" };
            Found::bad(
                format!("A run that was killed has left {count} {changes} on this computer."),
                cure(pc),
            )
        }
        Leftovers::Damaged => Found::bad(
            "What an earlier run wrote down about its changes is damaged.",
            Cure::by_hand(match pc.system() {
                System::Linux => "Restart the computer.",
                System::Windows => {
                    "Remove the value Restore of the key SOFTWARE\\softlan-vpn with the registry editor, and look through the network settings."
                }
            }),
        ),
        Leftovers::Hidden => {
            Found::unseen("You may not see whether an earlier run has left anything.")
        }
    })
}

fn cure(pc: &dyn Pc) -> Cure {
    let by_service = pc.service().snapshot().is_some();
    let by_itself = pc.repairs_itself() && pc.rights() == Rights::Enough;
    match (by_service || by_itself, pc.system()) {
        (true, _) => Cure::fix(FixOffer {
            fix: Fix::Repair,
            label: "Repair".to_owned(),
            changes: match pc.system() {
                System::Linux => "The routes and rules that the killed run left are removed.",
                System::Windows => "The killed run's changes are undone: adapter, routes, DNS servers, network category.",
            }
            .to_owned(),
            asks_admin: false,
        }),
        (false, System::Linux) => Cure::by_hand(
            "Start the service, or say `sudo lanparty-client doctor --fix`; joining a party repairs it too.",
        ),
        (false, System::Windows) => {
            Cure::by_hand("Start the service, or `lanparty-client repair` as administrator.")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Hindrance, Service};
    use crate::fake::FakePc;
    use lanparty_client_control::Mark;

    #[test]
    fn they_are_repaired_by_whoever_can() {
        for mut pc in FakePc::both() {
            let row = |pc: &FakePc| look(pc).unwrap().row(CHECK.id);
            assert_eq!(row(&pc).mark, Mark::Good);
            pc.leftovers = Leftovers::Some(3);
            assert_eq!(row(&pc).fix.unwrap().fix, Fix::Repair);
            pc.service = Service::Absent;
            assert_eq!(row(&pc).fix, None);
            assert!(row(&pc).how_to.is_some());
            (pc.rights, pc.repairs_itself) = (Rights::Enough, true);
            assert_eq!(row(&pc).fix.unwrap().fix, Fix::Repair);
            pc.rights = Rights::Missing(Hindrance::Ordinary);
            assert_eq!(row(&pc).fix, None);
        }
    }

    #[test]
    fn what_nobody_may_see_is_a_doubt() {
        let mut pc = FakePc::windows();
        pc.leftovers = Leftovers::Hidden;
        assert_eq!(look(&pc).unwrap().row(CHECK.id).mark, Mark::Doubt);
    }
}
