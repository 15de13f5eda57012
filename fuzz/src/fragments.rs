//! Frames in pieces, beside a model that keeps one cell per byte.

use crate::epoch;
use arbitrary::{Arbitrary, Unstructured};
use bytes::Bytes;
use lanparty_proto::fragment::{self, Fragment, FragmentError, Reassembler};
use lanparty_proto::{DatagramBudget, Header, PeerId, RoomId};
use std::time::{Duration, Instant};

/// What comes later has nothing new to find, and takes time to get to.
const MAX_STEPS: usize = 60;

#[derive(Arbitrary, Debug)]
enum Step {
    /// Time passes, in steps that meet the deadline exactly.
    Wait { steps: u8 },
    /// What follows a header comes as it is.
    Body { bytes: Vec<u8> },
    /// A piece comes that joins, overlaps or misses its neighbours by a few bytes.
    Piece {
        frame_id: u8,
        place: u8,
        len: u8,
        total: u8,
        fill: bool,
    },
    /// A frame is cut as we do it, and its pieces come from the given one on, all but `lost`.
    Frame {
        frame_id: u8,
        len: u16,
        budget: u16,
        first: u8,
        lost: Option<u8>,
    },
    /// Many frames begin, none ends.
    Flood { frames: u8 },
}

/// Pieces in any order and at any time give what the model gives: the frame, nothing or the same error.
pub fn fragments(data: &[u8]) {
    let mut input = Unstructured::new(data);
    let mut pair = Pair {
        now: epoch(),
        real: Reassembler::default(),
        model: Vec::new(),
        lost: 0,
    };
    for _ in 0..MAX_STEPS {
        match Step::arbitrary(&mut input) {
            Ok(step) if !input.is_empty() => pair.take(step),
            Ok(_) | Err(_) => return,
        }
    }
}

struct Pair {
    now: Instant,
    real: Reassembler,
    model: Vec<Frame>,
    lost: u64,
}

/// A frame under way: its bytes as far as they are known, and the pieces that brought them.
struct Frame {
    frame_id: u16,
    begun: Instant,
    bytes: Vec<Option<u8>>,
    pieces: Vec<(usize, usize)>,
}

impl Pair {
    fn take(&mut self, step: Step) {
        match step {
            Step::Wait { steps } => self.wait(u64::from(steps % 27) * 20),
            Step::Body { bytes } => self.insert(&bytes),
            Step::Piece {
                frame_id,
                place,
                len,
                total,
                fill,
            } => {
                let offset = u16::from(place % 40) * 40;
                let total = [60, 200, 640, 1518][usize::from(total % 4)];
                let piece = vec![fill.into(); usize::from(36 + len % 9)];
                self.insert(&body((frame_id % 4).into(), offset, total, &piece));
            }
            Step::Frame {
                frame_id,
                len,
                budget,
                first,
                lost,
            } => self.send((frame_id % 4).into(), len, budget, first.into(), lost),
            Step::Flood { frames } => {
                // A few more than there may be.
                for frame_id in 0x100..0x100 + u16::from(frames % 70) {
                    self.insert(&body(frame_id, 0, 60, &[1; 30]));
                }
            }
        }
    }

    fn wait(&mut self, milliseconds: u64) {
        self.now += Duration::from_millis(milliseconds);
        self.real.expire(self.now);
        self.expire_model();
        self.compare();
    }

    fn send(&mut self, frame_id: u16, len: u16, budget: u16, first: usize, lost: Option<u8>) {
        let frame: Vec<u8> = (0..14 + len % 1505).map(|at| (at % 251) as u8).collect();
        let budget = DatagramBudget::new(512 + budget % 1100).expect("512 is the least");
        let pieces: Vec<Bytes> = fragment::cut(header(), frame_id, &frame, budget).collect();
        assert!(pieces.len() <= fragment::MAX_PIECES);
        assert!(pieces.iter().all(|piece| piece.len() <= budget.bytes()));
        let mut whole = Vec::new();
        for at in 0..pieces.len() {
            let (decoded, body) = Header::decode(&pieces[at]).expect("we cut it ourselves");
            assert!(decoded.fragment);
            whole.extend_from_slice(Fragment::decode(body).expect("we cut it ourselves").piece);
            let at = (first + at) % pieces.len();
            if lost.map(usize::from) != Some(at) {
                let (_, body) = Header::decode(&pieces[at]).expect("we cut it ourselves");
                self.insert(body);
            }
        }
        assert_eq!(whole, frame);
    }

    fn insert(&mut self, body: &[u8]) {
        let decoded = Fragment::decode(body);
        assert_eq!(decoded.is_ok(), is_possible(body));
        let Ok(fragment) = decoded else {
            return;
        };
        assert_eq!(
            self::body(
                fragment.frame_id,
                fragment.offset,
                fragment.total,
                fragment.piece
            ),
            body
        );
        self.expire_model();
        let expected = self.insert_into_model(fragment);
        assert_eq!(self.real.insert(self.now, fragment), expected);
        self.compare();
    }

    fn compare(&mut self) {
        assert_eq!(self.real.take_lost(), std::mem::take(&mut self.lost));
        let oldest = self.model.iter().map(|frame| frame.begun).min();
        assert_eq!(
            self.real.poll_timeout(),
            oldest.map(|begun| begun + fragment::MAX_AGE)
        );
    }

    fn expire_model(&mut self) {
        let before = self.model.len();
        self.model
            .retain(|frame| self.now - frame.begun < fragment::MAX_AGE);
        self.lost += (before - self.model.len()) as u64;
    }

    fn insert_into_model(
        &mut self,
        fragment: Fragment<'_>,
    ) -> Result<Option<Bytes>, FragmentError> {
        let found = self
            .model
            .iter()
            .position(|frame| frame.frame_id == fragment.frame_id);
        let mut frame = match found {
            Some(at) => self.model.remove(at),
            None => self.begin(fragment),
        };
        frame.add(fragment)?;
        if let Some(bytes) = frame.bytes.iter().copied().collect::<Option<Vec<u8>>>() {
            return Ok(Some(bytes.into()));
        }
        self.model.insert(found.unwrap_or(self.model.len()), frame);
        Ok(None)
    }

    fn begin(&mut self, fragment: Fragment<'_>) -> Frame {
        if self.model.len() == fragment::MAX_FRAMES {
            self.model.remove(0);
            self.lost += 1;
        }
        Frame {
            frame_id: fragment.frame_id,
            begun: self.now,
            bytes: vec![None; fragment.total.into()],
            pieces: Vec::new(),
        }
    }
}

impl Frame {
    fn add(&mut self, fragment: Fragment<'_>) -> Result<(), FragmentError> {
        if usize::from(fragment.total) != self.bytes.len() {
            return Err(FragmentError::Contradiction);
        }
        let start = usize::from(fragment.offset);
        let place = (start, start + fragment.piece.len());
        let cells = &mut self.bytes[place.0..place.1];
        if cells.iter().any(Option::is_some) {
            let again = self.pieces.contains(&place);
            let same = cells
                .iter()
                .zip(fragment.piece)
                .all(|(a, b)| *a == Some(*b));
            return match again && same {
                true => Ok(()),
                false => Err(FragmentError::Overlap),
            };
        }
        if self.pieces.len() == fragment::MAX_PIECES {
            return Err(FragmentError::TooManyPieces);
        }
        for (cell, byte) in cells.iter_mut().zip(fragment.piece) {
            *cell = Some(*byte);
        }
        self.pieces.push(place);
        Ok(())
    }
}

fn is_possible(body: &[u8]) -> bool {
    let number = |at: usize| usize::from(u16::from_be_bytes([body[at], body[at + 1]]));
    body.len() > 6 && (14..=1518).contains(&number(4)) && number(2) + body.len() - 6 <= number(4)
}

fn body(frame_id: u16, offset: u16, total: u16, piece: &[u8]) -> Vec<u8> {
    let numbers = [frame_id, offset, total].map(u16::to_be_bytes);
    [&numbers.concat()[..], piece].concat()
}

fn header() -> Header {
    Header {
        peer: PeerId::new(7).expect("7 is not reserved"),
        room: RoomId::new(9).expect("9 is not reserved"),
        fragment: false,
    }
}
