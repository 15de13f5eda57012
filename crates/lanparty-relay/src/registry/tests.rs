use super::*;
use crate::testing::{Outcome, Relay, client, client_mac, frame, said};
use lanparty_ctrl::message::Welcome;
use lanparty_ctrl::{AccessToken, Fingerprint, RelayMessage};
use lanparty_proto::MacAddr;
use lanparty_proto::PeerId;
use std::time::Duration;

fn welcome(admission: &Admission<u8>) -> &Welcome {
    let welcome = admission.steps.iter().find_map(|step| match step {
        Step::Answer(RelayMessage::Welcome(welcome)) => Some(welcome),
        Step::Answer(_) | Step::Tell(..) => None,
    });
    welcome.unwrap()
}

#[test]
fn a_client_is_announced_then_welcomed_then_told_who_is_there() {
    let mut relay = Relay::new();
    relay.gateway(1);
    relay.client(2);
    let third = relay.admit(3, "lanparty", client(3)).unwrap();
    assert_eq!(
        said(&third.steps),
        [
            "→1: client 3 joined",
            "→2: client 3 joined",
            "welcome",
            "gateway 1 joined",
            "client 2 joined",
        ]
    );
    assert_eq!(welcome(&third).gateway, PeerId::new(1));
}

#[test]
fn a_gateway_is_welcomed_then_told_all_clients_then_announced() {
    let mut relay = Relay::new();
    relay.client(1);
    relay.client(2);
    let gateway = relay.admit(3, "lanparty", Newcomer::Gateway).unwrap();
    assert_eq!(
        said(&gateway.steps),
        [
            "welcome",
            "client 1 joined",
            "client 2 joined",
            "→1: gateway 3 joined",
            "→2: gateway 3 joined",
        ]
    );
    assert_eq!(welcome(&gateway).gateway, None);
}

#[test]
fn a_leave_is_told_to_the_others_and_frees_the_mac() {
    let mut relay = Relay::new();
    relay.client(1);
    let second = relay.client(2);
    let departure = relay.leave(second);
    assert_eq!(said(&departure.steps), ["→1: 2 left: Closed"]);
    assert_eq!((departure.link, departure.room_closed), (2, false));
    assert!(relay.registry.leave(second, LeaveReason::Closed).is_none());
    assert!(relay.admit(3, "lanparty", client(2)).is_ok());
}

#[test]
fn a_room_lives_from_its_first_peer_to_its_last() {
    let mut relay = Relay::new();
    let gateway = relay.gateway(1);
    let player = relay.client(2);
    assert!(
        !relay.leave(gateway).room_closed,
        "the gateway's leave keeps the clients"
    );
    assert_eq!(relay.registry.rooms(), 1);
    assert!(relay.leave(player).room_closed);
    assert_eq!(relay.registry.rooms(), 0);
    assert!(relay.registry.names.is_empty() && relay.registry.sources.is_empty());
}

#[test]
fn the_first_peer_decides_the_rooms_mtu() {
    let mut relay = Relay::new();
    relay.budget = 1400;
    let first = relay.admit(1, "lanparty", client(1)).unwrap();
    relay.budget = 1312;
    let second = relay.admit(2, "lanparty", client(2)).unwrap();
    let elsewhere = relay.admit(3, "elsewhere", client(3)).unwrap();
    let mtus = [&first, &second, &elsewhere].map(|admission| welcome(admission).effective_mtu);
    assert_eq!(mtus.map(lanparty_proto::IpMtu::number), [1378, 1378, 1290]);
}

#[test]
fn a_place_is_taken_once_per_room() {
    let mut relay = Relay::new();
    relay.gateway(1);
    relay.client(2);
    let mut refusal = |room: &str, who| relay.admit(3, room, who).err();
    assert_eq!(
        refusal("lanparty", Newcomer::Gateway),
        Some(RejectReason::GatewayPresent)
    );
    assert_eq!(refusal("LANPARTY", client(2)), Some(RejectReason::MacInUse));
    assert_eq!(refusal("elsewhere", client(2)), None);
}

#[test]
fn limits_refuse_the_one_too_many() {
    let limits = Limits {
        rooms: 2,
        peers: 5,
        peers_per_address: 4,
        clients_per_room: 2,
        ..Limits::default()
    };
    let mut relay = Relay::with(limits);
    relay.client(1);
    relay.client(2);
    let refusal = |relay: &mut Relay, room: &str, who| relay.admit(9, room, who).err();
    assert_eq!(
        refusal(&mut relay, "lanparty", client(3)),
        Some(RejectReason::RoomFull)
    );
    relay.gateway(3);
    assert_eq!(refusal(&mut relay, "second", client(1)), None);
    assert_eq!(
        refusal(&mut relay, "second", client(2)),
        Some(RejectReason::RateLimited)
    );
    assert_eq!(
        refusal(&mut relay, "third", client(1)),
        Some(RejectReason::RelayFull)
    );
    relay.source = [192, 0, 2, 2].into();
    assert_eq!(refusal(&mut relay, "second", client(2)), None);
    assert_eq!(
        refusal(&mut relay, "second", Newcomer::Gateway),
        Some(RejectReason::RelayFull)
    );
}

#[test]
fn a_refusal_changes_nothing() {
    let limits = Limits {
        peers_per_address: 1,
        ..Limits::default()
    };
    let mut relay = Relay::with(limits);
    let first = relay.client(1);
    assert!(relay.admit(2, "elsewhere", client(2)).is_err());
    assert_eq!(relay.registry.rooms(), 1);
    assert_eq!(relay.registry.peers().count(), 1);
    relay.leave(first);
    assert!(relay.admit(2, "elsewhere", client(2)).is_ok());
}

#[test]
fn one_ipv6_site_is_one_source() {
    let limits = Limits {
        peers_per_address: 1,
        ..Limits::default()
    };
    let mut relay = Relay::with(limits);
    let mut refusal = |source: &str, link| {
        relay.source = source.parse().unwrap();
        relay.admit(link, "lanparty", client(link)).err()
    };
    assert_eq!(refusal("2001:db8:0:1::1", 1), None);
    assert_eq!(
        refusal("2001:db8:0:1:ffff::2", 2),
        Some(RejectReason::RateLimited)
    );
    assert_eq!(refusal("2001:db8:0:2::1", 3), None);
    assert_eq!(refusal("::ffff:192.0.2.7", 4), None);
    assert_eq!(refusal("192.0.2.7", 5), Some(RejectReason::RateLimited));
}

#[test]
fn the_token_takes_the_old_place_back_at_once() {
    let mut relay = Relay::new();
    relay.client(1);
    let old = relay.admit(2, "lanparty", client(2)).unwrap();
    relay.token = Some(welcome(&old).resume_token.clone());
    let new = relay.admit(3, "lanparty", client(2)).unwrap();
    let replaced = new.replaced.as_ref().unwrap();
    assert_eq!(
        (replaced.link, replaced.peer, replaced.room_closed),
        (2, old.place.peer, false)
    );
    assert_eq!(said(&replaced.steps), ["→1: 2 left: Replaced"]);
    assert_eq!(
        said(&new.steps),
        ["→1: client 3 joined", "welcome", "client 1 joined"]
    );
    assert!(
        relay
            .registry
            .leave(old.place, LeaveReason::TimedOut)
            .is_none()
    );
}

#[test]
fn a_gateway_alone_in_its_room_comes_back_to_the_same_room() {
    let mut relay = Relay::new();
    let old = relay.admit(1, "lanparty", Newcomer::Gateway).unwrap();
    relay.token = Some(welcome(&old).resume_token.clone());
    relay.budget = 1500;
    let new = relay.admit(2, "lanparty", Newcomer::Gateway).unwrap();
    assert_eq!(new.place.room, old.place.room);
    assert_eq!(welcome(&new).effective_mtu, welcome(&old).effective_mtu);
    assert!(!new.replaced.unwrap().room_closed);
}

#[test]
fn a_wrong_token_or_anothers_takes_nothing() {
    let mut relay = Relay::new();
    let first = relay.admit(1, "lanparty", client(1)).unwrap();
    relay.client(2);
    relay.token = Some(ResumeToken::from_random([0xee; 16]));
    let refused = relay.admit(3, "lanparty", client(1)).err();
    assert_eq!(refused, Some(RejectReason::MacInUse));
    relay.token = Some(welcome(&first).resume_token.clone());
    let refused = relay.admit(3, "lanparty", client(2)).err();
    assert_eq!(refused, Some(RejectReason::MacInUse));
    relay.token = Some(welcome(&first).resume_token.clone());
    relay.gateway(4);
    relay.token = Some(welcome(&first).resume_token.clone());
    let refused = relay.admit(5, "lanparty", Newcomer::Gateway).err();
    assert_eq!(refused, Some(RejectReason::GatewayPresent));
}

#[test]
fn a_token_in_the_hands_of_somebody_else_takes_nothing() {
    let mut relay = Relay::new();
    let identity = |number| Some(Fingerprint::from_sha256([number; 32]));
    relay.identity = identity(1);
    let player = relay.admit(1, "lanparty", client(1)).unwrap();
    let gateway = relay.admit(2, "lanparty", Newcomer::Gateway).unwrap();
    for thief in [identity(2), None] {
        relay.identity = thief;
        relay.token = Some(welcome(&player).resume_token.clone());
        let refused = relay.admit(3, "lanparty", client(1)).err();
        assert_eq!(refused, Some(RejectReason::MacInUse));
        relay.token = Some(welcome(&gateway).resume_token.clone());
        let refused = relay.admit(3, "lanparty", Newcomer::Gateway).err();
        assert_eq!(refused, Some(RejectReason::GatewayPresent));
    }
    relay.identity = identity(1);
    relay.token = Some(welcome(&player).resume_token.clone());
    assert!(relay.admit(3, "lanparty", client(1)).is_ok());
}

#[test]
fn a_token_is_good_for_one_link_only() {
    let mut relay = Relay::new();
    let first = relay.admit(1, "lanparty", client(1)).unwrap();
    let stolen = Some(welcome(&first).resume_token.clone());
    relay.token = stolen.clone();
    relay.admit(2, "lanparty", client(1)).unwrap();
    relay.token = stolen.clone();
    let refused = relay.admit(3, "lanparty", client(1)).err();
    assert_eq!(refused, Some(RejectReason::MacInUse));
}

#[test]
fn a_resume_passes_where_every_limit_is_reached() {
    let limits = Limits {
        rooms: 1,
        peers: 1,
        peers_per_address: 1,
        clients_per_room: 1,
        ..Limits::default()
    };
    let mut relay = Relay::with(limits);
    let old = relay.admit(1, "lanparty", client(1)).unwrap();
    relay.token = Some(welcome(&old).resume_token.clone());
    let new = relay.admit(2, "lanparty", client(1)).unwrap();
    relay.token = Some(welcome(&new).resume_token.clone());
    relay.source = [198, 51, 100, 7].into();
    assert!(
        relay.admit(3, "lanparty", client(1)).is_ok(),
        "from another address too"
    );
    assert_eq!(relay.registry.peers().count(), 1);
}

#[test]
fn a_draining_relay_admits_nobody_and_names_everybody() {
    let mut relay = Relay::new();
    relay.gateway(1);
    let player = relay.admit(2, "lanparty", client(2)).unwrap();
    assert_eq!(relay.registry.drain(), [1, 2]);
    relay.token = Some(welcome(&player).resume_token.clone());
    let refused = relay.admit(3, "lanparty", client(2)).err();
    assert_eq!(refused, Some(RejectReason::Draining));
}

#[test]
fn numbers_are_not_given_again_soon() {
    let mut relay = Relay::new();
    let alone = relay.client(1);
    relay.leave(alone);
    let room = relay.client(1).room;
    assert_eq!(room.number(), alone.room.number() + 1);
    let mut relay = Relay::new();
    relay.client(1);
    let second = relay.client(2);
    relay.leave(second);
    assert_eq!(relay.client(2).peer, PeerId::new(3).unwrap());
}

#[test]
fn with_an_access_token_only_gateways_that_have_it_open_rooms() {
    let mut relay = Relay::new();
    let token: AccessToken = "correct-horse-battery".parse().unwrap();
    relay.registry.set_access(Some(token.clone()));
    let early = relay.admit(2, "lanparty", client(2)).err();
    assert_eq!(early, Some(RejectReason::NotOpened));
    for wrong in [None, Some("correct-horse-batterz".parse().unwrap())] {
        relay.access_token = wrong;
        let refused = relay.admit(1, "lanparty", Newcomer::Gateway).err();
        assert_eq!(refused, Some(RejectReason::NoAccess));
    }
    relay.access_token = Some(token);
    let gateway = relay.admit(1, "lanparty", Newcomer::Gateway).unwrap().place;
    relay.access_token = None;
    assert!(relay.admit(2, "lanparty", client(2)).is_ok());
    relay.leave(gateway);
    assert!(
        relay.admit(3, "lanparty", client(3)).is_ok(),
        "the room is open"
    );
    let other = relay.admit(4, "lanparty", Newcomer::Gateway).err();
    assert_eq!(other, Some(RejectReason::NoAccess));
}

#[test]
fn a_gateway_takes_its_place_back_whatever_the_access_token_is_by_now() {
    let mut relay = Relay::new();
    relay
        .registry
        .set_access(Some("the-first-token-of-it".parse().unwrap()));
    relay.access_token = Some("the-first-token-of-it".parse().unwrap());
    let gateway = relay.admit(1, "lanparty", Newcomer::Gateway).unwrap();
    relay
        .registry
        .set_access(Some("the-second-token-of-it".parse().unwrap()));
    // Somebody behind the same router guesses.
    relay.access_token = None;
    let guesses = GuessLimits::default().per_source.burst;
    (0..=guesses).for_each(|_| _ = relay.admit(1, "elsewhere", Newcomer::Gateway));
    relay.token = Some(welcome(&gateway).resume_token.clone());
    assert!(relay.admit(1, "lanparty", Newcomer::Gateway).is_ok());
}

#[test]
fn who_guesses_access_tokens_is_told_so_seldom_and_who_has_it_comes_in() {
    let mut relay = Relay::new();
    let token: AccessToken = "correct-horse-battery".parse().unwrap();
    relay.registry.set_access(Some(token.clone()));
    for _ in 0..GuessLimits::default().per_source.burst {
        let refused = relay.admit(1, "lanparty", Newcomer::Gateway).err();
        assert_eq!(refused, Some(RejectReason::NoAccess));
    }
    let refused = relay.admit(1, "lanparty", Newcomer::Gateway).err();
    assert_eq!(refused, Some(RejectReason::RateLimited));
    relay.access_token = Some(token);
    assert!(relay.admit(1, "lanparty", Newcomer::Gateway).is_ok());
}

#[test]
fn a_gently_draining_relay_plays_on_until_the_last_player_has_left() {
    let mut relay = Relay::new();
    relay.gateway(1);
    let player = relay.admit(2, "lanparty", client(2)).unwrap();
    assert!(!relay.registry.is_drained(relay.now), "it does not drain");
    relay.registry.drain_gently(None);
    let newcomer = relay.admit(3, "lanparty", client(3)).err();
    assert_eq!(newcomer, Some(RejectReason::Draining));
    relay.token = Some(welcome(&player).resume_token.clone());
    let back = relay.admit(2, "lanparty", client(2)).unwrap();
    assert!(!relay.registry.is_drained(relay.now));
    relay.leave(back.place);
    let gateways = relay.registry.peers().count();
    assert_eq!(gateways, 1, "it comes back by itself, and keeps nothing up");
    assert!(relay.registry.is_drained(relay.now));
}

#[test]
fn a_draining_relay_ends_in_time_whoever_is_left() {
    let mut relay = Relay::new();
    relay.client(2);
    let end = relay.now + Duration::from_secs(60);
    relay.takes_pings = false;
    relay.client(3);
    relay.registry.drain_gently(Some(end));
    let (told, notice) = relay.registry.drain_notices(relay.now);
    assert_eq!(
        told,
        [2],
        "an older program would read it as something else"
    );
    let said = notice.to_player().to_string();
    assert!(said.contains("or within two minutes"), "{said}");
    assert!(!relay.registry.is_drained(end - Duration::from_millis(1)));
    assert!(relay.registry.is_drained(end));
    assert_eq!(
        relay.registry.draining(),
        Some(Draining { until: Some(end) })
    );
}

#[test]
fn a_drain_goes_on_in_the_relay_that_takes_the_place() {
    let mut old = Relay::new();
    old.gateway(1);
    old.client(2);
    old.registry
        .drain_gently(Some(old.now + Duration::from_secs(60)));
    let legacy = old.registry.legacy(old.now);
    let sent = serde_json::to_string(&legacy).unwrap();
    let mut new = Relay::new();
    new.registry
        .inherit(new.now, serde_json::from_str(&sent).unwrap());
    let end = new.now + Duration::from_secs(60);
    assert_eq!(new.registry.draining(), Some(Draining { until: Some(end) }));
    assert!(!new.registry.is_drained(new.now), "they are on their way");
    new.gateway(1);
    new.client(2);
    new.now += Duration::from_secs(11);
    let newcomer = new.admit(3, "lanparty", client(3)).err();
    assert_eq!(newcomer, Some(RejectReason::Draining));
    assert!(!new.registry.is_drained(new.now));
    assert!(new.registry.is_drained(end));
}

#[test]
fn a_draining_relay_to_which_nobody_comes_back_ends() {
    let old = Relay::new();
    let mut new = Relay::new();
    new.registry.inherit(new.now, old.registry.legacy(old.now));
    assert_eq!(new.registry.draining(), None, "it did not drain");
    let mut old = old;
    old.registry.drain_gently(None);
    new.registry.inherit(new.now, old.registry.legacy(old.now));
    assert!(!new.registry.is_drained(new.now));
    assert!(new.registry.is_drained(new.now + Duration::from_secs(11)));
}

#[test]
fn draining_is_taken_back_unless_everybody_has_been_told_to_go() {
    let mut relay = Relay::new();
    relay.client(2);
    relay.registry.drain_gently(Some(relay.now));
    assert!(relay.registry.undrain());
    assert!(!relay.registry.is_drained(relay.now) && relay.registry.draining().is_none());
    relay.client(3);
    // The next one has no deadline of the last one's.
    relay.registry.drain_gently(None);
    assert!(!relay.registry.is_drained(relay.now));
    relay.registry.drain();
    assert!(!relay.registry.undrain());
    let newcomer = relay.admit(4, "lanparty", client(4)).err();
    assert_eq!(newcomer, Some(RejectReason::Draining));
}

#[test]
fn the_operator_sees_rooms_and_sends_anybody_out() {
    let mut relay = Relay::new();
    let gateway = relay.gateway(1);
    relay.client(2);
    let elsewhere = relay.admit(3, "elsewhere", client(3)).unwrap().place;
    let seen = relay.registry.summaries().into_iter();
    let seen: Vec<_> = seen
        .map(|room| (room.code.to_string(), room.has_gateway, room.clients))
        .collect();
    let expected = [("LANPARTY", true, 1), ("ELSEWHERE", false, 1)];
    assert_eq!(
        seen,
        expected.map(|(code, gateway, clients)| (code.to_owned(), gateway, clients))
    );
    assert!(!relay.registry.expel(gateway).unwrap().room_closed);
    assert!(relay.registry.expel(elsewhere).unwrap().room_closed);
    assert!(relay.registry.expel(elsewhere).is_none());
}

#[test]
fn new_limits_hold_for_who_is_here_and_who_comes() {
    let mut relay = Relay::new();
    let player = relay.client(1);
    let limits = Limits {
        clients_per_room: 1,
        ..Limits::default()
    };
    let mut rates = Rates::default();
    rates.group.burst = 1;
    let (now, registry) = (relay.now, &mut relay.registry);
    registry.set_limits(now, limits, rates, GuessLimits::default());
    let full = relay.admit(2, "lanparty", client(2)).err();
    assert_eq!(full, Some(RejectReason::RoomFull));
    let shout = frame(MacAddr::BROADCAST, client_mac(1), 60);
    assert_eq!(relay.frame(player, &shout), Outcome::To(Vec::new()));
    let dropped = Outcome::Dropped(DropReason::BroadcastRate);
    assert_eq!(relay.frame(player, &shout), dropped);
}

#[test]
fn a_member_that_flaps_waits_and_costs_nobody_else_a_place() {
    let mut relay = Relay::new();
    relay.identity = Some(Fingerprint::from_sha256([1; 32]));
    let flap = |relay: &mut Relay| {
        let place = relay
            .admit(2, "lanparty", client(2))
            .map(|admission| admission.place);
        place.map(|place| _ = relay.leave(place)).err()
    };
    relay.client(1);
    relay.identity = Some(Fingerprint::from_sha256([2; 32]));
    assert_eq!((0..30).find_map(|_| flap(&mut relay)), None);
    assert_eq!(flap(&mut relay), Some(RejectReason::RateLimited));
    // Another MAC is no other identity.
    let again = relay.admit(3, "lanparty", client(3)).err();
    assert_eq!(again, Some(RejectReason::RateLimited));
    relay.identity = Some(Fingerprint::from_sha256([3; 32]));
    assert!(
        relay.admit(3, "lanparty", client(3)).is_ok(),
        "its neighbour"
    );
    relay.identity = Some(Fingerprint::from_sha256([2; 32]));
    relay.advance(Duration::from_secs(2));
    assert_eq!(flap(&mut relay), None, "one more every two seconds");
    assert_eq!(flap(&mut relay), Some(RejectReason::RateLimited));
    // It is back in time for the next evening, and nothing is remembered.
    relay.advance(Duration::from_secs(60));
    let now = relay.now;
    relay.registry.handle_timeout(now);
    assert_eq!((0..30).find_map(|_| flap(&mut relay)), None);
}

#[test]
fn taking_a_place_back_counts_for_the_member_alone() {
    let limits = Limits {
        joins: JoinLimits {
            per_identity: 100,
            per_address: 2,
        },
        ..Limits::default()
    };
    let mut relay = Relay::with(limits);
    let mut first = relay.admit(1, "lanparty", client(1)).unwrap();
    for _ in 0..99 {
        relay.token = Some(welcome(&first).resume_token.clone());
        first = relay.admit(1, "lanparty", client(1)).unwrap();
    }
    relay.token = Some(welcome(&first).resume_token.clone());
    let refused = relay.admit(1, "lanparty", client(1)).err();
    assert_eq!(refused, Some(RejectReason::RateLimited));
    relay.client(2);
    let refused = relay.admit(3, "lanparty", client(3)).err();
    assert_eq!(refused, Some(RejectReason::RateLimited), "two are new");
}

#[test]
fn a_host_comes_in_as_often_as_it_likes() {
    let mut relay = Relay::new();
    for _ in 0..300 {
        let place = relay.invited(1, Newcomer::Gateway, 7, Some(1)).unwrap();
        relay.leave(place);
    }
    let opened = (0..300).map_while(|_| {
        let place = relay.admit(1, "elsewhere", Newcomer::Gateway).ok()?.place;
        Some(relay.leave(place))
    });
    assert_eq!(
        opened.count(),
        30,
        "nobody has proved to be that one's host"
    );
}

#[test]
fn a_party_behind_one_address_comes_back_at_once_after_a_lost_relay() {
    let limits = Limits {
        peers_per_address: 64,
        ..Limits::default()
    };
    for _ in 0..5 {
        let mut relay = Relay::with(limits);
        relay.gateway(0);
        (1..64).for_each(|number| _ = relay.client(number));
    }
    // The relay stays, and all lose their links without a goodbye that it understands.
    let mut relay = Relay::with(limits);
    for _ in 0..3 {
        let places: Vec<_> = (1..64).map(|number| relay.client(number)).collect();
        places.into_iter().for_each(|place| _ = relay.leave(place));
    }
}

#[test]
fn a_stranger_fills_no_relay_with_rooms_from_a_few_addresses() {
    let mut relay = Relay::new();
    let open = |relay: &mut Relay, room: usize| {
        let code = format!("room-{room}");
        relay
            .admit(1, &code, client(1))
            .map(|admission| admission.place)
    };
    let mut rooms = Vec::new();
    for address in 1..=8 {
        relay.source = [198, 51, 100, address].into();
        let opened = (0..32).map(|room| open(&mut relay, usize::from(address) * 100 + room));
        rooms.extend(opened.flatten());
    }
    assert_eq!(rooms.len(), 64, "of 256");
    relay.source = [203, 0, 113, 1].into();
    assert!(open(&mut relay, 0).is_ok());
    // One site with as many networks as it likes.
    let subnets = 0..256_u16;
    let opened = subnets.filter(|&subnet| {
        relay.source = [0x2001, 0xdb8, 1, subnet, 0, 0, 0, 1].into();
        open(&mut relay, 10_000 + usize::from(subnet)).is_ok()
    });
    assert_eq!(opened.count(), 32);
    // A room that goes makes place for another one.
    relay.source = [198, 51, 100, 1].into();
    assert_eq!(open(&mut relay, 1).err(), Some(RejectReason::RateLimited));
    relay.leave(rooms[0]);
    assert!(open(&mut relay, 1).is_ok());
}
