//! A player and its gateway take the direct path that the relay has introduced them for.
#![allow(clippy::unwrap_used, reason = "a test with real sockets")]
#![allow(clippy::disallowed_methods, reason = "measures how long people wait")]

use lanparty_ctrl::{HostKey, HostSecret, RoomKey};
use lanparty_e2e::{Peer, ROOM, Relay};
use lanparty_obs::{NotDirect, Way};
use lanparty_peer::relay_args::RelayConfig;
use lanparty_proto::{MacAddr, VirtualMac};
use std::time::{Duration, Instant};
use tokio::task::LocalSet;

const PLAYER: [u8; 6] = [0x02, 0x1a, 0, 0, 0, 1];
const NIC: [u8; 6] = [0x52, 0x54, 0, 0, 0, 9];
const LAN_HOST: [u8; 6] = [0x52, 0x54, 0, 0, 0, 1];
const EVERYBODY: [u8; 6] = [0xff; 6];

#[tokio::test]
async fn they_find_each_other_and_the_relay_may_go() {
    in_a_party(
        |config| config,
        async |relay, mut player, mut gateway| {
            let since = Instant::now();
            player.goes(Way::Direct).await;
            assert!(
                since.elapsed() < Duration::from_secs(4),
                "{:?}",
                since.elapsed()
            );
            exchange(&mut player, &mut gateway, 1).await;
            // What is for all goes by the relay.
            player.cable.send(&ipx(EVERYBODY, PLAYER, 2));
            assert_eq!(gateway.cable.receive().await, ipx(EVERYBODY, PLAYER, 2));

            relay.end();
            player.is_refused().await;
            gateway.is_refused().await;
            for mark in 3..20 {
                exchange(&mut player, &mut gateway, mark).await;
            }
        },
    )
    .await;
}

#[tokio::test]
async fn a_gateway_that_proves_to_be_the_hosts_is_met() {
    let id = host().id();
    let named = move |config| RelayConfig {
        host: Some(id),
        ..config
    };
    in_a_party(named, async |_relay, mut player, mut gateway| {
        player.goes(Way::Direct).await;
        exchange(&mut player, &mut gateway, 1).await;
    })
    .await;
}

#[tokio::test]
async fn nobody_is_met_who_does_not_want_that_and_the_player_hears_why() {
    in_a_party(
        |config| RelayConfig {
            key: None,
            ..config
        },
        async |_relay, mut player, mut gateway| {
            player.cannot_go_straight(NotDirect::OpenRoom).await;
            exchange(&mut player, &mut gateway, 1).await;
        },
    )
    .await;
    let closed = |config| RelayConfig {
        door: None,
        ..config
    };
    in_a_party(closed, async |_relay, mut player, mut gateway| {
        player.cannot_go_straight(NotDirect::PlayerOff).await;
        exchange(&mut player, &mut gateway, 1).await;
    })
    .await;
}

#[tokio::test]
async fn a_gateway_that_goes_takes_its_door_along() {
    in_a_party(
        |config| config,
        async |_relay, mut player, mut gateway| {
            player.goes(Way::Direct).await;
            exchange(&mut player, &mut gateway, 1).await;
            gateway.leave().await;
            player.goes(Way::Relay).await;
        },
    )
    .await;
}

#[tokio::test]
async fn a_player_that_comes_back_is_met_anew() {
    let run = async {
        let relay = Relay::start();
        let config = keyed(relay.config());
        let mut gateway = Peer::gateway(config.clone(), MacAddr::new(NIC));
        let config = RelayConfig {
            host_key: None,
            ..config
        };
        gateway.is_in().await;
        for mark in 1..4 {
            let mut player = Peer::client(config.clone(), mac());
            player.goes(Way::Direct).await;
            exchange(&mut player, &mut gateway, mark).await;
            player.leave().await;
        }
    };
    LocalSet::new().run_until(run).await;
}

/// A frame each way.
async fn exchange(player: &mut Peer, gateway: &mut Peer, mark: u8) {
    player.cable.send(&ipx(LAN_HOST, PLAYER, mark));
    assert_eq!(gateway.cable.receive().await, ipx(LAN_HOST, PLAYER, mark));
    gateway.cable.send(&ipx(PLAYER, LAN_HOST, mark));
    assert_eq!(player.cable.receive().await, ipx(PLAYER, LAN_HOST, mark));
}

async fn in_a_party(
    with: impl Fn(RelayConfig) -> RelayConfig,
    test: impl AsyncFnOnce(Relay, Peer, Peer),
) {
    let run = async {
        let relay = Relay::start();
        let config = with(keyed(relay.config()));
        let mut gateway = Peer::gateway(config.clone(), MacAddr::new(NIC));
        gateway.is_in().await;
        let config = RelayConfig {
            host_key: None,
            ..config
        };
        let mut player = Peer::client(config, mac());
        player.is_in().await;
        test(relay, player, gateway).await;
    };
    LocalSet::new().run_until(run).await;
}

fn host() -> HostKey {
    HostSecret::from_random([5; 32]).host_key(&ROOM.parse().unwrap())
}

fn keyed(config: RelayConfig) -> RelayConfig {
    RelayConfig {
        key: Some(RoomKey::from_random([3; 16])),
        host_key: Some(host()),
        ..config
    }
}

fn mac() -> VirtualMac {
    MacAddr::new(PLAYER).try_into().unwrap()
}

/// IPX, so that nobody looks inside.
fn ipx(destination: [u8; 6], source: [u8; 6], mark: u8) -> Vec<u8> {
    let mut frame = [destination, source].concat();
    frame.extend([0x81, 0x37]);
    frame.resize(64, mark);
    frame
}
