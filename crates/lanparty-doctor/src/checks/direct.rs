//! What all of it means for a direct path to the host: at a party what is, and else what may be expected.

use super::Check;
use super::nat::{self, Kind};
use crate::facts::{Pc, Sight, TcpOutcome};
use crate::found::{Cure, Found};
use lanparty_client_control::{NotDirect, Reason, Snapshot, Way};
use std::net::SocketAddr;

pub(crate) const CHECK: Check = Check {
    id: "direct",
    about: "A direct path to the host",
    look,
    is_personal: false,
};

fn look(pc: &dyn Pc) -> Option<Found> {
    let service = pc.service();
    let now = service.snapshot().and_then(|now| Some((now, now.way?)));
    match now.and_then(|(now, way)| is(now, way)) {
        Some(found) => Some(found),
        None => expected(pc),
    }
}

/// What is, at a party.
fn is(now: &Snapshot, way: Way) -> Option<Found> {
    if way.is_direct() {
        let way = way.with_ping(now.ping.us);
        return Some(Found::good(format!(
            "Your frames go straight to the host: {way}."
        )));
    }
    let Reason { id, sentence } = now.not_direct.as_ref()?;
    match id {
        id if id.is_passing() => None,
        // As somebody wants it, or nobody minds.
        NotDirect::HostOff
        | NotDirect::PlayerOff
        | NotDirect::OpenRoom
        | NotDirect::RelayRefuses
        | NotDirect::Slower => Some(Found::good(sentence)),
        _ => Some(Found::doubt(sentence)),
    }
}

/// What may be expected, by what relay and network say.
fn expected(pc: &dyn Pc) -> Option<Found> {
    let paths = pc.paths();
    if paths.sights.is_empty() {
        return without_udp(pc);
    }
    let by_ipv6 = paths.sights.iter().any(|sight: &Sight| {
        let seen = sight.seen.filter(SocketAddr::is_ipv6);
        seen.is_some_and(|seen| seen.ip() == sight.own.ip())
    });
    let and_ipv6 = match by_ipv6 {
        true => ", and IPv6 works as well",
        false => "",
    };
    Some(match nat::kind(&paths) {
        Kind::No => Found::good(format!(
            "A direct path to the host should open at once: no NAT is in between{and_ipv6}."
        )),
        Kind::Stable => Found::good(format!(
            "A direct path opens to every host whose router is not of the symmetric kind{and_ipv6}."
        )),
        Kind::Kept | Kind::Changed => Found::good(format!(
            "UDP passes, so a direct path to the host may open; a second address of a relay would tell more{and_ipv6}."
        )),
        Kind::Varies if by_ipv6 => Found::good(
            "A direct path opens by IPv6, or to a host whose router has opened a port; by IPv4 your NAT stands in its way.",
        ),
        Kind::Varies => Found::doubt(
            "A direct path opens only to a host whose router has opened a port (UPnP); to others the relay carries everything.",
        )
        .cured(Cure::by_hand(
            "Switch IPv6 on in your router, or try another network; the party works all the same.",
        )),
        Kind::Untold => Found::good(
            "UDP passes, so a direct path to the host may open; this relay does not say how it sees this computer.",
        ),
    })
}

/// Nobody has answered by UDP.
fn without_udp(pc: &dyn Pc) -> Option<Found> {
    let is_open = |outcome| matches!(outcome, TcpOutcome::Open(_));
    let tcp = pc.tcp().filter(|tcp| is_open(tcp.outcome))?;
    let proxy = match tcp.proxy {
        Some(_) => ", and a proxy is in between",
        None => "",
    };
    Some(Found::doubt(format!(
        "No UDP gets through{proxy}, so there is no direct path: everything goes over TCP to the relay."
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Paths, Service, Tcp};
    use crate::fake::{FakePc, paths};
    use lanparty_client_control::{Mark, Row};

    fn row(pc: &FakePc) -> Row {
        look(pc).unwrap().row(CHECK.id)
    }

    /// One that is at a party by this way.
    fn at_party(way: Way, why: Option<NotDirect>) -> FakePc {
        let mut pc = FakePc::linux();
        if let Service::Answers(snapshot) = &mut pc.service {
            snapshot.way = Some(way);
            snapshot.ping.us = Some(12_300);
            snapshot.not_direct = why.map(NotDirect::to_player);
        }
        pc
    }

    #[test]
    fn at_a_party_it_is_said_what_is_and_why() {
        let straight = row(&at_party(Way::Direct, None));
        assert!(straight.sentence.ends_with("direct 12 ms."), "{straight:?}");
        for why in NotDirect::ALL {
            let pc = at_party(Way::Relay, Some(why));
            let row = row(&pc);
            let is_told = row.sentence == why.to_player().sentence;
            assert_eq!(is_told, !why.is_passing(), "{row:?}");
            assert!(
                row.mark != Mark::Bad && row.sentence.len() <= 240,
                "{row:?}"
            );
        }
        let wanted = row(&at_party(Way::Relay, Some(NotDirect::PlayerOff)));
        assert_eq!(wanted.mark, Mark::Good);
        let nat = row(&at_party(Way::Relay, Some(NotDirect::PlayerNat)));
        assert_eq!(nat.mark, Mark::Doubt);
    }

    #[test]
    fn without_a_party_it_is_said_what_may_be_expected() {
        let mut by_ipv6 = paths(&[(1, 7_000), (2, 7_001)]);
        let six = "[2001:db8::77]:40000".parse().unwrap();
        by_ipv6.sights.push(Sight {
            relay: "[2001:db8::1]:443".parse().unwrap(),
            own: six,
            seen: Some(six),
        });
        for (paths, says, mark) in [
            (
                paths(&[(1, 7_000), (2, 7_000)]),
                "every host whose router",
                Mark::Good,
            ),
            (paths(&[(1, 40_000)]), "may open", Mark::Good),
            (
                paths(&[(1, 7_000), (2, 7_001)]),
                "opened a port (UPnP)",
                Mark::Doubt,
            ),
            (by_ipv6, "opens by IPv6", Mark::Good),
            (Paths::default(), "No UDP gets through", Mark::Doubt),
        ] {
            let mut pc = FakePc::linux();
            pc.paths = paths;
            let row = row(&pc);
            assert!(row.sentence.contains(says), "{row:?}");
            assert_eq!(row.mark, mark, "{row:?}");
        }
        let mut pc = FakePc::linux();
        (pc.paths, pc.tcp) = (Paths::default(), None::<Tcp>);
        assert_eq!(look(&pc), None, "what is wrong then is told elsewhere");
    }
}
