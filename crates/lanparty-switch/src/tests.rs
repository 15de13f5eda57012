//! Every rule as a table: what is said, how it may be wrapped, and from which side.

mod claims;
mod dhcp;
mod ip;
mod packets;
mod routers;

use crate::{Speaker, classify};
use lanparty_obs::DropReason;
use lanparty_proto::MacAddr;
use lanparty_proto::ethernet::ether_type;
use packets::*;

const OWN: MacAddr = MacAddr::new([2, 0, 0, 0, 0, 1]);
const OTHER: MacAddr = MacAddr::new([2, 0, 0, 0, 0, 2]);
const CLIENT: Speaker = Speaker::Player(OWN);
const SIDES: [Speaker; 2] = [CLIENT, Speaker::Lan];

const IPV4: u16 = ether_type::IPV4;
const IPV6: u16 = ether_type::IPV6;
const ARP: u16 = ether_type::ARP;

#[test]
fn runts_jumbos_and_invalid_sources_cross_in_no_direction() {
    let long = |ether_type: u16, len: usize| {
        let mut frame = ethernet(OTHER, ether_type, &[]);
        frame.resize(len, 7);
        frame
    };
    let from = |source: MacAddr| {
        let mut frame = ethernet(OTHER, 0x8137, &[0; 46]);
        frame[6..12].copy_from_slice(&source.octets());
        frame
    };
    for speaker in SIDES {
        for (frame, verdict) in [
            (vec![], Err(DropReason::Runt)),
            (long(0x8137, 13), Err(DropReason::Runt)),
            (long(0x8137, 14), Ok(())),
            (long(0x8137, 1514), Ok(())),
            (long(0x8137, 1515), Err(DropReason::Jumbo)),
            (long(0x8100, 1518), Err(DropReason::VlanTagged)),
            (long(0x8100, 1519), Err(DropReason::Jumbo)),
            (from(MacAddr::ZERO), Err(DropReason::InvalidSourceMac)),
            (from(MacAddr::BROADCAST), Err(DropReason::InvalidSourceMac)),
            (
                from(MacAddr::new([1, 0, 0x5e, 0, 0, 1])),
                Err(DropReason::InvalidSourceMac),
            ),
        ] {
            assert_eq!(judge(&frame, speaker), verdict, "{frame:02x?}");
        }
    }
}

#[test]
fn link_control_crosses_in_no_direction_however_it_is_wrapped() {
    for speaker in SIDES {
        for (ether_type, reason) in [
            (0x888e, DropReason::Eapol),
            (0x88c7, DropReason::Eapol),
            (0x88cc, DropReason::Lldp),
            (0x8809, DropReason::SlowProtocol),
            (0x88e5, DropReason::MacSec),
            (0x8808, DropReason::Pause),
            (0x8100, DropReason::VlanTagged),
            (0x88a8, DropReason::VlanTagged),
            (0x9100, DropReason::VlanTagged),
        ] {
            for frame in wraps(ether_type, &[7; 46]) {
                assert_eq!(judge(&frame, speaker), Err(reason), "{ether_type:x}");
            }
        }
    }
}

#[test]
fn tags_cross_in_no_direction_whatever_they_hide() {
    for speaker in SIDES {
        for tpid in [0x8100, 0x88a8, 0x9100] {
            for (inner_type, inner) in [
                (0x8137, vec![0; 46]),
                (0x8100, vec![0, 7, 0x08, 0x00]),
                (IPV4, udp_v4(67, 68, &[2])),
                (0x888e, vec![0; 46]),
            ] {
                for vlan in [[0, 1], [0xe0, 7], [0x0f, 0xff]] {
                    let tagged = tag(vlan, inner_type, &inner);
                    for frame in wraps(tpid, &tagged) {
                        assert_eq!(judge(&frame, speaker), Err(DropReason::VlanTagged));
                    }
                }
            }
        }
    }
}

#[test]
fn a_tag_without_a_vlan_is_none_and_hides_nothing() {
    let vlan = Err(DropReason::VlanTagged);
    let own = OWN.octets();
    for (inner_type, inner, from_player, from_lan) in [
        (0x8137, vec![0; 46], Ok(()), Ok(())),
        (IPV4, udp_v4(27015, 27960, &[7; 20]), Ok(()), Ok(())),
        (ARP, arp(own), Ok(()), Ok(())),
        (46, vec![0xff; 46], Ok(()), Ok(())),
        (ARP, arp(OTHER.octets()), Err(DropReason::ArpSpoof), Ok(())),
        (
            IPV4,
            udp_v4(67, 68, &[2]),
            Err(DropReason::DhcpServerReply),
            Ok(()),
        ),
        (
            0x888e,
            vec![0; 46],
            Err(DropReason::Eapol),
            Err(DropReason::Eapol),
        ),
        (0x8100, vec![0, 7, 0x08, 0x00], vlan, vlan),
        (0x8100, vec![0, 0, 0x08, 0x00], vlan, vlan),
        (0x88a8, vec![0, 0, 0x08, 0x00], vlan, vlan),
    ] {
        for control in [[0, 0], [0xe0, 0], [0x10, 0]] {
            let tagged = tag(control, inner_type, &inner);
            let frame = ethernet(OTHER, 0x8100, &tagged);
            assert_eq!(judge(&frame, CLIENT), from_player, "{inner_type:04x}");
            assert_eq!(judge(&frame, Speaker::Lan), from_lan, "{inner_type:04x}");
            // Service tags, and tags that came through other media, are none of these.
            for other in [
                ethernet(OTHER, 0x88a8, &tagged),
                wraps(0x8100, &tagged).remove(1),
            ] {
                assert_eq!(judge(&other, CLIENT), vlan);
                assert_eq!(judge(&other, Speaker::Lan), vlan);
            }
        }
    }
    let cut = ethernet(OTHER, 0x8100, &[0, 0, 8]);
    assert_eq!(judge(&cut, Speaker::Lan), vlan);
}

#[test]
fn what_is_for_bridges_crosses_in_no_direction() {
    for speaker in SIDES {
        let cisco = |last| MacAddr::new([0x01, 0x00, 0x0c, 0xcc, 0xcc, last]);
        let bridges = |last| MacAddr::new([0x01, 0x80, 0xc2, 0x00, 0x00, last]);
        for destination in (0..=0x0f).map(bridges).chain([cisco(0xcc), cisco(0xcd)]) {
            let frame = ethernet(destination, 0x8137, &[0; 46]);
            assert_eq!(judge(&frame, speaker), Err(DropReason::ReservedMulticast));
        }
        for access_point in [0x42, 0x43] {
            let bpdu = [access_point, 0x42, 0x03, 0, 0, 0, 0];
            let frame = ethernet(OTHER, 38, &bpdu);
            assert_eq!(judge(&frame, speaker), Err(DropReason::ReservedMulticast));
        }
    }
}

#[test]
fn old_games_may_use_802_3_in_every_way() {
    for speaker in SIDES {
        for payload in [
            &[0xff, 0xff, 0, 40][..],               // IPX straight in 802.3
            &[0xe0, 0xe0, 3, 0xff, 0xff],           // IPX in LLC
            &[0xf0, 0xf0, 3, 0x2c, 0],              // NetBIOS frames
            &[0xaa, 0xaa, 3, 0, 0, 0, 0x81, 0x37],  // IPX in SNAP
            &[0xaa, 0xaa, 3, 8, 0, 7, 0x80, 0x9b],  // AppleTalk
            &[0xaa, 0xaa, 3, 0, 0, 99, 0x81, 0x00], // not an EtherType: somebody's own numbers
            &[],
        ] {
            let len = u16::try_from(payload.len()).unwrap();
            let frame = ethernet(MacAddr::BROADCAST, len, payload);
            assert_eq!(judge(&frame, speaker), Ok(()), "{payload:02x?}");
        }
    }
}

#[test]
fn clients_may_not_speak_for_the_lan() {
    let ours = OWN.octets();
    let theirs = OTHER.octets();
    let arp_with = |at: usize, value: u8| {
        let mut message = arp(ours);
        message[at] = value;
        message
    };
    for (name, ether_type, packet, reason) in [
        ("CAM refresh", 0x88b5, vec![0; 46], DropReason::CamRefresh),
        (
            "DHCP offer",
            IPV4,
            udp_v4(67, 68, &[2]),
            DropReason::DhcpServerReply,
        ),
        (
            "from the server's port",
            IPV4,
            udp_v4(67, 9, &[1]),
            DropReason::DhcpServerReply,
        ),
        (
            "to the client's port",
            IPV4,
            udp_v4(9, 68, &[]),
            DropReason::DhcpServerReply,
        ),
        (
            "a reply for a relay agent",
            IPV4,
            udp_v4(68, 67, &[2]),
            DropReason::DhcpServerReply,
        ),
        (
            "no operation at all",
            IPV4,
            udp_v4(68, 67, &[]),
            DropReason::HiddenUpperHeader,
        ),
        (
            "ICMP redirect",
            IPV4,
            v4(1, &[5; 8]),
            DropReason::RouterAdvertisement,
        ),
        (
            "ICMP router",
            IPV4,
            v4(1, &[9; 8]),
            DropReason::RouterAdvertisement,
        ),
        (
            "half a UDP header",
            IPV4,
            v4(17, &[0; 7]),
            DropReason::HiddenUpperHeader,
        ),
        (
            "IPv6 as IPv4",
            IPV4,
            v6(17, &[0; 8]),
            DropReason::HiddenUpperHeader,
        ),
        (
            "nothing as IPv4",
            IPV4,
            vec![],
            DropReason::HiddenUpperHeader,
        ),
        (
            "IPv4 as IPv6",
            IPV6,
            v4(17, &[0; 60]),
            DropReason::HiddenUpperHeader,
        ),
        (
            "half an IPv6 header",
            IPV6,
            v6(17, &[])[..39].to_vec(),
            DropReason::HiddenUpperHeader,
        ),
        ("another's ARP", ARP, arp(theirs), DropReason::ArpSpoof),
        ("ARP of zero", ARP, arp([0; 6]), DropReason::ArpSpoof),
        (
            "short ARP",
            ARP,
            arp(ours)[..27].to_vec(),
            DropReason::ArpSpoof,
        ),
        (
            "ARP for Token Ring",
            ARP,
            arp_with(1, 4),
            DropReason::ArpSpoof,
        ),
        ("ARP for IPX", ARP, arp_with(3, 1), DropReason::ArpSpoof),
        (
            "ARP with long addresses",
            ARP,
            arp_with(4, 8),
            DropReason::ArpSpoof,
        ),
        (
            "ARP with IPv6 addresses",
            ARP,
            arp_with(5, 16),
            DropReason::ArpSpoof,
        ),
    ] {
        assert_client_only(name, ether_type, &packet, reason);
    }
}

#[test]
fn clients_may_send_what_players_need() {
    let own = OWN.octets();
    for (name, ether_type, packet) in [
        (
            "game traffic",
            IPV4,
            udp_v4(27015, 27960, b"\xff\xff\xff\xff"),
        ),
        ("an empty datagram", IPV4, udp_v4(9, 9, &[])),
        ("DHCPv6 ports over IPv4", IPV4, udp_v4(547, 546, &[7])),
        ("ping", IPV4, v4(1, &[8, 0, 0, 0, 0, 1, 0, 1])),
        ("TCP", IPV4, v4(6, &[0; 20])),
        ("IGMP", IPV4, v4(2, &[0x16; 8])),
        ("6in4", IPV4, v4(41, &extend(&[], 58, &[134; 16]))),
        ("ARP", ARP, arp(own)),
        ("UDP", IPV6, udp_v6(27015, 27960)),
        ("DHCP ports over IPv6", IPV6, udp_v6(67, 68)),
        ("ping6", IPV6, v6(58, &[128, 0, 0, 0, 0, 1, 0, 1])),
        (
            "MLD report behind hop-by-hop",
            IPV6,
            extend(&[0], 58, &[143; 28]),
        ),
        ("no next header", IPV6, v6(59, &[])),
        ("solicitation", IPV6, v6(58, &neighbour(135, &[1, 1], own))),
        (
            "duplicate detection",
            IPV6,
            v6(58, &neighbour(135, &[], [0; 6])[..24]),
        ),
        ("advertisement", IPV6, v6(58, &neighbour(136, &[2, 1], own))),
        (
            "router solicitation",
            IPV6,
            v6(58, &router_solicitation(own)),
        ),
        ("IPX", 0x8137, vec![0xff; 40]),
        ("wake on LAN", 0x0842, vec![0xff; 102]),
    ] {
        for frame in wraps(ether_type, &packet) {
            assert_eq!(judge(&frame, CLIENT), Ok(()), "{name}");
            assert_eq!(judge(&frame, Speaker::Lan), Ok(()), "{name} from the LAN");
        }
    }
}

fn judge(frame: &[u8], speaker: Speaker) -> Result<(), DropReason> {
    classify(frame, speaker).map(|view| assert_eq!(view.bytes(), frame))
}

fn hidden() -> Result<(), DropReason> {
    Err(DropReason::HiddenUpperHeader)
}

/// Plain and in SNAP a client may not say it and the LAN may; with a tag nobody may.
fn assert_client_only(name: &str, ether_type: u16, packet: &[u8], reason: DropReason) {
    for frame in wraps(ether_type, packet) {
        assert_eq!(judge(&frame, CLIENT), Err(reason), "{name}");
        assert_eq!(judge(&frame, Speaker::Lan), Ok(()), "{name} from the LAN");
    }
    for frame in wraps(0x8100, &tag([0, 1], ether_type, packet)) {
        for speaker in SIDES {
            assert_eq!(
                judge(&frame, speaker),
                Err(DropReason::VlanTagged),
                "{name} tagged"
            );
        }
    }
}
