//! Between a player and the relay things go wrong: the link comes back, and nothing old comes late.
#![allow(clippy::unwrap_used, reason = "a test with real sockets")]
#![allow(clippy::disallowed_methods, reason = "measures how long people wait")]

use lanparty_e2e::{Heard, Middlebox, Peer, Relay};
use lanparty_peer::relay_args::RelayConfig;
use lanparty_proto::{MacAddr, VirtualMac};
use std::time::{Duration, Instant};
use tokio::task::LocalSet;

const PLAYER: [u8; 6] = [0x02, 0x1a, 0, 0, 0, 1];
const NIC: [u8; 6] = [0x52, 0x54, 0, 0, 0, 9];
const EVERYBODY: [u8; 6] = [0xff; 6];

#[tokio::test]
async fn a_silent_relay_is_given_up_and_found_again_within_five_seconds() {
    in_a_party(async |middlebox, mut player, mut gateway| {
        player.cable.send(&frame(1));
        assert_eq!(gateway.cable.receive().await, frame(1));

        middlebox.unplug();
        let unplugged = Instant::now();
        player.cable.send(&frame(2));
        let cause = player.is_refused().await;
        assert!(cause.contains("does not answer"), "{cause}");
        let noticed = unplugged.elapsed();
        assert!(noticed < Duration::from_secs(8), "{noticed:?}");
        // One while it waits, one while it tries.
        player.cable.send(&frame(3));
        player.is_refused().await;
        player.cable.send(&frame(4));

        middlebox.plug();
        let plugged = Instant::now();
        player.is_in().await;
        let back = plugged.elapsed();
        assert!(back < Duration::from_secs(5), "{back:?}");
        player.cable.send(&frame(5));
        assert_eq!(gateway.cable.receive().await, frame(5), "nothing old comes");
    })
    .await;
}

#[tokio::test]
async fn another_port_at_the_players_router_costs_nothing() {
    in_a_party(async |middlebox, mut player, mut gateway| {
        let rebound = Instant::now();
        middlebox.rebind();
        player.cable.send(&frame(1));
        assert_eq!(gateway.cable.receive().await, frame(1));
        gateway.cable.send(&answer(2));
        assert_eq!(player.cable.receive().await, answer(2));
        let gap = rebound.elapsed();
        assert!(gap < Duration::from_secs(1), "{gap:?}");
        assert!(!player.has_heard(|heard| matches!(heard, Heard::NoLink(_))));
    })
    .await;
}

#[tokio::test]
async fn a_quiet_player_is_found_behind_another_port() {
    in_a_party(async |middlebox, mut player, gateway| {
        middlebox.rebind();
        // It has nothing to send, but asks whether the relay is there.
        let sent = async {
            let mut again = tokio::time::interval(Duration::from_millis(50));
            loop {
                again.tick().await;
                gateway.cable.send(&answer(1));
            }
        };
        tokio::select! {
            frame = player.cable.receive() => assert_eq!(frame, answer(1)),
            () = sent => {}
        }
        assert!(!player.has_heard(|heard| matches!(heard, Heard::NoLink(_))));
    })
    .await;
}

/// Runs a test with a player behind a router of its own, and a gateway.
async fn in_a_party(test: impl AsyncFnOnce(Middlebox, Peer, Peer)) {
    let run = async {
        let relay = Relay::start();
        let middlebox = Middlebox::before(relay.address()).await;
        let config = RelayConfig {
            address: middlebox.address().to_string().parse().unwrap(),
            ..relay.config()
        };
        let mut player = Peer::client(config, mac());
        let player_id = player.is_in().await;
        let mut gateway = Peer::gateway(relay.config(), MacAddr::new(NIC));
        let gateway_id = gateway.is_in().await;
        player.meets(gateway_id).await;
        gateway.meets(player_id).await;
        test(middlebox, player, gateway).await;
    };
    LocalSet::new().run_until(run).await;
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
