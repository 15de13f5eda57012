//! A party with several relays: where one is gone, it goes on at another, and no relay can keep a player to itself.
#![allow(
    clippy::disallowed_methods,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test with real sockets that measures how long people wait"
)]

use lanparty_ctrl::{HostKey, HostSecret, Pin, RoomKey};
use lanparty_e2e::{Heard, Peer, ROOM, Relay, Wire, soon};
use lanparty_edge::invite::OtherRelay;
use lanparty_obs::Way;
use lanparty_peer::relay_args::{DoorConfig, RelayConfig};
use lanparty_proto::{MacAddr, PeerId, VirtualMac};
use lanparty_quic::tls::Trust;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::task::LocalSet;
use tokio::time::timeout;

const NIC: MacAddr = MacAddr::new([0x52, 0x54, 0, 0, 0, 9]);
/// A link that is silent is given up within four seconds; the rest is asking and entering.
const TAKEOVER: Duration = Duration::from_secs(7);
/// After so long without another frame none is on its way.
const ON_ITS_WAY: Duration = Duration::from_millis(500);

#[tokio::test]
async fn a_relay_dies_and_the_whole_party_goes_on_at_another() {
    run(async {
        let net = Net::of(3).await;
        let (mut gateway, mut player, at) = net.party().await;
        assert_frames_pass(&mut player, &mut gateway).await;
        let dead = net.cut(at);
        let (next, gateway_id) = net.finds(&mut gateway).await;
        assert_ne!(next, at);
        let player_id = net.is_at(&mut player, next).await;
        meet((&mut player, player_id), (&mut gateway, gateway_id)).await;
        let gap = dead.elapsed();
        assert!(gap < TAKEOVER, "{gap:?}");
        println!("the party was whole again after {gap:?}");
        assert_frames_pass(&mut player, &mut gateway).await;
        // The dead one comes back, and nobody leaves a relay that works.
        net.mend(at);
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert!(!player.has_heard(|heard| matches!(heard, Heard::At(_) | Heard::NoLink(_))));
        assert_frames_pass(&mut player, &mut gateway).await;
    })
    .await;
}

#[tokio::test]
async fn a_relay_that_only_the_gateway_has_lost_is_left_by_all() {
    run(async {
        let net = Net::of(2).await;
        let (mut gateway, mut player, at) = net.party().await;
        let cut = net.cut_gateway(at);
        let (next, _) = net.finds(&mut gateway).await;
        assert_ne!(next, at);
        net.is_at(&mut player, next).await;
        println!("the player had followed after {:?}", cut.elapsed());
        assert_frames_pass(&mut player, &mut gateway).await;
    })
    .await;
}

#[tokio::test]
async fn a_relay_that_only_the_players_have_lost_is_left_by_the_gateway() {
    run(async {
        let net = Net::of(2).await;
        let (mut gateway, mut player, at) = net.party().await;
        let cut = net.cut_players(at);
        let (next, _) = net.finds(&mut gateway).await;
        assert_ne!(next, at);
        net.is_at(&mut player, next).await;
        println!("the gateway had followed after {:?}", cut.elapsed());
        assert_frames_pass(&mut player, &mut gateway).await;
    })
    .await;
}

#[tokio::test]
async fn the_host_moves_the_party_and_nobody_notices_more_than_a_moment() {
    run(async {
        let net = Net::of(3).await;
        let (mut gateway, mut player, at) = net.party().await;
        let other = (at + 1) % 3;
        let asked = Instant::now();
        gateway.prefers(net.ways[other].gateway.address());
        let gateway_id = net.is_at(&mut gateway, other).await;
        let player_id = net.is_at(&mut player, other).await;
        meet((&mut player, player_id), (&mut gateway, gateway_id)).await;
        assert_frames_pass(&mut player, &mut gateway).await;
        println!("the party had moved after {:?}", asked.elapsed());
        for peer in [&mut gateway, &mut player] {
            assert!(!peer.has_heard(|heard| matches!(heard, Heard::NoLink(_))));
        }
    })
    .await;
}

#[tokio::test]
async fn a_host_who_asks_hears_how_all_relays_do_and_the_party_stays() {
    run(async {
        let net = Net::of(3).await;
        let (mut gateway, mut player, at) = net.party().await;
        let dead = (at + 1) % 3;
        net.cut(dead);
        gateway.looks();
        let is_told = |heard: &Heard| match heard {
            Heard::Relays(sights) => sights.len() == 3 && sights.iter().any(|it| it.said.is_some()),
            _ => false,
        };
        let Heard::Relays(sights) = gateway.hears(is_told).await else {
            unreachable!("we asked for these")
        };
        for (number, way) in net.ways.iter().enumerate() {
            let address = way.gateway.address().into();
            let mut sights = sights.iter();
            let sight = sights.find(|sight| sight.address == address).unwrap();
            assert_eq!(sight.is_here, number == at, "{sight:?}");
            assert_eq!(sight.said.is_some(), number == dead, "{sight:?}");
            assert_eq!(sight.rtt.is_some(), number != dead, "{sight:?}");
        }
        assert!(!gateway.has_heard(|heard| matches!(heard, Heard::At(_) | Heard::NoLink(_))));
        assert_frames_pass(&mut player, &mut gateway).await;
    })
    .await;
}

#[tokio::test]
async fn a_player_comes_first_and_waits_for_the_host_at_no_relay() {
    run(async {
        let net = Net::of(2).await;
        let mut player = Peer::client(net.guest(), mac());
        let cause = player.is_refused().await;
        assert!(cause.contains("the host is not there yet"), "{cause}");
        let mut gateway = Peer::gateway(net.host(), NIC);
        let (at, _) = net.finds(&mut gateway).await;
        net.is_at(&mut player, at).await;
        assert_frames_pass(&mut player, &mut gateway).await;
        let sights = player.hears(|heard| matches!(heard, Heard::Relays(_))).await;
        let Heard::Relays(sights) = sights else {
            unreachable!("we asked for these")
        };
        assert_eq!(sights.len(), 2, "{sights:?}");
        let here: Vec<_> = sights.iter().filter(|sight| sight.is_here).collect();
        assert!(matches!(here[..], [here] if here.address == net.ways[at].players.address().into() && here.rtt.is_some()), "{sights:?}");
    })
    .await;
}

#[tokio::test]
async fn where_no_relay_answers_one_sentence_names_them_all() {
    run(async {
        let net = Net::of(2).await;
        for at in 0..2 {
            net.cut(at);
        }
        let mut player = Peer::client(net.guest(), mac());
        let cause = player.is_refused().await;
        assert!(
            cause.starts_with("none of the 2 relays of the party"),
            "{cause}"
        );
        for way in &net.ways {
            assert!(
                cause.contains(&way.players.address().to_string()),
                "{cause}"
            );
        }
        // One that comes back is enough.
        net.mend(0);
        let _gateway = Peer::gateway(net.host(), NIC);
        player.is_in().await;
    })
    .await;
}

#[tokio::test]
async fn a_relay_says_goodbye_and_the_party_is_elsewhere_within_a_moment() {
    run(async {
        let mut net = Net::of(2).await;
        let (mut gateway, mut player, at) = net.party().await;
        let ended = Instant::now();
        net.end(at);
        let (next, _) = net.finds(&mut gateway).await;
        assert_ne!(next, at);
        net.is_at(&mut player, next).await;
        let gap = ended.elapsed();
        println!("the party was elsewhere after {gap:?}");
        assert!(gap < Duration::from_secs(4), "{gap:?}");
        assert_frames_pass(&mut player, &mut gateway).await;
    })
    .await;
}

#[tokio::test]
async fn a_direct_path_carries_on_while_the_party_moves() {
    run(async {
        let mut net = Net::of(2).await.with_doors();
        let (mut gateway, mut player, at) = net.party().await;
        player.goes(Way::Direct).await;
        net.end(at);
        let up = frame([0x52, 0x54, 0, 0, 0, 1], mac().addr().octets());
        let mut again = tokio::time::interval(Duration::from_millis(20));
        let (mut sent, mut passed) = (0, 0);
        let next = loop {
            tokio::select! {
                (next, _) = net.finds(&mut player) => break next,
                _ = again.tick() => {
                    player.cable.send(&up);
                    sent += 1;
                }
            }
        };
        assert_ne!(next, at);
        player.goes(Way::Direct).await;
        // What is on its way is not lost, and of few frames one is more than a tenth.
        while passed < sent
            && let Ok(came) = timeout(ON_ITS_WAY, gateway.cable.receive()).await
        {
            passed += usize::from(came == up);
        }
        println!("{passed} of {sent} frames passed meanwhile");
        assert!(passed * 10 >= sent * 9, "{passed} of {sent}");
        assert_frames_pass(&mut player, &mut gateway).await;
    })
    .await;
}

/// Several relays, each with a way for players and one for the gateway.
struct Net {
    relays: Vec<Option<Relay>>,
    ways: Vec<Ways>,
    pins: Vec<Pin>,
    key: RoomKey,
    config: RelayConfig,
    /// Without them frames show which relay carries them.
    has_doors: bool,
}

struct Ways {
    relay: SocketAddr,
    players: Wire,
    gateway: Wire,
}

impl Net {
    async fn of(count: usize) -> Self {
        let relays: Vec<_> = (0..count).map(|_| Relay::start()).collect();
        let mut ways = Vec::new();
        for relay in &relays {
            ways.push(Ways {
                relay: relay.address(),
                players: Wire::to(relay.address()).await,
                gateway: Wire::to(relay.address()).await,
            });
        }
        Net {
            pins: relays.iter().map(Relay::pin).collect(),
            config: relays[0].config(),
            relays: relays.into_iter().map(Some).collect(),
            ways,
            key: RoomKey::from_random([7; 16]),
            has_doors: false,
        }
    }

    /// Direct paths do not lead through those ways, so there are none.
    fn with_doors(self) -> Self {
        Net {
            has_doors: true,
            ..self
        }
    }

    fn config(&self, way: impl Fn(&Ways) -> &Wire) -> RelayConfig {
        let addresses = self.ways.iter().map(|ways| match self.has_doors {
            true => ways.relay,
            false => way(ways).address(),
        });
        let mut relays = addresses.zip(&self.pins).map(|(address, pin)| OtherRelay {
            address: address.into(),
            pin: Some(*pin),
        });
        let first = relays.next().unwrap();
        RelayConfig {
            address: first.address,
            trust: Trust::pinned(self.pins[0]),
            others: relays.collect(),
            key: Some(self.key.clone()),
            door: self.has_doors.then(DoorConfig::default),
            ..self.config.clone()
        }
    }

    fn guest(&self) -> RelayConfig {
        RelayConfig {
            host: Some(host_key().id()),
            ..self.config(|ways| &ways.players)
        }
    }

    fn host(&self) -> RelayConfig {
        RelayConfig {
            host_key: Some(host_key()),
            ..self.config(|ways| &ways.gateway)
        }
    }

    /// A gateway and a player who have met, and the number of their relay.
    async fn party(&self) -> (Peer, Peer, usize) {
        let mut gateway = Peer::gateway(self.host(), NIC);
        let (at, gateway_id) = self.finds(&mut gateway).await;
        let mut player = Peer::client(self.guest(), mac());
        let player_id = self.is_at(&mut player, at).await;
        meet((&mut player, player_id), (&mut gateway, gateway_id)).await;
        (gateway, player, at)
    }

    /// Waits until a peer is in at a relay, and says which.
    async fn finds(&self, peer: &mut Peer) -> (usize, PeerId) {
        let (at, id) = peer.is_somewhere().await;
        let mut ways = self.ways.iter();
        let number = ways.position(|ways| {
            [ways.relay, ways.players.address(), ways.gateway.address()].contains(&at)
        });
        (number.unwrap(), id)
    }

    /// Waits until a peer is in at this relay.
    async fn is_at(&self, peer: &mut Peer, number: usize) -> PeerId {
        loop {
            let (at, id) = self.finds(peer).await;
            if at == number {
                return id;
            }
        }
    }

    /// The relay is gone without a word.
    fn cut(&self, at: usize) -> Instant {
        self.cut_players(at);
        self.cut_gateway(at)
    }

    fn cut_players(&self, at: usize) -> Instant {
        self.ways[at].players.cut();
        Instant::now()
    }

    fn cut_gateway(&self, at: usize) -> Instant {
        self.ways[at].gateway.cut();
        Instant::now()
    }

    fn mend(&self, at: usize) {
        self.ways[at].players.mend();
        self.ways[at].gateway.mend();
    }

    /// The relay ends, as its operator would have it.
    fn end(&mut self, at: usize) {
        self.relays[at].take().unwrap().end();
    }
}

fn host_key() -> HostKey {
    HostSecret::from_random([1; 32]).host_key(&ROOM.parse().unwrap())
}

fn mac() -> VirtualMac {
    VirtualMac::from_random([2, 0, 0, 0, 0, 1])
}

async fn meet(player: (&mut Peer, PeerId), gateway: (&mut Peer, PeerId)) {
    player.0.meets(gateway.1).await;
    gateway.0.meets(player.1).await;
}

/// Frames cross both ways; some may be lost until both are there and believe each other.
async fn assert_frames_pass(player: &mut Peer, gateway: &mut Peer) {
    let up = frame([0xff; 6], mac().addr().octets());
    let down = frame(mac().addr().octets(), [0x52, 0x54, 0, 0, 0, 1]);
    pass(player, gateway, &up).await;
    pass(gateway, player, &down).await;
}

async fn pass(from: &mut Peer, to: &mut Peer, frame: &[u8]) {
    let again = async {
        let mut again = tokio::time::interval(Duration::from_millis(50));
        loop {
            again.tick().await;
            from.cable.send(frame);
        }
    };
    let came = async { while to.cable.receive().await != frame {} };
    let passed = async {
        tokio::select! {
            () = came => {}
            () = again => {}
        }
    };
    soon("a frame that crosses", passed).await;
}

fn frame(destination: [u8; 6], source: [u8; 6]) -> Vec<u8> {
    let mut frame = [destination, source].concat();
    frame.extend([0x81, 0x37]);
    frame.resize(64, 0x5a);
    frame
}

async fn run(test: impl Future<Output = ()>) {
    LocalSet::new().run_until(test).await;
}
