use super::*;
use crate::testing::Outcome::{Dropped, To};
use crate::testing::{Relay, admission_key, client, client_mac, frame, lan_mac};
use lanparty_ctrl::host_key::Introduction;
use lanparty_ctrl::message::{NewKey, Newcomer};
use lanparty_ctrl::new_key::Recipient;
use lanparty_ctrl::orders::{MemberReport, Members, Person};
use lanparty_ctrl::{Challenge, Fingerprint, HostSecret, RejectReason, RelayMessage, RoomKey};
use lanparty_obs::{DropReason, PeerStats};
use lanparty_proto::{MacAddr, VirtualMac};
use std::time::Duration;

/// A gateway on link 1 and players on links 2 to 4.
fn party() -> (Relay, Seat, [Seat; 3]) {
    let mut relay = Relay::new();
    let gateway = relay.gateway(1);
    let players = [2, 3, 4].map(|link| relay.client(link));
    (relay, gateway, players)
}

fn order(relay: &mut Relay, from: Seat, order: HostOrder) -> Obeyed<u8> {
    let now = relay.now;
    relay.registry.handle_order(now, from, order).unwrap()
}

fn members(relay: &mut Relay, host: Seat) -> Vec<Members> {
    let steps = order(relay, host, HostOrder::Members).steps;
    let answers = steps.into_iter().map(|step| match step {
        Step::Answer(RelayMessage::Members(members)) => *members,
        other => panic!("{other:?}"),
    });
    answers.collect()
}

const UNLOCK: HostOrder = HostOrder::Lock {
    locked: false,
    also: Vec::new(),
};

fn lock(also: &[u8]) -> HostOrder {
    let also = also.iter().filter_map(|&link| client(link).mac());
    HostOrder::Lock {
        locked: true,
        also: also.collect(),
    }
}

fn refused(relay: &mut Relay, link: u8) -> Option<RejectReason> {
    relay.admit(link, "lanparty", client(link)).err()
}

#[test]
fn only_the_rooms_gateway_gives_orders() {
    let (mut relay, gateway, [two, three, _]) = party();
    let other_host = relay.admit(9, "another", Newcomer::Gateway).unwrap().place;
    relay.leave(gateway);
    for from in [two, gateway] {
        let kick = HostOrder::Kick {
            peer_id: three.peer,
        };
        let refused = relay.registry.handle_order(relay.now, from, kick);
        assert_eq!(refused.unwrap_err(), NotTheHost);
    }
    let peer_id = two.peer;
    let kick = order(&mut relay, other_host, HostOrder::Kick { peer_id });
    assert!(kick.kicked.is_empty(), "it has its own room");
    assert_eq!(relay.registry.peers().count(), 4);
}

#[test]
fn who_is_kicked_is_out_at_once_and_everybody_hears_it() {
    let (mut relay, gateway, [two, ..]) = party();
    let peer_id = two.peer;
    let kicked = order(&mut relay, gateway, HostOrder::Kick { peer_id }).kicked;
    let [departure] = &kicked[..] else {
        panic!("{kicked:?}")
    };
    assert_eq!((departure.link, departure.room_closed), (2, false));
    let told = departure.steps.iter().map(|step| match step {
        Step::Tell(link, RelayMessage::PeerLeft(left)) => (*link, left.reason),
        other => panic!("{other:?}"),
    });
    let told: Vec<_> = told.collect();
    assert_eq!(told, [1, 3, 4].map(|link| (link, LeaveReason::Kicked)));
    let late = frame(client_mac(3), client_mac(2), 60);
    assert_eq!(relay.frame(two, &late), Dropped(DropReason::LinkDown));
    for nobody in [gateway.peer, peer_id] {
        let order = order(&mut relay, gateway, HostOrder::Kick { peer_id: nobody });
        assert!(order.kicked.is_empty());
    }
}

#[test]
fn a_locked_room_takes_back_its_own_and_nobody_else() {
    let (mut relay, gateway, [two, three, _]) = party();
    order(&mut relay, gateway, lock(&[]));
    assert_eq!(refused(&mut relay, 5), Some(RejectReason::Locked));
    relay.leave(two);
    assert_eq!(refused(&mut relay, 2), None, "it only lost its link");
    let peer_id = three.peer;
    order(&mut relay, gateway, HostOrder::Kick { peer_id });
    assert_eq!(refused(&mut relay, 3), Some(RejectReason::Locked));
    relay.leave(gateway);
    assert_eq!(refused(&mut relay, 5), Some(RejectReason::Locked));
    let gateway = relay.gateway(1);
    order(&mut relay, gateway, lock(&[6]));
    assert_eq!(refused(&mut relay, 6), None, "it is on its way back");
    assert_eq!(refused(&mut relay, 5), Some(RejectReason::Locked));
    order(&mut relay, gateway, UNLOCK);
    assert_eq!(refused(&mut relay, 5), None);
}

#[test]
fn a_banned_player_is_out_and_stays_out_with_another_mac() {
    let mut relay = Relay::new();
    let gateway = relay.gateway(1);
    let [bad, good] = [2, 3].map(|number| Fingerprint::from_sha256([number; 32]));
    for (link, identity) in [(2, Some(bad)), (3, Some(good)), (4, None)] {
        relay.identity = identity;
        relay.client(link);
    }
    let Newcomer::Client(nameless) = client(4) else {
        unreachable!("it is a client")
    };
    let ban = |banned: &[Person]| HostOrder::Ban {
        banned: banned.to_vec(),
    };
    let both = [Person::Identity(bad), Person::Mac(nameless)];
    let kicked = order(&mut relay, gateway, ban(&both)).kicked;
    let links: Vec<_> = kicked.iter().map(|departure| departure.link).collect();
    assert_eq!(links, [2, 4]);
    for (link, identity) in [(2, Some(bad)), (9, Some(bad)), (4, None), (4, Some(good))] {
        relay.identity = identity;
        assert_eq!(refused(&mut relay, link), Some(RejectReason::Banned));
    }
    relay.leave(gateway);
    relay.identity = Some(bad);
    let as_host = relay.admit(9, "lanparty", Newcomer::Gateway).err();
    assert_eq!(as_host, Some(RejectReason::Banned));
    relay.identity = None;
    let gateway = relay.gateway(1);
    order(&mut relay, gateway, ban(&[]));
    relay.identity = Some(bad);
    assert_eq!(refused(&mut relay, 2), None);
}

#[test]
fn what_a_host_wanted_before_holds_from_its_welcome_on() {
    let mut relay = Relay::new();
    let bad = Fingerprint::from_sha256([2; 32]);
    relay.client(3);
    relay.identity = Some(bad);
    let before = relay.client(2);
    relay.identity = None;
    let kick = HostOrder::Kick {
        peer_id: before.peer,
    };
    let banned = vec![Person::Identity(bad)];
    relay.orders = vec![lock(&[6]), kick, HostOrder::Ban { banned }];
    let host = relay.admit(1, "lanparty", Newcomer::Gateway).unwrap();
    let links: Vec<_> = host.kicked.iter().map(|departure| departure.link).collect();
    assert_eq!(links, [2]);
    assert_eq!(refused(&mut relay, 6), None, "it is a guest");
    assert_eq!(refused(&mut relay, 5), Some(RejectReason::Locked));
}

#[test]
fn a_host_who_comes_back_takes_back_what_another_gateway_wanted() {
    let mut relay = Relay::new();
    let [impostor, _] = [relay.gateway(1), relay.client(2)];
    let banned = client(5).mac().map(Person::Mac).into_iter().collect();
    for wanted in [lock(&[]), HostOrder::Ban { banned }] {
        order(&mut relay, impostor, wanted);
    }
    relay.leave(impostor);
    assert_eq!(refused(&mut relay, 5), Some(RejectReason::Banned));
    let banned = Vec::new();
    relay.orders = vec![UNLOCK, HostOrder::Ban { banned }];
    relay.gateway(1);
    assert_eq!(refused(&mut relay, 5), None);
}

#[test]
fn only_the_host_learns_by_whose_key_somebody_came() {
    let mut relay = Relay::new();
    let identity = Some(Fingerprint::from_sha256([2; 32]));
    relay.gateway(1);
    relay.client(3);
    relay.identity = identity;
    let admission = relay.admit(2, "lanparty", client(2)).unwrap();
    let told = admission.steps.iter().filter_map(|step| match step {
        Step::Tell(link, RelayMessage::PeerJoined(joined)) => Some((*link, joined.identity)),
        Step::Tell(..) | Step::Answer(_) => None,
    });
    let told: Vec<_> = told.collect();
    assert_eq!(told, [(1, identity), (3, None)]);
}

#[test]
fn a_muted_player_talks_to_one_but_not_to_all() {
    let (mut relay, gateway, [two, ..]) = party();
    let (to_all, to_three) = (
        frame(MacAddr::BROADCAST, client_mac(2), 60),
        frame(client_mac(3), client_mac(2), 60),
    );
    let mute = |muted| HostOrder::Mute {
        peer_id: two.peer,
        muted,
    };
    order(&mut relay, gateway, mute(true));
    assert_eq!(relay.frame(two, &to_all), Dropped(DropReason::Muted));
    assert_eq!(relay.frame(two, &to_three), To(vec![3]));
    order(&mut relay, gateway, mute(false));
    assert_eq!(relay.frame(two, &to_all), To(vec![1, 3, 4]));
    let muted = HostOrder::Mute {
        peer_id: gateway.peer,
        muted: true,
    };
    order(&mut relay, gateway, muted);
    let from_lan = frame(MacAddr::BROADCAST, lan_mac(9), 60);
    assert_eq!(relay.frame(gateway, &from_lan), To(vec![2, 3, 4]));
}

#[test]
fn isolated_players_have_the_lan_and_not_each_other() {
    let (mut relay, gateway, [two, ..]) = party();
    let isolate = |isolated| HostOrder::Isolate { isolated };
    let to_three = frame(client_mac(3), client_mac(2), 60);
    order(&mut relay, gateway, isolate(true));
    assert_eq!(relay.frame(two, &to_three), Dropped(DropReason::Isolated));
    let to_all = frame(MacAddr::BROADCAST, client_mac(2), 60);
    assert_eq!(relay.frame(two, &to_all), To(vec![1]));
    let to_lan = frame(lan_mac(9), client_mac(2), 60);
    assert_eq!(relay.frame(two, &to_lan), To(vec![1]));
    let from_lan = frame(MacAddr::BROADCAST, lan_mac(9), 60);
    assert_eq!(relay.frame(gateway, &from_lan), To(vec![2, 3, 4]));
    order(&mut relay, gateway, isolate(false));
    assert_eq!(relay.frame(two, &to_three), To(vec![3]));
}

fn vouched(about: Seat) -> Vouched {
    let host = HostSecret::from_random([1; 32]).host_key(&"lanparty".parse().unwrap());
    Vouched {
        peer_id: about.peer,
        vouch: host.vouch(&Introduction {
            challenge: Challenge::from_random([3; 32]),
            client: VirtualMac::from_random([2, 0, 0, 0, 0, 2]),
            gateway: PeerId::new(1).unwrap(),
            room_id: about.room,
            room: &"lanparty".parse().unwrap(),
        }),
    }
}

fn challenges(steps: &[Step<u8>]) -> Vec<(Option<u8>, Option<Challenge>)> {
    let told = steps.iter().filter_map(|step| match step {
        Step::Answer(RelayMessage::PeerJoined(joined)) => Some((None, joined.host_challenge)),
        Step::Tell(link, RelayMessage::PeerJoined(joined)) => {
            Some((Some(*link), joined.host_challenge))
        }
        Step::Answer(_) | Step::Tell(..) => None,
    });
    told.collect()
}

#[test]
fn a_players_challenge_is_told_to_each_gateway_and_to_nobody_else() {
    let mut relay = Relay::new();
    let host = relay.gateway(1);
    relay.client(2);
    let challenge = Some(Challenge::from_random([3; 32]));
    relay.host_challenge = challenge;
    let player = relay.admit(3, "lanparty", client(3)).unwrap();
    let told = challenges(&player.steps);
    let expected = [
        (Some(1), challenge),
        (Some(2), None),
        (None, None),
        (None, None),
    ];
    assert_eq!(told, expected);
    relay.leave(host);
    let host = relay.admit(4, "lanparty", Newcomer::Gateway).unwrap();
    let told = challenges(&host.steps);
    let expected = [
        (None, None),
        (None, challenge),
        (Some(2), None),
        (Some(3), None),
    ];
    assert_eq!(told, expected);
}

#[test]
fn a_gateways_answer_goes_to_the_player_who_asked_once_and_names_the_gateway() {
    let mut relay = Relay::new();
    let host = relay.gateway(1);
    let silent = relay.client(2);
    relay.host_challenge = Some(Challenge::from_random([3; 32]));
    let player = relay.client(3);
    let mut say = |from, about| relay.registry.handle_vouch(from, vouched(about));
    let told = RelayMessage::Vouched(Vouched {
        peer_id: host.peer,
        ..vouched(player)
    });
    assert_eq!(say(host, player), Ok(Some(Step::Tell(3, told))));
    assert_eq!(say(host, player), Ok(None), "it has been told");
    assert_eq!(say(host, silent), Ok(None), "it has asked nothing");
    assert_eq!(say(host, host), Ok(None));
    assert_eq!(say(silent, player), Err(NotTheHost));
    relay.leave(host);
    let next = relay.gateway(4);
    let told = relay.registry.handle_vouch(next, vouched(player)).unwrap();
    assert!(told.is_some(), "another gateway has to answer as well");
    let elsewhere = relay.admit(5, "another", Newcomer::Gateway).unwrap().place;
    let told = relay.registry.handle_vouch(elsewhere, vouched(player));
    assert_eq!(told, Ok(None), "it has its own room");
}

#[test]
fn a_new_key_goes_from_the_gateway_to_the_player_it_is_for_and_to_nobody_who_takes_none() {
    let mut relay = Relay::new();
    let old = relay.client(2);
    relay.takes_new_keys = true;
    let host = relay.gateway(1);
    let player = relay.client(3);
    let room = "lanparty".parse().unwrap();
    let key = |about: Seat| {
        let to = Recipient {
            challenge: Challenge::from_random([3; 32]),
            client: VirtualMac::from_random([2, 0, 0, 0, 0, 3]),
            room: &room,
        };
        let keys = [1, 2].map(|byte| RoomKey::from_random([byte; 16]));
        let host = HostSecret::from_random([1; 32]).host_key(&room);
        NewKey::seal((&keys[0], &keys[1]), &host, (about.peer, &to), [7; 12])
    };
    let say = |from, about| relay.registry.handle_new_key(from, key(about));
    let told = RelayMessage::NewKey(NewKey {
        peer_id: host.peer,
        ..key(player)
    });
    assert_eq!(say(host, player), Ok(Some(Step::Tell(3, told))));
    assert_eq!(
        say(host, old),
        Ok(None),
        "its program knows no such message"
    );
    assert_eq!(say(host, host), Ok(None), "a gateway is no player");
    assert_eq!(say(player, player), Err(NotTheHost));
    assert_eq!(say(old, player), Err(NotTheHost));
    relay.leave(player);
    let gone = relay.registry.handle_new_key(host, key(player));
    assert_eq!(gone, Ok(None), "who is out gets none");
    let elsewhere = relay.admit(5, "another", Newcomer::Gateway).unwrap().place;
    let told = relay.registry.handle_new_key(elsewhere, key(old));
    assert_eq!(told, Ok(None), "it has its own room");
}

#[test]
fn an_open_room_stays_open() {
    let (mut relay, gateway, _) = party();
    let admission_key = admission_key(8);
    order(&mut relay, gateway, HostOrder::Rotate { admission_key });
    assert_eq!(refused(&mut relay, 5), None);
}

#[test]
fn the_host_is_told_of_its_members() {
    let (mut relay, gateway, [two, ..]) = party();
    let mut stats = PeerStats::default();
    relay
        .registry
        .handle_stats(relay.now, two, stats.clone(), Default::default());
    relay.advance(Duration::from_secs(5));
    stats.bytes_to_relay = 5000;
    let health = crate::room::LinkHealth {
        stats: None,
        rtt: Some(Duration::from_millis(20)),
        loss_permille: Some(3),
    };
    relay.registry.handle_stats(relay.now, two, stats, health);
    let mut claim = frame(MacAddr::BROADCAST, client_mac(2), 60);
    claim[12..22].copy_from_slice(&[8, 6, 0, 1, 8, 0, 6, 4, 0, 1]);
    claim[22..28].copy_from_slice(&client_mac(2).octets());
    claim[28..32].copy_from_slice(&[10, 0, 0, 2]);
    relay.frame(two, &claim);
    let peer_id = two.peer;
    let muted = true;
    order(&mut relay, gateway, HostOrder::Mute { peer_id, muted });
    let [answer] = &members(&mut relay, gateway)[..] else {
        panic!("one message is enough");
    };
    assert!(answer.last && !answer.locked && !answer.isolated);
    assert_eq!(answer.members.len(), 3, "the clients");
    let expected = MemberReport {
        peer_id,
        addresses: vec![[10, 0, 0, 2].into()],
        seconds: 5,
        rtt_us: Some(20_000),
        loss_permille: Some(3),
        sends: Some(1000),
        receives: Some(0),
        dropped: 0,
        drops: Default::default(),
        muted,
    };
    assert_eq!(answer.members[0], expected);
}

#[test]
fn an_empty_room_has_an_answer_too() {
    let mut relay = Relay::new();
    let gateway = relay.gateway(1);
    order(&mut relay, gateway, lock(&[]));
    let [answer] = &members(&mut relay, gateway)[..] else {
        panic!("one message is enough");
    };
    assert!(answer.members.is_empty() && answer.last && answer.locked);
}
