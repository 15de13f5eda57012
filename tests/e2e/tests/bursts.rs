//! Frames that come together and are followed by silence: none of them waits for something else to happen.
#![allow(clippy::unwrap_used, reason = "a test with real sockets")]

use lanparty_e2e::{Cable, Peer, Relay};
use lanparty_proto::{MacAddr, VirtualMac};
use tokio::task::LocalSet;

const PLAYER: [u8; 6] = [0x02, 0x1a, 0, 0, 0, 1];
const NIC: [u8; 6] = [0x52, 0x54, 0, 0, 0, 9];
const LAN_HOST: [u8; 6] = [0x52, 0x54, 0, 0, 0, 1];
/// How often bursts of each length are sent.
const TIMES: usize = 40;
/// So often may others have their turn before a burst is read. Whoever sleeps instead is woken by the clock, which
/// takes a link 25 ms: some thousand turns.
const SOON: usize = 200;

#[tokio::test]
async fn no_frame_of_a_burst_waits_for_the_next() {
    let run = async {
        let relay = Relay::start();
        let mut player = Peer::client(relay.config(), mac());
        let player_id = player.is_in().await;
        let mut gateway = Peer::gateway(relay.config(), MacAddr::new(NIC));
        let gateway_id = gateway.is_in().await;
        player.meets(gateway_id).await;
        gateway.meets(player_id).await;
        player.cable.give_one_by_one();
        for burst in 1..=9 {
            let mut turns = Vec::new();
            for time in 0..TIMES {
                // The first may be on its way before the last is there, or all of them wait.
                let at_once = time % 2 == 0;
                let [player, gateway] = [&mut player.cable, &mut gateway.cable];
                turns.push(cross(player, gateway, [LAN_HOST, PLAYER], burst, at_once).await);
                turns.push(cross(gateway, player, [PLAYER, LAN_HOST], burst, at_once).await);
            }
            // Some find a peer that has to tell its host something first.
            turns.sort_unstable();
            let most = turns[turns.len() * 3 / 4];
            assert!(most <= SOON, "{most} turns for a burst of {burst}");
        }
    };
    LocalSet::new().run_until(run).await;
}

/// Sends a burst, and waits for it at the other end. Answers how often others had their turn before all of it was read.
async fn cross(
    from: &Cable,
    to: &mut Cable,
    addresses: [[u8; 6]; 2],
    burst: u8,
    at_once: bool,
) -> usize {
    for number in 0..burst {
        from.send(&ipx(addresses, number));
        if !at_once {
            tokio::task::yield_now().await;
        }
    }
    let mut turns = 0;
    while !from.is_read() {
        tokio::task::yield_now().await;
        turns += 1;
    }
    for number in 0..burst {
        assert_eq!(to.receive().await, ipx(addresses, number));
    }
    turns
}

fn mac() -> VirtualMac {
    MacAddr::new(PLAYER).try_into().unwrap()
}

fn ipx(addresses: [[u8; 6]; 2], number: u8) -> Vec<u8> {
    let mut frame = addresses.concat();
    frame.extend([0x81, 0x37, number]);
    frame.resize(64, 7);
    frame
}
