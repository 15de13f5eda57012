//! Super-frames and unfinished checksums.

use crate::packet::{ethernet, ipv4, ipv6, pseudo_sum, sum, tcp, udp};
use arbitrary::{Arbitrary, Unstructured};
use lanparty_proto::frame_buf::FrameSlab;
use lanparty_proto::offload::{OffloadError, VnetHeader, wire_frames};

#[derive(Arbitrary, Debug)]
enum Input {
    Raw { header: [u8; 10], frame: Vec<u8> },
    Honest(SuperFrame),
}

#[derive(Arbitrary, Debug)]
pub(crate) struct SuperFrame {
    over_v6: bool,
    is_udp: bool,
    option_words: u8,
    flags: u8,
    split: Option<u16>,
    payload: Vec<u8>,
    times: u8,
}

/// A header that lies is an error or leaves the length of things right; an honest one gives what a
/// wire would carry: the same payload, in order, with right lengths and checksums.
pub fn offload(data: &[u8]) {
    let Ok(input) = Input::arbitrary_take_rest(Unstructured::new(data)) else {
        return;
    };
    match input {
        Input::Raw { header, frame } => {
            let decoded = VnetHeader::decode(header);
            assert_eq!(decoded.encode(), header);
            if let Ok(frames) = finish(decoded, &frame) {
                assert!(!frames.is_empty());
                assert!(frames.iter().all(|wire| wire.len() <= frame.len()));
            }
        }
        Input::Honest(super_frame) => check(&super_frame),
    }
}

pub(crate) fn finish(header: VnetHeader, frame: &[u8]) -> Result<Vec<Vec<u8>>, OffloadError> {
    let mut slab = FrameSlab::default();
    let frames = wire_frames(header, frame)?;
    let count = frames.len();
    let written: Vec<_> = frames
        .map(|wire| {
            let mut room = vec![0; wire.frame_len()];
            assert_eq!(wire.write_to(&mut room), room.len());
            assert_eq!(wire.write_into(&mut slab).frame(), room);
            room
        })
        .collect();
    assert_eq!(written.len(), count);
    Ok(written)
}

fn check(input: &SuperFrame) {
    let (header, frame) = input.offered();
    let transport = usize::from(header.csum_start);
    let protocol = if input.is_udp { 17 } else { 6 };
    let frames = match finish(header, &frame) {
        Ok(frames) => frames,
        Err(error) => {
            assert_eq!((error, input.split), (OffloadError::NoSegmentSize, Some(0)));
            return;
        }
    };
    let upper_header = match input.is_udp {
        true => 8,
        false => usize::from(frame[transport + 12] >> 4) * 4,
    };
    let payload_at = transport + upper_header;
    let payloads: Vec<u8> = frames
        .iter()
        .flat_map(|wire| &wire[payload_at..])
        .copied()
        .collect();
    assert_eq!(payloads, frame[payload_at..]);
    let mut sequence = number(&frame, transport + 4);
    for (at, wire) in frames.iter().enumerate() {
        assert_lengths_and_checksums(wire, transport, protocol, input.over_v6);
        let payload_len = wire.len() - payload_at;
        let is_last = at + 1 == frames.len();
        if let Some(size) = input.split {
            assert!(payload_len == usize::from(size) || (is_last && payload_len <= size.into()));
        }
        if !input.is_udp {
            assert_eq!(number(wire, transport + 4), sequence);
            sequence = sequence.wrapping_add(payload_len as u32);
            let flags =
                input.flags & !(if is_last { 0 } else { 0x09 }) & !(if at > 0 { 0x80 } else { 0 });
            assert_eq!(wire[transport + 13], flags);
        }
    }
}

fn number(frame: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(frame[at..at + 4].try_into().expect("four bytes"))
}

fn assert_lengths_and_checksums(wire: &[u8], transport: usize, protocol: u8, over_v6: bool) {
    let short = |at: usize| usize::from(u16::from_be_bytes([wire[at], wire[at + 1]]));
    let addresses = match over_v6 {
        true => {
            assert_eq!(short(18), wire.len() - 54);
            &wire[22..54]
        }
        false => {
            assert_eq!(short(16), wire.len() - 14);
            assert_eq!(sum(&wire[14..transport]), 0xffff);
            &wire[26..34]
        }
    };
    if protocol == 17 {
        assert_eq!(short(transport + 4), wire.len() - transport);
    }
    assert_eq!(pseudo_sum(addresses, protocol, &wire[transport..]), 0xffff);
}

impl SuperFrame {
    /// The frame with the header that a stack puts before it.
    pub(crate) fn offered(&self) -> (VnetHeader, Vec<u8>) {
        let (frame, transport) = self.build();
        let gso_type = match (self.is_udp, self.over_v6) {
            (true, _) => VnetHeader::GSO_UDP_L4,
            (false, false) => VnetHeader::GSO_TCPV4,
            (false, true) => VnetHeader::GSO_TCPV6,
        };
        let header = VnetHeader {
            flags: VnetHeader::NEEDS_CSUM,
            gso_type: self.split.map_or(VnetHeader::GSO_NONE, |_| gso_type),
            gso_size: self.split.unwrap_or(0),
            csum_start: transport as u16,
            csum_offset: if self.is_udp { 6 } else { 16 },
            hdr_len: 0,
        };
        (header, frame)
    }

    /// The frame as a stack hands it over, and where its transport header begins.
    fn build(&self) -> (Vec<u8>, usize) {
        let words = usize::from(self.option_words % 11);
        let mut payload = self.payload.repeat(1 + usize::from(self.times % 16));
        // Enough segments to see, few enough to be quick.
        let size = self.split.map_or(usize::MAX, usize::from);
        payload.truncate(size.saturating_mul(64).min(60_000));
        let mut upper = match self.is_udp {
            true => udp(5353, 5353, &payload),
            false => tcp(self.flags, &vec![1; words * 4], &payload),
        };
        let addresses = match self.over_v6 {
            true => ipv6(0, &[])[8..40].to_vec(),
            false => vec![10, 0, 0, 1, 10, 0, 0, 2],
        };
        let protocol = if self.is_udp { 17 } else { 6 };
        put_pseudo_sum(&addresses, protocol, &mut upper);
        let (ether_type, packet) = match self.over_v6 {
            true => (0x86dd, ipv6(protocol, &upper)),
            false => (0x0800, ipv4(protocol, 0, &vec![1; words * 4], &upper)),
        };
        let frame = ethernet([2; 6], [4; 6], ether_type, &packet);
        let transport = frame.len() - upper.len();
        (frame, transport)
    }
}

/// What the checksum field holds before a NIC has completed it.
fn put_pseudo_sum(addresses: &[u8], protocol: u8, upper: &mut [u8]) {
    let at = if protocol == 6 { 16 } else { 6 };
    let len = (upper.len() as u32).to_be_bytes();
    let pseudo = sum(&[addresses, &[0, protocol], &len].concat());
    upper[at..at + 2].copy_from_slice(&pseudo.to_be_bytes());
}
