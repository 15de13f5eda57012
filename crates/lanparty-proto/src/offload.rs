//! From what a network stack hands over to what a wire would carry (spec R43).
//!
//! A raw socket with `PACKET_VNET_HDR`, or a TAP with `IFF_VNET_HDR`, shows frames before a NIC has
//! finished them: TCP super-frames of up to 64 KiB, UDP trains, checksums that hold only the pseudo
//! header. Ten bytes in front say what is missing:
//!
//! ```text
//!  0       1          2         4          6            8             10
//!  +-------+----------+---------+----------+------------+-------------+---------
//!  | flags | gso type | hdr len | gso size | csum start | csum offset | frame …
//!  +-------+----------+---------+----------+------------+-------------+---------
//! ```
//!
//! [`wire_frames`] answers the frames that a NIC would send, each to be written where it is wanted:
//!
//! ```
//! # use lanparty_proto::{frame_buf::FrameSlab, offload::{VnetHeader, wire_frames}};
//! # let (header, captured, mut slab) = (VnetHeader::default(), [0; 60], FrameSlab::default());
//! for wire in wire_frames(header, &captured)? {
//!     let frame = wire.write_into(&mut slab);
//!     assert_eq!(frame.frame().len(), wire.frame_len());
//! }
//! # Ok::<_, lanparty_proto::offload::OffloadError>(())
//! ```
//!
//! The header may come from a guest or a driver that lies: whatever does not fit is an error.

use crate::checksum::Sum;
use crate::ethernet::{self, ether_type};
use crate::frame_buf::{FrameBuf, FrameSlab};
use crate::ip::{self, IPV6_HEADER_LEN, Part, TCP, UDP, Unclear};
use std::convert::Infallible;
use std::ops::Range;

/// The length of a [`VnetHeader`].
pub const HEADER_LEN: usize = 10;

/// `struct virtio_net_hdr` as Linux gives it: numbers in the machine's own byte order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct VnetHeader {
    /// [`VnetHeader::NEEDS_CSUM`], [`VnetHeader::DATA_VALID`].
    pub flags: u8,
    /// How to split the frame: one of the `GSO_` constants, perhaps with [`VnetHeader::GSO_ECN`].
    pub gso_type: u8,
    /// How long the headers are; a hint that we do not need.
    pub hdr_len: u16,
    /// How much payload goes into one segment.
    pub gso_size: u16,
    /// Where the bytes begin that the checksum covers.
    pub csum_start: u16,
    /// Where the checksum stands, counted from there.
    pub csum_offset: u16,
}

impl VnetHeader {
    /// The checksum field holds the pseudo header's sum; the rest is to be added.
    pub const NEEDS_CSUM: u8 = 1;
    /// Somebody has checked the checksum already; nothing is left to do.
    pub const DATA_VALID: u8 = 2;

    /// The frame is whole.
    pub const GSO_NONE: u8 = 0;
    /// TCP over IPv4.
    pub const GSO_TCPV4: u8 = 1;
    /// One UDP datagram to be sent in IP fragments (UFO); Linux has not made these since 4.14.
    pub const GSO_UFO: u8 = 3;
    /// TCP over IPv6.
    pub const GSO_TCPV6: u8 = 4;
    /// Several UDP datagrams of one size (USO).
    pub const GSO_UDP_L4: u8 = 5;
    /// Added to a TCP type: CWR is set, and belongs to the first segment only.
    pub const GSO_ECN: u8 = 0x80;

    /// Reads the header.
    pub fn decode(bytes: [u8; HEADER_LEN]) -> Self {
        let [flags, gso_type, h0, h1, g0, g1, s0, s1, o0, o1] = bytes;
        VnetHeader {
            flags,
            gso_type,
            hdr_len: u16::from_ne_bytes([h0, h1]),
            gso_size: u16::from_ne_bytes([g0, g1]),
            csum_start: u16::from_ne_bytes([s0, s1]),
            csum_offset: u16::from_ne_bytes([o0, o1]),
        }
    }

    /// Writes the header.
    pub fn encode(self) -> [u8; HEADER_LEN] {
        let [h0, h1] = self.hdr_len.to_ne_bytes();
        let [g0, g1] = self.gso_size.to_ne_bytes();
        let [s0, s1] = self.csum_start.to_ne_bytes();
        let [o0, o1] = self.csum_offset.to_ne_bytes();
        [self.flags, self.gso_type, h0, h1, g0, g1, s0, s1, o0, o1]
    }
}

/// Why a captured frame cannot be finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OffloadError {
    /// The checksum field lies outside the frame.
    #[error("the checksum to complete lies outside the frame")]
    ChecksumOutside,
    /// UFO, a tunnel, or something newer than this program.
    #[error("frames of segmentation type {0} cannot be split")]
    UnknownGso(u8),
    /// A segment without payload would never end.
    #[error("a frame is to be split into segments of no size")]
    NoSegmentSize,
    /// The frame is not of the protocols that its segmentation type names, or its headers are cut
    /// short or contradict it.
    #[error("a frame to be split does not have the headers it should")]
    WrongHeaders,
}

/// The frames that a wire would carry for this captured one, in order.
///
/// # Errors
/// [`OffloadError`] when header and frame do not fit each other.
pub fn wire_frames(header: VnetHeader, frame: &[u8]) -> Result<WireFrames<'_>, OffloadError> {
    let checksum = (header.flags & VnetHeader::NEEDS_CSUM != 0)
        .then(|| Checksum::find(header, frame))
        .transpose()?;
    let gso_type = header.gso_type & !VnetHeader::GSO_ECN;
    if gso_type == VnetHeader::GSO_NONE {
        return Ok(WireFrames {
            frame,
            work: checksum.map_or(Work::Nothing, Work::Complete),
            next: 0,
            count: 1,
        });
    }
    let split = Split::plan(gso_type, header.gso_size, frame)?;
    if checksum.is_some_and(|checksum| checksum.start != split.transport) {
        return Err(OffloadError::WrongHeaders);
    }
    Ok(WireFrames {
        frame,
        work: Work::Split(split),
        next: 0,
        // A pure header is one frame too.
        count: split.payload_len.div_ceil(split.size).max(1),
    })
}

/// What [`wire_frames`] answers.
#[derive(Debug, Clone)]
pub struct WireFrames<'a> {
    frame: &'a [u8],
    work: Work,
    next: usize,
    count: usize,
}

impl<'a> Iterator for WireFrames<'a> {
    type Item = WireFrame<'a>;

    fn next(&mut self) -> Option<WireFrame<'a>> {
        let index = self.next;
        (index < self.count).then(|| {
            self.next += 1;
            WireFrame {
                frame: self.frame,
                work: self.work,
                index,
                is_last: self.next == self.count,
            }
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.count - self.next;
        (left, Some(left))
    }
}

impl ExactSizeIterator for WireFrames<'_> {}

/// One frame for the wire, not written yet.
#[derive(Debug, Clone, Copy)]
pub struct WireFrame<'a> {
    frame: &'a [u8],
    work: Work,
    index: usize,
    is_last: bool,
}

impl WireFrame<'_> {
    /// How long the frame is.
    pub fn frame_len(&self) -> usize {
        match self.work {
            Work::Nothing | Work::Complete(_) => self.frame.len(),
            Work::Split(split) => split.payload + split.payload_of(self.index).len(),
        }
    }

    /// Writes the frame into a slab.
    pub fn write_into(&self, slab: &mut FrameSlab) -> FrameBuf {
        let Ok(frame) = slab.read_frame(self.frame_len(), |room| {
            Ok::<_, Infallible>(self.write_to(room))
        });
        frame
    }

    /// Writes the frame to the start of `room` and answers how long it is.
    ///
    /// # Panics
    /// When `room` is shorter than [`Self::frame_len`].
    pub fn write_to(&self, room: &mut [u8]) -> usize {
        let len = self.frame_len();
        let room = &mut room[..len];
        match self.work {
            Work::Nothing => room.copy_from_slice(self.frame),
            Work::Complete(checksum) => {
                room.copy_from_slice(self.frame);
                let sum = Sum::of(&room[checksum.start..]);
                put_checksum(room, checksum.field, sum);
            }
            Work::Split(split) => {
                let (headers, payload) = room.split_at_mut(split.payload);
                headers.copy_from_slice(&self.frame[..split.payload]);
                payload.copy_from_slice(&self.frame[split.payload_of(self.index)]);
                split.patch(room, self.index, self.is_last);
            }
        }
        len
    }
}

/// What a frame still needs.
#[derive(Debug, Clone, Copy)]
enum Work {
    Nothing,
    Complete(Checksum),
    Split(Split),
}

/// A checksum that holds only the pseudo header.
#[derive(Debug, Clone, Copy)]
struct Checksum {
    /// Where the covered bytes begin.
    start: usize,
    /// Where the field stands.
    field: usize,
}

impl Checksum {
    fn find(header: VnetHeader, frame: &[u8]) -> Result<Self, OffloadError> {
        let start = usize::from(header.csum_start);
        let field = start + usize::from(header.csum_offset);
        if start < ethernet::HEADER_LEN || field + 2 > frame.len() {
            return Err(OffloadError::ChecksumOutside);
        }
        Ok(Checksum { start, field })
    }
}

/// Writes the checksum of a sum. Zero would mean "no checksum" in UDP, and its complement is as good
/// in TCP (RFC 768).
fn put_checksum(frame: &mut [u8], field: usize, sum: Sum) {
    let checksum = match sum.checksum() {
        0 => 0xffff,
        checksum => checksum,
    };
    put_u16(frame, field, checksum);
}

pub(crate) fn put_u16(frame: &mut [u8], at: usize, value: u16) {
    frame[at..at + 2].copy_from_slice(&value.to_be_bytes());
}

/// The IP version of a frame without VLAN tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    V4,
    V6,
}

impl Family {
    /// What TCP and UDP cover besides their own `len` bytes. Takes the addresses as they stand in the
    /// IP header; a routing header, which would put the last destination elsewhere, is not something
    /// that hosts segment.
    pub(crate) fn pseudo_header(self, frame: &[u8], protocol: u8, len: usize) -> Sum {
        let addresses = match self {
            Family::V4 => IP + 12..IP + 20,
            Family::V6 => IP + 8..IP + 40,
        };
        let mut sum = Sum::of(&frame[addresses]);
        sum += Sum::of(&[0, protocol]);
        sum += Sum::of(&short(len).to_be_bytes());
        sum
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    Tcp,
    Udp,
}

impl Transport {
    /// As IP has it.
    pub(crate) fn number(self) -> u8 {
        match self {
            Transport::Tcp => TCP,
            Transport::Udp => UDP,
        }
    }

    /// The shortest header.
    pub(crate) fn header_len(self) -> usize {
        match self {
            Transport::Tcp => TCP_HEADER_LEN,
            Transport::Udp => UDP_HEADER_LEN,
        }
    }

    /// Where in the header the checksum stands.
    pub(crate) fn checksum_at(self) -> usize {
        match self {
            Transport::Tcp => 16,
            Transport::Udp => 6,
        }
    }
}

/// How a super-frame is cut. All offsets are from the start of the frame and lie inside it.
#[derive(Debug, Clone, Copy)]
struct Split {
    family: Family,
    protocol: Transport,
    /// Where TCP's or UDP's header begins.
    transport: usize,
    /// Where the payload begins.
    payload: usize,
    payload_len: usize,
    /// How much of it goes into each segment but the last.
    size: usize,
}

const IP: usize = ethernet::HEADER_LEN;
const TCP_HEADER_LEN: usize = 20;
pub(crate) const UDP_HEADER_LEN: usize = 8;

impl Split {
    fn plan(gso_type: u8, gso_size: u16, frame: &[u8]) -> Result<Self, OffloadError> {
        let (wanted_family, protocol) = match gso_type {
            VnetHeader::GSO_TCPV4 => (Some(Family::V4), Transport::Tcp),
            VnetHeader::GSO_TCPV6 => (Some(Family::V6), Transport::Tcp),
            VnetHeader::GSO_UDP_L4 => (None, Transport::Udp),
            other => return Err(OffloadError::UnknownGso(other)),
        };
        if gso_size == 0 {
            return Err(OffloadError::NoSegmentSize);
        }
        let (family, range) = find_transport(frame, protocol)?;
        let header_len = transport_header_len(&frame[range.clone()], protocol)?;
        if wanted_family.is_some_and(|wanted| wanted != family) {
            return Err(OffloadError::WrongHeaders);
        }
        Ok(Split {
            family,
            protocol,
            transport: range.start,
            payload: range.start + header_len,
            payload_len: range.len() - header_len,
            size: gso_size.into(),
        })
    }

    /// Where the payload of a segment stands in the super-frame.
    fn payload_of(&self, index: usize) -> Range<usize> {
        let end = self.payload + self.payload_len;
        let start = self.payload + index * self.size;
        start..end.min(start + self.size)
    }

    /// Turns a copy of the super-frame's headers into those of one segment.
    fn patch(&self, frame: &mut [u8], index: usize, is_last: bool) {
        self.patch_ip(frame, index);
        let len = short(frame.len() - self.transport);
        match self.protocol {
            Transport::Tcp => self.patch_tcp(frame, index, is_last),
            Transport::Udp => put_u16(frame, self.transport + 4, len),
        }
        let checksum = self.transport + self.protocol.checksum_at();
        put_u16(frame, checksum, 0);
        let upper = &frame[self.transport..];
        let protocol = self.protocol.number();
        let mut sum = self.family.pseudo_header(frame, protocol, upper.len());
        sum += Sum::of(upper);
        put_checksum(frame, checksum, sum);
    }

    /// Length, number and checksum of IPv4 (RFC 791 §3.1); length of IPv6.
    fn patch_ip(&self, frame: &mut [u8], index: usize) {
        let len = frame.len() - IP;
        match self.family {
            Family::V4 => {
                put_u16(frame, IP + 2, short(len));
                // Numbers wrap (RFC 6864).
                let id = u16::from_be_bytes([frame[IP + 4], frame[IP + 5]]);
                put_u16(frame, IP + 4, id.wrapping_add(index as u16));
                put_u16(frame, IP + 10, 0);
                let sum = Sum::of(&frame[IP..self.transport]);
                put_u16(frame, IP + 10, sum.checksum());
            }
            Family::V6 => put_u16(frame, IP + 4, short(len - IPV6_HEADER_LEN)),
        }
    }

    /// Sequence number and flags: FIN and PSH belong to the last segment, CWR to the first (RFC 3168
    /// §6.1.2).
    fn patch_tcp(&self, frame: &mut [u8], index: usize, is_last: bool) {
        const FIN: u8 = 0x01;
        const PSH: u8 = 0x08;
        const CWR: u8 = 0x80;
        let tcp = &mut frame[self.transport..];
        let sequence = u32::from_be_bytes([tcp[4], tcp[5], tcp[6], tcp[7]]);
        let sequence = sequence.wrapping_add((index * self.size) as u32);
        tcp[4..8].copy_from_slice(&sequence.to_be_bytes());
        if !is_last {
            tcp[13] &= !(FIN | PSH);
        }
        if index > 0 {
            tcp[13] &= !CWR;
        }
    }
}

/// Finds the IP family of a frame and where its whole transport header and payload stand.
fn find_transport(
    frame: &[u8],
    protocol: Transport,
) -> Result<(Family, Range<usize>), OffloadError> {
    let (header, packet) = frame
        .split_at_checked(IP)
        .ok_or(OffloadError::WrongHeaders)?;
    let (family, upper) = match u16::from_be_bytes([header[12], header[13]]) {
        ether_type::IPV4 => (Family::V4, ip::ipv4(packet)?),
        ether_type::IPV6 => (Family::V6, ip::ipv6(packet)?),
        _ => return Err(OffloadError::WrongHeaders),
    };
    if upper.protocol != protocol.number() || upper.part != Part::Whole {
        return Err(OffloadError::WrongHeaders);
    }
    Ok((family, IP + upper.range.start..IP + upper.range.end))
}

fn transport_header_len(bytes: &[u8], protocol: Transport) -> Result<usize, OffloadError> {
    let header_len = match (protocol, bytes) {
        (Transport::Tcp, &[_, _, _, _, _, _, _, _, _, _, _, _, offset, ..]) => {
            usize::from(offset >> 4) * 4
        }
        (Transport::Udp, &[_, _, _, _, high, low, ..])
            if usize::from(u16::from_be_bytes([high, low])) == bytes.len() =>
        {
            UDP_HEADER_LEN
        }
        _ => return Err(OffloadError::WrongHeaders),
    };
    if !(protocol.header_len()..=bytes.len()).contains(&header_len) {
        return Err(OffloadError::WrongHeaders);
    }
    Ok(header_len)
}

/// A length within a packet whose own length was given in 16 bits.
fn short(len: usize) -> u16 {
    u16::try_from(len).expect("a segment is no longer than its super-frame")
}

impl From<Unclear> for OffloadError {
    fn from(Unclear: Unclear) -> Self {
        OffloadError::WrongHeaders
    }
}

#[cfg(test)]
mod tests;
