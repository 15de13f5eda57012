//! By what names people and the party are known.

use super::*;
use lanparty_ctrl::Text;

#[test]
fn a_name_is_found_however_its_letters_are_written_unless_that_means_two() {
    let mut party = controls();
    party.handle_welcome(&welcome(&[ROOM_KEYS, HOST_CONTROLS]));
    party.handle_control(&named(2, "Bert"));
    let out = |peer| [HostOrder::Kick { peer_id: id(peer) }];
    assert_eq!(done(&mut party, kick("bert")), out(2));
    party.handle_control(&named(3, "bert"));
    assert_eq!(
        done(&mut party, kick("bert")),
        out(3),
        "as it is written comes first"
    );
    let sentence = refusal(&mut party, kick("BERT"));
    assert!(sentence.starts_with("several players"), "{sentence}");
}

fn said(controls: &mut Controls, request: Request) -> String {
    match controls.handle_request(request) {
        Some(Answer::Done(sentence)) => sentence,
        _ => panic!("it is not done"),
    }
}

fn rename(who: &str, name: &str) -> Request {
    Request::Rename {
        who: Some(who.to_owned()),
        name: name.to_owned(),
    }
}

#[test]
fn the_hosts_name_for_a_player_is_shown_kept_and_means_that_player() {
    let mut party = controls();
    party.handle_welcome(&welcome(&[ROOM_KEYS, HOST_CONTROLS]));
    party.handle_control(&named(2, "Bert"));
    party.handle_control(&named(3, "Ann"));
    let sentence = said(&mut party, rename("bert", "Uncle"));
    assert!(
        sentence.starts_with("Bert (02:00:00:00:00:02)"),
        "{sentence}"
    );
    let sentence = said(&mut party, kick("UNCLE"));
    assert_eq!(sentence, "Sent Uncle (02:00:00:00:00:02) out of the room.");
    leave(&mut party, 2, LeaveReason::Kicked);
    // Kept by person, and known again.
    let kept = serde_json::to_string(party.wishes()).unwrap();
    let mut again = Controls::new(controls().room, true, serde_json::from_str(&kept).unwrap());
    assert!(again.are_followed(), "a name is no order to a relay");
    again.handle_welcome(&welcome(&[HOST_CONTROLS]));
    again.handle_control(&named(9, "Uncle"));
    again.handle_control(&named(2, "Bert"));
    assert_eq!(
        said(&mut again, kick("uncle")),
        "Sent Uncle (02:00:00:00:00:02) out of the room.",
        "a stranger who calls itself so is not meant"
    );
    let sentence = said(&mut again, rename("uncle", " "));
    assert!(sentence.contains("is called Bert again"), "{sentence}");
    let sentence = refusal(&mut again, rename("bert", &"x".repeat(33)));
    assert!(sentence.contains("1 to 32 characters"), "{sentence}");
    let sentence = refusal(&mut again, rename("nobody", "x"));
    assert!(sentence.starts_with("no player"), "{sentence}");
}

#[test]
fn names_work_without_a_link_and_have_an_end() {
    let mut party = party();
    party.handle_lost_link();
    said(&mut party, rename(&mac(2).to_string(), "Ann"));
    for number in 0..=u8::MAX {
        party.handle_welcome(&welcome(&[HOST_CONTROLS]));
        come(&mut party, 2, number);
        let who = mac(number).to_string();
        if number < u8::MAX {
            said(&mut party, rename(&who, "Ann"));
        }
    }
    come(&mut party, 2, u8::MAX);
    said(&mut party, rename(&mac(u8::MAX).to_string(), "Ann"));
    let joined = RelayMessage::PeerJoined(PeerJoined {
        peer_id: id(3),
        role: Role::Client,
        mac: Some(VirtualMac::from_random([2, 9, 9, 9, 9, 9])),
        name: None,
        identity: None,
        host_challenge: None,
        tells_groups: false,
        takes_new_keys: false,
        term: None,
    });
    party.handle_control(&joined);
    let who = VirtualMac::from_random([2, 9, 9, 9, 9, 9]).to_string();
    let sentence = refusal(&mut party, rename(&who, "Bert"));
    assert!(sentence.starts_with("as many players"), "{sentence}");
}

#[test]
fn the_partys_name_is_the_hosts_last_word_be_it_a_flag_or_an_order() {
    let flag = |name: &str| Some(Text::from(name));
    let party_of = |wishes: Wishes, name| Controls::new(controls().room, true, wishes).called(name);
    let mut party = party_of(Wishes::default(), flag("Friday"));
    assert_eq!(party.party_name(), flag("Friday").as_ref());
    let rename = |name: &str| Request::Rename {
        who: None,
        name: name.to_owned(),
    };
    said(&mut party, rename(" LAN in the cellar "));
    assert_eq!(party.party_name(), flag("LAN in the cellar").as_ref());
    let sentence = refusal(&mut party, rename(&"x".repeat(49)));
    assert!(sentence.contains("shorter"), "{sentence}");
    let again = party_of(party.wishes().clone(), flag("Friday"));
    assert_eq!(again.party_name(), flag("LAN in the cellar").as_ref());
    let changed = party_of(party.wishes().clone(), flag("Saturday"));
    assert_eq!(changed.party_name(), flag("Saturday").as_ref());
    said(&mut party, rename(""));
    assert_eq!(party.party_name(), None);
}
