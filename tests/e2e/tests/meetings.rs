//! A player whose NAT gives it another port is introduced with the one of the moment.
#![allow(clippy::unwrap_used, reason = "a test with real sockets")]
#![allow(
    clippy::panic,
    reason = "tests fail where something unexpected happens"
)]
#![allow(clippy::disallowed_methods, reason = "a test with real sockets")]

use lanparty_ctrl::door::{Door, Meet};
use lanparty_ctrl::message::{Hello, Newcomer};
use lanparty_ctrl::{DOORS, PeerMessage, Pin, RelayMessage};
use lanparty_e2e::{Middlebox, ROOM, Relay, soon};
use lanparty_proto::VirtualMac;
use lanparty_quic::{Congestion, Connection, Endpoint, PathFloor, control};
use std::net::SocketAddr;

#[tokio::test]
async fn the_address_of_the_moment_is_the_one_that_is_told() {
    let relay = Relay::start();
    let nat = Middlebox::before(relay.address()).await;
    let mac = VirtualMac::from_random([2, 0, 0, 0, 0, 1]);
    let ann = enter(&relay, nat.address(), Newcomer::Client(mac)).await;
    let before = nat.outside().await;
    open(&ann.1).await;
    nat.rebind();
    // The first packet from there.
    open(&ann.1).await;
    let gateway = enter(&relay, relay.address(), Newcomer::Gateway).await;
    open(&gateway.1).await;
    let now = nat.outside().await;
    assert_ne!(before, now);
    let [to_gateway, to_ann] = [meet(&gateway.1).await, meet(&ann.1).await];
    assert_eq!((&to_gateway.addresses[..], to_ann.seen), (&[now][..], now));
}

#[tokio::test]
async fn who_is_in_the_relays_own_program_is_seen_nowhere() {
    let relay = Relay::start();
    let dialer = relay.inside().inside.unwrap();
    let connection = soon("the side door", dialer.connect(None)).await.unwrap();
    hello(&connection, Newcomer::Gateway).await;
    let mac = VirtualMac::from_random([2, 0, 0, 0, 0, 1]);
    let ann = enter(&relay, relay.address(), Newcomer::Client(mac)).await;
    open(&connection).await;
    open(&ann.1).await;
    let why = loop {
        match soon("a word", control::next_message(&ann.1)).await.unwrap() {
            RelayMessage::PeerJoined(_) => {}
            RelayMessage::NoMeeting(none) => break none.why,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(why, lanparty_ctrl::door::NoMeetingReason::Unseen);
}

async fn enter(relay: &Relay, address: SocketAddr, who: Newcomer) -> (Endpoint, Connection) {
    let endpoint = Endpoint::client(PathFloor::Ordinary, Congestion::default()).unwrap();
    let config = relay.config();
    let (name, trust) = (&config.server_name, &config.trust);
    let connecting = endpoint.connect(address, name, trust, None, PathFloor::Ordinary);
    let connection = soon("a handshake", connecting).await.unwrap();
    hello(&connection, who).await;
    (endpoint, connection)
}

async fn hello(connection: &Connection, who: Newcomer) {
    let mut hello = Hello::new(&ROOM.parse().unwrap(), who, connection.budget());
    hello.capabilities.push(DOORS.to_owned());
    let (mut ask, mut answer) = soon("a stream", connection.open_bi()).await.unwrap();
    let hello = PeerMessage::from(hello);
    let said = control::write_message(&mut ask, &hello);
    soon("a hello", said).await.unwrap();
    let welcome = soon("an answer", control::read_message(&mut answer)).await;
    assert!(
        matches!(welcome, Ok(RelayMessage::Welcome(_))),
        "{welcome:?}"
    );
}

async fn open(peer: &Connection) {
    let door = PeerMessage::Door(Door {
        open: true,
        addresses: Vec::new(),
        pin: Some(Pin::from_sha256([9; 32])),
        nat: None,
    });
    let said = control::send_message(peer, &door);
    soon("a word of the door", said).await.unwrap();
}

async fn meet(peer: &Connection) -> Meet {
    loop {
        match soon("a meeting", control::next_message(peer))
            .await
            .unwrap()
        {
            RelayMessage::Meet(meet) => return *meet,
            RelayMessage::PeerJoined(_) => {}
            other => panic!("{other:?}"),
        }
    }
}
