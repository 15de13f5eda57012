//! Wishes beyond what a room keeps.

use super::*;
use crate::controls::names::Label;
use crate::controls::requests::FULL_OF_MUTED;
use lanparty_ctrl::message::{Hello, Newcomer};
use lanparty_ctrl::{ChannelBinding, PeerMessage, codec};
use lanparty_gateway_control::Ban;

/// More than any relay takes, as another version or a person may have written it.
fn too_much() -> Wishes {
    let person = |number: u32| {
        let [a, b, c, d] = number.to_be_bytes();
        VirtualMac::from_random([2, 0, a, b, c, d])
    };
    let ban = |number: u32| Ban {
        who: Person::Identity(Fingerprint::from_sha256(
            [number.to_be_bytes(); 8].concat().try_into().unwrap(),
        )),
        mac: Some(person(number)),
        name: Some("\u{1f3ae}".repeat(32).parse().unwrap()),
    };
    Wishes {
        guests: Some((0..5000).map(person).collect()),
        isolated: true,
        muted: (0..5000).map(|number| ban(number).who).collect(),
        banned: (0..5000).map(ban).collect(),
        labels: (0..5000)
            .map(|number| Label {
                who: ban(number).who,
                name: "\u{1f3ae}".repeat(32).parse().unwrap(),
            })
            .collect(),
        ..Wishes::default()
    }
}

#[test]
fn whatever_is_kept_the_hello_fits_and_the_latest_bans_are_in_it() {
    let controls = Controls::new(controls().room, true, too_much());
    let said: Vec<_> = controls.reminders().collect();
    assert!(said[0].contains("4744 of the oldest bans"), "{}", said[0]);
    assert_eq!(said.len(), 2);
    let budget = lanparty_proto::DatagramBudget::new(9000).unwrap();
    let key = RoomKey::from_random([7; 16]);
    let mut hello = Hello {
        orders: controls.standing_orders(),
        name: Some("\u{1f3ae}".repeat(200).into()),
        access_token: Some("t".repeat(128).parse().unwrap()),
        resume_token: Some(ResumeToken::from_random([1; 16])),
        ..Hello::new(&"A".repeat(32).parse().unwrap(), Newcomer::Gateway, budget)
    };
    hello.prove(&key.admission_key(), ChannelBinding([7; 32]));
    let encoded = codec::encode(&PeerMessage::Hello(Box::new(hello))).unwrap();
    assert!(encoded.len() < codec::MAX_LEN * 3 / 4, "{}", encoded.len());
    let latest = too_much().banned.pop().unwrap();
    assert_eq!(controls.wishes().banned.last(), Some(&latest));
    let file = serde_json::to_vec(controls.wishes()).unwrap();
    assert!(file.len() < 256 * 1024, "{}", file.len());
    // What is kept can be ordered again, and not more.
    let mut full = controls;
    full.handle_welcome(&welcome(&[HOST_CONTROLS]));
    come(&mut full, 2, 77);
    let who = mac(77).to_string();
    let mute = |on| Request::Mute {
        who: who.clone(),
        on,
    };
    assert_eq!(refusal(&mut full, mute(true)), FULL_OF_MUTED);
    assert!(refusal(&mut full, ban(&who)).contains("unban"));
    assert_eq!(full.wishes().clone().trim(), None);
}
