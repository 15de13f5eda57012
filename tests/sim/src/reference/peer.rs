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

/// What one peer may still send.
#[derive(Debug)]
pub(super) struct Budgets {
    control: Bucket,
    group: Bucket,
    chatter: Bucket,
    unknown: Bucket,
    frames: Bucket,
    bytes: Bucket,
    lan_control: Bucket,
    lan_rest: Bucket,
    lan_unsure: Bucket,
    // Of each of the two: what one machine may still take.
    halves: Vec<(bool, Mac, Bucket)>,
    lan: Rate,
}

impl Budgets {
    pub(super) fn new(rates: Rates, now: u64) -> Self {
        let half = |n: u32| n / 2 + n % 2;
        let chatter = Rate {
            burst: half(rates.group.burst),
            per_second: half(rates.group.per_second),
        };
        Budgets {
            control: Bucket::new(rates.control, now),
            group: Bucket::new(rates.group, now),
            chatter: Bucket::new(chatter, now),
            unknown: Bucket::new(rates.unknown, now),
            frames: Bucket::new(rates.frames, now),
            bytes: Bucket::new(rates.bytes, now),
            lan_control: Bucket::new(rates.lan, now),
            lan_rest: Bucket::new(rates.lan, now),
            lan_unsure: Bucket::new(rates.lan, now),
            halves: Vec::new(),
            lan: rates.lan,
        }
    }

    pub(super) fn pay(
        &mut self,
        now: u64,
        talk: Option<Talk>,
        unknown: bool,
        (frames, bytes): (usize, usize),
    ) -> Result<(), DropReason> {
        let control = usize::from(talk == Some(Talk::Control));
        let chatter = usize::from(talk == Some(Talk::Chatter));
        let group = usize::from(talk.is_some()) - control;
        let unknown = usize::from(unknown);
        if !self.frames.has(now, frames) {
            return Err(DropReason::FrameRate);
        }
        if !self.bytes.has(now, bytes) {
            return Err(DropReason::ByteRate);
        }
        self.frames.take(frames);
        self.bytes.take(bytes);
        for (bucket, tokens, reason) in [
            (&mut self.control, control, DropReason::ControlRate),
            (&mut self.group, group, DropReason::BroadcastRate),
            (&mut self.chatter, chatter, DropReason::BroadcastRate),
            (&mut self.unknown, unknown, DropReason::UnknownUnicastRate),
        ] {
            if !bucket.has(now, tokens) {
                return Err(reason);
            }
        }
        self.control.take(control);
        self.group.take(group);
        self.chatter.take(chatter);
        self.unknown.take(unknown);
        Ok(())
    }

    pub(super) fn pay_for_lan(
        &mut self,
        now: u64,
        source: Mac,
        talk: Option<Talk>,
        unsure: bool,
    ) -> Result<(), DropReason> {
        let bucket = match talk {
            None => return Ok(()),
            _ if unsure => &mut self.lan_unsure,
            Some(Talk::Control) if self.lan_control.has(now, 1) => {
                self.lan_control.take(1);
                return Ok(());
            }
            Some(Talk::Control) => return Err(DropReason::LanRate),
            Some(Talk::Chatter | Talk::Other) => &mut self.lan_rest,
        };
        let is_its = |half: &(bool, Mac, Bucket)| (half.0, half.1) == (unsure, source);
        if !self.halves.iter().any(is_its) {
            let rate = Rate {
                burst: self.lan.burst - self.lan.burst / 2,
                per_second: self.lan.per_second - self.lan.per_second / 2,
            };
            self.halves.push((unsure, source, Bucket::new(rate, now)));
        }
        let at = self.halves.iter().position(is_its).unwrap();
        let half = &mut self.halves[at].2;
        if !bucket.has(now, 1) || !half.has(now, 1) {
            return Err(DropReason::LanRate);
        }
        bucket.take(1);
        half.take(1);
        Ok(())
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
        } else if let Err(reason) = self.pay_any(now, 1, bytes) {
            reason
        } else {
            self.counts[2] += 1;
            return Expected::Echo;
        };
        self.drops.push(reason);
        Expected::Drop(reason)
    }

    fn pay_any(&mut self, now: u64, frames: usize, bytes: usize) -> Result<(), DropReason> {
        match self.mac {
            Some(_) => self.budgets.pay(now, None, false, (frames, bytes)),
            None => Ok(()),
        }
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
        // Its first piece pays for the frame, and one that comes again pays as well.
        let under_way = self.partials.iter().any(|partial| {
            partial.frame_id == frame_id
                && partial.born + 500 > now
                && !partial.pieces.contains(&(offset, end))
        });
        self.pay_any(now, usize::from(!under_way), piece.len())?;
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
