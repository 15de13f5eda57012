//! A relay that says what a test wants.

use lanparty_ctrl::message::Welcome;
use lanparty_ctrl::{HOST_KEYS, PeerMessage, Pin, ROOM_KEYS, RelayMessage, ResumeToken};
use lanparty_proto::{IpMtu, PeerId, RoomId};
use lanparty_quic::control::{self, send_message};
use lanparty_quic::tls::Identity;
use lanparty_quic::{CloseCode, Congestion, Connection, Endpoint};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::task::JoinSet;

/// What a fake relay answers; nothing where it does not understand.
type Answers = dyn Fn(&PeerMessage) -> Option<RelayMessage> + Send + Sync;

/// A relay of a test's own making; it ends with the test.
#[derive(Debug)]
pub struct FakeRelay {
    address: SocketAddr,
    pin: Pin,
    heard: Arc<Mutex<Vec<PeerMessage>>>,
    inside: Arc<Mutex<Vec<Connection>>>,
    _serving: JoinSet<()>,
}

impl FakeRelay {
    /// A relay that answers so, and breaks off where it has no answer. It gets its own key to sign with.
    pub fn start<F>(answers: impl FnOnce(Pin) -> F) -> Self
    where
        F: Fn(&PeerMessage) -> Option<RelayMessage> + Send + Sync + 'static,
    {
        let identity = Identity::self_signed("fake", &Identity::new_key().unwrap()).unwrap();
        let listen = "127.0.0.1:0".parse().unwrap();
        let endpoint = Endpoint::server(listen, &identity, Congestion::default()).unwrap();
        let (address, pin) = (endpoint.local_address().unwrap(), identity.pin());
        let (heard, inside) = (Arc::default(), Arc::default());
        let answers: Arc<Answers> = Arc::new(answers(pin));
        let mut serving = JoinSet::new();
        serving.spawn(serve(
            endpoint,
            answers,
            Arc::clone(&heard),
            Arc::clone(&inside),
        ));
        FakeRelay {
            address,
            pin,
            heard,
            inside,
            _serving: serving,
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its key.
    pub fn pin(&self) -> Pin {
        self.pin
    }

    /// What it was told so far.
    pub fn heard(&self) -> Vec<PeerMessage> {
        self.heard.lock().unwrap().clone()
    }

    /// Says this to all that are in.
    pub async fn say(&self, message: &RelayMessage) {
        let inside = self.inside.lock().unwrap().clone();
        for connection in inside {
            let _ = send_message(&connection, message).await;
        }
    }

    /// Waits for what whoever came in last says next, but for its counters; nothing once it has gone.
    pub async fn is_told(&self) -> Option<PeerMessage> {
        let inside = self.inside.lock().unwrap().last().cloned().unwrap();
        loop {
            match control::next_message(&inside).await {
                Ok(PeerMessage::Stats(_)) => {}
                message => return message.ok(),
            }
        }
    }

    /// How a relay lets in the first one.
    pub fn welcome() -> Welcome {
        Welcome {
            room_id: RoomId::new(7).unwrap(),
            peer_id: PeerId::new(2).unwrap(),
            effective_mtu: IpMtu::MIN,
            gateway: None,
            resume_token: ResumeToken::from_random([1; 16]),
            capabilities: vec![ROOM_KEYS.to_owned(), HOST_KEYS.to_owned()],
            term: None,
            fence: None,
            region: None,
        }
    }
}

async fn serve(
    endpoint: Endpoint,
    answers: Arc<Answers>,
    heard: Arc<Mutex<Vec<PeerMessage>>>,
    inside: Arc<Mutex<Vec<Connection>>>,
) {
    let mut guests = JoinSet::new();
    while let Some(incoming) = endpoint.accept().await {
        let (answers, heard) = (Arc::clone(&answers), Arc::clone(&heard));
        let inside = Arc::clone(&inside);
        guests.spawn(async move {
            let Ok(connection) = incoming.accept(Duration::from_secs(5)).await else {
                return;
            };
            while let Ok((mut send, mut receive)) = connection.accept_bi().await {
                let Ok(message) = control::read_message(&mut receive).await else {
                    break;
                };
                heard.lock().unwrap().push(message);
                let message = heard.lock().unwrap().last().cloned().unwrap();
                let Some(answer) = answers(&message) else {
                    connection.close(CloseCode::ProtocolError);
                    return;
                };
                let _ = control::write_message(&mut send, &answer).await;
                if matches!(answer, RelayMessage::Welcome(_)) {
                    inside.lock().unwrap().push(connection.clone());
                }
            }
            connection.closed().await;
        });
    }
}
