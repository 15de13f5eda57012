//! What people have at home: names that lead nowhere, pins with a letter wrong, one relay under two names, networks that let
//! nothing through or answer in everybody's name.
#![allow(
    clippy::disallowed_methods,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test with real sockets that measures how long people wait"
)]

use lanparty_ctrl::{HostKey, HostSecret, Pin, RoomKey};
use lanparty_e2e::{Heard, Peer, ROOM, Relay};
use lanparty_edge::invite::OtherRelay;
use lanparty_peer::relay_args::RelayConfig;
use lanparty_proto::{MacAddr, VirtualMac};
use lanparty_quic::tls::Trust;
use std::net::UdpSocket;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::LocalSet;

const NIC: MacAddr = MacAddr::new([0x52, 0x54, 0, 0, 0, 9]);
/// An address for documents, to which no machine has a way by IPv6 or anybody answers.
const NOBODY_V6: &str = "[2001:db8::1]:443";
/// A name that leads nowhere (RFC 6761).
const NO_NAME: &str = "relay.invalid";

#[tokio::test]
async fn one_relay_that_nobody_here_can_reach_holds_up_no_party() {
    run(async {
        let relay = Relay::start();
        let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
        let silent = silent.local_addr().unwrap().to_string();
        let closed = {
            let closed = UdpSocket::bind("127.0.0.1:0").unwrap();
            closed.local_addr().unwrap().to_string()
        };
        let portal = portal().await;
        for other in [NOBODY_V6, NO_NAME, &silent, &closed, &portal] {
            for is_first in [true, false] {
                let good = (relay.address().to_string(), relay.pin());
                let mut invite = vec![good, (other.to_owned(), relay.pin())];
                if is_first {
                    invite.reverse();
                }
                let begin = Instant::now();
                let mut gateway = Peer::gateway(host(&invite), NIC);
                gateway.is_at(relay.address()).await;
                let mut player = Peer::client(guest(&invite), mac());
                player.is_at(relay.address()).await;
                println!("with {other}: both in after {:?}", begin.elapsed());
                assert!(begin.elapsed() < Duration::from_secs(4), "{other}");
                assert!(!player.has_heard(|heard| matches!(heard, Heard::NoLink(_))));
                player.leave().await;
                gateway.leave().await;
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_pin_that_is_wrong_at_one_relay_is_passed_by_and_at_all_of_them_it_is_said() {
    run(async {
        let (one, two) = (Relay::start(), Relay::start());
        let wrong = Pin::from_sha256([9; 32]);
        let place = |relay: &Relay, pin| (relay.address().to_string(), pin);
        let invite = [place(&one, wrong), place(&two, two.pin())];
        let mut gateway = Peer::gateway(host(&invite), NIC);
        gateway.is_at(two.address()).await;
        let mut player = Peer::client(guest(&invite), mac());
        player.is_at(two.address()).await;
        let nowhere = [place(&one, wrong), place(&two, wrong)];
        let player = Peer::client(guest(&nowhere), mac());
        let said = player.gives_up().await;
        assert!(
            said.starts_with("none of the 2 relays of the party can be used"),
            "{said}"
        );
        assert!(said.contains("key"), "{said}");
    })
    .await;
}

#[tokio::test]
async fn where_nothing_leads_anywhere_one_sentence_names_each_relay() {
    run(async {
        let portal = portal().await;
        let invite = [
            (NO_NAME.to_owned(), Pin::from_sha256([1; 32])),
            (portal.clone(), Pin::from_sha256([2; 32])),
        ];
        let mut player = Peer::client(guest(&invite), mac());
        let begin = Instant::now();
        let said = player.is_refused().await;
        println!("{said}");
        assert!(begin.elapsed() < Duration::from_secs(9));
        assert!(said.starts_with("none of the 2 relays"), "{said}");
        assert!(
            said.contains("relay.invalid:443: ") && said.contains(&format!("{portal}: ")),
            "{said}"
        );
        assert_eq!(said.lines().count(), 1, "{said}");
    })
    .await;
}

#[tokio::test]
async fn a_relay_under_two_names_is_one_relay_with_one_party() {
    run(async {
        let relay = Relay::start();
        let port = relay.address().port();
        let names = [format!("127.0.0.1:{port}"), format!("localhost:{port}")];
        let invite = names.clone().map(|name| (name, relay.pin()));
        let mut gateway = Peer::gateway(host(&invite), NIC);
        let (at, gateway_id) = at(&mut gateway).await;
        let mut player = Peer::client(guest(&invite), mac());
        player.is_in().await;
        gateway
            .hears(|heard| matches!(heard, Heard::Joined(..)))
            .await;
        // Nobody goes to and fro between the two.
        tokio::time::sleep(Duration::from_secs(3)).await;
        let is_move = |heard: &Heard| matches!(heard, Heard::At(_) | Heard::NoLink(_));
        assert!(!gateway.has_heard(is_move) && !player.has_heard(is_move));
        // Its host thinks that these are two.
        let other = names.iter().find(|name| **name != at).unwrap();
        gateway.prefers_name(other);
        let (now_at, new_id) = self::at(&mut gateway).await;
        assert_eq!(now_at, *other);
        assert!(new_id != gateway_id || now_at != at);
        assert!(!gateway.has_heard(|heard| matches!(heard, Heard::NoLink(_))));
        // The player has its gateway all the while, and stays or goes over.
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert!(!player.has_heard(|heard| matches!(heard, Heard::NoLink(_))));
    })
    .await;
}

/// A captive portal: whoever comes by TCP gets its page, UDP is swallowed.
async fn portal() -> String {
    let (listener, udp) = loop {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        // Somebody else may have this port.
        if let Ok(udp) = UdpSocket::bind(listener.local_addr().unwrap()) {
            break (listener, udp);
        }
    };
    let at = listener.local_addr().unwrap();
    tokio::task::spawn_local(async move {
        let _udp = udp;
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::task::spawn_local(async move {
                let page = b"HTTP/1.1 302 Found\r\nLocation: http://portal.example/\r\n\r\n";
                let _ = stream.read(&mut [0; 2000]).await;
                let _ = stream.write_all(page).await;
            });
        }
    });
    at.to_string()
}

/// Waits until it is in, and says where.
async fn at(peer: &mut Peer) -> (String, lanparty_proto::PeerId) {
    match peer.hears(|heard| matches!(heard, Heard::At(_))).await {
        Heard::At(at) => (at, peer.is_in().await),
        _ => unreachable!("we asked for this one"),
    }
}

fn config(relays: &[(String, Pin)]) -> RelayConfig {
    let mut relays = relays.iter().map(|(address, pin)| OtherRelay {
        address: address.parse().unwrap(),
        pin: Some(*pin),
    });
    let first = relays.next().unwrap();
    let trust = Trust::pinned(first.pin.unwrap());
    let nowhere = lanparty_e2e::config_at("127.0.0.1:9".parse().unwrap(), trust);
    RelayConfig {
        address: first.address,
        others: relays.collect(),
        key: Some(RoomKey::from_random([7; 16])),
        door: None,
        ..nowhere
    }
}

fn guest(relays: &[(String, Pin)]) -> RelayConfig {
    RelayConfig {
        host: Some(host_key().id()),
        ..config(relays)
    }
}

fn host(relays: &[(String, Pin)]) -> RelayConfig {
    RelayConfig {
        host_key: Some(host_key()),
        ..config(relays)
    }
}

fn host_key() -> HostKey {
    HostSecret::from_random([1; 32]).host_key(&ROOM.parse().unwrap())
}

fn mac() -> VirtualMac {
    VirtualMac::from_random([2, 0, 0, 0, 0, 1])
}

async fn run(test: impl Future<Output = ()>) {
    LocalSet::new().run_until(test).await;
}
