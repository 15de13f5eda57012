#![allow(clippy::disallowed_methods, reason = "tests own the clock")]

use super::*;
use etherparse::{NetSlice, SlicedPacket, TransportSlice};
use proptest::prelude::*;

const HOME: End = End {
    mac: MacAddr::new([0, 0x16, 0x3e, 0, 0, 1]),
    v4: Some(Ipv4Addr::new(192, 168, 1, 7)),
    v6: Some(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1)),
};
const ADAPTER: End = End {
    mac: MacAddr::new([2, 0, 0, 0, 0, 7]),
    v4: Some(Ipv4Addr::new(192, 168, 50, 107)),
    v6: Some(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 7)),
};
const LAN_HOST: [u8; 6] = [0, 0x16, 0x3e, 0, 0, 9];

#[test]
fn the_party_is_heard_at_home_as_it_speaks() {
    let mut ears = Ears::new(Instant::now());
    for to in [[255; 4], [192, 168, 50, 255], [224, 0, 0, 251]] {
        let frame = v4(LAN_HOST, [192, 168, 50, 11], to, (4000, 27_960));
        let heard = ears.for_home(Instant::now(), &frame).unwrap();
        assert_eq!(heard[6..12], EAR_MAC.octets());
        assert_eq!(heard[..6], frame[..6]);
        assert_eq!(addresses(&heard), ([192, 168, 50, 11], to, (4000, 27_960)));
    }
    let v6 = v6([0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xfb]);
    assert!(ears.for_home(Instant::now(), &v6).is_some());
    let mut watch = v6.clone();
    watch[6..12].copy_from_slice(&NEIGHBOUR.octets());
    assert_eq!(ears.for_home(Instant::now(), &watch), None);
}

#[test]
fn nothing_but_discovery_on_one_link_is_heard() {
    let mut ears = Ears::new(Instant::now());
    let now = Instant::now();
    let mut in_pieces = v4(LAN_HOST, [10, 0, 0, 1], [255; 4], (4000, 27_960));
    in_pieces[20] = 0x20;
    let mut ospf = v4(LAN_HOST, [10, 0, 0, 1], [224, 0, 0, 5], (1, 2));
    ospf[23] = 89;
    let mut to_one = v4(LAN_HOST, [10, 0, 0, 1], [192, 168, 50, 107], (1, 2));
    to_one[..6].copy_from_slice(&ADAPTER.mac.octets());
    let cut = v4(LAN_HOST, [10, 0, 0, 1], [255; 4], (4000, 27_960));
    for frame in [
        v4(LAN_HOST, [10, 0, 0, 1], [255; 4], (67, 68)),
        v4(LAN_HOST, [10, 0, 0, 1], [255; 4], (68, 67)),
        v4(LAN_HOST, [10, 0, 0, 1], [239, 1, 2, 3], (1, 2)),
        v6([0xff, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]),
        [&[0xff; 6][..], &LAN_HOST, &[8, 6], &[0; 46]].concat(),
        in_pieces,
        ospf,
        to_one,
        cut[..40].to_vec(),
        cut[..10].to_vec(),
        Vec::new(),
    ] {
        assert_eq!(ears.for_home(now, &frame), None, "{frame:x?}");
        assert_eq!(ears.from_home(now, &frame), None);
        let sender = [
            &frame[..6.min(frame.len())],
            &HOME.mac.octets(),
            frame.get(12..).unwrap_or(&[]),
        ];
        assert_eq!(ears.of_home(now, &sender.concat(), &HOME, &ADAPTER), None);
    }
}

#[test]
fn what_came_by_an_ear_comes_by_no_other() {
    let mut ears = Ears::new(Instant::now());
    let now = Instant::now();
    let frame = v4(LAN_HOST, [192, 168, 50, 11], [255; 4], (4000, 27_960));
    let at_home = ears.for_home(now, &frame).unwrap();
    assert_eq!(ears.from_home(now, &at_home), None);
    assert_eq!(ears.of_home(now, &at_home, &HOME, &ADAPTER), None);
    assert!(
        ears.from_home(now, &frame).is_some(),
        "a neighbour is heard"
    );
    assert_eq!(
        ears.of_home(now, &frame, &HOME, &ADAPTER),
        None,
        "and stays at home"
    );
}

#[test]
fn a_program_at_home_asks_the_party_and_hears_its_answer() {
    let mut ears = Ears::new(Instant::now());
    let now = Instant::now();
    let question = v4(
        HOME.mac.octets(),
        [192, 168, 1, 7],
        [192, 168, 1, 255],
        (5000, 27_960),
    );
    let said = ears.of_home(now, &question, &HOME, &ADAPTER).unwrap();
    assert_eq!(said[..12], [&[0xff; 6][..], &ADAPTER.mac.octets()].concat());
    assert_eq!(
        addresses(&said),
        ([192, 168, 50, 107], [255; 4], (5000, 27_960))
    );

    let mut answer = v4(
        LAN_HOST,
        [192, 168, 50, 11],
        [192, 168, 50, 107],
        (27_960, 5000),
    );
    answer[..6].copy_from_slice(&ADAPTER.mac.octets());
    let heard = ears.answer(now, &answer, &ADAPTER).unwrap();
    assert_eq!(heard[..12], [&EAR_MAC.octets()[..], &LAN_HOST].concat());
    assert_eq!(
        addresses(&heard),
        ([192, 168, 50, 11], [192, 168, 1, 7], (27_960, 5000))
    );
    let mut other = v4(
        LAN_HOST,
        [192, 168, 50, 11],
        [192, 168, 50, 107],
        (27_960, 5001),
    );
    other[..6].copy_from_slice(&ADAPTER.mac.octets());
    assert_eq!(
        ears.answer(now, &other, &ADAPTER),
        None,
        "nobody asked there"
    );
    assert_eq!(ears.answer(now + ANSWERS, &answer, &ADAPTER), None);
    let nobody = End {
        v4: None,
        ..ADAPTER
    };
    assert_eq!(
        ears.of_home(now, &question, &HOME, &nobody),
        None,
        "from which address?"
    );
}

#[test]
fn a_server_that_listens_everywhere_keeps_its_players() {
    let mut ears = Ears::new(Instant::now());
    let now = Instant::now();
    let [home, own] = [HOME, ADAPTER].map(|end| end.v4.unwrap().octets());
    let announces = v4(HOME.mac.octets(), home, [255; 4], (27_960, 5000));
    assert!(ears.of_home(now, &announces, &HOME, &ADAPTER).is_some());
    let mut joins = v4(LAN_HOST, [192, 168, 50, 11], own, (5000, 27_960));
    joins[..6].copy_from_slice(&ADAPTER.mac.octets());
    assert!(
        ears.answer(now, &joins, &ADAPTER).is_some(),
        "where it has spoken"
    );
    let other = v4(
        ADAPTER.mac.octets(),
        own,
        [192, 168, 50, 11],
        (27_961, 5000),
    );
    ears.of_adapter(now, &other, &ADAPTER);
    assert!(ears.answer(now, &joins, &ADAPTER).is_some());
    // Tied to home: its answers have home's address also where they go by the adapter.
    let tied = v4(
        ADAPTER.mac.octets(),
        home,
        [192, 168, 50, 11],
        (27_960, 5000),
    );
    ears.of_adapter(now, &tied, &ADAPTER);
    assert!(ears.answer(now, &joins, &ADAPTER).is_some());
    let answers = v4(
        ADAPTER.mac.octets(),
        own,
        [192, 168, 50, 11],
        (27_960, 5000),
    );
    ears.of_adapter(now, &answers, &ADAPTER);
    assert_eq!(ears.answer(now, &joins, &ADAPTER), None, "at the adapter");
    ears.of_home(now, &announces, &HOME, &ADAPTER);
    assert_eq!(ears.answer(now, &joins, &ADAPTER), None, "still");
}

#[test]
fn a_flood_stays_where_it_is() {
    let mut ears = Ears::new(Instant::now());
    let now = Instant::now();
    let frame = v4(LAN_HOST, [192, 168, 50, 11], [255; 4], (4000, 27_960));
    let passed = (0..1000).filter(|_| ears.for_home(now, &frame).is_some());
    assert_eq!(passed.count(), 128);
    assert!(
        ears.from_home(now, &frame).is_some(),
        "the other way is another one"
    );
    let later = now + Duration::from_secs(1);
    let passed = (0..1000).filter(|_| ears.for_home(later, &frame).is_some());
    assert_eq!(passed.count(), 64);
}

proptest! {
    /// However a stranger's frame is made: nothing panics, and what passes is the same frame but for its addresses
    /// and checksums, which are right.
    #[test]
    fn no_strangers_frame_is_too_odd(
        kind in 0..4_usize,
        dents in prop::collection::vec((0..80_usize, any::<u8>()), 0..4),
        len in 0..90_usize,
        noise in prop::collection::vec(any::<u8>(), 0..60),
    ) {
        let own = ADAPTER.v4.unwrap().octets();
        let mut frame = match kind {
            0 => v4(HOME.mac.octets(), [192, 168, 1, 7], [255; 4], (5000, 27_960)),
            1 => v6([0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]),
            2 => v4(LAN_HOST, [192, 168, 50, 11], own, (27_960, 5000)),
            _ => noise,
        };
        if kind == 1 {
            frame[6..12].copy_from_slice(&HOME.mac.octets());
        }
        for (at, byte) in dents {
            if let Some(old) = frame.get_mut(at) {
                *old = byte;
            }
        }
        frame.truncate(len);
        let now = Instant::now();
        let mut ears = Ears::new(now);
        let asks = v4(HOME.mac.octets(), [192, 168, 1, 7], [255; 4], (5000, 27_960));
        ears.of_home(now, &asks, &HOME, &ADAPTER).unwrap();
        let passed = [
            ears.for_home(now, &frame),
            ears.from_home(now, &frame),
            ears.of_home(now, &frame, &HOME, &ADAPTER),
            ears.answer(now, &frame, &ADAPTER),
        ];
        ears.of_adapter(now, &frame, &ADAPTER);
        for passed in passed.into_iter().flatten() {
            prop_assert_eq!(passed.len(), frame.len());
            prop_assert_eq!(&passed[12..22], &frame[12..22], "what it is");
            let packet = SlicedPacket::from_ethernet(&passed).unwrap();
            let Some(TransportSlice::Udp(udp)) = packet.transport else {
                panic!("no UDP")
            };
            let before = SlicedPacket::from_ethernet(&frame).unwrap();
            let Some(TransportSlice::Udp(was)) = before.transport else {
                panic!("no UDP")
            };
            prop_assert_eq!(udp.payload(), was.payload());
            let ports = |udp: &etherparse::UdpSlice<'_>| (udp.source_port(), udp.destination_port());
            prop_assert_eq!(ports(&udp), ports(&was));
            if let Some(NetSlice::Ipv4(ip)) = packet.net {
                // As its bytes stand there: this parser forgets the bit that is reserved.
                prop_assert_eq!(Sum::of(ip.header().slice()).checksum(), 0);
                let header = ip.header().to_header();
                let sum = udp.to_header().calc_checksum_ipv4(&header, udp.payload()).unwrap();
                prop_assert_eq!(udp.checksum(), if sum == 0 { 0xffff } else { sum });
            }
        }
    }
}

/// Read, and its checksums verified, by another parser.
fn addresses(frame: &[u8]) -> ([u8; 4], [u8; 4], (u16, u16)) {
    let packet = SlicedPacket::from_ethernet(frame).unwrap();
    let (Some(NetSlice::Ipv4(ip)), Some(TransportSlice::Udp(udp))) = (packet.net, packet.transport)
    else {
        panic!("no UDP over IPv4");
    };
    let header = ip.header().to_header();
    assert_eq!(header.header_checksum, header.calc_header_checksum());
    let sum = udp.to_header().calc_checksum_ipv4(&header, udp.payload());
    assert_eq!(udp.checksum(), sum.unwrap());
    let ports = (udp.source_port(), udp.destination_port());
    (header.source, header.destination, ports)
}

fn v4(from: [u8; 6], source: [u8; 4], to: [u8; 4], ports: (u16, u16)) -> Vec<u8> {
    let to_mac = match to {
        [224..=239, b, c, d] => [1, 0, 0x5e, b & 0x7f, c, d],
        _ => [0xff; 6],
    };
    let payload = b"who is there";
    let len = u16::try_from(8 + payload.len()).unwrap();
    let mut frame = [&to_mac[..], &from, &[8, 0, 0x45, 0]].concat();
    frame.extend((20 + len).to_be_bytes());
    frame.extend([0, 0, 0x40, 0, 64, UDP, 0, 0]);
    frame.extend([source, to].concat());
    frame.extend([ports.0, ports.1, len, 0].map(u16::to_be_bytes).concat());
    frame.extend(payload);
    frame
}

fn v6(to: [u8; 16]) -> Vec<u8> {
    let to_mac = [0x33, 0x33, to[12], to[13], to[14], to[15]];
    let mut frame = [
        &to_mac[..],
        &LAN_HOST,
        &[0x86, 0xdd, 0x60, 0, 0, 0, 0, 12, UDP, 1],
    ]
    .concat();
    frame.extend([[0xfe; 16], to].concat());
    frame.extend([0, 1, 0, 2, 0, 12, 0, 0, 1, 2, 3, 4]);
    frame
}
