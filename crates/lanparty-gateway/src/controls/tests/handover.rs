//! A new key for those who are inside.

use super::*;
use lanparty_ctrl::{Challenge, HostSecret, PeerMessage};

const CONFIGURED: u8 = 1;

fn key(byte: u8) -> RoomKey {
    RoomKey::from_random([byte; 16])
}

/// A room with a host and this relay, in which nobody is.
fn room(abilities: &[&str]) -> Controls {
    let mut controls = controls().keyed(Some(key(CONFIGURED)));
    controls.room.host = Some(host().id());
    controls.handle_welcome(&welcome(abilities));
    controls
}

fn host() -> lanparty_ctrl::HostKey {
    HostSecret::from_random([9; 32]).host_key(&"FRIDAY".parse().unwrap())
}

/// A player whose program takes new keys, or does not.
fn arrive(controls: &mut Controls, number: u8, takes: bool) {
    let joined = RelayMessage::PeerJoined(PeerJoined {
        peer_id: id(number),
        role: Role::Client,
        mac: Some(mac(number)),
        name: None,
        identity: None,
        host_challenge: Some(Challenge::from_random([number; 32])),
        tells_groups: false,
        takes_new_keys: takes,
        term: None,
    });
    controls.handle_control(&joined);
}

fn rotate(controls: &mut Controls, byte: u8) -> String {
    let key = key(byte).reveal();
    match controls.handle_request(Request::Rotate { key }) {
        Some(Answer::Done(sentence)) => sentence,
        _ => panic!("it is not done"),
    }
}

/// Who gets what, as each player would open it with the keys that it might have.
fn handed(controls: &mut Controls) -> Vec<(u16, u8, RoomKey)> {
    let room: lanparty_ctrl::RoomCode = "FRIDAY".parse().unwrap();
    let next = std::iter::from_fn(|| controls.poll_handover());
    let opened = next.map(|handover| {
        let PeerMessage::NewKey(sealed) = handover.seal(&host(), &room, [7; 12]) else {
            panic!("it is something else");
        };
        let number = u8::try_from(sealed.peer_id.number()).unwrap();
        let to = lanparty_ctrl::new_key::Recipient {
            challenge: Challenge::from_random([number; 32]),
            client: mac(number),
            room: &room,
        };
        let opened = (0..20).find_map(|byte| {
            let new = sealed.open(&key(byte), &host().id(), &to)?;
            Some((byte, new))
        });
        let (by, new) = opened.expect("it is for this player");
        (sealed.peer_id.number(), by, new)
    });
    opened.collect()
}

#[test]
fn those_inside_get_the_new_key_sealed_with_the_one_before() {
    let mut party = room(&[HOST_CONTROLS, NEW_KEYS]);
    arrive(&mut party, 2, true);
    arrive(&mut party, 3, true);
    assert!(handed(&mut party).is_empty(), "nothing has changed");
    let said = rotate(&mut party, 5);
    assert!(said.contains("Those inside have got it"), "{said}");
    assert_eq!(
        handed(&mut party),
        [(2, CONFIGURED, key(5)), (3, CONFIGURED, key(5))]
    );
    leave(&mut party, 3, LeaveReason::Kicked);
    rotate(&mut party, 6);
    let both = [(2, 5, key(6)), (2, CONFIGURED, key(6))];
    assert_eq!(
        handed(&mut party),
        both,
        "also if the first was missed; who is out gets none"
    );
}

#[test]
fn who_comes_back_by_the_old_key_gets_the_new_one() {
    let mut party = room(&[HOST_CONTROLS, NEW_KEYS]);
    arrive(&mut party, 2, true);
    rotate(&mut party, 5);
    party.handle_lost_link();
    assert!(handed(&mut party).is_empty(), "there is no link");
    party.handle_welcome(&welcome(&[HOST_CONTROLS, NEW_KEYS]));
    arrive(&mut party, 2, true);
    assert_eq!(handed(&mut party), [(2, CONFIGURED, key(5))]);
}

#[test]
fn the_host_hears_who_did_not_get_it() {
    let mut party = room(&[HOST_CONTROLS, NEW_KEYS]);
    assert!(!rotate(&mut party, 4).contains("inside"), "nobody is");
    arrive(&mut party, 2, true);
    arrive(&mut party, 3, false);
    handed(&mut party);
    let said = rotate(&mut party, 5);
    let old = mac(3).to_string();
    assert!(
        said.contains(&format!("but not {old}, whose programs are too old")),
        "{said}"
    );
    assert!(handed(&mut party).iter().all(|(peer, ..)| *peer == 2));
    let mut old_relay = room(&[HOST_CONTROLS]);
    arrive(&mut old_relay, 2, true);
    let said = rotate(&mut old_relay, 5);
    assert!(
        said.contains("too old to hand it to those inside"),
        "{said}"
    );
    assert!(handed(&mut old_relay).is_empty());
}
