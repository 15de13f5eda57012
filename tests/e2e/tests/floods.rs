//! A port that always has another frame to give keeps a peer from nothing else.
#![allow(clippy::unwrap_used, reason = "a test with real sockets")]

use lanparty_e2e::{Peer, Relay};
use lanparty_proto::{MacAddr, VirtualMac};
use tokio::task::LocalSet;

const PLAYER: [u8; 6] = [0x02, 0x1a, 0, 0, 0, 1];
const NIC: [u8; 6] = [0x52, 0x54, 0, 0, 0, 9];
const LAN_HOST: [u8; 6] = [0x52, 0x54, 0, 0, 0, 1];

#[tokio::test]
async fn a_flooded_peer_sends_receives_and_ends_as_it_should() {
    let run = async {
        let relay = Relay::start();
        let mut player = Peer::client(relay.config(), mac());
        let player_id = player.is_in().await;
        let mut gateway = Peer::gateway(relay.config(), MacAddr::new(NIC));
        let gateway_id = gateway.is_in().await;
        player.meets(gateway_id).await;
        gateway.meets(player_id).await;

        player.cable.flood(&ipx(LAN_HOST, PLAYER));
        assert_eq!(gateway.cable.receive().await, ipx(LAN_HOST, PLAYER));
        gateway.cable.send(&ipx(PLAYER, LAN_HOST));
        assert_eq!(player.cable.receive().await, ipx(PLAYER, LAN_HOST));
        gateway.cable.flood(&ipx(PLAYER, LAN_HOST));
        player.cable.receive().await;
        // The ends of both are heard, and said to the other.
        player.leave().await;
        gateway.misses(player_id).await;
        gateway.leave().await;
    };
    LocalSet::new().run_until(run).await;
}

#[tokio::test]
async fn a_flooded_peer_without_a_link_tries_again_and_ends_as_it_should() {
    let run = async {
        let relay = Relay::start();
        let mut player = Peer::client(relay.config(), mac());
        player.is_in().await;
        let mut twin = Peer::client(relay.config(), mac());
        twin.cable.flood(&ipx(LAN_HOST, PLAYER));
        for _ in 0..3 {
            let cause = twin.is_refused().await;
            assert!(cause.contains("MAC"), "{cause}");
        }
        twin.leave().await;
    };
    LocalSet::new().run_until(run).await;
}

fn mac() -> VirtualMac {
    MacAddr::new(PLAYER).try_into().unwrap()
}

fn ipx(destination: [u8; 6], source: [u8; 6]) -> Vec<u8> {
    let mut frame = [destination, source].concat();
    frame.extend([0x81, 0x37]);
    frame.resize(64, 7);
    frame
}
