//! Who asks for a party before it enters, over real QUIC: what it learns, and what it costs the relay.
#![allow(
    clippy::disallowed_methods,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests drive a shell, and fail by panicking"
)]

mod party;

use lanparty_ctrl::message::{Hello, Newcomer};
use lanparty_ctrl::places::Found;
use lanparty_ctrl::{
    DisconnectReason, FINDS, HostKey, HostSecret, PeerMessage, Pin, RejectReason, RelayMessage,
    RoomKey, SignedTerm, Term,
};
use lanparty_quic::{CloseCode, Closed, control};
use lanparty_relay::{JoinLimits, KnockLimits, Limits};
use party::{Relay, Stranger, client, room, soon};
use std::time::{Duration, Instant};

fn key() -> RoomKey {
    RoomKey::from_random([7; 16])
}

fn host() -> HostKey {
    HostSecret::from_random([1; 32]).host_key(&room())
}

fn term() -> SignedTerm {
    Term::new(5).sign(&host(), &room(), &Pin::from_sha256([9; 32]))
}

/// What somebody says who is invited, or is the host.
fn hello(stranger: &Stranger, who: Newcomer) -> Hello {
    let channel = stranger.connection.channel_binding();
    let mut hello = Hello::new(&room(), who, stranger.connection.budget());
    hello.prove(&key().admission_key(), channel);
    match who {
        Newcomer::Gateway => {
            hello.prove_host(&host(), channel);
            hello.term = Some(term());
        }
        Newcomer::Client(_) => hello.host = Some(host().id()),
    }
    hello
}

async fn find(stranger: &Stranger, hello: Hello) -> RelayMessage {
    let find = PeerMessage::Find(Box::new(hello));
    let mut answer = stranger.say_first(&find).await;
    soon(control::read_message(&mut answer)).await.unwrap()
}

async fn found(relay: &Relay, who: Newcomer) -> (Stranger, Result<Found, RejectReason>) {
    let stranger = relay.connect().await;
    let found = match find(&stranger, hello(&stranger, who)).await {
        RelayMessage::Found(found) => Ok(*found),
        RelayMessage::Reject(reject) => Err(reject.reason),
        other => panic!("{other:?}"),
    };
    (stranger, found)
}

#[tokio::test]
async fn whoever_asks_for_its_party_enters_on_the_same_connection() {
    let region = |config: &mut lanparty_relay::Config| config.region = Some("Paris".into());
    let relay = Relay::start_as(3, region, |_| {});
    let (early, refused) = found(&relay, client(1)).await;
    assert_eq!(refused, Err(RejectReason::NotAuthorised));
    let closed = soon(early.connection.closed()).await;
    assert_eq!(closed, Closed::ByPeer("rejected".into()));

    let (stranger, nobody) = found(&relay, Newcomer::Gateway).await;
    let expected = Found {
        waiting: 1,
        region: Some("Paris".into()),
        ..Found::default()
    };
    assert_eq!(nobody, Ok(expected));
    let again = hello(&stranger, Newcomer::Gateway);
    let gateway = stranger.hello(again).await.unwrap();
    assert!(
        gateway
            .welcome
            .capabilities
            .iter()
            .any(|name| name == FINDS)
    );

    let (stranger, party) = found(&relay, client(1)).await;
    let expected = Found {
        gateway: true,
        term: Some(term()),
        region: Some("Paris".into()),
        ..Found::default()
    };
    assert_eq!(party, Ok(expected));
    let again = hello(&stranger, client(1));
    let player = stranger.hello(again).await.unwrap();
    assert_eq!(player.welcome.gateway, Some(gateway.welcome.peer_id));
    assert_eq!(player.welcome.term, Some(term()));
    assert_eq!(player.welcome.region, Some("Paris".into()));
    assert_eq!(gateway.joined().await, player.welcome.peer_id);
}

#[tokio::test]
async fn whoever_says_anything_but_a_hello_after_a_find_is_out_and_nobody_else() {
    let relay = Relay::start(Limits::default());
    let gateway = relay.connect().await;
    let gateway_hello = hello(&gateway, Newcomer::Gateway);
    let gateway = gateway.hello(gateway_hello).await.unwrap();
    let garbage = b"\0\0\0\x04oops".as_slice();
    for wrong in [None, Some(garbage), Some(&[0xff; 64]), Some(b"")] {
        let (stranger, party) = found(&relay, client(1)).await;
        assert!(party.unwrap().gateway);
        let (mut stream, _answer) = soon(stranger.connection.open_bi()).await.unwrap();
        match wrong {
            Some(bytes) => {
                stream.write_all(bytes).await.unwrap();
                stream.finish().unwrap();
            }
            None => {
                let twice = PeerMessage::Find(Box::new(hello(&stranger, client(1))));
                control::write_message(&mut stream, &twice).await.unwrap();
            }
        }
        let closed = soon(stranger.connection.closed()).await;
        assert_eq!(closed, Closed::ByPeer("protocol error".into()), "{wrong:?}");
    }
    // A find inside, and a second hello after a find.
    let (stranger, _) = found(&relay, client(1)).await;
    let again = hello(&stranger, client(1));
    let player = stranger.hello(again).await.unwrap();
    gateway.joined().await;
    let twice = PeerMessage::Find(Box::new(hello(&player.stranger, client(1))));
    player.say(&twice).await;
    let sent_away = loop {
        match player.message().await {
            RelayMessage::Disconnect(goodbye) => break goodbye.reason,
            RelayMessage::PeerJoined(_) => {}
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(sent_away, DisconnectReason::ProtocolError);
    gateway.left().await;
    let (_stranger, party) = found(&relay, client(2)).await;
    assert!(party.unwrap().gateway, "the others play on");
}

#[tokio::test]
async fn who_says_nothing_after_a_find_holds_its_place_for_three_seconds() {
    let narrow = |config: &mut lanparty_relay::Config| {
        config.knocks = KnockLimits {
            at_once: 1,
            ..KnockLimits::default()
        };
    };
    let relay = Relay::start_as(1, narrow, |_| {});
    let begin = Instant::now();
    let (silent, _) = found(&relay, Newcomer::Gateway).await;
    let (_next, party) = found(&relay, Newcomer::Gateway).await;
    assert!(party.is_ok());
    let waited = begin.elapsed();
    assert!(waited >= Duration::from_millis(2900), "after {waited:?}");
    let closed = soon(silent.connection.closed()).await;
    assert_eq!(closed, Closed::ByPeer("bye".into()));
}

#[tokio::test]
async fn a_player_whose_host_is_elsewhere_holds_its_place_for_half_a_second_at_most() {
    let narrow = |config: &mut lanparty_relay::Config| {
        config.knocks = KnockLimits {
            at_once: 1,
            ..KnockLimits::default()
        };
    };
    let relay = Relay::start_as(1, narrow, |_| {});
    let gateway = relay.connect().await;
    let gateway_hello = hello(&gateway, Newcomer::Gateway);
    let gateway = gateway.hello(gateway_hello).await.unwrap();
    let player = relay.connect().await;
    let player_hello = hello(&player, client(3));
    let player = player.hello(player_hello).await.unwrap();
    player.joined().await;
    gateway.connection().close(CloseCode::Bye);
    player.left().await;
    let begin = Instant::now();
    let (waiting, party) = found(&relay, client(1)).await;
    assert!(!party.unwrap().gateway);
    let closed = soon(waiting.connection.closed()).await;
    assert_eq!(closed, Closed::ByPeer("bye".into()));
    let (_next, party) = found(&relay, client(2)).await;
    assert!(party.is_ok());
    let waited = begin.elapsed();
    assert!(waited < Duration::from_millis(2500), "after {waited:?}");
}

#[tokio::test]
async fn a_flood_of_finds_is_told_to_wait_and_keeps_no_player_out() {
    let relay = Relay::start(Limits {
        joins: JoinLimits {
            per_address: 2,
            ..JoinLimits::default()
        },
        ..Limits::default()
    });
    let gateway = relay.connect().await;
    let gateway_hello = hello(&gateway, Newcomer::Gateway);
    let _gateway = gateway.hello(gateway_hello).await.unwrap();
    let (mut told, mut waits) = (0, 0);
    for _ in 0..30 {
        match found(&relay, client(1)).await.1 {
            Ok(_) => told += 1,
            Err(RejectReason::RateLimited) => waits += 1,
            Err(other) => panic!("{other:?}"),
        }
    }
    assert!(told >= 20 && waits > 0, "{told} were told, {waits} wait");
    let player = relay.connect().await;
    let player_hello = hello(&player, client(1));
    assert!(player.hello(player_hello).await.is_ok());
}
