use super::*;
use etherparse::{Icmpv6Slice, Ipv6Header};

const ASKER: MacAddr = MacAddr::new([2, 0, 0, 0, 0, 1]);
const HOST: MacAddr = MacAddr::new([0, 0x1b, 0x21, 0, 0, 9]);
const OTHER: MacAddr = MacAddr::new([0, 0x1b, 0x21, 0, 0, 8]);
const OWN: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
const THIRD: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 3);
const WANTED: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 9);
const OWN_V6: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 2);
const WANTED_V6: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 9);

fn frame(to: MacAddr, from: MacAddr, ether_type: u16, payload: &[u8]) -> Vec<u8> {
    let ether_type = ether_type.to_be_bytes();
    [&to.octets()[..], &from.octets(), &ether_type, payload].concat()
}

fn arp(to: MacAddr, operation: u8, from: (MacAddr, Ipv4Addr), wanted: Ipv4Addr) -> Vec<u8> {
    let mut message = vec![0, 1, 8, 0, 6, 4, 0, operation];
    message.extend(from.0.octets());
    message.extend(from.1.octets());
    message.extend([0; 6]);
    message.extend(wanted.octets());
    frame(to, from.0, ether_type::ARP, &message)
}

fn icmp(
    to: MacAddr,
    mac: MacAddr,
    from: Ipv6Addr,
    kind: u8,
    flags: u8,
    named: Ipv6Addr,
) -> Vec<u8> {
    let mut packet = vec![0x60, 0, 0, 0, 0, 24, ICMPV6, 255];
    packet.extend(from.octets());
    packet.extend(WANTED_V6.octets());
    packet.extend([kind, 0, 0, 0, flags, 0, 0, 0]);
    packet.extend(named.octets());
    frame(to, mac, ether_type::IPV6, &packet)
}

fn parse(frame: &[u8]) -> EthernetFrame<'_> {
    EthernetFrame::parse(frame).unwrap()
}

fn question(frame: &[u8]) -> Option<Question> {
    Question::of(parse(frame))
}

#[test]
fn an_arp_question_is_answered_as_the_machine_would_whether_it_goes_to_all_or_to_it() {
    for to in [MacAddr::BROADCAST, HOST] {
        let asked = question(&arp(to, 1, (ASKER, OWN), WANTED)).unwrap();
        assert_eq!(asked.wanted(), IpAddr::from(WANTED));
        let answer = asked.answer(HOST, false).unwrap();
        let (head, ends) = answer.split_at(22);
        let ethernet = [&ASKER.octets()[..], &HOST.octets(), &[8, 6]].concat();
        assert_eq!(head, [&ethernet[..], &[0, 1, 8, 0, 6, 4, 0, 2]].concat());
        let (host, asker) = (HOST.octets(), ASKER.octets());
        let expected = [&host[..], &WANTED.octets(), &asker, &OWN.octets()].concat();
        assert_eq!(ends, expected);
    }
}

#[test]
fn a_neighbour_solicitation_is_answered_so_that_systems_take_it() {
    for (from, to, dst, flags) in [
        (OWN_V6, ASKER, OWN_V6, 0x60),
        (
            Ipv6Addr::UNSPECIFIED,
            ALL_NODES,
            "ff02::1".parse().unwrap(),
            0x20,
        ),
    ] {
        let asked = question(&icmp(HOST, ASKER, from, 135, 0, WANTED_V6)).unwrap();
        let answer = asked.answer(HOST, false).unwrap();
        assert_eq!(answer[..6], to.octets());
        let (header, rest) = Ipv6Header::from_slice(&answer[14..]).unwrap();
        assert_eq!((header.hop_limit, header.source), (255, WANTED_V6.octets()));
        assert_eq!(header.destination, dst.octets());
        let message = Icmpv6Slice::from_slice(rest).unwrap();
        assert!(message.is_checksum_valid(header.source, header.destination));
        assert_eq!(rest[0], 136);
        assert_eq!(rest[4], flags);
        assert_eq!(rest[8..24], WANTED_V6.octets());
        assert_eq!(rest[24..], [&[2, 1][..], &HOST.octets()].concat());
    }
}

#[test]
fn what_asks_nothing_has_no_answer() {
    let said = [
        arp(MacAddr::BROADCAST, 1, (ASKER, WANTED), WANTED),
        arp(ASKER, 2, (HOST, WANTED), OWN),
        icmp(ASKER, HOST, WANTED_V6, 136, 0x60, WANTED_V6),
        frame(HOST, ASKER, ether_type::IPV4, &[0x45; 40]),
        arp(MacAddr::BROADCAST, 1, (ASKER, OWN), WANTED)[..30].to_vec(),
    ];
    for frame in said {
        assert_eq!(question(&frame), None, "{frame:?}");
    }
    let mut routed = icmp(HOST, ASKER, OWN_V6, 135, 0, WANTED_V6);
    routed[21] = 64;
    assert_eq!(question(&routed), None, "it came through a router");
    let asked = question(&arp(MacAddr::BROADCAST, 1, (ASKER, OWN), WANTED)).unwrap();
    assert_eq!(asked.answer(ASKER, false), None, "its own address");
}

fn who_has(neighbours: &Neighbours, now: Instant, wanted: Ipv4Addr) -> Option<MacAddr> {
    let asked = question(&arp(MacAddr::BROADCAST, 1, (ASKER, OWN), wanted)).unwrap();
    let answer = neighbours.answer(now, &asked)?;
    Some(parse(&answer).source())
}

fn packet(mac: MacAddr, from: Ipv4Addr) -> Vec<u8> {
    let mut packet = vec![0x45; 20];
    packet[12..16].copy_from_slice(&from.octets());
    frame(ASKER, mac, ether_type::IPV4, &packet)
}

#[test]
fn what_arp_said_comes_before_what_packets_show_and_both_lapse() {
    let (now, mut neighbours) = (Instant::now(), Neighbours::default());
    assert_eq!(who_has(&neighbours, now, WANTED), None);
    neighbours.hear_directly(now, parse(&packet(OTHER, WANTED)));
    assert_eq!(who_has(&neighbours, now, WANTED), Some(OTHER));
    neighbours.hear(now, parse(&arp(ASKER, 2, (HOST, WANTED), OWN)));
    assert_eq!(who_has(&neighbours, now, WANTED), Some(HOST));
    assert_eq!(who_has(&neighbours, now, THIRD), None);
    let probe = arp(MacAddr::BROADCAST, 1, (OTHER, Ipv4Addr::UNSPECIFIED), THIRD);
    neighbours.hear(now, parse(&probe));
    assert_eq!(
        who_has(&neighbours, now, THIRD),
        None,
        "a probe claims nothing"
    );
    let later = now + LIFE;
    assert_eq!(who_has(&neighbours, later, WANTED), None);
    neighbours.hear_directly(later, parse(&packet(HOST, WANTED)));
    assert_eq!(who_has(&neighbours, later, WANTED), Some(HOST));
    neighbours.clear();
    assert_eq!(who_has(&neighbours, later, WANTED), None);
}

#[test]
fn a_router_is_not_denied_to_be_one() {
    let flags = |neighbours: &Neighbours, now| {
        let asked = question(&icmp(HOST, ASKER, OWN_V6, 135, 0, WANTED_V6)).unwrap();
        neighbours.answer(now, &asked).unwrap()[58]
    };
    let (now, mut neighbours) = (Instant::now(), Neighbours::default());
    neighbours.hear(now, parse(&icmp(ASKER, HOST, WANTED_V6, 134, 0, WANTED_V6)));
    assert_eq!(flags(&neighbours, now), 0xe0);
    neighbours.hear(now, parse(&icmp(ASKER, HOST, WANTED_V6, 135, 0, OWN_V6)));
    assert_eq!(flags(&neighbours, now), 0xe0, "it asks, and is one still");
    neighbours.hear(
        now,
        parse(&icmp(ASKER, HOST, WANTED_V6, 136, 0x60, WANTED_V6)),
    );
    assert_eq!(flags(&neighbours, now), 0x60, "by its own word");
}

#[test]
fn a_lan_that_makes_up_machines_fills_no_memory() {
    let (mut now, mut neighbours) = (Instant::now(), Neighbours::default());
    for number in 0..2 * MAX as u32 {
        now += Duration::from_millis(1);
        let [_, _, high, low] = number.to_be_bytes();
        let mac = MacAddr::new([0, 0x1b, 0x21, 1, high, low]);
        let address = Ipv4Addr::new(10, 1, high, low);
        neighbours.hear(now, parse(&arp(ASKER, 2, (mac, address), OWN)));
        neighbours.hear_directly(now, parse(&packet(mac, address)));
    }
    assert_eq!((neighbours.said.len(), neighbours.seen.len()), (MAX, MAX));
    let last = 2 * MAX as u32 - 1;
    let [_, _, high, low] = last.to_be_bytes();
    let last = Ipv4Addr::new(10, 1, high, low);
    assert!(who_has(&neighbours, now, last).is_some());
}
