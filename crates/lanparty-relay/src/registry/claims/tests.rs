use super::*;
use crate::registry::{Limits, Place, Registry};
use crate::room::Rates;
use crate::testing::{Relay, client};
use lanparty_ctrl::ChannelBinding;
use lanparty_ctrl::LeaveReason;
use lanparty_ctrl::message::Invitation;

const GATEWAY: Newcomer = Newcomer::Gateway;
const REFUSED: Result<(), RejectReason> = Err(RejectReason::NotAuthorised);

/// Enters room LANPARTY with the key of this number.
fn enter(relay: &mut Relay, link: u8, who: Newcomer, key: u8) -> Result<Place, RejectReason> {
    let (key, channel) = (admission_key(key), ChannelBinding([link; 32]));
    let room = "lanparty".parse().unwrap();
    relay.invitation = Some(Invitation {
        proof: key.prove(&channel, &room, who),
        channel,
        host: None,
        admission_key: (who == GATEWAY).then_some(key),
    });
    Ok(relay.admit(link, "lanparty", who)?.place)
}

fn admission_key(number: u8) -> AdmissionKey {
    RoomKey::from_random([number; 16]).admission_key()
}

fn open(relay: &mut Relay, link: u8, who: Newcomer) -> Result<Place, RejectReason> {
    Ok(relay.admit(link, "lanparty", who)?.place)
}

#[test]
fn a_relay_for_one_room_has_no_other() {
    let mut relay = Relay::new();
    let key = RoomKey::from_random([7; 16]);
    let any = Registry::new(Limits::default(), Rates::default());
    relay.registry = any.only("lanparty".parse().unwrap(), &key);
    assert_eq!(enter(&mut relay, 1, GATEWAY, 8).map(drop), REFUSED);
    assert_eq!(open(&mut relay, 1, GATEWAY).map(drop), REFUSED);
    let elsewhere = relay.admit(1, "monday", client(1)).map(drop);
    assert_eq!(elsewhere, REFUSED);
    assert_eq!(relay.registry.rooms(), 0);
    enter(&mut relay, 1, GATEWAY, 7).unwrap();
    enter(&mut relay, 2, client(2), 7).unwrap();
}

fn pass(relay: &mut Relay, time: Duration) {
    relay.now += time;
    let now = relay.now;
    relay.registry.handle_timeout(now);
}

#[test]
fn who_has_the_key_of_the_first_gateway_comes_in_and_nobody_else() {
    let mut relay = Relay::new();
    let host = enter(&mut relay, 1, GATEWAY, 7).unwrap();
    let player = enter(&mut relay, 2, client(2), 7).unwrap();
    assert_eq!(host.room, player.room);
    assert_eq!(
        enter(&mut relay, 3, client(3), 8).map(drop),
        REFUSED,
        "wrong key"
    );
    assert_eq!(open(&mut relay, 3, client(3)).map(drop), REFUSED, "no key");
    assert_eq!(
        enter(&mut relay, 3, GATEWAY, 8).map(drop),
        REFUSED,
        "other gateway"
    );
    assert_eq!(
        open(&mut relay, 3, GATEWAY).map(drop),
        REFUSED,
        "open gateway"
    );
    assert_eq!(
        enter(&mut relay, 3, GATEWAY, 7).map(drop),
        Err(RejectReason::GatewayPresent)
    );
}

#[test]
fn who_was_wrong_too_often_is_told_to_wait_and_who_is_invited_comes_in() {
    let mut relay = Relay::new();
    enter(&mut relay, 1, GATEWAY, 7).unwrap();
    for _ in 0..128 {
        assert_eq!(enter(&mut relay, 3, client(3), 8).map(drop), REFUSED);
    }
    let waits = Err(RejectReason::RateLimited);
    assert_eq!(enter(&mut relay, 3, client(3), 8).map(drop), waits);
    assert_eq!(open(&mut relay, 3, client(3)).map(drop), waits);
    enter(&mut relay, 4, client(4), 7).expect("a member behind the same address");
    pass(&mut relay, Duration::from_secs(1));
    assert_eq!(enter(&mut relay, 3, client(3), 8).map(drop), REFUSED);
}

#[test]
fn many_strangers_who_guess_at_a_room_keep_none_of_its_members_out() {
    let mut relay = Relay::new();
    enter(&mut relay, 1, GATEWAY, 7).unwrap();
    let mut outcomes = Vec::new();
    for number in 0..1000u16 {
        let [high, low] = number.to_be_bytes();
        relay.source = [10, 0, high, low].into();
        outcomes.push(enter(&mut relay, 3, client(3), 8).unwrap_err());
    }
    let refused = outcomes
        .iter()
        .filter(|reason| **reason == RejectReason::NotAuthorised);
    assert_eq!(refused.count(), 512);
    assert_eq!(outcomes.last(), Some(&RejectReason::RateLimited));
    enter(&mut relay, 4, client(4), 7).unwrap();
}

#[test]
fn a_room_that_is_not_there_and_a_wrong_key_are_one_answer() {
    let mut relay = Relay::with(Limits {
        rooms: 1,
        ..Limits::default()
    });
    assert_eq!(enter(&mut relay, 1, client(1), 7).map(drop), REFUSED);
    relay.admit(2, "another", client(2)).unwrap();
    assert_eq!(
        enter(&mut relay, 1, client(1), 7).map(drop),
        REFUSED,
        "full as it is"
    );
}

#[test]
fn a_hello_replayed_on_another_connection_is_refused() {
    let mut relay = Relay::new();
    enter(&mut relay, 1, GATEWAY, 7).unwrap();
    enter(&mut relay, 2, client(2), 7).unwrap();
    let (key, recorded) = (admission_key(7), ChannelBinding([2; 32]));
    let room = "lanparty".parse().unwrap();
    for (link, who) in [(3, client(2)), (2, client(3))] {
        relay.invitation = Some(Invitation {
            proof: key.prove(&recorded, &room, client(2)),
            channel: ChannelBinding([link; 32]),
            host: None,
            admission_key: None,
        });
        assert_eq!(open(&mut relay, link, who).map(drop), REFUSED);
    }
}

#[test]
fn a_claim_lasts_ten_minutes_longer_than_its_gateway() {
    let mut relay = Relay::new();
    let host = enter(&mut relay, 1, GATEWAY, 7).unwrap();
    pass(&mut relay, 10 * LINGER);
    relay.leave(host);
    pass(&mut relay, Duration::from_secs(1));
    pass(&mut relay, LINGER - Duration::from_secs(1));
    assert_eq!(enter(&mut relay, 2, GATEWAY, 8).map(drop), REFUSED);
    assert_eq!(open(&mut relay, 2, client(2)).map(drop), REFUSED);
    let player = enter(&mut relay, 3, client(3), 7).unwrap();
    relay.now += Duration::from_secs(1);
    assert_eq!(
        enter(&mut relay, 4, client(4), 7).map(drop),
        REFUSED,
        "nobody holds it"
    );
    let new_host = enter(&mut relay, 5, GATEWAY, 8).unwrap();
    assert_ne!(
        new_host.room, player.room,
        "players of the old key are among themselves"
    );
    assert_eq!(
        enter(&mut relay, 6, client(6), 7).map(drop),
        REFUSED,
        "old key"
    );
}

#[test]
fn a_gateway_that_comes_back_finds_its_players() {
    let mut relay = Relay::new();
    let host = enter(&mut relay, 1, GATEWAY, 7).unwrap();
    let player = enter(&mut relay, 2, client(2), 7).unwrap();
    relay.leave(host);
    pass(&mut relay, 2 * LINGER);
    pass(&mut relay, 2 * LINGER);
    let back = enter(&mut relay, 3, GATEWAY, 7).unwrap();
    assert_eq!(back.room, player.room);
}

#[test]
fn an_open_room_neither_keeps_a_keyed_one_out_nor_gets_its_players() {
    let mut relay = Relay::new();
    let stranger = open(&mut relay, 1, client(1)).unwrap();
    let host = enter(&mut relay, 2, GATEWAY, 7).unwrap();
    assert_ne!(stranger.room, host.room);
    assert_eq!(open(&mut relay, 3, client(3)).map(drop), REFUSED);
    assert_eq!(enter(&mut relay, 4, client(4), 7).unwrap().room, host.room);
}

#[test]
fn an_open_party_cannot_be_locked_by_a_stranger() {
    let mut relay = Relay::new();
    open(&mut relay, 1, GATEWAY).unwrap();
    let stranger = enter(&mut relay, 2, GATEWAY, 7).map(drop);
    assert_eq!(stranger, Err(RejectReason::GatewayPresent));
    open(&mut relay, 3, client(3)).unwrap();
}

#[test]
fn claims_left_behind_are_few() {
    let mut relay = Relay::new();
    let mut claims = Claims::new(4);
    let claim = |relay: &mut Relay, claims: &mut Claims, number: usize, source: u8| {
        let room: RoomCode = format!("ROOM-{number}").parse().unwrap();
        let channel = ChannelBinding([0; 32]);
        let key = admission_key(7);
        relay.invitation = Some(Invitation {
            proof: key.prove(&channel, &room, GATEWAY),
            channel,
            host: None,
            admission_key: Some(key),
        });
        let entry = relay.entry(room.as_str(), GATEWAY);
        let door = claims.check(relay.now, &entry).unwrap();
        claims.hold(door, &entry, [192, 0, 2, source].into());
        claims.handle_timeout(relay.now, |_, _| false);
        relay.now += Duration::from_secs(1);
    };
    for number in 0..20 {
        claim(&mut relay, &mut claims, number, number as u8);
        assert!(claims.claims.len() <= 4);
    }
    let mut claims = Claims::new(100);
    for number in 0..20 {
        claim(&mut relay, &mut claims, number, 1);
        assert!(claims.claims.len() <= LINGERING_PER_SOURCE);
    }
}

#[test]
fn leaving_for_whatever_reason_starts_the_ten_minutes() {
    let mut relay = Relay::new();
    let host = enter(&mut relay, 1, GATEWAY, 7).unwrap();
    relay.registry.leave(host, LeaveReason::TimedOut).unwrap();
    pass(&mut relay, Duration::ZERO);
    pass(&mut relay, LINGER);
    open(&mut relay, 2, client(2)).unwrap();
}
