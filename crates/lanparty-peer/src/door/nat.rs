//! What the NAT in front of a peer does: it asks the relay at two of its addresses how each sees the socket from which others
//! are met. A NAT that shows both the same shows it to everybody; another one's ports nobody can be told of before.

use crate::link::RelayLink;
use crate::relay_args::RelayConfig;
use lanparty_ctrl::door::Mapping;
use lanparty_ctrl::{PeerMessage, RelayMessage};
use lanparty_quic::{CloseCode, Endpoint, HandshakeError, PathFloor, control};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::time::timeout;

/// How long an address has to answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// What has been found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Finding {
    Maps(Mapping),
    /// The relay answers where its link is, and at its other address not.
    Silent,
}

/// What is known on one link, from one address of this machine.
#[derive(Debug, Default)]
pub(super) struct Nat {
    pub(super) finding: Option<Finding>,
    /// Of the question whose answer counts.
    number: u64,
    is_asked: bool,
}

impl Nat {
    /// Nothing is known any more, and whoever still asks is not heard.
    pub(super) fn forget(&mut self) {
        *self = Nat {
            number: self.number + 1,
            ..Nat::default()
        };
    }

    /// The number of a question that is due; there is one each time that nothing is known.
    pub(super) fn due(&mut self) -> Option<u64> {
        let is_due = !std::mem::replace(&mut self.is_asked, true);
        is_due.then_some(self.number)
    }

    /// An answer has come. True when the relay has to hear of it.
    pub(super) fn hear(&mut self, number: u64, finding: Option<Finding>) -> bool {
        if number != self.number {
            return false;
        }
        self.finding = finding;
        self.mapping().is_some()
    }

    /// What others are told.
    pub(super) fn mapping(&self) -> Option<Mapping> {
        match self.finding? {
            Finding::Maps(mapping) => Some(mapping),
            Finding::Silent => None,
        }
    }
}

/// Asks from the link's own socket.
pub(super) struct Question {
    endpoint: Endpoint,
    config: RelayConfig,
    addresses: [SocketAddr; 2],
}

/// How the relay sees us at one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Seen(SocketAddr),
    Silence,
    /// It says something else, or somebody else does.
    Other,
}

impl Question {
    /// Of a link over UDP to a relay that has a second address of the same kind.
    pub(super) fn new(link: &RelayLink, config: &RelayConfig) -> Option<Self> {
        Some(Question {
            endpoint: link.endpoint()?.clone(),
            config: config.clone(),
            addresses: [link.relay(), link.elsewhere()?],
        })
    }

    pub(super) async fn ask(self) -> Option<Finding> {
        let [first, second] = self.addresses.map(|address| self.look_at(address));
        let (first, second) = tokio::join!(first, second);
        tracing::debug!(
            ?first,
            ?second,
            "The relay sees this machine so at two of its addresses"
        );
        finding(first, second)
    }

    async fn look_at(&self, relay: SocketAddr) -> Answer {
        let looked = timeout(PATIENCE, self.try_look_at(relay)).await;
        looked.unwrap_or(Answer::Silence)
    }

    async fn try_look_at(&self, relay: SocketAddr) -> Answer {
        let (name, trust) = (&self.config.server_name, &self.config.trust);
        // The smallest packets come through wherever the link's do.
        let floor = PathFloor::Least;
        let connecting = self.endpoint.connect(relay, name, trust, None, floor);
        let connection = match connecting.await {
            Ok(connection) => connection,
            Err(HandshakeError::NoAnswer) => return Answer::Silence,
            Err(_) => return Answer::Other,
        };
        let look = async {
            let (mut question, mut answer) = connection.open_bi().await.ok()?;
            let look = PeerMessage::Look;
            control::write_message(&mut question, &look).await.ok()?;
            match control::read_message(&mut answer).await.ok()? {
                RelayMessage::Seen(seen) => Some(seen.address),
                _ => None,
            }
        };
        let seen = look.await;
        connection.close(CloseCode::Bye);
        seen.map_or(Answer::Other, Answer::Seen)
    }
}

fn finding(first: Answer, second: Answer) -> Option<Finding> {
    let canonical = |seen: SocketAddr| (seen.ip().to_canonical(), seen.port());
    match (first, second) {
        (Answer::Seen(first), Answer::Seen(second)) => {
            Some(Finding::Maps(match canonical(first) == canonical(second) {
                true => Mapping::Stable,
                false => Mapping::Varies,
            }))
        }
        (Answer::Seen(_), Answer::Silence) => Some(Finding::Silent),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(text: &str) -> Answer {
        Answer::Seen(text.parse().unwrap())
    }

    #[test]
    fn two_sights_of_one_socket_show_what_its_nat_does() {
        let first = seen("203.0.113.7:40000");
        for (second, expected) in [
            (first, Some(Finding::Maps(Mapping::Stable))),
            (
                seen("[::ffff:203.0.113.7]:40000"),
                Some(Finding::Maps(Mapping::Stable)),
            ),
            (
                seen("203.0.113.7:40001"),
                Some(Finding::Maps(Mapping::Varies)),
            ),
            // A carrier with many addresses.
            (
                seen("203.0.113.8:40000"),
                Some(Finding::Maps(Mapping::Varies)),
            ),
            (Answer::Silence, Some(Finding::Silent)),
            (Answer::Other, None),
        ] {
            assert_eq!(finding(first, second), expected, "{second:?}");
        }
        for first in [Answer::Silence, Answer::Other] {
            let second = seen("203.0.113.7:40000");
            assert_eq!(finding(first, second), None, "the relay is slow, or is old");
            assert_eq!(finding(first, Answer::Silence), None);
        }
    }

    #[test]
    fn it_is_asked_once_for_each_link_and_address_and_late_answers_are_not_heard() {
        let mut nat = Nat::default();
        let first = nat.due().unwrap();
        assert_eq!(nat.due(), None);
        nat.forget();
        let varies = Some(Finding::Maps(Mapping::Varies));
        assert!(!nat.hear(first, varies));
        assert_eq!(nat.mapping(), None);
        let second = nat.due().unwrap();
        assert!(nat.hear(second, varies));
        assert_eq!(nat.mapping(), Some(Mapping::Varies));
        assert!(!nat.hear(second, Some(Finding::Silent)));
        assert_eq!((nat.finding, nat.mapping()), (Some(Finding::Silent), None));
        nat.forget();
        assert_eq!(nat.finding, None);
    }
}
