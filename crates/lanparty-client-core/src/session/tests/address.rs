//! The machine's address: asked for while there is a LAN, on the session's own frames.

use super::*;
use lanparty_proto::checksum::Sum;
use std::net::Ipv4Addr;

const ADDRESS: [u8; 4] = [192, 168, 50, 100];
const SERVER: [u8; 4] = [192, 168, 50, 1];
const OFFER: u8 = 2;
const ACK: u8 = 5;

#[test]
fn a_lan_is_asked_for_an_address_as_soon_as_there_is_one() {
    let mut now = Instant::now();
    let mut session = Session::new(virtual_mac(OWN)).asking_for_address(7);
    session.handle_welcome(now, &welcome(None), budget());
    let asked = questions(&mut session, &mut now, Duration::from_secs(60));
    assert!(asked.is_empty(), "there is nobody to ask");
    announce(&mut session, GATEWAY_ID, Newcomer::Gateway);
    now = now.max(Instant::now());
    let asked = questions(&mut session, &mut now, Duration::ZERO);
    assert_eq!(kinds(&asked), [1]);
    assert!(
        asked
            .iter()
            .all(|frame| filter::outgoing(frame, virtual_mac(OWN)).is_ok())
    );
}

#[test]
fn who_has_an_address_keeps_it_over_links_and_gives_it_back_at_the_end() {
    let mut now = Instant::now();
    let mut session = bound(&mut now);
    let held = *session.held_address().unwrap();
    assert_eq!(held.address, Ipv4Addr::from(ADDRESS));
    assert!(session.take_news() && !session.take_news());
    session.handle_lost_link(now);
    assert_eq!(session.held_address(), Some(&held));
    session.handle_welcome(now, &welcome(Some(GATEWAY_ID)), budget());
    let asked = questions(&mut session, &mut now, Duration::ZERO);
    assert_eq!(kinds(&asked), [3], "whether it is good here");
    assert_eq!(session.held_address(), Some(&held));
    session.handle_shutdown(now);
    let said = frames(&mut session);
    assert_eq!((kinds(&said), &said[0][..6]), (vec![7], &LAN_HOST[..]));
}

#[test]
fn only_a_mere_machines_address_of_home_is_kept() {
    use crate::overlap::Role;
    let address = Ipv4Addr::from(ADDRESS);
    for role in [
        Role::Own,
        Role::Router,
        Role::NameServer,
        Role::Relay,
        Role::Machine,
    ] {
        let mut now = Instant::now();
        let mut session = bound(&mut now);
        now += Duration::from_secs(60);
        session.forbid_addresses(now, &[(address, role)].into());
        let is_kept = session.held_address().is_some();
        assert_eq!(is_kept, role == Role::Machine, "{role:?}");
    }
}

#[test]
fn a_lease_ends_in_the_machines_sleep_as_well() {
    let mut now = Instant::now();
    let mut session = bound(&mut now);
    assert!(session.take_news());
    session.handle_sleep(now, Duration::from_secs(1_000_000));
    session.handle_lost_link(now);
    assert_eq!(session.held_address(), None);
    session.handle_welcome(now, &welcome(Some(GATEWAY_ID)), budget());
    let asked = questions(&mut session, &mut now, Duration::ZERO);
    assert_eq!(kinds(&asked), [1]);
}

#[test]
fn an_answer_to_the_session_stays_with_it_and_anothers_reaches_the_machine() {
    let mut now = Instant::now();
    let mut session = Session::new(virtual_mac(OWN)).asking_for_address(7);
    session.handle_welcome(now, &welcome(Some(GATEWAY_ID)), budget());
    let asked = questions(&mut session, &mut now, Duration::ZERO);
    let xid = xid(&asked[0]);
    let received = session.stats.frames_from_relay;
    let own = datagram(GATEWAY_ID, &answer(OFFER, xid));
    assert_eq!(session.handle_datagram(now, own).unwrap(), None);
    assert_eq!(session.stats.frames_from_relay, received + 1);
    let others = datagram(GATEWAY_ID, &answer(OFFER, [1, 2, 3, 4]));
    assert!(session.handle_datagram(now, others).unwrap().is_some());
    // Without a client of our own everything is the machine's.
    let mut session = joined();
    let any = datagram(GATEWAY_ID, &answer(OFFER, xid));
    assert!(session.handle_datagram(now, any).unwrap().is_some());
}

#[test]
fn what_a_person_should_know_of_the_address_is_told() {
    let now = Instant::now();
    let mut session = Session::new(virtual_mac(OWN)).with_addresses(vec![ADDRESS.into()]);
    session.handle_welcome(now, &welcome(Some(GATEWAY_ID)), budget());
    let mut claim = [
        &BROADCAST[..],
        &LAN_HOST,
        &[8, 6, 0, 1, 8, 0, 6, 4, 0, 1],
        &LAN_HOST,
    ]
    .concat();
    claim.extend([&ADDRESS[..], &[0; 6], &ADDRESS].concat());
    assert!(
        hear_bytes(&mut session, &claim).unwrap(),
        "the machine hears it as well"
    );
    assert!(session.take_news());
    let notice = session.diagnostics(Instant::now()).notice.unwrap();
    assert!(
        notice.contains("192.168.50.100") && notice.contains("--address"),
        "{notice}"
    );
}

/// One whose machine has an address.
fn bound(now: &mut Instant) -> Session {
    let mut session = Session::new(virtual_mac(OWN)).asking_for_address(7);
    session.handle_welcome(*now, &welcome(Some(GATEWAY_ID)), budget());
    let asked = questions(&mut session, now, Duration::ZERO);
    let xid = xid(&asked[0]);
    for kind in [OFFER, ACK] {
        let answer = datagram(GATEWAY_ID, &answer(kind, xid));
        session.handle_datagram(*now, answer).unwrap();
    }
    questions(&mut session, now, Duration::from_secs(5));
    session
}

/// What is asked of DHCP servers in this time.
fn questions(session: &mut Session, now: &mut Instant, time: Duration) -> Vec<Vec<u8>> {
    let end = *now + time;
    let mut said = frames(session);
    while let Some(at) = session.poll_timeout().filter(|at| *at <= end) {
        *now = at.max(*now);
        session.handle_timeout(*now);
        said.extend(frames(session));
    }
    *now = end;
    said.retain(|frame| frame[12..14] == [8, 0] && frame[34..38] == [0, 68, 0, 67]);
    said
}

fn frames(session: &mut Session) -> Vec<Vec<u8>> {
    let outputs = std::iter::from_fn(|| session.poll_output());
    let frames = outputs.filter_map(|output| match output {
        PeerOutput::ToRelay(frame) => Some(frame.frame().to_vec()),
        PeerOutput::Frame(_) | PeerOutput::Message(_) => None,
    });
    frames.collect()
}

/// The messages' kinds: the first option that the client writes.
fn kinds(frames: &[Vec<u8>]) -> Vec<u8> {
    frames.iter().map(|frame| frame[284]).collect()
}

fn xid(frame: &[u8]) -> [u8; 4] {
    *frame[46..].first_chunk().unwrap()
}

fn answer(kind: u8, xid: [u8; 4]) -> Vec<u8> {
    let mut message = [&[2, 1, 6, 0][..], &xid].concat();
    message.resize(240, 0);
    message[16..20].copy_from_slice(&ADDRESS);
    message[28..34].copy_from_slice(&OWN);
    message[236..].copy_from_slice(&[99, 130, 83, 99]);
    message.extend(
        [
            &[53, 1, kind, 54, 4][..],
            &SERVER,
            &[1, 4, 255, 255, 255, 0, 51, 4, 0, 0, 14, 16, 255],
        ]
        .concat(),
    );
    let len = |more: usize| u16::try_from(message.len() + more).unwrap().to_be_bytes();
    let mut ip = [
        &[0x45, 0][..],
        &len(28),
        &[0, 0, 0, 0, 64, 17, 0, 0],
        &SERVER,
        &ADDRESS,
    ]
    .concat();
    let sum = Sum::of(&ip).checksum();
    ip[10..12].copy_from_slice(&sum.to_be_bytes());
    // A UDP checksum of zero is none.
    let udp = [&[0, 67, 0, 68][..], &len(8), &[0, 0]].concat();
    [&OWN[..], &LAN_HOST, &[8, 0], &ip, &udp, &message].concat()
}
