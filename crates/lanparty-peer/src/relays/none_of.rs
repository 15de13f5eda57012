//! Why none of several relays can be used, in one sentence.

use crate::link::ConnectError;
use lanparty_ctrl::RejectReason;
use lanparty_edge::address::RelayAddress;
use lanparty_quic::HandshakeError;
use std::error::Error;
use std::fmt;

/// Why none of several relays can be used.
#[derive(Debug)]
pub struct NoneOf(Vec<(RelayAddress, ConnectError)>);

impl NoneOf {
    /// Each with what is wrong with it.
    pub fn new(relays: Vec<(RelayAddress, ConnectError)>) -> Self {
        NoneOf(relays)
    }

    /// True when trying again may work with one of them.
    pub(crate) fn may_pass(&self) -> bool {
        self.0.iter().any(|(_, error)| error.may_pass())
    }

    /// True when all of them said no.
    pub(crate) fn is_refusal(&self) -> bool {
        self.0.iter().all(|(_, error)| error.is_refusal())
    }
}

impl fmt::Display for NoneOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.0.iter().map(|(relay, _)| relay.to_string()).collect();
        let names = names.join(", ");
        let count = self.0.len();
        // Where nobody answers, it is rarely the relays.
        if self.0.iter().all(|(_, error)| is_silence(error)) {
            return write!(
                f,
                "none of the {count} relays of the party answers ({names}); see whether the internet works here, and whether UDP gets through"
            );
        }
        let said: Vec<_> = self.0.iter().map(|(_, error)| error.to_string()).collect();
        write!(f, "none of the {count} relays of the party can be used")?;
        // The same is said once.
        if let Some(first) = said.first()
            && said.iter().all(|other| other == first)
        {
            return write!(f, " ({names}): {first}");
        }
        for (place, ((relay, _), said)) in self.0.iter().zip(&said).enumerate() {
            let before = match place {
                0 => ": ",
                _ => "; ",
            };
            write!(f, "{before}{relay}: {said}")?;
        }
        Ok(())
    }
}

impl Error for NoneOf {}

fn is_silence(error: &ConnectError) -> bool {
    matches!(error, ConnectError::Handshake(HandshakeError::NoAnswer))
}

/// How much a relay's error says of why there is nowhere to go; the first says most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Weight {
    /// Who knows the room does not want us there, whatever we wait for.
    Hopeless,
    /// Who knows the room does not let us in now.
    Refused,
    /// This relay is of no use to us, and the others may be.
    Useless,
    /// The party is not there.
    Away,
    /// Who need not know the room does not let us in now.
    Busy,
    /// Nobody is there who could say.
    Silent,
}

impl Weight {
    fn of(error: &ConnectError) -> Self {
        match error {
            ConnectError::Rejected(reject) => Self::of_reason(reject.reason),
            ConnectError::NotOpen | ConnectError::NoGateway | ConnectError::HostAway => {
                Weight::Away
            }
            error if error.is_refusal() && error.may_pass() => Weight::Busy,
            _ => Weight::Silent,
        }
    }

    fn of_reason(reason: RejectReason) -> Self {
        match reason {
            RejectReason::Banned | RejectReason::NotHost => Weight::Hopeless,
            RejectReason::RoomFull
            | RejectReason::GatewayPresent
            | RejectReason::MacInUse
            | RejectReason::MacOnLan
            | RejectReason::Locked
            | RejectReason::RateLimited
            | RejectReason::Other => Weight::Refused,
            RejectReason::Version
            | RejectReason::BadRoomCode
            | RejectReason::CodeClaimed
            | RejectReason::NoAccess => Weight::Useless,
            RejectReason::RelayFull | RejectReason::Draining | RejectReason::NotOpened => {
                Weight::Busy
            }
            RejectReason::NotAuthorised => Weight::Silent,
        }
    }
}

/// What a peer that has nowhere to go tells, of all that its relays have said: why those do not let it in that know the room,
/// what waiting does not mend first; then that the host is away, then what was refused for now by who need not know the room.
/// Where nobody has answered, or one of them is of no use, all is said of all. That one leads to another says less than what is
/// wrong there.
pub(crate) fn cause(mut relays: Vec<(RelayAddress, ConnectError)>) -> ConnectError {
    let leads = |error: &ConnectError| matches!(error, ConnectError::Sent(_));
    if !relays.iter().all(|(_, error)| leads(error)) {
        relays.retain(|(_, error)| !leads(error));
    }
    let weight = |(_, error): &(RelayAddress, ConnectError)| Weight::of(error);
    let heaviest = relays.iter().map(weight).min().unwrap_or(Weight::Silent);
    if relays.len() > 1 && matches!(heaviest, Weight::Useless | Weight::Silent) {
        return ConnectError::NoneOf(NoneOf::new(relays));
    }
    let heaviest = relays.into_iter().min_by_key(weight);
    match heaviest {
        Some((_, ConnectError::NoGateway | ConnectError::HostAway)) => ConnectError::NotOpen,
        Some((_, error)) => error,
        None => ConnectError::NoGateway,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lanparty_ctrl::message::Reject;
    use lanparty_ctrl::places::Elsewhere;

    fn silent() -> ConnectError {
        HandshakeError::NoAnswer.into()
    }

    fn rejected(reason: RejectReason) -> ConnectError {
        let text = "".into();
        ConnectError::Rejected(Reject { reason, text })
    }

    fn told(errors: Vec<ConnectError>) -> ConnectError {
        let names = ["a.example", "b.example", "c.example"];
        let named = names.iter().map(|name| name.parse().unwrap()).zip(errors);
        cause(named.collect())
    }

    #[test]
    fn where_nobody_answers_one_sentence_says_it_of_all() {
        let same = told(vec![silent(), silent()]);
        let said = same.to_string();
        let expected =
            "none of the 2 relays of the party answers (a.example:443, b.example:443); see";
        assert!(said.starts_with(expected), "{said}");
        assert!(same.may_pass() && !same.is_refusal());
        let wrong = || ConnectError::from(HandshakeError::Certificate("UnknownIssuer".into()));
        let mixed = told(vec![silent(), wrong()]);
        let said = mixed.to_string();
        assert!(
            said.contains(": a.example:443: it does not answer;"),
            "{said}"
        );
        assert!(said.contains("; b.example:443: its certificate"), "{said}");
        assert!(mixed.may_pass(), "the first may come back");
        let hopeless = told(vec![wrong(), wrong()]);
        assert!(!hopeless.may_pass() && hopeless.is_refusal());
        assert_eq!(told(vec![silent()]).to_string(), silent().to_string());
    }

    #[test]
    fn who_knows_the_room_and_says_no_is_heard_before_all_others() {
        use RejectReason::{Banned, Locked, RelayFull, RoomFull, Version};
        let away = || ConnectError::NotOpen;
        let reason = |errors| match told(errors) {
            ConnectError::Rejected(reject) => Some(reject.reason),
            _ => None,
        };
        for no in [Banned, Locked, RoomFull] {
            let no = || rejected(no);
            assert_eq!(reason(vec![away(), no()]), reason(vec![no()]));
            assert_eq!(
                reason(vec![no(), ConnectError::NoGateway, silent()]),
                reason(vec![no()])
            );
        }
        let both = vec![rejected(Locked), away(), rejected(Banned)];
        assert_eq!(reason(both), Some(Banned), "waiting is of no use");
        // Another one may be of use yet.
        let mixed = told(vec![rejected(Version), away()]);
        let said = mixed.to_string();
        assert!(mixed.may_pass() && said.contains("versions"), "{said}");
        assert_eq!(reason(vec![rejected(Version)]), Some(Version));
        assert_eq!(reason(vec![silent(), rejected(RelayFull)]), Some(RelayFull));
    }

    #[test]
    fn that_the_host_is_away_says_more_than_that_a_relay_is_silent_or_full() {
        let full = || rejected(RejectReason::RelayFull);
        for errors in [
            vec![silent(), ConnectError::NotOpen, full()],
            vec![full(), ConnectError::NoGateway, silent()],
        ] {
            assert!(matches!(told(errors), ConnectError::NotOpen));
        }
    }

    #[test]
    fn what_is_wrong_where_a_relay_leads_is_said_and_not_that_it_leads_there() {
        let sent = || {
            ConnectError::Sent(Box::new(Elsewhere {
                address: "b.example".to_owned(),
                pin: None,
                fence: None,
            }))
        };
        let said = told(vec![sent(), silent()]).to_string();
        assert_eq!(said, silent().to_string());
        assert!(matches!(told(vec![sent()]), ConnectError::Sent(_)));
        assert!(told(vec![sent(), sent()]).may_pass());
    }
}
