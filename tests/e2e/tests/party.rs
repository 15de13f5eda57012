//! Two players and a LAN in one room: frames cross, leaving is noticed, refusals are understood.
#![allow(clippy::unwrap_used, reason = "a test with real sockets")]

use lanparty_ctrl::LeaveReason;
use lanparty_e2e::{DEADLINE, Facts, Peer, Relay};
use lanparty_obs::DropReason;
use lanparty_peer::relay_args::RelayConfig;
use lanparty_proto::{DatagramBudget, MacAddr, PeerId, VirtualMac};
use lanparty_relay::Limits;
use tokio::task::LocalSet;

const ALL: [u8; 6] = [0xff; 6];
const ANN: [u8; 6] = [2, 0, 0, 0, 0, 1];
const BEN: [u8; 6] = [2, 0, 0, 0, 0, 2];
const GATEWAY: [u8; 6] = [0, 0x1b, 0x21, 0, 0, 1];
const LAN_HOST: [u8; 6] = [0, 0x1b, 0x21, 0, 0, 9];

#[tokio::test]
async fn a_broadcast_reaches_everybody_else_once() {
    in_a_party(Relay::start().config(), async |mut party| {
        for (from, others) in [(0, [1, 2]), (1, [0, 2]), (2, [0, 1])] {
            let source = [ANN, BEN, LAN_HOST][from];
            party.send(from, &frame(ALL, source, 60));
            // Another one behind it: what comes twice would come before.
            party.send(from, &frame(ALL, source, 61));
            for to in others {
                assert_eq!(
                    party.receive(to).await,
                    frame(ALL, source, 60),
                    "{from} to {to}"
                );
                assert_eq!(
                    party.receive(to).await,
                    frame(ALL, source, 61),
                    "{from} to {to}"
                );
            }
        }
    })
    .await;
}

#[tokio::test]
async fn unicast_reaches_its_one_station() {
    in_a_party(Relay::start().config(), async |mut party| {
        let ways = [
            (0, ANN, 1, BEN),
            (1, BEN, 0, ANN),
            (2, LAN_HOST, 0, ANN),
            (0, ANN, 2, LAN_HOST),
        ];
        for (from, source, to, destination) in ways {
            party.send(from, &frame(destination, source, 100));
            assert_eq!(party.receive(to).await, frame(destination, source, 100));
        }
        // Had anything gone astray, it would be before these.
        party.send(2, &frame(ALL, LAN_HOST, 60));
        for player in [0, 1] {
            assert_eq!(party.receive(player).await, frame(ALL, LAN_HOST, 60));
        }
    })
    .await;
}

#[tokio::test]
async fn a_full_frame_crosses_a_narrow_path_in_pieces() {
    let relay = Relay::start();
    let narrow = RelayConfig {
        budget_cap: DatagramBudget::new(600),
        ..relay.config()
    };
    in_a_party(narrow, async |mut party| {
        for (from, source, to, destination) in [(0, ANN, 2, LAN_HOST), (2, LAN_HOST, 1, BEN)] {
            for len in [590, 592, 593, 1200, 1513, 1514] {
                party.send(from, &frame(destination, source, len));
                assert_eq!(
                    party.receive(to).await,
                    frame(destination, source, len),
                    "{len}"
                );
            }
        }
    })
    .await;
}

#[tokio::test]
async fn frames_that_may_not_cross_die_and_the_next_one_lives() {
    in_a_party(Relay::start().config(), async |mut party| {
        party.send(0, &frame(ALL, BEN, 60));
        party.send(0, &frame([0x01, 0x80, 0xc2, 0, 0, 0], ANN, 60));
        party.send(0, &frame(ALL, ANN, 1515));
        party.send(0, &[0xff; 5]);
        party.send(2, &frame(ALL, ANN, 60));
        party.send(2, &frame(LAN_HOST, GATEWAY, 60));
        for (from, source) in [(0, ANN), (2, LAN_HOST)] {
            party.send(from, &frame(ALL, source, 77));
            assert_eq!(party.receive(1).await, frame(ALL, source, 77));
        }
        // The relay would have given no player what the LAN says to the gateway; it does not come to that.
        let (gateway, _) = party.peers.remove(2);
        let stats = gateway.leave().await;
        assert_eq!(stats.drops.of(DropReason::UnknownDestination), 1);
        assert_eq!(stats.drops.of(DropReason::UnauthorizedSourceMac), 1);
        assert_eq!(stats.frames_to_relay, 1);
    })
    .await;
}

#[tokio::test]
async fn a_player_sees_how_far_the_others_are() {
    let relay = Relay::start();
    let named = RelayConfig {
        name: Some("Ann".parse().unwrap()),
        ..relay.config()
    };
    in_a_party(named, async |mut party| {
        let (ann, _) = &mut party.peers[0];
        let is_known = |facts: &Facts| facts.members.iter().filter_map(|one| one.rtt).count() == 2;
        let Facts { members, .. } = ann.knows(is_known).await;
        let [ben, lan] = &members[..] else {
            panic!("{members:?}")
        };
        assert_eq!((ben.mac, lan.mac), (Some(mac(BEN)), None));
        assert!(lan.is_gateway && !ben.is_gateway);
        assert_eq!(ben.name.as_ref().unwrap().to_string(), "Ann");
        let rtt = ben.rtt.unwrap();
        assert!(!rtt.is_zero() && rtt < DEADLINE, "{rtt:?}");
    })
    .await;
}

#[tokio::test]
async fn a_player_sees_the_games_that_answer_it_and_no_others() {
    in_a_party(Relay::start().config(), async |mut party| {
        // What openarena-server says to Ann, who looks for games, and a Minecraft world to everybody.
        let openarena = b"\xff\xff\xff\xffinfoResponse\n\\voip\\opus\\g_needpass\\0\\pure\\1\\gametype\\0\
            \\sv_maxclients\\8\\g_humanplayers\\0\\clients\\0\\mapname\\oa_dm1\\hostname\\^1Bert's ^7cellar\
            \\protocol\\71\\gamename\\Quake3Arena\\challenge\\xxx";
        let minecraft = b"[MOTD]Bert - World[/MOTD][AD]54321[/AD]";
        party.send(2, &said(ANN, (27_960, 40_000), openarena));
        party.send(2, &said(ALL, (50_000, 4445), minecraft));
        let (ann, _) = &mut party.peers[0];
        let found = ann.knows(|facts| facts.games.len() == 2).await;
        let rows = found.games.iter().map(|game| {
            let map = game.map.as_deref().unwrap_or("-");
            format!("{} {} {} {map}", game.game, game.server, game.address)
        });
        let expected = [
            "Minecraft Bert - World 192.168.50.20:54321 -",
            "OpenArena Bert's cellar 192.168.50.20:27960 oa_dm1",
        ];
        assert_eq!(rows.collect::<Vec<_>>(), expected);
        let (ben, _) = &mut party.peers[1];
        let found = ben.knows(|facts| !facts.games.is_empty()).await;
        assert_eq!(found.games.len(), 1, "the answer was not to Ben: {found:?}");
    })
    .await;
}

#[tokio::test]
async fn leaving_is_noticed_at_once_and_the_mac_is_free_again() {
    let relay = Relay::start();
    in_a_party(relay.config(), async |mut party| {
        let (ben, ben_id) = party.peers.remove(1);
        ben.leave().await;
        for (peer, _) in &mut party.peers {
            assert_eq!(peer.misses(ben_id).await, LeaveReason::Leaving);
        }
        let mut again = Peer::client(relay.config(), mac(BEN));
        let again_id = again.is_in().await;
        for (peer, _) in &mut party.peers {
            peer.meets(again_id).await;
        }
    })
    .await;
}

#[tokio::test]
async fn players_stay_when_the_gateway_goes_and_hear_the_next_one() {
    let relay = Relay::start();
    in_a_party(relay.config(), async |mut party| {
        let (gateway, gateway_id) = party.peers.remove(2);
        gateway.leave().await;
        for (player, _) in &mut party.peers {
            assert_eq!(player.misses(gateway_id).await, LeaveReason::Leaving);
        }
        let mut next = Peer::gateway(relay.config(), MacAddr::new(GATEWAY));
        let next_id = next.is_in().await;
        for (player, id) in &mut party.peers {
            player.meets(next_id).await;
            next.meets(*id).await;
        }
        party.peers.push((next, next_id));
        party.send(2, &frame(ANN, LAN_HOST, 90));
        assert_eq!(party.receive(0).await, frame(ANN, LAN_HOST, 90));
    })
    .await;
}

#[tokio::test]
async fn a_mac_or_a_gateway_that_is_there_already_is_refused() {
    let relay = Relay::start();
    in_a_party(relay.config(), async |_party| {
        let cause = Peer::client(relay.config(), mac(ANN)).is_refused().await;
        assert!(cause.contains("has this MAC address"), "{cause}");
        let cause = Peer::gateway(relay.config(), MacAddr::new(LAN_HOST))
            .is_refused()
            .await;
        assert!(cause.contains("has a gateway already"), "{cause}");
    })
    .await;
}

#[tokio::test]
async fn a_full_room_is_refused_until_somebody_leaves() {
    let relay = Relay::with(Limits {
        clients_per_room: 1,
        ..Limits::default()
    });
    LocalSet::new()
        .run_until(async {
            let mut ann = Peer::client(relay.config(), mac(ANN));
            ann.is_in().await;
            let mut ben = Peer::client(relay.config(), mac(BEN));
            let cause = ben.is_refused().await;
            assert!(cause.contains("the room is full"), "{cause}");
            ann.leave().await;
            ben.is_in().await;
        })
        .await;
}

#[tokio::test]
async fn another_relays_certificate_ends_the_program() {
    let (relay, other) = (Relay::start(), Relay::start());
    LocalSet::new()
        .run_until(async {
            let config = RelayConfig {
                trust: other.config().trust,
                ..relay.config()
            };
            let cause = Peer::client(config, mac(ANN)).gives_up().await;
            assert!(cause.contains("certificate"), "{cause}");
        })
        .await;
}

/// Ann, Ben and the gateway, in this order.
struct Party {
    peers: Vec<(Peer, PeerId)>,
}

impl Party {
    fn send(&self, from: usize, frame: &[u8]) {
        self.peers[from].0.cable.send(frame);
    }

    async fn receive(&mut self, at: usize) -> Vec<u8> {
        self.peers[at].0.cable.receive().await
    }
}

/// Runs a test once everybody is in and knows everybody.
async fn in_a_party(relay: RelayConfig, test: impl AsyncFnOnce(Party)) {
    let run = async {
        let mut ann = Peer::client(relay.clone(), mac(ANN));
        let ann_id = ann.is_in().await;
        let mut ben = Peer::client(relay.clone(), mac(BEN));
        let ben_id = ben.is_in().await;
        let mut gateway = Peer::gateway(relay, MacAddr::new(GATEWAY));
        let gateway_id = gateway.is_in().await;
        ann.meets(ben_id).await;
        ben.meets(ann_id).await;
        for (player, id) in [(&mut ann, ann_id), (&mut ben, ben_id)] {
            player.meets(gateway_id).await;
            gateway.meets(id).await;
        }
        test(Party {
            peers: vec![(ann, ann_id), (ben, ben_id), (gateway, gateway_id)],
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

/// A datagram of the LAN's machine, 192.168.50.20.
fn said(to: [u8; 6], (from_port, to_port): (u16, u16), payload: &[u8]) -> Vec<u8> {
    let len = u16::try_from(8 + payload.len()).unwrap();
    let mut frame = [to, LAN_HOST].concat();
    frame.extend([0x08, 0x00, 0x45, 0]);
    frame.extend((20 + len).to_be_bytes());
    frame.extend([0, 0, 0, 0, 64, 17, 0, 0, 192, 168, 50, 20]);
    frame.extend(if to == ALL {
        [255; 4]
    } else {
        [192, 168, 50, 17]
    });
    frame.extend([from_port, to_port, len, 0].map(u16::to_be_bytes).concat());
    frame.extend(payload);
    frame.resize(frame.len().max(60), 0);
    frame
}
