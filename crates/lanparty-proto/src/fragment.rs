//! Frames in pieces, for paths that cannot take them whole (spec R2).
//!
//! Behind an overlay header with the fragment flag stand six more bytes:
//!
//! ```text
//!  0            16            32            48
//!  +------------+-------------+-------------+------------
//!  |  frame id  |   offset    |    total    | piece …
//!  +------------+-------------+-------------+------------
//! ```
//!
//! All pieces of a frame share its id and its total length; each says where it belongs. Pieces may
//! come in any order and more than once. Two that disagree about a byte kill the frame, because a
//! filter that saw one version must never be followed by a host that sees another.

use crate::ethernet::{self, MAX_TAGGED_LEN};
use crate::mtu::DatagramBudget;
use crate::overlay::{self, Header};
use bytes::{BufMut, Bytes, BytesMut};
use std::collections::VecDeque;
use std::ops::Range;
use std::time::{Duration, Instant};

/// The length of a fragment header, which follows the overlay header.
pub const HEADER_LEN: usize = 6;
/// How many unfinished frames one peer may have under way.
pub const MAX_FRAMES: usize = 64;
/// How many bytes they may occupy together.
pub const MAX_BYTES: usize = 256 * 1024;
/// How long a frame may wait for its last piece.
pub const MAX_AGE: Duration = Duration::from_millis(500);
/// Into how many pieces a frame may be cut; more is abuse.
pub const MAX_PIECES: usize = 16;

// No frame is longer than MAX_TAGGED_LEN, so the limit on frames keeps the limit on bytes.
const _: () = assert!(MAX_FRAMES * MAX_TAGGED_LEN <= MAX_BYTES);
// The smallest budget carries the longest frame.
const _: () = assert!(
    (DatagramBudget::MIN.bytes() - overlay::HEADER_LEN - HEADER_LEN) * MAX_PIECES >= MAX_TAGGED_LEN
);

/// One piece of a frame, as it stands in a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fragment<'a> {
    /// The frame's number at its sender; numbers wrap.
    pub frame_id: u16,
    /// Where the piece begins in the frame, in bytes.
    pub offset: u16,
    /// The whole frame's length, in bytes.
    pub total: u16,
    /// The piece itself.
    pub piece: &'a [u8],
}

/// Why a piece, and the frame it belongs to, cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FragmentError {
    /// Too short, empty, beyond its frame's end, or of a frame that cannot be one.
    #[error("the fragment is malformed")]
    Malformed,
    /// It covers bytes that another piece has brought already.
    #[error("the fragment overlaps another one")]
    Overlap,
    /// It disagrees with an earlier piece about the frame's length.
    #[error("the fragment contradicts an earlier one")]
    Contradiction,
    /// The frame is in more than [`MAX_PIECES`] pieces.
    #[error("the frame is in too many fragments")]
    TooManyPieces,
}

impl<'a> Fragment<'a> {
    /// Reads what follows an overlay header with the fragment flag.
    ///
    /// # Errors
    /// [`FragmentError::Malformed`] when it cannot be a piece of any frame of 14 to 1518 bytes.
    pub fn decode(body: &'a [u8]) -> Result<Self, FragmentError> {
        let Some((&[i0, i1, o0, o1, t0, t1], piece)) = body.split_first_chunk::<HEADER_LEN>()
        else {
            return Err(FragmentError::Malformed);
        };
        let fragment = Fragment {
            frame_id: u16::from_be_bytes([i0, i1]),
            offset: u16::from_be_bytes([o0, o1]),
            total: u16::from_be_bytes([t0, t1]),
            piece,
        };
        let total = usize::from(fragment.total);
        let fits = !piece.is_empty() && fragment.range().end <= total;
        let possible = (ethernet::HEADER_LEN..=MAX_TAGGED_LEN).contains(&total);
        if fits && possible {
            Ok(fragment)
        } else {
            Err(FragmentError::Malformed)
        }
    }

    fn range(&self) -> Range<usize> {
        let start = usize::from(self.offset);
        start..start + self.piece.len()
    }
}

/// Cuts a frame into the datagrams that carry it, none longer than `budget`. The header's fragment
/// flag is set for you.
///
/// # Panics
/// When the frame is longer than [`MAX_TAGGED_LEN`]: jumbo frames are dropped before they get here.
pub fn cut(
    header: Header,
    frame_id: u16,
    frame: &[u8],
    budget: DatagramBudget,
) -> impl Iterator<Item = Bytes> {
    assert!(
        frame.len() <= MAX_TAGGED_LEN,
        "a jumbo frame of {} bytes",
        frame.len()
    );
    let total = u16::try_from(frame.len()).expect("a frame's length fits 16 bits");
    let header = Header {
        fragment: true,
        ..header
    }
    .encode();
    let piece_len = budget.bytes() - overlay::HEADER_LEN - HEADER_LEN;
    (0u16..)
        .step_by(piece_len)
        .zip(frame.chunks(piece_len))
        .map(move |(offset, piece)| {
            let mut datagram =
                BytesMut::with_capacity(overlay::HEADER_LEN + HEADER_LEN + piece.len());
            datagram.put_slice(&header);
            datagram.put_u16(frame_id);
            datagram.put_u16(offset);
            datagram.put_u16(total);
            datagram.put_slice(piece);
            datagram.freeze()
        })
}

/// Puts one peer's fragments together again, within [`MAX_FRAMES`], [`MAX_BYTES`] and [`MAX_AGE`].
#[derive(Debug, Default)]
pub struct Reassembler {
    // Oldest first, so the front is the next to expire and the first to give way.
    partials: VecDeque<Partial>,
    lost: u64,
}

#[derive(Debug)]
struct Partial {
    frame_id: u16,
    deadline: Instant,
    bytes: BytesMut,
    have: Vec<Range<usize>>,
}

impl Reassembler {
    /// Takes a piece; answers the frame when this was its last missing one.
    ///
    /// # Errors
    /// [`FragmentError`] when the piece contradicts what came before; the frame is given up.
    pub fn insert(
        &mut self,
        now: Instant,
        fragment: Fragment<'_>,
    ) -> Result<Option<Bytes>, FragmentError> {
        self.expire(now);
        let found = self
            .partials
            .iter()
            .position(|p| p.frame_id == fragment.frame_id);
        let at = found.unwrap_or_else(|| self.begin(now, fragment));
        match self.partials[at].add(fragment) {
            Ok(false) => Ok(None),
            Ok(true) => Ok(self
                .partials
                .remove(at)
                .map(|partial| partial.bytes.freeze())),
            Err(error) => {
                self.partials.remove(at);
                Err(error)
            }
        }
    }

    /// True when this is a piece that is still missing of a frame that is under way: neither the first that comes
    /// of its frame, nor one that has come before.
    pub fn awaits(&self, now: Instant, fragment: &Fragment<'_>) -> bool {
        let mut partials = self.partials.iter();
        let partial = partials.find(|partial| partial.frame_id == fragment.frame_id);
        partial.is_some_and(|partial| {
            now < partial.deadline && !partial.have.contains(&fragment.range())
        })
    }

    /// When [`Self::expire`] has something to do.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.partials.front().map(|partial| partial.deadline)
    }

    /// Gives up frames that have waited too long.
    pub fn expire(&mut self, now: Instant) {
        while self
            .partials
            .front()
            .is_some_and(|partial| partial.deadline <= now)
        {
            self.give_up_oldest();
        }
    }

    /// How many frames were given up for age or lack of room since the last call.
    pub fn take_lost(&mut self) -> u64 {
        std::mem::take(&mut self.lost)
    }

    fn begin(&mut self, now: Instant, fragment: Fragment<'_>) -> usize {
        if self.partials.len() == MAX_FRAMES {
            self.give_up_oldest();
        }
        self.partials.push_back(Partial {
            frame_id: fragment.frame_id,
            deadline: now + MAX_AGE,
            bytes: BytesMut::zeroed(usize::from(fragment.total)),
            have: Vec::with_capacity(2),
        });
        self.partials.len() - 1
    }

    fn give_up_oldest(&mut self) {
        self.partials.pop_front();
        self.lost += 1;
    }
}

impl Partial {
    /// Puts a piece in its place; true when the frame is whole.
    fn add(&mut self, fragment: Fragment<'_>) -> Result<bool, FragmentError> {
        if usize::from(fragment.total) != self.bytes.len() {
            return Err(FragmentError::Contradiction);
        }
        let range = fragment.range();
        if self.have.contains(&range) {
            let same = self.bytes[range] == *fragment.piece;
            return if same {
                Ok(false)
            } else {
                Err(FragmentError::Overlap)
            };
        }
        if self
            .have
            .iter()
            .any(|have| have.start < range.end && range.start < have.end)
        {
            return Err(FragmentError::Overlap);
        }
        if self.have.len() == MAX_PIECES {
            return Err(FragmentError::TooManyPieces);
        }
        self.bytes[range.clone()].copy_from_slice(fragment.piece);
        self.have.push(range);
        // Pieces never overlap, so their lengths add up to the frame exactly when it is whole.
        Ok(self.have.iter().map(Range::len).sum::<usize>() == self.bytes.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{PeerId, RoomId};
    use proptest::prelude::*;

    fn header() -> Header {
        Header {
            peer: PeerId::new(7).unwrap(),
            room: RoomId::new(9).unwrap(),
            fragment: false,
        }
    }

    fn frame(len: usize) -> Vec<u8> {
        (0..len).map(|i| (i * 7 % 251) as u8).collect()
    }

    fn insert(
        into: &mut Reassembler,
        now: Instant,
        datagram: &[u8],
    ) -> Result<Option<Bytes>, FragmentError> {
        let (header, body) = Header::decode(datagram).unwrap();
        assert!(header.fragment);
        into.insert(now, Fragment::decode(body)?)
    }

    fn piece(frame_id: u16, offset: u16, total: u16, piece: &[u8]) -> Fragment<'_> {
        Fragment {
            frame_id,
            offset,
            total,
            piece,
        }
    }

    #[test]
    fn a_piece_is_awaited_until_it_or_its_frames_end_has_come() {
        let (now, mut reassembler) = (Instant::now(), Reassembler::default());
        let pieces = [[1; 20], [2; 20]];
        let [first, second] =
            [(0, &pieces[0]), (20, &pieces[1])].map(|(at, bytes)| piece(7, at, 60, bytes));
        assert!(!reassembler.awaits(now, &first), "its frame is new");
        reassembler.insert(now, first).unwrap();
        assert!(!reassembler.awaits(now, &first), "it is there");
        assert!(reassembler.awaits(now, &second));
        assert!(!reassembler.awaits(now + MAX_AGE, &second), "too late");
    }

    #[test]
    fn a_fragment_has_these_bytes() {
        let budget = DatagramBudget::new(512).unwrap();
        let datagrams: Vec<_> = cut(header(), 0x0102, &frame(600), budget).collect();
        assert_eq!(datagrams.len(), 2);
        assert_eq!(datagrams[0].len(), 512);
        assert_eq!(
            datagrams[1][..14],
            [
                0x11, 0x01, 0x00, 0x07, 0x00, 0x00, 0x00,
                0x09, // overlay header, fragment flag
                0x01, 0x02, // frame id
                0x01, 0xf2, // offset 498: 512 − 8 − 6
                0x02, 0x58, // total 600
            ]
        );
        assert_eq!(datagrams[1].len(), 14 + 102);
    }

    #[test]
    fn what_cannot_be_a_piece_is_malformed() {
        let decode = |offset: u16, total: u16, len: usize| {
            let mut body = vec![0, 1];
            body.extend(offset.to_be_bytes());
            body.extend(total.to_be_bytes());
            body.resize(6 + len, 0);
            Fragment::decode(&body).map(|_| ())
        };
        assert_eq!(decode(0, 1518, 100), Ok(()));
        assert_eq!(
            decode(0, 1519, 100),
            Err(FragmentError::Malformed),
            "a jumbo frame"
        );
        assert_eq!(decode(0, 13, 13), Err(FragmentError::Malformed), "a runt");
        assert_eq!(
            decode(0, 100, 0),
            Err(FragmentError::Malformed),
            "an empty piece"
        );
        assert_eq!(
            decode(99, 100, 2),
            Err(FragmentError::Malformed),
            "beyond the end"
        );
        assert_eq!(decode(65535, 100, 1), Err(FragmentError::Malformed));
        assert_eq!(Fragment::decode(&[0; 5]), Err(FragmentError::Malformed));
    }

    #[test]
    fn a_repeated_piece_changes_nothing_but_a_different_one_kills_the_frame() {
        let now = Instant::now();
        let mut reassembler = Reassembler::default();
        assert_eq!(reassembler.insert(now, piece(1, 0, 20, &[1; 10])), Ok(None));
        assert_eq!(reassembler.insert(now, piece(1, 0, 20, &[1; 10])), Ok(None));
        assert_eq!(
            reassembler.insert(now, piece(1, 0, 20, &[2; 10])),
            Err(FragmentError::Overlap)
        );
        assert_eq!(
            reassembler.insert(now, piece(1, 10, 20, &[1; 10])),
            Ok(None),
            "a new frame"
        );
    }

    #[test]
    fn overlap_contradiction_and_confetti_are_refused() {
        let now = Instant::now();
        let mut reassembler = Reassembler::default();
        reassembler.insert(now, piece(1, 0, 40, &[0; 10])).unwrap();
        assert_eq!(
            reassembler.insert(now, piece(1, 9, 40, &[0; 10])),
            Err(FragmentError::Overlap)
        );
        reassembler.insert(now, piece(2, 0, 40, &[0; 10])).unwrap();
        assert_eq!(
            reassembler.insert(now, piece(2, 10, 41, &[0; 10])),
            Err(FragmentError::Contradiction)
        );
        let confetti = (0..40)
            .map(|at| reassembler.insert(now, piece(3, at, 40, &[0])))
            .find(Result::is_err);
        assert_eq!(confetti, Some(Err(FragmentError::TooManyPieces)));
    }

    #[test]
    fn a_frame_waits_half_a_second_and_is_counted_when_it_dies() {
        let now = Instant::now();
        let mut reassembler = Reassembler::default();
        reassembler.insert(now, piece(1, 0, 20, &[0; 10])).unwrap();
        assert_eq!(reassembler.poll_timeout(), Some(now + MAX_AGE));
        reassembler.expire(now + MAX_AGE - Duration::from_millis(1));
        assert_eq!(reassembler.take_lost(), 0);
        reassembler.expire(now + MAX_AGE);
        assert_eq!(
            (reassembler.take_lost(), reassembler.poll_timeout()),
            (1, None)
        );
    }

    #[test]
    fn the_oldest_of_too_many_frames_gives_way() {
        let now = Instant::now();
        let mut reassembler = Reassembler::default();
        for id in 0..=64 {
            reassembler.insert(now, piece(id, 0, 20, &[0; 10])).unwrap();
        }
        assert_eq!(
            (reassembler.partials.len(), reassembler.take_lost()),
            (MAX_FRAMES, 1)
        );
        let last = reassembler.insert(now, piece(64, 10, 20, &[0; 10]));
        assert!(last.unwrap().is_some());
    }

    proptest! {
        #[test]
        fn any_frame_in_any_order_and_twice_comes_out_once_and_whole(
            len in 14..=1518usize,
            budget in 512..1500u16,
            order in any::<prop::sample::Index>(),
            twice: bool,
        ) {
            let now = Instant::now();
            let frame = frame(len);
            let budget = DatagramBudget::new(budget).unwrap();
            let mut datagrams: Vec<_> = cut(header(), 5, &frame, budget).collect();
            prop_assert!(datagrams.iter().all(|datagram| datagram.len() <= budget.bytes()));
            let middle = order.index(datagrams.len());
            datagrams.rotate_left(middle);
            let mut reassembler = Reassembler::default();
            let last = datagrams.pop().unwrap();
            for datagram in &datagrams {
                for _ in 0..=usize::from(twice) {
                    prop_assert_eq!(insert(&mut reassembler, now, datagram), Ok(None));
                }
            }
            prop_assert_eq!(insert(&mut reassembler, now, &last), Ok(Some(Bytes::from(frame))));
        }

        #[test]
        fn hostile_fragments_stay_within_the_limits(
            pieces in prop::collection::vec((0..200u16, 0..1600u16, 0..1600u16, 0..100usize), 0..300)
        ) {
            let now = Instant::now();
            let mut reassembler = Reassembler::default();
            for (id, offset, total, len) in pieces {
                let mut body = [id, offset, total].map(u16::to_be_bytes).concat();
                body.resize(6 + len, 0);
                if let Ok(fragment) = Fragment::decode(&body) {
                    let _ = reassembler.insert(now, fragment);
                }
                prop_assert!(reassembler.partials.len() <= MAX_FRAMES);
                prop_assert!(reassembler.partials.iter().map(|p| p.bytes.capacity()).sum::<usize>() <= MAX_BYTES);
            }
        }
    }
}
