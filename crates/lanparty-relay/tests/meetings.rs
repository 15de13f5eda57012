//! Players and gateways that are introduced to each other over real QUIC, on a relay with several threads.
#![allow(
    clippy::disallowed_methods,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests drive a shell, and fail by panicking"
)]

mod party;

use lanparty_ctrl::door::{Door, Meet, NoMeetingReason, Ready};
use lanparty_ctrl::message::Newcomer;
use lanparty_ctrl::{DOORS, PeerMessage, Pin, RelayMessage};
use lanparty_proto::PeerId;
use lanparty_relay::Limits;
use party::{Peer, Relay, client};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

#[tokio::test]
async fn a_player_and_its_gateway_are_introduced() {
    let relay = Relay::start(Limits::default());
    let (gateway, ann) = party(&relay).await;
    let (gateways, anns) = (opens(&gateway, &[]).await, opens(&ann, &[]).await);
    let (to_gateway, to_ann) = (meet(&gateway).await, meet(&ann).await);
    assert_eq!(
        (&to_gateway.addresses[..], to_gateway.seen),
        (&[anns][..], gateways)
    );
    assert_eq!(
        (&to_ann.addresses[..], to_ann.seen),
        (&[gateways][..], anns)
    );
    assert_eq!(
        (to_gateway.peer_id, to_ann.peer_id),
        (id(&ann), id(&gateway))
    );
    assert_eq!((to_gateway.pin, to_ann.pin), (None, Some(pin())));
    assert!(to_gateway.secret == to_ann.secret);
    let mut round = to_ann.round;
    // A machine that stands still for three seconds has let a round pass; whoever asks again gets another one.
    while !go(&gateway, &ann, round).await {
        opens(&ann, &[]).await;
        round = meet(&ann).await.round;
        assert_eq!(meet(&gateway).await.round, round);
    }
    ann.say(&PeerMessage::Met(Ready {
        peer_id: id(&gateway),
        round,
    }))
    .await;
}

#[tokio::test]
async fn a_hostile_gateway_has_players_send_nowhere_else() {
    let relay = Relay::start(Limits::default());
    let (gateway, ann) = party(&relay).await;
    let relays = format!("127.0.0.1:{}", relay.address.port());
    let named = [
        "127.0.0.1:40000",
        "224.0.0.251:5353",
        "255.255.255.255:40000",
        "0.0.0.0:40000",
        "203.0.113.80:53",
        "203.0.113.80:40000",
        "203.0.113.80:40001",
        &relays,
        "203.0.113.81:40000",
    ];
    opens(&ann, &[]).await;
    let began = Instant::now();
    // However often it says so, and of rounds that there are not.
    let gateways = opens(&gateway, &named).await;
    for round in 0..20 {
        opens(&gateway, &named).await;
        ready(&gateway, id(&ann), round).await;
        ready(&gateway, id(&gateway), 1).await;
    }
    let victim = "203.0.113.80:40000".parse().unwrap();
    gateway.say(&door(false, &[])).await;
    let mut meetings = 0;
    loop {
        match ann.message().await {
            RelayMessage::Meet(meet) => assert_eq!(meet.addresses, [gateways, victim]),
            RelayMessage::NoMeeting(none) => {
                assert_eq!(none.why, NoMeetingReason::Closed);
                break;
            }
            other => panic!("{other:?}"),
        }
        meetings += 1;
    }
    let most = 1 + began.elapsed().as_secs() / 5;
    assert!((1..=most).contains(&meetings), "{meetings}");
}

#[tokio::test]
async fn who_does_not_know_doors_hears_of_nothing() {
    let relay = Relay::start(Limits::default());
    let gateway = able(&relay, Newcomer::Gateway).await;
    let old = relay.client(1).await;
    gateway.joined().await;
    old.joined().await;
    opens(&gateway, &[]).await;
    opens(&old, &[]).await;
    let RelayMessage::NoMeeting(none) = gateway.message().await else {
        panic!("it is introduced");
    };
    assert_eq!(
        (none.peer_id, none.why),
        (id(&old), NoMeetingReason::Unable)
    );
    let new = relay.client(2).await;
    assert_eq!(old.joined().await, id(&new), "the next word of all");
}

/// Both are ready; false where that came too late.
async fn go(gateway: &Peer, ann: &Peer, round: u32) -> bool {
    for (peer, other) in [(gateway, ann), (ann, gateway)] {
        ready(peer, id(other), round).await;
    }
    for (peer, other) in [(gateway, ann), (ann, gateway)] {
        let said = tokio::time::timeout(Duration::from_secs(5), peer.message());
        let Ok(said) = said.await else {
            return false;
        };
        let RelayMessage::Go(go) = said else {
            panic!("{said:?}");
        };
        assert_eq!((go.peer_id, go.round), (id(other), round));
    }
    true
}

async fn party(relay: &Relay) -> (Peer, Peer) {
    let gateway = able(relay, Newcomer::Gateway).await;
    let ann = able(relay, client(1)).await;
    gateway.joined().await;
    ann.joined().await;
    (gateway, ann)
}

async fn able(relay: &Relay, who: Newcomer) -> Peer {
    let able = relay.hello(who, |hello| hello.capabilities.push(DOORS.to_owned()));
    let peer = able.await.unwrap();
    assert!(peer.welcome.capabilities.iter().any(|name| name == DOORS));
    peer
}

/// Opens its door; answers where it is seen.
async fn opens(peer: &Peer, named: &[&str]) -> SocketAddr {
    peer.say(&door(true, named)).await;
    let port = peer.stranger.endpoint.local_address().unwrap().port();
    (Ipv4Addr::LOCALHOST, port).into()
}

fn door(open: bool, named: &[&str]) -> PeerMessage {
    PeerMessage::Door(Door {
        open,
        addresses: named.iter().map(|name| name.parse().unwrap()).collect(),
        pin: Some(pin()),
        nat: None,
    })
}

async fn meet(peer: &Peer) -> Meet {
    match peer.message().await {
        RelayMessage::Meet(meet) => *meet,
        other => panic!("{other:?}"),
    }
}

async fn ready(peer: &Peer, peer_id: PeerId, round: u32) {
    peer.say(&PeerMessage::Ready(Ready { peer_id, round }))
        .await;
}

fn id(peer: &Peer) -> PeerId {
    peer.welcome.peer_id
}

fn pin() -> Pin {
    Pin::from_sha256([9; 32])
}
