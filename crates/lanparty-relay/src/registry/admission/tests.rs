use crate::registry::claims::LINGER;
use crate::registry::{GuessLimits, Limits, Registry, Seat};
use crate::room::Rates;
use crate::testing::{Relay, admission_key, client, host_id, said};
use lanparty_ctrl::message::{Invitation, Newcomer};
use lanparty_ctrl::orders::Person;
use lanparty_ctrl::{
    AccessToken, ChannelBinding, Fingerprint, HostOrder, LeaveReason, RejectReason, ResumeToken,
};
use std::time::Duration;

const GATEWAY: Newcomer = Newcomer::Gateway;
const REFUSED: Result<(), RejectReason> = Err(RejectReason::NotAuthorised);
const CLAIMED: Result<(), RejectReason> = Err(RejectReason::CodeClaimed);
/// Whose key it is.
const HOST: Option<u8> = Some(1);
const GUEST: Option<u8> = Some(2);
/// The room's key, which all guests have.
const KEY: u8 = 7;

/// A host, and a player whose invite names it.
fn party() -> (Relay, Seat, Seat) {
    let mut relay = Relay::new();
    let host = relay.invited(1, GATEWAY, KEY, HOST).unwrap();
    let player = relay.invited(2, client(2), KEY, HOST).unwrap();
    assert_eq!(host.room, player.room);
    (relay, host, player)
}

fn open(relay: &mut Relay, link: u8, who: Newcomer) -> Result<Seat, RejectReason> {
    Ok(relay.admit(link, "lanparty", who)?.place)
}

fn pass(relay: &mut Relay, time: Duration) {
    relay.now += time;
    let now = relay.now;
    relay.registry.handle_timeout(now);
}

fn order(relay: &mut Relay, from: Seat, order: HostOrder) {
    let now = relay.now;
    relay.registry.handle_order(now, from, order).unwrap();
}

fn rotate(relay: &mut Relay, host: Seat, key: u8) {
    let admission_key = admission_key(key);
    order(relay, host, HostOrder::Rotate { admission_key });
}

// Who is the host.

#[test]
fn a_guest_who_waits_as_gateway_while_the_hosts_cable_is_out_never_is_one() {
    let (mut relay, host, player) = party();
    let waits = |relay: &mut Relay| relay.invited(3, GATEWAY, KEY, None).map(drop);
    assert_eq!(waits(&mut relay), Err(RejectReason::NotHost));
    relay.leave(host);
    pass(&mut relay, Duration::from_secs(5));
    assert_eq!(waits(&mut relay), Err(RejectReason::NotHost));
    let back = relay.invited(4, GATEWAY, KEY, HOST).unwrap();
    assert_eq!(back.room, player.room);
    assert_eq!(waits(&mut relay), Err(RejectReason::NotHost));
}

#[test]
fn a_guest_with_a_host_key_of_its_own_has_a_room_of_its_own_where_nobody_is() {
    let (mut relay, host, player) = party();
    relay.leave(host);
    let guest = relay.invited(3, GATEWAY, KEY, GUEST).unwrap();
    assert_ne!(guest.room, player.room);
    for (link, host) in [(4, HOST), (5, None)] {
        let newcomer = relay.invited(link, client(link), KEY, host).unwrap();
        assert_eq!(newcomer.room, player.room, "an invite of {host:?}");
    }
    let kick = HostOrder::Kick {
        peer_id: player.peer,
    };
    order(&mut relay, guest, kick);
    assert!(relay.registry.peer(player).is_some());
    rotate(&mut relay, guest, 8);
    let back = relay.invited(6, GATEWAY, KEY, HOST).unwrap();
    assert_eq!(back.room, player.room);
}

#[test]
fn the_host_takes_its_place_from_its_own_ghost_without_a_token() {
    let (mut relay, host, player) = party();
    let again = relay.invited_to("lanparty", 3, GATEWAY, KEY, HOST).unwrap();
    assert_eq!(again.place.room, player.room);
    let ghost = again.replaced.unwrap();
    assert_eq!(
        (ghost.peer, ghost.link, ghost.room_closed),
        (host.peer, 1, false)
    );
    assert_eq!(said(&ghost.steps), ["→2: 1 left: Replaced"]);
}

#[test]
fn of_two_gateways_with_one_key_the_replaced_one_comes_back_when_the_other_is_gone() {
    let (mut relay, _, player) = party();
    let second = relay.invited(3, GATEWAY, KEY, HOST).unwrap();
    relay.yields = true;
    let yields = |relay: &mut Relay| relay.invited(1, GATEWAY, KEY, HOST);
    let present = Err(RejectReason::GatewayPresent);
    assert_eq!(yields(&mut relay).map(drop), present);
    assert!(relay.registry.peer(second).is_some());
    relay.leave(second);
    assert_eq!(yields(&mut relay).unwrap().room, player.room);
}

#[test]
fn a_rebuilt_box_is_the_host_whatever_its_identity_and_address_are() {
    let mut relay = Relay::new();
    relay.identity = Some(Fingerprint::from_sha256([1; 32]));
    let host = relay.invited(1, GATEWAY, KEY, HOST).unwrap();
    relay.identity = Some(Fingerprint::from_sha256([2; 32]));
    relay.source = [198, 51, 100, 7].into();
    relay.token = Some(ResumeToken::from_random([0xee; 16]));
    let rebuilt = relay.invited(2, GATEWAY, KEY, HOST).unwrap();
    assert_eq!(rebuilt.room, host.room);
}

#[test]
fn ten_minutes_away_the_host_has_lost_nothing_to_whoever_came_meanwhile() {
    let (mut relay, host, player) = party();
    relay.leave(host);
    pass(&mut relay, Duration::ZERO);
    pass(&mut relay, LINGER);
    let squatter = relay.invited(3, GATEWAY, KEY, GUEST).unwrap();
    let back = relay.invited(4, GATEWAY, KEY, HOST).unwrap();
    assert_eq!(back.room, player.room);
    assert_ne!(squatter.room, player.room);
    let newcomer = relay.invited(5, client(5), KEY, HOST).unwrap();
    assert_eq!(newcomer.room, back.room);
}

#[test]
fn after_a_relays_restart_who_comes_first_takes_nothing_from_the_host() {
    let mut relay = Relay::new();
    let stranger = relay.invited(1, GATEWAY, 9, Some(9)).unwrap();
    let guest = relay.invited(2, GATEWAY, KEY, GUEST).unwrap();
    let open_gateway = open(&mut relay, 3, GATEWAY).map(drop);
    assert_eq!(open_gateway, CLAIMED);
    let host = relay.invited(4, GATEWAY, KEY, HOST).unwrap();
    let player = relay.invited(5, client(5), KEY, HOST).unwrap();
    assert_eq!(player.room, host.room);
    assert!(![stranger.room, guest.room].contains(&host.room));
}

/// What an invite without `host=` can hold: it leads to whoever has the key and came first.
#[test]
fn an_invite_that_names_no_host_leads_to_the_oldest_claim_with_its_key() {
    let mut relay = Relay::new();
    let [other, first, _] = [(9, 9), (KEY, 1), (KEY, 2)].map(|(key, host)| {
        let place = relay.invited(host, GATEWAY, key, Some(host));
        place.unwrap().room
    });
    assert_eq!(relay.invited(4, client(4), KEY, None).unwrap().room, first);
    assert_eq!(relay.invited(5, client(5), 9, None).unwrap().room, other);
    let nobodys = relay.invited(6, client(6), KEY, Some(5)).map(drop);
    assert_eq!(nobodys, REFUSED, "whose invite names a host finds no other");
    let wrong = relay.invited(6, client(6), 9, HOST).map(drop);
    assert_eq!(wrong, REFUSED);
}

#[test]
fn among_very_many_claims_the_oldest_are_looked_at_and_a_named_host_is_found() {
    let mut relay = Relay::new();
    for number in 1..=9 {
        relay.source = [192, 0, 2, number].into();
        relay
            .invited(number, GATEWAY, number, Some(number))
            .unwrap();
    }
    assert!(relay.invited(20, client(20), 8, None).is_ok());
    assert_eq!(relay.invited(21, client(21), 9, None).map(drop), REFUSED);
    assert!(relay.invited(21, client(21), 9, Some(9)).is_ok());
}

// Which key.

#[test]
fn after_a_rotation_the_old_key_opens_nothing_and_who_is_in_stays() {
    let (mut relay, host, player) = party();
    rotate(&mut relay, host, 8);
    for named in [HOST, None] {
        assert_eq!(relay.invited(3, client(3), KEY, named).map(drop), REFUSED);
    }
    let newcomer = relay.invited(3, client(3), 8, HOST).unwrap();
    assert_eq!((newcomer.room, player.room), (host.room, host.room));
    for (named, token) in [(HOST, 2), (None, 6)] {
        relay.token = Some(ResumeToken::from_random([token; 16]));
        let back = relay.invited(4, client(2), KEY, named).unwrap();
        assert_eq!(back.room, host.room, "who is in takes its place back");
    }
    relay.token = Some(ResumeToken::from_random([9; 16]));
    assert_eq!(relay.invited(6, client(2), KEY, HOST).map(drop), REFUSED);
}

/// It may have missed that it ordered a rotation, or the relay may have.
#[test]
fn the_host_comes_back_with_whatever_key_it_has_and_that_is_the_rooms() {
    let (mut relay, host, _) = party();
    rotate(&mut relay, host, 8);
    relay.leave(host);
    let back = relay.invited(3, GATEWAY, 9, HOST).unwrap();
    assert_eq!(back.room, host.room);
    assert_eq!(relay.invited(4, client(4), 8, HOST).map(drop), REFUSED);
    assert!(relay.invited(4, client(4), 9, HOST).is_ok());
}

#[test]
fn a_relay_for_one_room_has_no_other_and_keeps_it_under_a_new_key() {
    let mut relay = Relay::new();
    let any = Registry::new(Limits::default(), Rates::default());
    relay.registry = any.only("lanparty".parse().unwrap(), host_id(1));
    assert_eq!(relay.invited(1, GATEWAY, KEY, GUEST).map(drop), REFUSED);
    assert_eq!(open(&mut relay, 1, GATEWAY).map(drop), REFUSED);
    assert_eq!(relay.admit(1, "monday", client(1)).map(drop), REFUSED);
    let elsewhere = relay.invited_to("monday", 1, GATEWAY, KEY, HOST).map(drop);
    assert_eq!(elsewhere, REFUSED);
    assert_eq!(relay.registry.rooms(), 0);
    let host = relay.invited(1, GATEWAY, KEY, HOST).unwrap();
    relay.invited(2, client(2), KEY, None).unwrap();
    rotate(&mut relay, host, 8);
    assert_eq!(relay.invited(3, client(3), KEY, HOST).map(drop), REFUSED);
    relay.invited(3, client(3), 8, HOST).unwrap();
    let again = relay.invited(4, GATEWAY, 8, HOST).unwrap();
    assert_eq!(again.room, host.room, "its own gateway above all");
}

#[test]
fn who_has_the_rooms_key_comes_in_and_nobody_else() {
    let (mut relay, ..) = party();
    assert_eq!(relay.invited(3, client(3), 8, None).map(drop), REFUSED);
    assert_eq!(open(&mut relay, 3, client(3)).map(drop), REFUSED, "no key");
    assert_eq!(open(&mut relay, 3, GATEWAY).map(drop), CLAIMED);
}

#[test]
fn a_room_that_is_not_there_and_a_wrong_key_are_one_answer() {
    let mut relay = Relay::with(Limits {
        rooms: 1,
        ..Limits::default()
    });
    for host in [HOST, None] {
        assert_eq!(relay.invited(1, client(1), KEY, host).map(drop), REFUSED);
    }
    relay.admit(2, "another", client(2)).unwrap();
    for host in [HOST, None] {
        let refused = relay.invited(1, client(1), KEY, host).map(drop);
        assert_eq!(refused, REFUSED, "full as it is");
    }
}

#[test]
fn a_hello_replayed_on_another_connection_is_refused() {
    let (mut relay, ..) = party();
    let (key, recorded) = (admission_key(KEY), ChannelBinding([2; 32]));
    let room = "lanparty".parse().unwrap();
    for (link, who) in [(3, client(2)), (2, client(3))] {
        relay.invitation = Some(Invitation {
            proof: key.prove(&recorded, &room, client(2)),
            channel: ChannelBinding([link; 32]),
            host: Some(host_id(1)),
            admission_key: None,
        });
        assert_eq!(open(&mut relay, link, who).map(drop), REFUSED);
    }
}

#[test]
fn who_was_wrong_too_often_is_told_to_wait_and_who_is_invited_comes_in() {
    let (mut relay, ..) = party();
    for _ in 0..128 {
        assert_eq!(relay.invited(3, client(3), 8, None).map(drop), REFUSED);
    }
    let waits = Err(RejectReason::RateLimited);
    assert_eq!(relay.invited(3, client(3), 8, None).map(drop), waits);
    assert_eq!(open(&mut relay, 3, client(3)).map(drop), waits);
    assert_eq!(relay.invited(3, GATEWAY, KEY, None).map(drop), waits);
    relay
        .invited(4, client(4), KEY, HOST)
        .expect("a member behind the same address");
    relay.invited(5, GATEWAY, KEY, HOST).expect("and the host");
    pass(&mut relay, Duration::from_secs(1));
    assert_eq!(relay.invited(3, client(3), 8, None).map(drop), REFUSED);
}

#[test]
fn many_strangers_who_guess_at_a_room_keep_none_of_its_members_out() {
    let (mut relay, ..) = party();
    let mut outcomes = Vec::new();
    for number in 0..1000u16 {
        let [high, low] = number.to_be_bytes();
        relay.source = [10, 0, high, low].into();
        outcomes.push(relay.invited(3, client(3), 8, None).unwrap_err());
    }
    let refused = outcomes.iter();
    let refused = refused.filter(|reason| **reason == RejectReason::NotAuthorised);
    assert_eq!(refused.count(), 512);
    assert_eq!(outcomes.last(), Some(&RejectReason::RateLimited));
    relay.invited(4, client(4), KEY, HOST).unwrap();
}

// How long.

#[test]
fn a_claim_lasts_ten_minutes_longer_than_its_gateway() {
    let (mut relay, host, player) = party();
    pass(&mut relay, 10 * LINGER);
    relay.leave(host);
    relay.leave(player);
    pass(&mut relay, Duration::from_secs(1));
    pass(&mut relay, LINGER - Duration::from_secs(1));
    assert_eq!(open(&mut relay, 2, client(2)).map(drop), REFUSED);
    relay.invited(3, client(3), KEY, HOST).unwrap();
    relay.now += Duration::from_secs(1);
    let late = relay.invited(4, client(4), KEY, HOST).map(drop);
    assert_eq!(late, REFUSED, "nobody holds it");
    open(&mut relay, 2, client(2)).unwrap();
}

#[test]
fn leaving_for_whatever_reason_starts_the_ten_minutes() {
    let (mut relay, host, _) = party();
    relay.registry.leave(host, LeaveReason::TimedOut).unwrap();
    pass(&mut relay, Duration::ZERO);
    pass(&mut relay, LINGER);
    open(&mut relay, 3, client(3)).unwrap();
}

// Open rooms of the same code.

#[test]
fn an_open_room_neither_keeps_a_keyed_one_out_nor_gets_its_players() {
    let mut relay = Relay::new();
    let stranger = open(&mut relay, 1, client(1)).unwrap();
    let host = relay.invited(2, GATEWAY, KEY, HOST).unwrap();
    assert_ne!(stranger.room, host.room);
    assert_eq!(open(&mut relay, 3, client(3)).map(drop), REFUSED);
    let guest = relay.invited(4, client(4), KEY, None).unwrap();
    assert_eq!(guest.room, host.room);
}

#[test]
fn an_open_party_and_a_keyed_one_of_the_same_code_keep_nobody_out_of_each_other() {
    let mut relay = Relay::new();
    let gateway = open(&mut relay, 1, GATEWAY).unwrap();
    let open_room = gateway.room;
    let host = relay.invited(2, GATEWAY, KEY, HOST).unwrap();
    assert_ne!(host.room, open_room);
    assert_eq!(open(&mut relay, 3, client(3)).unwrap().room, open_room);
    let guest = relay.invited(4, client(4), KEY, HOST).unwrap();
    assert_eq!(guest.room, host.room);
    let second = open(&mut relay, 5, GATEWAY).map(drop);
    assert_eq!(second, Err(RejectReason::GatewayPresent));
    relay.leave(gateway);
    assert_eq!(open(&mut relay, 6, client(6)).map(drop), REFUSED, "no LAN");
    let back = open(&mut relay, 5, GATEWAY).unwrap();
    assert_eq!(back.room, open_room, "its players are there");
}

// The other questions.

#[test]
fn the_host_is_never_banned_and_its_place_is_always_free() {
    let mut relay = Relay::with(Limits {
        peers: 2,
        peers_per_address: 2,
        ..Limits::default()
    });
    let me = Some(Fingerprint::from_sha256([1; 32]));
    relay.identity = me;
    let host = relay.invited(1, GATEWAY, KEY, HOST).unwrap();
    relay.identity = None;
    let banned = me.map(Person::Identity).into_iter().collect();
    order(&mut relay, host, HostOrder::Ban { banned });
    relay.invited(2, client(2), KEY, HOST).unwrap();
    relay.leave(host);
    relay.admit(3, "elsewhere", client(3)).unwrap();
    let full = relay.invited(4, client(4), KEY, HOST).map(drop);
    assert_eq!(full, Err(RejectReason::RelayFull));
    relay.identity = me;
    relay.invited(1, GATEWAY, KEY, HOST).unwrap();
}

/// Its players have gone home, and strangers and the house next door have taken all that there is.
#[test]
fn a_host_whose_room_is_gone_has_its_claim_and_no_count_keeps_it_out() {
    let mut relay = Relay::with(Limits {
        rooms: 3,
        rooms_per_address: 2,
        peers: 4,
        peers_per_address: 3,
        ..Limits::default()
    });
    let host = relay.invited(1, GATEWAY, KEY, HOST).unwrap();
    relay.leave(host);
    pass(&mut relay, Duration::ZERO);
    for (link, room) in [(2, "monday"), (3, "monday"), (4, "sunday")] {
        relay.admit(link, room, client(link)).unwrap();
    }
    let more = relay.admit(5, "monday", client(5)).map(drop);
    assert_eq!(more, Err(RejectReason::RateLimited), "of this address");
    relay.source = [198, 51, 100, 7].into();
    relay.admit(5, "friday", client(5)).unwrap();
    let more = relay.admit(6, "saturday", client(6)).map(drop);
    assert_eq!(more, Err(RejectReason::RelayFull));
    relay.source = [192, 0, 2, 1].into();
    relay.invited(1, GATEWAY, KEY, HOST).unwrap();
}

#[test]
fn after_a_relays_restart_no_neighbour_without_a_hosts_key_uses_up_what_the_host_needs() {
    let mut relay = Relay::with(Limits {
        rooms_per_address: 2,
        peers_per_address: 3,
        ..Limits::default()
    });
    for (link, room) in [(2, "monday"), (3, "sunday"), (4, "sunday")] {
        relay.admit(link, room, client(link)).unwrap();
    }
    relay.invited(1, GATEWAY, KEY, HOST).unwrap();
    // Host keys cost nothing: so many rooms are a host's at one address as are anybody's.
    relay.invited(6, GATEWAY, KEY, Some(6)).unwrap();
    let third = relay.invited(7, GATEWAY, KEY, Some(7)).map(drop);
    assert_eq!(third, Err(RejectReason::RateLimited));
    relay.source = [198, 51, 100, 7].into();
    relay.invited(7, GATEWAY, KEY, Some(7)).unwrap();
}

#[test]
fn the_access_token_of_a_relay_is_for_opening() {
    let mut relay = Relay::new();
    let token: AccessToken = "correct-horse-battery".parse().unwrap();
    relay.registry.set_access(Some(token.clone()));
    let no_access = Err(RejectReason::NoAccess);
    assert_eq!(relay.invited(1, GATEWAY, KEY, HOST).map(drop), no_access);
    relay.access_token = Some(token);
    let host = relay.invited(1, GATEWAY, KEY, HOST).unwrap();
    relay.access_token = None;
    relay.invited(2, client(2), KEY, HOST).unwrap();
    relay.leave(host);
    pass(&mut relay, Duration::ZERO);
    let guesses = GuessLimits::default().per_source.burst;
    (0..=guesses).for_each(|_| _ = relay.admit(9, "elsewhere", GATEWAY));
    let host = relay.invited(1, GATEWAY, KEY, HOST).unwrap();
    relay.leave(host);
    pass(&mut relay, Duration::ZERO);
    pass(&mut relay, LINGER);
    let late = relay.invited(1, GATEWAY, KEY, HOST).map(drop);
    assert_eq!(late, no_access, "it opens the room anew");
}

/// A guest behind the party's address shows wrong ones.
#[test]
fn wrong_access_tokens_from_the_hosts_address_do_not_keep_the_host_out() {
    let mut relay = Relay::new();
    let token: AccessToken = "correct-horse-battery".parse().unwrap();
    relay.registry.set_access(Some(token.clone()));
    relay.access_token = Some("wrong-horse-battery".parse().unwrap());
    let mut wrong = || relay.admit(9, "elsewhere", GATEWAY).map(drop);
    for _ in 0..GuessLimits::default().per_source.burst {
        assert_eq!(wrong(), Err(RejectReason::NoAccess));
    }
    assert_eq!(wrong(), Err(RejectReason::RateLimited));
    relay.access_token = Some(token);
    relay.invited(1, GATEWAY, KEY, HOST).unwrap();
    open(&mut relay, 2, GATEWAY).expect_err("the code is claimed");
    relay.admit(2, "monday", GATEWAY).expect("an open room's");
}

#[test]
fn the_questions_are_asked_in_their_order() {
    let (mut relay, host, _) = party();
    let everything_wrong = client(2);
    let banned = vec![Person::Mac(everything_wrong.mac().unwrap())];
    let mut heard = Vec::new();
    let mut ask = |relay: &mut Relay, key| {
        let refused = relay.invited(3, everything_wrong, key, HOST);
        heard.push(refused.unwrap_err());
    };
    let full = Limits {
        peers: 1,
        ..Limits::default()
    };
    let (rates, guesses) = (Rates::default(), GuessLimits::default());
    relay.registry.set_limits(relay.now, full, rates, guesses);
    let locked = HostOrder::Lock {
        locked: true,
        also: Vec::new(),
    };
    ask(&mut relay, 8);
    ask(&mut relay, KEY);
    order(&mut relay, host, HostOrder::Ban { banned });
    ask(&mut relay, KEY);
    order(&mut relay, host, HostOrder::Ban { banned: Vec::new() });
    order(&mut relay, host, locked);
    ask(&mut relay, KEY);
    relay.registry.drain_gently(None);
    ask(&mut relay, KEY);
    let unlocked = HostOrder::Lock {
        locked: false,
        also: Vec::new(),
    };
    order(&mut relay, host, unlocked);
    ask(&mut relay, KEY);
    relay.registry.drain();
    ask(&mut relay, 8);
    assert_eq!(
        heard,
        [
            RejectReason::NotAuthorised,
            RejectReason::MacInUse,
            RejectReason::Banned,
            RejectReason::Locked,
            RejectReason::Locked,
            RejectReason::Draining,
            RejectReason::Draining,
        ]
    );
}
