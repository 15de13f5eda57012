//! Why there is no direct path, as people are told: pure.

use super::nat::Finding;
use crate::ways::Why;
use lanparty_ctrl::door::{Mapping, Meet, NoMeetingReason};
use lanparty_obs::NotDirect;

/// Why a round came to nothing in which nobody answered, as far as that is known: what this peer's NAT does, and what the
/// other one says of its own.
pub(super) fn in_vain(is_gateway: bool, own: Option<Finding>, meet: &Meet) -> NotDirect {
    if is_blocked(own, meet) {
        return NotDirect::Blocked;
    }
    let own = own == Some(Finding::Maps(Mapping::Varies));
    let other = meet.nat == Some(Mapping::Varies);
    let (player, host) = match is_gateway {
        true => (other, own),
        false => (own, other),
    };
    match (player, host) {
        (true, true) => NotDirect::BothNats,
        (true, false) => NotDirect::PlayerNat,
        (false, true) => NotDirect::HostNat,
        (false, false) => NotDirect::NoAnswer,
    }
}

/// True where the relay's second address, too, is silent here, and the other one has had an answer there: what is silent is
/// neither the relay nor the other one alone.
fn is_blocked(own: Option<Finding>, meet: &Meet) -> bool {
    let is_like_us = |other: &std::net::SocketAddr| {
        other.ip().to_canonical().is_ipv4() == meet.seen.ip().to_canonical().is_ipv4()
    };
    own == Some(Finding::Silent)
        && meet.nat.is_some()
        && meet.addresses.first().is_some_and(is_like_us)
}

/// Why a path that stands is not taken.
pub(super) fn not_direct(why: Why) -> NotDirect {
    match why {
        Why::New => NotDirect::Meeting,
        Why::Narrow => NotDirect::Narrow,
        Why::Slower => NotDirect::Slower,
        Why::OnTrial | Why::Silent => NotDirect::BrokenOff,
    }
}

/// What a relay's refusal means, seen from one of the two.
pub(super) fn refusal(
    is_gateway: bool,
    is_over_tcp: bool,
    why: NoMeetingReason,
) -> Option<NotDirect> {
    Some(match (why, is_gateway) {
        (NoMeetingReason::Closed, true) => NotDirect::PlayerOff,
        (NoMeetingReason::Closed, false) => NotDirect::HostOff,
        (NoMeetingReason::Unable, true) => NotDirect::OldPlayer,
        (NoMeetingReason::Unable, false) => NotDirect::OldGateway,
        (NoMeetingReason::Unseen, _) if is_over_tcp != is_gateway => NotDirect::OverTcp,
        (NoMeetingReason::Unseen, _) => NotDirect::HostOverTcp,
        (NoMeetingReason::RelayRefuses, _) => NotDirect::RelayRefuses,
        // Why they have tried in vain is known.
        (NoMeetingReason::Spent, _) => return None,
        (NoMeetingReason::Other, _) => NotDirect::Other,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use lanparty_ctrl::door::MeetSecret;
    use lanparty_proto::PeerId;

    const STABLE: Option<Mapping> = Some(Mapping::Stable);
    const VARIES: Option<Mapping> = Some(Mapping::Varies);

    /// What the other one is, and says of itself.
    fn meet(address: &str, nat: Option<Mapping>) -> Meet {
        Meet {
            peer_id: PeerId::new(2).unwrap(),
            round: 1,
            addresses: vec![address.parse().unwrap()],
            seen: "203.0.113.7:5".parse().unwrap(),
            secret: MeetSecret::from_random([7; 32]),
            pin: None,
            rtt_us: 0,
            nat,
        }
    }

    #[test]
    fn it_is_said_whose_router_it_is() {
        for (own, other, to_player, to_host) in [
            (None, None, NotDirect::NoAnswer, NotDirect::NoAnswer),
            (STABLE, STABLE, NotDirect::NoAnswer, NotDirect::NoAnswer),
            (VARIES, None, NotDirect::PlayerNat, NotDirect::HostNat),
            (VARIES, STABLE, NotDirect::PlayerNat, NotDirect::HostNat),
            (None, VARIES, NotDirect::HostNat, NotDirect::PlayerNat),
            (STABLE, VARIES, NotDirect::HostNat, NotDirect::PlayerNat),
            (VARIES, VARIES, NotDirect::BothNats, NotDirect::BothNats),
        ] {
            let (own, meet) = (own.map(Finding::Maps), meet("203.0.113.20:4", other));
            let told = [false, true].map(|is_gateway| in_vain(is_gateway, own, &meet));
            assert_eq!(told, [to_player, to_host], "{own:?} {other:?}");
        }
    }

    #[test]
    fn a_network_is_blocked_where_the_other_ones_is_not() {
        let told = |address, nat| in_vain(false, Some(Finding::Silent), &meet(address, nat));
        for nat in [STABLE, VARIES] {
            assert_eq!(told("203.0.113.20:4", nat), NotDirect::Blocked);
        }
        // The relay's other address may be at fault: nobody has heard from it.
        assert_eq!(told("203.0.113.20:4", None), NotDirect::NoAnswer);
        assert_eq!(told("[2600::20]:4", STABLE), NotDirect::NoAnswer);
    }
}
