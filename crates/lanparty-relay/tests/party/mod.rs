//! A relay on loopback, and those who come to it by hand.
#![allow(dead_code, reason = "each test takes what it needs of it")]

pub(crate) mod over_tcp;

use bytes::Bytes;
use lanparty_ctrl::message::{Hello, Newcomer, Reject, Vouched, Welcome};
use lanparty_ctrl::{
    DisconnectReason, IdentityKey, LeaveReason, PeerMessage, RelayMessage, RoomCode,
};
use lanparty_proto::fragment::{Fragment, Reassembler};
use lanparty_proto::{Header, MacAddr, PeerId, VirtualMac};
use lanparty_quic::control;
use lanparty_quic::tls::Trust;
use lanparty_quic::{Congestion, Connection, Endpoint, PathFloor, RecvStream};
use lanparty_relay::{Config, Limits, RelayServer, SocketGone};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// Anything that takes this long has not happened.
pub(crate) const LIMIT: Duration = Duration::from_secs(10);

pub(crate) struct Relay {
    pub(crate) address: std::net::SocketAddr,
    pub(crate) trust: Trust,
    pub(crate) stop: Option<oneshot::Sender<()>>,
    pub(crate) running: JoinHandle<Result<(), SocketGone>>,
}

impl Relay {
    pub(crate) fn start(limits: Limits) -> Self {
        Self::start_with(limits, |_| {})
    }

    /// One of which something else is to be set up before it runs.
    pub(crate) fn start_with(limits: Limits, prepare: impl FnOnce(&mut RelayServer)) -> Self {
        // Members of a room are on threads of their own, wherever that can be; relays with one are inside gateways.
        Self::start_on(3, limits, prepare)
    }

    /// One that moves packets on so many threads.
    pub(crate) fn start_on(
        threads: usize,
        limits: Limits,
        prepare: impl FnOnce(&mut RelayServer),
    ) -> Self {
        Self::start_as(threads, |config| config.limits = limits, prepare)
    }

    /// One that is told something else, too.
    pub(crate) fn start_as(
        threads: usize,
        change: impl FnOnce(&mut Config),
        prepare: impl FnOnce(&mut RelayServer),
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let certificate = folder.path().join("new/relay.der");
        let mut config = Config {
            dev_cert_der_out: Some(certificate.clone()),
            threads: std::num::NonZeroUsize::new(threads),
            ..Config::new("127.0.0.1:0".parse().unwrap())
        };
        change(&mut config);
        let mut server = RelayServer::bind(&config).unwrap();
        prepare(&mut server);
        assert_eq!(
            std::fs::read(&certificate).unwrap(),
            server.certificate_der()
        );
        let (stop, stopped) = oneshot::channel();
        Relay {
            address: server.local_address(),
            trust: Trust::load(Some(&certificate)).unwrap(),
            stop: Some(stop),
            running: tokio::spawn(server.run(async { stopped.await.unwrap_or_default() })),
        }
    }

    pub(crate) async fn connect(&self) -> Stranger {
        self.connect_as(None).await
    }

    pub(crate) async fn connect_as(&self, identity: Option<&IdentityKey>) -> Stranger {
        let endpoint = Endpoint::client(PathFloor::Ordinary, Congestion::default()).unwrap();
        let connecting = endpoint.connect(
            self.address,
            "lanparty-relay",
            &self.trust,
            identity,
            PathFloor::Ordinary,
        );
        let connection = soon(connecting).await.unwrap();
        Stranger {
            endpoint,
            connection,
        }
    }

    pub(crate) async fn hello(
        &self,
        who: Newcomer,
        change: impl FnOnce(&mut Hello),
    ) -> Result<Peer, Reject> {
        let stranger = self.connect().await;
        let mut hello = Hello::new(&room(), who, stranger.connection.budget());
        change(&mut hello);
        stranger.hello(hello).await
    }

    pub(crate) async fn client(&self, number: u8) -> Peer {
        self.hello(client(number), |_| {}).await.unwrap()
    }

    pub(crate) async fn gateway(&self) -> Peer {
        self.hello(Newcomer::Gateway, |_| {}).await.unwrap()
    }
}

pub(crate) struct Stranger {
    pub(crate) endpoint: Endpoint,
    pub(crate) connection: Connection,
}

impl Stranger {
    pub(crate) async fn hello(self, hello: Hello) -> Result<Peer, Reject> {
        let mut answer = self.say_first(&PeerMessage::from(hello)).await;
        match soon(control::read_message(&mut answer)).await.unwrap() {
            RelayMessage::Welcome(welcome) => Ok(Peer {
                stranger: self,
                welcome,
                reassembler: Reassembler::default(),
            }),
            RelayMessage::Reject(reject) => Err(reject),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn say_first(&self, message: &PeerMessage) -> RecvStream {
        let (mut send, receive) = soon(self.connection.open_bi()).await.unwrap();
        control::write_message(&mut send, message).await.unwrap();
        receive
    }
}

pub(crate) struct Peer {
    pub(crate) stranger: Stranger,
    pub(crate) welcome: Welcome,
    pub(crate) reassembler: Reassembler,
}

impl Peer {
    pub(crate) fn connection(&self) -> &Connection {
        &self.stranger.connection
    }

    pub(crate) fn header(&self) -> Header {
        Header {
            peer: self.welcome.peer_id,
            room: self.welcome.room_id,
            fragment: false,
        }
    }

    pub(crate) fn send(&self, frame: &[u8]) {
        let datagram = Bytes::from([&self.header().encode(), frame].concat());
        let sent = self
            .connection()
            .send_frame(Instant::now(), datagram, || 1, None);
        sent.unwrap();
    }

    pub(crate) async fn frame(&mut self) -> (PeerId, Vec<u8>) {
        loop {
            let mut datagram = [Bytes::new()];
            let connection = &self.stranger.connection;
            soon(connection.read_datagrams(&mut datagram))
                .await
                .unwrap();
            let (header, body) = Header::decode(&datagram[0]).unwrap();
            if !header.fragment {
                return (header.peer, body.to_vec());
            }
            let piece = Fragment::decode(body).unwrap();
            if let Some(frame) = self.reassembler.insert(Instant::now(), piece).unwrap() {
                return (header.peer, frame.to_vec());
            }
        }
    }

    pub(crate) async fn message(&self) -> RelayMessage {
        soon(control::next_message(self.connection()))
            .await
            .unwrap()
    }

    pub(crate) async fn say(&self, message: &PeerMessage) {
        control::send_message(self.connection(), message)
            .await
            .unwrap();
    }

    pub(crate) async fn joined(&self) -> PeerId {
        match self.message().await {
            RelayMessage::PeerJoined(joined) => joined.peer_id,
            other => panic!("{other:?}"),
        }
    }

    /// The gateway's answer, whoever has joined before it.
    pub(crate) async fn vouched(&self) -> Vouched {
        loop {
            match self.message().await {
                RelayMessage::Vouched(vouched) => return vouched,
                RelayMessage::PeerJoined(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    pub(crate) async fn left(&self) -> (PeerId, LeaveReason) {
        match self.message().await {
            RelayMessage::PeerLeft(left) => (left.peer_id, left.reason),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn sent_away(&self) -> DisconnectReason {
        match self.message().await {
            RelayMessage::Disconnect(goodbye) => goodbye.reason,
            other => panic!("{other:?}"),
        }
    }
}

pub(crate) fn room() -> RoomCode {
    "lanparty".parse().unwrap()
}

pub(crate) fn mac(number: u8) -> MacAddr {
    MacAddr::new([2, 0, 0, 0, 0, number])
}

pub(crate) fn client(number: u8) -> Newcomer {
    Newcomer::Client(VirtualMac::try_from(mac(number)).unwrap())
}

pub(crate) fn frame(destination: MacAddr, source: MacAddr, len: usize) -> Vec<u8> {
    let mut frame = [destination.octets(), source.octets()].concat();
    frame.extend([0x81, 0x37]);
    frame.extend((14..len).map(|at| (at % 251) as u8));
    frame
}

pub(crate) async fn soon<F: Future>(event: F) -> F::Output {
    let waited = tokio::time::timeout(LIMIT, event).await;
    waited.expect("it happens within ten seconds")
}
