//! Silence, as others are told of it. In these tests `words` says how much has come of a link.

use super::*;
use lanparty_ctrl::places::Silence;
use lanparty_ctrl::{HostSecret, Pin, Term};

fn told(relay: &mut Relay, words: impl Fn(u8) -> u64) -> Vec<(u8, u16, bool)> {
    let told = relay.registry.poll_silences(relay.now, |link| words(*link));
    let told = told.into_iter();
    told.map(|(link, Silence { peer_id, silent })| (link, peer_id.number(), silent))
        .collect()
}

/// A party of which three players know several relays.
fn party_of_several() -> (Relay, Seat, [Seat; 3]) {
    let mut relay = Relay::new();
    let room = "LANPARTY".parse().unwrap();
    let host = HostSecret::from_random([1; 32]).host_key(&room);
    relay.term = Some(Term::new(7).sign(&host, &room, &Pin::from_sha256([2; 32])));
    let gateway = relay.gateway(1);
    let players = [2, 3, 4].map(|link| relay.client(link));
    (relay, gateway, players)
}

/// Each second, so long; who has fallen silent speaks no more.
fn seconds(relay: &mut Relay, count: u64, silent: &[u8]) -> Vec<(u8, u16, bool)> {
    let begin = relay.now;
    let mut all = Vec::new();
    for _ in 0..count {
        relay.advance(Duration::from_secs(1));
        let said = relay.now.duration_since(begin).as_secs();
        let words = |link| if silent.contains(&link) { 5 } else { 5 + said };
        all.extend(told(relay, words));
    }
    all
}

#[test]
fn players_hear_that_the_gateway_is_silent_and_that_it_is_heard_again() {
    let (mut relay, gateway, _) = party_of_several();
    let number = gateway.peer.number();
    assert_eq!(told(&mut relay, |_| 5), []);
    assert_eq!(seconds(&mut relay, 2, &[1]), []);
    let of_gateway = |silent| [2, 3, 4].map(|link| (link, number, silent));
    assert_eq!(seconds(&mut relay, 1, &[1]), of_gateway(true));
    assert_eq!(seconds(&mut relay, 10, &[1]), [], "once");
    assert_eq!(seconds(&mut relay, 1, &[]), of_gateway(false));
}

#[test]
fn the_gateway_hears_of_each_player() {
    let (mut relay, _, [two, three, _]) = party_of_several();
    assert_eq!(told(&mut relay, |_| 5), []);
    let news = seconds(&mut relay, 3, &[2, 3]);
    let number = |seat: Seat| seat.peer.number();
    assert_eq!(news, [(1, number(two), true), (1, number(three), true)]);
    assert_eq!(seconds(&mut relay, 1, &[3]), [(1, number(two), false)]);
}

#[test]
fn where_the_party_has_one_relay_nobody_is_told() {
    let (mut relay, ..) = party();
    assert_eq!(told(&mut relay, |_| 5), []);
    assert_eq!(seconds(&mut relay, 10, &[1, 2]), []);
}

#[test]
fn a_gateway_that_comes_is_told_who_is_silent() {
    let (mut relay, gateway, [two, ..]) = party_of_several();
    seconds(&mut relay, 4, &[2]);
    relay.leave(gateway);
    let comes = relay.admit(9, "lanparty", Newcomer::Gateway).unwrap();
    let told = comes.steps.iter().filter_map(|step| match step {
        Step::Answer(RelayMessage::Silence(silence)) => Some((silence.peer_id, silence.silent)),
        _ => None,
    });
    assert_eq!(told.collect::<Vec<_>>(), [(two.peer, true)]);
}
