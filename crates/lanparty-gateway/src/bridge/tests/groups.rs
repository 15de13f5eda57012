use super::*;

const IGMP: [u8; 2] = [0x08, 0x00];

/// What has gone onto the LAN, and what into the room, since the last look.
fn said(party: &mut Party) -> (Vec<Bytes>, Vec<Vec<u8>>) {
    party.bridge.handle_timeout(party.now);
    let (mut lan, mut room) = (Vec::new(), Vec::new());
    for output in party.outputs() {
        match output {
            PeerOutput::Frame(frame) if frame[12..14] != [0x88, 0xb5] => lan.push(frame),
            PeerOutput::ToRelay(frame) => room.push(frame.frame().to_vec()),
            PeerOutput::Frame(_) | PeerOutput::Message(_) => {}
        }
    }
    (lan, room)
}

fn reports(party: &mut Party) -> Vec<Bytes> {
    said(party).0
}

#[test]
fn players_reports_stay_here_and_one_of_the_gateways_own_goes_out() {
    let mut party = Party::new();
    party.join_telling(ALICE);
    party.join_telling(BOB);
    for (id, mac) in [ALICE, BOB] {
        assert_eq!(party.client_says(id, &report(mac, 0x16)), Ok(None));
    }
    let frames = reports(&mut party);
    assert_eq!(frames.len(), 1);
    assert_eq!(frames[0][6..14], [&NIC.octets()[..], &IGMP].concat());
    assert_eq!(frames[0][frames[0].len() - 4..], [239, 1, 2, 3]);
    assert_eq!(party.bridge.counters().drops.total(), 0);
    assert!(party.bridge.poll_timeout().unwrap() <= party.now + Duration::from_secs(1));
    party.client_says(ALICE.0, &report(ALICE.1, 0x17)).unwrap();
    party.advance(Duration::from_secs(1));
    assert_eq!(reports(&mut party).len(), 1, "once again, and no leave");
    party.client_says(BOB.0, &report(BOB.1, 0x17)).unwrap();
    let frames = reports(&mut party);
    let record = frames[0].len() - 8;
    assert_eq!(frames[0][record], 3, "to no source at all");
}

#[test]
fn the_lans_querier_is_answered_and_heard_by_players_as_well() {
    let mut party = Party::new();
    party.join_telling(ALICE);
    party.client_says(ALICE.0, &report(ALICE.1, 0x16)).unwrap();
    for _ in 0..3 {
        reports(&mut party);
        party.advance(Duration::from_secs(1));
    }
    reports(&mut party);
    let [question, _] = snooping::questions(LAN_HOST);
    assert!(party.lan_says(&question).is_ok());
    party.advance(Duration::from_secs(1));
    assert_eq!(reports(&mut party).len(), 1);
    // What comes under a player's MAC is an echo.
    let [question, _] = snooping::questions(ALICE.1);
    assert!(party.lan_says(&question).is_err());
    party.advance(Duration::from_secs(1));
    assert_eq!(reports(&mut party).len(), 0);
}

#[test]
fn machines_whose_clients_do_not_ask_them_are_asked() {
    let mut party = Party::new();
    party.join_telling(ALICE);
    assert_eq!(said(&mut party).1.len(), 0, "this one asks by itself");
    party.join(BOB);
    let mut asked = Vec::new();
    let start = party.now;
    for _ in 0..1400 {
        let questions = said(&mut party).1;
        for question in &questions {
            assert_eq!(question[6..12], NIC.octets());
        }
        if !questions.is_empty() {
            assert_eq!(questions.len(), 2, "in IPv4 and IPv6");
            asked.push((party.now - start).as_millis());
        }
        party.now += Duration::from_millis(100);
    }
    assert_eq!(asked, [0, 1000, 10_000, 135_000]);
    party.leave(BOB);
    party.now += Duration::from_secs(500);
    assert_eq!(said(&mut party).1.len(), 0);
}

#[test]
fn who_leaves_wants_nothing_and_who_is_back_at_once_has_not_left() {
    let mut party = Party::new();
    party.join_telling(ALICE);
    party.client_says(ALICE.0, &report(ALICE.1, 0x16)).unwrap();
    party.advance(Duration::from_secs(1));
    assert_eq!(reports(&mut party).len(), 1);
    party.advance(Duration::from_secs(1));
    reports(&mut party);
    party.leave(ALICE);
    party.advance(Duration::from_secs(1));
    party.join_telling((9, ALICE.1));
    party.advance(Duration::from_secs(5));
    assert_eq!(reports(&mut party), Vec::<Bytes>::new());
    party.leave((9, ALICE.1));
    party.advance(Duration::from_secs(2));
    assert_eq!(reports(&mut party).len(), 1, "it is left");
}

#[test]
fn what_players_want_outlives_a_link_and_a_cable() {
    let mut party = Party::new();
    party.join_telling(ALICE);
    party.client_says(ALICE.0, &report(ALICE.1, 0x16)).unwrap();
    party.advance(Duration::from_secs(20));
    party.outputs();
    party.bridge.handle_lost_link(party.now);
    assert_eq!(party.bridge.poll_timeout(), None);
    let bridge = std::mem::replace(&mut party.bridge, Bridge::new(NIC));
    let other = MacAddr::new([0x52, 0, 0, 0, 0, 9]);
    party.bridge = Bridge::new(other).remembering(bridge.into_memory());
    party.advance(Duration::from_secs(20));
    party.welcome();
    let frames = reports(&mut party);
    assert_eq!(frames.len(), 1, "before Alice has said anything");
    assert_eq!(frames[0][6..12], other.octets());
}

#[test]
fn while_the_lan_brings_back_what_is_said_nothing_is_said_and_afterwards_everything() {
    let mut party = Party::new();
    party.join_telling(ALICE);
    assert!(party.lan_says(&frame(NIC, ALICE.1, 0x88b5)).is_err());
    assert!(party.bridge.looped().is_some());
    party.client_says(ALICE.0, &report(ALICE.1, 0x16)).unwrap();
    assert_eq!(reports(&mut party).len(), 0);
    assert!(party.bridge.poll_timeout().unwrap() > party.now);
    party.advance(LOOP_QUIET);
    assert_eq!(reports(&mut party).len(), 1);
}
