//! A host's party: the gateway meets its relay in memory, and players come to both over QUIC.
#![allow(clippy::unwrap_used, reason = "a test with real sockets")]

use lanparty_ctrl::{HostSecret, LeaveReason, RoomKey};
use lanparty_e2e::{Facts, Heard, Peer, ROOM, Relay};
use lanparty_obs::DropReason;
use lanparty_peer::relay_args::RelayConfig;
use lanparty_proto::{DatagramBudget, MacAddr, PeerId, VirtualMac};
use tokio::task::LocalSet;

const ALL: [u8; 6] = [0xff; 6];
const ANN: [u8; 6] = [2, 0, 0, 0, 0, 1];
const BEN: [u8; 6] = [2, 0, 0, 0, 0, 2];
const GATEWAY: [u8; 6] = [0, 0x1b, 0x21, 0, 0, 1];
const LAN_HOST: [u8; 6] = [0, 0x1b, 0x21, 0, 0, 9];

#[tokio::test]
async fn frames_of_every_length_cross_both_ways_and_nothing_is_cut_on_the_hosts_side() {
    let relay = Relay::start();
    in_a_party(&relay, relay.inside(), async |mut party| {
        let lens = [60, 592, 1304, 1305, 1513, 1514];
        for len in lens {
            party.ann.cable.send(&frame(LAN_HOST, ANN, len));
            let at_lan = party.gateway.cable.receive().await;
            assert_eq!(at_lan, frame(LAN_HOST, ANN, len), "{len}");
            party.gateway.cable.send(&frame(ANN, LAN_HOST, len));
            let at_ann = party.ann.cable.receive().await;
            assert_eq!(at_ann, frame(ANN, LAN_HOST, len), "{len}");
        }
        party.gateway.cable.send(&frame(ALL, LAN_HOST, 60));
        for player in [&mut party.ann, &mut party.ben] {
            assert_eq!(player.cable.receive().await, frame(ALL, LAN_HOST, 60));
        }
        let stats = party.gateway.leave().await;
        assert_eq!(stats.frames_to_relay, 1 + lens.len() as u64);
        assert_eq!(stats.datagrams_to_relay, stats.frames_to_relay);
    })
    .await;
}

#[tokio::test]
async fn whoever_wants_pieces_gets_pieces() {
    let relay = Relay::start();
    let narrow = RelayConfig {
        budget_cap: DatagramBudget::new(600),
        ..relay.inside()
    };
    in_a_party(&relay, narrow, async |mut party| {
        party.gateway.cable.send(&frame(ANN, LAN_HOST, 1514));
        assert_eq!(party.ann.cable.receive().await, frame(ANN, LAN_HOST, 1514));
        party.ann.cable.send(&frame(LAN_HOST, ANN, 1514));
        let at_lan = party.gateway.cable.receive().await;
        assert_eq!(at_lan, frame(LAN_HOST, ANN, 1514));
        let stats = party.gateway.leave().await;
        assert_eq!(stats.datagrams_to_relay, 3);
    })
    .await;
}

#[tokio::test]
async fn beyond_the_relay_there_is_no_way_to_the_lan() {
    let relay = Relay::start();
    in_a_party(&relay, relay.inside(), async |mut party| {
        let is_known = |facts: &Facts| facts.members.iter().all(|member| member.rtt.is_some());
        let Facts { members, .. } = party.ann.knows(is_known).await;
        assert_eq!(members.len(), 2);
        for member in members {
            let rtt = member.rtt.unwrap();
            assert_eq!(rtt.is_zero(), member.is_gateway, "{member:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn goodbyes_are_heard_by_everybody() {
    let relay = Relay::start();
    in_a_party(&relay, relay.inside(), async |mut party| {
        let ben_id = party.ids[1];
        party.ben.leave().await;
        assert_eq!(party.gateway.misses(ben_id).await, LeaveReason::Leaving);
        let gateway_id = party.ids[2];
        party.gateway.leave().await;
        assert_eq!(party.ann.misses(gateway_id).await, LeaveReason::Leaving);

        let mut again = Peer::gateway(relay.inside(), MacAddr::new(GATEWAY));
        let again_id = again.is_in().await;
        party.ann.meets(again_id).await;
    })
    .await;
}

#[tokio::test]
async fn a_gateway_that_was_dropped_is_out_of_the_room() {
    let relay = Relay::start();
    in_a_party(&relay, relay.inside(), async |mut party| {
        let gateway_id = party.ids[2];
        party.gateway.dies();
        assert_eq!(party.ann.misses(gateway_id).await, LeaveReason::Closed);
    })
    .await;
}

#[tokio::test]
async fn a_host_proves_itself_by_the_side_door_and_comes_back_by_it() {
    let relay = Relay::start();
    let key = RoomKey::from_random([7; 16]);
    let host_key = |number| HostSecret::from_random([number; 32]).host_key(&ROOM.parse().unwrap());
    let keyed = |config| RelayConfig {
        key: Some(key.clone()),
        ..config
    };
    let host = |number| RelayConfig {
        host_key: Some(host_key(number)),
        ..keyed(relay.inside())
    };
    let story = async {
        let mut first = Peer::gateway(host(1), MacAddr::new(GATEWAY));
        let first_id = first.is_in().await;
        let guest = RelayConfig {
            host: Some(host_key(1).id()),
            ..keyed(relay.config())
        };
        let mut ann = Peer::client(guest, mac(ANN));
        let ann_id = ann.is_in().await;
        // It vouches for itself over the same link.
        ann.meets(first_id).await;
        first.meets(ann_id).await;

        // Another link of the same host's takes the place.
        let mut second = Peer::gateway(host(1), MacAddr::new(GATEWAY));
        let second_id = second.is_in().await;
        ann.meets(second_id).await;
        let cause = first.is_refused().await;
        assert!(cause.contains("run one of them only"), "{cause}");
        second.cable.send(&frame(ANN, LAN_HOST, 1514));
        assert_eq!(ann.cable.receive().await, frame(ANN, LAN_HOST, 1514));
    };
    LocalSet::new().run_until(story).await;
}

#[tokio::test]
async fn whoever_comes_by_the_side_door_without_the_keys_stays_outside() {
    let relay = Relay::start();
    let story = async {
        let keyed = |key| RelayConfig {
            key: Some(RoomKey::from_random([key; 16])),
            ..relay.inside()
        };
        let host_key = HostSecret::from_random([1; 32]).host_key(&ROOM.parse().unwrap());
        let host = RelayConfig {
            host_key: Some(host_key),
            ..keyed(7)
        };
        let mut gateway = Peer::gateway(host, MacAddr::new(GATEWAY));
        gateway.is_in().await;
        let mut stranger = Peer::client(keyed(8), mac(ANN));
        let cause = stranger.is_refused().await;
        assert!(cause.contains("opens no room"), "{cause}");
        let mut guest = Peer::client(keyed(7), mac(BEN));
        guest.is_in().await;
    };
    LocalSet::new().run_until(story).await;
}

#[tokio::test]
async fn a_relay_that_ends_says_so_and_is_not_there_any_more() {
    let relay = Relay::start();
    let config = relay.inside();
    let story = async {
        let mut gateway = Peer::gateway(config, MacAddr::new(GATEWAY));
        gateway.is_in().await;
        relay.end();
        let said = gateway.is_refused().await;
        assert!(said.contains("about to stop"), "{said}");
        let ended = gateway
            .hears(|heard| matches!(heard, Heard::NoLink(cause) if cause.contains("has ended")));
        ended.await;
    };
    LocalSet::new().run_until(story).await;
}

#[tokio::test]
async fn a_flood_from_the_lan_keeps_no_player_waiting() {
    let relay = Relay::start();
    in_a_party(&relay, relay.inside(), async |mut party| {
        party.gateway.cable.flood(&frame(BEN, LAN_HOST, 1000));
        for len in 61..71 {
            party.ann.cable.send(&frame(BEN, ANN, len));
            let of_ann = async { while party.ben.cable.receive().await != frame(BEN, ANN, len) {} };
            lanparty_e2e::soon("a player's frame beside the flood", of_ann).await;
            party.ann.cable.send(&frame(LAN_HOST, ANN, len));
            assert_eq!(
                party.gateway.cable.receive().await,
                frame(LAN_HOST, ANN, len)
            );
        }
    })
    .await;
}

#[tokio::test]
async fn a_players_flood_keeps_neither_lan_nor_others_waiting() {
    let relay = Relay::start();
    in_a_party(&relay, relay.inside(), async |mut party| {
        party.ann.cable.flood(&frame(LAN_HOST, ANN, 1000));
        for len in 61..71 {
            party.ben.cable.send(&frame(LAN_HOST, BEN, len));
            let of_ben =
                async { while party.gateway.cable.receive().await != frame(LAN_HOST, BEN, len) {} };
            lanparty_e2e::soon("another player's frame beside the flood", of_ben).await;
            party.gateway.cable.send(&frame(BEN, LAN_HOST, len));
            assert_eq!(party.ben.cable.receive().await, frame(BEN, LAN_HOST, len));
        }
        let stats = party.gateway.leave().await;
        assert_eq!(stats.drops.of(DropReason::LinkDown), 0, "the link stands");
    })
    .await;
}

struct Party {
    ann: Peer,
    ben: Peer,
    gateway: Peer,
    /// Ann's, Ben's and the gateway's.
    ids: [PeerId; 3],
}

/// Runs a test once everybody is in and knows everybody; players come over QUIC.
async fn in_a_party(relay: &Relay, inside: RelayConfig, test: impl AsyncFnOnce(Party)) {
    let run = async {
        let mut gateway = Peer::gateway(inside, MacAddr::new(GATEWAY));
        let gateway_id = gateway.is_in().await;
        let mut ann = Peer::client(relay.config(), mac(ANN));
        let ann_id = ann.is_in().await;
        let mut ben = Peer::client(relay.config(), mac(BEN));
        let ben_id = ben.is_in().await;
        ann.meets(gateway_id).await;
        ann.meets(ben_id).await;
        ben.meets(gateway_id).await;
        gateway.meets(ann_id).await;
        gateway.meets(ben_id).await;
        let ids = [ann_id, ben_id, gateway_id];
        test(Party {
            ann,
            ben,
            gateway,
            ids,
        })
        .await;
    };
    LocalSet::new().run_until(run).await;
}

fn mac(octets: [u8; 6]) -> VirtualMac {
    MacAddr::new(octets).try_into().unwrap()
}

/// IPX, so that nobody looks inside; every byte is where it can be told.
fn frame(destination: [u8; 6], source: [u8; 6], len: usize) -> Vec<u8> {
    let mut frame = [destination, source].concat();
    frame.extend([0x81, 0x37]);
    frame.extend((frame.len()..len).map(|at| (at % 251) as u8));
    frame
}
