//! Relays that die, sleep or are cut off, and a directory that is away.

use super::Party;
use super::party::{room, settings};
use crate::fleet::*;
use crate::key::Key;
use std::time::Duration;

const PLAYER: Asker<'_> = Asker {
    gateway: false,
    near: &[],
    redirects: 0,
    looks: false,
    open: false,
};

/// A room at each relay, by its number.
fn rooms(party: &mut Party) -> Vec<RoomHash> {
    let relays = party.relays.len();
    let mut rooms = vec![None; relays];
    for number in 0..200 {
        if rooms.iter().all(Option::is_some) {
            break;
        }
        let at = party.enter(0, room(number), true, &[]);
        rooms[at] = Some(room(number));
    }
    party.pass(100);
    rooms.into_iter().flatten().collect()
}

fn lost(party: &Party, number: usize) -> Vec<(RoomHash, Lost)> {
    let outputs = party.relays[number].outputs.iter();
    let lost = outputs.filter_map(|(_, output)| match output {
        Output::RoomLost { room, why } => Some((*room, *why)),
        _ => None,
    });
    lost.collect()
}

fn fence(located: &Located) -> Fence {
    match located {
        Located::Here { fence } => *fence,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_dead_relays_rooms_are_anybodys_after_three_seconds_by_a_higher_fence() {
    let mut party = Party::ready(3);
    let rooms = rooms(&mut party);
    let before = fence(&party.locate(0, rooms[0], &PLAYER));
    party.kill(0);
    party.pass(2400);
    assert_eq!(party.owner(rooms[0]), Some(0));
    party.pass(700);
    assert_eq!(party.owner(rooms[0]), None);
    let at = party.enter(1, rooms[0], true, &[]);
    assert!(at != 0 && fence(&party.locate(at, rooms[0], &PLAYER)) > before);
}

/// A lease's end takes thousands of keys with it, the relay's own before those of its rooms.
#[test]
fn who_asks_while_the_keys_of_a_dead_relay_go_is_answered_when_they_are_gone() {
    let mut party = Party::ready(2);
    let rooms = rooms(&mut party);
    let card = Key::Relay(party.relays[0].fleet.settings.id).bytes();
    let key = Key::Room(rooms[0]).bytes();
    let revision = crate::Revision(10_000);
    let now = party.now;
    let other = &mut party.relays[1].fleet;
    let tell = |key| Event::Gone { key, revision };
    other.handle_event(now, tell(card));
    assert_eq!(other.locate(now, rooms[0], &PLAYER), Located::Ask);
    while other.poll_output().is_some() {}
    other.handle_event(now, tell(key));
    assert_eq!(other.poll_output(), Some(Output::Settled(rooms[0])));
    assert!(!matches!(
        other.locate(now, rooms[0], &PLAYER),
        Located::Refused(_) | Located::Redirect { .. }
    ));
}

#[test]
fn a_zombie_finds_its_rooms_lost_as_soon_as_it_is_awake() {
    let mut party = Party::ready(3);
    let rooms = rooms(&mut party);
    party.relays[0].asleep = true;
    party.pass(6000);
    let at = party.enter(1, rooms[0], true, &[]);
    assert_ne!(at, 0);
    party.pass(4000);
    party.relays[0].asleep = false;
    // Before it has heard anything at all it opens nothing new.
    assert_eq!(
        party.locate(0, room(999), &PLAYER),
        Located::Refused(Refusal::NoDirectory)
    );
    assert!(
        party.relays[0]
            .outputs
            .iter()
            .any(|(_, output)| *output == Output::Fenced)
    );
    party.pass(1000);
    assert!(matches!(
        party.locate(0, rooms[0], &PLAYER),
        Located::Redirect { .. }
    ));
    assert_eq!(party.owner(rooms[0]), Some(at));
    party.pass(6000);
    assert_eq!(lost(&party, 0), [(rooms[0], Lost::Moved)]);
    assert_eq!(party.relays[0].fleet.standing(), Standing::In);
}

#[test]
fn rooms_go_on_while_the_directory_is_away_for_all_and_are_still_theirs_when_it_is_back() {
    let mut party = Party::ready(3);
    let rooms = rooms(&mut party);
    party.model.set_up(false);
    party.pass(60_000);
    for (number, &here) in rooms.iter().enumerate() {
        assert_eq!(party.relays[number].fleet.standing(), Standing::Fenced);
        assert!(matches!(
            party.locate(number, here, &PLAYER),
            Located::Here { .. }
        ));
        assert_eq!(
            party.locate(number, room(999), &PLAYER),
            Located::Refused(Refusal::NoDirectory)
        );
        assert!(party.said(number).contains(&Trouble::Silent));
    }
    party.model.set_up(true);
    party.pass(2000);
    for (number, &here) in rooms.iter().enumerate() {
        assert_eq!(party.relays[number].fleet.standing(), Standing::In);
        assert_eq!(party.owner(here), Some(number));
        assert_eq!(lost(&party, number), []);
        assert!(party.said(number).contains(&Trouble::Back));
    }
    party.enter(0, room(999), true, &[]);
}

#[test]
fn a_directory_made_anew_gets_everything_back_by_higher_fences() {
    let mut party = Party::ready(3);
    let rooms = rooms(&mut party);
    let before: Vec<_> = (0..3)
        .map(|number| fence(&party.locate(number, rooms[number], &PLAYER)))
        .collect();
    party.model.set_up(false);
    party.pass(5000);
    party.model.wipe();
    party.model.set_up(true);
    party.pass(3000);
    for number in 0..3 {
        assert_eq!(party.owner(rooms[number]), Some(number));
        assert!(fence(&party.locate(number, rooms[number], &PLAYER)) > before[number]);
        assert_eq!(lost(&party, number), []);
        assert!(party.said(number).contains(&Trouble::AnotherDirectory));
    }
    let claim = format!("claims/{}", rooms[0]);
    assert!(party.model.value(claim.as_bytes()).is_some());
}

#[test]
fn a_relay_that_alone_is_cut_off_keeps_its_rooms_until_somebody_else_has_them() {
    let mut party = Party::ready(3);
    let rooms = rooms(&mut party);
    let site = party.relays[0].site;
    party.model.cut(site, true);
    party.pass(8000);
    assert!(matches!(
        party.locate(0, rooms[0], &PLAYER),
        Located::Here { .. }
    ));
    assert_eq!(party.owner(rooms[0]), None);
    let at = party.enter(1, rooms[0], true, &[]);
    party.model.cut(site, false);
    party.pass(2000);
    assert!(matches!(
        party.locate(0, rooms[0], &PLAYER),
        Located::Redirect { .. }
    ));
    assert_eq!(party.owner(rooms[0]), Some(at));
}

#[test]
fn a_relay_that_alone_was_cut_off_puts_its_rooms_back_where_nobody_took_them() {
    let mut party = Party::ready(3);
    let rooms = rooms(&mut party);
    let before = fence(&party.locate(0, rooms[0], &PLAYER));
    let site = party.relays[0].site;
    party.model.cut(site, true);
    party.pass(8000);
    party.model.cut(site, false);
    party.pass(2000);
    assert_eq!(party.owner(rooms[0]), Some(0));
    let after = fence(&party.locate(0, rooms[0], &PLAYER));
    assert!(after > before);
    let refenced = Output::Refenced {
        room: rooms[0],
        fence: after,
    };
    assert!(
        party.relays[0]
            .outputs
            .iter()
            .any(|(_, output)| *output == refenced)
    );
    assert_eq!(lost(&party, 0), []);
}

#[test]
fn a_relay_that_shall_close_closes_before_its_lease_can_end() {
    let mut party = Party::new(0);
    let at = party.add(Settings {
        on_loss: OnLoss::Close,
        ..settings(0)
    });
    party.pass(6000);
    party.enter(at, room(1), true, &[]);
    party.model.set_up(false);
    party.pass(1900);
    assert_eq!(lost(&party, at), []);
    party.pass(650);
    assert_eq!(lost(&party, at), [(room(1), Lost::NoDirectory)]);
    party.model.set_up(true);
    party.pass(2000);
    assert_eq!(party.enter(at, room(1), true, &[]), at);
}

#[test]
fn a_slow_directory_is_a_directory() {
    let mut party = Party::ready(3);
    for number in 0..3 {
        let site = party.relays[number].site;
        party.model.set_delay(site, Duration::from_millis(200));
    }
    party.pass(1000);
    for number in 0..20 {
        let start = party.since_start();
        party.enter(0, room(number), true, &[]);
        assert!(party.since_start() - start < Duration::from_millis(450));
    }
    party.pass(60_000);
    for number in 0..3 {
        assert_eq!(party.said(number), []);
        assert_eq!(party.relays[number].fleet.counts().fenced, 0);
    }
}

#[test]
fn a_directory_slower_than_an_answer_may_be_is_none() {
    let mut party = Party::ready(1);
    let site = party.relays[0].site;
    party.model.set_delay(site, Duration::from_secs(4));
    party.pass(5000);
    assert_eq!(party.relays[0].fleet.standing(), Standing::Fenced);
    party.model.set_delay(site, Duration::from_millis(2));
    party.pass(8000);
    assert_eq!(party.relays[0].fleet.standing(), Standing::In);
}

#[test]
fn a_directory_made_anew_is_known_though_it_has_the_old_ones_name_and_as_many_revisions() {
    for changes in [0, 1000] {
        let mut party = Party::ready(2);
        let rooms = rooms(&mut party);
        let before = fence(&party.locate(0, rooms[0], &PLAYER));
        let site = party.relays[0].site;
        party.model.cut(site, true);
        party.pass(500);
        party.model.wipe();
        for _ in 0..changes {
            party.model.scribble(b"fleet/other", b"busy");
        }
        party.pass(500);
        party.model.cut(site, false);
        party.pass(3000);
        assert!(party.said(0).contains(&Trouble::AnotherDirectory));
        assert_eq!(party.owner(rooms[0]), Some(0));
        assert!(fence(&party.locate(0, rooms[0], &PLAYER)) > before);
    }
}

#[test]
fn no_fence_is_made_of_what_a_lost_directory_had_counted() {
    let mut party = Party::ready(2);
    let rooms = rooms(&mut party);
    let site = party.relays[0].site;
    party.model.cut(site, true);
    party.model.wipe();
    party.pass(1000);
    party.model.cut(site, false);
    party.relays[0].outputs.clear();
    party.pass(2000);
    let fences = party.relays[0].outputs.iter();
    let fences = fences.filter_map(|(_, output)| match output {
        Output::Refenced { room, fence } if *room == rooms[0] => Some(*fence),
        _ => None,
    });
    let fences: Vec<Fence> = fences.collect();
    assert_eq!(fences, [fence(&party.locate(0, rooms[0], &PLAYER))]);
}

#[test]
fn another_directory_is_filled_as_an_emptied_one_is() {
    let mut party = Party::ready(2);
    let rooms = rooms(&mut party);
    party.model.replace();
    party.pass(3000);
    assert_eq!(party.owner(rooms[0]), Some(0));
    assert_eq!(party.owner(rooms[1]), Some(1));
    assert_eq!(lost(&party, 0), []);
}

#[test]
fn who_is_refused_comes_in_once_the_directory_is_the_fleets_and_a_member_too() {
    let mut party = Party::ready(1);
    let at = party.add(Settings {
        secret: FleetSecret::new("another one than all of them").unwrap(),
        ..settings(1)
    });
    party.pass(100);
    let standing = |party: &Party, at: usize| party.relays[at].fleet.standing();
    assert_eq!(standing(&party, at), Standing::Refused);
    assert!(party.said(at).contains(&Trouble::WrongSecret));
    party.kill(0);
    party.model.wipe();
    party.pass(6000);
    assert_eq!(standing(&party, at), Standing::In);
    // What is no fleet's, in the first moment of a directory that was made anew.
    party.model.wipe();
    party.model.scribble(b"fleet", b"mine");
    party.pass(10_000);
    assert!(party.said(at).contains(&Trouble::NotAFleet));
    assert_ne!(standing(&party, at), Standing::In);
    party.model.erase(b"fleet");
    party.pass(6000);
    assert_eq!(standing(&party, at), Standing::In);
}
