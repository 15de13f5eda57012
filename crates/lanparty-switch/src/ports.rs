//! What one peer may say: whose frames they are, which of their pieces wait, and what is left of its
//! allowance.

use crate::judge::Speaker;
use crate::rates::{Allowance, Cost, LanAllowance, PlayerAllowance, Rates};
use bytes::{BufMut, Bytes, BytesMut};
use lanparty_obs::{DropCounts, DropReason};
use lanparty_proto::fragment::{Fragment, Reassembler};
use lanparty_proto::overlay::Probe;
use lanparty_proto::{Header, PeerId, RoomId, overlay};
use std::time::Instant;

/// The place where one peer's frames come in.
#[derive(Debug)]
pub struct Port {
    speaker: Speaker,
    pub(crate) allowance: Allowance,
    /// True while the host wants nothing of what this player says to groups.
    pub(crate) muted: bool,
    reassembler: Reassembler,
    last_frame_id: u16,
}

/// A whole frame behind its header, and what of it is still to be paid for.
pub(crate) struct Received {
    pub(crate) datagram: Bytes,
    pub(crate) unpaid: Cost,
}

impl Received {
    pub(crate) fn frame(&self) -> &[u8] {
        &self.datagram[overlay::HEADER_LEN..]
    }
}

impl Port {
    pub(crate) fn new(now: Instant, speaker: Speaker, rates: Option<Rates>) -> Self {
        Port {
            speaker,
            allowance: allowance(now, speaker, rates),
            muted: false,
            reassembler: Reassembler::default(),
            last_frame_id: 0,
        }
    }

    /// Who speaks here.
    pub fn speaker(&self) -> Speaker {
        self.speaker
    }

    /// True while the host wants nothing of what this player says to groups.
    pub fn is_muted(&self) -> bool {
        self.muted
    }

    pub(crate) fn set_rates(&mut self, now: Instant, rates: Option<Rates>) {
        self.allowance = allowance(now, self.speaker, rates);
    }

    /// Takes a datagram whose header must be `expected`, but for the fragment flag. Answers the whole
    /// frame, or nothing while pieces are missing.
    pub(crate) fn receive(
        &mut self,
        now: Instant,
        expected: (RoomId, PeerId),
        datagram: Bytes,
        drops: &mut DropCounts,
    ) -> Result<Option<Received>, DropReason> {
        let (header, body) = Header::decode(&datagram).map_err(|_| DropReason::Malformed)?;
        if (header.room, header.peer) != expected {
            return Err(DropReason::ForgedHeader);
        }
        if header.fragment {
            return self.receive_piece(now, header, body, drops);
        }
        Ok(Some(Received {
            unpaid: Cost {
                frames: 1,
                bytes: body.len(),
            },
            datagram,
        }))
    }

    /// Takes a probe of the path; it costs its bytes, like a frame.
    pub(crate) fn receive_probe(
        &mut self,
        now: Instant,
        expected: (RoomId, PeerId),
        probe: Probe,
        len: usize,
    ) -> Result<(), DropReason> {
        match (probe.room, probe.peer) == expected {
            true => self.spend_any(now, 1, len),
            false => Err(DropReason::ForgedHeader),
        }
    }

    /// The number under which the next frame travels where it must be cut again.
    pub(crate) fn next_frame_id(&mut self) -> u16 {
        self.last_frame_id = self.last_frame_id.wrapping_add(1);
        self.last_frame_id
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.reassembler.poll_timeout()
    }

    /// Gives up frames whose pieces have not come in time; answers how many.
    pub(crate) fn expire(&mut self, now: Instant) -> u64 {
        self.reassembler.expire(now);
        self.reassembler.take_lost()
    }

    /// A piece is paid for when it comes: also frames that never become whole cost their sender. The first that
    /// comes pays for the frame; so does one that comes again, which no program of ours sends.
    fn receive_piece(
        &mut self,
        now: Instant,
        header: Header,
        body: &[u8],
        drops: &mut DropCounts,
    ) -> Result<Option<Received>, DropReason> {
        let fragment = Fragment::decode(body).map_err(|_| DropReason::BadFragment)?;
        let is_next = self.reassembler.awaits(now, &fragment);
        self.spend_any(now, usize::from(!is_next), fragment.piece.len())?;
        let inserted = self.reassembler.insert(now, fragment);
        drops.add(DropReason::Incomplete, self.reassembler.take_lost());
        let frame = inserted.map_err(|_| DropReason::BadFragment)?;
        Ok(frame.map(|frame| Received {
            datagram: whole_datagram(header, &frame),
            unpaid: Cost {
                frames: 0,
                bytes: 0,
            },
        }))
    }

    fn spend_any(&mut self, now: Instant, frames: usize, bytes: usize) -> Result<(), DropReason> {
        self.allowance.spend_any(now, Cost { frames, bytes })
    }
}

/// What a speaker may send; everything without rates.
fn allowance(now: Instant, speaker: Speaker, rates: Option<Rates>) -> Allowance {
    let Some(rates) = rates else {
        return Allowance::Free;
    };
    match speaker {
        Speaker::Player(_) => Allowance::Player(Box::new(PlayerAllowance::new(now, rates))),
        Speaker::Lan => Allowance::Lan(LanAllowance::new(now, rates)),
    }
}

fn whole_datagram(header: Header, frame: &[u8]) -> Bytes {
    let header = Header {
        fragment: false,
        ..header
    };
    let mut datagram = BytesMut::with_capacity(overlay::HEADER_LEN + frame.len());
    datagram.put_slice(&header.encode());
    datagram.put_slice(frame);
    datagram.freeze()
}
