//! An endpoint that was made for going out, and to which those may come who were introduced.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test with real sockets"
)]

use bytes::Bytes;
use lanparty_ctrl::Pin;
use lanparty_quic::tls::{Identity, Trust};
use lanparty_quic::{Closed, Congestion, Connection, Drive, Endpoint, HandshakeError, PathFloor};
use std::future::poll_fn;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::task::Poll;
use std::time::{Duration, Instant};

const ALPN: &[u8] = b"lanparty-door/1";
const DEADLINE: Duration = Duration::from_secs(5);

#[tokio::test]
async fn who_is_expected_comes_in_beside_the_own_link() {
    let house = House::new().await;
    let guest = client();
    house.endpoint.expect(Ipv4Addr::LOCALHOST.into(), soon(), 2);
    let (there, here) = house.meet(&guest).await;
    assert_eq!(here.channel_binding(), there.channel_binding());
    assert!(here.is_beside(&house.link), "one socket has both");
    assert!(!there.is_beside(&here));

    assert!(!here.has_unread());
    there.send_probe(Bytes::from_static(b"hello")).unwrap();
    let mut room = vec![Bytes::new(); 4];
    assert_eq!(here.read_datagrams(&mut room).await, Ok(1));
    assert!(!here.has_unread());
    house.relay_echoes().await;

    // The network below changes, for both.
    house.endpoint.follow_network();
    guest.follow_network();
    here.send_probe(Bytes::from_static(b"hello")).unwrap();
    assert_eq!(there.read_datagrams(&mut room).await, Ok(1));
    house.relay_echoes().await;
    let acknowledged = there.acknowledged();
    assert!(acknowledged > 0);

    drop(there);
    assert_eq!(here.closed().await, Closed::ByPeer(String::new()));
    assert!(here.has_unread(), "of the end");
    house.relay_echoes().await;
}

#[tokio::test]
async fn for_everybody_else_there_is_nobody() {
    let house = House::new().await;
    let elsewhere = Ipv4Addr::new(127, 0, 0, 9);
    house.endpoint.expect(elsewhere.into(), soon(), 2);
    let knocks = async |endpoint: &Endpoint| {
        let knock = endpoint.call(house.address, ALPN, &house.trust);
        tokio::time::timeout(Duration::from_millis(400), knock).await
    };
    let stranger = client();
    assert!(knocks(&stranger).await.is_err(), "no answer, not even a no");
    // Something that looks like a packet of an unknown version would be answered by a server.
    let socket = tokio::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0));
    let socket = socket.await.unwrap();
    let mut packet = vec![0xc0, 0xa, 0xb, 0xc, 0xd, 8];
    packet.resize(1200, 7);
    socket.send_to(&packet, house.address).await.unwrap();
    let mut answer = [0; 2000];
    let answer = socket.recv(&mut answer);
    let answer = tokio::time::timeout(Duration::from_millis(200), answer).await;
    assert!(answer.is_err());
    house.relay_echoes().await;
}

#[tokio::test]
async fn a_guest_who_was_expected_once_knocks_no_more_often_than_that() {
    let house = House::new().await;
    house.endpoint.expect(Ipv4Addr::LOCALHOST.into(), soon(), 2);
    let (first, second) = (client(), client());
    let (_one, _there) = house.meet(&first).await;
    let (_other, _there) = house.meet(&second).await;
    let third = client();
    let knock = third.call(house.address, ALPN, &house.trust);
    let knock = tokio::time::timeout(Duration::from_millis(400), knock).await;
    assert!(knock.is_err());
}

#[tokio::test]
async fn it_speaks_one_language_and_has_one_key() {
    let house = House::new().await;
    house.endpoint.expect(Ipv4Addr::LOCALHOST.into(), soon(), 9);
    let _accepting = house.accepting();
    let guest = client();
    let other = guest.call(house.address, b"lanparty/1", &house.trust).await;
    assert_eq!(other.unwrap_err(), HandshakeError::NotARelay);
    let pin = Pin::from_sha256([7; 32]);
    let impostor = guest.call(house.address, ALPN, &Trust::pinned(pin)).await;
    assert!(matches!(impostor, Err(HandshakeError::Certificate(_))));
}

#[tokio::test]
async fn a_punch_is_one_byte_that_nobody_hears_and_changes_nothing() {
    for bound in [IpAddr::from(Ipv4Addr::LOCALHOST), "::".parse().unwrap()] {
        let endpoint = Endpoint::client_at(
            (bound, 0).into(),
            PathFloor::Ordinary,
            Congestion::default(),
        );
        let endpoint = endpoint.unwrap();
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let to = socket.local_addr().unwrap();
        let twin = endpoint.duplicate_sockets().unwrap().remove(0);
        let twin = socket2::SockRef::from(&twin);
        let usual = twin.ttl_v4().unwrap();
        for ttl in [Some(2), None, Some(4)] {
            endpoint.punch(to, ttl).unwrap();
            let mut byte = [9; 2];
            let (len, from) = socket.recv_from(&mut byte).unwrap();
            assert_eq!((len, byte[0]), (1, 0));
            assert_eq!(from.port(), endpoint.local_address().unwrap().port());
            assert_eq!(twin.ttl_v4().unwrap(), usual);
        }
    }
    let (house, other) = (House::new().await, House::new().await);
    house.endpoint.punch(other.address, None).unwrap();
    house.relay_echoes().await;
    other.relay_echoes().await;
}

#[tokio::test]
async fn a_punch_from_a_port_that_nobody_told_of_is_heard_of() {
    for bound in [IpAddr::from(Ipv4Addr::LOCALHOST), "::".parse().unwrap()] {
        let endpoint = Endpoint::client_at(
            (bound, 0).into(),
            PathFloor::Ordinary,
            Congestion::default(),
        );
        let endpoint = endpoint.unwrap();
        let here = (
            Ipv4Addr::LOCALHOST,
            endpoint.local_address().unwrap().port(),
        );
        let (told, behind_a_nat) = (client(), client());
        let known = told.local_address().unwrap();
        let mut heard = endpoint.hear_punches(&[known], soon());
        for punching in [&told, &behind_a_nat, &behind_a_nat] {
            punching.punch(here.into(), None).unwrap();
        }
        let from = tokio::time::timeout(DEADLINE, heard.recv()).await;
        let there = behind_a_nat.local_address().unwrap();
        assert_eq!(from.unwrap(), Some(there));
    }
}

/// Turns of two endpoints in one task's hands.
#[tokio::test]
async fn one_task_drives_two_endpoints() {
    let (house, other) = (House::new().await, House::new().await);
    let mut drives = [house.link.drive(), other.link.drive()];
    assert!(drives[0].moves(&house.link) && !drives[0].moves(&other.link));
    let slow = async {
        house.relay_echoes().await;
        other.relay_echoes().await;
    };
    // Nobody else would move them.
    Drive::all_beside(&mut drives, slow).await;
    for link in [&house.link, &other.link] {
        link.send_probe(Bytes::from_static(b"echo")).unwrap();
    }
    let mut room = vec![Bytes::new(); 4];
    let mut echoes = [0, 0];
    poll_fn(|cx| {
        let now = Instant::now();
        for drive in &mut drives {
            drive.receive(cx, now);
        }
        for (echoes, link) in echoes.iter_mut().zip([&house.link, &other.link]) {
            *echoes += link.try_read_datagrams(&mut room).unwrap();
        }
        for drive in &mut drives {
            drive.send(cx, now);
            drive.rest(cx, None);
        }
        match echoes {
            [1, 1] => Poll::Ready(()),
            _ => Poll::Pending,
        }
    })
    .await;
}

/// An endpoint with a link to a relay that says again what it hears, and a door.
struct House {
    endpoint: Endpoint,
    link: Connection,
    address: SocketAddr,
    trust: Trust,
}

impl House {
    async fn new() -> Self {
        let identity = identity();
        let trust = Trust::pinned(identity.pin());
        let relay = Endpoint::server(
            (Ipv4Addr::LOCALHOST, 0).into(),
            &identity,
            Congestion::default(),
        );
        let relay = relay.unwrap();
        let at = relay.local_address().unwrap();
        tokio::spawn(async move {
            let link = relay.accept().await.unwrap().accept(DEADLINE).await;
            let link = link.unwrap();
            let mut room = vec![Bytes::new(); 4];
            while let Ok(count) = link.read_datagrams(&mut room).await {
                for datagram in &room[..count] {
                    let _ = link.send_probe(datagram.clone());
                }
            }
        });
        let endpoint = client();
        let link = endpoint.connect(at, "relay", &trust, None, PathFloor::Ordinary);
        let link = link.await.unwrap();
        let door = self::identity();
        endpoint.serve(&door, ALPN).unwrap();
        House {
            address: (
                Ipv4Addr::LOCALHOST,
                endpoint.local_address().unwrap().port(),
            )
                .into(),
            endpoint,
            link,
            trust: Trust::pinned(door.pin()),
        }
    }

    fn accepting(&self) -> tokio::task::JoinHandle<()> {
        let endpoint = self.endpoint.clone();
        tokio::spawn(async move {
            while let Some(stranger) = endpoint.accept().await {
                let _ = stranger.accept(DEADLINE).await;
            }
        })
    }

    /// Both ends of a path between the guest and the house.
    async fn meet(&self, guest: &Endpoint) -> (Connection, Connection) {
        let comes = guest.call(self.address, ALPN, &self.trust);
        let lets_in = async { self.endpoint.accept().await.unwrap().accept(DEADLINE).await };
        let (there, here) = tokio::join!(comes, lets_in);
        (there.unwrap(), here.unwrap())
    }

    async fn relay_echoes(&self) {
        self.link.send_probe(Bytes::from_static(b"echo")).unwrap();
        let mut room = vec![Bytes::new(); 4];
        let echo = self.link.read_datagrams(&mut room);
        let echo = tokio::time::timeout(DEADLINE, echo).await;
        assert_eq!(echo.unwrap(), Ok(1));
    }
}

fn identity() -> Identity {
    let key = Identity::new_key().unwrap();
    Identity::self_signed("lanparty-relay", &key).unwrap()
}

fn client() -> Endpoint {
    let address = (Ipv4Addr::LOCALHOST, 0).into();
    Endpoint::client_at(address, PathFloor::Ordinary, Congestion::default()).unwrap()
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(10)
}
