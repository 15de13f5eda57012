//! Relays that send peers to others, relays of before, and relays that would keep a party to themselves.
#![allow(
    clippy::disallowed_methods,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test with real sockets that measures how long people wait"
)]

use lanparty_ctrl::message::Reject;
use lanparty_ctrl::places::{Elsewhere, FleetRelay, Found};
use lanparty_ctrl::{
    HostKey, HostOrder, HostSecret, Notice, NoticeKind, PLACES, PeerMessage, Pin, RejectReason,
    RelayMessage, RoomCode, RoomKey, Term,
};
use lanparty_e2e::{FakeRelay, Heard, Peer, ROOM, Relay, Wire};
use lanparty_edge::invite::OtherRelay;
use lanparty_peer::relay_args::RelayConfig;
use lanparty_proto::{MacAddr, VirtualMac};
use lanparty_quic::tls::Trust;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::task::LocalSet;

const NIC: MacAddr = MacAddr::new([0x52, 0x54, 0, 0, 0, 9]);

#[tokio::test]
async fn where_there_is_one_relay_nobody_asks_before_the_hello() {
    run(async {
        let fake = FakeRelay::start(|_| |_: &PeerMessage| Some(welcome(None)));
        let mut player = Peer::client(guest(&[(fake.address(), fake.pin())]), mac());
        player.is_at(fake.address()).await;
        let heard = fake.heard();
        assert!(heard.iter().all(is_hello), "{heard:?}");
    })
    .await;
}

#[tokio::test]
async fn a_relay_with_further_addresses_is_one_relay_and_hears_one_hello() {
    run(async {
        let fake = FakeRelay::start(|_| |_: &PeerMessage| Some(welcome(None)));
        let port = fake.address().port();
        let further = |last| SocketAddr::from(([127, 0, 0, last], port));
        let invite = RelayConfig {
            also: vec![further(2), further(3)],
            ..guest(&[(fake.address(), fake.pin())])
        };
        let mut player = Peer::client(invite, mac());
        player.is_at(fake.address()).await;
        let heard = fake.heard();
        // Where long packets do not arrive, as here, the same place is taken once more with shorter ones.
        let is_first = |message: &&PeerMessage| matches!(message, PeerMessage::Hello(hello) if hello.resume_token.is_none());
        assert!(heard.iter().all(is_hello), "{heard:?}");
        assert_eq!(heard.iter().filter(is_first).count(), 1, "{heard:?}");
    })
    .await;
}

#[tokio::test]
async fn whoever_is_sent_to_another_relay_goes_there() {
    run(async {
        let relay = Relay::start();
        let (address, pin) = (relay.address(), relay.pin());
        let last = FakeRelay::start(|_| move |_: &PeerMessage| Some(redirect(address, pin)));
        let (address, pin) = (last.address(), last.pin());
        let first = FakeRelay::start(|_| move |_: &PeerMessage| Some(redirect(address, pin)));
        let invite = [(first.address(), first.pin())];
        let mut gateway = Peer::gateway(host(&invite), NIC);
        gateway.is_at(relay.address()).await;
        let mut player = Peer::client(guest(&invite), mac());
        player.is_at(relay.address()).await;
    })
    .await;
}

#[tokio::test]
async fn relays_that_send_us_round_and_round_are_told_of() {
    run(async {
        let own = |pin| move |address: SocketAddr| redirect(address, pin);
        // It sends everybody to itself.
        let at = Arc::new(std::sync::OnceLock::new());
        let answer = Arc::clone(&at);
        let fake =
            FakeRelay::start(|pin| move |_: &PeerMessage| answer.get().copied().map(own(pin)));
        at.set(fake.address()).unwrap();
        let mut player = Peer::client(guest(&[(fake.address(), fake.pin())]), mac());
        let cause = player.is_refused().await;
        assert!(cause.contains("round and round"), "{cause}");
        // And nobody is driven mad by it.
        tokio::time::sleep(Duration::from_secs(2)).await;
        let count = fake.heard().len();
        assert!((2..=8).contains(&count), "{count} hellos in two seconds");
    })
    .await;
}

#[tokio::test]
async fn a_relay_that_is_not_who_it_was_said_to_be_is_not_entered() {
    run(async {
        let relay = Relay::start();
        let address = relay.address();
        let wrong = Pin::from_sha256([9; 32]);
        let fake = FakeRelay::start(|_| move |_: &PeerMessage| Some(redirect(address, wrong)));
        let mut player = Peer::client(guest(&[(fake.address(), fake.pin())]), mac());
        let cause = player.is_refused().await;
        assert!(cause.contains("another key than it says"), "{cause}");
        player.is_refused().await;
    })
    .await;
}

#[tokio::test]
async fn who_is_sent_to_a_dead_relay_asks_again_and_comes_in_when_another_has_the_room() {
    run(async {
        let relay = Relay::start();
        let (address, pin) = (relay.address(), relay.pin());
        let dead = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let dead_address = dead.local_addr().unwrap();
        let since = Instant::now();
        let fake = FakeRelay::start(|_| {
            move |_: &PeerMessage| {
                // A lease takes its time.
                Some(match since.elapsed() < Duration::from_secs(4) {
                    true => redirect(dead_address, pin),
                    false => redirect(address, pin),
                })
            }
        });
        let mut gateway = Peer::gateway(host(&[(fake.address(), fake.pin())]), NIC);
        gateway.is_at(relay.address()).await;
        let took = since.elapsed();
        assert!(took < Duration::from_secs(9), "{took:?}");
    })
    .await;
}

/// Its fleet sends everybody there until its lease is over; and all of them stand in the invite, the dead one too.
#[tokio::test]
async fn a_gateway_whose_relay_of_a_fleet_falls_silent_is_elsewhere_as_soon_as_its_lease_is_over() {
    run(async {
        let owner = FakeRelay::start(|_| {
            |message: &PeerMessage| {
                Some(match message {
                    PeerMessage::Find(_) => answer(message, Found::default()),
                    _ => welcome(Some(3)),
                })
            }
        });
        let wire = Wire::to(owner.address()).await;
        let (address, pin) = (wire.address(), owner.pin());
        let is_over = Arc::new(AtomicBool::new(false));
        let other = || {
            let is_over = Arc::clone(&is_over);
            FakeRelay::start(move |_| {
                move |message: &PeerMessage| {
                    Some(match (is_over.load(Ordering::Relaxed), message) {
                        (false, _) => redirect(address, pin),
                        (true, PeerMessage::Find(_)) => answer(message, Found::default()),
                        (true, _) => welcome(Some(4)),
                    })
                }
            })
        };
        let (b, c) = (other(), other());
        let invite = [
            (address, pin),
            (b.address(), b.pin()),
            (c.address(), c.pin()),
        ];
        let mut gateway = Peer::gateway(host(&invite), NIC);
        gateway.is_at(address).await;
        wire.cut();
        let since = Instant::now();
        tokio::time::sleep(Duration::from_millis(4200)).await;
        is_over.store(true, Ordering::Relaxed);
        let (at, _) = gateway.is_somewhere().await;
        let took = since.elapsed();
        assert_ne!(at, address);
        println!("it was elsewhere after {took:?}, as the lease ended after 4.2 s");
        // A relay that is none gives no full datagram back, which takes a second; who waited for the dead one took eight.
        assert!(took < Duration::from_secs(7), "{took:?}");
    })
    .await;
}

#[tokio::test]
async fn a_relay_that_moves_the_room_is_left_within_a_moment() {
    run(async {
        let relay = Relay::start();
        let fake = FakeRelay::start(|_| |_: &PeerMessage| Some(welcome(Some(3))));
        let invite = [(fake.address(), fake.pin())];
        let mut gateway = Peer::gateway(host(&invite), NIC);
        let mut player = Peer::client(guest(&invite), mac());
        gateway.is_at(fake.address()).await;
        player.is_at(fake.address()).await;
        let moved = RelayMessage::Moved(Elsewhere {
            fence: Some(4),
            ..elsewhere(relay.address(), relay.pin())
        });
        // The gateway is told first; here both are told at once, and the player may be there first.
        let told = Instant::now();
        fake.say(&moved).await;
        gateway.is_at(relay.address()).await;
        player.is_at(relay.address()).await;
        println!("both had moved after {:?}", told.elapsed());
        assert!(told.elapsed() < Duration::from_secs(3));
        assert!(!gateway.has_heard(|heard| matches!(heard, Heard::NoLink(_))));
    })
    .await;
}

#[tokio::test]
async fn an_old_relay_beside_a_new_one_is_entered_only_where_the_new_one_is_gone() {
    run(async {
        let relay = Relay::start();
        let old = FakeRelay::start(|_| {
            |message: &PeerMessage| match message {
                PeerMessage::Hello(_) => Some(welcome(None)),
                _ => None,
            }
        });
        let invite = [(old.address(), old.pin()), (relay.address(), relay.pin())];
        let mut gateway = Peer::gateway(host(&invite), NIC);
        gateway.is_at(relay.address()).await;
        let mut player = Peer::client(guest(&invite), mac());
        player.is_at(relay.address()).await;
        assert!(!old.heard().iter().any(is_hello));
        relay.end();
        gateway.is_at(old.address()).await;
    })
    .await;
}

#[tokio::test]
async fn a_relay_that_shows_the_gateway_of_an_earlier_term_keeps_nobody() {
    run(async {
        let relay = Relay::start();
        let key = host_key();
        let zombie = FakeRelay::start(|pin| {
            move |message: &PeerMessage| {
                let room: RoomCode = ROOM.parse().unwrap();
                let found = Found {
                    gateway: true,
                    // The gateway that the test runs begins at 1, too, but for the other relay, and then comes again.
                    term: Some(Term::new(1).sign(&key, &room, &pin)),
                    ..Found::default()
                };
                match message {
                    PeerMessage::Find(hello) if hello.mac.is_some() => {
                        Some(RelayMessage::Found(Box::new(found)))
                    }
                    PeerMessage::Find(_) => Some(full()),
                    _ => Some(welcome(None)),
                }
            }
        });
        let invite = [
            (zombie.address(), zombie.pin()),
            (relay.address(), relay.pin()),
        ];
        // Its second term is higher than what the zombie has kept.
        let mut gateway = Peer::gateway_of_term(host(&invite), NIC, Term::new(1));
        gateway.is_at(relay.address()).await;
        let mut player = Peer::client(guest(&invite), mac());
        player.is_at(relay.address()).await;
        assert!(!zombie.heard().iter().any(is_hello));
    })
    .await;
}

#[tokio::test]
async fn a_relay_that_hears_a_term_and_does_not_let_the_gateway_in_takes_no_player_from_it() {
    run(async {
        let here =
            FakeRelay::start(|_| |message: &PeerMessage| Some(answer(message, Found::default())));
        let is_open = Arc::new(AtomicBool::new(false));
        let opens = Arc::clone(&is_open);
        let other = FakeRelay::start(|_| {
            move |message: &PeerMessage| {
                Some(match message {
                    PeerMessage::Find(_) if opens.load(Ordering::Relaxed) => {
                        answer(message, Found::default())
                    }
                    _ => full(),
                })
            }
        });
        let invite = [(here.address(), here.pin()), (other.address(), other.pin())];
        let mut gateway = Peer::gateway(host(&invite), NIC);
        gateway.is_at(here.address()).await;
        is_open.store(true, Ordering::Relaxed);
        gateway.prefers(other.address());
        gateway.is_at(here.address()).await;
        let (told, anew) = (terms(&other, &invite[1]), terms(&here, &invite[0]));
        assert!(told.len() == 1 && anew.len() == 2, "{told:?}, {anew:?}");
        assert!(told[0] > anew[0] && anew[1] > told[0], "{told:?}, {anew:?}");
        // It wants to be there still, and asks no more often than is good for its party.
        tokio::time::sleep(Duration::from_secs(4)).await;
        assert_eq!(terms(&here, &invite[0]), anew);
        assert!(!gateway.has_heard(|heard| matches!(heard, Heard::NoLink(_))));
    })
    .await;
}

#[tokio::test]
async fn a_gateway_leaves_a_relay_that_drains_and_says_nothing_of_a_lost_link() {
    run(async {
        let relay = Relay::start();
        let wire = Wire::to(relay.address()).await;
        wire.cut();
        let drains =
            FakeRelay::start(|_| |message: &PeerMessage| Some(answer(message, Found::default())));
        let invite = [
            (drains.address(), drains.pin()),
            (wire.address(), relay.pin()),
        ];
        let mut gateway = Peer::gateway(host(&invite), NIC);
        gateway.is_at(drains.address()).await;
        wire.mend();
        let told = Instant::now();
        let notice = Notice::new(NoticeKind::Draining, 0);
        drains.say(&RelayMessage::Notice(notice)).await;
        gateway.is_at(wire.address()).await;
        println!("it had gone after {:?}", told.elapsed());
        assert!(!gateway.has_heard(|heard| matches!(heard, Heard::NoLink(_))));
    })
    .await;
}

#[tokio::test]
async fn a_gateway_tells_its_fleet_how_far_each_relay_is_and_its_host_where_they_are() {
    run(async {
        let relay = Relay::start();
        let in_fleet = FleetRelay {
            address: relay.address().to_string(),
            pin: Some(relay.pin()),
            region: Some("Frankfurt".into()),
        };
        let garbage = FleetRelay {
            address: "no address".to_owned(),
            pin: None,
            region: None,
        };
        let found = Found {
            relays: vec![garbage, in_fleet],
            ..Found::default()
        };
        let fleet =
            FakeRelay::start(|_| move |message: &PeerMessage| Some(answer(message, found.clone())));
        let other = FakeRelay::start(|_| |_: &PeerMessage| Some(full()));
        let invite = [
            (fleet.address(), fleet.pin()),
            (other.address(), other.pin()),
        ];
        let mut gateway = Peer::gateway(host(&invite), NIC);
        gateway.is_at(fleet.address()).await;
        let heard = fleet.heard();
        let near = heard.iter().find_map(|message| match message {
            PeerMessage::Hello(hello) => Some(hello.near.clone()),
            _ => None,
        });
        let near = near.unwrap();
        assert!(
            matches!(&near[..], [near] if near.address == relay.address().to_string()),
            "{near:?}"
        );
        let sights = gateway
            .hears(|heard| matches!(heard, Heard::Relays(_)))
            .await;
        let Heard::Relays(sights) = sights else {
            unreachable!("we asked for these")
        };
        let sight = sights
            .iter()
            .find(|sight| sight.address == relay.address().into());
        let sight = sight.unwrap();
        assert_eq!(sight.region, Some("Frankfurt".into()));
        assert!(
            sight.rtt.is_some() && !sight.is_here && sights.len() == 3,
            "{sights:?}"
        );
    })
    .await;
}

#[tokio::test]
async fn a_gateway_measures_a_fleet_that_it_knows_by_one_name_before_its_first_hello() {
    run(async {
        let relay = Relay::start();
        let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let of_fleet = |address: SocketAddr| FleetRelay {
            address: address.to_string(),
            pin: Some(relay.pin()),
            region: None,
        };
        let found = Found {
            relays: vec![
                of_fleet(silent.local_addr().unwrap()),
                of_fleet(relay.address()),
            ],
            ..Found::default()
        };
        let fleet =
            FakeRelay::start(|_| move |message: &PeerMessage| Some(answer(message, found.clone())));
        let begin = Instant::now();
        let mut gateway = Peer::gateway_of_fleet(host(&[(fleet.address(), fleet.pin())]), NIC);
        gateway.is_at(fleet.address()).await;
        // One that is dead is waited for only as long as it may be nearer.
        assert!(begin.elapsed() < Duration::from_secs(3), "{begin:?}");
        let heard = fleet.heard();
        let kinds: Vec<_> = heard.iter().take(2).map(is_hello).collect();
        assert_eq!(kinds, [false, true], "{heard:?}");
        let PeerMessage::Hello(hello) = &heard[1] else {
            unreachable!("the second one is")
        };
        assert!(
            matches!(&hello.near[..], [near] if near.address == relay.address().to_string()),
            "{hello:?}"
        );
    })
    .await;
}

#[tokio::test]
async fn a_relay_that_was_of_a_fleet_and_is_an_old_one_now_is_entered_all_the_same() {
    run(async {
        let old = FakeRelay::start(|_| {
            |message: &PeerMessage| match message {
                PeerMessage::Hello(_) => Some(welcome(None)),
                _ => None,
            }
        });
        let mut gateway = Peer::gateway_of_fleet(host(&[(old.address(), old.pin())]), NIC);
        gateway.is_at(old.address()).await;
        assert!(!gateway.has_heard(|heard| matches!(heard, Heard::NoLink(_))));
    })
    .await;
}

#[tokio::test]
async fn a_player_of_a_fleet_measures_nothing() {
    run(async {
        let other = FakeRelay::start(|_| |_: &PeerMessage| None);
        let found = Found {
            gateway: true,
            relays: vec![FleetRelay {
                address: other.address().to_string(),
                pin: Some(other.pin()),
                region: None,
            }],
            ..Found::default()
        };
        let fleet =
            FakeRelay::start(|_| move |message: &PeerMessage| Some(answer(message, found.clone())));
        let full = FakeRelay::start(|_| |_: &PeerMessage| Some(full()));
        let invite = [(fleet.address(), fleet.pin()), (full.address(), full.pin())];
        let mut player = Peer::client(guest(&invite), mac());
        player.is_at(fleet.address()).await;
        let heard = fleet.heard();
        let is_far = |message: &PeerMessage| matches!(message, PeerMessage::Hello(hello) if hello.near.is_empty());
        assert!(heard.iter().any(is_far), "{heard:?}");
    })
    .await;
}

#[tokio::test]
async fn a_fleet_that_sends_the_party_to_nobody_keeps_it() {
    run(async {
        let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let to = elsewhere(silent.local_addr().unwrap(), Pin::from_sha256([9; 32]));
        let fleet =
            FakeRelay::start(|_| |message: &PeerMessage| Some(answer(message, Found::default())));
        let mut gateway = Peer::gateway(host(&[(fleet.address(), fleet.pin())]), NIC);
        gateway.is_at(fleet.address()).await;
        fleet.say(&RelayMessage::Moved(to.clone())).await;
        let heard = gateway
            .hears(|heard| matches!(heard, Heard::Stays(..)))
            .await;
        let Heard::Stays(relay, why) = heard else {
            unreachable!("we asked for this one")
        };
        assert_eq!(relay, to.address);
        assert!(why.contains("does not answer"), "{why}");
        // What it says next is followed as ever.
        let relay = Relay::start();
        let to = elsewhere(relay.address(), relay.pin());
        fleet.say(&RelayMessage::Moved(to)).await;
        gateway.is_at(relay.address()).await;
        assert!(!gateway.has_heard(|heard| matches!(heard, Heard::NoLink(_))));
    })
    .await;
}

#[tokio::test]
async fn a_host_that_wants_another_relay_of_its_fleet_has_the_fleet_move_the_party() {
    run(async {
        let relay = Relay::start();
        let in_fleet = FleetRelay {
            address: relay.address().to_string(),
            pin: Some(relay.pin()),
            region: None,
        };
        let found = Found {
            relays: vec![in_fleet],
            ..Found::default()
        };
        let fleet = FakeRelay::start(|_| {
            move |message: &PeerMessage| {
                Some(match message {
                    PeerMessage::Find(_) => answer(message, found.clone()),
                    _ => RelayMessage::Welcome(lanparty_ctrl::message::Welcome {
                        capabilities: vec![
                            lanparty_ctrl::ROOM_KEYS.to_owned(),
                            lanparty_ctrl::HOST_KEYS.to_owned(),
                            PLACES.to_owned(),
                        ],
                        fence: Some(7),
                        ..FakeRelay::welcome()
                    }),
                })
            }
        });
        let mut gateway = Peer::gateway_of_fleet(host(&[(fleet.address(), fleet.pin())]), NIC);
        gateway.is_at(fleet.address()).await;
        gateway.prefers(relay.address());
        let order = lanparty_e2e::soon("the order", fleet.is_told()).await;
        let wanted = relay.address().to_string();
        let wanted = HostOrder::Place { relay: wanted };
        assert_eq!(order, Some(PeerMessage::Host(wanted)));
        tokio::time::sleep(Duration::from_secs(1)).await;
        let moved = elsewhere(relay.address(), relay.pin());
        fleet.say(&RelayMessage::Moved(moved)).await;
        gateway.is_at(relay.address()).await;
        assert_eq!(fleet.is_told().await, None, "it has said so once");
    })
    .await;
}

/// A relay with an empty room.
fn answer(message: &PeerMessage, found: Found) -> RelayMessage {
    match message {
        PeerMessage::Find(_) => RelayMessage::Found(Box::new(found)),
        _ => welcome(None),
    }
}

fn full() -> RelayMessage {
    RelayMessage::Reject(Reject {
        reason: RejectReason::RelayFull,
        text: "".into(),
    })
}

/// The terms that a relay was told in hellos, each once: it answers no datagram, so that each link is tried with smaller ones.
fn terms(relay: &FakeRelay, (_, pin): &(SocketAddr, Pin)) -> Vec<Term> {
    let (host, room) = (host_key().id(), ROOM.parse::<RoomCode>().unwrap());
    let heard = relay.heard().into_iter();
    let hellos = heard.filter_map(|message| match message {
        PeerMessage::Hello(hello) => hello.term,
        _ => None,
    });
    let mut terms: Vec<_> = hellos
        .map(|term| term.of(&host, &room, pin).unwrap())
        .collect();
    terms.dedup();
    terms
}

fn is_hello(message: &PeerMessage) -> bool {
    matches!(message, PeerMessage::Hello(_))
}

fn welcome(fence: Option<u64>) -> RelayMessage {
    RelayMessage::Welcome(lanparty_ctrl::message::Welcome {
        fence,
        ..FakeRelay::welcome()
    })
}

fn elsewhere(address: SocketAddr, pin: Pin) -> Elsewhere {
    Elsewhere {
        address: address.to_string(),
        pin: Some(pin),
        fence: None,
    }
}

fn redirect(address: SocketAddr, pin: Pin) -> RelayMessage {
    RelayMessage::Redirect(elsewhere(address, pin))
}

fn config(relays: &[(SocketAddr, Pin)]) -> RelayConfig {
    let mut others = relays.iter().map(|(address, pin)| OtherRelay {
        address: (*address).into(),
        pin: Some(*pin),
    });
    others.next();
    RelayConfig {
        others: others.collect(),
        key: Some(RoomKey::from_random([7; 16])),
        door: None,
        ..lanparty_e2e::config_at(relays[0].0, Trust::pinned(relays[0].1))
    }
}

fn guest(relays: &[(SocketAddr, Pin)]) -> RelayConfig {
    RelayConfig {
        host: Some(host_key().id()),
        ..config(relays)
    }
}

fn host(relays: &[(SocketAddr, Pin)]) -> RelayConfig {
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
