//! A proof instead of hope: how far the ways lead in which games find each other. The service asks through the tunnel, a
//! view as a program does; what both have tried is told by who has seen trouble.

use super::{Check, firewall, reset_adapter};
use crate::facts::{Pc, Proof};
use crate::found::{Cure, Found};
use lanparty_client_control::State;
use lanparty_proof::{Reach, Style, Verdict};

const ABOUT: &str = "The way of games' questions";

/// How far the tunnel is in order: the service's own.
pub(crate) const TUNNEL: Check = check("tunnel", look_at_tunnel, false);
/// Whether a program is answered.
pub(crate) const CHECK: Check = check("proof", look, true);
pub(crate) const BROADCAST: Check = check("proof_broadcast", |pc| family(pc, &BROADCASTS), false);
pub(crate) const MULTICAST: Check = check("proof_multicast", |pc| family(pc, &MULTICASTS), false);
pub(crate) const IPX: Check = check("proof_ipx", |pc| family(pc, &IPXS), false);
pub(crate) const LONG: Check = check("proof_long", |pc| family(pc, &LONGS), false);

const BROADCASTS: [Style; 4] = [
    Style::Limited,
    Style::LimitedOther,
    Style::Directed,
    Style::DirectedOther,
];
const MULTICASTS: [Style; 7] = [
    Style::LinkGroup,
    Style::AdminGroup,
    Style::GlobalGroup,
    Style::AllNodes,
    Style::Mdns,
    Style::MdnsV6,
    Style::Ssdp,
];
const IPXS: [Style; 2] = [Style::IpxEthernet, Style::IpxRaw];
const LONGS: [Style; 3] = [Style::Large, Style::Pieces, Style::Unicast];

/// So many are named of those that fail.
const NAMED: usize = 3;

const fn check(id: &'static str, look: fn(&dyn Pc) -> Option<Found>, is_personal: bool) -> Check {
    Check {
        id,
        about: ABOUT,
        look,
        is_personal,
    }
}

fn look_at_tunnel(pc: &dyn Pc) -> Option<Found> {
    // Without its gateway a party has nobody to answer, and says so elsewhere.
    let state = pc.service().snapshot()?.state;
    let Proof::Tunnel(verdict) = pc.proof() else {
        return None;
    };
    if verdict.is_busy {
        return Some(busy());
    }
    if verdict.is_silent() {
        return (state == State::Connected).then(|| {
            Found::doubt("The host's gateway does not answer this look through the tunnel: it may be older than that.")
                .cured(Cure::by_hand("Ask the host to install the newest version of the gateway."))
        });
    }
    let found = beyond(&verdict).unwrap_or_else(|| {
        Found::good(format!(
            "{} ways in which games find each other lead through the tunnel to the host's gateway, which puts them on the LAN's cable and hears that LAN, and back.",
            on_the_cable(&verdict)
        ))
    });
    Some(found.detailed(details(&verdict)))
}

fn look(pc: &dyn Pc) -> Option<Found> {
    let verdict = match pc.proof() {
        Proof::Program(verdict) => verdict,
        // Who asks here is the service, which is no game.
        Proof::Tunnel(_) => return None,
        Proof::NoParty => {
            return Some(Found::good(
                "Whether games' questions reach a party is tried once you are at one.",
            ));
        }
        Proof::Failed(why) => {
            return Some(Found::unseen(format!(
                "Whether games' questions reach the party cannot be tried: {why}."
            )));
        }
    };
    let details = details(&verdict);
    if verdict.is_busy {
        return Some(busy().detailed(details));
    }
    if verdict.is_silent() {
        return Some(
            Found::unseen(
                "Nothing answers what a program here asks at the party: its gateway is too old for this look, or a firewall is in the way.",
            )
            .cured(firewall_cure(pc))
            .detailed(details),
        );
    }
    let missing = count(&verdict, Reach::There) + count(&verdict, Reach::Nowhere);
    let back = count(&verdict, Reach::Back);
    let found = match missing {
        0 => beyond(&verdict).unwrap_or_else(|| {
            Found::good(format!(
                "A program here asked in {back} ways in which games find each other: each came to the host's gateway, which puts it on the LAN's cable and hears that LAN, and its answer back{}.",
                unasked(pc)
            ))
        }),
        // Which, the rows below say.
        _ => Found::doubt(format!(
            "A program here asked in {} ways in which games find each other, and {back} were answered{}.",
            back + missing,
            unasked(pc)
        )),
    };
    Some(found.detailed(details))
}

/// What is wrong behind the gateway, as far as it knows.
fn beyond(verdict: &Verdict) -> Option<Found> {
    if verdict.is_hindered {
        let found =
            Found::doubt("The host's gateway has frames that its network card does not take.");
        return Some(found.cured(Cure::by_hand(
            "Tell the host: the gateway's computer or its cable is overloaded.",
        )));
    }
    verdict.lan_is_silent.then(|| {
        Found::doubt(
            "The host's gateway puts what games ask on its cable, but has heard nothing from the LAN for half a minute.",
        )
        .cured(Cure::by_hand(
            "Ask the host whether the gateway's cable is in the party's switch, and whether a machine is on there.",
        ))
    })
}

/// Nothing is known of what is asked too often.
fn busy() -> Found {
    Found::unseen("The host's gateway has answered several looks of this player just now, and answers no more for some seconds.")
        .cured(Cure::by_hand("Look again in ten seconds."))
}

/// What is for the gateway alone goes nowhere else.
fn on_the_cable(verdict: &Verdict) -> usize {
    let reaches = verdict.reaches.iter();
    reaches
        .filter(|(style, reach)| *reach == Reach::Back && *style != Style::Unicast)
        .count()
}

/// What nobody tries where no service asks inside the tunnel.
fn unasked(pc: &dyn Pc) -> &'static str {
    let service = pc.service();
    let plays = service.snapshot().is_some_and(|s| s.state.is_session());
    match plays {
        true => "",
        false => "; IPX and unicast stay untried without the service",
    }
}

/// The tunnel brings the answers, and no program hears them.
pub(crate) fn unheard(pc: &dyn Pc) -> Found {
    Found::bad(
        "The LAN's answers come through the tunnel, but no program here hears them: a firewall on this computer is in the way.",
        firewall_cure(pc),
    )
}

/// What of a family fails, if anything does.
fn family(pc: &dyn Pc, styles: &[Style]) -> Option<Found> {
    let (verdict, is_tunnel) = match pc.proof() {
        Proof::Tunnel(verdict) => (verdict, true),
        Proof::Program(verdict) => (verdict, false),
        Proof::NoParty | Proof::Failed(_) => return None,
    };
    // That is one thing and not four.
    if verdict.is_silent() || verdict.is_busy {
        return None;
    }
    let of = |wanted| {
        let reaches = verdict.reaches.iter();
        let found = reaches.filter(|(style, reach)| styles.contains(style) && *reach == wanted);
        found.map(|(style, _)| style.name()).collect::<Vec<_>>()
    };
    let (nowhere, there) = (of(Reach::Nowhere), of(Reach::There));
    Some(match (nowhere.is_empty(), there.is_empty(), is_tunnel) {
        (true, true, _) => return None,
        (false, _, true) => Found::bad(
            format!(
                "Not through the tunnel to the host's gateway: {}.",
                list(&nowhere)
            ),
            Cure::by_hand(
                "Look again in a minute; if it stays, ask the host whether relay and gateway are of the newest version.",
            ),
        ),
        (true, _, true) => Found::bad(
            format!(
                "To the gateway, but not back through the tunnel: {}.",
                list(&there)
            ),
            Cure::by_hand(
                "Look again in a minute; if it stays, ask the host whether the relay is of the newest version.",
            ),
        ),
        (false, _, false) => {
            let cure = firewall::cure(pc)
                .or_else(|| reset_adapter(pc).map(Cure::fix))
                .unwrap_or_else(|| firewall_cure(pc));
            Found::bad(
                format!(
                    "What programs here send does not reach the party: {}.",
                    list(&nowhere)
                ),
                cure,
            )
        }
        (true, _, false) => Found::bad(
            format!(
                "It reaches the host's gateway, but no program here hears its answers: {}.",
                list(&there)
            ),
            firewall_cure(pc),
        ),
    })
}

fn firewall_cure(pc: &dyn Pc) -> Cure {
    firewall::cure(pc).unwrap_or_else(|| {
        Cure::by_hand("Let the party's adapter through this computer's firewall, and look again.")
    })
}

fn list(names: &[&str]) -> String {
    let shown = names
        .iter()
        .take(NAMED)
        .copied()
        .collect::<Vec<_>>()
        .join(", ");
    match names.len().saturating_sub(NAMED) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

fn count(verdict: &Verdict, wanted: Reach) -> usize {
    let reaches = verdict.reaches.iter();
    reaches.filter(|(_, reach)| *reach == wanted).count()
}

fn details(verdict: &Verdict) -> Vec<String> {
    let says = |reach: Reach| match reach {
        Reach::Back => "answered",
        Reach::There => "heard by the gateway, its answer is not heard",
        Reach::Nowhere => "not heard by the gateway",
        Reach::Unasked => "not asked",
    };
    let reaches = verdict.reaches.iter();
    reaches
        .map(|(style, reach)| format!("{}: {}", style.name(), says(*reach)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Service;
    use crate::fake::{FakePc, verdict};
    use lanparty_client_control::Mark;

    #[test]
    fn what_is_answered_is_one_row_and_its_details() {
        let mut pc = FakePc::linux();
        let row = look(&pc).unwrap().row(CHECK.id);
        assert_eq!(row.mark, Mark::Good, "{row:?}");
        assert!(row.sentence.contains("asked in 14 ways"), "{row:?}");
        assert_eq!(row.details.len(), 16);
        assert!(!row.sentence.contains("untried"), "{row:?}");
        let terminal = FakePc {
            service: Service::Absent,
            ..pc.clone()
        };
        let said = look(&terminal).unwrap().row(CHECK.id).sentence;
        assert!(
            said.ends_with("IPX and unicast stay untried without the service."),
            "{said}"
        );
        assert!(family(&pc, &BROADCASTS).is_none());
        pc.proof = Proof::NoParty;
        let row = look(&pc).unwrap().row(CHECK.id);
        assert!(row.sentence.contains("once you are at one"), "{row:?}");
    }

    #[test]
    fn what_fails_is_named_by_its_family_and_the_way_that_is_broken() {
        let mut pc = FakePc::linux();
        let of = |pc: &FakePc, styles: &[Style]| family(pc, styles).map(|found| found.row("x"));
        pc.proof = Proof::Program(verdict(|style| match style {
            Style::Directed => Reach::Nowhere,
            style if MULTICASTS.contains(&style) => Reach::There,
            _ => Reach::Back,
        }));
        let row = of(&pc, &BROADCASTS).unwrap();
        assert!(
            row.sentence
                .contains("does not reach the party: broadcast to the subnet."),
            "{row:?}"
        );
        assert!(row.fix.is_some() && row.mark == Mark::Bad);
        let row = of(&pc, &MULTICASTS).unwrap();
        assert!(
            row.sentence.contains("no program here hears its answers"),
            "{row:?}"
        );
        assert!(row.sentence.ends_with("and 4 more."), "{row:?}");
        assert_eq!(of(&pc, &IPXS), None);
        let row = look(&pc).unwrap().row(CHECK.id);
        assert_eq!(row.mark, Mark::Doubt);
        pc.proof = Proof::Tunnel(verdict(|_| Reach::There));
        assert!(
            of(&pc, &IPXS)
                .unwrap()
                .sentence
                .contains("not back through the tunnel")
        );
        assert_eq!(look(&pc), None);
    }

    #[test]
    fn silence_is_a_doubt_as_an_older_gateways_is() {
        let mut pc = FakePc::linux();
        pc.proof = Proof::Program(verdict(|_| Reach::Nowhere));
        let found = look(&pc).unwrap();
        assert!(found.is_guess() && family(&pc, &BROADCASTS).is_none());
        pc.proof = Proof::Tunnel(verdict(|_| Reach::Nowhere));
        let row = look_at_tunnel(&pc).unwrap().row(TUNNEL.id);
        assert!(row.sentence.contains("older"), "{row:?}");
        assert_eq!(unheard(&pc).row("x").mark, Mark::Bad);
    }

    #[test]
    fn what_the_gateway_knows_of_its_cable_is_never_all_well() {
        let mut pc = FakePc::linux();
        let looks: [fn(&dyn Pc) -> Option<Found>; 2] = [look, look_at_tunnel];
        let kinds: [fn(Verdict) -> Proof; 2] = [Proof::Program, Proof::Tunnel];
        for (look, kind) in looks.into_iter().zip(kinds) {
            let well = verdict(|_| Reach::Back);
            for (verdict, words) in [
                (
                    Verdict {
                        is_hindered: true,
                        ..well.clone()
                    },
                    "does not take",
                ),
                (
                    Verdict {
                        lan_is_silent: true,
                        ..well.clone()
                    },
                    "nothing from the LAN",
                ),
                (
                    Verdict {
                        is_busy: true,
                        ..verdict(|_| Reach::Nowhere)
                    },
                    "several looks",
                ),
            ] {
                pc.proof = kind(verdict);
                assert!(family(&pc, &BROADCASTS).is_none());
                let row = look(&pc).unwrap().row("x");
                assert_eq!(row.mark, Mark::Doubt, "{row:?}");
                assert!(row.sentence.contains(words), "{row:?}");
            }
            pc.proof = kind(well);
            assert_eq!(look(&pc).unwrap().row("x").mark, Mark::Good);
        }
    }
}
