//! Ways around the judge.

use super::*;

fn fragment(destination: [u8; 4], flags: u16, upper: &[u8]) -> Vec<u8> {
    let packet = ip(ANNA_IP, destination, UDP, flags, upper);
    ethernet(BOX, ANNA, 0x0800, &packet)
}

const MORE: u16 = 0x2000;

#[test]
fn pieces_follow_the_first_and_never_lead() {
    let (now, mut reach) = reach("games");
    let first = |port| [&datagram(40_000, port)[..], &[0; 20]].concat();
    let later = fragment(BOX_IP, 4, &[7; 24]);
    assert!(!passes(&mut reach, now, &later), "before the first");
    assert!(passes(
        &mut reach,
        now,
        &fragment(BOX_IP, MORE, &first(27960))
    ));
    assert!(passes(&mut reach, now, &later));
    assert!(!passes(&mut reach, now, &fragment(ROUTER_IP, 4, &[7; 24])));
    // Another first of that number, to somewhere else: none of them goes on.
    assert!(!passes(
        &mut reach,
        now,
        &fragment(BOX_IP, MORE, &first(445))
    ));
    assert!(!passes(&mut reach, now, &later));
    assert!(passes(
        &mut reach,
        now,
        &fragment(BOX_IP, MORE, &first(27960))
    ));
    assert!(!passes(&mut reach, now + Duration::from_secs(6), &later));
}

#[test]
fn pieces_of_ipv6_too() {
    let (now, mut reach) = reach("games");
    let piece = |offset: u16, port| {
        let mut upper = vec![UDP, 0];
        upper.extend(offset.to_be_bytes());
        upper.extend([0, 0, 0, 5]);
        upper.extend(datagram(40_000, port));
        upper.extend([0; 12]);
        ethernet(BOX, ANNA, 0x86dd, &packet_v6(v6(2), 44, &upper))
    };
    assert!(!passes(&mut reach, now, &piece(24, 0)));
    assert!(!passes(&mut reach, now, &piece(1, 445)));
    assert!(!passes(&mut reach, now, &piece(24, 0)));
    assert!(passes(&mut reach, now, &piece(1, 27960)));
    assert!(passes(&mut reach, now, &piece(24, 0)));
}

#[test]
fn options_and_extension_headers_do_not_pass() {
    for policy in ["games", "192.168.50.2", "192.168.50.0/24"] {
        let (now, mut reach) = reach(policy);
        // Loose source routing by way of the box (RFC 791).
        let mut packet = vec![0x47, 0, 0, 40, 0, 9, 0, 0, 64, UDP, 0, 0];
        packet.extend(ANNA_IP);
        packet.extend(BOX_IP);
        packet.extend([131, 7, 4, 198, 51, 100, 9, 0]);
        packet.extend(datagram(40_000, 27960));
        let frame = ethernet(BOX, ANNA, 0x0800, &packet);
        assert!(!passes(&mut reach, now, &frame), "{policy}");
        let routing = [&[UDP, 0, 0, 0, 0, 0, 0, 0][..], &datagram(40_000, 27960)].concat();
        for header in [0, 43, 60] {
            let packet = packet_v6(v6(2), header, &routing);
            let frame = ethernet(BOX, ANNA, 0x86dd, &packet);
            assert!(!passes(&mut reach, now, &frame), "{policy} {header}");
        }
    }
}

#[test]
fn a_frame_whose_mac_and_address_are_of_two_kinds_does_not_pass() {
    let (now, mut reach) = reach("games,192.168.50.2:445");
    // To all by its MAC and to one by its address: some hosts take that.
    assert!(!passes(
        &mut reach,
        now,
        &udp(MacAddr::BROADCAST, BOX_IP, 27960)
    ));
    let group = MacAddr::new([1, 0, 0x5e, 0, 0, 1]);
    assert!(!passes(&mut reach, now, &udp(group, BOX_IP, 27960)));
    // And the other way round.
    for all in [[255; 4], [192, 168, 50, 255], [224, 0, 0, 251]] {
        assert!(!passes(&mut reach, now, &udp(BOX, all, 27960)), "{all:?}");
    }
    let all = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
    assert!(!passes(&mut reach, now, &udp_v6(BOX, all, 27960)));
    // Named is the box's address, and not what another does with packets for it.
    assert!(!passes(&mut reach, now, &tcp(ROUTER, BOX_IP, 445, SYN)));
    assert!(passes(&mut reach, now, &tcp(BOX, BOX_IP, 445, SYN)));
}

#[test]
fn the_lans_router_is_no_way_out() {
    for policy in ["games", "0.0.0.0/0", "198.51.0.0/16"] {
        let (now, mut reach) = reach(policy);
        for to in [ROUTER, BOX, NIC] {
            assert!(!passes(&mut reach, now, &udp(to, AWAY, 27960)), "{policy}");
        }
        // A router that answers for the whole internet (RFC 1027) changes nothing.
        reach.hear_lan(now, view(&arp(ROUTER, AWAY)));
        assert!(
            !passes(&mut reach, now, &udp(ROUTER, AWAY, 27960)),
            "{policy}"
        );
    }
    // A host who names the very address means it.
    let (now, mut reach) = reach("198.51.100.9:27960");
    assert!(passes(&mut reach, now, &udp(ROUTER, AWAY, 27960)));
    assert!(!passes(&mut reach, now, &udp(ROUTER, AWAY, 53)));
}

#[test]
fn a_router_is_known_by_leases_and_advertisements_too() {
    let now = Instant::now();
    let mut reach = Reach::new(NIC, is_game);
    reach.set_policy(now, "192.168.50.0/24,[fe80::]/10".parse().unwrap());
    // The gateway has no address of its own here.
    reach.hear_lan(now, view(&arp(ROUTER, ROUTER_IP)));
    let lease = {
        let mut message = vec![2, 1, 6, 0];
        message.resize(16, 0);
        message.extend(ANNA_IP);
        message.resize(28, 0);
        message.extend(ANNA.octets());
        message.resize(236, 0);
        message.extend([99, 130, 83, 99, 53, 1, 5, 3, 4]);
        message.extend(ROUTER_IP);
        message.extend([51, 4, 0, 0, 1, 0, 54, 4]);
        message.extend(BOX_IP);
        message.push(255);
        let len = 8 + message.len() as u16;
        let datagram = [
            &[67, 68, len, 0].map(u16::to_be_bytes).concat()[..],
            &message,
        ]
        .concat();
        ethernet(ANNA, BOX, 0x0800, &ip(BOX_IP, ANNA_IP, UDP, 0, &datagram))
    };
    reach.hear_lan(now, view(&lease));
    assert!(!passes(&mut reach, now, &tcp(ROUTER, ROUTER_IP, 80, SYN)));
    assert!(passes(&mut reach, now, &tcp(ROUTER, ROUTER_IP, 27960, SYN)));

    let box_is_router = {
        let mut packet = vec![0x60, 0, 0, 0, 0, 16, ICMPV6, 255];
        packet.extend(v6(2).octets());
        packet.extend(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1).octets());
        packet.extend([134, 0, 0, 0, 64, 0, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0]);
        ethernet(MacAddr::new([0x33, 0x33, 0, 0, 0, 1]), BOX, 0x86dd, &packet)
    };
    let page = ethernet(
        BOX,
        ANNA,
        0x86dd,
        &packet_v6(v6(2), TCP, &segment(1, 80, SYN)),
    );
    assert!(passes(&mut reach, now, &page));
    reach.hear_lan(now, view(&box_is_router));
    assert!(!passes(&mut reach, now, &page));
}

#[test]
fn ipv6_of_a_machine_is_that_machine() {
    let (now, mut reach) = reach("games");
    assert!(passes(&mut reach, now, &udp_v6(BOX, v6(2), 27960)));
    assert!(!passes(&mut reach, now, &udp_v6(BOX, v6(2), 40_123)));
    // It was announced over IPv4; the machine is the same.
    reach.hear_game(now, BOX, 40_123);
    assert!(passes(&mut reach, now, &udp_v6(BOX, v6(2), 40_123)));
    // Beyond the link there is no machine.
    let away = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 9);
    assert!(!passes(&mut reach, now, &udp_v6(ROUTER, away, 27960)));
}
