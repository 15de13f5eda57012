//! Each policy, each kind of frame, both directions; and that what is remembered is bounded.

mod administration;
mod evasion;
mod memory;
mod words;

use super::*;
use lanparty_proto::checksum::Sum;
use std::net::{IpAddr, Ipv6Addr};

const NIC: MacAddr = MacAddr::new([0x52, 0, 0, 0, 0, 1]);
const BOX: MacAddr = MacAddr::new([0x52, 0, 0, 0, 0, 2]);
const ROUTER: MacAddr = MacAddr::new([0x52, 0, 0, 0, 0, 3]);
const ANNA: MacAddr = MacAddr::new([2, 0, 0, 0, 0, 7]);
const BERT: MacAddr = MacAddr::new([2, 0, 0, 0, 0, 8]);

const BOX_IP: [u8; 4] = [192, 168, 50, 2];
const ROUTER_IP: [u8; 4] = [192, 168, 50, 1];
const OWN_IP: [u8; 4] = [192, 168, 50, 5];
const ANNA_IP: [u8; 4] = [192, 168, 50, 100];
const AWAY: [u8; 4] = [198, 51, 100, 9];

const SYN: u8 = 2;
const ACK: u8 = 0x10;
const RST: u8 = 4;

fn is_game(protocol: u8, port: u16) -> bool {
    protocol == UDP && port == 27960 || protocol == TCP && port == 25565
}

/// A LAN of which the gateway knows all.
fn reach(policy: &str) -> (Instant, Reach) {
    let now = Instant::now();
    let mut reach = Reach::new(NIC, is_game);
    reach.set_facts(LanFacts {
        own: vec![IpAddr::from(OWN_IP)],
        networks: vec![(IpAddr::from(OWN_IP), 24)],
        routers: vec![IpAddr::from(ROUTER_IP)],
    });
    for (mac, ip) in [(BOX, BOX_IP), (ROUTER, ROUTER_IP), (NIC, OWN_IP)] {
        reach.hear_lan(now, view(&arp(mac, ip)));
    }
    reach.set_policy(now, policy.parse().unwrap());
    // Whatever was under way is over.
    (now + SETTLING, reach)
}

fn view(frame: &[u8]) -> EthernetFrame<'_> {
    EthernetFrame::parse(frame).unwrap()
}

fn ethernet(to: MacAddr, from: MacAddr, kind: u16, payload: &[u8]) -> Vec<u8> {
    [
        &to.octets()[..],
        &from.octets(),
        &kind.to_be_bytes(),
        payload,
    ]
    .concat()
}

fn arp(mac: MacAddr, ip: [u8; 4]) -> Vec<u8> {
    let mut message = vec![0, 1, 8, 0, 6, 4, 0, 1];
    message.extend(mac.octets());
    message.extend(ip);
    message.extend([0; 6]);
    message.extend([192, 168, 50, 77]);
    ethernet(MacAddr::BROADCAST, mac, 0x0806, &message)
}

fn ip(source: [u8; 4], destination: [u8; 4], protocol: u8, flags: u16, upper: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x45, 0];
    packet.extend((20 + upper.len() as u16).to_be_bytes());
    packet.extend([0, 9]);
    packet.extend(flags.to_be_bytes());
    packet.extend([64, protocol, 0, 0]);
    packet.extend(source);
    packet.extend(destination);
    packet.extend(upper);
    packet
}

fn datagram(from: u16, to: u16) -> Vec<u8> {
    let mut datagram = [from, to, 12, 0].map(u16::to_be_bytes).concat();
    datagram.extend(b"game");
    datagram
}

fn segment(from: u16, to: u16, flags: u8) -> Vec<u8> {
    let mut segment = [from, to].map(u16::to_be_bytes).concat();
    segment.extend(1000_u32.to_be_bytes());
    segment.extend(2000_u32.to_be_bytes());
    segment.extend([0x50, flags, 1, 0, 0, 0, 0, 0]);
    segment
}

/// Of Anna's, to this MAC and address.
fn udp(to: MacAddr, address: [u8; 4], port: u16) -> Vec<u8> {
    let packet = ip(ANNA_IP, address, UDP, 0, &datagram(40_000, port));
    ethernet(to, ANNA, 0x0800, &packet)
}

fn tcp(to: MacAddr, address: [u8; 4], port: u16, flags: u8) -> Vec<u8> {
    let packet = ip(ANNA_IP, address, TCP, 0, &segment(40_000, port, flags));
    ethernet(to, ANNA, 0x0800, &packet)
}

fn other(to: MacAddr, address: [u8; 4], protocol: u8, upper: &[u8]) -> Vec<u8> {
    ethernet(to, ANNA, 0x0800, &ip(ANNA_IP, address, protocol, 0, upper))
}

/// Of the box's, to Anna.
fn udp_from_box(from: u16, to: u16) -> Vec<u8> {
    let packet = ip(BOX_IP, ANNA_IP, UDP, 0, &datagram(from, to));
    ethernet(ANNA, BOX, 0x0800, &packet)
}

fn tcp_from_box(from: u16, to: u16, flags: u8) -> Vec<u8> {
    let packet = ip(BOX_IP, ANNA_IP, TCP, 0, &segment(from, to, flags));
    ethernet(ANNA, BOX, 0x0800, &packet)
}

fn v6(host: u16) -> Ipv6Addr {
    Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, host)
}

fn packet_v6(destination: Ipv6Addr, next: u8, upper: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x60, 0, 0, 0];
    packet.extend((upper.len() as u16).to_be_bytes());
    packet.extend([next, 64]);
    packet.extend(v6(100).octets());
    packet.extend(destination.octets());
    packet.extend(upper);
    packet
}

fn udp_v6(to: MacAddr, destination: Ipv6Addr, port: u16) -> Vec<u8> {
    let packet = packet_v6(destination, UDP, &datagram(40_000, port));
    ethernet(to, ANNA, 0x86dd, &packet)
}

fn passes(reach: &mut Reach, now: Instant, frame: &[u8]) -> bool {
    match reach.judge(now, ANNA, view(frame)) {
        Ok(()) => true,
        Err(DropReason::OutOfReach) => false,
        Err(other) => panic!("{other}"),
    }
}

/// What passes under everything, games only, and one named port of the box.
#[test]
fn every_kind_of_frame_under_every_policy() {
    const NO: bool = false;
    const YES: bool = true;
    let all = MacAddr::BROADCAST;
    let mdns = MacAddr::new([1, 0, 0x5e, 0, 0, 0xfb]);
    let ping = [8, 0, 0, 0, 0, 1, 0, 1];
    let unreachable = [3, 3, 0, 0, 0, 0, 0, 0];
    let dhcp = {
        let mut message = vec![1, 1, 6, 0];
        message.resize(28, 0);
        message.extend(ANNA.octets());
        message.resize(236, 0);
        message.extend([99, 130, 83, 99, 53, 1, 1, 255]);
        let len = 8 + message.len() as u16;
        let datagram = [
            &[68, 67, len, 0].map(u16::to_be_bytes).concat()[..],
            &message,
        ]
        .concat();
        let packet = ip([0; 4], [255; 4], UDP, 0, &datagram);
        ethernet(all, ANNA, 0x0800, &packet)
    };
    let igmp = [0x16, 0, 0, 0, 239, 1, 1, 1];
    // frame, games only, only 192.168.50.2:9000/udp
    let table = [
        ("ARP", arp(ANNA, ANNA_IP), YES, YES),
        ("DHCP", dhcp, YES, YES),
        ("IGMP", other(mdns, [239, 1, 1, 1], 2, &igmp), YES, YES),
        ("broadcast", udp(all, [255; 4], 27960), YES, YES),
        (
            "directed broadcast",
            udp(all, [192, 168, 50, 255], 9876),
            YES,
            YES,
        ),
        ("multicast", udp(mdns, [224, 0, 0, 251], 5353), YES, YES),
        (
            "NetBIOS to all",
            udp(all, [192, 168, 50, 255], 137),
            YES,
            YES,
        ),
        ("SNMP to all", udp(all, [255; 4], 161), NO, NO),
        ("TFTP to all", udp(all, [192, 168, 50, 255], 69), NO, NO),
        ("TCP to all", tcp(all, [255; 4], 27960, SYN), NO, NO),
        ("game's port", udp(BOX, BOX_IP, 27960), YES, NO),
        ("game's port by TCP", tcp(BOX, BOX_IP, 25565, SYN), YES, NO),
        ("and its data", tcp(BOX, BOX_IP, 25565, ACK), YES, NO),
        (
            "game's port of the other protocol",
            tcp(BOX, BOX_IP, 27960, SYN),
            NO,
            NO,
        ),
        (
            "game's port of the router",
            udp(ROUTER, ROUTER_IP, 27960),
            YES,
            NO,
        ),
        (
            "game's port of our machine",
            udp(NIC, OWN_IP, 27960),
            YES,
            NO,
        ),
        ("named", udp(BOX, BOX_IP, 9000), NO, YES),
        (
            "named, by the other protocol",
            tcp(BOX, BOX_IP, 9000, SYN),
            NO,
            NO,
        ),
        ("named, of another machine", udp(NIC, OWN_IP, 9000), NO, NO),
        ("file shares", tcp(BOX, BOX_IP, 445, SYN), NO, NO),
        ("and their data", tcp(BOX, BOX_IP, 445, ACK), NO, NO),
        ("NetBIOS", udp(BOX, BOX_IP, 137), NO, NO),
        ("SSH", tcp(NIC, OWN_IP, 22, SYN), NO, NO),
        ("router's page", tcp(ROUTER, ROUTER_IP, 80, SYN), NO, NO),
        ("name server", udp(ROUTER, ROUTER_IP, 53), NO, NO),
        ("UPnP", udp(ROUTER, ROUTER_IP, 1900), NO, NO),
        ("ping", other(BOX, BOX_IP, 1, &ping), YES, YES),
        (
            "ping of another",
            other(ROUTER, ROUTER_IP, 1, &ping),
            YES,
            NO,
        ),
        ("unreachable", other(BOX, BOX_IP, 1, &unreachable), YES, YES),
        (
            "timestamp",
            other(BOX, BOX_IP, 1, &[13, 0, 0, 0, 0, 0, 0, 0]),
            NO,
            NO,
        ),
        ("GRE", other(BOX, BOX_IP, 47, &[0; 8]), NO, NO),
        ("IPv4 in IPv4", other(BOX, BOX_IP, 4, &[0x45; 20]), NO, NO),
        ("IPv6 in IPv4", other(BOX, BOX_IP, 41, &[0x60; 40]), NO, NO),
        ("SCTP", other(BOX, BOX_IP, 132, &[0; 12]), NO, NO),
        ("internet", udp(ROUTER, AWAY, 27960), NO, NO),
        ("internet by TCP", tcp(ROUTER, AWAY, 443, SYN), NO, NO),
        ("IPX", ethernet(all, ANNA, 0x8137, &[0xff; 30]), YES, NO),
        ("raw IPX", ethernet(all, ANNA, 30, &[0xff; 30]), YES, NO),
        (
            "NetBEUI",
            ethernet(BOX, ANNA, 4, &[0xf0, 0xf0, 3, 0]),
            NO,
            NO,
        ),
        (
            "ATA over Ethernet",
            ethernet(BOX, ANNA, 0x88a2, &[0; 46]),
            NO,
            NO,
        ),
        (
            "ATA over Ethernet to all",
            ethernet(all, ANNA, 0x88a2, &[0; 46]),
            NO,
            NO,
        ),
    ];
    for (what, frame, games, named) in table {
        let expected = [YES, games, named];
        let policies = ["everything", "games", "192.168.50.2:9000/udp"];
        for (policy, expected) in policies.into_iter().zip(expected) {
            let (now, mut reach) = reach(policy);
            let passed = passes(&mut reach, now, &frame);
            assert_eq!(passed, expected, "{what} under {policy}");
        }
    }
}

#[test]
fn what_a_machine_announces_opens_that_machines_port_and_no_other() {
    let (now, mut reach) = reach("games");
    assert!(!passes(&mut reach, now, &udp(BOX, BOX_IP, 40_123)));
    reach.hear_game(now, BOX, 40_123);
    assert!(passes(&mut reach, now, &udp(BOX, BOX_IP, 40_123)));
    assert!(passes(&mut reach, now, &tcp(BOX, BOX_IP, 40_123, SYN)));
    assert!(!passes(&mut reach, now, &udp(BOX, BOX_IP, 40_124)));
    assert!(!passes(&mut reach, now, &udp(NIC, OWN_IP, 40_123)));
    // Ten minutes later nobody has said it again; but whoever plays needs not.
    let later = now + Duration::from_secs(599);
    reach.hear_to_player(later, ANNA, view(&udp_from_box(40_123, 40_000)));
    let later = later + Duration::from_secs(599);
    assert!(passes(&mut reach, later, &tcp(BOX, BOX_IP, 40_123, SYN)));
    let later = later + Duration::from_secs(1);
    assert!(!passes(&mut reach, later, &tcp(BOX, BOX_IP, 40_123, SYN)));
}

#[test]
fn no_announcement_opens_administration() {
    let (now, mut reach) = reach("games");
    for (mac, ip) in [(BOX, BOX_IP), (ROUTER, ROUTER_IP), (NIC, OWN_IP)] {
        for port in [22, 23, 53, 80, 443, 445, 3389, 5000, 5900, 8006, 8080] {
            reach.hear_game(now, mac, port);
            assert!(!passes(&mut reach, now, &tcp(mac, ip, port, SYN)), "{port}");
        }
    }
    // A network's name opens it on machines, and not on its router or on ours; their own address does.
    reach.set_policy(now, "192.168.50.0/24,192.168.50.1:80".parse().unwrap());
    assert!(passes(&mut reach, now, &tcp(BOX, BOX_IP, 445, SYN)));
    assert!(passes(&mut reach, now, &udp(NIC, OWN_IP, 27960)));
    assert!(!passes(&mut reach, now, &tcp(NIC, OWN_IP, 22, SYN)));
    assert!(!passes(&mut reach, now, &tcp(ROUTER, ROUTER_IP, 443, SYN)));
    assert!(!passes(
        &mut reach,
        now,
        &other(ROUTER, ROUTER_IP, 132, &[0; 12])
    ));
    assert!(passes(&mut reach, now, &tcp(ROUTER, ROUTER_IP, 80, SYN)));
}

#[test]
fn what_the_lan_begins_may_be_answered_and_nothing_beside_it() {
    for policy in ["games", "192.168.50.9"] {
        let (now, mut reach) = reach(policy);
        let answer = tcp(BOX, BOX_IP, 50_000, SYN | ACK);
        assert!(!passes(&mut reach, now, &answer));
        reach.hear_to_player(now, ANNA, view(&tcp_from_box(50_000, 40_000, SYN)));
        assert!(passes(&mut reach, now, &answer));
        assert!(passes(&mut reach, now, &tcp(BOX, BOX_IP, 50_000, ACK)));
        // A connection of the player's own is no answer, also not from the same port.
        assert!(!passes(&mut reach, now, &tcp(BOX, BOX_IP, 50_000, SYN)));
        assert!(!passes(&mut reach, now, &tcp(BOX, BOX_IP, 50_001, ACK)));
        assert!(!passes(&mut reach, now, &udp(BOX, BOX_IP, 50_000)));
        assert!(!passes(&mut reach, now, &tcp(ROUTER, BOX_IP, 50_000, ACK)));
        reach.hear_to_player(now, ANNA, view(&tcp_from_box(50_000, 40_000, RST)));
        assert!(!passes(&mut reach, now, &answer));

        reach.hear_to_player(now, ANNA, view(&udp_from_box(50_000, 40_000)));
        assert!(passes(&mut reach, now, &udp(BOX, BOX_IP, 50_000)));
        let silent = now + Duration::from_secs(301);
        assert!(!passes(&mut reach, silent, &udp(BOX, BOX_IP, 50_000)));
    }
}

#[test]
fn an_answer_of_a_service_begins_nothing() {
    let (now, mut reach) = reach("games");
    for port in [53, 137, 161, 445, 3702, 5353] {
        reach.hear_to_player(now, ANNA, view(&udp_from_box(port, 40_000)));
        assert!(!passes(&mut reach, now, &udp(BOX, BOX_IP, port)), "{port}");
    }
    // And no data of a connection that a player has begun before.
    reach.hear_to_player(now, ANNA, view(&tcp_from_box(9123, 40_000, ACK)));
    assert!(!passes(&mut reach, now, &tcp(BOX, BOX_IP, 9123, ACK)));
}

#[test]
fn a_policy_holds_at_once_for_what_is_under_way() {
    let (_, mut reach) = reach("everything");
    let now = Instant::now() + Duration::from_secs(60);
    let ours = udp(BOX, BOX_IP, 9123);
    assert!(passes(&mut reach, now, &ours));
    reach.set_policy(now, "games".parse().unwrap());
    assert!(!passes(&mut reach, now, &ours));
    // The answer that was on its way begins nothing; what comes unasked some seconds later does.
    reach.hear_to_player(now, ANNA, view(&udp_from_box(9124, 40_000)));
    assert!(!passes(&mut reach, now, &udp(BOX, BOX_IP, 9124)));
    let later = now + SETTLING;
    reach.hear_to_player(later, ANNA, view(&udp_from_box(9124, 40_000)));
    assert!(passes(&mut reach, later, &udp(BOX, BOX_IP, 9124)));
    // Whoever plays at a player's own server goes on.
    let game = |from, to| {
        let packet = ip(ANNA_IP, BOX_IP, UDP, 0, &datagram(from, to));
        ethernet(BOX, ANNA, 0x0800, &packet)
    };
    reach.set_policy(later, "192.168.50.77".parse().unwrap());
    assert!(!passes(&mut reach, later, &game(27960, 51_000)));
    reach.hear_to_player(later, ANNA, view(&udp_from_box(51_000, 27960)));
    assert!(passes(&mut reach, later, &game(27960, 51_000)));
}

#[test]
fn a_player_may_have_a_policy_of_its_own() {
    let (now, mut reach) = reach("games");
    let share = tcp(BOX, BOX_IP, 445, SYN);
    let berts = ethernet(BOX, BERT, 0x0800, &share[14..]);
    reach.set_own(now, BERT, Some("192.168.50.2:445".parse().unwrap()));
    assert!(reach.judge(now, BERT, view(&berts)).is_ok());
    assert!(!passes(&mut reach, now, &share));
    reach.set_own(now, ANNA, Some(Policy::Everything));
    assert!(passes(&mut reach, now, &share));
    reach.set_own(now, BERT, None);
    assert!(reach.judge(now, BERT, view(&berts)).is_err());
    reach.set_policy(now, Policy::Everything);
    assert!(reach.is_open());
    reach.set_own(now, ANNA, Some("games".parse().unwrap()));
    assert!(!reach.is_open() && !passes(&mut reach, now, &share));
    reach.leave(ANNA);
    assert!(reach.is_open());
}

/// The Internet checksum of a whole is 0 where it is right.
fn is_sound(answer: &[u8]) -> bool {
    let packet = &answer[14..];
    match packet[0] >> 4 {
        4 => {
            let (header, upper) = packet.split_at(20);
            let mut sum = Sum::of(upper);
            if header[9] == TCP {
                let address = |at: usize| *header[at..].first_chunk::<4>().unwrap();
                sum += Sum::pseudo_v4(address(12), address(16), TCP, upper.len() as u16);
            }
            Sum::of(header).checksum() == 0 && sum.checksum() == 0
        }
        _ => {
            let (header, upper) = packet.split_at(40);
            let address = |at: usize| *header[at..].first_chunk::<16>().unwrap();
            let mut sum = Sum::pseudo_v6(address(8), address(24), header[6], upper.len() as u32);
            sum += Sum::of(upper);
            sum.checksum() == 0
        }
    }
}

#[test]
fn who_is_refused_hears_it_at_once_and_nobody_else_does() {
    let (now, mut reach) = reach("games");
    let told = |reach: &mut Reach, frame: &[u8]| {
        assert!(!passes(reach, now, frame));
        reach.take_answer()
    };
    let answer = told(&mut reach, &tcp(BOX, BOX_IP, 445, SYN)).unwrap();
    assert_eq!(
        (&answer[..6], &answer[6..12]),
        (&ANNA.octets()[..], &BOX.octets()[..])
    );
    assert!(is_sound(&answer));
    // From the port, reset, with the number that the handshake waits for.
    assert_eq!(
        answer[34..38],
        [445_u16, 40_000].map(u16::to_be_bytes).concat()
    );
    assert_eq!(answer[42..46], 1001_u32.to_be_bytes());
    assert_eq!(answer[47], RST | ACK);
    let answer = told(&mut reach, &tcp(BOX, BOX_IP, 445, ACK)).unwrap();
    assert_eq!(answer[38..42], 2000_u32.to_be_bytes());
    assert_eq!(answer[47], RST);

    let answer = told(&mut reach, &udp(BOX, BOX_IP, 9999)).unwrap();
    assert!(is_sound(&answer));
    assert_eq!((answer[23], &answer[34..36]), (1, &[3, 13][..]));
    assert_eq!(answer[42..70], udp(BOX, BOX_IP, 9999)[14..42]);
    reach.hear_lan(now, view(&arp(BOX, BOX_IP)));
    let answer = told(&mut reach, &udp_v6(BOX, v6(2), 9999)).unwrap();
    assert!(is_sound(&answer));
    assert_eq!((answer[20], &answer[54..56]), (ICMPV6, &[1, 1][..]));

    // Nothing answers an answer, and nothing a frame to all.
    assert_eq!(told(&mut reach, &tcp(BOX, BOX_IP, 445, RST)), None);
    assert_eq!(
        told(&mut reach, &udp(MacAddr::BROADCAST, [255; 4], 161)),
        None
    );
    let errors = other(ROUTER, AWAY, 1, &[3, 3, 0, 0, 0, 0, 0, 0]);
    assert_eq!(told(&mut reach, &errors), None);
    assert_eq!(
        told(&mut reach, &ethernet(BOX, ANNA, 0x88a2, &[0; 46])),
        None
    );
    let from_all = ip([255; 4], BOX_IP, UDP, 0, &datagram(1, 2));
    let _ = told(&mut reach, &ethernet(BOX, ANNA, 0x0800, &from_all));
}

#[test]
fn answers_are_few() {
    let (now, mut reach) = reach("games");
    let mut answers = 0;
    for millis in 0..10_000_u64 {
        let now = now + Duration::from_millis(millis);
        let frame = tcp(BOX, BOX_IP, 1000 + (millis % 20) as u16, SYN);
        assert!(!passes(&mut reach, now, &frame));
        answers += u32::from(reach.take_answer().is_some());
    }
    // Twenty at once, and ten a second.
    assert!((119..=120).contains(&answers), "{answers}");
}

#[test]
fn attempts_say_who_tried_what_and_what_lets_it() {
    let (now, mut reach) = reach("games");
    for _ in 0..3 {
        passes(&mut reach, now, &tcp(BOX, BOX_IP, 445, SYN));
    }
    let later = now + Duration::from_secs(5);
    passes(&mut reach, later, &udp(ROUTER, ROUTER_IP, 53));
    passes(&mut reach, later, &other(BOX, BOX_IP, 47, &[0; 8]));
    passes(&mut reach, later, &udp(MacAddr::BROADCAST, [255; 4], 161));
    let told = |attempt: &Attempt| {
        let what = attempt.what().unwrap_or("").to_owned();
        (attempt.allow().to_string(), what, attempt.frames)
    };
    let attempts: Vec<_> = reach.attempts(later).map(told).collect();
    let expected = [
        (
            "192.168.50.1:53/udp".to_owned(),
            "name server".to_owned(),
            1,
        ),
        (
            "192.168.50.2:445/tcp".to_owned(),
            "file shares".to_owned(),
            3,
        ),
    ];
    assert_eq!(attempts, expected);
    // What an attempt says lets it through.
    for (allow, ..) in attempts {
        let mut policy: Policy = "games".parse().unwrap();
        assert_eq!(policy.allow(allow.parse().unwrap()), Ok(true));
        reach.set_policy(later, policy);
        let frame = match allow.contains("445") {
            true => tcp(BOX, BOX_IP, 445, SYN),
            false => udp(ROUTER, ROUTER_IP, 53),
        };
        assert!(passes(&mut reach, later, &frame), "{allow}");
    }
}

#[test]
fn what_is_let_is_no_attempt_any_more() {
    let (now, mut reach) = reach("games");
    let tried = |reach: &Reach, now| -> Vec<_> {
        let attempts = reach.attempts(now);
        let mut tried: Vec<_> = attempts.map(|at| (at.player, at.port.unwrap())).collect();
        tried.sort();
        tried
    };
    let berts = |mut frame: Vec<u8>| {
        frame[6..12].copy_from_slice(&BERT.octets());
        frame
    };
    let (share, shell) = (tcp(BOX, BOX_IP, 445, SYN), tcp(BOX, BOX_IP, 22, SYN));
    for frame in [&share, &shell] {
        assert!(!passes(&mut reach, now, frame));
        assert!(reach.judge(now, BERT, view(&berts(frame.clone()))).is_err());
    }
    assert_eq!(
        tried(&reach, now),
        [(ANNA, 22), (ANNA, 445), (BERT, 22), (BERT, 445)]
    );
    // A network's name does not open the services of a machine that may be a router.
    reach.set_policy(now, "games,192.168.50.0/24".parse().unwrap());
    assert_eq!(tried(&reach, now).len(), 4);
    reach.set_policy(now, "games,192.168.50.2:440-450/tcp".parse().unwrap());
    assert_eq!(tried(&reach, now), [(ANNA, 22), (BERT, 22)]);
    reach.set_own(now, BERT, Some("192.168.50.2".parse().unwrap()));
    assert_eq!(tried(&reach, now), [(ANNA, 22)]);
    reach.set_policy(now, Policy::Everything);
    assert_eq!(tried(&reach, now), []);
}
