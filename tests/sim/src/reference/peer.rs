//! What the reference remembers of one peer: its budgets and its unfinished frames.

use super::*;

#[derive(Debug)]
pub(super) struct Bucket {
    rate: Rate,
    thousandths: u64,
    at: u64,
}

impl Bucket {
    pub(super) fn new(rate: Rate, now: u64) -> Self {
        let thousandths = u64::from(rate.burst) * 1000;
        Bucket {
            rate,
            thousandths,
            at: now,
        }
    }

    /// A token a second is a thousandth each millisecond.
    pub(super) fn has(&mut self, now: u64, tokens: usize) -> bool {
        let gained = (now - self.at) * u64::from(self.rate.per_second);
        let full = u64::from(self.rate.burst) * 1000;
        self.thousandths = full.min(self.thousandths + gained);
        self.at = now;
        self.thousandths >= tokens as u64 * 1000
    }

    pub(super) fn take(&mut self, tokens: usize) {
        self.thousandths -= tokens as u64 * 1000;
    }
}

#[derive(Debug)]
pub(super) struct Partial {
    frame_id: u16,
    born: u64,
    bytes: Vec<Option<u8>>,
    pieces: Vec<(usize, usize)>,
}

impl Peer {
    pub(super) fn probe(&mut self, now: u64, ids: (u32, u16), bytes: usize) -> Expected {
        let reason = if ids != (self.room_id, self.peer_id) {
            DropReason::ForgedHeader
        } else if self.mac.is_some() && !self.bytes.has(now, bytes) {
            DropReason::ByteRate
        } else {
            self.bytes.take(if self.mac.is_some() { bytes } else { 0 });
            self.counts[2] += 1;
            return Expected::Echo;
        };
        self.drops.push(reason);
        Expected::Drop(reason)
    }

    pub(super) fn pay(
        &mut self,
        now: u64,
        group: bool,
        unknown: bool,
        bytes: usize,
    ) -> Result<(), DropReason> {
        if group && !self.group.has(now, 1) {
            return Err(DropReason::BroadcastRate);
        }
        if unknown && !self.unknown.has(now, 1) {
            return Err(DropReason::UnknownUnicastRate);
        }
        if !self.bytes.has(now, bytes) {
            return Err(DropReason::ByteRate);
        }
        self.bytes.take(bytes);
        self.group.take(usize::from(group));
        self.unknown.take(usize::from(unknown));
        Ok(())
    }

    pub(super) fn piece(&mut self, now: u64, body: &[u8]) -> Result<Option<Vec<u8>>, DropReason> {
        let number = |at: usize| usize::from(body[at]) << 8 | usize::from(body[at + 1]);
        if body.len() <= 6 {
            return Err(DropReason::BadFragment);
        }
        let (frame_id, offset, total) = (number(0) as u16, number(2), number(4));
        let piece = &body[6..];
        let end = offset + piece.len();
        if !(14..=1518).contains(&total) || end > total {
            return Err(DropReason::BadFragment);
        }
        if self.mac.is_some() {
            if !self.bytes.has(now, piece.len()) {
                return Err(DropReason::ByteRate);
            }
            self.bytes.take(piece.len());
        }
        self.expire(now);
        let found = self.partials.iter().position(|p| p.frame_id == frame_id);
        if found.is_none() && self.partials.len() == 64 {
            self.partials.remove(0);
            self.drops.push(DropReason::Incomplete);
        }
        let at = found.unwrap_or(self.partials.len());
        let mut partial = match found {
            Some(at) => self.partials.remove(at),
            None => Partial {
                frame_id,
                born: now,
                bytes: vec![None; total],
                pieces: Vec::new(),
            },
        };
        if partial.bytes.len() != total {
            return Err(DropReason::BadFragment);
        }
        let place = &mut partial.bytes[offset..end];
        if partial.pieces.contains(&(offset, end)) {
            if place
                .iter()
                .zip(piece)
                .any(|(have, new)| *have != Some(*new))
            {
                return Err(DropReason::BadFragment);
            }
        } else {
            if place.iter().any(Option::is_some) || partial.pieces.len() == 16 {
                return Err(DropReason::BadFragment);
            }
            for (slot, &byte) in place.iter_mut().zip(piece) {
                *slot = Some(byte);
            }
            partial.pieces.push((offset, end));
        }
        if partial.bytes.iter().all(Option::is_some) {
            return Ok(Some(partial.bytes.into_iter().flatten().collect()));
        }
        self.partials.insert(at, partial);
        Ok(None)
    }

    pub(super) fn expire(&mut self, now: u64) {
        let before = self.partials.len();
        self.partials.retain(|partial| partial.born + 500 > now);
        let died = before - self.partials.len();
        self.drops
            .extend(std::iter::repeat_n(DropReason::Incomplete, died));
    }
}
