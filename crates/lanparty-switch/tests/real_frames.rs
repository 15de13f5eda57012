//! The classifier and the MSS clamp on frames of real programs, captured or made by `frames/make.py`.

#![allow(clippy::disallowed_methods, reason = "reads the captures")]
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "the helpers of tests fail as tests do"
)]

use etherparse::{NetSlice, SlicedPacket, TcpOptionElement, TransportSlice};
use lanparty_obs::DropReason;
use lanparty_proto::{DatagramBudget, EthernetFrame, mss};
use lanparty_switch::{Speaker, classify};
use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

/// Who may send such a frame into the tunnel.
#[derive(Debug, Clone, Copy)]
enum Verdict {
    /// Players and the LAN.
    Crosses,
    /// Only the LAN; a player is refused for this.
    FromTheLanOnly(DropReason),
    /// Nobody.
    Stays(DropReason),
}

use DropReason::{
    ArpSpoof, DhcpServerReply, Dhcpv6ServerReply, Eapol, HiddenUpperHeader, Lldp, Pause,
    ReservedMulticast, RouterAdvertisement, SlowProtocol, VlanTagged,
};
use Verdict::{Crosses, FromTheLanOnly, Stays};

const CAPTURES: &[(&str, Verdict)] = &[
    // What a player's machine and a LAN say all day.
    ("avahi", Crosses),
    ("dhclient", Crosses),
    ("dhclient-v6", Crosses),
    ("linux-arp", Crosses),
    ("linux-igmp", Crosses),
    ("linux-mld", Crosses),
    ("linux-nd", Crosses),
    ("linux-rs", Crosses),
    ("linux-tcp", Crosses),
    ("linux-tcp-v6", Crosses),
    ("ping", Crosses),
    ("ping-fragments", Crosses),
    ("scapy-discovery", Crosses),
    ("scapy-ipx", Crosses),
    ("scapy-priority", Crosses),
    // What only the LAN's own servers and routers may say.
    ("dnsmasq-dhcp", FromTheLanOnly(DhcpServerReply)),
    ("dnsmasq-dhcpv6", FromTheLanOnly(Dhcpv6ServerReply)),
    ("dnsmasq-ra", FromTheLanOnly(RouterAdvertisement)),
    ("scapy-rogue-dhcp", FromTheLanOnly(DhcpServerReply)),
    ("scapy-rogue-dhcpv6", FromTheLanOnly(Dhcpv6ServerReply)),
    ("scapy-rogue-ra", FromTheLanOnly(RouterAdvertisement)),
    ("scapy-redirect", FromTheLanOnly(RouterAdvertisement)),
    ("scapy-hidden-ra", FromTheLanOnly(HiddenUpperHeader)),
    ("scapy-arp-spoof", FromTheLanOnly(ArpSpoof)),
    ("scapy-nd-spoof", FromTheLanOnly(ArpSpoof)),
    // What switches and NICs say to each other on one cable.
    ("linux-stp", Stays(ReservedMulticast)),
    ("lldpd-cdp", Stays(ReservedMulticast)),
    ("lldpd-lldp", Stays(Lldp)),
    ("wpa-supplicant-eapol", Stays(Eapol)),
    ("scapy-eapol", Stays(Eapol)),
    ("scapy-lacp", Stays(SlowProtocol)),
    ("scapy-pause", Stays(Pause)),
    ("scapy-pvst", Stays(ReservedMulticast)),
    ("scapy-stp", Stays(ReservedMulticast)),
    ("scapy-vlan", Stays(VlanTagged)),
];

#[test]
fn real_frames_cross_or_stay_as_they_should() {
    for &(name, expected) in CAPTURES {
        let (from_client, from_lan) = match expected {
            Crosses => (Ok(()), Ok(())),
            FromTheLanOnly(reason) => (Err(reason), Ok(())),
            Stays(reason) => (Err(reason), Err(reason)),
        };
        for (number, frame) in (1..).zip(frames(name)) {
            let source = EthernetFrame::parse(&frame).unwrap().source();
            let judge = |speaker| classify(&frame, speaker).map(drop);
            let client = judge(Speaker::Player(source));
            assert_eq!(client, from_client, "frame {number} of {name} by a client");
            let lan = judge(Speaker::Lan);
            assert_eq!(lan, from_lan, "frame {number} of {name} from the LAN");
        }
    }
}

#[test]
fn every_capture_is_expected_to_be_something() {
    let listed: BTreeSet<_> = CAPTURES.iter().map(|(name, _)| capture(name)).collect();
    let there: BTreeSet<_> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|kind| kind == "pcap"))
        .collect();
    assert_eq!(there, listed);
}

#[test]
fn the_handshakes_of_linux_are_clamped_and_their_checksums_stay_right() {
    let budget = DatagramBudget::new(1200).unwrap();
    for (name, asked, limit) in [
        ("linux-tcp", 1460, 1200 - 8 - 14 - 20 - 20),
        ("linux-tcp-v6", 1440, 1200 - 8 - 14 - 40 - 20),
    ] {
        let mut clamped = 0;
        for mut frame in frames(name) {
            let before = frame.clone();
            assert!(is_right(&before), "captured with a checksum by the kernel");
            if mss::clamp(&mut frame, budget) {
                clamped += 1;
                assert_eq!((size(&before), size(&frame)), (Some(asked), Some(limit)));
                assert!(is_right(&frame));
            } else {
                assert_eq!(frame, before);
                assert_eq!(size(&frame), None);
            }
        }
        assert_eq!(clamped, 2, "a SYN and a SYN-ACK");
    }
}

/// The MSS option of a TCP segment.
fn size(frame: &[u8]) -> Option<u16> {
    let packet = SlicedPacket::from_ethernet(frame).unwrap();
    let Some(TransportSlice::Tcp(tcp)) = &packet.transport else {
        panic!("{packet:?}");
    };
    tcp.options_iterator().find_map(|option| match option {
        Ok(TcpOptionElement::MaximumSegmentSize(size)) => Some(size),
        _ => None,
    })
}

/// True when etherparse computes the checksum that stands in the TCP header.
fn is_right(frame: &[u8]) -> bool {
    let packet = SlicedPacket::from_ethernet(frame).unwrap();
    let Some(TransportSlice::Tcp(tcp)) = &packet.transport else {
        panic!("{packet:?}");
    };
    let header = tcp.to_header();
    let computed = match &packet.net {
        Some(NetSlice::Ipv4(ip)) => {
            header.calc_checksum_ipv4(&ip.header().to_header(), tcp.payload())
        }
        Some(NetSlice::Ipv6(ip)) => {
            header.calc_checksum_ipv6(&ip.header().to_header(), tcp.payload())
        }
        other => panic!("{other:?}"),
    };
    computed.unwrap() == tcp.checksum()
}

/// The frames of a capture in the classic format: a header of 24 bytes, then for each frame its time,
/// its length twice, and the frame (draft-ietf-opsawg-pcap §4 and §5).
fn frames(name: &str) -> Vec<Vec<u8>> {
    const LITTLE_ENDIAN: [u8; 4] = [0xd4, 0xc3, 0xb2, 0xa1];
    const ETHERNET: u32 = 1;
    let bytes = fs::read(capture(name)).unwrap();
    let number = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    assert_eq!((&bytes[..4], number(20)), (&LITTLE_ENDIAN[..], ETHERNET));
    let mut frames = Vec::new();
    let mut at = 24;
    while at < bytes.len() {
        let (captured, original) = (number(at + 8), number(at + 12));
        assert_eq!(captured, original, "{name} is cut short");
        at += 16;
        frames.push(bytes[at..at + captured as usize].to_vec());
        at += captured as usize;
    }
    assert!(!frames.is_empty(), "{name} is empty");
    frames
}

fn capture(name: &str) -> PathBuf {
    folder().join(name).with_extension("pcap")
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/frames")
}
