//! What sets devices up: by broadcast, by its answers, and on routers that nobody has named.

use super::*;

/// By which devices are administered, or what is no game in any case.
const SHUT: &[u16] = &[
    7, 9, 19, 53, 69, 123, 161, 500, 623, 1023, // services
    1194, 1701, 4500, 4789, 51820, // tunnels
    1434, 2049, 3283, 5351, 5632, 5683, 11211, // services of programs
    3671, 9999, 20561, 29808, 29809, 30718, 37020, 38899, 47808, 56700, 63321, 63322, 63323, 63324,
];

#[test]
fn what_is_administered_by_broadcast_is_not_heard_by_the_lan() {
    let group = MacAddr::new([1, 0, 0x5e, 0, 0, 0xfb]);
    let group_v6 = MacAddr::new([0x33, 0x33, 0, 0, 0, 1]);
    let all_v6 = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
    let frames = |port| {
        [
            udp(MacAddr::BROADCAST, [255; 4], port),
            udp(MacAddr::BROADCAST, [192, 168, 50, 255], port),
            udp(group, [224, 0, 0, 251], port),
            udp_v6(group_v6, all_v6, port),
        ]
    };
    let finding = [67, 68, 137, 138, 546, 547, 1900, 3702, 5353, 5355];
    let games = [1234, 2302, 4445, 5678, 6112, 8303, 10_001, 27_960, 47_624];
    let open = finding.into_iter().chain(games).map(|port| (port, true));
    let shut = SHUT.iter().map(|&port| (port, false));
    for policy in ["games", "192.168.50.2:9000/udp", "192.168.50.0/24"] {
        let (now, mut reach) = reach(policy);
        for (port, may) in open.clone().chain(shut.clone()) {
            for frame in frames(port) {
                assert_eq!(passes(&mut reach, now, &frame), may, "{port}, {policy}");
            }
        }
    }
}

#[test]
fn an_answer_from_administration_begins_nothing_and_a_connection_of_the_lans_does() {
    let (now, mut reach) = reach("games");
    for &port in SHUT {
        // Also not at a port of a game.
        for to in [40_000, 27_960] {
            reach.hear_to_player(now, ANNA, view(&udp_from_box(port, to)));
            let packet = ip(ANNA_IP, BOX_IP, UDP, 0, &datagram(to, port));
            let frame = ethernet(BOX, ANNA, 0x0800, &packet);
            assert!(!passes(&mut reach, now, &frame), "{port} to {to}");
        }
    }
    // Systems give such ports to programs that connect to somebody.
    for port in [20, 5000, 9090, 49_153, 62_078] {
        let answer = tcp(BOX, BOX_IP, port, SYN | ACK);
        assert!(!passes(&mut reach, now, &answer), "{port}");
        reach.hear_to_player(now, ANNA, view(&tcp_from_box(port, 40_000, SYN)));
        assert!(passes(&mut reach, now, &answer), "{port}");
        let own = tcp(BOX, BOX_IP, port, SYN);
        assert!(!passes(&mut reach, now, &own), "{port}");
    }
}
