//! The first words at a door: each proves to the other that it is the one whom the relay has introduced.

use super::addresses::Unforeseen;
use super::meetings::Meeting;
use lanparty_ctrl::door::{DOOR_ALPN, DoorKey, Encounter, Enter, Entered, Side};
use lanparty_ctrl::message::Reject;
use lanparty_ctrl::{
    HostId, HostKey, PeerMessage, Pin, RejectReason, RelayMessage, RoomCode, RoomKey,
};
use lanparty_proto::{DatagramBudget, PeerId, RoomId, VirtualMac};
use lanparty_quic::control::{self, ControlError};
use lanparty_quic::tls::Trust;
use lanparty_quic::{CloseCode, Connection, Endpoint, HandshakeError, Incoming, SendStream};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// How long a player tries to get in, and how long a gateway listens to whoever knocks.
const PATIENCE: Duration = Duration::from_secs(4);
/// How long after one address the next one is tried as well.
const STAGGER: Duration = Duration::from_millis(30);

/// Why there is no path.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotIn {
    /// Nobody answers, at none of the addresses.
    #[error("nobody answers there ({0})")]
    NoAnswer(#[source] HandshakeError),
    /// The first words were none.
    #[error("it does not greet as a door should ({0})")]
    Greeting(#[from] ControlError),
    /// It is not the one who was introduced, or thinks so of us.
    #[error("the other one did not prove who it is")]
    Unproven,
}

/// The room, as the two of a meeting know it.
pub(super) struct Place {
    pub(super) room: RoomCode,
    pub(super) key: Option<RoomKey>,
    pub(super) room_id: RoomId,
}

/// What a player needs to get in.
pub(super) struct Knock {
    pub(super) endpoint: Endpoint,
    pub(super) addresses: Vec<SocketAddr>,
    /// From where else the gateway punches, and which of that is tried.
    pub(super) punches: Option<mpsc::Receiver<SocketAddr>>,
    pub(super) unforeseen: Unforeseen,
    pub(super) pin: Pin,
    pub(super) key: DoorKey,
    pub(super) player: VirtualMac,
    pub(super) round: u32,
    pub(super) room: RoomCode,
    pub(super) room_id: RoomId,
    pub(super) own_id: PeerId,
    /// Whose gateway it must be, where the invite says so.
    pub(super) host: Option<HostId>,
}

impl Knock {
    /// Connects wherever the gateway may be, and proves itself to the first that has its key.
    ///
    /// # Errors
    /// [`NotIn`].
    pub(super) async fn knock(mut self) -> Result<Connection, NotIn> {
        let entering = tokio::time::timeout(PATIENCE, self.enter_somewhere());
        entering
            .await
            .unwrap_or(Err(NotIn::NoAnswer(HandshakeError::NoAnswer)))
    }

    async fn enter_somewhere(&mut self) -> Result<Connection, NotIn> {
        let mut calls = JoinSet::new();
        for (turn, &address) in (0u32..).zip(&self.addresses) {
            calls.spawn(self.call(address, STAGGER * turn));
        }
        let mut failure = NotIn::NoAnswer(HandshakeError::NoAnswer);
        loop {
            let called = tokio::select! {
                biased;
                address = next(&mut self.punches) => {
                    if self.unforeseen.is_worth_trying(address) {
                        calls.spawn(self.call(address, Duration::ZERO));
                    }
                    continue;
                }
                called = calls.join_next() => called,
            };
            let Some(called) = called else {
                return Err(failure);
            };
            let entered = match called.expect("a call neither panics nor is cancelled") {
                Ok(connection) => self.enter(connection).await,
                Err(error) => Err(NotIn::NoAnswer(error)),
            };
            match entered {
                Ok(connection) => return Ok(connection),
                Err(error) => failure = error,
            }
        }
    }

    fn call(
        &self,
        address: SocketAddr,
        later: Duration,
    ) -> impl Future<Output = Result<Connection, HandshakeError>> + use<> {
        let (endpoint, trust) = (self.endpoint.clone(), Trust::pinned(self.pin));
        async move {
            tokio::time::sleep(later).await;
            endpoint.call(address, DOOR_ALPN, &trust).await
        }
    }

    async fn enter(&self, connection: Connection) -> Result<Connection, NotIn> {
        let channel = connection.channel_binding();
        let here = Encounter {
            channel: &channel,
            client: self.player,
            peer: self.own_id,
            room_id: self.room_id,
            room: &self.room,
        };
        let enter = Enter {
            peer_id: self.own_id,
            room_id: self.room_id,
            round: self.round,
            datagram_budget: connection.budget(),
            proof: self.key.prove(Side::Client, &here),
        };
        let (mut send, mut receive) = connection.open_bi().await.map_err(ControlError::Closed)?;
        control::write_message(&mut send, &PeerMessage::Enter(enter)).await?;
        let answer = control::read_message(&mut receive).await?;
        let RelayMessage::Entered(entered) = answer else {
            return Err(NotIn::Unproven);
        };
        match self.is_proven(&entered, &here) {
            true => Ok(connection),
            false => Err(NotIn::Unproven),
        }
    }

    fn is_proven(&self, entered: &Entered, here: &Encounter<'_>) -> bool {
        let is_hosts =
            self.host
                .is_none_or(|host| match (&entered.host_key, &entered.host_signature) {
                    (Some(key), Some(signature)) => here.is_signed(&host, key, signature),
                    _ => false,
                });
        is_hosts && self.key.accepts(&entered.proof, Side::Gateway, here)
    }
}

/// The next address from which one is punched.
async fn next(punches: &mut Option<mpsc::Receiver<SocketAddr>>) -> SocketAddr {
    if let Some(punches) = punches
        && let Some(address) = punches.recv().await
    {
        return address;
    }
    std::future::pending().await
}

/// Somebody at the gateway's door, and what it says of itself.
pub(super) struct Caller {
    connection: Connection,
    answer: SendStream,
    pub(super) enter: Enter,
}

impl Caller {
    /// Completes the handshake with whoever knocks, and hears its first words.
    pub(super) async fn hear(knock: Incoming) -> Result<Self, NotIn> {
        let hearing = async {
            let connection = knock.accept(PATIENCE).await.map_err(NotIn::NoAnswer)?;
            let (answer, mut receive) =
                connection.accept_bi().await.map_err(ControlError::Closed)?;
            match control::read_message(&mut receive).await? {
                PeerMessage::Enter(enter) => Ok(Caller {
                    connection,
                    answer,
                    enter,
                }),
                _ => {
                    connection.close(CloseCode::ProtocolError);
                    Err(NotIn::Unproven)
                }
            }
        };
        let heard = tokio::time::timeout(PATIENCE, hearing).await;
        heard.unwrap_or(Err(NotIn::NoAnswer(HandshakeError::NoAnswer)))
    }

    /// The answer to one who has proved to be the player of this meeting.
    pub(super) fn judge(
        &self,
        place: &Place,
        meeting: &Meeting,
        host: Option<&HostKey>,
    ) -> Result<Entered, NotIn> {
        let channel = self.connection.channel_binding();
        let here = Encounter {
            channel: &channel,
            client: meeting.player,
            peer: self.enter.peer_id,
            room_id: place.room_id,
            room: &place.room,
        };
        let key = DoorKey::new(&meeting.meet.secret, place.key.as_ref());
        let is_about =
            (self.enter.round, self.enter.room_id) == (meeting.meet.round, place.room_id);
        if !is_about || !key.accepts(&self.enter.proof, Side::Client, &here) {
            return Err(NotIn::Unproven);
        }
        Ok(Entered {
            datagram_budget: self.budget(),
            proof: key.prove(Side::Gateway, &here),
            host_key: host.map(HostKey::public),
            host_signature: host.map(|host| here.sign(host)),
        })
    }

    fn budget(&self) -> DatagramBudget {
        self.connection.budget()
    }

    /// Lets it in. What the answer needs to get there takes its own time.
    pub(super) fn let_in(self, entered: Entered, tasks: &mut JoinSet<()>) -> Connection {
        let Caller {
            connection,
            mut answer,
            ..
        } = self;
        tasks.spawn(async move {
            let entered = RelayMessage::Entered(Box::new(entered));
            if let Err(error) = control::write_message(&mut answer, &entered).await {
                tracing::debug!(%error, "A door was not opened");
            }
        });
        connection
    }

    /// Says no.
    pub(super) fn refuse(self, tasks: &mut JoinSet<()>) {
        let Caller {
            connection,
            mut answer,
            ..
        } = self;
        tasks.spawn(async move {
            let reject = RelayMessage::Reject(Reject {
                reason: RejectReason::NotAuthorised,
                text: "this door is not open for you".into(),
            });
            if control::write_message(&mut answer, &reject).await.is_ok() {
                // It goes once it has read that.
                let _ = tokio::time::timeout(PATIENCE, connection.closed()).await;
            }
            connection.close(CloseCode::Rejected);
        });
    }
}
