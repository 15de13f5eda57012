//! Real QUIC on the loopback interface: whom a peer trusts, and what a connection carries.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test with real sockets"
)]

use bytes::Bytes;
use lanparty_ctrl::{IdentityKey, RelayMessage};
use lanparty_proto::{DatagramBudget, FrameBuf, Header, PeerId, RoomId, fragment};
use lanparty_quic::control;
use lanparty_quic::tls::{Identity, Trust};
use lanparty_quic::{
    CloseCode, Closed, Congestion, Connection, Endpoint, HandshakeError, PathFloor, WaitWindow,
};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};
use tokio::net::UdpSocket;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

const NAME: &str = "lanparty-relay";
const DEADLINE: Duration = Duration::from_secs(5);

#[tokio::test]
async fn a_pinned_certificate_connects_and_carries_frames_and_messages() {
    let (client, server) = connected(PathFloor::Ordinary).await;
    assert_eq!(client.budget(), server.budget());
    let seen = [&client, &server].map(|end| end.remote_address().unwrap());
    assert!(seen.iter().all(|seen| seen.ip() == Ipv4Addr::LOCALHOST));
    assert_ne!(seen[0].port(), seen[1].port());
    assert_eq!(server.local_ip(), Some(Ipv4Addr::LOCALHOST.into()));

    let frame = vec![7; 1000];
    let datagram = FrameBuf::from_frame(&frame).into_datagram(header());
    assert_eq!(
        client.send_frame(Instant::now(), datagram.clone(), || unreachable!(), None),
        Ok(1)
    );
    assert_eq!(receive(&server).await, datagram);

    let message = RelayMessage::PeerLeft(lanparty_ctrl::message::PeerLeft {
        peer_id: header().peer,
        reason: lanparty_ctrl::LeaveReason::Leaving,
    });
    control::send_message(&server, &message).await.unwrap();
    assert_eq!(
        control::next_message::<RelayMessage>(&client)
            .await
            .unwrap(),
        message
    );

    client.close(CloseCode::Bye);
    assert_eq!(server.closed().await, Closed::ByPeer("bye".to_owned()));
    assert_eq!((server.remote_address(), server.local_ip()), (None, None));
}

#[tokio::test]
async fn several_messages_come_from_one_stream_and_one_from_each_of_several() {
    let (client, server) = connected(PathFloor::Ordinary).await;
    let numbers: Vec<u32> = (0..100).collect();
    control::send_messages(&server, &numbers[..98])
        .await
        .unwrap();
    control::send_message(&server, &numbers[98]).await.unwrap();
    control::send_message(&server, &numbers[99]).await.unwrap();
    let mut messages = control::Messages::new(client.clone());
    for number in numbers {
        assert_eq!(messages.next::<u32>().await.unwrap(), number);
    }
    // Whoever knows nothing of batches hears the first.
    control::send_messages(&server, &[1, 2]).await.unwrap();
    control::send_message(&server, &3).await.unwrap();
    assert_eq!(control::next_message::<u32>(&client).await.unwrap(), 1);
    assert_eq!(control::next_message::<u32>(&client).await.unwrap(), 3);
}

#[tokio::test]
async fn a_full_frame_crosses_in_pieces_on_ordinary_and_least_paths() {
    for floor in [PathFloor::Ordinary, PathFloor::Least] {
        let (client, server) = connected(floor).await;
        for (from, to) in [(&client, &server), (&server, &client)] {
            let frame: Vec<u8> = (0..1514).map(|i| (i % 251) as u8).collect();
            let datagram = FrameBuf::from_frame(&frame).into_datagram(header());
            assert_eq!(
                from.send_frame(Instant::now(), datagram, || 9, None),
                Ok(2),
                "{floor:?}"
            );
            let mut reassembler = fragment::Reassembler::default();
            let mut whole = None;
            while whole.is_none() {
                let datagram = receive(to).await;
                let (_, body) = Header::decode(&datagram).unwrap();
                let piece = fragment::Fragment::decode(body).unwrap();
                whole = reassembler.insert(Instant::now(), piece).unwrap();
            }
            assert_eq!(whole, Some(Bytes::from(frame)));
        }
    }
}

#[tokio::test]
async fn the_least_path_binds_the_relay_too() {
    let (client, server) = connected(PathFloor::Least).await;
    assert!(client.budget().bytes() < 1200);
    assert!(
        server.budget().bytes() < 1200,
        "the relay would send {}",
        server.budget()
    );
}

#[tokio::test]
async fn a_cap_below_the_budget_cuts_smaller_pieces() {
    let (client, _server) = connected(PathFloor::Ordinary).await;
    let datagram = FrameBuf::from_frame(&[1; 1200]).into_datagram(header());
    assert_eq!(
        client.send_frame(Instant::now(), datagram, || 9, DatagramBudget::new(600)),
        Ok(3)
    );
}

#[tokio::test]
async fn a_full_queue_loses_the_oldest_frames_of_its_longest_flow() {
    let (client, server) = connected(PathFloor::Ordinary).await;
    let send = |flow: u8, number: u32| {
        let mut frame = [flow; 1200];
        frame[14..18].copy_from_slice(&number.to_be_bytes());
        let datagram = FrameBuf::from_frame(&frame).into_datagram(header());
        client
            .send_frame(Instant::now(), datagram, || 9, None)
            .unwrap();
    };
    // Nothing yields to the engine in between, so it cannot send any of them.
    send(1, 0);
    (0..2000).for_each(|number| send(2, number));
    assert!(client.queue_stats().bulk.full > 1500);

    let mut arrived = Vec::new();
    while arrived.last() != Some(&(2, 1999)) {
        let datagram = receive(&server).await;
        let number = u32::from_be_bytes(datagram[22..26].try_into().unwrap());
        arrived.push((datagram[8], number));
    }
    // The first ones went past the queue, for there was none.
    assert!(arrived.contains(&(1, 0)) && arrived.contains(&(2, 0)));
    assert!(!arrived.contains(&(2, 100)), "{arrived:?}");
}

/// With the stock BBRv3 of noq 1.4 the small frames behind each large one waited up to 90 ms. What the machine lets wait
/// waits on a second connection of the same ends as well, which has small frames alone.
#[tokio::test]
async fn a_large_frame_between_small_ones_holds_nobody_up() {
    const FRAMES: usize = 240;
    let [(client, server), (control, control_server)] = two_connected().await;
    let receiver = tokio::spawn(async move {
        let (mut arrived, mut beside, mut late) = (0, 0, 0);
        while arrived < FRAMES {
            tokio::select! {
                biased;
                _ = receive(&server) => {
                    // The next one was sent 16 ms later, and is here.
                    late += usize::from(beside > arrived + 1);
                    arrived += 1;
                }
                _ = receive(&control_server), if beside < FRAMES => beside += 1,
            }
        }
        late
    });
    let mut clock = tokio::time::interval(Duration::from_millis(16));
    for number in 0..FRAMES {
        clock.tick().await;
        let len = if number % 50 == 49 { 1000 } else { 60 };
        for (link, len) in [(&client, len), (&control, 60)] {
            let datagram = FrameBuf::from_frame(&vec![0; len]).into_datagram(header());
            link.send_frame(Instant::now(), datagram, || 9, None)
                .unwrap();
        }
    }
    let late = receiver.await.unwrap();
    // Behind four large frames stood some twenty.
    assert!(late < 8, "{late} of {FRAMES} frames came late");
}

#[tokio::test]
async fn another_certificate_or_name_is_not_trusted() {
    let relay = listening(&identity());
    let other = trust(&identity());
    let error = connect(&relay.0, NAME, &other).await.unwrap_err();
    assert!(matches!(error, HandshakeError::Certificate(_)), "{error}");
    let error = connect(&relay.0, "other.example", &relay.1)
        .await
        .unwrap_err();
    assert!(matches!(error, HandshakeError::Certificate(_)), "{error}");
}

#[tokio::test]
async fn a_pinned_key_connects_whatever_the_certificate_says() {
    let key = Identity::new_key().unwrap();
    let [old, renewed] =
        ["old.example", "new.example"].map(|name| Identity::self_signed(name, &key).unwrap());
    let (relay, _) = listening(&old);
    let pinned = Trust::pinned(old.pin());
    connect(&relay, NAME, &pinned).await.unwrap();
    relay.set_identity(&renewed).unwrap();
    connect(&relay, NAME, &pinned).await.unwrap();
    relay.set_identity(&identity()).unwrap();
    let error = connect(&relay, NAME, &pinned).await.unwrap_err();
    assert!(matches!(error, HandshakeError::Certificate(_)), "{error}");
}

/// Every authority in the world may vouch for the man in the middle: his key is another.
#[tokio::test]
async fn the_relay_knows_a_peer_by_its_key_and_asks_for_none() {
    let key = IdentityKey::from_random([7; 32]);
    let (client, server) = connected_as(Some(&key), PathFloor::Ordinary).await;
    assert_eq!(server.identity(), Some(key.fingerprint()));
    assert_ne!(client.identity(), None, "the relay always has a key");
    let (_client, server) = connected(PathFloor::Ordinary).await;
    assert_eq!(server.identity(), None);
}

#[tokio::test]
async fn a_relay_that_was_killed_and_is_back_tells_its_peers_so() {
    for network_changed in [false, true] {
        let key = Identity::new_key().unwrap();
        let identity = Identity::self_signed(NAME, &key).unwrap();
        let pinned = Trust::pinned(identity.pin());
        let (address, endpoint, client) = connected_to_a_relay_that_dies(key, &pinned).await;
        if network_changed {
            // Nothing answers, and from now on the relay is called by another connection ID.
            endpoint.follow_network();
        }
        let _back = Endpoint::server(
            address.to_string().parse().unwrap(),
            &identity,
            Congestion::default(),
        )
        .unwrap();
        client
            .send_frame(Instant::now(), small_datagram(), || 9, None)
            .unwrap();
        let closed = tokio::time::timeout(Duration::from_secs(2), client.closed()).await;
        assert_eq!(
            closed,
            Ok(Closed::Forgotten),
            "the network has changed: {network_changed}"
        );
    }
}

#[tokio::test]
async fn only_what_authenticates_is_a_sign_of_life() {
    let (relay, trust) = listening_and_echoing(&identity());
    let mut wire = Wire::before(relay.local_address().unwrap()).await;
    let floor = PathFloor::Ordinary;
    let endpoint = Endpoint::client(floor, Congestion::default()).unwrap();
    let connecting = endpoint.connect(wire.address, NAME, &trust, None, floor);
    let client = connecting.await.unwrap();
    let before = client.heard();
    echoed(&client).await;
    assert!(client.heard() > before, "an honest answer is one");

    let seen = wire.cut().await;
    let received = async |count| {
        while packets(&client) < count {
            tokio::task::yield_now().await;
        }
    };
    received(seen.packets).await;
    let heard = client.heard();
    // Right in everything that an outsider can see.
    let mut forged = seen.last.clone();
    *forged.last_mut().unwrap() ^= 1;
    for packet in [seen.last, forged] {
        for _ in 0..10 {
            wire.inject(&packet).await;
        }
    }
    received(seen.packets + 20).await;
    assert_eq!(client.heard(), heard);
}

fn packets(connection: &Connection) -> u64 {
    let stats = connection.stats(&mut WaitWindow::new(1)).unwrap();
    stats.udp.received
}

/// Sends a datagram to a relay that sends back what it gets, and waits for it.
async fn echoed(client: &Connection) {
    client
        .send_frame(Instant::now(), small_datagram(), || 9, None)
        .unwrap();
    assert_eq!(receive(client).await, small_datagram());
}

fn small_datagram() -> Bytes {
    FrameBuf::from_frame(&[1; 60]).into_datagram(header())
}

fn listening_and_echoing(identity: &Identity) -> (Endpoint, Trust) {
    let endpoint = Endpoint::server(
        "127.0.0.1:0".parse().unwrap(),
        identity,
        Congestion::default(),
    )
    .unwrap();
    let accepting = endpoint.clone();
    tokio::spawn(async move {
        let stranger = accepting.accept().await.unwrap();
        let server = stranger.accept(DEADLINE).await.unwrap();
        echo(&server).await;
        server.closed().await;
    });
    (endpoint, trust(identity))
}

async fn echo(server: &Connection) {
    let datagram = receive(server).await;
    server
        .send_frame(Instant::now(), datagram, || 9, None)
        .unwrap();
}

/// What is between a peer and its relay, and sees every packet.
struct Wire {
    address: SocketAddr,
    inside: Arc<UdpSocket>,
    carrying: JoinHandle<()>,
    seen: watch::Receiver<Seen>,
}

/// What has gone to the peer.
#[derive(Clone)]
struct Seen {
    peer: SocketAddr,
    packets: u64,
    last: Vec<u8>,
}

impl Wire {
    async fn before(relay: SocketAddr) -> Self {
        let socket = || UdpSocket::bind("127.0.0.1:0");
        let (inside, outside) = (Arc::new(socket().await.unwrap()), socket().await.unwrap());
        outside.connect(relay).await.unwrap();
        let address = inside.local_addr().unwrap();
        let (see, seen) = watch::channel(Seen {
            peer: address,
            packets: 0,
            last: Vec::new(),
        });
        let wire = inside.clone();
        let carrying = tokio::spawn(async move {
            let (mut up, mut down, mut peer) = ([0; 2048], [0; 2048], address);
            loop {
                tokio::select! {
                    Ok((len, from)) = wire.recv_from(&mut up) => {
                        peer = from;
                        outside.send(&up[..len]).await.unwrap();
                    }
                    Ok(len) = outside.recv(&mut down) => {
                        wire.send_to(&down[..len], peer).await.unwrap();
                        see.send_modify(|seen| {
                            seen.peer = peer;
                            seen.packets += 1;
                            seen.last = down[..len].to_vec();
                        });
                    }
                }
            }
        });
        Wire {
            address,
            inside,
            carrying,
            seen,
        }
    }

    /// Carries nothing more.
    async fn cut(&mut self) -> Seen {
        self.carrying.abort();
        let _ = (&mut self.carrying).await;
        self.seen.borrow().clone()
    }

    /// Gives the peer a packet that seems to be the relay's.
    async fn inject(&self, packet: &[u8]) {
        let peer = self.seen.borrow().peer;
        self.inside.send_to(packet, peer).await.unwrap();
    }
}

/// The relay runs on a thread of its own, whose end leaves no time for goodbyes.
async fn connected_to_a_relay_that_dies(
    key: String,
    trust: &Trust,
) -> (SocketAddr, Endpoint, Connection) {
    let (said, address) = mpsc::channel();
    let (kill, killed) = oneshot::channel::<()>();
    let relay = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime.unwrap().block_on(async {
            let identity = Identity::self_signed(NAME, &key).unwrap();
            let relay = Endpoint::server(
                "127.0.0.1:0".parse().unwrap(),
                &identity,
                Congestion::default(),
            )
            .unwrap();
            said.send(relay.local_address().unwrap()).unwrap();
            let stranger = relay.accept().await.unwrap();
            let connection = stranger.accept(DEADLINE).await.unwrap();
            echo(&connection).await;
            let _ = killed.await;
        });
    });
    let address = address.recv().unwrap();
    let floor = PathFloor::Ordinary;
    let endpoint = Endpoint::client(floor, Congestion::default()).unwrap();
    let connected = endpoint.connect(address, NAME, trust, None, floor);
    let connected = connected.await.unwrap();
    // What it says first of all are its other connection IDs.
    echoed(&connected).await;
    drop(kill);
    relay.join().unwrap();
    (address, endpoint, connected)
}

#[tokio::test]
async fn a_man_in_the_middle_with_a_valid_certificate_is_refused_when_pinned() {
    let (authority, impostor) = signed_by_an_authority();
    let (relay, _) = listening(&impostor);
    connect(&relay, NAME, &authority).await.unwrap();
    let pinned = Trust::pinned(identity().pin());
    let error = connect(&relay, NAME, &pinned).await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("(its key is not the pinned one)"),
        "{error}"
    );
}

/// A certificate authority to trust, and what it has signed for [`NAME`].
fn signed_by_an_authority() -> (Trust, Identity) {
    let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let ca_key = rcgen::KeyPair::generate().unwrap();
    let ca = params.self_signed(&ca_key).unwrap();
    let issuer = rcgen::Issuer::new(params, ca_key);
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new([NAME.to_owned()]).unwrap();
    let leaf = params.signed_by(&key, &issuer).unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), ca.der()).unwrap();
    let identity = Identity::from_pem(leaf.pem().as_bytes(), key.serialize_pem().as_bytes());
    (Trust::load(Some(file.path())).unwrap(), identity.unwrap())
}

fn header() -> Header {
    Header {
        peer: PeerId::new(2).unwrap(),
        room: RoomId::new(3).unwrap(),
        fragment: false,
    }
}

fn identity() -> Identity {
    Identity::self_signed(NAME, &Identity::new_key().unwrap()).unwrap()
}

fn trust(identity: &Identity) -> Trust {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), identity.certificate_der()).unwrap();
    Trust::load(Some(file.path())).unwrap()
}

/// A relay's endpoint that answers handshakes for as long as the test runs.
fn listening(identity: &Identity) -> (Endpoint, Trust) {
    let endpoint = Endpoint::server(
        "127.0.0.1:0".parse().unwrap(),
        identity,
        Congestion::default(),
    )
    .unwrap();
    let accepting = endpoint.clone();
    tokio::spawn(async move {
        while let Some(incoming) = accepting.accept().await {
            let _ = incoming.accept(DEADLINE).await;
        }
    });
    (endpoint, trust(identity))
}

async fn connect(
    relay: &Endpoint,
    name: &str,
    trust: &Trust,
) -> Result<Connection, HandshakeError> {
    let floor = PathFloor::Ordinary;
    let client = Endpoint::client(floor, Congestion::default()).unwrap();
    client
        .connect(relay.local_address().unwrap(), name, trust, None, floor)
        .await
}

async fn connected(floor: PathFloor) -> (Connection, Connection) {
    connected_as(None, floor).await
}

async fn connected_as(me: Option<&IdentityKey>, floor: PathFloor) -> (Connection, Connection) {
    let identity = identity();
    let relay = Endpoint::server(
        "127.0.0.1:0".parse().unwrap(),
        &identity,
        Congestion::default(),
    )
    .unwrap();
    let client = Endpoint::client(floor, Congestion::default()).unwrap();
    let (address, trust) = (relay.local_address().unwrap(), trust(&identity));
    let connecting = client.connect(address, NAME, &trust, me, floor);
    let accepting = async { relay.accept().await.unwrap().accept(DEADLINE).await };
    let (client, server) = tokio::join!(connecting, accepting);
    (client.unwrap(), server.unwrap())
}

/// Two connections between the same two endpoints.
async fn two_connected() -> [(Connection, Connection); 2] {
    let (identity, floor) = (identity(), PathFloor::Ordinary);
    let relay = Endpoint::server(
        "127.0.0.1:0".parse().unwrap(),
        &identity,
        Congestion::default(),
    )
    .unwrap();
    let client = Endpoint::client(floor, Congestion::default()).unwrap();
    let (address, trust) = (relay.local_address().unwrap(), trust(&identity));
    let connect = async || {
        let connecting = client.connect(address, NAME, &trust, None, floor);
        let accepting = async { relay.accept().await.unwrap().accept(DEADLINE).await };
        let (client, server) = tokio::join!(connecting, accepting);
        (client.unwrap(), server.unwrap())
    };
    [connect().await, connect().await]
}

async fn receive(connection: &Connection) -> Bytes {
    let mut room = [Bytes::new()];
    let read = connection.read_datagrams(&mut room);
    tokio::time::timeout(DEADLINE, read)
        .await
        .expect("a datagram comes in time")
        .unwrap();
    let [datagram] = room;
    datagram
}
