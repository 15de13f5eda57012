//! Why none of several relays can be used, in one sentence.

use crate::link::ConnectError;
use lanparty_edge::address::RelayAddress;
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
        let said: Vec<_> = self.0.iter().map(|(_, error)| error.to_string()).collect();
        write!(
            f,
            "none of the {} relays of this invite can be used",
            said.len()
        )?;
        // The same is said once.
        if let Some(first) = said.first()
            && said.iter().all(|other| other == first)
        {
            let names: Vec<_> = self.0.iter().map(|(relay, _)| relay.to_string()).collect();
            return write!(f, " ({}): {first}", names.join(", "));
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

/// What a peer that has nowhere to go tells, of all that its relays have said: what waiting does not mend, then that the host is
/// away, then what was refused for now. Only where nobody has answered, all is said of all.
pub(crate) fn cause(mut relays: Vec<(RelayAddress, ConnectError)>) -> ConnectError {
    let is_away = |error: &ConnectError| {
        matches!(
            error,
            ConnectError::NotOpen | ConnectError::NoGateway | ConnectError::HostAway
        )
    };
    let weight = |error: &ConnectError| match error {
        error if is_away(error) => 0,
        error if error.is_refusal() && error.may_pass() => 1,
        _ => 2,
    };
    if relays.iter().all(|(_, error)| weight(error) == 2) {
        return match relays.len() {
            1 => relays.remove(0).1,
            _ => ConnectError::NoneOf(NoneOf::new(relays)),
        };
    }
    let heaviest = relays.into_iter().min_by_key(|(_, error)| weight(error));
    let (_, error) = heaviest.expect("one of them is not of the last kind");
    match is_away(&error) {
        true => ConnectError::NotOpen,
        false => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lanparty_ctrl::RejectReason;
    use lanparty_ctrl::message::Reject;
    use lanparty_quic::HandshakeError;

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
        let expected = "none of the 2 relays of this invite can be used (a.example:443, b.example:443): it does not answer;";
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
    fn that_the_host_is_away_says_more_than_that_a_relay_is_silent_or_full() {
        let full = || rejected(RejectReason::RelayFull);
        for errors in [
            vec![silent(), ConnectError::NotOpen, full()],
            vec![full(), ConnectError::NoGateway, silent()],
        ] {
            assert!(matches!(told(errors), ConnectError::NotOpen));
        }
        assert!(matches!(
            told(vec![silent(), full()]),
            ConnectError::Rejected(_)
        ));
    }
}
