use super::*;
use crate::testing::{Relay, admission_key, client, host_id};
use lanparty_ctrl::ChannelBinding;

fn name(number: usize, host: u8) -> RoomName {
    RoomName {
        code: format!("ROOM-{number}").parse().unwrap(),
        host: Some(host_id(host)),
    }
}

/// What a client shows with the key of this number.
fn shown(name: &RoomName, key: u8, host: Option<HostId>) -> (Entry, Invitation) {
    let (mut relay, channel) = (Relay::new(), ChannelBinding([0; 32]));
    let entry = relay.entry(name.code.as_str(), client(1));
    let proof = admission_key(key).prove(&channel, &name.code, entry.who);
    let invitation = Invitation {
        proof,
        channel,
        host,
        admission_key: None,
    };
    (entry, invitation)
}

#[test]
fn claims_left_behind_are_few() {
    let mut now = Instant::now();
    let mut claims = Claims::new(4);
    let mut claim = |claims: &mut Claims, number: usize, source: u8| {
        let source = [192, 0, 2, source].into();
        claims.hold(&name(number, 1), &admission_key(7), source);
        claims.handle_timeout(now, |_| false);
        now += Duration::from_secs(1);
    };
    for number in 0..20 {
        claim(&mut claims, number, number as u8);
        assert!(claims.len() <= 4);
    }
    let mut claims = Claims::new(100);
    for number in 0..20 {
        claim(&mut claims, number, 1);
        assert!(claims.len() <= LINGERING_PER_SOURCE);
    }
}

#[test]
fn the_claim_that_would_end_first_makes_room_whoever_has_the_same_code() {
    let (now, source) = (Instant::now(), [192, 0, 2, 1].into());
    let mut claims = Claims::new(2);
    for (seconds, host) in [(0, 1), (1, 2), (2, 3)] {
        claims.hold(&name(0, host), &admission_key(host), source);
        claims.handle_timeout(now + Duration::from_secs(seconds), |_| false);
    }
    let lives = [1, 2, 3].map(|host| claims.is_live(now, &name(0, host)));
    assert_eq!(lives, [false, true, true]);
}

#[test]
fn a_gateway_that_comes_back_keeps_its_age_and_brings_its_newest_key() {
    let (now, source) = (Instant::now(), [192, 0, 2, 1].into());
    let mut claims = Claims::new(9);
    claims.hold(&name(0, 1), &admission_key(1), source);
    claims.hold(&name(0, 2), &admission_key(7), source);
    claims.hold(&name(0, 1), &admission_key(7), source);
    let (entry, shown) = shown(&name(0, 1), 7, None);
    assert_eq!(claims.find(now, &entry, &shown), Some(name(0, 1)));
    claims.rotate(&name(0, 1), admission_key(8));
    assert_eq!(claims.find(now, &entry, &shown), Some(name(0, 2)));
    assert_eq!(claims.len(), 2);
}

/// Who claims a code again and again from one place has one of the tries, until the others have had theirs.
#[test]
fn an_invite_that_names_no_host_is_tried_on_one_claim_of_each_place_first() {
    let now = Instant::now();
    for squats in [
        "192.0.2.1 192.0.2.1",
        "2001:db8:1:1:: 2001:db8:1:2:: 2001:db8:1:ffff::",
    ] {
        let mut claims = Claims::new(1000);
        for (host, source) in (10..).zip(squats.split(' ').cycle().take(20)) {
            let source = source.parse().unwrap();
            claims.hold(&name(0, host), &admission_key(host), source);
        }
        claims.hold(&name(0, 1), &admission_key(1), [198, 51, 100, 7].into());
        let found = |key| {
            let (entry, shown) = shown(&name(0, 0), key, None);
            claims.find(now, &entry, &shown)
        };
        assert_eq!(found(1), Some(name(0, 1)), "{squats}");
        assert_eq!(found(16), Some(name(0, 16)), "what is left of the tries");
        assert_eq!(found(17), None);
        let code = name(0, 1).code;
        assert_eq!(claims.candidates(now, &code, None).count(), CANDIDATES);
    }
}

#[test]
fn of_one_place_few_claims_of_a_code_outlast_their_gateways_the_oldest() {
    let now = Instant::now();
    let mut claims = Claims::new(1000);
    for host in 1..=9 {
        let source = format!("2001:db8:1:{host}::").parse().unwrap();
        claims.hold(&name(0, host), &admission_key(host), source);
    }
    claims.hold(&name(0, 20), &admission_key(20), [198, 51, 100, 7].into());
    claims.hold(
        &name(1, 1),
        &admission_key(1),
        "2001:db8:1::".parse().unwrap(),
    );
    claims.handle_timeout(now, |name| name.host == Some(host_id(9)));
    let live = (1..=20).filter(|&host| claims.is_live(now, &name(0, host)));
    assert_eq!(live.collect::<Vec<_>>(), [1, 2, 9, 20]);
    assert!(claims.is_live(now, &name(1, 1)), "another code");
}

#[test]
fn a_host_that_is_named_is_found_among_very_many_and_no_other_is() {
    let now = Instant::now();
    let mut claims = Claims::new(1000);
    for host in 0..=200 {
        let source = [192, 0, 2, host].into();
        claims.hold(&name(0, host), &admission_key(host), source);
    }
    let find = |key, host| {
        let (entry, shown) = shown(&name(0, 0), key, host);
        claims.find(now, &entry, &shown)
    };
    assert_eq!(find(200, Some(host_id(200))), Some(name(0, 200)));
    assert_eq!(find(200, Some(host_id(199))), None);
    assert_eq!(find(200, None), None);
    let oldest = CANDIDATES as u8 - 1;
    assert_eq!(find(oldest, None), Some(name(0, oldest)));
}
