//! What the machine asks of the LAN while the direct path is all there is.

use super::*;

const OWN_IP: [u8; 4] = [10, 0, 0, 2];
const HOST_IP: [u8; 4] = [10, 0, 0, 1];
const STRANGE_IP: [u8; 4] = [10, 0, 0, 8];
const ANY: [u8; 4] = [0; 4];
const REQUEST: u8 = 1;
const REPLY: u8 = 2;

/// The player is in, has a direct path, and has heard by the relay which hardware a machine of the LAN has.
fn with_door() -> Session {
    let mut session = joined();
    session.open_door(Instant::now(), door());
    let said = arp(OWN, REPLY, (LAN_HOST, HOST_IP), OWN_IP);
    hear_bytes(&mut session, &said).unwrap();
    session
}

pub(super) fn door() -> Door {
    Door {
        player: virtual_mac(OWN),
        client: PeerId::new(OWN_ID).unwrap(),
        gateway: PeerId::new(GATEWAY_ID).unwrap(),
        room: RoomId::new(7).unwrap(),
    }
}

fn arp(to: [u8; 6], operation: u8, (mac, ip): ([u8; 6], [u8; 4]), wanted: [u8; 4]) -> Vec<u8> {
    let mut frame = [to, mac].concat();
    frame.extend([8, 6, 0, 1, 8, 0, 6, 4, 0, operation]);
    frame.extend(mac);
    frame.extend(ip);
    frame.extend([0; 6]);
    frame.extend(wanted);
    frame
}

/// Which hardware the machine hears to have an address that it asks for.
fn asks(session: &mut Session, to: [u8; 6], own: [u8; 4], wanted: [u8; 4]) -> Option<Vec<u8>> {
    asks_with(session, &arp(to, REQUEST, (OWN, own), wanted))
}

fn asks_with(session: &mut Session, frame: &[u8]) -> Option<Vec<u8>> {
    while session.poll_output().is_some() {}
    let sent = session.handle_frame(Instant::now(), &mut FrameBuf::from_frame(frame));
    assert_eq!(sent, Ok(()));
    match session.poll_output()? {
        PeerOutput::Frame(answer) => Some(answer[6..12].to_vec()),
        other => panic!("{other:?}"),
    }
}

fn knows(session: &mut Session) -> bool {
    let answers = [BROADCAST, LAN_HOST].map(|to| asks(session, to, OWN_IP, HOST_IP));
    assert_eq!(answers[0], answers[1], "whoever is asked");
    let [answer, _] = answers;
    assert!(answer.as_ref().is_none_or(|mac| *mac == LAN_HOST));
    answer.is_some()
}

#[test]
fn who_is_asked_for_on_the_lan_is_answered_for_while_no_relay_takes_the_question() {
    let mut session = with_door();
    assert!(!knows(&mut session), "with a relay the LAN answers itself");
    session.handle_lost_link(Instant::now());
    assert!(knows(&mut session));
    assert_eq!(asks(&mut session, BROADCAST, OWN_IP, STRANGE_IP), None);
    assert_eq!(asks(&mut session, BROADCAST, ANY, OWN_IP), None, "its own");
    assert_eq!(
        asks(&mut session, BROADCAST, OWN_IP, OWN_IP),
        None,
        "its own"
    );
    let taken = asks(&mut session, BROADCAST, ANY, HOST_IP);
    assert_eq!(taken, Some(LAN_HOST.to_vec()), "it is another's");
    session.handle_welcome(Instant::now(), &welcome(Some(GATEWAY_ID)), budget());
    assert!(!knows(&mut session), "there is a relay again");
}

#[test]
fn neighbour_discovery_is_answered_too() {
    let (own, host) = ([0xfe; 16], [0xfd; 16]);
    let message = |to: [u8; 6], mac: [u8; 6], from: [u8; 16], kind, flags, named: [u8; 16]| {
        let mut frame = [to, mac].concat();
        frame.extend([0x86, 0xdd, 0x60, 0, 0, 0, 0, 24, 58, 255]);
        frame.extend([from, host].concat());
        frame.extend([kind, 0, 0, 0, flags, 0, 0, 0]);
        frame.extend(named);
        frame
    };
    let mut session = with_door();
    let said = message(OWN, LAN_HOST, host, 136, 0x60, host);
    hear_bytes(&mut session, &said).unwrap();
    let question = message([0x33, 0x33, 0xff, 0xfd, 0xfd, 0xfd], OWN, own, 135, 0, host);
    assert_eq!(asks_with(&mut session, &question), None);
    session.handle_lost_link(Instant::now());
    assert_eq!(asks_with(&mut session, &question), Some(LAN_HOST.to_vec()));
}

#[test]
fn whose_packets_come_by_the_door_is_known_as_well() {
    let mut session = joined();
    session.open_door(Instant::now(), door());
    session.handle_lost_link(Instant::now());
    assert!(!knows(&mut session));
    let packet = datagram(GATEWAY_ID, &syn(OWN, LAN_HOST));
    let heard = session.handle_direct(Instant::now(), virtual_mac(OWN), packet);
    assert!(heard.unwrap().is_some());
    assert!(knows(&mut session));
}

#[test]
fn when_the_gateway_alone_loses_the_relay_its_lan_is_answered_for_and_not_when_it_has_left() {
    let mut session = with_door();
    leave(&mut session, GATEWAY_ID);
    assert!(knows(&mut session));
    session.close_door(Instant::now(), virtual_mac(OWN));
    assert!(!knows(&mut session));
    // Whoever comes then may be on another LAN.
    session.open_door(Instant::now(), door());
    assert!(!knows(&mut session));
}

#[test]
fn players_are_not_answered_for_nor_believed() {
    let mut session = with_door();
    let other = Newcomer::Client(virtual_mac(OTHER));
    announce(&mut session, OTHER_ID, other);
    let said = arp(OWN, REPLY, (OTHER, STRANGE_IP), OWN_IP);
    let said = session.handle_datagram(Instant::now(), datagram(OTHER_ID, &said));
    assert!(said.unwrap().is_some());
    session.handle_lost_link(Instant::now());
    assert_eq!(asks(&mut session, BROADCAST, OWN_IP, STRANGE_IP), None);
}

#[test]
fn who_asks_in_vain_is_answered_for_a_machine_that_is_there_before_the_relay_is_known_to_be_gone() {
    let mut session = with_door();
    for _ in 0..3 {
        assert_eq!(asks(&mut session, BROADCAST, OWN_IP, HOST_IP), None);
    }
    let packet = datagram(GATEWAY_ID, &syn(OWN, LAN_HOST));
    let heard = session.handle_direct(Instant::now(), virtual_mac(OWN), packet);
    assert!(heard.unwrap().is_some());
    let said = arp(OWN, REPLY, (LAN_HOST, HOST_IP), OWN_IP);
    for _ in 0..2 {
        hear_bytes(&mut session, &said).unwrap();
        assert_eq!(asks(&mut session, BROADCAST, OWN_IP, HOST_IP), None);
    }
    let answer = asks(&mut session, LAN_HOST, OWN_IP, HOST_IP);
    assert_eq!(answer, Some(LAN_HOST.to_vec()));
}
