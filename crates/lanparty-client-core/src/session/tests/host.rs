//! Whose gateway it is.

use super::*;
use lanparty_ctrl::host_key::Introduction;
use lanparty_ctrl::message::NewKey;
use lanparty_ctrl::new_key::Recipient;
use lanparty_ctrl::{HostKey, HostSecret, RoomKey};
use lanparty_obs::PlayerStatus;

pub(super) fn key(number: u8) -> HostKey {
    HostSecret::from_random([number; 32]).host_key(&room())
}

pub(super) fn room() -> RoomCode {
    "FRIDAY".parse().unwrap()
}

/// A player whose invite names host 1, in a room with a gateway; and what it has asked.
pub(super) fn guest() -> (Session, Challenge) {
    let mut session = Session::new(virtual_mac(OWN)).of_host(key(1).id(), room());
    let challenge = session.challenge([7; 32]).unwrap();
    session.handle_welcome(Instant::now(), &welcome(Some(GATEWAY_ID)), budget());
    (session, challenge)
}

/// What the host with this key signs, as the gateway with this number.
pub(super) fn signed(key: &HostKey, challenge: Challenge, gateway: u16) -> Vouched {
    let gateway = PeerId::new(gateway).unwrap();
    Vouched {
        peer_id: gateway,
        vouch: key.vouch(&Introduction {
            challenge,
            client: virtual_mac(OWN),
            gateway,
            room_id: RoomId::new(7).unwrap(),
            room: &room(),
        }),
    }
}

pub(super) fn vouch(session: &mut Session, vouched: Vouched) {
    session.handle_control(Instant::now(), RelayMessage::Vouched(vouched));
}

fn from_the_lan(session: &mut Session) -> Result<bool, DropReason> {
    hear(session, GATEWAY_ID, OWN, LAN_HOST)
}

fn status(session: &Session) -> PlayerStatus {
    session.diagnostics(Instant::now()).joined_status("FRIDAY")
}

#[test]
fn the_hosts_gateway_is_believed_and_so_is_what_it_said_before_it_was() {
    let (mut session, challenge) = guest();
    assert_eq!(from_the_lan(&mut session), Ok(false), "it waits");
    assert!(!session.diagnostics(Instant::now()).gateway_present);
    vouch(&mut session, signed(&key(1), challenge, GATEWAY_ID));
    let released = session.poll_output();
    assert!(
        matches!(released, Some(PeerOutput::Frame(_))),
        "{released:?}"
    );
    assert_eq!(from_the_lan(&mut session), Ok(true));
    assert!(session.diagnostics(Instant::now()).gateway_present);
    assert_eq!(session.counters().frames_from_relay, 2);
    assert_eq!(
        session
            .diagnostics(Instant::now())
            .drops_of(DropReason::UnprovenHost),
        0
    );
}

/// What a relay can pass off as the host's answer: somebody else's, or one to something else.
#[test]
fn no_relay_makes_a_stranger_the_hosts_gateway() {
    let (_, challenge) = guest();
    let other_challenge = Challenge::from_random([8; 32]);
    let guests = signed(&key(2), challenge, GATEWAY_ID);
    let mut borrowed = guests.clone();
    borrowed.vouch.host_key = key(1).public();
    let mut of_another_gateway = signed(&key(1), challenge, GATEWAY_ID + 1);
    of_another_gateway.peer_id = PeerId::new(GATEWAY_ID).unwrap();
    for lie in [
        guests,
        borrowed,
        of_another_gateway,
        signed(&key(1), other_challenge, GATEWAY_ID),
    ] {
        let (mut session, _) = guest();
        vouch(&mut session, lie);
        assert_eq!(from_the_lan(&mut session), Ok(false));
        assert_eq!(
            status(&session),
            PlayerStatus::StrangeGateway {
                room: "FRIDAY".into()
            }
        );
        session.handle_timeout(Instant::now() + PATIENCE);
        assert!(
            session.poll_output().is_none(),
            "nothing reaches the adapter"
        );
        assert_eq!(
            session
                .diagnostics(Instant::now())
                .drops_of(DropReason::UnprovenHost),
            1
        );
    }
}

/// A gateway whose power is out is in its room for fifteen seconds more, and so is one that stands still.
#[test]
fn a_gateway_that_says_nothing_is_waited_for_until_an_honest_relay_would_have_missed_it() {
    let (mut session, _) = guest();
    let waiting = PlayerStatus::WaitingForGateway {
        room: "FRIDAY".into(),
    };
    let now = Instant::now();
    session.handle_timeout(now + Duration::from_secs(2));
    assert_eq!(status(&session), waiting);
    for seconds in [5, 15, 19] {
        session.handle_timeout(now + Duration::from_secs(seconds));
        let silent = PlayerStatus::SilentGateway {
            room: "FRIDAY".into(),
        };
        assert_eq!(status(&session), silent, "after {seconds} s");
    }
    assert!(session.poll_timeout().unwrap() <= now + HOST_PATIENCE);
    session.handle_timeout(now + HOST_PATIENCE);
    let sentence = status(&session).to_string();
    assert!(sentence.contains("does not prove"), "{sentence}");
    leave(&mut session, GATEWAY_ID);
    assert_eq!(status(&session), waiting, "it is gone");
}

#[test]
fn a_gateway_that_wakes_and_answers_late_is_the_hosts_all_the_same() {
    let (mut session, challenge) = guest();
    session.handle_timeout(Instant::now() + HOST_PATIENCE + Duration::from_secs(1));
    vouch(&mut session, signed(&key(1), challenge, GATEWAY_ID));
    assert!(session.diagnostics(Instant::now()).gateway_present);
    assert_eq!(from_the_lan(&mut session), Ok(true));
}

#[test]
fn each_link_and_each_gateway_proves_anew() {
    let (mut session, challenge) = guest();
    let first = signed(&key(1), challenge, GATEWAY_ID);
    vouch(&mut session, first.clone());
    leave(&mut session, GATEWAY_ID);
    announce(&mut session, GATEWAY_ID + 1, Newcomer::Gateway);
    let later = hear(&mut session, GATEWAY_ID + 1, OWN, LAN_HOST);
    assert_eq!(later, Ok(false));
    vouch(&mut session, signed(&key(1), challenge, GATEWAY_ID + 1));
    let later = hear(&mut session, GATEWAY_ID + 1, OWN, LAN_HOST);
    assert_eq!(later, Ok(true));

    session.handle_lost_link(Instant::now());
    assert_ne!(session.challenge([9; 32]), Some(challenge));
    session.handle_welcome(Instant::now(), &welcome(Some(GATEWAY_ID)), budget());
    vouch(&mut session, first);
    assert_eq!(from_the_lan(&mut session), Ok(false), "an answer of before");
}

#[test]
fn what_waits_for_a_proof_is_little_and_dies_with_the_link() {
    let (mut session, _) = guest();
    for _ in 0..100 {
        assert_eq!(from_the_lan(&mut session), Ok(false));
    }
    let lost = |session: &Session| {
        session
            .diagnostics(Instant::now())
            .drops_of(DropReason::UnprovenHost)
    };
    assert_eq!(lost(&session), 100 - 16);
    session.handle_lost_link(Instant::now());
    assert_eq!(lost(&session), 100);
}

#[test]
fn players_are_heard_whoever_the_gateway_is() {
    let (mut session, _) = guest();
    announce(&mut session, OTHER_ID, Newcomer::Client(virtual_mac(OTHER)));
    assert_eq!(hear(&mut session, OTHER_ID, OWN, OTHER), Ok(true));
}

#[test]
fn who_has_an_older_invite_asks_nothing() {
    let mut session = Session::new(virtual_mac(OWN));
    assert_eq!(session.challenge([7; 32]), None);
    let mut session = joined();
    assert_eq!(from_the_lan(&mut session), Ok(true));
}

#[test]
fn the_hosts_new_key_is_taken_and_no_other() {
    let (session, challenge) = guest();
    let [old, new] = [1, 2].map(|byte| RoomKey::from_random([byte; 16]));
    let room = room();
    let sealed = |host: &HostKey, challenge| {
        let to = Recipient {
            challenge,
            client: virtual_mac(OWN),
            room: &room,
        };
        let gateway = PeerId::new(GATEWAY_ID).unwrap();
        NewKey::seal((&old, &new), host, (gateway, &to), [7; 12])
    };
    let right = sealed(&key(1), challenge);
    assert_eq!(session.open_new_key(&right, &old), Some(new.clone()));
    assert_eq!(session.open_new_key(&right, &new), None, "it has it by now");
    let forged = sealed(&key(2), challenge);
    assert_eq!(session.open_new_key(&forged, &old), None);
    let earlier = sealed(&key(1), Challenge::from_random([6; 32]));
    assert_eq!(session.open_new_key(&earlier, &old), None, "another link's");
    assert!(session.takes_new_keys());
    let stranger = Session::new(virtual_mac(OWN));
    assert!(
        !stranger.takes_new_keys(),
        "it does not know who the host is"
    );
    assert_eq!(stranger.open_new_key(&right, &old), None);
}
