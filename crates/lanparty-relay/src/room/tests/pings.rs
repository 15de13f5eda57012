//! Round trips, as players are told them. In these tests it is what `rtts` says, in milliseconds by link.

use super::*;
use crate::room::pings::ROUND;
use crate::testing::client;
use lanparty_ctrl::Pings;
use lanparty_obs::Packets;

/// What the players are told now, and the round trips in it in milliseconds.
fn told(relay: &mut Relay, rtts: impl Fn(u8) -> u64) -> Vec<(u8, Pings)> {
    told_with(relay, rtts, |_| Packets::default())
}

fn told_with(
    relay: &mut Relay,
    rtts: impl Fn(u8) -> u64,
    packets: impl Fn(u8) -> Packets,
) -> Vec<(u8, Pings)> {
    let path = |link: &u8| {
        Some(Path {
            rtt: Duration::from_millis(rtts(*link)),
            packets: packets(*link),
        })
    };
    relay.registry.poll_pings(relay.now, path)
}

fn pings(all: bool, of: &[(Seat, u32)]) -> Pings {
    let rtt_us = of.iter().map(|&(seat, ms)| (seat.peer, 1000 * ms));
    Pings {
        all,
        rtt_us: rtt_us.collect(),
        loss_permille: None,
    }
}

#[test]
fn players_hear_of_all_at_once_and_then_every_five_seconds_of_what_has_changed() {
    let (mut relay, gateway, [two, three, four]) = party();
    let all = pings(true, &[(gateway, 1), (two, 20), (three, 30), (four, 40)]);
    let rtts = |link| if link == 1 { 1 } else { 10 * u64::from(link) };
    let expected = [2, 3, 4].map(|link| (link, all.clone()));
    assert_eq!(told(&mut relay, rtts), expected, "the gateway is not told");
    let worse = |link| if link == 3 { 300 } else { rtts(link) };
    relay.advance(ROUND - Duration::from_millis(1));
    assert_eq!(told(&mut relay, worse), []);
    relay.advance(Duration::from_millis(1));
    let change = pings(false, &[(three, 300)]);
    let expected = [2, 3, 4].map(|link| (link, change.clone()));
    assert_eq!(told(&mut relay, worse), expected);
    relay.advance(ROUND);
    assert_eq!(told(&mut relay, worse), [], "nothing has changed");
}

#[test]
fn jitter_is_no_news() {
    let (mut relay, ..) = party();
    told(&mut relay, |_| 20);
    for (rtt, is_news) in [
        (21, false),
        (22, false),
        (23, true),
        (20, true),
        (18, false),
    ] {
        relay.advance(ROUND);
        assert_eq!(!told(&mut relay, |_| rtt).is_empty(), is_news, "{rtt}");
    }
    relay.advance(ROUND);
    told(&mut relay, |_| 200);
    for (rtt, is_news) in [(225, false), (226, true)] {
        relay.advance(ROUND);
        assert_eq!(!told(&mut relay, |_| rtt).is_empty(), is_news, "{rtt}");
    }
}

#[test]
fn a_newcomer_is_told_of_at_once_and_hears_of_all() {
    let (mut relay, gateway, [two, three, four]) = party();
    told(&mut relay, |_| 20);
    relay.advance(Duration::from_secs(1));
    let five = relay.client(5);
    let news = pings(false, &[(five, 50)]);
    let rtts = |link| if link == 5 { 50 } else { 90 };
    let all = [
        (gateway, 20),
        (two, 20),
        (three, 20),
        (four, 20),
        (five, 50),
    ];
    let expected = [
        (2, news.clone()),
        (3, news.clone()),
        (4, news),
        (5, pings(true, &all)),
    ];
    assert_eq!(told(&mut relay, rtts), expected, "the others in their time");
}

#[test]
fn an_older_peer_is_told_nothing_and_told_of() {
    let mut relay = Relay::new();
    relay.takes_pings = false;
    let two = relay.client(2);
    let unasked = |_: &u8| -> Option<Path> { panic!("nobody wants to know") };
    assert_eq!(relay.registry.poll_pings(relay.now, unasked), []);
    relay.takes_pings = true;
    let three = relay.client(3);
    let all = pings(true, &[(two, 20), (three, 20)]);
    assert_eq!(told(&mut relay, |_| 20), [(3, all)]);
}

#[test]
fn players_who_are_kept_apart_hear_of_the_lan_alone() {
    let (mut relay, gateway, [two, three, four]) = party();
    let isolate = |relay: &mut Relay, isolated| {
        let order = HostOrder::Isolate { isolated };
        let obeyed = relay.registry.handle_order(relay.now, gateway, order);
        obeyed.unwrap();
    };
    told(&mut relay, |_| 20);
    isolate(&mut relay, true);
    let lan = pings(true, &[(gateway, 20)]);
    let expected = [2, 3, 4].map(|link| (link, lan.clone()));
    assert_eq!(told(&mut relay, |_| 20), expected, "the rest is taken back");
    relay.advance(ROUND);
    assert_eq!(told(&mut relay, |link| if link == 1 { 20 } else { 90 }), []);
    isolate(&mut relay, false);
    let all = pings(true, &[(gateway, 20), (two, 90), (three, 90), (four, 90)]);
    let expected = [2, 3, 4].map(|link| (link, all.clone()));
    assert_eq!(
        told(&mut relay, |link| if link == 1 { 20 } else { 90 }),
        expected
    );
}

#[test]
fn a_round_is_short_and_everybody_has_a_turn() {
    let limits = crate::registry::Limits {
        peers_per_address: 200,
        clients_per_room: 200,
        ..Default::default()
    };
    let mut relay = Relay::with(limits);
    for link in 0..150 {
        relay.admit(link, "lanparty", client(link)).unwrap();
    }
    let mut heard = Vec::new();
    for round in 0..3 {
        // All of them change all the time.
        let told = told(&mut relay, |_| 20 + 100 * round);
        assert_eq!(told.len(), 150);
        let (_, pings) = &told[0];
        assert!(pings.rtt_us.len() <= 64, "{}", pings.rtt_us.len());
        heard.extend(pings.rtt_us.iter().map(|(peer, _)| peer.number()));
        relay.advance(ROUND);
    }
    heard.sort_unstable();
    heard.dedup();
    assert_eq!(heard.len(), 150);
}

#[test]
fn a_player_is_told_what_got_lost_on_the_way_to_it_and_nobody_else_is() {
    let (mut relay, ..) = party();
    let lost = |relay: &mut Relay, sent, lost| {
        relay.advance(ROUND);
        let packets = |link| Packets {
            sent,
            lost: if link == 3 { lost } else { 0 },
        };
        told_with(relay, |_| 20, packets)
    };
    lost(&mut relay, 0, 0);
    let with = |loss_permille| Pings {
        loss_permille: Some(loss_permille),
        ..Pings::default()
    };
    let news = lost(&mut relay, 1000, 20);
    assert_eq!(news, [(2, with(0)), (3, with(20)), (4, with(0))]);
    let news = lost(&mut relay, 2000, 40);
    assert_eq!(news, [], "it is as it was");
    let news = lost(&mut relay, 4000, 40);
    assert_eq!(news, [(3, with(10))]);
}
