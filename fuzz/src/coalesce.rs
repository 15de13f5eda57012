//! Frames of a turn, joined to super-frames.

use crate::offload::{SuperFrame, finish};
use arbitrary::{Arbitrary, Unstructured};
use lanparty_proto::coalesce::{Coalescer, MAX_SEGMENTS};
use lanparty_proto::offload::VnetHeader;
use std::ptr;

#[derive(Arbitrary, Debug)]
enum Part {
    Raw(Vec<u8>),
    Stream(SuperFrame),
    /// Bytes of a frame before this one become others.
    Damage {
        back: u8,
        at: u16,
        xor: u8,
    },
    /// The frame so far back comes again.
    Again(u8),
}

/// Whatever comes in a turn, each frame goes out once, and a super-frame splits into the frames of which it
/// was made, byte for byte.
pub fn coalesce(data: &[u8]) {
    let Ok(parts) = Vec::<Part>::arbitrary_take_rest(Unstructured::new(data)) else {
        return;
    };
    let frames = turn(&parts);
    let (mut coalescer, mut gone) = (Coalescer::default(), vec![false; frames.len()]);
    for joined in coalescer.join(&frames) {
        let bytes: Vec<u8> = joined.pieces().flatten().copied().collect();
        let made_of: Vec<_> = joined.frames().collect();
        assert!((1..=MAX_SEGMENTS).contains(&made_of.len()));
        for frame in &made_of {
            let index = frames.iter().position(|known| ptr::eq(known, *frame));
            let index = index.expect("frames of this turn");
            assert!(!std::mem::replace(&mut gone[index], true));
        }
        if let [alone] = made_of[..] {
            assert_eq!(bytes, *alone);
            assert_eq!(joined.header(), VnetHeader::default());
        } else {
            let split = finish(joined.header(), &bytes).expect("what was joined can be split");
            assert!(split.iter().eq(made_of.iter().copied()));
            made_of
                .windows(2)
                .for_each(|pair| assert_follows(pair[0], pair[1]));
        }
    }
    assert!(gone.iter().all(|gone| *gone));
}

/// What a player would feel is never joined across: the end of a message, of a stream, or a gap; nor a datagram to many.
fn assert_follows(first: &[u8], second: &[u8]) {
    const FIN_SYN_RST_PSH_URG: u8 = 0x2f;
    if let (Some(one), Some(two)) = (udp(first), udp(second)) {
        assert_eq!(first[0] & 1, 0);
        assert_eq!(one.ports, two.ports);
        assert!(one.payload >= two.payload && two.payload > 0);
        return;
    }
    let (one, two) = (tcp(first), tcp(second));
    assert_eq!(one.flags & FIN_SYN_RST_PSH_URG, 0);
    assert_eq!(one.ports, two.ports);
    assert_eq!(one.sequence.wrapping_add(one.payload), two.sequence);
}

struct Tcp {
    ports: [u8; 4],
    sequence: u32,
    flags: u8,
    payload: u32,
}

struct Udp {
    ports: [u8; 4],
    payload: usize,
}

fn udp(frame: &[u8]) -> Option<Udp> {
    let parsed = etherparse::SlicedPacket::from_ethernet(frame).expect("whole headers");
    match parsed.transport {
        Some(etherparse::TransportSlice::Udp(udp)) => Some(Udp {
            ports: udp.slice()[..4].try_into().expect("four bytes"),
            payload: udp.payload().len(),
        }),
        _ => None,
    }
}

fn tcp(frame: &[u8]) -> Tcp {
    let parsed = etherparse::SlicedPacket::from_ethernet(frame).expect("whole headers");
    let tcp = match parsed.transport {
        Some(etherparse::TransportSlice::Tcp(tcp)) => Some(tcp),
        _ => None,
    };
    let tcp = tcp.expect("only TCP and UDP are joined");
    let head = tcp.slice();
    Tcp {
        ports: head[..4].try_into().expect("four bytes"),
        sequence: tcp.sequence_number(),
        flags: head[13],
        payload: tcp.payload().len() as u32,
    }
}

/// As many frames as a turn has.
fn turn(parts: &[Part]) -> Vec<Vec<u8>> {
    let mut frames: Vec<Vec<u8>> = Vec::new();
    for part in parts {
        let earlier = |back: u8| frames.len().checked_sub(1 + usize::from(back));
        match part {
            Part::Raw(frame) => frames.push(frame.clone()),
            Part::Stream(stream) => {
                let (header, frame) = stream.offered();
                frames.extend(finish(header, &frame).unwrap_or_default());
            }
            Part::Damage { back, at, xor } => {
                if let Some(index) = earlier(*back)
                    && let Some(byte) = frames[index].get_mut(usize::from(*at))
                {
                    *byte ^= xor;
                }
            }
            Part::Again(back) => frames.extend(earlier(*back).map(|index| frames[index].clone())),
        }
        frames.truncate(256);
    }
    frames
}
