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

/// What passes while no router is known, and when one is.
#[test]
fn every_machine_may_be_the_router_until_one_is_known() {
    const NO: bool = false;
    const YES: bool = true;
    let ping = [8, 0, 0, 0, 0, 1, 0, 1];
    let table = [
        ("shares", tcp(BOX, BOX_IP, 445, SYN), NO, YES),
        ("its pages", tcp(BOX, BOX_IP, 8080, SYN), NO, YES),
        ("SCTP", other(BOX, BOX_IP, 132, &[0; 12]), NO, YES),
        ("its game", udp(BOX, BOX_IP, 27960), YES, YES),
        ("its ping", other(BOX, BOX_IP, 1, &ping), YES, YES),
        ("router's page", tcp(ROUTER, ROUTER_IP, 80, SYN), NO, NO),
        ("router's names", udp(ROUTER, ROUTER_IP, 53), NO, NO),
        ("router's game", udp(ROUTER, ROUTER_IP, 27960), YES, YES),
        ("the very address", tcp(NIC, OWN_IP, 22, SYN), YES, YES),
    ];
    let elsewhere: IpAddr = [10, 0, 0, 1].into();
    let unheard: IpAddr = [192, 168, 50, 254].into();
    for (what, frame, unknown, known) in table {
        // None, one of another network of the gateway's machine, one that has not been heard of yet, and one that has.
        let cases = [
            (vec![], unknown),
            (vec![elsewhere], unknown),
            (vec![unheard], unknown),
            (vec![elsewhere, ROUTER_IP.into()], known),
        ];
        for (routers, expected) in cases {
            let (now, mut reach) = reach("192.168.50.0/24,192.168.50.5:22");
            reach.set_facts(LanFacts {
                own: vec![OWN_IP.into()],
                networks: vec![(OWN_IP.into(), 24)],
                routers: routers.clone(),
            });
            let passed = passes(&mut reach, now, &frame);
            assert_eq!(passed, expected, "{what} with {routers:?}");
        }
    }
}

/// By the box, from this address.
fn brought(from: [u8; 4], to: (MacAddr, [u8; 4])) -> Vec<u8> {
    let packet = ip(from, to.1, UDP, 0, &datagram(53, 40_000));
    ethernet(to.0, BOX, 0x0800, &packet)
}

#[test]
fn who_brings_packets_from_elsewhere_is_guarded_and_may_have_games() {
    let own = (NIC, OWN_IP);
    let all = (MacAddr::BROADCAST, [255; 4]);
    let table = [
        ("from the internet", brought(AWAY, own), true),
        ("from the next network", brought([10, 0, 0, 9], own), true),
        ("to a player", brought(AWAY, (ANNA, ANNA_IP)), true),
        ("its own", brought(BOX_IP, own), false),
        ("without an address", brought([0; 4], own), false),
        ("link-local", brought([169, 254, 7, 7], own), false),
        ("to all", brought([10, 0, 0, 9], all), false),
    ];
    for (what, frame, guards) in table {
        let (now, mut reach) = reach("games,192.168.50.0/24");
        reach.hear_lan(now, view(&frame));
        let share = tcp(BOX, BOX_IP, 445, SYN);
        assert_eq!(passes(&mut reach, now, &share), !guards, "{what}");
        assert!(passes(&mut reach, now, &udp(BOX, BOX_IP, 27960)), "{what}");
        reach.set_policy(now, "192.168.50.2:445".parse().unwrap());
        assert!(passes(&mut reach, now, &share), "its very address");
    }
}

#[test]
fn where_the_gateway_has_no_address_only_public_ones_are_surely_from_elsewhere() {
    for (from, guards) in [(AWAY, true), ([10, 0, 0, 9], false)] {
        let now = Instant::now();
        let mut reach = Reach::new(NIC, is_game);
        reach.set_facts(LanFacts {
            routers: vec![ROUTER_IP.into()],
            ..LanFacts::default()
        });
        for (mac, ip) in [(BOX, BOX_IP), (ROUTER, ROUTER_IP)] {
            reach.hear_lan(now, view(&arp(mac, ip)));
        }
        reach.set_policy(now, "192.168.50.0/24".parse().unwrap());
        reach.hear_lan(now, view(&brought(from, (NIC, OWN_IP))));
        let share = tcp(BOX, BOX_IP, 445, SYN);
        assert_eq!(passes(&mut reach, now, &share), !guards, "{from:?}");
    }
}
