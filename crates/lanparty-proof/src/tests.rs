#![allow(clippy::disallowed_methods, reason = "tests own the clock")]

use super::*;
use lanparty_proto::{IpMtu, MacAddr};
use lanparty_switch::{Speaker, classify};
use proptest::prelude::*;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

const PLAYER: MacAddr = MacAddr::new([2, 0, 0, 0, 0, 1]);
const NIC: MacAddr = MacAddr::new([0, 0x1b, 0x21, 0, 0, 9]);
const NONCE: Nonce = Nonce(*b"12345678");

fn place(mtu: u16) -> Place {
    Place {
        address: Some((Ipv4Addr::new(192, 168, 50, 17), 24)),
        mtu: IpMtu::new(mtu).unwrap(),
    }
}

/// A look from its beginning to its end, over ways that carry what these say: there, and back.
fn look(
    place: Place,
    there: impl Fn(&[u8]) -> bool,
    back: impl Fn(&[u8]) -> bool,
) -> (Verdict, Duration) {
    let begun = Instant::now();
    let (mut now, mut asker) = (begun, Asker::new(PLAYER));
    let mut answerer = Answerer::new(NIC, None);
    asker.begin(now, NONCE, place);
    loop {
        for frame in asker.poll(now) {
            classify(&frame, Speaker::Player(PLAYER)).expect("a player may say it");
            assert!(frame.len() <= 14 + usize::from(place.mtu.number()));
            if !there(&frame) {
                continue;
            }
            let Some(heard) = answerer.hear(now, &frame, Lan::default()) else {
                assert_eq!(frame[23], 2, "only reports of membership are none of ours");
                continue;
            };
            for answer in heard.answers {
                classify(&answer, Speaker::Lan).expect("the LAN may say it");
                assert!(answer.len() <= frame.len().max(14 + usize::from(place.mtu.number())));
                if back(&answer) {
                    assert!(asker.hear(now, &answer));
                }
            }
        }
        if let Some(verdict) = asker.take_verdict() {
            return (verdict, now - begun);
        }
        now = asker.poll_timeout().expect("it goes on");
    }
}

#[test]
fn every_style_goes_there_and_back_in_every_room() {
    for mtu in [1280, 1400, 1499, 1500] {
        let (verdict, took) = look(place(mtu), |_| true, |_| true);
        for (style, reach) in verdict.reaches {
            assert_eq!(reach, Reach::Back, "{style:?} in a room of {mtu}");
        }
        assert!(took < Duration::from_millis(300), "{took:?}");
    }
}

#[test]
fn the_two_ways_are_told_apart() {
    let is_broadcast = |frame: &[u8]| frame[..6] == [0xff; 6] && frame[12..14] == [8, 0];
    let (verdict, _) = look(place(1500), |_| true, |frame| !is_broadcast(frame));
    let (there, _) = look(place(1500), |frame| !is_broadcast(frame), |_| true);
    for ((style, no_way_back), (_, no_way_there)) in verdict.reaches.into_iter().zip(there.reaches)
    {
        use Style::*;
        let is_one = matches!(
            style,
            Limited | LimitedOther | Directed | DirectedOther | Large | Pieces
        );
        let expected = match is_one {
            true => (Reach::There, Reach::Nowhere),
            false => (Reach::Back, Reach::Back),
        };
        assert_eq!((no_way_back, no_way_there), expected, "{style:?}");
    }
}

#[test]
fn a_gateway_that_says_nothing_is_silence_and_soon_over() {
    let (verdict, took) = look(place(1500), |_| false, |_| true);
    assert!(verdict.is_silent());
    assert!(took < Duration::from_secs(2), "{took:?}");
    assert!(verdict.reaches.contains(&(Style::Unicast, Reach::Unasked)));
}

#[test]
fn without_an_address_only_what_needs_none_is_asked() {
    let nowhere = Place {
        address: None,
        ..place(1500)
    };
    let (verdict, _) = look(nowhere, |_| true, |_| true);
    let back: Vec<_> = verdict
        .reaches
        .iter()
        .filter(|(_, reach)| *reach == Reach::Back)
        .collect();
    assert_eq!(back.len(), 4, "{back:?}");
}

#[test]
fn what_gets_lost_once_is_asked_again() {
    let lost = std::cell::Cell::new(0);
    let loses = |_: &[u8]| {
        lost.set(lost.get() + 1);
        lost.get() > 12
    };
    let (verdict, _) = look(place(1500), loses, |_| true);
    assert!(
        verdict
            .reaches
            .iter()
            .all(|(_, reach)| *reach == Reach::Back),
        "{verdict:?}"
    );
}

#[test]
fn nobody_answers_who_has_not_been_asked() {
    let (now, mut asker) = (Instant::now(), Asker::new(PLAYER));
    let mut answerer = Answerer::new(NIC, None);
    let mut other = Asker::new(PLAYER);
    asker.begin(now, NONCE, place(1500));
    other.begin(now, Nonce(*b"87654321"), place(1500));
    let question = other.poll(now).pop().unwrap();
    let answers = answerer
        .hear(now, &question, Lan::default())
        .unwrap()
        .answers;
    for answer in &answers {
        assert!(!asker.hear(now, answer), "another look's");
        assert!(other.hear(now, answer));
    }
    assert!(!asker.hear(now, &question), "a question is no answer");
    assert_eq!(
        answerer.hear(now, &answers[0], Lan::default()),
        None,
        "an answer is no question"
    );
}

#[test]
fn a_player_is_answered_so_often_and_all_of_them_too() {
    let (now, mut answerer) = (Instant::now(), Answerer::new(NIC, None));
    let mut ask = |now, player: u16, nonce: u64| {
        let [a, b] = player.to_be_bytes();
        let mut asker = Asker::new(MacAddr::new([2, 0, 0, 0, a, b]));
        asker.begin(now, Nonce(nonce.to_be_bytes()), place(1500));
        let question = asker.poll(now).pop().unwrap();
        let heard = answerer.hear(now, &question, Lan::default());
        heard.unwrap().answers.len()
    };
    let answers: Vec<_> = (0..5).map(|_| ask(now, 1, 1)).collect();
    assert_eq!(answers, [2, 2, 2, 0, 0], "one style of one look");
    let answers: Vec<_> = (2..11).map(|nonce| ask(now, 1, nonce)).collect();
    let expected = [2, 2, 2, 2, 2, 2, 2, 1, 1];
    assert_eq!(answers, expected, "looks of one player: then he is told so");
    let later = now + Duration::from_secs(10);
    assert_eq!(ask(later, 1, 9), 2);
    let of_all: usize = (0..1000).map(|player| ask(later, player + 2, 1)).sum();
    assert_eq!(of_all, 2 * 255 + 745);
}

#[test]
fn a_cable_that_refuses_frames_is_told() {
    let (now, mut asker) = (Instant::now(), Asker::new(PLAYER));
    let mut answerer = Answerer::new(NIC, None);
    asker.begin(now, NONCE, place(1500));
    let questions = [asker.poll(now), asker.poll(now + Duration::from_millis(10))];
    for (refused, question) in [(7, &questions[0]), (8, &questions[1])] {
        for answer in answerer
            .hear(now, &question[0], lan(refused, false))
            .unwrap()
            .answers
        {
            asker.hear(now, &answer);
        }
    }
    asker.stop();
    assert!(asker.take_verdict().unwrap().is_hindered);
    assert_eq!(asker.take_verdict(), None);
}

#[test]
fn what_is_for_the_gateway_alone_is_none_of_the_lans() {
    let (now, mut answerer) = (Instant::now(), Answerer::new(NIC, None));
    let mut asker = Asker::new(PLAYER);
    asker.begin(now, NONCE, place(1500));
    let mut now = now;
    let mut ours = Vec::new();
    while asker.take_verdict().is_none() {
        for frame in asker.poll(now) {
            let Some(heard) = answerer.hear(now, &frame, Lan::default()) else {
                continue;
            };
            ours.push(heard.is_ours);
            heard
                .answers
                .iter()
                .for_each(|answer| assert!(asker.hear(now, answer)));
        }
        now = asker.poll_timeout().unwrap_or(now);
    }
    assert_eq!(ours.iter().filter(|ours| **ours).count(), 1);
}

#[test]
fn a_mark_is_these_bytes() {
    let mut heard = Styles::default();
    heard.insert(Style::Limited);
    heard.insert(Style::Unicast);
    let mark = Mark {
        word: Word::Tally,
        style: Style::Mdns,
        heard,
        is_hindered: true,
        lan_is_silent: true,
        is_busy: true,
        nonce: NONCE,
    };
    let bytes = [
        &b"slnproof"[..],
        &[3, 8, 7, 1],       // tally, mDNS, hindered and silent and busy, version
        &[0, 0, 0x80, 0x01], // heard: the first and the last
        b"12345678",
    ]
    .concat();
    assert_eq!(mark.encode().as_slice(), bytes);
    assert_eq!(Mark::decode(&bytes), Some(mark));
    assert!(!format!("{mark:?}").contains("12345678"));
}

/// Whoever listens on a LAN reads well-formed packets of their kind.
#[test]
fn the_frames_are_what_they_seem() {
    let (mut now, mut asker) = (Instant::now(), Asker::new(PLAYER));
    asker.begin(now, NONCE, place(1500));
    let mut lens = Vec::new();
    while asker.take_verdict().is_none() {
        for frame in asker.poll(now) {
            if frame[12..14] != [8, 0] && frame[12..14] != [0x86, 0xdd] {
                continue;
            }
            let read = etherparse::SlicedPacket::from_ethernet(&frame).unwrap();
            if let Some(etherparse::NetSlice::Ipv4(ip)) = &read.net {
                let header = ip.header().to_header();
                assert_eq!(header.calc_header_checksum(), header.header_checksum);
            }
            if let Some(etherparse::TransportSlice::Udp(udp)) = &read.transport {
                let whole = udp.to_header();
                let sum = match &read.net {
                    Some(etherparse::NetSlice::Ipv4(ip)) => {
                        whole.calc_checksum_ipv4(&ip.header().to_header(), udp.payload())
                    }
                    Some(etherparse::NetSlice::Ipv6(ip)) => {
                        whole.calc_checksum_ipv6(&ip.header().to_header(), udp.payload())
                    }
                    _ => panic!("no IP"),
                };
                assert_eq!(sum.unwrap(), whole.checksum);
                lens.push(udp.payload().len());
            }
        }
        now = asker.poll_timeout().unwrap_or(now);
    }
    assert!(lens.contains(&1472), "{lens:?}");
}

fn lan(refused: u64, is_silent: bool) -> Lan {
    Lan { refused, is_silent }
}

/// All that is asked in a look that nobody answers, or only so far that the gateway is known.
fn questions() -> Vec<Vec<u8>> {
    let (mut now, mut asker) = (Instant::now(), Asker::new(PLAYER));
    asker.begin(now, NONCE, place(1500));
    let mut answerer = Answerer::new(NIC, None);
    let mut asked = Vec::new();
    while asker.take_verdict().is_none() {
        for frame in asker.poll(now) {
            let first = asked
                .is_empty()
                .then(|| answerer.hear(now, &frame, Lan::default()));
            for answer in first.flatten().into_iter().flat_map(|heard| heard.answers) {
                asker.hear(now, &answer);
            }
            asked.push(frame);
        }
        now = asker.poll_timeout().unwrap_or(now);
    }
    asked.retain(|frame| read(frame).is_some());
    asked
}

fn bytes_of(answers: &[Vec<u8>], word: Word) -> usize {
    let said = answers
        .iter()
        .filter(|answer| read(answer).unwrap().mark.word == word);
    said.map(Vec::len).sum()
}

/// Whatever style a question names, and wherever it goes: nobody speaks to all by a word to the gateway, nor more than it
/// says.
#[test]
fn nobody_is_made_louder_by_the_gateway() {
    let now = Instant::now();
    let mut answered = 0;
    for question in questions() {
        let at = question.windows(8).position(|w| w == b"slnproof");
        for number in 0..16 {
            for to in [NIC, MacAddr::BROADCAST] {
                let mut frame = question.clone();
                if let Some(at) = at {
                    frame[at + 9] = number;
                }
                frame[..6].copy_from_slice(&to.octets());
                let heard = Answerer::new(NIC, None).hear(now, &frame, Lan::default());
                let answers = heard.map(|heard| heard.answers).unwrap_or_default();
                answered += usize::from(!answers.is_empty());
                assert!(bytes_of(&answers, Word::Answer) <= frame.len());
                assert!(bytes_of(&answers, Word::Tally) <= frame.len());
                let loud = answers.iter().any(|answer| answer[0] & 1 == 1);
                assert!(!loud || frame[0] & 1 == 1, "{number} to {to}");
            }
        }
    }
    assert!(answered > 0);
}

#[test]
fn apart_means_that_nobody_else_hears_an_answer() {
    let (mut now, mut asker) = (Instant::now(), Asker::new(PLAYER));
    let mut answerer = Answerer::new(NIC, None);
    answerer.keep_apart(true);
    asker.begin(now, NONCE, place(1500));
    let verdict = loop {
        for frame in asker.poll(now) {
            let heard = answerer.hear(now, &frame, Lan::default());
            for answer in heard.into_iter().flat_map(|heard| heard.answers) {
                classify(&answer, Speaker::Lan).expect("the LAN may say it");
                assert_eq!(answer[..6], PLAYER.octets());
                assert!(asker.hear(now, &answer));
            }
        }
        if let Some(verdict) = asker.take_verdict() {
            break verdict;
        }
        now = asker.poll_timeout().unwrap();
    };
    assert!(
        verdict
            .reaches
            .iter()
            .all(|(_, reach)| *reach == Reach::Back)
    );
}

#[test]
fn pieces_are_taken_in_any_order_and_a_lost_one_is_made_good() {
    let pieces = |round: u8| -> Vec<Vec<u8>> {
        let mut pieces: Vec<_> = questions()
            .into_iter()
            .filter(|frame| read(frame).unwrap().piece.is_some())
            .collect();
        pieces.truncate(pieces.len() / 2);
        for piece in &mut pieces {
            piece[19] ^= round;
        }
        pieces
    };
    let now = Instant::now();
    let mut answerer = Answerer::new(NIC, None);
    let mut hear = |piece: &Vec<u8>| {
        answerer
            .hear(now, piece, Lan::default())
            .unwrap()
            .answers
            .len()
    };
    let [mut first, second] = [pieces(0), pieces(1)];
    first.reverse();
    first.insert(3, first[1].clone());
    let answers: Vec<_> = first.iter().map(&mut hear).collect();
    assert!(
        answers[..first.len() - 1]
            .iter()
            .all(|answers| *answers == 0),
        "{answers:?}"
    );
    assert!(answers[first.len() - 1] > 1, "{answers:?}");
    assert_eq!(
        first.iter().skip(1).map(&mut hear).sum::<usize>(),
        0,
        "one is missing"
    );
    assert!(
        second.iter().map(&mut hear).sum::<usize>() > 1,
        "the next is another's"
    );
}

#[test]
fn the_last_word_about_the_lan_counts_and_who_asks_too_often_is_told() {
    let (now, mut asker) = (Instant::now(), Asker::new(PLAYER));
    let mut answerer = Answerer::new(NIC, None);
    let mut verdict = |nonce: u64, silent: [bool; 2]| {
        asker.begin(now, Nonce(nonce.to_be_bytes()), place(1500));
        for (at, silent) in [0, 10].into_iter().zip(silent) {
            for question in asker.poll(now + Duration::from_millis(at)) {
                for answer in answerer
                    .hear(now, &question, lan(0, silent))
                    .unwrap()
                    .answers
                {
                    assert!(asker.hear(now, &answer));
                }
            }
        }
        asker.stop();
        asker.take_verdict().unwrap()
    };
    assert!(!verdict(1, [true, false]).lan_is_silent);
    assert!(verdict(2, [true, true]).lan_is_silent);
    for nonce in 3..9 {
        assert!(!verdict(nonce, [false; 2]).is_busy);
    }
    let busy = verdict(9, [false; 2]);
    assert!(busy.is_busy && busy.is_silent());
}

#[test]
fn only_who_answered_first_is_heard() {
    let (now, mut asker) = (Instant::now(), Asker::new(PLAYER));
    asker.begin(now, NONCE, place(1500));
    let question = asker.poll(now).remove(0);
    let [own, other] = [NIC, MacAddr::new([0, 0x1b, 0x21, 0, 0, 8])].map(|mac| {
        let heard = Answerer::new(mac, None).hear(now, &question, Lan::default());
        heard.unwrap().answers.remove(1)
    });
    assert!(asker.hear(now, &own));
    assert!(!asker.hear(now, &other));
}

#[test]
fn a_network_without_a_broadcast_address_is_not_asked_by_it() {
    let narrow = Place {
        address: Some((Ipv4Addr::new(10, 0, 0, 2), 31)),
        ..place(1500)
    };
    let (verdict, _) = look(narrow, |_| true, |_| true);
    for (style, reach) in verdict.reaches {
        let expected = match style {
            Style::Directed | Style::DirectedOther => Reach::Unasked,
            _ => Reach::Back,
        };
        assert_eq!(reach, expected, "{style:?}");
    }
}

proptest! {
    #[test]
    fn strangers_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = (may_be(&bytes), read(&bytes), content::read((PORT, PORT), &bytes), content::read((5353, 5353), &bytes));
    }

    #[test]
    fn marks_are_read_as_written(word in 0..3, style in 0..16_usize, bits in any::<u16>(), hindered: bool, flags: (bool, bool), nonce: [u8; 8]) {
        let mark = Mark {
            word: [Word::Question, Word::Answer, Word::Tally][word as usize],
            style: Style::ALL[style],
            heard: Styles::from_bits(bits.into()),
            is_hindered: hindered,
            lan_is_silent: flags.0,
            is_busy: flags.1,
            nonce: Nonce(nonce),
        };
        prop_assert_eq!(Mark::decode(&mark.encode()), Some(mark));
        let ports = (mark.style.port(), mark.style.port());
        prop_assert_eq!(content::read(ports, &content::write(&mark, 0)), Some(mark));
    }
}
