//! What speaks as a router, a querier, a bridge or a first hop: the LAN may, a player may not (spec R106).

use super::*;

const ROUTER: DropReason = DropReason::RouterProtocol;
const BRIDGE: DropReason = DropReason::BridgeProtocol;
const QUERY: DropReason = DropReason::GroupQuery;
const ADVERTISEMENT: DropReason = DropReason::RouterAdvertisement;
const ALL_HOSTS: MacAddr = MacAddr::new([1, 0, 0x5e, 0, 0, 1]);

#[test]
fn protocols_of_routers_are_only_the_lans_in_both_ips_and_every_fragment() {
    for (name, protocol) in [
        ("GGP", 3),
        ("EGP", 8),
        ("IGRP", 9),
        ("IDRP", 45),
        ("NHRP", 54),
        ("EIGRP", 88),
        ("OSPF", 89),
        ("PIM", 103),
        ("VRRP and CARP", 112),
        ("IS-IS over IP", 124),
        ("OLSRv2", 138),
        ("pfsync", 240),
    ] {
        let message = &[0x31; 40];
        only_the_lan(name, IPV4, &v4(protocol, message), ROUTER);
        only_the_lan(name, IPV4, &with_options(&v4(protocol, message), 4), ROUTER);
        only_the_lan(name, IPV4, &authenticated_v4(1, protocol, message), ROUTER);
        only_the_lan(name, IPV4, &fragment_v4(0, true, protocol, message), ROUTER);
        only_the_lan(
            name,
            IPV4,
            &fragment_v4(9, false, protocol, message),
            ROUTER,
        );
        only_the_lan(name, IPV6, &v6(protocol, message), ROUTER);
        only_the_lan(name, IPV6, &extend(&[0, 60], protocol, message), ROUTER);
        only_the_lan(name, IPV6, &fragment_v6(0, true, protocol, message), ROUTER);
        only_the_lan(
            name,
            IPV6,
            &fragment_v6(9, false, protocol, message),
            ROUTER,
        );
    }
    for (name, protocol) in [
        ("TCP", 6),
        ("GRE", 47),
        ("ESP", 50),
        ("PGM", 113),
        ("SCTP", 132),
    ] {
        anybody(name, IPV4, &v4(protocol, &[0x31; 40]));
        anybody(name, IPV6, &v6(protocol, &[0x31; 40]));
    }
}

#[test]
fn routers_ports_are_only_the_lans() {
    for (name, port) in [
        ("MANET", 269),
        ("Auto-RP", 496),
        ("RIP", 520),
        ("RIPng", 521),
        ("LDP", 646),
        ("AODV", 654),
        ("OLSR", 698),
        ("TDP", 711),
    ] {
        for from in [port, 40_000] {
            only_the_lan(name, IPV4, &udp_v4(from, port, &[2; 24]), ROUTER);
            only_the_lan(name, IPV6, &udp_v6(from, port), ROUTER);
        }
        anybody(name, IPV4, &udp_v4(port, 40_000, &[2; 24]));
    }
    for (name, from, to) in [
        ("HSRP", 1985, 1985),
        ("HSRP for IPv6", 2029, 2029),
        ("GLBP", 3222, 3222),
        ("Babel", 6696, 6696),
        ("NAT-PMP", 5351, 5350),
    ] {
        only_the_lan(name, IPV4, &udp_v4(from, to, &[0; 20]), ROUTER);
        only_the_lan(name, IPV6, &udp_v6(from, to), ROUTER);
        // From any port to a group; but a program that happens to use the port is no router.
        let packet = udp_v4(40_000, to, &[0; 20]);
        let frame = ethernet(ALL_HOSTS, IPV4, &packet);
        assert_eq!(judge(&frame, CLIENT), Err(ROUTER), "{name}");
        let mut to_group = packet.clone();
        to_group[16..20].copy_from_slice(&[224, 0, 0, 102]);
        only_the_lan(name, IPV4, &to_group, ROUTER);
        anybody(name, IPV4, &packet);
    }
}

#[test]
fn redirects_and_advertisements_of_every_kind_are_only_the_lans() {
    for kind in [5, 9, 18, 32] {
        only_the_lan("ICMPv4", IPV4, &v4(1, &[kind; 12]), ADVERTISEMENT);
        only_the_lan(
            "ICMPv4",
            IPV4,
            &fragment_v4(0, true, 1, &[kind; 16]),
            ADVERTISEMENT,
        );
    }
    for (kind, reason) in [
        (134, ADVERTISEMENT),
        (137, ADVERTISEMENT),
        (138, ADVERTISEMENT),
        (141, DropReason::ArpSpoof),
        (142, DropReason::ArpSpoof),
        (145, ADVERTISEMENT),
        (147, ADVERTISEMENT),
        (149, ADVERTISEMENT),
        (154, ADVERTISEMENT),
        (155, ROUTER),
        (157, ROUTER),
        (158, ROUTER),
        (159, ROUTER),
    ] {
        let message = [kind; 40];
        only_the_lan("ICMPv6", IPV6, &v6(58, &message), reason);
        only_the_lan("ICMPv6", IPV6, &extend(&[0], 58, &message), reason);
        only_the_lan("ICMPv6", IPV6, &fragment_v6(0, true, 58, &message), reason);
    }
    // Errors, pings and node information are every host's.
    for kind in [0, 3, 4, 8, 10, 11, 12, 13, 14, 17, 42, 43] {
        anybody("ICMPv4", IPV4, &v4(1, &[kind; 12]));
    }
    for kind in [1, 2, 3, 4, 128, 129, 139, 140, 160, 161] {
        anybody("ICMPv6", IPV6, &v6(58, &[kind; 40]));
    }
}

#[test]
fn players_report_what_they_listen_to_and_only_the_lan_asks() {
    for kind in [0x12, 0x16, 0x17, 0x22] {
        anybody("IGMP report", IPV4, &with_options(&v4(2, &[kind; 16]), 4));
    }
    for (name, message, reason) in [
        (
            "a general query of IGMPv1",
            &[0x11, 0, 0xee, 0xff, 0, 0, 0, 0][..],
            QUERY,
        ),
        (
            "a general query of IGMPv2",
            &[0x11, 100, 0xee, 0x9b, 0, 0, 0, 0],
            QUERY,
        ),
        (
            "a query for a group",
            &[0x11, 10, 0, 0, 239, 1, 2, 3],
            QUERY,
        ),
        (
            "a query of IGMPv3",
            &[0x11, 100, 0, 0, 0, 0, 0, 0, 2, 125, 0, 0],
            QUERY,
        ),
        ("a multicast router", &[0x30, 20, 0, 0, 0, 0, 0, 0], QUERY),
        (
            "a search for multicast routers",
            &[0x31, 0, 0, 0, 0, 0, 0, 0],
            QUERY,
        ),
        (
            "a multicast router that goes",
            &[0x32, 0, 0, 0, 0, 0, 0, 0],
            QUERY,
        ),
        ("DVMRP", &[0x13; 8], ROUTER),
        ("PIM version 1", &[0x14; 8], ROUTER),
        ("mtrace's answer", &[0x1e; 8], ROUTER),
        ("RGMP", &[0xff; 8], ROUTER),
    ] {
        only_the_lan(name, IPV4, &v4(2, message), reason);
        only_the_lan(name, IPV4, &with_options(&v4(2, message), 4), reason);
        let hidden = DropReason::HiddenUpperHeader;
        only_the_lan(name, IPV4, &fragment_v4(0, true, 2, message), hidden);
    }
    only_the_lan(
        "half a report",
        IPV4,
        &v4(2, &[0x16; 7]),
        DropReason::HiddenUpperHeader,
    );
    for kind in [131, 132, 143] {
        anybody("MLD report", IPV6, &extend(&[0], 58, &[kind; 28]));
    }
    for kind in [130, 151, 152, 153] {
        only_the_lan("MLD query", IPV6, &extend(&[0], 58, &[kind; 28]), QUERY);
        only_the_lan("MLD query", IPV6, &v6(58, &[kind; 28]), QUERY);
    }
}

#[test]
fn what_bridges_and_first_hops_say_in_ethernet_is_only_the_lans() {
    for (name, ether_type, reason) in [
        ("MPLS", 0x8847, ROUTER),
        ("MPLS multicast", 0x8848, ROUTER),
        ("PPPoE discovery", 0x8863, ROUTER),
        ("PPPoE session", 0x8864, ROUTER),
        ("FGCP", 0x8890, ROUTER),
        ("EIGRP", 0x85be, ROUTER),
        ("MSRP", 0x22ea, BRIDGE),
        ("TRILL", 0x22f3, BRIDGE),
        ("TRILL's IS-IS", 0x22f4, BRIDGE),
        ("MVRP", 0x88f5, BRIDGE),
        ("MMRP", 0x88f6, BRIDGE),
        ("802.1AS", 0x88f7, BRIDGE),
        ("MRP", 0x88e3, BRIDGE),
        ("PRP", 0x88fb, BRIDGE),
        ("HSR", 0x892f, BRIDGE),
        ("CFM and ERPS", 0x8902, BRIDGE),
        ("E-LMI", 0x88ee, BRIDGE),
        ("loopback", 0x9000, BRIDGE),
        ("SLPP", 0x8102, BRIDGE),
        ("MikroTik's loop protection", 0x9003, BRIDGE),
        ("Huawei's loop detection", 0x9998, BRIDGE),
        ("RRCP", 0x8899, BRIDGE),
        ("batman-adv", 0x4305, BRIDGE),
        ("IEEE 1905", 0x893a, BRIDGE),
        ("HomePlug AV", 0x88e1, BRIDGE),
        ("FIP", 0x8914, BRIDGE),
        ("a service instance", 0x88e7, DropReason::VlanTagged),
        ("802.1BR", 0x893f, DropReason::VlanTagged),
    ] {
        only_the_lan(name, ether_type, &[0x31; 46], reason);
    }
    for (name, ether_type) in [
        ("AoE", 0x88a2),
        ("wake on LAN", 0x0842),
        ("AppleTalk", 0x809b),
        ("AVTP", 0x22f0),
        ("TIPC", 0x88ca),
        ("an experiment", 0x88b6),
    ] {
        anybody(name, ether_type, &[0x31; 46]);
    }
}

#[test]
fn what_bridges_and_routers_say_in_llc_is_only_the_lans() {
    for (name, payload, reason) in [
        ("IS-IS", &[0xfe, 0xfe, 3, 0x83, 27, 1][..], ROUTER),
        ("IS-IS to all", &[0xff, 0xfe, 3, 0x83, 27, 1], ROUTER),
        ("CDP", &[0xaa, 0xaa, 3, 0, 0, 0x0c, 0x20, 0x00], BRIDGE),
        ("CGMP", &[0xaa, 0xaa, 3, 0, 0, 0x0c, 0x20, 0x01], BRIDGE),
        ("EAPS", &[0xaa, 0xaa, 3, 0, 0xe0, 0x2b, 0x00, 0xbb], BRIDGE),
        ("SONMP", &[0xaa, 0xaa, 3, 0, 0, 0x81, 0x01, 0xa2], BRIDGE),
        (
            "a bridged BPDU",
            &[0xaa, 0xaa, 3, 0, 0x80, 0xc2, 0x00, 0x0e],
            BRIDGE,
        ),
    ] {
        let frame = ethernet(OTHER, u16::try_from(payload.len()).unwrap(), payload);
        assert_eq!(judge(&frame, CLIENT), Err(reason), "{name}");
        assert_eq!(judge(&frame, Speaker::Lan), Ok(()), "{name} from the LAN");
    }
    for destination in [
        [0x01, 0x80, 0xc2, 0, 0, 0x10],
        [0x01, 0x80, 0xc2, 0, 0, 0x14], // IS-IS
        [0x01, 0x80, 0xc2, 0, 0, 0x21], // GVRP, MVRP
        [0x01, 0x80, 0xc2, 0, 0, 0x30], // CFM
        [0x01, 0x80, 0xc2, 0, 0, 0x41], // TRILL
        [0x01, 0x00, 0x0c, 0xcc, 0xcc, 0xce],
        [0x01, 0x00, 0x0c, 0xcd, 0xcd, 0xcd], // uplink fast
        [0x01, 0x00, 0x0c, 0xdd, 0xdd, 0xdd], // CGMP
    ] {
        let frame = ethernet(MacAddr::new(destination), 0x88b6, &[0; 46]);
        assert_eq!(judge(&frame, CLIENT), Err(BRIDGE), "{destination:02x?}");
        assert_eq!(judge(&frame, Speaker::Lan), Ok(()), "{destination:02x?}");
    }
}

#[test]
fn ipx_is_for_games_and_its_routers_are_on_the_lan() {
    let ipx = |socket: u16, message: &[u8]| {
        let mut packet = vec![0xff, 0xff, 0, 40, 0, 1];
        packet.extend([0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
        packet.extend(socket.to_be_bytes());
        packet.extend([0, 0, 0, 0, 2, 0, 0, 0, 0, 1]);
        packet.extend(socket.to_be_bytes());
        packet.extend(message);
        packet
    };
    for (name, socket, message, from_player) in [
        ("Doom", 0x869c, &[0; 20][..], Ok(())),
        ("a question to routers", 0x0453, &[0, 1, 0xff, 0xff], Ok(())),
        (
            "a router's answer",
            0x0453,
            &[0, 2, 0, 0, 0, 7],
            Err(ROUTER),
        ),
        ("NLSP", 0x9001, &[0x83; 20], Err(ROUTER)),
        ("a file server", 0x0452, &[0, 2, 0, 4], Ok(())),
    ] {
        let packet = ipx(socket, message);
        let llc = [&[0xe0, 0xe0, 3], &packet[..]].concat();
        let bare = ethernet(OTHER, u16::try_from(packet.len()).unwrap(), &packet);
        let in_llc = ethernet(OTHER, u16::try_from(llc.len()).unwrap(), &llc);
        let typed = wraps(0x8137, &packet);
        for frame in typed.into_iter().chain([bare, in_llc]) {
            assert_eq!(judge(&frame, CLIENT), from_player, "{name}");
            assert_eq!(judge(&frame, Speaker::Lan), Ok(()), "{name} from the LAN");
        }
    }
}

fn only_the_lan(name: &str, ether_type: u16, packet: &[u8], reason: DropReason) {
    for frame in wraps(ether_type, packet) {
        assert_eq!(judge(&frame, CLIENT), Err(reason), "{name}");
        assert_eq!(judge(&frame, Speaker::Lan), Ok(()), "{name} from the LAN");
    }
}

fn anybody(name: &str, ether_type: u16, packet: &[u8]) {
    for frame in wraps(ether_type, packet) {
        assert_eq!(judge(&frame, CLIENT), Ok(()), "{name}");
        assert_eq!(judge(&frame, Speaker::Lan), Ok(()), "{name} from the LAN");
    }
}
