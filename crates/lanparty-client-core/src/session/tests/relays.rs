//! Whether the party may be at another relay.

use super::host::{guest, key, room, signed, vouch};
use super::*;
use lanparty_ctrl::{Pin, SignedTerm, Term};

const HERE: Pin = Pin::from_sha256([1; 32]);
const THERE: Pin = Pin::from_sha256([2; 32]);
/// How long a gateway has for its proof.
const PROVES: Duration = Duration::from_secs(2);

fn term(number: u64, relay: &Pin) -> Option<SignedTerm> {
    Some(Term::new(number).sign(&key(1), &room(), relay))
}

/// The relay with this key lets the player in, and shows a gateway with this term. Answers whether the gateway is believed once
/// it has proved to be the host's.
fn enter(session: &mut Session, relay: Pin, term: Option<SignedTerm>) -> bool {
    session.handle_lost_link(Instant::now());
    let challenge = session.challenge([7; 32]).unwrap();
    session.handle_relay_key(Some(relay));
    let shown = Welcome {
        term,
        ..welcome(Some(GATEWAY_ID))
    };
    session.handle_welcome(Instant::now(), &shown, budget());
    vouch(session, signed(&key(1), challenge, GATEWAY_ID));
    let is_believed = session.diagnostics(Instant::now()).gateway_present;
    assert_eq!(session.misses_gateway(Instant::now()), !is_believed);
    is_believed
}

#[test]
fn a_room_without_a_gateway_is_not_the_party() {
    let now = Instant::now();
    let mut session = Session::new(virtual_mac(OWN));
    assert!(!session.misses_gateway(now), "there is no link");
    session.handle_welcome(now, &welcome(None), budget());
    assert!(session.misses_gateway(now));
    announce(&mut session, GATEWAY_ID, Newcomer::Gateway);
    assert!(!session.misses_gateway(now));
    leave(&mut session, GATEWAY_ID);
    assert!(session.misses_gateway(now));
    session.handle_lost_link(now);
    assert!(!session.misses_gateway(now), "there is no link");
}

#[test]
fn a_gateway_that_proves_nothing_for_two_seconds_may_be_elsewhere() {
    let (mut session, challenge) = guest();
    let now = Instant::now();
    assert!(!session.misses_gateway(now));
    assert!(!session.misses_gateway(now + PROVES - Duration::from_millis(100)));
    assert!(session.misses_gateway(now + PROVES));
    vouch(&mut session, signed(&key(1), challenge, GATEWAY_ID));
    assert!(!session.misses_gateway(now + PROVES));
    let (mut session, challenge) = guest();
    vouch(&mut session, signed(&key(2), challenge, GATEWAY_ID));
    assert!(session.misses_gateway(now), "a stranger's");
}

#[test]
fn who_has_a_direct_path_follows_the_gateway_to_its_relay_too() {
    let mut session = joined();
    session.open_door(Instant::now(), door::door());
    leave(&mut session, GATEWAY_ID);
    assert!(session.misses_gateway(Instant::now()));
    session.handle_lost_link(Instant::now());
    assert!(!session.misses_gateway(Instant::now()), "there is no link");
}

#[test]
fn the_party_is_where_its_term_is_highest() {
    let (mut session, _) = guest();
    assert!(enter(&mut session, HERE, term(7, &HERE)));
    assert!(enter(&mut session, HERE, term(7, &HERE)), "the same stay");
    assert!(enter(&mut session, THERE, term(9, &THERE)));
    assert!(!enter(&mut session, HERE, term(7, &HERE)), "it has left");
    assert_eq!(hear(&mut session, GATEWAY_ID, OWN, LAN_HOST), Ok(false));
    assert!(enter(&mut session, THERE, term(9, &THERE)));
    // It comes back there with the next one, which the relay announces.
    leave(&mut session, GATEWAY_ID);
    announce_with(&mut session, term(8, &THERE));
    assert!(session.misses_gateway(Instant::now()), "at once");
    leave(&mut session, GATEWAY_ID);
    announce_with(&mut session, term(10, &THERE));
    assert!(!session.misses_gateway(Instant::now()), "it may prove");
}

#[test]
fn what_no_host_has_signed_for_this_relay_raises_nothing() {
    let (mut session, _) = guest();
    let guests = Term::new(99).sign(&key(2), &room(), &HERE);
    for wrong in [term(99, &THERE), Some(guests), None] {
        assert!(enter(&mut session, HERE, wrong), "older versions tell none");
    }
    assert!(enter(&mut session, HERE, term(1, &HERE)));
}

fn announce_with(session: &mut Session, term: Option<SignedTerm>) {
    let joined = PeerJoined {
        term,
        ..peer_joined(GATEWAY_ID, Newcomer::Gateway)
    };
    session.handle_control(Instant::now(), RelayMessage::PeerJoined(joined));
}
