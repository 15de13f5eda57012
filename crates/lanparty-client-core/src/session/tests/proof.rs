//! Looks whether games' ways lead to the LAN.

use super::*;
use lanparty_proof::{Answerer, Lan, Nonce, Reach};

const ADDRESS: Option<(std::net::Ipv4Addr, u8)> =
    Some((std::net::Ipv4Addr::new(192, 168, 50, 17), 24));

/// What the session says into the room now.
fn said(session: &mut Session) -> Vec<Vec<u8>> {
    let outputs = std::iter::from_fn(|| session.poll_output());
    let frames = outputs.filter_map(|output| match output {
        PeerOutput::ToRelay(frame) => Some(frame.frame().to_vec()),
        PeerOutput::Frame(_) | PeerOutput::Message(_) => None,
    });
    frames.collect()
}

#[test]
fn every_style_is_asked_and_no_answer_reaches_the_machine() {
    let (mut now, mut session) = (Instant::now(), joined());
    let mut gateway = Answerer::new(MacAddr::new(LAN_HOST), None);
    assert!(session.prove(now, Nonce([7; 8]), ADDRESS));
    let verdict = loop {
        session.handle_timeout(now);
        for frame in said(&mut session) {
            let answers = gateway
                .hear(now, &frame, Lan::default())
                .map(|heard| heard.answers);
            for answer in answers.into_iter().flatten() {
                let heard = session.handle_datagram(now, datagram(GATEWAY_ID, &answer));
                assert_eq!(heard, Ok(None));
            }
        }
        if session.take_news() {
            break session.take_verdict().unwrap();
        }
        now = session.poll_timeout().unwrap();
    };
    let is_back = |(_, reach): &(_, Reach)| *reach == Reach::Back;
    assert!(verdict.reaches.iter().all(is_back), "{verdict:?}");
    assert!(!session.take_news() && session.take_verdict().is_none());
}

#[test]
fn who_has_nobody_to_ask_does_not_look_and_a_lost_link_ends_it() {
    let now = Instant::now();
    let mut session = Session::new(virtual_mac(OWN));
    assert!(!session.prove(now, Nonce([7; 8]), ADDRESS));
    session.handle_welcome(now, &welcome(None), budget());
    assert!(!session.prove(now, Nonce([7; 8]), ADDRESS), "no gateway");
    let mut session = joined();
    assert!(session.prove(now, Nonce([7; 8]), ADDRESS));
    session.handle_timeout(now);
    session.handle_lost_link(now);
    assert!(session.take_verdict().unwrap().is_silent());
    assert_eq!(session.poll_timeout(), None);
}

#[test]
fn anothers_look_goes_by() {
    let (now, mut session) = (Instant::now(), joined());
    let mut other = joined();
    other.prove(now, Nonce([8; 8]), ADDRESS);
    other.handle_timeout(now);
    let question = said(&mut other).remove(0);
    let mut gateway = Answerer::new(MacAddr::new(LAN_HOST), None);
    let answer = gateway
        .hear(now, &question, Lan::default())
        .unwrap()
        .answers
        .remove(0);
    session.prove(now, Nonce([7; 8]), ADDRESS);
    let heard = session.handle_datagram(now, datagram(GATEWAY_ID, &answer));
    assert_eq!(heard, Ok(Some(Bytes::from(answer))));
}

#[test]
fn a_player_cannot_answer_for_the_gateway() {
    let (now, mut session) = (Instant::now(), joined());
    announce(&mut session, OTHER_ID, Newcomer::Client(virtual_mac(OTHER)));
    session.prove(now, Nonce([7; 8]), ADDRESS);
    session.handle_timeout(now);
    let question = said(&mut session).remove(0);
    // As the player would forge it who has heard the question.
    let mut gateway = Answerer::new(MacAddr::new(OTHER), None);
    let answers = gateway
        .hear(now, &question, Lan::default())
        .unwrap()
        .answers;
    for answer in &answers {
        let heard = session.handle_datagram(now, datagram(OTHER_ID, answer));
        assert_eq!(
            heard,
            Err(DropReason::ForgedHeader),
            "neither look nor program hears it"
        );
    }
    session.handle_lost_link(now);
    assert!(session.take_verdict().unwrap().is_silent());
}
