//! From a turn's frames to super-frames that one system call hands to a network stack: the mirror
//! of [`crate::offload`].
//!
//! The rules are those of Linux's GRO (`tcp_gro_receive`), and where it is lenient ours are strict:
//! [`wire_frames`](crate::offload::wire_frames) of a super-frame gives back its frames, byte for
//! byte. So two segments join when they follow each other in sequence, agree in every other header
//! field but the ones that count on, and none but the last carries PSH or FIN or is shorter. A
//! segment's checksum is verified before it joins, because the stack will not verify it again.
//!
//! UDP datagrams of one flow and one length join too, and who listens gets them one by one all the
//! same. Those to everybody or to a group stay alone: raw sockets wait for some of them, such as a
//! lease's, and would see a train.
//!
//! Nothing waits: what has come in one turn is joined as far as it goes. Frames of one TCP or UDP
//! flow stay in order, and so do all others among each other; a packet that may be of any flow is
//! passed by none.
//!
//! ```
//! # use lanparty_proto::coalesce::Coalescer;
//! # let (frames, mut coalescer) = (vec![vec![0; 60]], Coalescer::default());
//! for joined in coalescer.join(&frames) {
//!     let bytes: Vec<u8> = joined.pieces().flatten().copied().collect();
//!     println!("{:?} and {} bytes", joined.header(), bytes.len());
//! }
//! ```

use crate::checksum::Sum;
use crate::ethernet::{self, ether_type};
use crate::ip::{IPV4_HEADER_LEN, IPV6_HEADER_LEN, TCP, UDP};
use crate::offload::{Family, Transport, UDP_HEADER_LEN, VnetHeader, put_u16};

/// How many frames a super-frame is made of at most.
pub const MAX_SEGMENTS: usize = 64;

/// The longest IP packet (RFC 791 §3.1); a longer one over IPv6 would be a jumbogram.
const MAX_PACKET: usize = 65535;
/// How many flows are followed at once; with more, the one that was silent for longest ends its
/// super-frame.
const MAX_OPEN: usize = 8;
/// Ethernet, IPv6, and TCP with all options that it can have.
const MAX_HEADERS: usize = ethernet::HEADER_LEN + IPV6_HEADER_LEN + 60;
const IP: usize = ethernet::HEADER_LEN;

const FIN: u8 = 0x01;
const PSH: u8 = 0x08;
const ACK: u8 = 0x10;
const ECE: u8 = 0x40;

/// Joins frames. It keeps nothing from one turn to the next but memory.
#[derive(Debug, Default)]
pub struct Coalescer {
    /// UDP stays as it came.
    only_tcp: bool,
    groups: Vec<Group>,
    /// For each frame the next one of its group, if it has one.
    next: Vec<usize>,
    /// Groups that may still grow, each of another flow.
    open: Vec<usize>,
}

/// Frames that become one, or one that stays alone.
#[derive(Debug, Clone, Copy)]
struct Group {
    first: usize,
    last: usize,
    count: usize,
    /// How long the joined frame is.
    len: usize,
    /// Where things stand in the first frame; for a frame that is no TCP segment, nothing.
    segment: Option<Segment>,
}

impl Coalescer {
    /// Leaves UDP alone from now on, for a stack that cannot cut it.
    pub fn join_only_tcp(&mut self) {
        self.only_tcp = true;
    }

    /// Joins what can be joined, in the order of the super-frames' first frames.
    pub fn join<'a, F: AsRef<[u8]>>(
        &'a mut self,
        frames: &'a [F],
    ) -> impl ExactSizeIterator<Item = SuperFrame<'a, F>> {
        self.groups.clear();
        self.open.clear();
        self.next.clear();
        self.next.resize(frames.len(), 0);
        for index in 0..frames.len() {
            self.place(frames, index);
        }
        let next = &self.next;
        self.groups
            .iter()
            .map(move |group| SuperFrame::new(frames, next, *group))
    }

    /// Adds a frame to the group that it continues, or begins another.
    fn place<F: AsRef<[u8]>>(&mut self, frames: &[F], index: usize) {
        let frame = frames[index].as_ref();
        let segment = Segment::find(frame);
        match segment {
            Some(segment) if self.continue_flow(frames, index, segment) => return,
            None if may_be_of_any_flow(frame) => self.open.clear(),
            Some(_) | None => {}
        }
        let joins = |segment: &Segment| !self.only_tcp || segment.protocol == Transport::Tcp;
        if segment.is_some_and(|segment| joins(&segment) && segment.may_begin(frame)) {
            if self.open.len() == MAX_OPEN {
                self.open.remove(0);
            }
            self.open.push(self.groups.len());
        }
        self.groups.push(Group {
            first: index,
            last: index,
            count: 1,
            len: frame.len(),
            segment,
        });
    }

    /// Adds a segment to its flow's open group; one that does not fit closes that.
    fn continue_flow<F: AsRef<[u8]>>(
        &mut self,
        frames: &[F],
        index: usize,
        segment: Segment,
    ) -> bool {
        let frame = frames[index].as_ref();
        let first_of = |group: &Group| frames[group.first].as_ref();
        let groups = &mut self.groups;
        let Some(at) = self.open.iter().position(|&open| {
            let group = &groups[open];
            let is_alike = |lead: Segment| lead.protocol == segment.protocol;
            group.segment.is_some_and(is_alike) && segment.is_same_flow(frame, first_of(group))
        }) else {
            return false;
        };
        let open = self.open.remove(at);
        let group = &mut groups[open];
        let fits = group.takes(first_of(group), segment, frame);
        if fits {
            self.next[group.last] = index;
            group.last = index;
            group.count += 1;
            group.len += segment.payload_len;
        }
        if fits && !group.ends_with(segment, frame) {
            self.open.push(open);
        }
        fits
    }
}

impl Group {
    /// True when a segment of the same flow continues this group, whose first frame is `first`.
    fn takes(&self, first: &[u8], segment: Segment, frame: &[u8]) -> bool {
        let Some(lead) = self.segment else {
            return false;
        };
        let sent = self.len - lead.payload;
        segment.payload == lead.payload
            && segment.is_unpadded(frame)
            && (1..=lead.payload_len).contains(&segment.payload_len)
            && self.count < MAX_SEGMENTS
            && self.len - IP + segment.payload_len <= MAX_PACKET
            && lead.ip_continues(first, frame, self.count)
            && lead.upper_continues(first, frame, sent)
            && (self.count > 1 || lead.is_sound(first))
            && segment.is_sound(frame)
    }

    /// True when nothing may follow this last segment.
    fn ends_with(&self, segment: Segment, frame: &[u8]) -> bool {
        let is_shorter = self
            .segment
            .is_none_or(|lead| segment.payload_len < lead.payload_len);
        is_shorter || segment.flags(frame) & (PSH | FIN) != 0
    }
}

/// A TCP segment or UDP datagram in a plain IP packet, whole and without IP options. Offsets are
/// from the start of the frame and lie inside it.
#[derive(Debug, Clone, Copy)]
struct Segment {
    family: Family,
    protocol: Transport,
    /// Where TCP's or UDP's header begins.
    transport: usize,
    payload: usize,
    payload_len: usize,
}

impl Segment {
    fn find(frame: &[u8]) -> Option<Self> {
        let packet = frame.get(IP..)?;
        let (family, header_len, packet_len, protocol) = match (ether_type_of(frame), packet) {
            // Version and header length, type of service, length, number, fragment.
            (ether_type::IPV4, &[0x45, _, high, low, _, _, fragment, 0, _, protocol, ..])
                if fragment & !DONT_FRAGMENT == 0 =>
            {
                let len = usize::from(u16::from_be_bytes([high, low]));
                (Family::V4, IPV4_HEADER_LEN, len, protocol)
            }
            // Version, class and label, length, next header.
            (ether_type::IPV6, &[0x60..=0x6f, _, _, _, high, low, protocol, ..]) => {
                let len = usize::from(u16::from_be_bytes([high, low]));
                (Family::V6, IPV6_HEADER_LEN, IPV6_HEADER_LEN + len, protocol)
            }
            _ => return None,
        };
        let upper = packet.get(header_len..packet_len)?;
        let (protocol, upper_header_len) = match protocol {
            TCP => (Transport::Tcp, usize::from(upper.get(12)? >> 4) * 4),
            UDP if upper.len() == usize::from(read_u16(upper.get(4..6)?, 0)) => {
                (Transport::Udp, UDP_HEADER_LEN)
            }
            _ => return None,
        };
        if !(protocol.header_len()..=upper.len()).contains(&upper_header_len) {
            return None;
        }
        let transport = IP + header_len;
        Some(Segment {
            family,
            protocol,
            transport,
            payload: transport + upper_header_len,
            payload_len: upper.len() - upper_header_len,
        })
    }

    /// TCP's flags. A datagram is like a segment that begins and ends nothing.
    fn flags(&self, frame: &[u8]) -> u8 {
        match self.protocol {
            Transport::Tcp => frame[self.transport + 13],
            Transport::Udp => ACK,
        }
    }

    /// False when an Ethernet frame was filled up, which no segment of a super-frame is.
    fn is_unpadded(&self, frame: &[u8]) -> bool {
        frame.len() == self.payload + self.payload_len
    }

    /// True for a segment that others may follow.
    fn may_begin(&self, frame: &[u8]) -> bool {
        let is_for_one = self.protocol == Transport::Tcp || frame[0] & 1 == 0;
        let is_plain = self.flags(frame) & !ECE == ACK;
        self.payload_len > 0 && self.is_unpadded(frame) && is_plain && is_for_one
    }

    /// True when MACs, addresses and ports are those of another segment of the same protocol.
    fn is_same_flow(&self, frame: &[u8], other: &[u8]) -> bool {
        // Both families have their addresses at the end of the header, and the ports follow.
        let addresses = match self.family {
            Family::V4 => self.transport - 8,
            Family::V6 => self.transport - 32,
        };
        frame[..IP] == other[..IP]
            && frame[addresses..self.transport + 4] == other[addresses..self.transport + 4]
    }

    /// True when the IP header is that of this segment, but for its length and, over IPv4, its
    /// number and checksum.
    fn ip_continues(&self, first: &[u8], frame: &[u8], number: usize) -> bool {
        match self.family {
            Family::V4 => {
                let id = read_u16(first, IP + 4).wrapping_add(number as u16);
                first[IP..IP + 2] == frame[IP..IP + 2]
                    && read_u16(frame, IP + 4) == id
                    && first[IP + 6..IP + 10] == frame[IP + 6..IP + 10]
            }
            Family::V6 => {
                first[IP..IP + 4] == frame[IP..IP + 4]
                    && first[IP + 6..IP + 8] == frame[IP + 6..IP + 8]
            }
        }
    }

    /// True when a header of the same length is that of this segment, `sent` bytes later.
    fn upper_continues(&self, first: &[u8], frame: &[u8], sent: usize) -> bool {
        match self.protocol {
            Transport::Tcp => self.tcp_continues(first, frame, sent),
            // Besides the ports it holds what is each datagram's own.
            Transport::Udp => true,
        }
    }

    fn tcp_continues(&self, first: &[u8], frame: &[u8], sent: usize) -> bool {
        let first = &first[self.transport..self.payload];
        let next = &frame[self.transport..self.payload];
        sequence(next) == sequence(first).wrapping_add(sent as u32)
            && first[8..13] == next[8..13]
            && first[13] == next[13] & !(PSH | FIN)
            && first[14..16] == next[14..16]
            && first[18..] == next[18..]
    }

    /// True when the checksums are right, and written as [`crate::offload`] would write them: both
    /// have a value that can be written in two ways. UDP without a checksum is left alone with that.
    fn is_sound(&self, frame: &[u8]) -> bool {
        let ip_is_sound = self.family == Family::V6
            || (read_u16(frame, IP + 10) != 0xffff
                && Sum::of(&frame[IP..self.transport]).checksum() == 0);
        let upper = &frame[self.transport..];
        let protocol = self.protocol.number();
        let mut sum = self.family.pseudo_header(frame, protocol, upper.len());
        sum += Sum::of(upper);
        ip_is_sound && read_u16(upper, self.protocol.checksum_at()) != 0 && sum.checksum() == 0
    }
}

/// In the upper byte of IPv4's fragment field (RFC 791 §3.1).
const DONT_FRAGMENT: u8 = 0x40;

/// True for an IP packet that is neither a plain TCP segment nor a plain UDP datagram: a fragment,
/// one with options or extension headers, a message about some flow.
fn may_be_of_any_flow(frame: &[u8]) -> bool {
    matches!(ether_type_of(frame), ether_type::IPV4 | ether_type::IPV6)
}

fn ether_type_of(frame: &[u8]) -> u16 {
    match frame.get(12..14) {
        Some(bytes) => read_u16(bytes, 0),
        None => 0,
    }
}

fn read_u16(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

fn sequence(tcp: &[u8]) -> u32 {
    u32::from_be_bytes([tcp[4], tcp[5], tcp[6], tcp[7]])
}

/// Frames joined into one, or one frame as it came.
#[derive(Debug)]
pub struct SuperFrame<'a, F> {
    frames: &'a [F],
    next: &'a [usize],
    group: Group,
    header: VnetHeader,
    /// Its own headers; a frame alone has kept those that it came with, and none are here.
    headers: [u8; MAX_HEADERS],
    headers_len: usize,
}

impl<'a, F: AsRef<[u8]>> SuperFrame<'a, F> {
    fn new(frames: &'a [F], next: &'a [usize], group: Group) -> Self {
        let mut joined = SuperFrame {
            frames,
            next,
            group,
            header: VnetHeader::default(),
            headers: [0; MAX_HEADERS],
            headers_len: 0,
        };
        if let (2.., Some(lead)) = (group.count, group.segment) {
            joined.write_headers(lead);
        }
        joined
    }

    /// What to write before it.
    pub fn header(&self) -> VnetHeader {
        self.header
    }

    /// The frames that it is made of, in order.
    pub fn frames(&self) -> impl ExactSizeIterator<Item = &'a F> + use<'a, F> {
        let (frames, next) = (self.frames, self.next);
        let mut at = self.group.first;
        (0..self.group.count).map(move |_| {
            let frame = &frames[at];
            at = next[at];
            frame
        })
    }

    /// Its bytes, in at most [`MAX_SEGMENTS`] pieces and one.
    pub fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        let headers = &self.headers[..self.headers_len];
        let payloads = self
            .frames()
            .map(|frame| &frame.as_ref()[self.headers_len..]);
        std::iter::once(headers)
            .filter(|headers| !headers.is_empty())
            .chain(payloads)
    }

    /// The first frame's headers, for all of it: the flags of the last one, lengths, and a sum of the
    /// pseudo header that the stack completes.
    fn write_headers(&mut self, lead: Segment) {
        let Group {
            first, last, len, ..
        } = self.group;
        let last = self.frames[last].as_ref();
        self.headers_len = lead.payload;
        let headers = &mut self.headers[..lead.payload];
        headers.copy_from_slice(&self.frames[first].as_ref()[..lead.payload]);
        let upper_len = len - lead.transport;
        match lead.protocol {
            Transport::Tcp => headers[lead.transport + 13] = lead.flags(last),
            Transport::Udp => put_u16(headers, lead.transport + 4, short(upper_len)),
        }
        match lead.family {
            Family::V4 => {
                put_u16(headers, IP + 2, short(len - IP));
                put_u16(headers, IP + 10, 0);
                let sum = Sum::of(&headers[IP..lead.transport]);
                put_u16(headers, IP + 10, sum.checksum());
            }
            Family::V6 => put_u16(headers, IP + 4, short(len - IP - IPV6_HEADER_LEN)),
        }
        let (protocol, checksum_at) = (lead.protocol.number(), lead.protocol.checksum_at());
        let pseudo = lead.family.pseudo_header(headers, protocol, upper_len);
        put_u16(headers, lead.transport + checksum_at, pseudo.folded());
        self.header = VnetHeader {
            flags: VnetHeader::NEEDS_CSUM,
            gso_type: match (lead.protocol, lead.family) {
                (Transport::Tcp, Family::V4) => VnetHeader::GSO_TCPV4,
                (Transport::Tcp, Family::V6) => VnetHeader::GSO_TCPV6,
                (Transport::Udp, _) => VnetHeader::GSO_UDP_L4,
            },
            hdr_len: short(lead.payload),
            gso_size: short(lead.payload_len),
            csum_start: short(lead.transport),
            csum_offset: short(checksum_at),
        };
    }
}

/// A length within a packet that is no longer than [`MAX_PACKET`].
fn short(len: usize) -> u16 {
    u16::try_from(len).expect("a group is no longer than a packet may be")
}

#[cfg(test)]
mod tests;
