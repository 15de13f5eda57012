//! Rooms that leave by order, or because a relay is too slow.

use super::Party;
use super::party::{code, near, room, settings};
use crate::fleet::*;
use std::time::Duration;

fn moved(party: &Party, number: usize, of: Whom) -> Vec<(Duration, RoomHash)> {
    let outputs = party.relays[number].outputs.iter();
    let moved = outputs.filter_map(|(at, output)| match output {
        Output::Moved { room, whom, .. } if *whom == of => Some((*at, *room)),
        _ => None,
    });
    moved.collect()
}

#[test]
fn a_drained_relays_rooms_leave_one_by_one_gateways_first() {
    let mut party = Party::ready(3);
    let all: Vec<_> = (0..30)
        .map(|number| {
            (
                room(number),
                party.enter(0, room(number), true, &[near(0, 1)]),
            )
        })
        .collect();
    assert!(all.iter().all(|&(_, at)| at == 0));
    party.pass(1000);
    party.drain(0);
    party.pass(10_000);
    let gateways = moved(&party, 0, Whom::Gateway);
    let clients = moved(&party, 0, Whom::Clients);
    assert_eq!((gateways.len(), clients.len()), (30, 30));
    for pair in gateways.windows(2) {
        assert!(
            pair[1].0 - pair[0].0 >= Settings::PACE - Duration::from_millis(5),
            "{pair:?}"
        );
    }
    for (gateway, clients) in gateways.iter().zip(&clients) {
        assert_eq!(clients.0 - gateway.0, Duration::from_millis(300));
    }
    assert!(
        party.relays[0]
            .outputs
            .iter()
            .any(|(_, output)| *output == Output::Drained)
    );
    for (room, _) in all {
        assert!(matches!(party.owner(room), None | Some(1 | 2)));
    }
    assert!(matches!(
        party.hello(0, room(500), &Asker::default()),
        Located::Redirect { .. }
    ));
}

#[test]
fn who_is_told_to_go_finds_the_room_there_at_once() {
    let mut party = Party::ready(2);
    party.enter(0, room(1), true, &[near(0, 1)]);
    party.drain(0);
    party.pass(100);
    assert_eq!(moved(&party, 0, Whom::Gateway).len(), 1);
    assert!(matches!(
        party.locate(1, room(1), &Asker::default()),
        Located::Here { .. }
    ));
    assert_eq!(party.enter(1, room(1), true, &[]), 1);
    party.pass(100);
    // The claim of the code goes with it.
    let claim = party
        .model
        .value(format!("claims/{}", room(1)).as_bytes())
        .unwrap();
    let id = party.relays[1].fleet.id().to_string();
    assert!(String::from_utf8_lossy(claim).contains(&id));
}

#[test]
fn a_last_relay_that_drains_keeps_its_rooms_and_says_why() {
    let mut party = Party::ready(1);
    party.enter(0, room(1), true, &[]);
    party.drain(0);
    party.pass(20_000);
    assert_eq!(party.owner(room(1)), Some(0));
    assert!(party.said(0).contains(&Trouble::NowhereToMove));
    assert_eq!(moved(&party, 0, Whom::Gateway), []);
}

#[test]
fn an_offer_that_a_dead_relay_gets_goes_to_the_next() {
    let mut party = Party::ready(3);
    for number in 0..10 {
        party.enter(0, room(number), true, &[near(0, 1)]);
    }
    party.kill(1);
    party.drain(0);
    party.pass(12_000);
    assert_eq!(moved(&party, 0, Whom::Gateway).len(), 10);
}

#[test]
fn a_relay_that_starts_again_has_its_rooms_at_once_while_its_last_lease_still_runs() {
    let mut party = Party::ready(3);
    for number in 0..8 {
        let near = near(0, 1);
        assert_eq!(
            party.enter(number as usize % 3, room(number), true, &[near]),
            0
        );
    }
    party.kill(0);
    party.pass(700);
    let again = party.add(Settings {
        id: RelayId::from_random(99),
        ..settings(0)
    });
    party.pass(50);
    let looks = Asker {
        looks: true,
        ..Asker::default()
    };
    assert_eq!(party.hello(again, room(0), &looks), Located::Nobody);
    for number in 0..8 {
        assert_eq!(party.enter(1, room(number), true, &[]), again, "{number}");
        assert_eq!(party.owner(room(number)), Some(again));
    }
    // The end of the old lease takes nothing away.
    party.pass(6000);
    for number in 0..8 {
        assert_eq!(party.owner(room(number)), Some(again));
        assert_eq!(party.enter(2, room(number), false, &[]), again);
    }
}

#[test]
fn a_slow_relay_gets_no_new_rooms_and_one_that_is_too_slow_sends_its_newest_away() {
    let mut party = Party::ready(2);
    for number in 0..5 {
        party.enter(0, room(number), true, &[near(0, 1)]);
        party.pass(10);
    }
    let late = |party: &mut Party, lag| {
        for _ in 0..7 {
            let now = party.now;
            let lag = Duration::from_millis(lag);
            party.relays[0]
                .fleet
                .handle_load(now, Load { free: 400, lag });
            party.pass(1000);
        }
    };
    late(&mut party, 8);
    assert_eq!(party.enter(0, room(50), true, &[near(0, 1)]), 1);
    assert_eq!(moved(&party, 0, Whom::Gateway), []);
    late(&mut party, 30);
    let went: Vec<_> = moved(&party, 0, Whom::Gateway)
        .into_iter()
        .map(|(_, room)| room)
        .collect();
    assert_eq!(went, [room(4), room(3), room(2)]);
    assert!(party.said(0).contains(&Trouble::Slow) && party.said(0).contains(&Trouble::TooSlow));
}

#[test]
fn where_all_relays_are_slow_none_sends_its_rooms_to_and_fro_and_who_ends_has_somewhere_to_send_them()
 {
    let mut party = Party::ready(2);
    for number in 0..3 {
        party.enter(0, room(number), true, &[near(0, 1)]);
    }
    for _ in 0..9 {
        let (now, lag) = (party.now, Duration::from_millis(30));
        for relay in &mut party.relays {
            relay.fleet.handle_load(now, Load { free: 400, lag });
        }
        party.pass(1000);
    }
    // Until it knows that the other one is slow as well, it has sent one away at most.
    let before = moved(&party, 0, Whom::Gateway).len();
    assert!(before <= 1, "{before}");
    let now = party.now;
    party.relays[0].fleet.drain(now);
    party.pass(5000);
    assert_eq!(moved(&party, 0, Whom::Gateway).len(), 3);
}

#[test]
fn who_leaves_leaves_nothing_behind() {
    let mut party = Party::ready(2);
    party.enter(0, room(1), true, &[near(0, 1)]);
    party.pass(100);
    let now = party.now;
    party.relays[0].fleet.leave(now);
    party.step();
    party.pass(50);
    assert_eq!(party.owner(room(1)), None);
    assert_eq!(party.relays[1].fleet.size(), 1);
    assert_eq!(party.relays[0].fleet.standing(), Standing::Left);
    assert_eq!(party.relays[0].fleet.poll_timeout(party.now), None);
}

#[test]
fn who_drains_too_takes_nothing_that_it_is_offered() {
    let mut party = Party::ready(2);
    party.enter(0, room(1), true, &[near(0, 1)]);
    party.pass(100);
    // Both in the same moment, before either has heard of the other.
    party.drain(1);
    party.drain(0);
    party.pass(1500);
    assert_eq!(party.owner(room(1)), Some(0));
    assert_eq!(moved(&party, 0, Whom::Gateway), []);
}

#[test]
fn who_hears_nothing_from_the_directory_at_the_moment_in_which_it_must_shed_a_room_goes_on() {
    let mut party = Party::ready(2);
    party.enter(0, room(1), true, &[near(0, 1)]);
    party.pass(100);
    let late = |party: &mut Party| {
        let (now, lag) = (party.now, Duration::from_millis(30));
        let fleet = &mut party.relays[0].fleet;
        fleet.handle_load(now, Load { free: 400, lag });
    };
    late(&mut party);
    // Asleep for long: its lease is not its own any more, and it does not know that yet.
    party.now += Duration::from_secs(4);
    late(&mut party);
    assert_eq!(party.relays[0].fleet.standing(), Standing::Fenced);
    party.pass(10_000);
    // The same where a gateway comes in that moment.
    party.drain(0);
    party.now += Duration::from_secs(4);
    let now = party.now;
    party.relays[0]
        .fleet
        .gateway_came(now, room(1), code(room(1)), super::party::host());
    party.pass(1000);
}

#[test]
fn rooms_that_close_while_they_are_offered_do_not_keep_the_others_here() {
    let mut party = Party::ready(2);
    for number in 0..20 {
        party.enter(0, room(number), true, &[near(0, 1)]);
    }
    // Nobody answers an offer there.
    party.relays[1].asleep = true;
    party.drain(0);
    party.pass(900);
    for number in 0..20 {
        let now = party.now;
        party.relays[0].fleet.room_closed(now, room(number));
    }
    party.pass(4000);
    party.relays[1].asleep = false;
    let now = party.now;
    party.relays[0].fleet.undrain(now);
    party.pass(12_000);
    for number in 30..40 {
        party.enter(0, room(number), true, &[near(0, 1)]);
    }
    party.drain(0);
    party.pass(10_000);
    assert_eq!(moved(&party, 0, Whom::Gateway).len(), 10);
    let left = party.model.entries();
    assert!(!left.iter().any(|entry| entry.key.starts_with(b"moves/")));
}

#[test]
fn a_room_goes_where_its_host_wants_it_and_its_gateway_is_told_first() {
    let mut party = Party::ready(3);
    let at = party.enter(0, room(1), true, &[near(0, 1)]);
    party.pass(2500);
    let wanted = (at + 2) % 3;
    assert_eq!(place(&mut party, at, wanted), Ok(()));
    assert_eq!(place(&mut party, at, wanted), Err(NotPlaced::Busy));
    party.pass(400);
    assert_eq!(party.owner(room(1)), Some(wanted));
    let [gateway, clients] = [Whom::Gateway, Whom::Clients].map(|whom| moved(&party, at, whom));
    assert_eq!((gateway.len(), clients.len()), (1, 1));
    assert_eq!(clients[0].0 - gateway[0].0, Duration::from_millis(300));
    // What a host wants is nearer than anything that was measured.
    let measured = [near(at, 1), near(wanted, 0)];
    assert_eq!(party.enter(at, room(1), true, &measured), wanted);
    // To and fro is not as quick.
    assert_eq!(place(&mut party, wanted, at), Err(NotPlaced::Busy));
    party.pass(6000);
    assert_eq!(place(&mut party, wanted, at), Ok(()));
    party.pass(400);
    assert_eq!(party.owner(room(1)), Some(at));
}

#[test]
fn a_host_is_told_why_its_room_stays() {
    let mut party = Party::ready(4);
    let at = party.enter(0, room(1), true, &[near(0, 1)]);
    party.pass(2500);
    assert_eq!(place(&mut party, at, at), Err(NotPlaced::Here));
    assert_eq!(place(&mut party, at, 17), Err(NotPlaced::Unknown));
    party.drain(3);
    party.pass(100);
    assert_eq!(place(&mut party, at, 3), Err(NotPlaced::TakesNone));
    party.relays[2].asleep = true;
    assert_eq!(place(&mut party, at, 2), Ok(()));
    party.pass(2100);
    let stays = Output::Stays {
        room: room(1),
        relay: settings(2).address,
    };
    let outputs = party.relays[at].outputs.iter();
    assert_eq!(outputs.filter(|(_, output)| *output == stays).count(), 1);
    assert_eq!(party.holders(room(1)), [at], "nobody else takes it either");
    party.model.cut(party.relays[at].site, true);
    party.pass(3500);
    assert_eq!(place(&mut party, at, 1), Err(NotPlaced::NoDirectory));
}

#[test]
fn what_hosts_wish_holds_up_no_drain() {
    let mut party = Party::ready(3);
    let near = [near(0, 1), near(1, 20), near(2, 90)];
    let rooms: Vec<_> = (0..20)
        .filter(|&number| party.enter(0, room(number), true, &near) == 0)
        .collect();
    party.pass(2500);
    party.relays[2].asleep = true;
    let taken = rooms.iter().filter(|&&number| {
        let to = settings(2).address;
        let fleet = &mut party.relays[0].fleet;
        fleet.place_at(party.now, room(number), to.as_str()).is_ok()
    });
    assert_eq!(taken.count(), 8, "and no more at once");
    party.drain(0);
    party.pass(1500);
    assert!(moved(&party, 0, Whom::Gateway).len() >= 10);
    party.pass(9000);
    assert_eq!(moved(&party, 0, Whom::Gateway).len(), rooms.len());
}

fn place(party: &mut Party, at: usize, to: usize) -> Result<(), NotPlaced> {
    let to = settings(to).address;
    let placed = party.relays[at]
        .fleet
        .place_at(party.now, room(1), to.as_str());
    party.step();
    placed
}
