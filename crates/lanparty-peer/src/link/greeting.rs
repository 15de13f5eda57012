//! The first words on a link: what a peer proves, and what it asks of its relay.

use crate::relay_args::RelayConfig;
use crate::relays::{NoneOf, NotFollowed};
use lanparty_carrier::DialError;
use lanparty_ctrl::message::{Hello, Reject, Welcome};
use lanparty_ctrl::places::{Elsewhere, Found};
use lanparty_ctrl::{HOST_KEYS, PeerMessage, ROOM_KEYS, RejectReason, RelayMessage};
use lanparty_proto::DatagramBudget;
use lanparty_quic::control::{self, ControlError};
use lanparty_quic::{Connection, HandshakeError, Unsent};
use std::io;
use std::time::Duration;

/// Why there is no link.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The relay's name leads nowhere.
    #[error("there is no such name ({0}); check the spelling, or ask the host")]
    Resolve(#[source] io::Error),
    /// Nobody says where the relay's name leads.
    #[error(
        "no name server says where that is ({0}); look at your network, or ask the host for an invite with an address"
    )]
    NoNameServer(#[source] io::Error),
    /// The system gives no UDP socket.
    #[error("this machine has no UDP socket to give ({0})")]
    Socket(#[source] io::Error),
    /// QUIC or TLS failed.
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
    /// There is no way over TCP.
    #[error(transparent)]
    Carrier(#[from] DialError),
    /// The certificate is not one that an authority vouches for, and a pin may have stood in the invite.
    #[error(
        "no authority vouches for its key, and the invite does not say which it is: it may have been cut at its first `&`; \
         copy all of it, and put it between quotes ('…') where it is typed, or ask the host for a new one"
    )]
    CutInvite(#[source] HandshakeError),
    /// The relay said no.
    #[error("{}", rejection(.0))]
    Rejected(Reject),
    /// The relay does not take our invite, and tells nobody which of the reasons it is.
    #[error(
        "the invite opens no room now, as the host is not there yet or has made a new one; ask the host"
    )]
    NotOpen,
    /// The same for a player who has been in: the host's gateway may be on its way back.
    #[error(
        "the host's gateway is not back yet; wait for it, or ask the host, who may have made a new invite"
    )]
    HostAway,
    /// The relay would let anybody in.
    #[error("it is too old for invites; ask its operator to update it")]
    NoRoomKeys,
    /// The relay takes any guest for the host.
    #[error("it is too old to tell the host from guests; ask its operator to update it")]
    NoHostKeys,
    /// The relay broke the protocol or the link broke during the greeting.
    #[error("it does not greet as a relay should ({0})")]
    Greeting(#[from] ControlError),
    /// Another relay of its fleet has the room.
    #[error("the relay {} of its fleet has the room", .0.address)]
    Sent(Box<Elsewhere>),
    /// It sends us to where nobody goes.
    #[error(transparent)]
    NotFollowed(#[from] NotFollowed),
    /// The room has gone on to another relay of its fleet.
    #[error("it has lost the room to another relay of its fleet, which is looked for")]
    Lost,
    /// It is there, and the host's gateway is not.
    #[error("the host's gateway is not there")]
    NoGateway,
    /// Of several relays none can be used.
    #[error(transparent)]
    NoneOf(NoneOf),
}

impl ConnectError {
    /// What it means that a name was not resolved on a machine that has a way to the internet, or has none. The
    /// standard library keeps of getaddrinfo(3)'s number only its words, which come untranslated.
    pub(super) fn unresolved(error: io::Error, has_way: bool) -> Self {
        const WSATRY_AGAIN: i32 = 11002;
        let said = error.to_string();
        let words = ["Temporary failure in name resolution", "Try again"];
        let is_unanswered = error.raw_os_error() == Some(WSATRY_AGAIN)
            || words.iter().any(|words| said.contains(words));
        match is_unanswered {
            true if !has_way => HandshakeError::from(Unsent::NoNetwork).into(),
            true => ConnectError::NoNameServer(error),
            false => ConnectError::Resolve(error),
        }
    }

    /// A certificate that is not trusted says something else of an invite that may be the beginning of a longer one.
    pub(crate) fn of_invite(self, config: &RelayConfig) -> Self {
        match self {
            ConnectError::Handshake(error @ HandshakeError::Certificate(_))
                if config.may_be_cut =>
            {
                ConnectError::CutInvite(error)
            }
            error => error,
        }
    }

    /// True when trying the same again may work without anybody changing anything here.
    pub fn may_pass(&self) -> bool {
        match self {
            ConnectError::Handshake(HandshakeError::Certificate(_))
            | ConnectError::CutInvite(_)
            | ConnectError::NoRoomKeys
            | ConnectError::NoHostKeys => false,
            // It may be set any moment: a machine that has just started asks the network what time it is.
            ConnectError::Handshake(HandshakeError::Clock(_)) => true,
            ConnectError::Rejected(reject) => reject.reason.may_pass(),
            ConnectError::NoneOf(all) => all.may_pass(),
            ConnectError::Sent(_)
            | ConnectError::NotFollowed(_)
            | ConnectError::Lost
            | ConnectError::NoGateway
            | ConnectError::Resolve(_)
            | ConnectError::NoNameServer(_)
            | ConnectError::Socket(_)
            | ConnectError::Handshake(_)
            | ConnectError::Carrier(_)
            | ConnectError::NotOpen
            | ConnectError::HostAway
            | ConnectError::Greeting(_) => true,
        }
    }

    /// True when somebody is there and says no.
    pub fn is_refusal(&self) -> bool {
        match self {
            ConnectError::NoneOf(all) => all.is_refusal(),
            ConnectError::Rejected(_)
            | ConnectError::Sent(_)
            | ConnectError::NotFollowed(_)
            | ConnectError::Lost
            | ConnectError::NoGateway
            | ConnectError::NotOpen
            | ConnectError::HostAway
            | ConnectError::CutInvite(_)
            | ConnectError::NoRoomKeys
            | ConnectError::NoHostKeys
            | ConnectError::Handshake(
                HandshakeError::Certificate(_)
                | HandshakeError::Clock(_)
                | HandshakeError::NotARelay,
            ) => true,
            ConnectError::Resolve(_)
            | ConnectError::NoNameServer(_)
            | ConnectError::Socket(_)
            | ConnectError::Handshake(_)
            | ConnectError::Carrier(_)
            | ConnectError::Greeting(_) => false,
        }
    }
}

fn rejection(reject: &Reject) -> String {
    match reject.reason {
        // A relay says the one in its own words, and a fleet may say of all its relays that they are full.
        RejectReason::Other | RejectReason::RelayFull if !reject.text.as_str().is_empty() => {
            reject.text.to_string()
        }
        reason => reason.to_string(),
    }
}

/// What is said over a path that takes so much.
pub(crate) fn over(hello: &Hello) -> impl Fn(DatagramBudget) -> Hello {
    |datagram_budget| Hello {
        datagram_budget,
        ..hello.clone()
    }
}

/// What a relay must be able to do for this peer.
#[derive(Debug, Clone, Copy)]
struct Needs {
    room_keys: bool,
    host_keys: bool,
}

impl Needs {
    fn of(config: &RelayConfig) -> Self {
        Needs {
            room_keys: config.key.is_some(),
            host_keys: config.host.is_some() || config.host_key.is_some(),
        }
    }
}

/// Says hello with all the proofs that this connection takes, and hears the answer.
pub(super) async fn greet(
    connection: &Connection,
    hello: Hello,
    config: &RelayConfig,
) -> Result<Welcome, ConnectError> {
    let hello = proven(connection, hello, config);
    let answer = exchange(connection, &PeerMessage::from(hello)).await?;
    understand(Needs::of(config), answer)
}

/// How long a relay that was reached may take to say whether the party is there.
const FIND: Duration = Duration::from_secs(2);

/// How long it may take until a relay that has given up the stream has closed the connection.
const CLOSES: Duration = Duration::from_millis(300);

/// What a relay answers that is asked whether the party is there.
#[derive(Debug)]
pub(crate) enum Finding {
    Found(Box<Found>),
    Sent(Box<Elsewhere>),
    /// It does not know how to answer, and has closed the connection.
    Old,
}

/// Asks whether the party is there, with the proofs of a hello.
pub(crate) async fn find(
    connection: &Connection,
    hello: Hello,
    config: &RelayConfig,
) -> Result<Finding, ConnectError> {
    let hello = proven(connection, hello, config);
    let find = PeerMessage::Find(Box::new(hello));
    let answer = tokio::time::timeout(FIND, exchange(connection, &find)).await;
    match answer.unwrap_or(Err(ControlError::TooSlow)) {
        Ok(RelayMessage::Found(found)) => Ok(Finding::Found(found)),
        Ok(RelayMessage::Redirect(elsewhere)) => Ok(Finding::Sent(Box::new(elsewhere))),
        Ok(other) => match understand(Needs::of(config), other) {
            Ok(_) => Err(ControlError::Stream("a welcome came unasked".to_owned()).into()),
            Err(error) => Err(error),
        },
        // What it cannot read breaks the protocol. Whatever else ends it may pass.
        Err(error @ (ControlError::Closed(_) | ControlError::Stream(_))) => {
            match tokio::time::timeout(CLOSES, connection.closed()).await {
                Ok(closed) if closed.is_protocol_error() => Ok(Finding::Old),
                Ok(_) | Err(_) => Err(error.into()),
            }
        }
        Err(error) => Err(error.into()),
    }
}

fn proven(connection: &Connection, mut hello: Hello, config: &RelayConfig) -> Hello {
    let channel = connection.channel_binding();
    if let Some(key) = &config.key {
        hello.prove(&key.admission_key(), channel);
    }
    if let Some(host) = &config.host_key {
        hello.prove_host(host, channel);
    }
    hello
}

async fn exchange(
    connection: &Connection,
    message: &PeerMessage,
) -> Result<RelayMessage, ControlError> {
    let (mut send, mut receive) = connection.open_bi().await.map_err(ControlError::Closed)?;
    control::write_message(&mut send, message).await?;
    control::read_message(&mut receive).await
}

fn understand(needs: Needs, answer: RelayMessage) -> Result<Welcome, ConnectError> {
    match answer {
        // A relay that does not know of keys lets everybody in.
        RelayMessage::Welcome(welcome) if needs.room_keys && !knows(&welcome, ROOM_KEYS) => {
            Err(ConnectError::NoRoomKeys)
        }
        // One that does not know of hosts makes any guest the gateway.
        RelayMessage::Welcome(welcome) if needs.host_keys && !knows(&welcome, HOST_KEYS) => {
            Err(ConnectError::NoHostKeys)
        }
        RelayMessage::Welcome(welcome) => Ok(welcome),
        RelayMessage::Reject(reject)
            if needs.room_keys && reject.reason == RejectReason::NotAuthorised =>
        {
            Err(ConnectError::NotOpen)
        }
        RelayMessage::Reject(reject) => Err(ConnectError::Rejected(reject)),
        RelayMessage::Redirect(elsewhere) => Err(ConnectError::Sent(Box::new(elsewhere))),
        RelayMessage::PeerJoined(_)
        | RelayMessage::PeerLeft(_)
        | RelayMessage::Vouched(_)
        | RelayMessage::NewKey(_)
        | RelayMessage::Members(_)
        | RelayMessage::Notice(_)
        | RelayMessage::Pings(_)
        | RelayMessage::Meet(_)
        | RelayMessage::Go(_)
        | RelayMessage::NoMeeting(_)
        | RelayMessage::Seen(_)
        | RelayMessage::Entered(_)
        | RelayMessage::Found(_)
        | RelayMessage::Moved(_)
        | RelayMessage::Silence(_)
        | RelayMessage::NotPlaced(_)
        | RelayMessage::Disconnect(_) => {
            Err(ControlError::Stream("neither a welcome nor a rejection came".to_owned()).into())
        }
    }
}

pub(super) fn knows(welcome: &Welcome, ability: &str) -> bool {
    welcome.capabilities.iter().any(|name| name == ability)
}

#[cfg(test)]
mod tests {
    use super::*;
    use lanparty_ctrl::ResumeToken;
    use lanparty_proto::{IpMtu, PeerId, RoomId};

    const OPEN: Needs = needs(false, false);
    const OLDER_INVITE: Needs = needs(true, false);
    const INVITE: Needs = needs(true, true);

    const fn needs(room_keys: bool, host_keys: bool) -> Needs {
        Needs {
            room_keys,
            host_keys,
        }
    }

    fn welcome(abilities: &[&str]) -> RelayMessage {
        RelayMessage::Welcome(Welcome {
            room_id: RoomId::new(7).unwrap(),
            peer_id: PeerId::new(2).unwrap(),
            effective_mtu: IpMtu::MIN,
            gateway: None,
            resume_token: ResumeToken::from_random([0; 16]),
            capabilities: abilities.iter().map(|&name| name.to_owned()).collect(),
            term: None,
            fence: None,
            region: None,
        })
    }

    #[test]
    fn a_peer_leaves_a_relay_that_cannot_keep_what_it_was_promised() {
        for (needs, abilities, refused) in [
            (OPEN, &[][..], None),
            (OLDER_INVITE, &[], Some("too old for invites")),
            (OLDER_INVITE, &[ROOM_KEYS], None),
            (INVITE, &[], Some("too old for invites")),
            (INVITE, &[ROOM_KEYS], Some("tell the host from guests")),
            (INVITE, &[ROOM_KEYS, HOST_KEYS], None),
        ] {
            let outcome = understand(needs, welcome(abilities)).err();
            let said = outcome.as_ref().map(ToString::to_string);
            let as_expected = match (&said, refused) {
                (Some(said), Some(refused)) => said.contains(refused),
                (said, refused) => said.is_none() && refused.is_none(),
            };
            assert!(as_expected, "{needs:?} {abilities:?}: {said:?}");
            let ends = outcome.is_none_or(|error| !error.may_pass() && error.is_refusal());
            assert!(ends, "waiting changes nothing");
        }
    }

    #[test]
    fn a_wrong_name_a_silent_name_server_and_no_network_are_told_apart() {
        let said = |words: &str, has_way| {
            let error = io::Error::other(format!("failed to lookup address information: {words}"));
            ConnectError::unresolved(error, has_way).to_string()
        };
        let unknown = said("Name or service not known", true);
        assert!(unknown.contains("check the spelling"), "{unknown}");
        let unanswered = "Temporary failure in name resolution";
        let silent = said(unanswered, true);
        assert!(
            silent.contains("no name server") && silent.contains(unanswered),
            "{silent}"
        );
        let offline = said(unanswered, false);
        assert!(offline.contains("no network"), "{offline}");
        assert!(said("Try again", true).contains("no name server"));
    }

    #[test]
    fn only_who_has_an_invite_may_be_early() {
        let reject = |reason| {
            let text = "".into();
            RelayMessage::Reject(Reject { reason, text })
        };
        let hear = |needs, reason| understand(needs, reject(reason)).unwrap_err();
        assert!(hear(INVITE, RejectReason::NotAuthorised).may_pass());
        assert!(!hear(OPEN, RejectReason::NotAuthorised).may_pass());
        let not_host = hear(INVITE, RejectReason::NotHost);
        assert!(!not_host.may_pass() && not_host.is_refusal());
        assert!(not_host.to_string().contains("join it as a player"));
        assert!(understand(OPEN, reject(RejectReason::RoomFull)).is_err());
    }
}
