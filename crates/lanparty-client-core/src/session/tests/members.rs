//! Who else is here.

use super::*;
use lanparty_ctrl::{HostSecret, Pings};

fn pings(session: &mut Session, all: bool, of: &[(u16, u32)]) {
    let rtt_us = of.iter().map(|&(id, rtt)| (PeerId::new(id).unwrap(), rtt));
    let pings = Pings {
        all,
        rtt_us: rtt_us.collect(),
        loss_permille: None,
    };
    session.handle_control(Instant::now(), RelayMessage::Pings(pings));
}

/// Everybody's round trip in milliseconds, in the order of their numbers.
fn rtts(session: &Session) -> Vec<Option<u128>> {
    let members = session.members(Instant::now());
    let rtts = members.map(|member| member.rtt.map(|rtt| rtt.as_millis()));
    rtts.collect()
}

#[test]
fn everybody_else_is_known_by_name_and_mac_and_the_lan_as_such() {
    let mut session = joined();
    let ann = PeerJoined {
        name: Some("Ann".parse().unwrap()),
        ..peer_joined(OTHER_ID, Newcomer::Client(virtual_mac(OTHER)))
    };
    session.handle_control(Instant::now(), RelayMessage::PeerJoined(ann));
    pings(&mut session, true, &[(OWN_ID, 5_000), (OTHER_ID, 20_000)]);
    let lan = MemberFacts {
        name: None,
        mac: None,
        is_gateway: true,
        rtt: None,
        is_talking: false,
    };
    let ann = MemberFacts {
        name: Some("Ann".parse().unwrap()),
        mac: Some(virtual_mac(OTHER)),
        is_gateway: false,
        rtt: Some(Duration::from_millis(20)),
        is_talking: false,
    };
    let members: Vec<_> = session.members(Instant::now()).collect();
    assert_eq!(members, [ann, lan]);
    session.handle_lost_link(Instant::now());
    assert_eq!(session.members(Instant::now()).count(), 0);
}

#[test]
fn a_round_trip_holds_until_another_is_told_or_it_is_taken_back() {
    let mut session = joined();
    announce(&mut session, OTHER_ID, Newcomer::Client(virtual_mac(OTHER)));
    assert_eq!(rtts(&session), [None, None], "an older relay tells nothing");
    pings(
        &mut session,
        true,
        &[(OTHER_ID, 20_000), (GATEWAY_ID, 1_000)],
    );
    pings(&mut session, false, &[(OTHER_ID, 30_000), (777, 5_000)]);
    assert_eq!(rtts(&session), [Some(30), Some(1)]);
    pings(&mut session, true, &[(GATEWAY_ID, 1_000)]);
    assert_eq!(rtts(&session), [None, Some(1)], "players are kept apart");
    pings(&mut session, false, &[(OTHER_ID, 30_000)]);
    leave(&mut session, OTHER_ID);
    announce(&mut session, OTHER_ID, Newcomer::Client(virtual_mac(THIRD)));
    assert_eq!(rtts(&session), [None, Some(1)], "somebody else");
}

#[test]
fn what_the_relay_loses_on_the_way_here_is_known_on_this_link() {
    let (mut session, now) = (joined(), Instant::now());
    let told = |session: &Session| session.diagnostics(now).loss_permille;
    assert_eq!(told(&session), None);
    let pings = Pings {
        loss_permille: Some(20),
        ..Pings::default()
    };
    session.handle_control(now, RelayMessage::Pings(pings));
    assert_eq!(told(&session), Some(20));
    session.handle_lost_link(now);
    assert_eq!(told(&session), None);
}

#[test]
fn who_talks_is_seen_for_two_seconds() {
    let (mut session, start) = (joined(), Instant::now());
    announce(&mut session, OTHER_ID, Newcomer::Client(virtual_mac(OTHER)));
    let talking = |session: &Session, millis| {
        let members = session.members(start + Duration::from_millis(millis));
        members.map(|member| member.is_talking).collect::<Vec<_>>()
    };
    assert_eq!(talking(&session, 0), [false, false]);
    let said = datagram(OTHER_ID, &ipx(BROADCAST, OTHER));
    session.handle_datagram(start, said).unwrap();
    assert_eq!(talking(&session, 1_999), [true, false]);
    assert_eq!(talking(&session, 2_000), [false, false]);
    let forged = datagram(OTHER_ID, &ipx(BROADCAST, THIRD));
    session.handle_datagram(start, forged).unwrap_err();
    assert_eq!(talking(&session, 2_000), [false, false]);
    let from_lan = datagram(GATEWAY_ID, &ipx(OWN, LAN_HOST));
    session.handle_datagram(start, from_lan).unwrap();
    assert_eq!(talking(&session, 0), [true, true]);
}

#[test]
fn a_gateway_that_is_not_believed_is_nobody() {
    let host = HostSecret::from_random([1; 32]).host_key(&"FRIDAY".parse().unwrap());
    let session = Session::new(virtual_mac(OWN));
    let mut session = session.of_host(host.id(), "FRIDAY".parse().unwrap());
    session.challenge([7; 32]).unwrap();
    session.handle_welcome(Instant::now(), &welcome(Some(GATEWAY_ID)), budget());
    assert_eq!(session.members(Instant::now()).count(), 0);
}
