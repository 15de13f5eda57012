//! The relay over real QUIC on loopback: what peers see of it.
#![allow(
    clippy::disallowed_methods,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests drive a shell, and fail by panicking"
)]

mod party;

use bytes::Bytes;
use lanparty_ctrl::host_key::Introduction;
use lanparty_ctrl::message::{Disconnect, Hello, Newcomer, Seen, Vouched};
use lanparty_ctrl::{
    Challenge, DOORS, DisconnectReason, FINDS, GROUPS, HOST_CONTROLS, HOST_KEYS, HostOrder,
    HostSecret, IdentityKey, LAN_MACS, LeaveReason, NEW_KEYS, PeerMessage, ROOM_KEYS, RejectReason,
    RelayMessage, RoomKey,
};
use lanparty_proto::{DatagramBudget, MacAddr};
use lanparty_quic::{CloseCode, Closed, control};
use lanparty_relay::{JoinLimits, Limits};
use party::{Relay, Stranger, client, frame, mac, room, soon};
use std::net::SocketAddr;

#[tokio::test]
async fn a_hello_recorded_on_one_connection_is_refused_on_another() {
    let relay = Relay::start(Limits::default());
    let key = RoomKey::from_random([7; 16]).admission_key();
    let recorded = relay.connect().await;
    let mut hello = Hello::new(&room(), Newcomer::Gateway, recorded.connection.budget());
    hello.prove(&key, recorded.connection.channel_binding());
    let host = HostSecret::from_random([1; 32]).host_key(&room());
    hello.prove_host(&host, recorded.connection.channel_binding());
    let replayed = relay.connect().await.hello(hello.clone()).await;
    assert_eq!(
        replayed.map(drop).unwrap_err().reason,
        RejectReason::NotHost
    );
    let host = recorded.hello(hello).await.unwrap();
    let abilities = [
        ROOM_KEYS,
        HOST_CONTROLS,
        HOST_KEYS,
        LAN_MACS,
        GROUPS,
        NEW_KEYS,
        FINDS,
        DOORS,
    ];
    assert_eq!(host.welcome.capabilities, abilities);
}

#[tokio::test]
async fn a_gateway_vouches_for_itself_to_every_player() {
    const PLAYERS: u8 = 3;
    let relay = Relay::start(Limits::default());
    let host = HostSecret::from_random([1; 32]).host_key(&room());
    let gateway = relay.gateway().await;
    let challenge = Challenge::from_random([3; 32]);
    let mut players = Vec::new();
    for number in 1..=PLAYERS {
        let asks = |hello: &mut Hello| hello.host_challenge = Some(challenge);
        players.push(relay.hello(client(number), asks).await.unwrap());
    }
    let room = room();
    let introduction = |mac| Introduction {
        challenge,
        client: mac,
        gateway: gateway.welcome.peer_id,
        room_id: gateway.welcome.room_id,
        room: &room,
    };
    for _ in 1..=PLAYERS {
        let RelayMessage::PeerJoined(joined) = gateway.message().await else {
            panic!("no introduction");
        };
        assert_eq!(joined.host_challenge, Some(challenge));
        let vouch = host.vouch(&introduction(joined.mac.unwrap()));
        let answer = Vouched {
            peer_id: joined.peer_id,
            vouch,
        };
        gateway.say(&PeerMessage::Vouch(answer)).await;
    }
    for (number, player) in (1..).zip(&players) {
        let vouched = player.vouched().await;
        assert_eq!(vouched.peer_id, gateway.welcome.peer_id);
        let own = client(number).mac().unwrap();
        assert!(vouched.vouch.holds(&host.id(), &introduction(own)));
    }
    let vouch = host.vouch(&introduction(client(1).mac().unwrap()));
    let peer_id = players[1].welcome.peer_id;
    let impostor = PeerMessage::Vouch(Vouched { peer_id, vouch });
    players[0].say(&impostor).await;
    // The others' joining it has heard already.
    assert_eq!(
        players[0].sent_away().await,
        DisconnectReason::ProtocolError
    );
}

#[tokio::test]
async fn the_hosts_second_gateway_takes_the_place_and_the_first_is_told() {
    let relay = Relay::start(Limits::default());
    let key = RoomKey::from_random([7; 16]).admission_key();
    let host = HostSecret::from_random([1; 32]).host_key(&room());
    let mut gateways = Vec::new();
    for _ in 0..2 {
        let stranger = relay.connect().await;
        let channel = stranger.connection.channel_binding();
        let mut hello = Hello::new(&room(), Newcomer::Gateway, stranger.connection.budget());
        hello.prove(&key, channel);
        hello.prove_host(&host, channel);
        gateways.push(stranger.hello(hello).await.unwrap());
    }
    assert_eq!(gateways[0].welcome.room_id, gateways[1].welcome.room_id);
    assert_eq!(gateways[0].sent_away().await, DisconnectReason::Replaced);
}

#[tokio::test]
async fn peers_learn_of_each_other_and_exchange_frames_of_every_size() {
    let relay = Relay::start(Limits::default());
    let mut gateway = relay.gateway().await;
    let mut player = relay.client(1).await;
    assert_eq!(player.welcome.gateway, Some(gateway.welcome.peer_id));
    assert_eq!(player.joined().await, gateway.welcome.peer_id);
    assert_eq!(gateway.joined().await, player.welcome.peer_id);
    let lan = MacAddr::new([0, 0x16, 0x3e, 0, 0, 1]);
    for len in [14, 60, 1300, 1400, 1514] {
        let up = frame(lan, mac(1), len);
        player.send(&up);
        assert_eq!(gateway.frame().await, (player.welcome.peer_id, up));
        let down = frame(mac(1), lan, len);
        gateway.send(&down);
        assert_eq!(player.frame().await, (gateway.welcome.peer_id, down));
    }
}

#[tokio::test]
async fn a_host_sends_players_away_and_a_player_who_tries_goes_itself() {
    let relay = Relay::start(Limits::default());
    let gateway = relay.gateway().await;
    let (player, rival) = (relay.client(1).await, relay.client(2).await);
    for expected in [player.welcome.peer_id, rival.welcome.peer_id] {
        assert_eq!(gateway.joined().await, expected);
    }
    let kick = |peer_id| PeerMessage::Host(HostOrder::Kick { peer_id });
    gateway.say(&kick(player.welcome.peer_id)).await;
    assert_eq!(player.joined().await, gateway.welcome.peer_id);
    assert_eq!(player.joined().await, rival.welcome.peer_id);
    assert_eq!(player.sent_away().await, DisconnectReason::Kicked);
    let left = gateway.left().await;
    assert_eq!(left, (player.welcome.peer_id, LeaveReason::Kicked));

    rival.say(&kick(gateway.welcome.peer_id)).await;
    let left = gateway.left().await;
    assert_eq!(left, (rival.welcome.peer_id, LeaveReason::ProtocolError));
    gateway.say(&PeerMessage::Host(HostOrder::Members)).await;
    match gateway.message().await {
        RelayMessage::Members(members) => assert!(members.last && members.members.is_empty()),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_target_gets_no_datagram_above_the_budget_it_named() {
    let relay = Relay::start(Limits::default());
    let gateway = relay.gateway().await;
    let small = |hello: &mut Hello| hello.datagram_budget = DatagramBudget::new(600).unwrap();
    let player = relay.hello(client(1), small).await.unwrap();
    gateway.send(&frame(MacAddr::BROADCAST, mac(9), 1300));
    for _ in 0..3 {
        let mut datagram = [Bytes::new()];
        soon(player.connection().read_datagrams(&mut datagram))
            .await
            .unwrap();
        assert!(datagram[0].len() <= 600);
    }
}

#[tokio::test]
async fn nobody_decides_for_others_that_a_rooms_mtu_is_more_than_a_path_takes() {
    let relay = Relay::start(Limits::default());
    for (number, (said, mtu)) in [
        (9000, 1290),
        (65535, 1290),
        (1313, 1290),
        (1312, 1290),
        (1302, 1280),
        (512, 1280),
    ]
    .into_iter()
    .enumerate()
    {
        let entrance = |hello: &mut Hello| {
            hello.room = format!("ROOM-{number}");
            hello.datagram_budget = DatagramBudget::new(said).unwrap();
        };
        let first = relay.hello(client(1), entrance).await.unwrap();
        let second = relay
            .hello(client(2), |hello| hello.room = format!("ROOM-{number}"))
            .await
            .unwrap();
        for peer in [&first, &second] {
            assert_eq!(peer.welcome.effective_mtu.number(), mtu, "{said}");
        }
    }
}

#[tokio::test]
async fn a_refused_peer_is_told_why() {
    let limits = Limits {
        clients_per_room: 1,
        ..Limits::default()
    };
    let relay = Relay::start(limits);
    let _player = relay.client(1).await;
    let _gateway = relay.gateway().await;
    let reason = async |who, change: fn(&mut Hello)| match relay.hello(who, change).await {
        Ok(_) => panic!("it was let in"),
        Err(reject) => {
            assert_eq!(reject.text.as_str(), reject.reason.to_string());
            reject.reason
        }
    };
    use RejectReason::{BadRoomCode, GatewayPresent, MacInUse, RoomFull, Version};
    assert_eq!(reason(client(1), |_| {}).await, MacInUse);
    assert_eq!(reason(client(2), |_| {}).await, RoomFull);
    assert_eq!(reason(Newcomer::Gateway, |_| {}).await, GatewayPresent);
    let bad_room = reason(client(3), |hello| hello.room = "?".into()).await;
    assert_eq!(bad_room, BadRoomCode);
    let newer = reason(client(3), |hello| hello.version = 2).await;
    assert_eq!(newer, Version);
}

#[tokio::test]
async fn a_goodbye_is_answered_with_a_close_and_told_to_the_others() {
    let relay = Relay::start(Limits::default());
    let gateway = relay.gateway().await;
    let player = relay.client(1).await;
    gateway.joined().await;
    let goodbye = Disconnect {
        reason: DisconnectReason::Leaving,
        text: "bye".into(),
    };
    player.say(&PeerMessage::Stats(Box::default())).await;
    player.say(&PeerMessage::Disconnect(goodbye)).await;
    let closed = soon(player.connection().closed()).await;
    assert_eq!(closed, Closed::ByPeer("bye".into()));
    let left = (player.welcome.peer_id, LeaveReason::Leaving);
    assert_eq!(gateway.left().await, left);
}

#[tokio::test]
async fn a_frame_that_comes_with_a_goodbye_is_passed() {
    let relay = Relay::start(Limits::default());
    let mut gateway = relay.gateway().await;
    let lan = MacAddr::new([0, 0x16, 0x3e, 0, 0, 1]);
    for number in 1..=10 {
        let player = relay.client(number).await;
        gateway.joined().await;
        let last = frame(lan, mac(number), 60);
        player.send(&last);
        let goodbye = Disconnect {
            reason: DisconnectReason::Leaving,
            text: "bye".into(),
        };
        player.say(&PeerMessage::Disconnect(goodbye)).await;
        assert_eq!(gateway.frame().await, (player.welcome.peer_id, last));
        let left = (player.welcome.peer_id, LeaveReason::Leaving);
        assert_eq!(gateway.left().await, left);
    }
}

#[tokio::test]
async fn a_link_that_closes_without_a_word_frees_the_mac() {
    let relay = Relay::start(Limits::default());
    let gateway = relay.gateway().await;
    let player = relay.client(1).await;
    gateway.joined().await;
    let peer_id = player.welcome.peer_id;
    drop(player);
    assert_eq!(gateway.left().await, (peer_id, LeaveReason::Closed));
    relay.client(1).await;
}

#[tokio::test]
async fn the_token_takes_a_place_back_and_sends_the_old_link_away() {
    let relay = Relay::start(Limits::default());
    let gateway = relay.gateway().await;
    let old = relay.client(1).await;
    gateway.joined().await;
    old.joined().await;
    let token = old.welcome.resume_token.clone();
    let resume = |hello: &mut Hello| hello.resume_token = Some(token.clone());
    let new = relay.hello(client(1), resume).await.unwrap();
    let left = (old.welcome.peer_id, LeaveReason::Replaced);
    assert_eq!(gateway.left().await, left);
    assert_eq!(gateway.joined().await, new.welcome.peer_id);
    assert_eq!(old.sent_away().await, DisconnectReason::Replaced);
    soon(old.connection().closed()).await;
}

#[tokio::test]
async fn a_token_is_worth_nothing_without_the_key_of_whoever_got_it() {
    let relay = Relay::start(Limits::default());
    let [owner, thief] = [1, 2].map(|number| IdentityKey::from_random([number; 32]));
    let hello = |stranger: &Stranger, resume_token| Hello {
        resume_token,
        ..Hello::new(&room(), client(1), stranger.connection.budget())
    };
    let stranger = relay.connect_as(Some(&owner)).await;
    let first = hello(&stranger, None);
    let player = stranger.hello(first).await.unwrap();
    let token = Some(player.welcome.resume_token.clone());
    for (key, refused) in [
        (Some(&thief), Some(RejectReason::MacInUse)),
        (None, Some(RejectReason::MacInUse)),
        (Some(&owner), None),
    ] {
        let stranger = relay.connect_as(key).await;
        let again = hello(&stranger, token.clone());
        let outcome = stranger.hello(again).await;
        assert_eq!(outcome.err().map(|reject| reject.reason), refused);
    }
}

#[tokio::test]
async fn what_no_program_says_costs_the_link_of_its_sender_only() {
    let relay = Relay::start(Limits::default());
    let gateway = relay.gateway().await;
    let player = relay.client(1).await;
    gateway.joined().await;
    player.joined().await;
    let hello = Hello::new(&room(), client(2), player.connection().budget());
    player.say(&PeerMessage::from(hello)).await;
    assert_eq!(player.sent_away().await, DisconnectReason::ProtocolError);
    let left = (player.welcome.peer_id, LeaveReason::ProtocolError);
    assert_eq!(gateway.left().await, left);

    let player = relay.client(1).await;
    gateway.joined().await;
    player.joined().await;
    for _ in 0..17 {
        let malformed = Bytes::from_static(b"seventeen of these");
        player.connection().send_probe(malformed).unwrap();
    }
    assert_eq!(player.sent_away().await, DisconnectReason::ProtocolError);
    let left = (player.welcome.peer_id, LeaveReason::ProtocolError);
    assert_eq!(gateway.left().await, left);
}

#[tokio::test]
async fn a_stranger_without_a_hello_is_closed() {
    let relay = Relay::start(Limits::default());
    let chatty = relay.connect().await;
    let stats = PeerMessage::Stats(Box::default());
    let _answer = chatty.say_first(&stats).await;
    let closed = soon(chatty.connection.closed()).await;
    assert_eq!(closed, Closed::ByPeer("protocol error".into()));
    let silent = relay.connect().await;
    let closed = soon(silent.connection.closed()).await;
    assert_eq!(closed, Closed::ByPeer("protocol error".into()));
}

#[tokio::test]
async fn who_only_looks_is_told_its_address_and_gets_no_place() {
    let looks = 3;
    let relay = Relay::start(Limits {
        joins: JoinLimits {
            per_address: looks,
            ..JoinLimits::default()
        },
        ..Limits::default()
    });
    let gateway = relay.gateway().await;
    for look in 1..=looks {
        let stranger = relay.connect().await;
        let mut answer = stranger.say_first(&PeerMessage::Look).await;
        let seen: RelayMessage = soon(control::read_message(&mut answer)).await.unwrap();
        let address = stranger.endpoint.local_address().unwrap();
        let address = SocketAddr::new(relay.address.ip(), address.port());
        let region = None;
        assert_eq!(seen, RelayMessage::Seen(Seen { address, region }));
        if look == looks {
            let closed = soon(stranger.connection.closed()).await;
            assert_eq!(closed, Closed::ByPeer("bye".into()));
        }
        stranger.connection.close(CloseCode::Bye);
    }
    let curious = relay.connect().await;
    let mut answer = curious.say_first(&PeerMessage::Look).await;
    let refused: RelayMessage = soon(control::read_message(&mut answer)).await.unwrap();
    let RelayMessage::Reject(refused) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(refused.reason, RejectReason::RateLimited);
    // Those who come in are not those who look.
    let _player = relay.client(1).await;
    gateway.joined().await;
    gateway.say(&PeerMessage::Look).await;
    assert_eq!(gateway.sent_away().await, DisconnectReason::ProtocolError);
}

#[tokio::test]
async fn a_relay_that_stops_says_so_to_everybody() {
    let mut relay = Relay::start(Limits::default());
    let gateway = relay.gateway().await;
    let knocking = relay.connect().await;
    relay.stop.take().unwrap().send(()).unwrap();
    assert_eq!(gateway.sent_away().await, DisconnectReason::Draining);
    let hello = Hello::new(&room(), client(1), knocking.connection.budget());
    let refused = knocking.hello(hello).await.err().unwrap();
    assert_eq!(refused.reason, RejectReason::Draining);
    soon(relay.running).await.unwrap().unwrap();
}
