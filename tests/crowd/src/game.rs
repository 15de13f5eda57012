//! A game in place of an adapter.

use std::io;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use anyhow::Result;
use bytes::Bytes;
use lanparty_obs::DropReason;
use lanparty_peer::FramePort;
use lanparty_peer::vnet::Sent;
use lanparty_proto::{FrameBuf, checksum};

use crate::clock::Clock;
use crate::mac;
use crate::tally::{STAMP, Tally};

const PER_SECOND: u32 = 60;
const PAYLOAD: usize = 100;
/// Ethernet, IPv4, UDP.
const HEADERS: usize = 14 + 20 + 8;

/// A port out of which comes what a game sends, and which reads the stamps of what a game receives.
pub(crate) struct GamePort {
    number: usize,
    frame: Vec<u8>,
    tally: Rc<Tally>,
    /// None: this player never sends.
    clock: Option<Rc<Clock>>,
    /// Part of a period by which this player is behind the first one.
    phase: f64,
    next: Option<Instant>,
}

impl GamePort {
    const PERIOD: Duration = Duration::from_nanos(1_000_000_000 / PER_SECOND as u64);

    pub(crate) fn new(
        number: usize,
        next: usize,
        tally: Rc<Tally>,
        clock: Option<Rc<Clock>>,
    ) -> Result<Self> {
        Ok(Self {
            number,
            clock,
            frame: frame(number, next)?,
            tally,
            // The golden ratio spreads any number of players evenly.
            phase: (number as f64 * 0.618_034).fract(),
            next: None,
        })
    }
}

impl FramePort for GamePort {
    fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(clock) = &self.clock else {
            return Poll::Pending;
        };
        // The first look at the clock says when it begins.
        match self.next {
            None => self.tally.poll_opened(cx).map(Ok),
            Some(next) => clock.poll(cx, self.number, next).map(Ok),
        }
    }

    fn try_recv(&mut self, take: &mut dyn FnMut(Result<FrameBuf, DropReason>)) -> io::Result<u64> {
        let Some(begin) = self.tally.begin() else {
            return Ok(0);
        };
        let first = begin + Self::PERIOD.mul_f64(self.phase);
        let next = self.next.get_or_insert(first);
        let mut frames = 0;
        while let now = Instant::now()
            && *next <= now
        {
            let stamp = self.tally.sends(*next, now);
            *next += Self::PERIOD;
            self.frame[HEADERS..HEADERS + STAMP].copy_from_slice(&stamp);
            take(Ok(FrameBuf::from_frame(&self.frame)));
            frames += 1;
        }
        Ok(frames)
    }

    fn try_send(&mut self, frames: &[Bytes]) -> Sent {
        let now = Instant::now();
        for stamp in frames
            .iter()
            .filter_map(|frame| frame.get(HEADERS..)?.first_chunk())
        {
            self.tally.receives(now, *stamp);
        }
        Sent {
            writes: frames.len() as u64,
            ..Sent::default()
        }
    }
}

/// UDP over IPv4 from this player to another one, both of whom have addresses of their own.
fn frame(from: usize, to: usize) -> Result<Vec<u8>> {
    let address = |number: usize| {
        let [.., high, low] = number.to_be_bytes();
        [10, 77, high, low]
    };
    let mut frame = Vec::with_capacity(HEADERS + PAYLOAD);
    for number in [to, from] {
        frame.extend(mac(number)?.addr().octets());
    }
    frame.extend([0x08, 0x00]);
    let ip_len = (HEADERS - 14 + PAYLOAD) as u16;
    let mut ip = [0; 20];
    (ip[0], ip[8], ip[9]) = (0x45, 64, 17);
    ip[2..4].copy_from_slice(&ip_len.to_be_bytes());
    ip[12..16].copy_from_slice(&address(from));
    ip[16..].copy_from_slice(&address(to));
    let sum = checksum::Sum::of(&ip).checksum();
    ip[10..12].copy_from_slice(&sum.to_be_bytes());
    frame.extend(ip);
    // Ports, length, and no checksum, which UDP over IPv4 may leave out.
    for field in [27960, 27960, ip_len - 20, 0] {
        frame.extend(field.to_be_bytes());
    }
    frame.resize(HEADERS + PAYLOAD, 0);
    Ok(frame)
}
