//! Frames, made and summed without the code under test.

const ADDRESSES: [u8; 12] = [2, 0, 0, 0, 0, 1, 0, 0x16, 0x3e, 0, 0, 9];

pub(super) fn ethernet(ether_type: u16, payload: &[u8]) -> Vec<u8> {
    [&ADDRESSES[..], &ether_type.to_be_bytes(), payload].concat()
}

/// An IPv4 packet; options are whole words.
pub(super) fn ipv4(protocol: u8, fragment: u16, options: &[u8], upper: &[u8]) -> Vec<u8> {
    let header_len = 20 + options.len();
    let len = u16::try_from(header_len + upper.len()).unwrap();
    let mut packet = vec![0x40 | u8::try_from(header_len / 4).unwrap(), 0];
    packet.extend([len, 7, fragment].map(u16::to_be_bytes).concat());
    packet.extend([64, protocol, 0, 0, 192, 168, 50, 1, 255, 255, 255, 255]);
    packet.extend(options);
    packet.extend(upper);
    packet
}

pub(super) fn ipv6(next: u8, upper: &[u8]) -> Vec<u8> {
    let len = u16::try_from(upper.len()).unwrap().to_be_bytes();
    let mut packet = vec![0x60, 0, 0, 0, len[0], len[1], next, 255];
    packet.extend([0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    packet.extend([0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    packet.extend(upper);
    packet
}

pub(super) fn udp_over_v4(ports: (u16, u16), payload: &[u8]) -> Vec<u8> {
    let mut frame = ethernet(0x0800, &ipv4(17, 0, &[], &udp(ports, payload)));
    finish(&mut frame);
    frame
}

pub(super) fn udp_over_v6(ports: (u16, u16), payload: &[u8]) -> Vec<u8> {
    let mut frame = ethernet(0x86dd, &ipv6(17, &udp(ports, payload)));
    finish(&mut frame);
    frame
}

pub(super) fn icmpv6(message: &[u8]) -> Vec<u8> {
    let mut frame = ethernet(0x86dd, &ipv6(58, message));
    finish(&mut frame);
    frame
}

pub(super) fn udp((from, to): (u16, u16), payload: &[u8]) -> Vec<u8> {
    let len = u16::try_from(8 + payload.len()).unwrap();
    [
        &[from, to, len, 0].map(u16::to_be_bytes).concat()[..],
        payload,
    ]
    .concat()
}

/// Of a packet without options and extension headers: where its upper header and its checksum stand, and which it is.
fn places(frame: &[u8]) -> (usize, usize, u8) {
    let (upper, protocol) = match frame[12..14] {
        [8, 0] => (34, frame[23]),
        _ => (54, frame[20]),
    };
    let checksum = upper + if protocol == 17 { 6 } else { 2 };
    (upper, checksum, protocol)
}

/// Writes the checksum, worked out word by word.
fn finish(frame: &mut [u8]) {
    let (_, at, _) = places(frame);
    if frame.len() < at + 2 {
        return;
    }
    frame[at..at + 2].fill(0);
    let checksum = match !sum(frame) {
        0 => 0xffff,
        checksum => checksum,
    };
    frame[at..at + 2].copy_from_slice(&checksum.to_be_bytes());
}

pub(super) fn assert_checksum(frame: &[u8]) {
    let (_, at, protocol) = places(frame);
    let is_without = protocol == 17 && frame[at..at + 2] == [0; 2];
    assert!(is_without || sum(frame) == 0xffff, "{:04x}", sum(frame));
}

fn sum(frame: &[u8]) -> u16 {
    let (upper, _, protocol) = places(frame);
    let addresses = match frame[12..14] {
        [8, 0] => &frame[26..34],
        _ => &frame[22..54],
    };
    let len = (frame.len() - upper) as u64;
    let words = addresses.chunks(2).chain(frame[upper..].chunks(2));
    let word = |pair: &[u8]| u64::from(pair[0]) << 8 | u64::from(*pair.get(1).unwrap_or(&0));
    let mut sum: u64 = words.map(word).sum::<u64>() + len + u64::from(protocol);
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    u16::try_from(sum).unwrap()
}
