//! Where rooms go, and who gets them.

use super::Party;
use super::party::{code, near, room, secret, settings};
use crate::fleet::*;
use std::time::Duration;

const GATEWAY: Asker<'_> = Asker {
    gateway: true,
    near: &[],
    redirects: 0,
    looks: false,
    open: false,
};

#[test]
fn a_relay_enters_and_is_given_out_five_seconds_later() {
    let mut party = Party::new(1);
    assert_eq!(party.relays[0].fleet.standing(), Standing::Entering);
    party.pass(10);
    assert_eq!(party.relays[0].fleet.standing(), Standing::In);
    party.pass(4900);
    assert!(party.relays[0].fleet.given_out(4).is_empty());
    party.pass(200);
    assert_eq!(party.relays[0].fleet.given_out(4).len(), 1);
}

#[test]
fn everybody_ends_at_the_same_relay_wherever_they_ask() {
    let mut party = Party::ready(3);
    for number in 0..60 {
        let first = party.enter(number % 3, room(number as u16), true, &[]);
        for other in 0..3 {
            assert_eq!(party.enter(other, room(number as u16), false, &[]), first);
        }
    }
    let rooms: Vec<_> = party
        .relays
        .iter()
        .map(|relay| relay.fleet.rooms().len())
        .collect();
    assert!(rooms.iter().all(|&rooms| rooms > 8), "{rooms:?}");
}

#[test]
fn a_room_is_near_its_gateway() {
    let mut party = Party::ready(3);
    for number in 0..20 {
        let near = [near(0, 80), near(1, 12), near(2, 40)];
        assert_eq!(party.enter(0, room(number), true, &near), 1);
    }
}

#[test]
fn players_who_were_first_follow_their_gateway_to_where_it_is_near() {
    let mut party = Party::ready(3);
    let at = party.enter(0, room(1), false, &[]);
    let better = (at + 1) % 3;
    let measured = [near(at, 70), near(better, 5)];
    assert_eq!(party.enter(better, room(1), true, &measured), at);
    party.pass(400);
    assert_eq!(party.owner(room(1)), Some(better));
    let moved: Vec<_> = party.relays[at]
        .outputs
        .iter()
        .filter_map(|(_, output)| match output {
            Output::Moved { whom, .. } => Some(*whom),
            _ => None,
        })
        .collect();
    assert_eq!(moved, [Whom::Gateway, Whom::Clients]);
}

#[test]
fn who_looks_at_its_own_relay_is_as_near_to_the_others_as_before() {
    let mut party = Party::ready(3);
    let at = party.enter(0, room(1), true, &[near(0, 5), near(1, 7), near(2, 90)]);
    let measured = party.relays[at].fleet.rooms[&room(1)].near.clone();
    assert_eq!(measured.len(), 3);
    party.locate(
        at,
        room(1),
        &Asker {
            looks: true,
            ..GATEWAY
        },
    );
    assert_eq!(party.relays[at].fleet.rooms[&room(1)].near, measured);
}

#[test]
fn of_two_gateways_that_race_one_wins_and_the_other_is_sent_there() {
    for number in 0..20 {
        let mut party = Party::ready(2);
        let fleet = |near| Asker { near, ..GATEWAY };
        let (a, b) = ([near(0, 1)], [near(1, 1)]);
        assert_eq!(party.locate(0, room(number), &fleet(&a)), Located::Ask);
        assert_eq!(party.locate(1, room(number), &fleet(&b)), Located::Ask);
        party.pass(10);
        let answers = [
            party.locate(0, room(number), &fleet(&a)),
            party.locate(1, room(number), &fleet(&b)),
        ];
        let here = answers
            .iter()
            .filter(|answer| matches!(answer, Located::Here { .. }))
            .count();
        let sent = answers
            .iter()
            .filter(|answer| matches!(answer, Located::Redirect { fence: Some(_), .. }));
        assert_eq!((here, sent.count()), (1, 1), "{answers:?}");
    }
}

#[test]
fn a_room_that_nobody_enters_is_let_go() {
    let mut party = Party::ready(1);
    party.hello(0, room(1), &GATEWAY);
    assert_eq!(party.owner(room(1)), Some(0));
    party.pass(10_100);
    assert_eq!(party.owner(room(1)), None);
    assert!(party.relays[0].fleet.rooms().is_empty());
}

#[test]
fn a_room_that_all_have_left_is_let_go_but_its_code_is_kept_where_its_key_is() {
    let mut party = Party::ready(3);
    let at = party.enter(0, room(1), true, &[]);
    party.pass(100);
    let fleet = &mut party.relays[at].fleet;
    fleet.gateway_left(party.now, room(1));
    fleet.room_closed(party.now, room(1));
    party.pass(2000);
    assert_eq!(party.owner(room(1)), None);
    assert!(
        party
            .model
            .value(format!("claims/{}", room(1)).as_bytes())
            .is_some()
    );
    let elsewhere = [near((at + 1) % 3, 1)];
    assert_eq!(party.enter((at + 1) % 3, room(1), false, &elsewhere), at);
    // Ten minutes after the gateway it is anybody's.
    let fleet = &mut party.relays[at].fleet;
    fleet.room_closed(party.now, room(1));
    party.pass(610_000);
    assert_eq!(
        party.model.value(format!("claims/{}", room(1)).as_bytes()),
        None
    );
}

#[test]
fn the_code_of_a_gateway_that_stays_is_kept_for_hours() {
    let mut party = Party::ready(1);
    party.enter(0, room(1), true, &[]);
    for _ in 0..20 {
        party.pass(300_000);
        assert!(
            party
                .model
                .value(format!("claims/{}", room(1)).as_bytes())
                .is_some()
        );
    }
}

#[test]
fn a_full_relay_gets_no_rooms_and_a_full_fleet_says_so() {
    let mut party = Party::ready(2);
    let load = |free| Load {
        free,
        lag: Duration::ZERO,
    };
    let now = party.now;
    party.relays[0].fleet.handle_load(now, load(0));
    party.pass(3000);
    for number in 0..10 {
        assert_eq!(party.enter(0, room(number), true, &[]), 1);
    }
    let now = party.now;
    party.relays[1].fleet.handle_load(now, load(0));
    party.pass(3000);
    assert_eq!(
        party.hello(0, room(99), &GATEWAY),
        Located::Refused(Refusal::Full)
    );
}

#[test]
fn where_all_are_late_rooms_open_all_the_same_unless_that_is_felt() {
    let mut party = Party::ready(2);
    let late = |party: &mut Party, lag| {
        for _ in 0..7 {
            let (now, lag) = (party.now, Duration::from_millis(lag));
            for relay in &mut party.relays {
                relay.fleet.handle_load(now, Load { free: 400, lag });
            }
            party.pass(1000);
        }
    };
    late(&mut party, 8);
    assert_eq!(party.enter(0, room(1), true, &[near(0, 1)]), 0);
    assert_eq!(party.enter(0, room(2), true, &[near(1, 1)]), 1);
    late(&mut party, 30);
    let here = Asker {
        redirects: 1,
        ..GATEWAY
    };
    assert_eq!(
        party.hello(0, room(3), &here),
        Located::Refused(Refusal::Full)
    );
}

/// A hundred gateways of a dead relay come in one second, and it tells once a second how many places it has.
#[test]
fn a_relay_that_turns_out_to_be_full_gives_the_room_to_another_one() {
    let mut party = Party::ready(2);
    let near = [near(0, 1)];
    let asker = Asker {
        near: &near,
        ..GATEWAY
    };
    let here = party.hello(0, room(1), &asker);
    assert!(matches!(here, Located::Here { .. }), "{here:?}");
    let now = party.now;
    assert!(party.relays[0].fleet.give_back(now, room(1)));
    party.pass(100);
    assert_eq!(party.owner(room(1)), None);
    let sent = party.hello(0, room(1), &asker);
    assert!(matches!(sent, Located::Redirect { .. }), "{sent:?}");
    assert_eq!(party.enter(0, room(1), true, &near), 1);
    // Where somebody is in it, it stays.
    let now = party.now;
    assert!(!party.relays[1].fleet.give_back(now, room(1)));
    assert_eq!(party.owner(room(1)), Some(1));
}

#[test]
fn where_all_are_late_a_party_whose_relay_is_gone_is_taken_all_the_same() {
    let mut party = Party::ready(2);
    let at = party.enter(0, room(1), true, &[near(1, 1)]);
    assert_eq!(at, 1);
    for second in 0..8 {
        let now = party.now;
        let lag = Duration::from_millis(30);
        party.relays[0]
            .fleet
            .handle_load(now, Load { free: 400, lag });
        party.pass(1000);
        if second == 3 {
            party.kill(at);
        }
    }
    let new = party.hello(0, room(2), &GATEWAY);
    assert_eq!(new, Located::Refused(Refusal::Full));
    assert_eq!(party.enter(0, room(1), true, &[]), 0);
}

#[test]
fn another_secret_is_another_fleet_and_the_relay_stays_out() {
    let mut party = Party::ready(1);
    let stranger = party.add(Settings {
        secret: FleetSecret::new("quite another one, sorry").unwrap(),
        ..settings(1)
    });
    party.pass(3000);
    assert_eq!(party.relays[stranger].fleet.standing(), Standing::Refused);
    assert_eq!(party.said(stranger), [Trouble::WrongSecret]);
    assert_eq!(party.relays[0].fleet.size(), 1);
    assert!(
        party.relays[stranger]
            .fleet
            .poll_timeout(party.now)
            .is_some(),
        "it looks again"
    );
    let check = secret().check();
    assert!(
        party
            .model
            .entries()
            .iter()
            .any(|entry| String::from_utf8_lossy(&entry.value).contains(&check))
    );
}

#[test]
fn garbage_is_ignored_counted_and_said_once_a_minute() {
    let mut party = Party::ready(2);
    let huge = vec![b'x'; 1 << 20];
    for number in 0..200_u16 {
        party
            .model
            .scribble(format!("rooms/{number}").as_bytes(), b"{}");
        party
            .model
            .scribble(format!("rooms/{}", room(number)).as_bytes(), b"\xff\xfe");
        party.model.scribble(b"relays/00000000000000ff", b"[]");
        party.model.scribble(b"\xff\x00", &huge);
        party
            .model
            .scribble(format!("claims/{}", room(number)).as_bytes(), b"7");
        party
            .model
            .scribble(format!("moves/{}", room(number)).as_bytes(), b"");
    }
    party.pass(30_000);
    assert_eq!(party.relays[0].fleet.counts().garbage, 1200);
    assert_eq!(party.said(0).len(), 1, "{:?}", party.said(0));
    // Rooms whose keys hold rubbish are opened all the same.
    for number in 0..20 {
        party.enter(0, room(number), true, &[]);
    }
}

#[test]
fn a_room_of_a_relay_that_never_was_is_taken_after_ten_seconds() {
    let mut party = Party::ready(1);
    let key = format!("rooms/{}", room(1));
    party
        .model
        .scribble(key.as_bytes(), br#"{"relay":"00000000000000ff"}"#);
    party.pass(100);
    assert_eq!(party.hello(0, room(1), &GATEWAY), Located::Ask);
    party.pass(7100);
    assert_eq!(party.enter(0, room(1), true, &[]), 0);
    party.pass(100);
    assert_eq!(party.owner(room(1)), Some(0));
}

#[test]
fn what_strangers_do_to_this_relays_own_keys_is_mended() {
    let mut party = Party::ready(2);
    let at = party.enter(0, room(1), true, &[]);
    party.pass(100);
    let key = format!("rooms/{}", room(1));
    let card = format!("relays/{}", party.relays[at].fleet.id());
    party.model.erase(key.as_bytes());
    party.model.erase(card.as_bytes());
    party.pass(1000);
    assert_eq!(party.owner(room(1)), Some(at));
    assert!(party.model.value(card.as_bytes()).is_some());
    party.model.scribble(card.as_bytes(), b"{}");
    party.model.erase(b"fleet");
    party.pass(1000);
    assert_eq!(party.relays[0].fleet.size(), 2);
    assert!(party.model.value(b"fleet").is_some());
}

#[test]
fn two_relays_of_one_address_hear_of_it_and_do_not_take_each_others_rooms() {
    let mut party = Party::ready(1);
    let double = party.add(Settings {
        id: RelayId::from_random(99),
        ..settings(0)
    });
    party.pass(12_000);
    let mine = party.enter(0, room(1), true, &[]);
    let load = Load {
        free: 400,
        lag: Duration::ZERO,
    };
    for at in [0, double] {
        let now = party.now;
        party.relays[at].fleet.handle_load(now, load);
        party.pass(10);
        assert!(party.said(at).contains(&Trouble::SameAddress), "{at}");
    }
    let asker = Asker::default();
    let there = party.hello(double, room(1), &asker);
    match mine {
        0 => assert!(matches!(there, Located::Redirect { .. }), "{there:?}"),
        _ => assert!(matches!(there, Located::Here { .. }), "{there:?}"),
    }
    assert_eq!(party.holders(room(1)).len(), 1);
}

#[test]
fn nobody_opens_the_open_room_of_a_code_that_a_host_has_at_any_relay() {
    let mut party = Party::ready(3);
    party.enter(0, room(1), true, &[near(0, 1)]);
    party.pass(100);
    for (at, looks) in [(0, false), (1, false), (2, false), (1, true)] {
        let asker = Asker {
            gateway: !looks,
            looks,
            open: true,
            ..Asker::default()
        };
        assert_eq!(party.hello(at, code(room(1)), &asker), Located::Claimed);
        assert!(
            party.hello(
                at,
                code(room(2)),
                &Asker {
                    looks: true,
                    ..asker
                }
            ) == Located::Nobody
        );
    }
    // Another host of the same code ends, whose claim was the later one.
    party
        .model
        .erase(format!("claims/{}", code(room(1))).as_bytes());
    party.pass(201_000);
    let open = Asker {
        open: true,
        ..Asker::default()
    };
    assert_eq!(party.hello(1, code(room(1)), &open), Located::Claimed);
}

#[test]
fn who_keeps_a_code_sends_nobody_to_itself() {
    let mut party = Party::ready(2);
    party.enter(0, room(1), true, &[near(0, 1)]);
    party.pass(12_000);
    let now = party.now;
    party.relays[0].fleet.gateway_left(now, room(1));
    party.relays[0].fleet.room_closed(now, room(1));
    party.pass(12_000);
    let looks = Asker {
        looks: true,
        ..Asker::default()
    };
    assert_eq!(party.hello(0, room(1), &looks), Located::Nobody);
    assert!(matches!(
        party.hello(1, room(1), &looks),
        Located::Redirect { .. }
    ));
}
