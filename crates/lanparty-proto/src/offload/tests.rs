//! Frames as a stack hands them over, and what a wire must see.

use super::*;
use etherparse::{NetSlice, SlicedPacket, TransportSlice};
use proptest::prelude::*;

const PSH_FIN_ACK_CWR: u8 = 0x08 | 0x01 | 0x10 | 0x80;

#[test]
fn the_header_is_ten_bytes_in_native_order() {
    let header = VnetHeader {
        flags: VnetHeader::NEEDS_CSUM,
        gso_type: VnetHeader::GSO_TCPV4,
        hdr_len: 66,
        gso_size: 1448,
        csum_start: 34,
        csum_offset: 16,
    };
    let [h, g, s, o] = [66_u16, 1448, 34, 16].map(u16::to_ne_bytes);
    assert_eq!(
        header.encode().to_vec(),
        [&[1, 1], &h[..], &g, &s, &o].concat()
    );
    assert_eq!(VnetHeader::decode(header.encode()), header);
}

#[test]
fn a_whole_frame_stays_as_it_is() {
    let frame = super_frame(Family::V4, Transport::Tcp, b"payload");
    for flags in [0, VnetHeader::DATA_VALID] {
        let header = VnetHeader {
            flags,
            ..VnetHeader::default()
        };
        assert_eq!(finish(header, &frame), Ok(vec![frame.clone()]));
    }
}

#[test]
fn a_partial_checksum_is_completed() {
    for family in [Family::V4, Family::V6] {
        for protocol in [Transport::Tcp, Transport::Udp] {
            let frame = super_frame(family, protocol, b"odd payload");
            let [wire] = &finish(needs_checksum(family, protocol), &frame).unwrap()[..] else {
                panic!("one frame");
            };
            assert_valid(wire);
        }
    }
}

#[test]
fn a_udp_checksum_of_zero_is_written_as_its_complement() {
    // This payload word makes the sum of everything 0xffff.
    let frame = |word: u16| super_frame(Family::V4, Transport::Udp, &word.to_be_bytes());
    let sum = Sum::of(&frame(0)[34..]).folded();
    let header = needs_checksum(Family::V4, Transport::Udp);
    let wire = finish(header, &frame(!sum)).unwrap().remove(0);
    assert_eq!(wire[40..42], [0xff, 0xff]);
    assert_valid(&wire);
}

#[test]
fn tcp_segments_continue_each_other() {
    let payload: Vec<u8> = (0..3500_u32).map(|byte| byte as u8).collect();
    for family in [Family::V4, Family::V6] {
        let frame = super_frame(family, Transport::Tcp, &payload);
        let wires = finish(gso(family, Transport::Tcp, 1000), &frame).unwrap();
        let headers = frame.len() - payload.len();
        let tcp = headers - TCP_HEADER_LEN - 4;
        assert_eq!(
            lengths(&wires),
            [1000, 1000, 1000, 500].map(|len| headers + len)
        );
        for (index, wire) in (0_u32..).zip(&wires) {
            let sequence = 0xffff_fc00_u32.wrapping_add(index * 1000);
            assert_eq!(wire[tcp + 4..tcp + 8], sequence.to_be_bytes());
            assert_valid(wire);
        }
        let flags: Vec<_> = wires.iter().map(|wire| wire[tcp + 13]).collect();
        assert_eq!(
            flags,
            [0x90, 0x10, 0x10, 0x19],
            "CWR first, PSH and FIN last"
        );
        if family == Family::V4 {
            let ids: Vec<_> = wires.iter().map(|wire| [wire[18], wire[19]]).collect();
            assert_eq!(ids, [[0xff, 0xfe], [0xff, 0xff], [0, 0], [0, 1]]);
        }
    }
}

#[test]
fn each_udp_segment_is_a_datagram() {
    for family in [Family::V4, Family::V6] {
        let frame = super_frame(family, Transport::Udp, &[7; 250]);
        let wires = finish(gso(family, Transport::Udp, 100), &frame).unwrap();
        let udp = frame.len() - 258;
        let lengths: Vec<_> = wires.iter().map(|wire| wire[udp + 5]).collect();
        assert_eq!(lengths, [108, 108, 58]);
        wires.iter().for_each(|wire| assert_valid(wire));
    }
}

#[test]
fn padding_behind_the_packet_belongs_to_no_segment() {
    let mut frame = super_frame(Family::V4, Transport::Tcp, &[1; 10]);
    let len = frame.len();
    frame.extend([0; 20]);
    let wires = finish(gso(Family::V4, Transport::Tcp, 1000), &frame).unwrap();
    assert_eq!(lengths(&wires), [len]);
}

#[test]
fn a_header_without_payload_is_one_frame() {
    let frame = super_frame(Family::V6, Transport::Tcp, &[]);
    let wires = finish(gso(Family::V6, Transport::Tcp, 1000), &frame).unwrap();
    assert_eq!(wires.len(), 1);
    assert_valid(&wires[0]);
}

#[test]
fn a_slab_takes_segments_behind_its_headroom() {
    let frame = super_frame(Family::V4, Transport::Tcp, &[9; 3000]);
    let header = gso(Family::V4, Transport::Tcp, 1400);
    let mut slab = FrameSlab::default();
    let wires = wire_frames(header, &frame).unwrap();
    assert_eq!(wires.len(), 3);
    for (wire, expected) in wires.zip(finish(header, &frame).unwrap()) {
        assert_eq!(wire.write_into(&mut slab).frame(), expected);
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    use OffloadError::{ChecksumOutside, NoSegmentSize, UnknownGso, WrongHeaders};
    let (v4, tcp) = (Family::V4, Transport::Tcp);
    let good = gso(v4, tcp, 100);
    let frame = super_frame(v4, tcp, &[0; 300]);
    let len = u16::try_from(frame.len()).unwrap();
    for (name, header, error) in [
        (
            "UFO",
            VnetHeader {
                gso_type: 3,
                ..good
            },
            UnknownGso(3),
        ),
        (
            "a tunnel",
            VnetHeader {
                gso_type: 0x21,
                ..good
            },
            UnknownGso(0x21),
        ),
        (
            "no size",
            VnetHeader {
                gso_size: 0,
                ..good
            },
            NoSegmentSize,
        ),
        (
            "the other family",
            VnetHeader {
                gso_type: 4,
                ..good
            },
            WrongHeaders,
        ),
        (
            "the other protocol",
            VnetHeader {
                gso_type: 5,
                ..good
            },
            WrongHeaders,
        ),
        (
            "another start",
            VnetHeader {
                csum_start: 36,
                ..good
            },
            WrongHeaders,
        ),
        (
            "a start in the header",
            VnetHeader {
                csum_start: 12,
                ..good
            },
            ChecksumOutside,
        ),
        (
            "a start at the end",
            VnetHeader {
                csum_start: len,
                ..good
            },
            ChecksumOutside,
        ),
        (
            "a field across the end",
            VnetHeader {
                csum_start: len - 1,
                csum_offset: 0,
                ..good
            },
            ChecksumOutside,
        ),
        (
            "a field far away",
            VnetHeader {
                csum_offset: u16::MAX,
                ..good
            },
            ChecksumOutside,
        ),
    ] {
        assert_eq!(finish(header, &frame), Err(error), "{name}");
    }

    let changed = |at: usize, value: u8| {
        let mut frame = frame.clone();
        frame[at] = value;
        frame
    };
    for (name, frame) in [
        ("a VLAN tag", changed(12, 0x81)),
        ("a longer total length than the frame", changed(16, 0xff)),
        (
            "no total length",
            [&frame[..16], &[0, 0], &frame[18..]].concat(),
        ),
        ("a fragment", changed(21, 1)),
        ("a first fragment", changed(20, 0x20)),
        ("a short TCP header", changed(46, 0x40)),
    ] {
        assert_eq!(finish(good, &frame), Err(WrongHeaders), "{name}");
    }
    let cut = super_frame(v4, tcp, &[])[..50].to_vec();
    assert_eq!(
        finish(VnetHeader { flags: 0, ..good }, &cut),
        Err(WrongHeaders)
    );

    let mut udp = super_frame(v4, Transport::Udp, &[0; 300]);
    udp[39] ^= 1;
    assert_eq!(
        finish(gso(v4, Transport::Udp, 100), &udp),
        Err(WrongHeaders),
        "UDP length"
    );
}

proptest! {
    #[test]
    fn segments_are_the_payload_in_order(
        v6: bool,
        udp: bool,
        payload in prop::collection::vec(any::<u8>(), 0..5000),
        size in 1_u16..3000,
    ) {
        let family = if v6 { Family::V6 } else { Family::V4 };
        let protocol = if udp { Transport::Udp } else { Transport::Tcp };
        let frame = super_frame(family, protocol, &payload);
        let headers = frame.len() - payload.len();
        let wires = finish(gso(family, protocol, size), &frame).unwrap();
        let mut joined: Vec<u8> = Vec::new();
        for wire in &wires {
            prop_assert!(wire.len() <= headers + usize::from(size));
            assert_valid(wire);
            joined.extend(&wire[headers..]);
        }
        prop_assert_eq!(joined, payload);
    }

    #[test]
    fn lying_headers_do_not_panic(
        frame in prop::collection::vec(any::<u8>(), 0..200),
        header: [u8; HEADER_LEN],
    ) {
        let _ = finish(VnetHeader::decode(header), &frame);
    }

    #[test]
    fn damaged_frames_do_not_panic(
        v6: bool,
        udp: bool,
        damage in prop::collection::vec((0_usize..80, any::<u8>()), 0..4),
        cut in 0_usize..200,
        size in 1_u16..100,
        flags in 0_u8..2,
    ) {
        let family = if v6 { Family::V6 } else { Family::V4 };
        let protocol = if udp { Transport::Udp } else { Transport::Tcp };
        let mut frame = super_frame(family, protocol, &[5; 100]);
        for (at, value) in damage {
            frame[at] = value;
        }
        frame.truncate(frame.len().saturating_sub(cut));
        let _ = finish(VnetHeader { flags, ..gso(family, protocol, size) }, &frame);
    }
}

fn finish(header: VnetHeader, frame: &[u8]) -> Result<Vec<Vec<u8>>, OffloadError> {
    let write = |wire: WireFrame<'_>| {
        let mut room = vec![0xee; wire.frame_len() + 1];
        assert_eq!(wire.write_to(&mut room), wire.frame_len());
        assert_eq!(room.pop(), Some(0xee));
        room
    };
    Ok(wire_frames(header, frame)?.map(write).collect())
}

fn lengths(wires: &[Vec<u8>]) -> Vec<usize> {
    wires.iter().map(Vec::len).collect()
}

fn needs_checksum(family: Family, protocol: Transport) -> VnetHeader {
    VnetHeader {
        flags: VnetHeader::NEEDS_CSUM,
        csum_start: if family == Family::V4 { 34 } else { 54 },
        csum_offset: if protocol == Transport::Tcp { 16 } else { 6 },
        ..VnetHeader::default()
    }
}

fn gso(family: Family, protocol: Transport, gso_size: u16) -> VnetHeader {
    VnetHeader {
        gso_type: match (family, protocol) {
            (_, Transport::Udp) => VnetHeader::GSO_UDP_L4,
            (Family::V4, Transport::Tcp) => VnetHeader::GSO_TCPV4 | VnetHeader::GSO_ECN,
            (Family::V6, Transport::Tcp) => VnetHeader::GSO_TCPV6 | VnetHeader::GSO_ECN,
        },
        gso_size,
        ..needs_checksum(family, protocol)
    }
}

/// Checks lengths and checksums with somebody else's code.
fn assert_valid(wire: &[u8]) {
    use NetSlice::{Ipv4, Ipv6};
    use TransportSlice::{Tcp, Udp};
    let packet = SlicedPacket::from_ethernet(wire).unwrap();
    let (net, transport) = (packet.net.unwrap(), packet.transport.unwrap());
    let (found, right) = match (&net, &transport) {
        (Ipv4(ip), Tcp(tcp)) => {
            let ip = ip.header();
            (
                tcp.checksum(),
                tcp.calc_checksum_ipv4(ip.source(), ip.destination()),
            )
        }
        (Ipv6(ip), Tcp(tcp)) => {
            let ip = ip.header();
            (
                tcp.checksum(),
                tcp.calc_checksum_ipv6(ip.source(), ip.destination()),
            )
        }
        (Ipv4(ip), Udp(udp)) => {
            let ip = ip.header().to_header();
            (
                udp.checksum(),
                udp.to_header().calc_checksum_ipv4(&ip, udp.payload()),
            )
        }
        (Ipv6(ip), Udp(udp)) => {
            let ip = ip.header().to_header();
            (
                udp.checksum(),
                udp.to_header().calc_checksum_ipv6(&ip, udp.payload()),
            )
        }
        other => panic!("{other:?}"),
    };
    let right = right.unwrap();
    assert!(found == right || (found, right) == (0xffff, 0));
    match net {
        Ipv4(ip) => {
            let ip = ip.header().to_header();
            assert_eq!(ip.header_checksum, ip.calc_header_checksum());
            assert_eq!(usize::from(ip.total_len), wire.len() - IP);
        }
        Ipv6(ip) => {
            let len = usize::from(ip.header().payload_length());
            assert_eq!(len, wire.len() - IP - IPV6_HEADER_LEN);
        }
        other => panic!("{other:?}"),
    }
}

/// A frame as a stack hands it over: the checksum field holds the sum of the pseudo header.
fn super_frame(family: Family, protocol: Transport, payload: &[u8]) -> Vec<u8> {
    let mut transport = match protocol {
        Transport::Tcp => tcp_header(),
        Transport::Udp => vec![0xc0, 0x00, 0x6d, 0x38, 0, 0, 0, 0],
    };
    let field = if protocol == Transport::Tcp { 16 } else { 6 };
    transport.extend(payload);
    let len = u16::try_from(transport.len()).unwrap();
    let number = if protocol == Transport::Tcp { TCP } else { UDP };
    if protocol == Transport::Udp {
        put_u16(&mut transport, 4, len);
    }
    let mut frame = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1];
    let pseudo = match family {
        Family::V4 => {
            frame.extend([0x08, 0x00, 0x45, 0]);
            frame.extend((len + 20).to_be_bytes());
            frame.extend([
                0xff, 0xfe, 0x40, 0, 64, number, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2,
            ]);
            let sum = Sum::of(&frame[IP..]).checksum();
            put_u16(&mut frame, IP + 10, sum);
            Sum::pseudo_v4([10, 0, 0, 1], [10, 0, 0, 2], number, len)
        }
        Family::V6 => {
            frame.extend([0x86, 0xdd, 0x60, 0, 0, 0]);
            frame.extend(len.to_be_bytes());
            frame.extend([number, 64]);
            frame.extend([[0xfe; 16], [0xfd; 16]].concat());
            Sum::pseudo_v6([0xfe; 16], [0xfd; 16], number, len.into())
        }
    };
    put_u16(&mut transport, field, pseudo.folded());
    frame.extend(transport);
    frame
}

/// With four bytes of options, and a sequence number that is about to wrap.
fn tcp_header() -> Vec<u8> {
    let mut tcp = vec![0xc0, 0x00, 0x6d, 0x38, 0xff, 0xff, 0xfc, 0x00, 0, 0, 0, 1];
    tcp.extend([0x60, PSH_FIN_ACK_CWR, 0x10, 0, 0, 0, 0, 0, 1, 1, 1, 0]);
    tcp
}
