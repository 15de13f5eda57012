//! A turn of a peer's loop: everything that happens to frames, in a fixed order.

use super::uptime::Moment;
use super::wakefulness::Wakefulness;
use super::{FramePort, PeerCore, PeerOutput, RunError};
use crate::link::RelayLink;
use bytes::Bytes;
use lanparty_edge::log;
use lanparty_obs::frame_log::{Action, Direction};
use lanparty_obs::{DropReason, FrameLog};
use lanparty_proto::overlay::{self, Probe};
use lanparty_proto::{FrameBuf, Header, PeerId};
use lanparty_quic::Drive;
use std::io;
use std::task::{Context, Poll};
use std::time::Instant;

/// How many datagrams are taken at once, and how many times in a turn: the port is written to after each, and is read and
/// the relay written to after all.
const BATCH: usize = 64;
const BATCHES: usize = 8;

/// What a link's turns keep from one to the next.
#[derive(Debug)]
pub(super) struct Turns {
    drive: Drive,
    room: Vec<Bytes>,
    /// Packets may have been left in the socket, and datagrams unread.
    has_more: bool,
    is_behind: bool,
    awake: Wakefulness,
}

impl Turns {
    pub(super) fn new(link: &RelayLink) -> Self {
        Turns {
            drive: link.drive(),
            room: vec![Bytes::new(); BATCH],
            has_more: false,
            is_behind: false,
            awake: Wakefulness::new(Moment::now()),
        }
    }

    /// Waits for something that is no turn's. The link stays alive meanwhile.
    pub(super) async fn beside<T>(&mut self, something: impl Future<Output = T>) -> T {
        // The endpoint's own task may have asked the socket last, and who is behind does not ask it in the next turn.
        self.has_more |= self.is_behind;
        self.drive.beside(something).await
    }
}

/// Why somebody else has to do something before the next turn.
#[derive(Debug)]
pub(super) enum Interruption {
    /// The core has news, and what it wants put out waits until they are told.
    News,
    /// The link is gone; why.
    Closed(String),
    /// This machine, or this program, stood still.
    Slept,
}

/// What a port may have after frames were taken from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Left {
    Nothing,
    /// It has not been asked whether the one frame that was read came alone.
    BehindOne,
    More,
}

/// One turn: packets in, frames to the port, frames from the port, packets out, acknowledgements that nothing took along.
///
/// Nothing waits for another task between the steps, and each takes a bounded part of what is there: a port that always
/// has frames does not keep the link from sending, nor a link the port, nor both of them whoever wants to end this.
pub(super) struct Turn<'t, C, P> {
    pub(super) core: &'t mut C,
    pub(super) port: &'t mut P,
    pub(super) to_port: &'t mut Vec<Bytes>,
    pub(super) link: &'t mut RelayLink,
    pub(super) turns: &'t mut Turns,
}

impl<C: PeerCore, P: FramePort> Turn<'_, C, P> {
    /// Ready when there is something to do that is not a turn's; until then one turn each time it is polled.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Interruption, RunError>> {
        if !self.turns.awake.turn(Moment::now()) {
            return Poll::Ready(Ok(Interruption::Slept));
        }
        let now = Instant::now();
        let interrupted = self
            .act(now)
            .or_else(|| self.take_from_relay(cx, now))
            .or_else(|| self.keep_time(now));
        if let Some(interruption) = interrupted {
            return Poll::Ready(Ok(interruption));
        }
        let mut left = match self.take_and_send(cx, now) {
            Ok(left) => left,
            Err(over) => return Poll::Ready(over),
        };
        // It is on its way. That it came alone is seen in the same turn: another would ask the system what else has come.
        if left == Left::BehindOne {
            left = match self.take_and_send(cx, now) {
                Ok(left) => left,
                Err(over) => return Poll::Ready(over),
            };
        }
        match left != Left::Nothing || self.turns.is_behind || self.turns.has_more {
            true => self.turns.drive.go_on(cx),
            false => self.turns.drive.rest(cx, self.core.poll_timeout()),
        }
        Poll::Pending
    }

    /// Frames from the port, and packets out. The error is how the turn ends before its time.
    fn take_and_send(
        &mut self,
        cx: &mut Context<'_>,
        now: Instant,
    ) -> Result<Left, Result<Interruption, RunError>> {
        let left = self
            .take_from_port(cx, now)
            .map_err(|error| Err(RunError::Port(error)))?;
        let interrupted = self.act(now);
        self.turns.drive.send(cx, now);
        interrupted.map_or(Ok(left), |interruption| Err(Ok(interruption)))
    }

    /// Packets in, and their frames to the port.
    fn take_from_relay(&mut self, cx: &mut Context<'_>, now: Instant) -> Option<Interruption> {
        if !self.turns.is_behind {
            self.turns.has_more = self.turns.drive.receive(cx, now);
        }
        for _ in 0..BATCHES {
            let room = &mut self.turns.room;
            let count = match self.link.connection().try_read_datagrams(room) {
                Ok(count) => count,
                Err(closed) => return Some(Interruption::Closed(closed.to_string())),
            };
            for place in 0..count {
                let datagram = std::mem::take(&mut self.turns.room[place]);
                self.deliver(now, datagram);
            }
            self.turns.is_behind = count == BATCH;
            let interrupted = self.act(now);
            if interrupted.is_some() || !self.turns.is_behind {
                return interrupted;
            }
        }
        None
    }

    fn keep_time(&mut self, now: Instant) -> Option<Interruption> {
        if self.core.poll_timeout().is_none_or(|at| at > now) {
            return None;
        }
        self.core.handle_timeout(now);
        self.act(now)
    }

    /// Does what the core wants done; but whoever must act on what has come does so before the machine answers it.
    fn act(&mut self, now: Instant) -> Option<Interruption> {
        if self.core.take_news() {
            return Some(Interruption::News);
        }
        self.perform_outputs(now);
        None
    }

    /// Frames in. When nothing is left, the task is woken for the next.
    fn take_from_port(&mut self, cx: &mut Context<'_>, now: Instant) -> io::Result<Left> {
        if self.port.poll_readable(cx)?.is_pending() {
            return Ok(Left::Nothing);
        }
        // They are as old as the sleep.
        let reads = match self.turns.awake.has_slept(Moment::now()) {
            true => 0,
            false => self.send_from_port(now)?,
        };
        Ok(match (self.port.poll_readable(cx)?, reads) {
            (Poll::Pending, _) => Left::Nothing,
            (Poll::Ready(()), 1) => Left::BehindOne,
            (Poll::Ready(()), _) => Left::More,
        })
    }

    /// From the port to the relay. Answers how many reads that took.
    fn send_from_port(&mut self, now: Instant) -> io::Result<u64> {
        let (core, link) = (&mut *self.core, &mut *self.link);
        let log = log::frames_enabled();
        let mut take = |frame: Result<FrameBuf, DropReason>| {
            let mut frame = match frame {
                Ok(frame) => frame,
                Err(reason) => return core.counters().drops.count(reason),
            };
            let verdict = core.handle_frame(now, &mut frame);
            if log {
                log_frame(Direction::ToRelay, None, frame.frame(), verdict);
            }
            if verdict.is_ok() {
                match link.send_frame(now, frame) {
                    Ok(datagrams) => core.counters().datagrams_to_relay += datagrams as u64,
                    Err(reason) => core.counters().drops.count(reason),
                }
            }
        };
        let reads = self.port.try_recv(&mut take)?;
        self.core.counters().port_reads += reads;
        Ok(reads)
    }

    /// From the relay towards the port.
    fn deliver(&mut self, now: Instant, datagram: Bytes) {
        if let Some(probe) = Probe::decode(&datagram) {
            return self.link.handle_echo(probe);
        }
        let log = log::frames_enabled();
        match self.core.handle_datagram(now, datagram.clone()) {
            Ok(Some(frame)) => {
                if log {
                    log_frame(Direction::FromRelay, origin(&datagram), &frame, Ok(()));
                }
                self.to_port.push(frame);
            }
            Ok(None) => {}
            Err(reason) if log => {
                let frame = datagram.get(overlay::HEADER_LEN..).unwrap_or(&[]);
                log_frame(Direction::FromRelay, origin(&datagram), frame, Err(reason));
            }
            Err(_) => {}
        }
    }

    /// Does what the core wants done.
    pub(super) fn perform_outputs(&mut self, now: Instant) {
        while let Some(output) = self.core.poll_output() {
            match output {
                PeerOutput::Frame(frame) => self.to_port.push(frame),
                PeerOutput::ToRelay(frame) => match self.link.send_frame(now, frame) {
                    Ok(datagrams) => self.core.counters().datagrams_to_relay += datagrams as u64,
                    Err(reason) => self.core.counters().drops.count(reason),
                },
                PeerOutput::Message(message) => self.link.send_message(message),
            }
        }
        self.put_out();
    }

    /// Gives the port what this turn has for it.
    fn put_out(&mut self) {
        if self.to_port.is_empty() {
            return;
        }
        // A program can be stopped between any two steps; this is the last one.
        if self.turns.awake.has_slept(Moment::now()) {
            let old = self.to_port.drain(..).count() as u64;
            self.core.counters().drops.add(DropReason::LinkDown, old);
            return;
        }
        let sent = self.port.try_send(self.to_port);
        self.to_port.clear();
        let counters = self.core.counters();
        counters.port_writes += sent.writes;
        counters.drops.add(DropReason::PortRefused, sent.refused);
        counters.drops.add(DropReason::MachineRefused, sent.unheard);
    }
}

/// Who sent a datagram, by its own words.
fn origin(datagram: &[u8]) -> Option<PeerId> {
    let (header, _) = Header::decode(datagram).ok()?;
    Some(header.peer)
}

fn log_frame(
    direction: Direction,
    peer: Option<PeerId>,
    frame: &[u8],
    verdict: Result<(), DropReason>,
) {
    let action = match verdict {
        Ok(()) => Action::Forward { targets: 1 },
        Err(reason) => Action::Drop(reason),
    };
    log::frame(&FrameLog::new(direction, peer, frame, action));
}
