//! The service that owns the session: is it there, does it run, may this user use it, is it this version's?

use super::Check;
use crate::facts::{Pc, Service, System};
use crate::found::{Cure, Found};
use lanparty_client_control::{Fix, FixOffer};

pub(crate) const CHECK: Check = Check {
    id: "service",
    about: "The service",
    look,
    is_personal: true,
};

fn look(pc: &dyn Pc) -> Option<Found> {
    Some(match pc.service() {
        Service::Asks(_) => return None,
        Service::Answers(snapshot) if snapshot.program == pc.program() => {
            Found::good(format!("The service runs, version {}.", snapshot.program))
        }
        Service::Answers(snapshot) => Found::doubt(format!(
            "The service is version {} and this program is {}, so they may misunderstand each other.",
            snapshot.program,
            pc.program()
        ))
        .cured(restart(pc)),
        Service::Stopped => Found::bad(
            "The service does not run, so no party can be joined by it.",
            Cure::fix(start()),
        ),
        Service::Absent => {
            Found::doubt("The service is not installed, so each start needs an administrator's rights.")
                .cured(Cure::by_hand(match pc.system() {
                    System::Linux => "Install the package lanparty-client.",
                    System::Windows => "Run softlan-vpn's installer.",
                }))
        }
        Service::Forbidden => forbidden(pc),
        Service::Impostor(_) => Found::bad(
            "Another program answers in the service's place.",
            Cure::by_hand(AGAINST_IMPOSTORS),
        ),
        Service::Silent => {
            Found::bad("The service does not answer.", restart(pc))
        }
        Service::Strange => Found::bad(
            "The service says what this version does not understand.",
            restart(pc),
        ),
    })
}

/// What helps when another program answers in the service's place.
pub const AGAINST_IMPOSTORS: &str =
    "Restart the computer; if it is still so then, look for programs that you do not know.";

fn start() -> FixOffer {
    FixOffer {
        fix: Fix::StartService,
        label: "Start the service".to_owned(),
        changes: "The service is started now, and undoes what a killed run may have left."
            .to_owned(),
        asks_admin: true,
    }
}

fn restart(pc: &dyn Pc) -> Cure {
    let offer = FixOffer {
        fix: Fix::RestartService,
        label: "Restart the service".to_owned(),
        changes:
            "The service is ended and started anew; a party that it is in is left for that moment."
                .to_owned(),
        asks_admin: true,
    };
    Cure::fix(offer).or_by_hand(match pc.system() {
        System::Linux => {
            "Restart it with `sudo systemctl restart lanparty-client`, or install the package anew."
        }
        System::Windows => "Restart the computer, or run softlan-vpn's installer again.",
    })
}

/// What there is to say to who may not use it.
pub(crate) fn forbidden(pc: &dyn Pc) -> Found {
    let user = pc.user();
    if user.is_admitted {
        return Found::bad(
            "You may use the service, but only from your next login on.",
            Cure::by_hand("Log out of this computer and in again."),
        );
    }
    let sentence = "You may not use the service yet.";
    match (pc.system(), &user.name) {
        (System::Linux, Some(name)) if user.can_ask_admin => {
            Found::bad(sentence, Cure::fix(permit(name)))
        }
        (System::Linux, Some(name)) => Found::bad(
            sentence,
            Cure::by_hand(format!(
                "Have an administrator say `sudo usermod -aG lanparty {name}`, then log in again."
            )),
        ),
        (System::Linux, None) => Found::bad(
            sentence,
            Cure::by_hand(
                "Your account is not in this computer's own list: ask whoever keeps your accounts to put it into the \
                 group lanparty, then log in again.",
            ),
        ),
        (System::Windows, _) => Found::bad(
            sentence,
            Cure::by_hand("Log in at this computer itself, or run softlan-vpn's installer again."),
        ),
    }
}

fn permit(name: &str) -> FixOffer {
    FixOffer {
        fix: Fix::Permit,
        label: "Let me use it".to_owned(),
        changes: format!(
            "The account {name} joins this computer's group lanparty, whose members may join and leave parties; it \
             counts from your next login on."
        ),
        asks_admin: true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::User;
    use crate::fake::FakePc;
    use lanparty_client_control::{Mark, Row, Snapshot};

    fn row(pc: &FakePc) -> Row {
        look(pc).unwrap().row(CHECK.id)
    }

    #[test]
    fn one_that_runs_is_good_and_another_version_is_a_doubt() {
        for mut pc in FakePc::both() {
            assert_eq!(row(&pc).mark, Mark::Good);
            pc.service = Service::Answers(Box::new(Snapshot::idle("0.0.9")));
            let row = row(&pc);
            assert_eq!(row.mark, Mark::Doubt);
            assert!(row.sentence.contains("0.0.9"), "{row:?}");
        }
    }

    #[test]
    fn one_that_is_stopped_can_be_started() {
        for mut pc in FakePc::both() {
            pc.service = Service::Stopped;
            let fix = row(&pc).fix.unwrap();
            assert_eq!((fix.fix, fix.asks_admin), (Fix::StartService, true));
        }
    }

    /// Starting one that runs changes nothing.
    #[test]
    fn one_that_does_not_answer_as_it_should_is_restarted() {
        for mut pc in FakePc::both() {
            for service in [Service::Silent, Service::Strange] {
                pc.service = service;
                let row = row(&pc);
                assert_eq!(row.fix.unwrap().fix, Fix::RestartService);
                assert!(row.how_to.is_some());
            }
            pc.service = Service::Impostor("evil".into());
            let row = row(&pc);
            assert_eq!(
                (row.fix, row.how_to.as_deref()),
                (None, Some(AGAINST_IMPOSTORS))
            );
        }
    }

    #[test]
    fn who_may_not_use_it_is_let_in_or_told_how() {
        let mut pc = FakePc::linux();
        pc.service = Service::Forbidden;
        let fix = row(&pc).fix.unwrap();
        assert_eq!(fix.fix, Fix::Permit);
        assert!(fix.changes.contains("alice"), "{fix:?}");
        pc.user.can_ask_admin = false;
        assert!(
            row(&pc)
                .how_to
                .unwrap()
                .contains("usermod -aG lanparty alice")
        );
        pc.user.is_admitted = true;
        assert!(row(&pc).how_to.unwrap().contains("Log out"));
        pc.user = User {
            can_ask_admin: true,
            ..User::default()
        };
        let elsewhere = row(&pc);
        assert_eq!(elsewhere.fix, None, "usermod knows no such account");
        assert!(elsewhere.how_to.unwrap().contains("keeps your accounts"));
    }

    #[test]
    fn the_service_does_not_look_at_itself() {
        let mut pc = FakePc::linux();
        pc.service = Service::Asks(Box::new(Snapshot::idle("0.1.0")));
        assert_eq!(look(&pc), None);
    }
}
