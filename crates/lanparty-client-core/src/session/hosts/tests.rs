#![allow(clippy::disallowed_methods, reason = "tests own the clock")]

use super::*;

const OWN: [u8; 6] = [2, 0, 0, 0, 0, 1];
const LAN_HOST: [u8; 6] = [0, 0x1b, 0x21, 0, 0, 9];

#[test]
fn nobody_listens_where_home_has_other_addresses() {
    let mut hosts = Hosts::default();
    hosts.hear(Instant::now(), &arp([192, 168, 1, 11]));
    assert!(!hosts.take_news() && hosts.poll_timeout().is_none());
    assert!(hosts.questions(Instant::now(), own()).is_empty());
}

#[test]
fn a_host_is_heard_by_its_arp_and_by_its_packets_and_is_news_once() {
    for frame in [arp([192, 168, 1, 11]), packet([192, 168, 1, 11])] {
        let (now, mut hosts) = listening();
        hosts.hear(now, &frame);
        assert!(hosts.take_news());
        hosts.hear(now, &frame);
        assert!(!hosts.take_news(), "it is known");
        assert_eq!(known(&hosts), [Ipv4Addr::new(192, 168, 1, 11)]);
    }
}

#[test]
fn only_hosts_of_the_partys_network_count() {
    let (now, mut hosts) = listening();
    let strangers = [
        [192, 168, 1, 20],
        [192, 168, 1, 0],
        [192, 168, 1, 255],
        [192, 168, 2, 9],
        [0, 0, 0, 0],
        [255, 255, 255, 255],
        [224, 0, 0, 1],
    ];
    for ip in strangers {
        hosts.hear(now, &arp(ip));
        hosts.hear(now, &packet(ip));
    }
    let whole = arp([192, 168, 1, 11]);
    for len in 0..28 {
        hosts.hear(now, &whole[..len]);
    }
    assert!(!hosts.take_news() && known(&hosts).is_empty());
}

#[test]
fn a_wanted_address_is_asked_for_at_once_and_not_again_too_soon() {
    let (now, mut hosts) = listening();
    let wanted = Ipv4Addr::new(192, 168, 1, 44);
    rest_of_round(&mut hosts);
    hosts.want(now, [wanted, wanted, Ipv4Addr::new(10, 0, 0, 1)]);
    let asked = hosts.questions(now, own());
    assert_eq!(
        asked,
        [question(own(), own_ip(), wanted, MacAddr::BROADCAST)]
    );
    #[rustfmt::skip]
    assert_eq!(asked[0], [
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 0x08, 0x06, // to everybody, from this machine, ARP
        0, 1, 0x08, 0, 6, 4, 0, 1,                                        // a question of Ethernet's for IPv4's
        2, 0, 0, 0, 0, 1, 192, 168, 1, 20,                                // whoever asks
        0, 0, 0, 0, 0, 0, 192, 168, 1, 44,                                // is looked for
    ]);
    hosts.want(now, [wanted]);
    assert!(hosts.questions(now, own()).is_empty());
    hosts.want(now + ASK_AGAIN, [wanted]);
    assert_eq!(hosts.questions(now + ASK_AGAIN, own()).len(), 1);
    hosts.hear(now, &arp(wanted.octets()));
    hosts.want(now + 2 * ASK_AGAIN, [wanted]);
    assert!(
        hosts.questions(now + 2 * ASK_AGAIN, own()).is_empty(),
        "it is known"
    );
}

#[test]
fn the_first_round_asks_for_each_address_once_and_slowly() {
    let (start, mut hosts) = listening();
    hosts.hear(start, &arp([192, 168, 1, 11]));
    let (mut asked, mut now) = (Vec::new(), start);
    while now < start + Duration::from_secs(70) {
        let questions = hosts.questions(now, own());
        assert!(questions.len() <= 1);
        asked.extend(questions.iter().map(|question| question[41]));
        now = hosts.poll_timeout().unwrap();
    }
    let expected: Vec<u8> = (1..255).filter(|last| ![11, 20].contains(last)).collect();
    assert_eq!(asked, expected);
}

#[test]
fn in_a_wide_network_the_first_round_stays_near() {
    let now = Instant::now();
    let mut hosts = Hosts::default();
    hosts.listen(now, Some(Seat::new(Ipv4Addr::new(10, 7, 3, 20), 8)));
    let first = hosts.questions(now, own());
    assert_eq!(first[0][38..], [10, 7, 3, 0]);
    let asked = 1
        + (1..300)
            .map(|n| hosts.questions(now + n * ROUND, own()).len())
            .sum::<usize>();
    assert_eq!(asked, 255);
}

#[test]
fn a_silent_host_is_asked_alone_and_then_forgotten() {
    let (now, mut hosts) = listening();
    let [silent, alive] = [[192, 168, 1, 11], [192, 168, 1, 12]];
    hosts.hear(now, &arp(silent));
    hosts.hear(now, &arp(alive));
    rest_of_round(&mut hosts);
    assert!(hosts.take_news());
    hosts.hear(now + SILENT, &packet(alive));
    let asked = hosts.questions(now + SILENT, own());
    let expected = question(own(), own_ip(), silent.into(), MacAddr::new(LAN_HOST));
    assert_eq!(asked, [expected]);
    assert!(!hosts.take_news());
    hosts.questions(now + GONE, own());
    assert!(hosts.take_news());
    assert_eq!(known(&hosts), [Ipv4Addr::from(alive)]);
}

#[test]
fn a_flood_of_made_up_hosts_costs_little_and_drives_out_nobody_who_speaks() {
    let now = Instant::now();
    let mut hosts = Hosts::default();
    hosts.listen(now, Some(Seat::new(Ipv4Addr::new(10, 0, 0, 1), 8)));
    let made_up = |number: u32| arp((Ipv4Addr::new(10, 1, 0, 0).to_bits() + number).to_be_bytes());
    (1..10_000).for_each(|number| hosts.hear(now, &made_up(number)));
    assert_eq!(known(&hosts).len(), NEWCOMERS.burst as usize);
    let mut number = 10_000;
    for second in 1..100 {
        for _ in 0..100 {
            hosts.hear(now + Duration::from_secs(second), &made_up(number));
            number += 1;
        }
    }
    let full = known(&hosts);
    assert_eq!(full.len(), MAX_HOSTS);
    let later = now + SILENT;
    full[1..]
        .iter()
        .for_each(|ip| hosts.hear(later, &arp(ip.octets())));
    hosts.hear(later, &arp([10, 9, 9, 9]));
    hosts.hear(later, &arp([10, 9, 9, 10]));
    assert_eq!(known(&hosts).len(), MAX_HOSTS);
    assert!(
        known(&hosts).contains(&Ipv4Addr::new(10, 9, 9, 9)),
        "the silent one has gone"
    );
    assert!(
        !known(&hosts).contains(&Ipv4Addr::new(10, 9, 9, 10)),
        "everybody else speaks"
    );
}

#[test]
fn who_has_another_seat_begins_anew_and_who_keeps_it_does_not() {
    let (now, mut hosts) = listening();
    hosts.hear(now, &arp([192, 168, 1, 11]));
    hosts.listen(now, Some(seat()));
    assert_eq!(known(&hosts).len(), 1);
    hosts.listen(now, Some(Seat::new(Ipv4Addr::new(192, 168, 1, 21), 24)));
    assert!(known(&hosts).is_empty());
    hosts.listen(now, None);
    assert!(hosts.poll_timeout().is_none());
}

fn listening() -> (Instant, Hosts) {
    let now = Instant::now();
    let mut hosts = Hosts::default();
    hosts.listen(now, Some(seat()));
    (now, hosts)
}

fn rest_of_round(hosts: &mut Hosts) {
    hosts.0.as_mut().unwrap().round = None;
}

fn seat() -> Seat {
    Seat::new(own_ip(), 24)
}

fn own_ip() -> Ipv4Addr {
    Ipv4Addr::new(192, 168, 1, 20)
}

fn own() -> VirtualMac {
    MacAddr::new(OWN).try_into().unwrap()
}

fn known(hosts: &Hosts) -> Vec<Ipv4Addr> {
    hosts
        .0
        .iter()
        .flat_map(|watch| watch.hosts.keys().copied())
        .collect()
}

/// A question of the LAN's host who has the address 192.168.1.1.
fn arp(from: [u8; 4]) -> Vec<u8> {
    let mut frame = [&[0xff; 6][..], &LAN_HOST, &[0x08, 0x06]].concat();
    frame.extend([0, 1, 0x08, 0, 6, 4, 0, 1]);
    frame.extend(LAN_HOST);
    frame.extend(from);
    frame.extend([0; 6]);
    frame.extend([192, 168, 1, 1]);
    frame
}

/// The beginning of an IPv4 packet.
fn packet(from: [u8; 4]) -> Vec<u8> {
    let mut frame = [&OWN[..], &LAN_HOST, &[0x08, 0x00]].concat();
    frame.extend([0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0]);
    frame.extend(from);
    frame.extend([192, 168, 1, 20]);
    frame
}
