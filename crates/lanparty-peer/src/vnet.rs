//! What ports with a vnet header share: they read and write super-frames, and hand over and take
//! frames (spec R43).
//!
//! A TAP and a packet socket differ in their system calls only. What was read goes through
//! [`hand_over`]; what is to be written through a [`SuperFrameWriter`].

use bytes::Bytes;
use lanparty_obs::DropReason;
use lanparty_proto::FrameBuf;
use lanparty_proto::coalesce::{Coalescer, MAX_SEGMENTS};
use lanparty_proto::ethernet::{self, MAX_TAGGED_LEN};
use lanparty_proto::frame_buf::FrameSlab;
use lanparty_proto::offload::{self, VnetHeader, wire_frames};
use std::io::{self, IoSlice};

/// Room for the longest read: a vnet header, and a 64 KiB IP packet in a tagged frame.
pub const READ_LEN: usize = offload::HEADER_LEN + ethernet::HEADER_LEN + 4 + 65536;

/// How many frames a port hands over before others get their turn; the last super-frame's are always
/// all handed over.
pub const ENOUGH: usize = 64;

/// Hands over the frames that a wire would have had for what was read, vnet header and all; answers
/// how many.
pub fn hand_over(
    read: &[u8],
    slab: &mut FrameSlab,
    take: &mut dyn FnMut(Result<FrameBuf, DropReason>),
) -> usize {
    let Some((header, frame)) = read.split_first_chunk() else {
        take(Err(DropReason::Runt));
        return 1;
    };
    let Ok(wires) = wire_frames(VnetHeader::decode(*header), frame) else {
        take(Err(DropReason::UnknownOffload));
        return 1;
    };
    let frames = wires.len();
    for wire in wires {
        // Nothing longer can pass the classifier, so it need not be copied.
        let fits = wire.frame_len() <= MAX_TAGGED_LEN;
        take(if fits {
            Ok(wire.write_into(slab))
        } else {
            Err(DropReason::Jumbo)
        });
    }
    frames
}

/// What became of frames for a port.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sent {
    /// How many writes it took, which is less than the frames where several went as one.
    pub writes: u64,
    /// How many frames were not taken.
    pub refused: u64,
    /// How many more this machine itself did not take, where it has a part in what is behind the port.
    pub unheard: u64,
}

/// Joins frames into super-frames and writes them.
#[derive(Debug, Default)]
pub struct SuperFrameWriter {
    coalescer: Coalescer,
    complained: bool,
}

impl SuperFrameWriter {
    /// Writes the frames of one turn with `write`, which takes a vnet header and one frame, in pieces,
    /// or nothing.
    pub fn send(
        &mut self,
        frames: &[Bytes],
        mut write: impl FnMut(&[IoSlice<'_>]) -> io::Result<usize>,
    ) -> Sent {
        let mut sent = Sent::default();
        let mut cuts_no_udp = false;
        for joined in self.coalescer.join(frames) {
            let written = write_pieces(joined.header(), joined.pieces(), &mut write);
            let several = joined.frames().len() > 1;
            match written {
                Err(error) if several && is_not_understood(&error) => {
                    if !std::mem::replace(&mut self.complained, true) {
                        tracing::debug!(%error, "The port refused a super-frame; it gets plain frames");
                    }
                    cuts_no_udp |= joined.header().gso_type == VnetHeader::GSO_UDP_L4;
                    for frame in joined.frames() {
                        let pieces = std::iter::once(&frame[..]);
                        sent.add(write_pieces(VnetHeader::default(), pieces, &mut write), 1);
                    }
                }
                written => sent.add(written, joined.frames().len()),
            }
        }
        // Kernels before 6.2 know no others than TCP's, and would refuse each.
        if cuts_no_udp {
            self.coalescer.join_only_tcp();
        }
        sent
    }
}

impl Sent {
    fn add(&mut self, written: io::Result<usize>, frames: usize) {
        match written {
            Ok(_) => self.writes += 1,
            Err(error) => {
                tracing::trace!(%error, frames, "The port did not take a write");
                self.refused += frames as u64;
            }
        }
    }
}

fn write_pieces<'a>(
    header: VnetHeader,
    pieces: impl Iterator<Item = &'a [u8]>,
    write: &mut impl FnMut(&[IoSlice<'_>]) -> io::Result<usize>,
) -> io::Result<usize> {
    let header = header.encode();
    let mut slices = [IoSlice::new(&header); MAX_SEGMENTS + 2];
    let mut len = 1;
    for (slice, piece) in slices[1..].iter_mut().zip(pieces) {
        *slice = IoSlice::new(piece);
        len += 1;
    }
    write(&slices[..len])
}

/// True when a port says that it does not know what a vnet header asks for.
fn is_not_understood(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_super_frame_that_is_refused_goes_as_plain_frames() {
        let frames = segments();
        let mut writer = SuperFrameWriter::default();
        let mut written = Vec::new();
        let sent = writer.send(&frames, |pieces| {
            written.push(joined(pieces));
            Ok(0)
        });
        assert_eq!(
            (sent, written.len()),
            (
                Sent {
                    writes: 1,
                    refused: 0,
                    ..Sent::default()
                },
                1
            )
        );

        written.clear();
        let sent = writer.send(&frames, |pieces| {
            if pieces.len() > 2 {
                return Err(io::ErrorKind::InvalidInput.into());
            }
            written.push(joined(pieces));
            Ok(0)
        });
        assert_eq!(
            (sent, written),
            (
                Sent {
                    writes: 3,
                    refused: 0,
                    ..Sent::default()
                },
                frames.map(Vec::from).into()
            )
        );
    }

    #[test]
    fn who_refuses_udp_once_is_given_no_more_of_it_joined() {
        let frames = datagrams();
        let mut writer = SuperFrameWriter::default();
        let mut refused = 0;
        for _ in 0..3 {
            let mut written = Vec::new();
            let sent = writer.send(&frames, |pieces| {
                // As kernels before 6.2, for which the type has no meaning.
                if pieces[0][1] == VnetHeader::GSO_UDP_L4 {
                    refused += 1;
                    return Err(io::ErrorKind::InvalidInput.into());
                }
                written.push(joined(pieces));
                Ok(0)
            });
            assert_eq!((sent.writes, sent.refused), (3, 0));
            assert_eq!(written, frames.clone().map(Vec::from));
        }
        assert_eq!(refused, 1);
        // TCP is another matter.
        let sent = writer.send(&segments(), |_| Ok(0));
        assert_eq!(sent.writes, 1);
    }

    #[test]
    fn every_frame_of_a_super_frame_without_room_is_refused() {
        let full = |_: &[IoSlice<'_>]| Err(io::ErrorKind::WouldBlock.into());
        let sent = SuperFrameWriter::default().send(&segments(), full);
        assert_eq!(
            sent,
            Sent {
                writes: 0,
                refused: 3,
                ..Sent::default()
            }
        );
    }

    /// The frame behind the vnet header.
    fn joined(pieces: &[IoSlice<'_>]) -> Vec<u8> {
        pieces[1..]
            .iter()
            .flat_map(|piece| piece.iter().copied())
            .collect()
    }

    /// Three datagrams of one flow and length.
    fn datagrams() -> [Bytes; 3] {
        let mut packet = vec![0x45, 0, 0x0b, 0xd4, 0, 1, 0x40, 0, 64, 17, 0, 0];
        packet.extend([10, 0, 0, 1, 10, 0, 0, 2, 0, 1, 0, 2, 0x0b, 0xc0, 0, 0]);
        packet.resize(28 + 3000, 7);
        let frame = [&[2; 12], &[0x08, 0x00][..], &packet].concat();
        cut(VnetHeader::GSO_UDP_L4, 6, &frame)
    }

    /// Three segments that continue each other.
    fn segments() -> [Bytes; 3] {
        let mut packet = vec![0x45, 0, 0x0b, 0xe0, 0, 1, 0x40, 0, 64, 6, 0, 0];
        packet.extend([10, 0, 0, 1, 10, 0, 0, 2, 0, 1, 0, 2]);
        packet.extend([0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x10, 1, 0, 0, 0, 0, 0]);
        packet.resize(40 + 3000, 7);
        let frame = [&[2; 12], &[0x08, 0x00][..], &packet].concat();
        // The sum of the pseudo header: addresses, protocol, length of TCP.
        let sum = 0x0a00_u16 * 2 + 1 + 2 + 6 + 3020;
        let frame = [&frame[..50], &sum.to_be_bytes(), &frame[52..]].concat();
        cut(VnetHeader::GSO_TCPV4, 16, &frame)
    }

    fn cut(gso_type: u8, csum_offset: u16, frame: &[u8]) -> [Bytes; 3] {
        let header = VnetHeader {
            flags: VnetHeader::NEEDS_CSUM,
            gso_type,
            gso_size: 1000,
            csum_start: 34,
            csum_offset,
            hdr_len: 0,
        };
        let read = [&header.encode()[..], frame].concat();
        let mut frames = Vec::new();
        let mut take = |frame: Result<FrameBuf, _>| {
            frames.push(Bytes::copy_from_slice(frame.unwrap().frame()));
        };
        assert_eq!(hand_over(&read, &mut FrameSlab::default(), &mut take), 3);
        frames.try_into().unwrap()
    }
}
