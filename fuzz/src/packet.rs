//! Frames as plain bytes, made and summed without the help of the code under test.

/// An Ethernet II frame.
pub(crate) fn ethernet(
    destination: [u8; 6],
    source: [u8; 6],
    ether_type: u16,
    payload: &[u8],
) -> Vec<u8> {
    [
        &destination[..],
        &source,
        &ether_type.to_be_bytes(),
        payload,
    ]
    .concat()
}

/// An IPv4 packet (RFC 791 §3.1) with its checksum; `options` are whole words.
pub(crate) fn ipv4(protocol: u8, fragment: u16, options: &[u8], payload: &[u8]) -> Vec<u8> {
    let header_len = 20 + options.len();
    let total_len = u16::try_from(header_len + payload.len()).expect("a frame's worth of bytes");
    let mut packet = vec![0x40 | (header_len / 4) as u8, 0];
    packet.extend(total_len.to_be_bytes());
    packet.extend([0xff, 0xfe]);
    packet.extend(fragment.to_be_bytes());
    packet.extend([64, protocol, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
    packet.extend(options);
    let checksum = !sum(&packet);
    packet[10..12].copy_from_slice(&checksum.to_be_bytes());
    packet.extend(payload);
    packet
}

/// An IPv6 packet (RFC 8200 §3); extension headers belong to the payload.
pub(crate) fn ipv6(next_header: u8, payload: &[u8]) -> Vec<u8> {
    let len = u16::try_from(payload.len()).expect("a frame's worth of bytes");
    let mut packet = vec![0x60, 0, 0, 0];
    packet.extend(len.to_be_bytes());
    packet.extend([next_header, 255]);
    packet.extend([0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    packet.extend([0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]);
    packet.extend(payload);
    packet
}

/// A UDP datagram without a checksum.
pub(crate) fn udp(source: u16, destination: u16, payload: &[u8]) -> Vec<u8> {
    let len = u16::try_from(8 + payload.len()).expect("a frame's worth of bytes");
    let fields = [source, destination, len, 0].map(u16::to_be_bytes);
    [&fields.concat()[..], payload].concat()
}

/// A TCP segment without a checksum; `options` are whole words.
pub(crate) fn tcp(flags: u8, options: &[u8], payload: &[u8]) -> Vec<u8> {
    let words = (20 + options.len()) / 4;
    let mut segment = vec![0xc0, 0, 0x1f, 0x90, 0xff, 0xff, 0xfc, 0, 0, 0, 0, 1];
    segment.extend([(words as u8) << 4, flags, 0x20, 0, 0, 0, 0, 0]);
    segment.extend(options);
    segment.extend(payload);
    segment
}

/// Writes the checksum of TCP or UDP into `upper`, which follows the addresses in `packet`
/// (RFC 9293 §3.1, RFC 8200 §8.1).
pub(crate) fn finish_checksum(packet_addresses: &[u8], protocol: u8, upper: &mut [u8]) {
    let at = match protocol {
        6 => 16,
        _ => 6,
    };
    upper[at..at + 2].copy_from_slice(&[0, 0]);
    let checksum = match !pseudo_sum(packet_addresses, protocol, upper) {
        0 => 0xffff,
        checksum => checksum,
    };
    upper[at..at + 2].copy_from_slice(&checksum.to_be_bytes());
}

/// The sum that a checksum covers, itself included: 0xffff when it is right.
pub(crate) fn pseudo_sum(addresses: &[u8], protocol: u8, upper: &[u8]) -> u16 {
    let len = (upper.len() as u32).to_be_bytes();
    sum(&[addresses, &[0, protocol], &len, upper].concat())
}

/// The one's complement sum, word by word (RFC 1071 §4.1).
pub(crate) fn sum(bytes: &[u8]) -> u16 {
    let mut sum = 0_u32;
    for pair in bytes.chunks(2) {
        let word = [pair[0], pair.get(1).copied().unwrap_or(0)];
        sum += u32::from(u16::from_be_bytes(word));
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}
