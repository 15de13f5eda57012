//! Frames as a tunnel delivers them, and which of them become one.

use super::*;
use crate::offload::wire_frames;
use proptest::prelude::*;
use proptest::sample::Index;
use std::collections::BTreeMap;

#[test]
fn segments_in_sequence_become_one() {
    for v6 in [false, true] {
        let frames = Flow::new(v6).segments(&[1000, 1000, 1000, 300]);
        assert_eq!(counts(&frames), [4]);
        let mut coalescer = Coalescer::default();
        let joined = coalescer.join(&frames).next().unwrap();
        let (gso_type, transport) = match v6 {
            false => (VnetHeader::GSO_TCPV4, 34),
            true => (VnetHeader::GSO_TCPV6, 54),
        };
        let header = VnetHeader {
            flags: VnetHeader::NEEDS_CSUM,
            gso_type,
            hdr_len: transport + 32,
            gso_size: 1000,
            csum_start: transport,
            csum_offset: 16,
        };
        assert_eq!(joined.header(), header);
        assert_eq!(joined.pieces().count(), 5);
        let len: usize = joined.pieces().map(<[u8]>::len).sum();
        assert_eq!(len, usize::from(transport) + 32 + 3300);
        assert_eq!(split_again(&frames), frames);
    }
}

#[test]
fn what_ends_a_flow_of_segments_may_be_joined_but_not_followed() {
    for flag in [PSH, FIN] {
        let mut flow = Flow::new(false);
        let mut frames = flow.segments(&[500, 500]);
        flow.flags |= flag;
        frames.extend(flow.segments(&[500]));
        flow.flags = ACK;
        frames.extend(flow.segments(&[500, 500]));
        assert_eq!(counts(&frames), [3, 2]);
        assert_eq!(split_again(&frames), frames);
    }
}

#[test]
fn handshakes_resets_urgent_data_and_congestion_marks_stay_alone() {
    for flag in [0x02, 0x04, 0x20, 0x80] {
        let mut flow = Flow::new(true);
        let mut frames = flow.segments(&[500]);
        flow.flags |= flag;
        frames.extend(flow.segments(&[500]));
        flow.flags = ACK;
        frames.extend(flow.segments(&[500]));
        assert_eq!(counts(&frames), [1, 1, 1], "{flag:#x}");
    }
}

#[test]
fn a_segment_joins_only_when_all_but_the_counting_fields_agree() {
    let good = Flow::new(false).segments(&[400, 400, 400]);
    assert_eq!(counts(&good), [3]);
    let (ip, tcp) = (14, 34);
    for (name, at) in [
        ("type of service", ip + 1),
        ("number", ip + 5),
        ("do not fragment", ip + 6),
        ("time to live", ip + 8),
        ("sequence", tcp + 7),
        ("acknowledgement", tcp + 11),
        ("reserved bits", tcp + 12),
        ("window", tcp + 15),
        ("urgent pointer", tcp + 19),
        ("timestamp", tcp + 27),
    ] {
        let mut frames = good.clone();
        // The lowest bit that changes nothing but this field.
        frames[1][at] ^= if at == ip + 6 { 0x40 } else { 1 };
        complete(&mut frames[1]);
        assert_eq!(counts(&frames), [1, 1, 1], "{name}");
    }
    let mut v6 = Flow::new(true).segments(&[400, 400, 400]);
    for at in [ip + 3, ip + 7] {
        let before = v6[1].clone();
        v6[1][at] ^= 1;
        complete(&mut v6[1]);
        assert_eq!(counts(&v6), [1, 1, 1], "label and hop limit");
        v6[1] = before;
    }
}

#[test]
fn a_wrong_checksum_is_never_joined() {
    for v6 in [false, true] {
        let good = Flow::new(v6).segments(&[400; 5]);
        let tcp = if v6 { 54 } else { 34 };
        for broken in 0..5 {
            let mut frames = good.clone();
            frames[broken][tcp + 100] ^= 0x10;
            let alone = counts(&frames);
            assert_eq!(alone.iter().sum::<usize>(), 5);
            let mut coalescer = Coalescer::default();
            let found = coalescer
                .join(&frames)
                .find(|joined| joined.frames().any(|frame| *frame == frames[broken]));
            assert_eq!(found.unwrap().header(), VnetHeader::default(), "{alone:?}");
            assert_eq!(split_again(&frames), frames);
        }
    }
    let mut frames = Flow::new(false).segments(&[400; 2]);
    frames[1][24] ^= 1;
    assert_eq!(counts(&frames), [1, 1], "IPv4's own checksum");
}

#[test]
fn a_shorter_segment_is_the_last_and_a_longer_one_begins_anew() {
    assert_eq!(
        counts(&Flow::new(false).segments(&[500, 500, 400, 400])),
        [3, 1]
    );
    assert_eq!(counts(&Flow::new(false).segments(&[400, 500, 500])), [1, 2]);
    assert_eq!(
        counts(&Flow::new(false).segments(&[500, 0, 500])),
        [1, 1, 1]
    );
}

#[test]
fn flows_are_joined_side_by_side_and_others_pass() {
    let (mut one, mut two) = (Flow::new(false), Flow::new(true));
    let mut frames = Vec::new();
    for _ in 0..3 {
        frames.extend(one.segments(&[600]));
        frames.push(udp());
        frames.extend(two.segments(&[600]));
        frames.push(arp());
    }
    assert_eq!(counts(&frames), [3, 1, 3, 1, 1, 1, 1, 1]);
}

#[test]
fn a_packet_of_an_unknown_flow_is_passed_by_none() {
    let mut flow = Flow::new(false);
    let mut fragment = flow.segments(&[300]).remove(0);
    fragment[20] = 0x20;
    let mut icmp = udp();
    icmp[23] = 1;
    for other in [fragment, icmp] {
        let mut flow = Flow::new(false);
        let mut frames = flow.segments(&[300, 300]);
        frames.push(other);
        frames.extend(flow.segments(&[300, 300]));
        assert_eq!(counts(&frames), [2, 1, 2]);
    }
}

#[test]
fn datagrams_of_one_length_become_one_and_a_shorter_one_ends_it() {
    for v6 in [false, true] {
        let mut flow = Datagrams::new(v6);
        let frames = flow.frames(&[1200, 1200, 1200, 301, 301]);
        assert_eq!(counts(&frames), [4, 1]);
        let mut coalescer = Coalescer::default();
        let joined = coalescer.join(&frames).next().unwrap();
        let transport = if v6 { 54 } else { 34 };
        let header = VnetHeader {
            flags: VnetHeader::NEEDS_CSUM,
            gso_type: VnetHeader::GSO_UDP_L4,
            hdr_len: transport + 8,
            gso_size: 1200,
            csum_start: transport,
            csum_offset: 6,
        };
        assert_eq!(joined.header(), header);
        let bytes: Vec<u8> = joined.pieces().flatten().copied().collect();
        let udp = &bytes[transport.into()..];
        assert_eq!(read_u16(udp, 4), 8 + 3901);
        assert_eq!(udp.len(), 8 + 3901);
        assert_eq!(split_again(&frames), frames);
        assert_eq!(counts(&flow.frames(&[100; 70])), [64, 6]);
    }
}

#[test]
fn a_datagram_joins_only_when_it_is_sound_and_its_header_goes_on() {
    for v6 in [false, true] {
        let transport = if v6 { 54 } else { 34 };
        let good = Datagrams::new(v6).frames(&[400; 3]);
        assert_eq!(counts(&good), [3]);
        let (type_of_service, hops) = if v6 { (15, 21) } else { (15, 22) };
        for (name, at, mends) in [
            ("payload", transport + 50, false),
            ("checksum", transport + 7, false),
            ("type of service", type_of_service, true),
            ("time to live", hops, true),
            ("source port", transport + 1, true),
            ("length", transport + 5, false),
        ] {
            let mut frames = good.clone();
            frames[1][at] ^= 1;
            if mends {
                complete(&mut frames[1]);
            }
            assert!(!counts(&frames).contains(&3), "{name}");
            let mut coalescer = Coalescer::default();
            let found = coalescer
                .join(&frames)
                .find(|joined| joined.frames().any(|frame| *frame == frames[1]));
            assert_eq!(found.unwrap().header(), VnetHeader::default(), "{name}");
            let mut again = split_again(&frames);
            let mut all = frames.clone();
            again.sort();
            all.sort();
            assert_eq!(again, all, "{name}");
        }
    }
    let mut frames = Datagrams::new(false).frames(&[400; 3]);
    frames[1][18] ^= 0x10;
    complete(&mut frames[1]);
    assert_eq!(counts(&frames), [1, 1, 1], "the number does not go on");
}

#[test]
fn a_datagram_without_a_checksum_or_to_many_stays_alone() {
    let mut frames = Datagrams::new(false).frames(&[400; 3]);
    for frame in &mut frames {
        put_u16(frame, 40, 0);
    }
    assert_eq!(counts(&frames), [1, 1, 1]);
    for first_of_mac in [0xff, 0x01, 0x33] {
        let mut frames = Datagrams::new(true).frames(&[400; 3]);
        for frame in &mut frames {
            frame[0] = first_of_mac;
        }
        assert_eq!(counts(&frames), [1, 1, 1], "{first_of_mac:#x}");
    }
    assert_eq!(counts(&Datagrams::new(false).frames(&[0; 3])), [1, 1, 1]);
}

#[test]
fn tcp_and_udp_of_the_same_numbers_are_two_flows() {
    let (mut stream, mut datagrams) = (Flow::new(false), Datagrams::new(false));
    let frames: Vec<_> = (0..6)
        .map(|at| match at % 2 {
            0 => stream.segment(500),
            _ => datagrams.frames(&[500]).remove(0),
        })
        .collect();
    assert_eq!(counts(&frames), [3, 3]);
}

#[test]
fn a_busy_flow_stays_open_beside_many_that_send_little() {
    let mut busy = Flow::new(false);
    let mut frames = busy.segments(&[700]);
    for port in 0..20 {
        let mut little = Datagrams::new(false);
        little.port = port;
        frames.extend(little.frames(&[90]));
        frames.extend(busy.segments(&[700]));
    }
    assert_eq!(counts(&frames)[0], 21);
}

#[test]
fn a_stack_that_cuts_no_udp_gets_what_came() {
    let frames = [
        Datagrams::new(true).frames(&[400; 3]),
        Flow::new(true).segments(&[400; 3]),
    ]
    .concat();
    let mut coalescer = Coalescer::default();
    coalescer.join_only_tcp();
    let joined = coalescer.join(&frames);
    let counts: Vec<_> = joined.map(|joined| joined.frames().len()).collect();
    assert_eq!(counts, [1, 1, 1, 3]);
}

#[test]
fn padding_and_ip_options_are_left_alone() {
    let mut frames = Flow::new(false).segments(&[300, 300]);
    frames[1].extend([0; 6]);
    assert_eq!(counts(&frames), [1, 1]);
    let mut frames = Flow::new(false).segments(&[300, 300]);
    for frame in &mut frames {
        frame[14] = 0x46;
        complete(frame);
    }
    assert_eq!(counts(&frames), [1, 1]);
}

#[test]
fn a_super_frame_has_limits() {
    assert_eq!(counts(&Flow::new(true).segments(&[1400; 50])), [46, 4]);
    assert_eq!(counts(&Flow::new(false).segments(&[100; 70])), [64, 6]);
}

#[test]
fn more_flows_than_are_followed_are_still_all_there() {
    let mut flows: Vec<_> = (0..20)
        .map(|port| {
            let mut flow = Flow::new(false);
            flow.port = port;
            flow
        })
        .collect();
    let frames: Vec<_> = (0..3)
        .flat_map(|_| {
            flows
                .iter_mut()
                .flat_map(|flow| flow.segments(&[100]))
                .collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(split_again(&frames), frames);
}

/// One step in a batch.
#[derive(Debug, Clone)]
enum Step {
    Data {
        flow: Index,
        lens: Vec<usize>,
        flags: u8,
    },
    Datagrams {
        flow: Index,
        lens: Vec<usize>,
    },
    Udp,
    Arp,
}

fn step() -> impl Strategy<Value = Step> {
    let flags = prop_oneof![8 => Just(ACK), 1 => Just(ACK | PSH), 1 => any::<u8>()];
    let lens = prop::collection::vec(prop_oneof![4 => Just(700_usize), 1 => 0_usize..900], 1..12);
    let datagrams = (any::<Index>(), lens.clone());
    prop_oneof![
        8 => datagrams.prop_map(|(flow, lens)| Step::Datagrams { flow, lens }),
        8 => (any::<Index>(), lens, flags)
            .prop_map(|(flow, lens, flags)| Step::Data { flow, lens, flags }),
        1 => Just(Step::Udp),
        1 => Just(Step::Arp),
    ]
}

fn batch(steps: &[Step]) -> Vec<Vec<u8>> {
    let mut flows: Vec<_> = (0..4)
        .map(|number| {
            let mut flow = Flow::new(number % 2 == 1);
            flow.port = number;
            flow
        })
        .collect();
    let mut trains = [false, true, false, true].map(Datagrams::new);
    for (number, train) in (0..).zip(&mut trains) {
        train.port = number;
    }
    let frames_of = |step: &Step| match step {
        Step::Datagrams { flow, lens } => flow.get_mut(&mut trains).frames(lens),
        Step::Data { flow, lens, flags } => {
            let flow = flow.get_mut(&mut flows);
            flow.flags = *flags;
            flow.segments(lens)
        }
        Step::Udp => vec![udp()],
        Step::Arp => vec![arp()],
    };
    steps.iter().flat_map(frames_of).collect()
}

proptest! {
    #[test]
    fn what_was_joined_splits_into_the_same_frames(
        steps in prop::collection::vec(step(), 0..12),
        damage in prop::collection::vec((any::<Index>(), any::<Index>(), 1_u8..), 0..6),
        cut in prop::collection::vec((any::<Index>(), any::<Index>()), 0..3),
    ) {
        let mut frames = batch(&steps);
        if !frames.is_empty() {
            for (frame, at, bits) in damage {
                let frame = frame.get_mut(&mut frames);
                *at.get_mut(frame) ^= bits;
            }
            for (frame, at) in cut {
                let frame = frame.get_mut(&mut frames);
                frame.truncate(at.index(frame.len() + 1));
            }
        }
        let again = split_again(&frames);
        prop_assert_eq!(again.len(), frames.len());
        prop_assert_eq!(by_kind(&again), by_kind(&frames));
        let mut coalescer = Coalescer::default();
        for joined in coalescer.join(&frames).filter(|joined| joined.frames().len() > 1) {
            prop_assert!(joined.frames().all(|frame| is_valid(frame)));
        }
    }
}

/// What must stay in order: TCP and UDP by flow, everything else among itself.
fn by_kind(frames: &[Vec<u8>]) -> BTreeMap<Vec<u8>, Vec<&[u8]>> {
    let mut kinds = BTreeMap::<_, Vec<&[u8]>>::new();
    for frame in frames {
        kinds.entry(kind(frame)).or_default().push(frame);
    }
    kinds
}

fn kind(frame: &[u8]) -> Vec<u8> {
    match Segment::find(frame) {
        Some(segment) => {
            let addresses = match segment.family {
                Family::V4 => 8,
                Family::V6 => 32,
            };
            let flow = &frame[segment.transport - addresses..segment.transport + 4];
            [&frame[..14], flow, &[segment.protocol.number()]].concat()
        }
        None => Vec::new(),
    }
}

/// Somebody else's opinion of a TCP or UDP checksum.
fn is_valid(frame: &[u8]) -> bool {
    use etherparse::{NetSlice, SlicedPacket, TransportSlice};
    let packet = SlicedPacket::from_ethernet(frame).unwrap();
    let Some(transport) = packet.transport else {
        return false;
    };
    let (found, right) = match packet.net.unwrap() {
        NetSlice::Ipv4(ip) => {
            let header = ip.header().to_header();
            if header.header_checksum != header.calc_header_checksum() {
                return false;
            }
            match transport {
                TransportSlice::Tcp(tcp) => (
                    tcp.checksum(),
                    tcp.calc_checksum_ipv4(header.source, header.destination),
                ),
                TransportSlice::Udp(udp) => (
                    udp.checksum(),
                    udp.to_header().calc_checksum_ipv4(&header, udp.payload()),
                ),
                _ => return false,
            }
        }
        NetSlice::Ipv6(ip) => {
            let header = ip.header();
            match transport {
                TransportSlice::Tcp(tcp) => (
                    tcp.checksum(),
                    tcp.calc_checksum_ipv6(header.source(), header.destination()),
                ),
                TransportSlice::Udp(udp) => (
                    udp.checksum(),
                    udp.to_header()
                        .calc_checksum_ipv6(&header.to_header(), udp.payload()),
                ),
                _ => return false,
            }
        }
        NetSlice::Arp(_) => return false,
    };
    let right = right.unwrap();
    found == right || (found, right) == (0xffff, 0)
}

/// How many frames each super-frame is made of.
fn counts(frames: &[Vec<u8>]) -> Vec<usize> {
    let mut coalescer = Coalescer::default();
    let joined = coalescer.join(frames);
    joined.map(|joined| joined.frames().len()).collect()
}

/// Joins frames, and lets a NIC split them.
fn split_again(frames: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut coalescer = Coalescer::default();
    let mut wires = Vec::new();
    for joined in coalescer.join(frames) {
        let bytes: Vec<u8> = joined.pieces().flatten().copied().collect();
        for wire in wire_frames(joined.header(), &bytes).unwrap() {
            let mut room = vec![0; wire.frame_len()];
            wire.write_to(&mut room);
            wires.push(room);
        }
    }
    wires
}

/// A TCP flow with timestamps, about to wrap in every number that counts on.
struct Flow {
    v6: bool,
    port: u8,
    id: u16,
    sequence: u32,
    flags: u8,
}

impl Flow {
    fn new(v6: bool) -> Self {
        Flow {
            v6,
            port: 1,
            id: 0xfffe,
            sequence: 0xffff_fc00,
            flags: ACK,
        }
    }

    /// The next segments, with payloads of these lengths.
    fn segments(&mut self, lens: &[usize]) -> Vec<Vec<u8>> {
        lens.iter().map(|&len| self.segment(len)).collect()
    }

    fn segment(&mut self, len: usize) -> Vec<u8> {
        let mut frame = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1];
        let upper_len = short(32 + len);
        if self.v6 {
            frame.extend([0x86, 0xdd, 0x60, 0, 0, 0]);
            frame.extend(upper_len.to_be_bytes());
            frame.extend([TCP, 64]);
            frame.extend([[0xfe; 16], [0xfd; 16]].concat());
        } else {
            frame.extend([0x08, 0x00, 0x45, 0]);
            frame.extend((upper_len + 20).to_be_bytes());
            frame.extend(self.id.to_be_bytes());
            frame.extend([0x40, 0, 64, TCP, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
        }
        frame.extend([0xc0, self.port, 0x6d, 0x38]);
        frame.extend(self.sequence.to_be_bytes());
        frame.extend([0, 0, 0, 1, 0x80, self.flags, 0x10, 0, 0, 0, 0, 0]);
        frame.extend([1, 1, 8, 10, 0, 0, 0, 5, 0, 0, 0, 6]);
        frame.extend((0..len).map(|at| (at as u8) ^ self.sequence.to_be_bytes()[3]));
        complete(&mut frame);
        self.id = self.id.wrapping_add(1);
        self.sequence = self.sequence.wrapping_add(len as u32);
        frame
    }
}

/// A UDP flow whose numbers are about to wrap.
struct Datagrams {
    v6: bool,
    port: u8,
    id: u16,
}

impl Datagrams {
    fn new(v6: bool) -> Self {
        Datagrams {
            v6,
            port: 1,
            id: 0xfffe,
        }
    }

    /// The next datagrams, with payloads of these lengths.
    fn frames(&mut self, lens: &[usize]) -> Vec<Vec<u8>> {
        lens.iter().map(|&len| self.frame(len)).collect()
    }

    fn frame(&mut self, len: usize) -> Vec<u8> {
        let stream = Flow {
            port: self.port,
            id: self.id,
            ..Flow::new(self.v6)
        };
        let ip_end = if self.v6 { 54 } else { 34 };
        let mut frame = { stream }.segment(0)[..ip_end].to_vec();
        let udp_len = short(8 + len);
        match self.v6 {
            false => {
                put_u16(&mut frame, IP + 2, 20 + udp_len);
                frame[IP + 9] = UDP;
            }
            true => {
                put_u16(&mut frame, IP + 4, udp_len);
                frame[IP + 6] = UDP;
            }
        }
        frame.extend([0xc0, self.port, 0x6d, 0x38]);
        frame.extend(udp_len.to_be_bytes());
        frame.extend([0, 0]);
        frame.extend((0..len).map(|at| (at as u8) ^ self.id.to_be_bytes()[1]));
        complete(&mut frame);
        self.id = self.id.wrapping_add(1);
        frame
    }
}

/// Writes right checksums into a segment or datagram.
fn complete(frame: &mut [u8]) {
    let (family, transport) = match frame[14] >> 4 {
        4 => (Family::V4, 34),
        _ => (Family::V6, 54),
    };
    if family == Family::V4 {
        put_u16(frame, 24, 0);
        let sum = Sum::of(&frame[14..34]).checksum();
        put_u16(frame, 24, sum);
    }
    let protocol = if family == Family::V4 {
        frame[23]
    } else {
        frame[20]
    };
    let field = transport + if protocol == TCP { 16 } else { 6 };
    put_u16(frame, field, 0);
    let mut sum = family.pseudo_header(frame, protocol, frame.len() - transport);
    sum += Sum::of(&frame[transport..]);
    put_u16(frame, field, sum.checksum());
}

fn udp() -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x08, 0x00];
    frame.extend([0x45, 0, 0, 32, 0, 0, 0x40, 0, 64, UDP, 0, 0]);
    frame.extend([
        10, 0, 0, 1, 10, 0, 0, 2, 1, 2, 3, 4, 0, 12, 0, 0, 9, 9, 9, 9,
    ]);
    frame
}

fn arp() -> Vec<u8> {
    let mut frame = vec![0xff; 12];
    frame.extend([0x08, 0x06]);
    frame.resize(60, 7);
    frame
}
