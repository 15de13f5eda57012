//! This PC's own firewall: does it hide games that the player hosts?

use super::{Check, reset_adapter};
use crate::facts::{Firewall, Pc, Profile, Rights};
use crate::found::{Cure, Found};
use lanparty_client_control::{Fix, FixOffer};

pub(crate) const CHECK: Check = Check {
    id: "firewall",
    about: "The firewall",
    look,
    is_personal: false,
};

fn look(pc: &dyn Pc) -> Option<Found> {
    Some(match pc.firewall() {
        Firewall::Unseen => Found::good("No firewall that would hide your games is in sight."),
        Firewall::LetsTheParty(name) => {
            Found::good(format!("The firewall ({name}) lets the party's games through."))
        }
        Firewall::Choosy(name) => Found::good(format!(
            "The firewall ({name}) lets most through; whether games come through it is tried at a party."
        )),
        Firewall::Strict(name) => Found::doubt(format!(
            "The firewall ({name}) is on: you can join others' games, but it may hide those that you host."
        ))
        .cured(cure(pc).unwrap_or_else(|| Cure::by_hand(allow(&name, &adapter(pc))))),
        Firewall::Profile(Profile::None) => {
            Found::good("The party's adapter is in no network now, so the firewall does not matter.")
        }
        Firewall::Profile(Profile::InForce) => {
            Found::good("The firewall treats the party's network as a private one: games get through.")
        }
        Firewall::Profile(Profile::Public) => Found::doubt(
            "Windows takes the party's network for a public one, so its firewall hides the games that you host.",
        )
        .cured(reset_adapter(pc).map_or_else(
            || Cure::by_hand("Make the party's network a private one in Windows' network settings."),
            Cure::fix,
        )),
        Firewall::Profile(Profile::NotInForce) => Found::doubt(
            "The party's network is a private one, but the firewall does not use its private profile and may hide your games.",
        )
        .cured(Cure::by_hand("Look into the settings of Windows' firewall, or of your security program.")),
        Firewall::Unknown => Found::unseen("The firewall cannot be asked."),
    })
}

/// What lets the party through a firewall that may be in its way.
pub(super) fn cure(pc: &dyn Pc) -> Option<Cure> {
    let (Firewall::Strict(name) | Firewall::Choosy(name)) = pc.firewall() else {
        return None;
    };
    let by_hand = allow(&name, &adapter(pc));
    Some(match offer(pc, &name) {
        Some(offer) => Cure::fix(offer).or_by_hand(by_hand),
        None => Cure::by_hand(by_hand),
    })
}

/// What is done when a person asks for it, by whoever has the rights.
fn offer(pc: &dyn Pc, name: &str) -> Option<FixOffer> {
    let network = pc.network().ok()?;
    let adapter = &network.party()?.name;
    let is_program = matches!(name, "ufw" | "firewalld");
    let service = pc.service();
    let plays = service.snapshot().is_some_and(|s| s.state.is_session());
    let can = match is_program {
        true => pc.user().can_ask_admin,
        false => plays || pc.rights() == Rights::Enough,
    };
    can.then(|| FixOffer {
        fix: Fix::LetPartyThrough,
        label: "Let the party through".to_owned(),
        changes: match name {
            "ufw" => format!("The firewall ufw gets the rule `allow in on {adapter}`, which stays."),
            "firewalld" => format!("The firewall firewalld takes {adapter} into its zone \"trusted\", until it is reloaded."),
            _ => format!(
                "Each chain of {name} that may keep {adapter} away gets a rule in front that lets it through; they go when you leave."
            ),
        },
        asks_admin: is_program,
    })
}

fn adapter(pc: &dyn Pc) -> String {
    let network = pc.network().ok();
    let adapter = network.and_then(|network| Some(network.party()?.name.clone()));
    adapter.unwrap_or_else(|| "lanparty0".to_owned())
}

fn allow(firewall: &str, adapter: &str) -> String {
    match firewall {
        "ufw" => format!("Say `sudo ufw allow in on {adapter}`."),
        "firewalld" => format!(
            "Say `sudo firewall-cmd --permanent --zone=trusted --add-interface={adapter}`, then `sudo firewall-cmd --reload`."
        ),
        _ => format!("Let in what comes by {adapter}; `sudo nft list ruleset` shows the rules."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Service;
    use crate::fake::FakePc;
    use lanparty_client_control::Mark;

    #[test]
    fn a_strict_one_is_a_doubt_with_its_own_words() {
        let mut pc = FakePc::linux();
        let row = |pc: &FakePc| look(pc).unwrap().row(CHECK.id);
        assert_eq!(row(&pc).mark, Mark::Good);
        for (name, helps) in [
            ("ufw", "ufw allow"),
            ("firewalld", "firewall-cmd"),
            ("nftables", "nft"),
        ] {
            pc.firewall = Firewall::Strict(name.into());
            let row = row(&pc);
            assert_eq!(row.mark, Mark::Doubt);
            let how_to = row.how_to.unwrap();
            assert!(
                how_to.contains(helps) && how_to.contains("lanparty0"),
                "{how_to}"
            );
        }
        pc.firewall = Firewall::LetsTheParty("ufw".into());
        assert_eq!(row(&pc).mark, Mark::Good);
    }

    #[test]
    fn who_has_the_rights_offers_to_let_the_party_through() {
        let mut pc = FakePc::linux();
        let offered = |pc: &FakePc| {
            let row = look(pc).unwrap().row(CHECK.id);
            row.fix.map(|fix| (fix.fix, fix.asks_admin))
        };
        pc.firewall = Firewall::Strict("nftables".into());
        assert_eq!(offered(&pc), Some((Fix::LetPartyThrough, false)));
        pc.service = Service::Absent;
        assert_eq!(offered(&pc), None);
        pc.rights = Rights::Enough;
        assert_eq!(offered(&pc), Some((Fix::LetPartyThrough, false)));
        pc.firewall = Firewall::Strict("ufw".into());
        assert_eq!(offered(&pc), Some((Fix::LetPartyThrough, true)));
        pc.user.can_ask_admin = false;
        assert_eq!(offered(&pc), None);
        pc.firewall = Firewall::Choosy("nftables".into());
        assert_eq!(offered(&pc), None);
        assert!(cure(&pc).is_some());
        // Nothing to be let through.
        pc.network.as_mut().unwrap().interfaces.pop();
        pc.firewall = Firewall::Strict("nftables".into());
        assert_eq!(offered(&pc), None);
    }

    #[test]
    fn windows_goes_by_the_networks_category() {
        let mut pc = FakePc::windows();
        for (profile, expected) in [
            (Profile::None, Mark::Good),
            (Profile::InForce, Mark::Good),
            (Profile::Public, Mark::Doubt),
            (Profile::NotInForce, Mark::Doubt),
        ] {
            pc.firewall = Firewall::Profile(profile);
            assert_eq!(look(&pc).unwrap().row(CHECK.id).mark, expected);
        }
    }
}
