//! Players who look whether games' ways lead to the LAN (spec R137).

use super::*;
use lanparty_proof::{Asker, Nonce, Place, Reach};

/// A look of Alice's, who has an address.
fn look(party: &Party) -> Asker {
    let mut asker = Asker::new(ALICE.1);
    let place = Place {
        address: Some(([192, 168, 50, 7].into(), 24)),
        mtu: IpMtu::new(1290).unwrap(),
    };
    asker.begin(party.now, Nonce([7; 8]), place);
    asker
}

#[test]
fn a_member_is_answered_alone_and_the_lan_gets_each_question_once() {
    let mut party = Party::with(&[ALICE, BOB]);
    let mut asker = look(&party);
    let (mut on_the_lan, mut for_us, mut pings) = (Vec::new(), 0, Vec::new());
    let verdict = loop {
        for question in asker.poll(party.now) {
            match party.client_says(ALICE.0, &question).unwrap() {
                Some(frame) => on_the_lan.push(frame),
                // A report of its groups, by IGMP: the gateway speaks for it.
                None if question[23] == 2 => {}
                None => for_us += 1,
            }
        }
        for output in party.outputs() {
            match output {
                PeerOutput::ToRelay(answer) => {
                    assert_eq!(answer.frame()[6..12], NIC.octets());
                    assert!(asker.hear(party.now, answer.frame()));
                }
                PeerOutput::Message(_) => {}
                PeerOutput::Frame(frame) => pings.push(frame),
            }
        }
        if let Some(verdict) = asker.take_verdict() {
            break verdict;
        }
        party.now = asker.poll_timeout().unwrap();
    };
    let is_back = |(_, reach): &(_, Reach)| *reach == Reach::Back;
    assert!(verdict.reaches.iter().all(is_back), "{verdict:?}");
    assert_eq!(for_us, 1);
    assert!(verdict.lan_is_silent && pings.len() == 1, "{pings:?}");
    let ping = &pings[0];
    assert_eq!(
        (ping[6..12].to_vec(), ping[20], ping[54]),
        (NIC.octets().to_vec(), 58, 128)
    );
    on_the_lan.sort();
    let all = on_the_lan.len();
    on_the_lan.dedup();
    assert_eq!(on_the_lan.len(), all, "each once");
}

#[test]
fn a_lan_that_has_spoken_of_late_is_not_asked_whether_it_is_there() {
    let mut party = Party::with(&[ALICE]);
    let mut spoken = look(&party).poll(party.now).pop().unwrap();
    spoken[6..12].copy_from_slice(&LAN_HOST.octets());
    party.lan_says(&spoken).unwrap();
    party.outputs();
    for (passed, pings) in [(29, 0), (1, 1)] {
        party.now += Duration::from_secs(passed);
        party.outputs();
        let mut question = look(&party).poll(party.now).pop().unwrap();
        // Of another look: its nonce.
        question[58] = passed as u8;
        party.client_says(ALICE.0, &question).unwrap();
        let outputs = party.outputs();
        let asked = outputs
            .iter()
            .filter(|output| matches!(output, PeerOutput::Frame(_)));
        assert_eq!(asked.count(), pings);
    }
}

#[test]
fn who_is_no_member_or_speaks_for_another_is_not_answered() {
    let mut party = Party::with(&[ALICE, BOB]);
    let question = look(&party).poll(party.now).pop().unwrap();
    let forged = DropReason::UnauthorizedSourceMac;
    assert_eq!(party.client_says(BOB.0, &question), Err(forged));
    party.leave(ALICE);
    party.outputs();
    assert_eq!(party.client_says(ALICE.0, &question), Ok(None), "it waits");
    assert_eq!(party.lan_says(&question), Err(forged), "an echo");
    let answers = party.outputs();
    let is_answer = |output: &PeerOutput| matches!(output, PeerOutput::ToRelay(_));
    assert!(!answers.iter().any(is_answer), "{answers:?}");
}

#[test]
fn the_lan_itself_is_carried_and_not_answered() {
    let mut party = Party::with(&[ALICE]);
    let mut question = look(&party).poll(party.now).pop().unwrap();
    question[6..12].copy_from_slice(&LAN_HOST.octets());
    assert_eq!(party.lan_says(&question), Ok(question.clone()));
    assert!(party.outputs().is_empty());
}
