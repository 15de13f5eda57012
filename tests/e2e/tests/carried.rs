//! Where UDP does not get through, the party comes over TCP; and where it does again, it goes back.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test with real sockets"
)]
#![allow(clippy::disallowed_methods, reason = "measures how long people wait")]

use lanparty_e2e::{Front, Heard, Peer, Relay, WebProxy};
use lanparty_peer::relay_args::{OverTcp, Proxies, RelayConfig};
use lanparty_proto::{MacAddr, PeerId, VirtualMac};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::task::LocalSet;

const PLAYER: [u8; 6] = [0x02, 0x1a, 0, 0, 0, 1];
const NIC: [u8; 6] = [0x52, 0x54, 0, 0, 0, 9];
const EVERYBODY: [u8; 6] = [0xff; 6];

#[tokio::test]
async fn where_no_udp_gets_through_player_and_gateway_come_in_over_tcp() {
    run(async {
        let relay = Relay::start();
        let front = Front::without_udp(&relay).await;
        let begun = Instant::now();
        let mut player = Peer::client(at(&relay, front.address()), mac());
        let player_id = player.is_in().await;
        let joined = begun.elapsed();
        assert!(joined < Duration::from_secs(3), "{joined:?}");
        let mut gateway = Peer::gateway(at(&relay, front.address()), MacAddr::new(NIC));
        let gateway_id = gateway.is_in().await;
        meet((&mut player, player_id), (&mut gateway, gateway_id)).await;
        for mark in 0..100 {
            player.cable.send(&frame(mark));
            assert_eq!(gateway.cable.receive().await, frame(mark));
            gateway.cable.send(&answer(mark));
            assert_eq!(player.cable.receive().await, answer(mark));
        }
        player.knows(|facts| facts.is_over_tcp).await;
        gateway.knows(|facts| facts.is_over_tcp).await;
    })
    .await;
}

#[tokio::test]
async fn udp_is_taken_again_when_it_gets_through_and_nothing_is_lost_but_for_a_moment() {
    run(async {
        let relay = Relay::start();
        let front = Front::without_udp(&relay).await;
        let mut player = Peer::client(at(&relay, front.address()), mac());
        let player_id = player.is_in().await;
        let mut gateway = Peer::gateway(relay.config(), MacAddr::new(NIC));
        let gateway_id = gateway.is_in().await;
        meet((&mut player, player_id), (&mut gateway, gateway_id)).await;
        player.knows(|facts| facts.is_over_tcp).await;
        front.udp.plug();
        let again = player
            .hears(|heard| matches!(heard, Heard::In(_) | Heard::NoLink(_)))
            .await;
        let Heard::In(again) = again else {
            panic!("no word of a lost link: {again:?}");
        };
        meet((&mut player, again), (&mut gateway, gateway_id)).await;
        player.knows(|facts| !facts.is_over_tcp).await;
        player.cable.send(&frame(7));
        assert_eq!(gateway.cable.receive().await, frame(7));
        gateway.cable.send(&answer(8));
        assert_eq!(player.cable.receive().await, answer(8));
        assert!(!player.has_heard(|heard| matches!(heard, Heard::NoLink(_))));
    })
    .await;
}

#[tokio::test]
async fn udp_that_dies_in_mid_evening_is_replaced_by_tcp() {
    run(async {
        let relay = Relay::start();
        let front = Front::before(&relay).await;
        let mut player = Peer::client(at(&relay, front.address()), mac());
        let player_id = player.is_in().await;
        let mut gateway = Peer::gateway(relay.config(), MacAddr::new(NIC));
        let gateway_id = gateway.is_in().await;
        meet((&mut player, player_id), (&mut gateway, gateway_id)).await;
        player.knows(|facts| !facts.is_over_tcp).await;
        front.udp.unplug();
        let unplugged = Instant::now();
        let player_id = player.is_in().await;
        let back = unplugged.elapsed();
        assert!(back < Duration::from_secs(8), "{back:?}");
        meet((&mut player, player_id), (&mut gateway, gateway_id)).await;
        player.cable.send(&frame(1));
        assert_eq!(gateway.cable.receive().await, frame(1));
        player.knows(|facts| facts.is_over_tcp).await;
    })
    .await;
}

#[tokio::test]
async fn udp_that_loses_every_third_packet_is_left_for_tcp() {
    /// Losses are looked at for ten seconds.
    const LONG: Duration = Duration::from_secs(40);
    run(async {
        let relay = Relay::start();
        let front = Front::before(&relay).await;
        let mut player = Peer::client(at(&relay, front.address()), mac());
        player.is_in().await;
        player.knows(|facts| !facts.is_over_tcp).await;
        front.udp.lose_every(3);
        let mut again = tokio::time::interval(Duration::from_millis(10));
        let left = async {
            while !player
                .has_heard(|heard| matches!(heard, Heard::Facts(facts) if facts.is_over_tcp))
            {
                player.cable.send(&frame(1));
                again.tick().await;
            }
        };
        tokio::time::timeout(LONG, left).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn where_only_a_proxy_gets_out_it_is_asked_for_the_relay_by_name() {
    run(async {
        let relay = Relay::start();
        let front = Front::without_udp(&relay).await;
        let proxy = WebProxy::towards(front.address()).await;
        let config = RelayConfig {
            // No name server knows it.
            address: "relay.invalid:443".parse().unwrap(),
            tcp: by(&proxy),
            ..relay.config()
        };
        let mut player = Peer::client(config, mac());
        let player_id = player.is_in().await;
        assert_eq!(proxy.asked().as_deref(), Some("relay.invalid:443"));
        let mut gateway = Peer::gateway(relay.config(), MacAddr::new(NIC));
        let gateway_id = gateway.is_in().await;
        meet((&mut player, player_id), (&mut gateway, gateway_id)).await;
        player.cable.send(&frame(1));
        assert_eq!(gateway.cable.receive().await, frame(1));
    })
    .await;
}

#[tokio::test]
async fn a_proxy_that_refuses_is_told_in_a_sentence() {
    run(async {
        let relay = Relay::start();
        for (status, sentence) in [
            (
                "407 Proxy Authentication Required",
                "wants a name and a password",
            ),
            (
                "403 Forbidden",
                "does not let this program through to the relay (status 403)",
            ),
        ] {
            let proxy = WebProxy::refusing(status).await;
            let nobody = Front::nobodys().await;
            let config = RelayConfig {
                tcp: by(&proxy),
                ..at(&relay, nobody.address())
            };
            let said = Peer::client(config, mac()).is_refused().await;
            assert!(said.contains(sentence), "{said}");
        }
    })
    .await;
}

#[tokio::test]
async fn who_wants_no_tcp_waits_for_udp() {
    run(async {
        let relay = Relay::start();
        let front = Front::without_udp(&relay).await;
        let mut config = at(&relay, front.address());
        config.tcp.is_wanted = false;
        let said = Peer::client(config, mac()).is_refused().await;
        assert!(said.contains("whether UDP gets through"), "{said}");
    })
    .await;
}

#[tokio::test]
async fn where_nothing_gets_through_it_is_said_as_before() {
    run(async {
        let relay = Relay::start();
        let mut front = Front::without_udp(&relay).await;
        front.close_tcp().await;
        let said = Peer::client(at(&relay, front.address()), mac())
            .is_refused()
            .await;
        assert!(said.contains("whether UDP gets through"), "{said}");
    })
    .await;
}

async fn run(test: impl Future<Output = ()>) {
    LocalSet::new().run_until(test).await;
}

/// How a peer gets to this relay at another address.
fn at(relay: &Relay, address: SocketAddr) -> RelayConfig {
    RelayConfig {
        address: address.to_string().parse().unwrap(),
        ..relay.config()
    }
}

fn by(proxy: &WebProxy) -> OverTcp {
    OverTcp {
        is_wanted: true,
        proxies: Proxies::Given(proxy.url().parse().unwrap()),
    }
}

async fn meet(
    (player, player_id): (&mut Peer, PeerId),
    (gateway, gateway_id): (&mut Peer, PeerId),
) {
    player.meets(gateway_id).await;
    gateway.meets(player_id).await;
}

fn mac() -> VirtualMac {
    MacAddr::new(PLAYER).try_into().unwrap()
}

/// A broadcast of the player's, in IPX, so that nobody looks inside.
fn frame(mark: u8) -> Vec<u8> {
    ipx(EVERYBODY, PLAYER, mark)
}

/// A frame from the LAN to the player.
fn answer(mark: u8) -> Vec<u8> {
    ipx(PLAYER, [0x52, 0x54, 0, 0, 0, 1], mark)
}

fn ipx(destination: [u8; 6], source: [u8; 6], mark: u8) -> Vec<u8> {
    let mut frame = [destination, source].concat();
    frame.extend([0x81, 0x37]);
    frame.resize(64, mark);
    frame
}
