//! Directories that are lost, made anew, set back or written over, and what is written there for whom.

use super::Party;
use super::party::{near, room, settings};
use crate::fleet::*;
use std::time::Duration;

fn fence(party: &Party, number: usize, room: RoomHash) -> Fence {
    party.relays[number].fleet.fence_of(&room).unwrap()
}

fn offers(party: &Party) -> usize {
    let entries = party.model.entries();
    let offers = entries.iter();
    offers
        .filter(|entry| entry.key.starts_with(b"moves/"))
        .count()
}

#[test]
fn who_has_not_heard_that_the_directory_is_another_one_has_no_room_there_by_a_lower_fence() {
    let mut party = Party::ready(2);
    for _ in 0..1000 {
        party.model.scribble(b"diary", b"a busy directory");
    }
    let here = room(1);
    let at = party.enter(0, here, true, &[]);
    party.pass(100);
    let before = fence(&party, at, here);
    let other = 1 - at;
    let sent_here = Asker {
        gateway: true,
        redirects: 1,
        ..Asker::default()
    };
    party.hello(other, room(2), &sent_here);
    let closed = fence(&party, other, room(2));
    party.relays[other].fleet.room_closed(party.now, room(2));
    party.pass(1500);
    // One is cut off with its room; the other asks the new directory before it hears of it.
    let (site, deaf) = (party.relays[at].site, party.relays[other].site);
    party.model.cut(site, true);
    party.model.set_pause(deaf, Duration::from_secs(30));
    party.model.wipe();
    party.pass(1500);
    party.hello(other, room(2), &sent_here);
    assert!(fence(&party, other, room(2)) > closed);
    party.model.set_pause(deaf, Duration::ZERO);
    party.pass(30_000);
    assert_eq!(party.enter(other, here, true, &[]), other);
    assert!(fence(&party, other, here) > before);
}

#[test]
fn who_lets_a_room_go_takes_away_nothing_that_is_anothers_in_a_directory_made_anew() {
    let mut party = Party::ready(2);
    let here = room(1);
    let at = party.enter(0, here, true, &[]);
    party.pass(100);
    let key = format!("rooms/{here}");
    let held = party.model.revision_of(key.as_bytes()).unwrap();
    let other = 1 - at;
    let (site, deaf) = (party.relays[other].site, party.relays[at].site);
    party.model.set_pause(deaf, Duration::from_secs(30));
    party.model.wipe();
    // The same key by the same revision, and another's.
    let owner = format!(r#"{{"relay":"{}"}}"#, party.relays[other].fleet.id());
    party.model.cut(site, true);
    while party.model.revision_of(key.as_bytes()) != Some(held) {
        party.model.scribble(key.as_bytes(), owner.as_bytes());
    }
    party.relays[at].fleet.room_closed(party.now, here);
    party.pass(1100);
    assert_eq!(party.owner(here), Some(other));
}

#[test]
fn a_directory_that_is_as_it_was_once_counts_from_a_higher_base() {
    let mut party = Party::ready(2);
    let here = room(1);
    let at = party.enter(0, here, true, &[]);
    party.pass(100);
    let before = fence(&party, at, here);
    let mut view = View::default();
    for entry in party.model.entries() {
        view.read(entry);
    }
    let event = Event::Snapshot {
        cluster: 1,
        revision: crate::Revision(2),
        view: Box::new(view),
    };
    party.relays[at].fleet.handle_event(party.now, event);
    party.pass(2000);
    assert!(party.said(at).contains(&Trouble::AnotherDirectory));
    assert!(fence(&party, at, here) > before);
    assert_eq!(party.owner(here), Some(at));
    // The other one goes along.
    let there = party.enter(1 - at, here, false, &[]);
    assert_eq!(there, at);
    party.enter(1 - at, room(5), true, &[]);
}

#[test]
fn a_view_from_before_a_write_of_its_own_is_of_the_same_directory() {
    let mut party = Party::ready(2);
    let at = party.enter(0, room(1), true, &[]);
    let there = party.enter(at, room(2), true, &[near(at, 1), near(1 - at, 200)]);
    assert_eq!(there, at, "near that one");
    party.pass(100);
    let before = fence(&party, at, room(2));
    let taken = party.relays[at].fleet.view.clone();
    let deaf = party.relays[at].site;
    party.model.set_pause(deaf, Duration::from_secs(30));
    party.model.cut(deaf, true);
    party.model.cut(deaf, false);
    party.relays[at].fleet.room_closed(party.now, room(1));
    party.pass(1500);
    assert_eq!(party.owner(room(1)), None, "its key is gone");
    let event = Event::Snapshot {
        cluster: 1,
        revision: taken.revision,
        view: Box::new(taken),
    };
    party.relays[at].fleet.handle_event(party.now, event);
    party.pass(2000);
    assert_eq!(party.said(at), []);
    assert_eq!(fence(&party, at, room(2)), before);
}

#[test]
fn rubbish_over_what_all_agree_on_is_mended_by_who_is_in_and_said() {
    let mut party = Party::ready(2);
    let at = party.enter(0, room(1), true, &[]);
    party.pass(100);
    let before = fence(&party, at, room(1));
    party.model.scribble(b"fleet", b"{\"check\":7}");
    party.pass(1000);
    assert!(party.said(0).contains(&Trouble::NotAFleet));
    assert!(party.said(1).contains(&Trouble::NotAFleet));
    assert!(fence(&party, at, room(1)) > before);
    party.enter(0, room(2), true, &[]);
    // And not more often than each five seconds, whoever writes how often.
    let requests = party.model.requests();
    for _ in 0..200 {
        party.model.scribble(b"fleet", b"mine");
        party.pass(10);
    }
    assert!(party.model.requests() - requests < 600);
    party.pass(11_000);
    party.enter(0, room(3), true, &[]);
}

#[test]
fn an_offer_that_could_not_be_withdrawn_is_when_the_directory_is_back() {
    let mut party = Party::ready(2);
    let at = party.enter(0, room(1), true, &[]);
    party.pass(100);
    party.relays[1 - at].asleep = true;
    party.drain(at);
    party.pass(1500);
    assert_eq!(offers(&party), 1);
    let now = party.now;
    party.relays[at].fleet.undrain(now);
    party.model.set_up(false);
    party.pass(1000);
    party.model.set_up(true);
    party.pass(2500);
    assert_eq!(offers(&party), 0);
    assert_eq!(party.owner(room(1)), Some(at));
}

#[test]
fn rooms_that_close_while_the_directory_is_away_are_taken_out_of_it_when_it_is_back() {
    let mut party = Party::new(0);
    let at = party.add(settings(0));
    party.pass(6000);
    for number in 0..200 {
        party.enter(at, room(number), true, &[]);
    }
    party.pass(100);
    party.model.set_up(false);
    for number in 0..200 {
        party.relays[at].fleet.room_closed(party.now, room(number));
    }
    party.pass(4000);
    let asked = party.model.requests();
    party.pass(20_000);
    assert!(
        party.model.requests() - asked < 100,
        "it does not ask again and again what nobody answers"
    );
    party.model.set_up(true);
    party.pass(3000);
    assert_eq!(party.owner(room(7)), None);
    assert_eq!(party.relays[at].fleet.relays()[0].rooms, 0);
}
