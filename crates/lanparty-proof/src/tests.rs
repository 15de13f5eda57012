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
            let Some(heard) = answerer.hear(now, &frame, 0) else {
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
    let answers = answerer.hear(now, &question, 0).unwrap().answers;
    for answer in &answers {
        assert!(!asker.hear(now, answer), "another look's");
        assert!(other.hear(now, answer));
    }
    assert!(!asker.hear(now, &question), "a question is no answer");
    assert_eq!(
        answerer.hear(now, &answers[0], 0),
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
        answerer.hear(now, &question, 0).unwrap().answers.len()
    };
    let answers: Vec<_> = (0..5).map(|_| ask(now, 1, 1)).collect();
    assert_eq!(answers, [2, 2, 2, 0, 0], "one style of one look");
    let answers: Vec<_> = (2..7).map(|nonce| ask(now, 1, nonce)).collect();
    assert_eq!(answers, [2, 2, 2, 0, 0], "looks of one player");
    let later = now + Duration::from_secs(10);
    assert_eq!(ask(later, 1, 9), 2);
    let of_all: usize = (0..1000).map(|player| ask(later, player + 2, 1)).sum();
    assert_eq!(of_all, 2 * 255);
}

#[test]
fn a_cable_that_refuses_frames_is_told() {
    let (now, mut asker) = (Instant::now(), Asker::new(PLAYER));
    let mut answerer = Answerer::new(NIC, None);
    asker.begin(now, NONCE, place(1500));
    let questions = [asker.poll(now), asker.poll(now + Duration::from_millis(10))];
    for (refused, question) in [(7, &questions[0]), (8, &questions[1])] {
        for answer in answerer.hear(now, &question[0], refused).unwrap().answers {
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
            let Some(heard) = answerer.hear(now, &frame, 0) else {
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
        nonce: NONCE,
    };
    let bytes = [
        &b"slnproof"[..],
        &[3, 8, 1, 1],       // tally, mDNS, the cable refuses frames, version
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

proptest! {
    #[test]
    fn strangers_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = (may_be(&bytes), read(&bytes), content::read((PORT, PORT), &bytes), content::read((5353, 5353), &bytes));
    }

    #[test]
    fn marks_are_read_as_written(word in 0..3, style in 0..16_usize, bits in any::<u16>(), hindered: bool, nonce: [u8; 8]) {
        let mark = Mark {
            word: [Word::Question, Word::Answer, Word::Tally][word as usize],
            style: Style::ALL[style],
            heard: Styles::from_bits(bits.into()),
            is_hindered: hindered,
            nonce: Nonce(nonce),
        };
        prop_assert_eq!(Mark::decode(&mark.encode()), Some(mark));
        let ports = (mark.style.port(), mark.style.port());
        prop_assert_eq!(content::read(ports, &content::write(&mark, 0)), Some(mark));
    }
}
