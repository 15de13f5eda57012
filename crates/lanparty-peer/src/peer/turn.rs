//! A turn of a peer's loop: everything that happens to frames, in a fixed order.

use super::uptime::Moment;
use super::wakefulness::Wakefulness;
use super::{FramePort, PeerCore, PeerOutput, RunError};
use crate::door::{DoorLink, Doors, Standing};
use crate::link::RelayLink;
use bytes::Bytes;
use lanparty_edge::log;
use lanparty_obs::frame_log::{Action, Direction};
use lanparty_obs::{DropReason, FrameLog};
use lanparty_proto::overlay::{self, Probe};
use lanparty_proto::{FrameBuf, Header, PeerId, VirtualMac};
use lanparty_quic::{Connection, Drive};
use std::io;
use std::task::{Context, Poll};
use std::time::Instant;

/// How many datagrams are taken at once, and how many times in a turn: the port is written to after each, and is read and
/// the relay written to after all.
const BATCH: usize = 64;
const BATCHES: usize = 8;

/// What turns keep from one to the next.
#[derive(Debug)]
pub(super) struct Turns {
    /// Those of the sockets of all links: one, but for the time after another link to the relay was made, while there are direct
    /// paths from the socket of the one before.
    drives: Vec<Drive>,
    room: Vec<Bytes>,
    /// Packets may have been left in the socket, and datagrams unread.
    has_more: bool,
    is_behind: bool,
    awake: Wakefulness,
}

impl Turns {
    pub(super) fn new() -> Self {
        Turns {
            drives: Vec::new(),
            room: vec![Bytes::new(); BATCH],
            has_more: false,
            is_behind: false,
            awake: Wakefulness::new(Moment::now()),
        }
    }

    /// From now on there are turns again, after a while without any.
    pub(super) fn begin(&mut self) {
        self.awake = Wakefulness::new(Moment::now());
        (self.has_more, self.is_behind) = (false, false);
    }

    /// Takes the turns of the sockets of these connections, and gives all others back to the tasks that have them else.
    pub(super) fn take<'c>(&mut self, connections: impl Iterator<Item = &'c Connection> + Clone) {
        let needs = |drive: &mut Drive| connections.clone().any(|one| drive.moves(one));
        self.drives.retain_mut(needs);
        for connection in connections.clone() {
            if !self.drives.iter().any(|drive| drive.moves(connection)) {
                self.drives.push(connection.drive());
            }
        }
    }

    /// Waits for something that is no turn's. The links stay alive meanwhile.
    pub(super) async fn beside<T>(&mut self, something: impl Future<Output = T>) -> T {
        // The endpoint's own task may have asked the socket last, and who is behind does not ask it in the next turn.
        self.has_more |= self.is_behind;
        Drive::all_beside(&mut self.drives, something).await
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
    /// Something is to be done about somebody who is met for a direct path.
    Meeting,
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
    /// None while the relay is away.
    pub(super) link: Option<&'t mut RelayLink>,
    pub(super) doors: &'t mut Doors,
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
            .or_else(|| self.receive(cx, now))
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
        let must_go_on = left != Left::Nothing || self.turns.is_behind || self.turns.has_more;
        let wakes_at = self.core.poll_timeout().into_iter();
        let wakes_at = wakes_at.chain(self.doors.poll_timeout()).min();
        for drive in &mut self.turns.drives {
            match must_go_on {
                true => drive.go_on(cx),
                false => drive.rest(cx, wakes_at),
            }
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
        for drive in &mut self.turns.drives {
            drive.send(cx, now);
        }
        interrupted.map_or(Ok(left), |interruption| Err(Ok(interruption)))
    }

    /// Packets in, and their frames to the port.
    fn receive(&mut self, cx: &mut Context<'_>, now: Instant) -> Option<Interruption> {
        if !self.turns.is_behind {
            let mut has_more = false;
            for drive in &mut self.turns.drives {
                has_more |= drive.receive(cx, now);
            }
            self.turns.has_more = has_more;
        }
        self.turns.is_behind = false;
        self.take_from_doors(now)
            .or_else(|| self.take_from_relay(now))
    }

    /// What has come by direct paths.
    fn take_from_doors(&mut self, now: Instant) -> Option<Interruption> {
        let mut ended = Vec::new();
        for (player, door) in self.doors.links_mut() {
            if !door.connection().has_unread() {
                continue;
            }
            let mut visit = Visit {
                core: &mut *self.core,
                to_port: &mut *self.to_port,
                player,
                door,
            };
            match visit.take(now, &mut self.turns.room) {
                Taken::All => {}
                Taken::Some => self.turns.is_behind = true,
                Taken::Ended => ended.push((player, door.is_replaced())),
            }
        }
        for (player, is_replaced) in ended {
            match is_replaced {
                true => self.doors.retired_ended(player),
                false => self.doors.ended(self.core, now, player),
            }
        }
        self.act(now)
    }

    /// What has come from the relay.
    fn take_from_relay(&mut self, now: Instant) -> Option<Interruption> {
        for _ in 0..BATCHES {
            let room = &mut self.turns.room;
            let link = self.link.as_ref()?;
            let count = match link.connection().try_read_datagrams(room) {
                Ok(count) => count,
                Err(closed) => return Some(Interruption::Closed(closed.to_string())),
            };
            for place in 0..count {
                let datagram = std::mem::take(&mut self.turns.room[place]);
                self.deliver(now, datagram);
            }
            let interrupted = self.act(now);
            if interrupted.is_some() || count < BATCH {
                self.turns.is_behind |= count == BATCH;
                return interrupted;
            }
        }
        self.turns.is_behind = true;
        None
    }

    fn keep_time(&mut self, now: Instant) -> Option<Interruption> {
        if self.core.poll_timeout().is_some_and(|at| at <= now) {
            self.core.handle_timeout(now);
            self.doors.settle(self.core, now);
            let interrupted = self.act(now);
            if interrupted.is_some() {
                return interrupted;
            }
        }
        self.doors.poll_links(self.core, now);
        self.doors.must_meet(now).then_some(Interruption::Meeting)
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
        let core = &mut *self.core;
        let mut out = WaysOut {
            link: self.link.as_deref_mut(),
            doors: &mut *self.doors,
        };
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
                out.send(core, now, frame);
            }
        };
        let reads = self.port.try_recv(&mut take)?;
        self.core.counters().port_reads += reads;
        Ok(reads)
    }

    /// From the relay towards the port.
    fn deliver(&mut self, now: Instant, datagram: Bytes) {
        if let (Some(probe), Some(link)) = (Probe::decode(&datagram), &mut self.link) {
            return link.handle_echo(probe);
        }
        let log = log::frames_enabled();
        match self.core.handle_datagram(now, datagram.clone()) {
            Ok(Some(frame)) => {
                if log {
                    log_frame(Direction::FromRelay, origin(&datagram), &frame, Ok(()));
                }
                let is_for_one = frame.first().is_some_and(|first| first & 1 == 0);
                if is_for_one && !self.doors.is_empty() {
                    let from = origin(&datagram);
                    from.into_iter()
                        .for_each(|peer| self.doors.hear_by_relay(now, peer));
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
                PeerOutput::ToRelay(frame) => {
                    let mut out = WaysOut {
                        link: self.link.as_deref_mut(),
                        doors: &mut *self.doors,
                    };
                    out.send(self.core, now, frame);
                }
                PeerOutput::Message(message) => {
                    // Without a relay nobody is there to hear it.
                    if let Some(link) = &self.link {
                        link.send_message(message);
                    }
                }
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

/// Where frames of this peer can go.
struct WaysOut<'t> {
    link: Option<&'t mut RelayLink>,
    doors: &'t mut Doors,
}

impl WaysOut<'_> {
    /// Sends a frame by one of them, never by both.
    fn send(&mut self, core: &mut impl PeerCore, now: Instant, frame: FrameBuf) {
        let player = match self.doors.is_used() {
            true => core.direct_player(now, frame.frame()),
            false => None,
        };
        let door = player.and_then(|player| self.doors.taken(player));
        let sent = match (door, &mut self.link) {
            (Some(door), _) => door.send_frame(now, frame),
            (None, Some(link)) => link.send_frame(now, frame),
            (None, None) => Err(DropReason::LinkDown),
        };
        match sent {
            Ok(datagrams) => core.counters().datagrams_to_relay += datagrams as u64,
            Err(reason) => core.counters().drops.count(reason),
        }
    }
}

/// What was read of one path.
enum Taken {
    All,
    Some,
    Ended,
}

/// A look at one direct path.
struct Visit<'t, C> {
    core: &'t mut C,
    to_port: &'t mut Vec<Bytes>,
    player: VirtualMac,
    door: &'t mut DoorLink,
}

impl<C: PeerCore> Visit<'_, C> {
    /// Takes what has come, or a fair part of it.
    fn take(&mut self, now: Instant, room: &mut [Bytes]) -> Taken {
        for _ in 0..BATCHES {
            let Ok(count) = self.door.connection().try_read_datagrams(room) else {
                return Taken::Ended;
            };
            for datagram in &mut room[..count] {
                self.deliver(now, std::mem::take(datagram));
            }
            if count < room.len() {
                return Taken::All;
            }
        }
        Taken::Some
    }

    fn deliver(&mut self, now: Instant, datagram: Bytes) {
        if let Some(probe) = Probe::decode(&datagram)
            && self.door.handle_probe(now, probe, datagram.clone())
        {
            return;
        }
        let datagram = self.door.renumbered(datagram);
        let log = log::frames_enabled();
        match self.core.handle_direct(now, self.player, datagram.clone()) {
            Ok(Some(frame)) => {
                if log {
                    log_frame(Direction::FromRelay, origin(&datagram), &frame, Ok(()));
                }
                self.to_port.push(frame);
            }
            Ok(None) => {}
            Err(reason) => {
                if log {
                    let frame = datagram.get(overlay::HEADER_LEN..).unwrap_or(&[]);
                    log_frame(Direction::FromRelay, origin(&datagram), frame, Err(reason));
                }
                // Of whom there is nothing to be expected but that, it may have been enough.
                if self.core.standing(self.player) == Standing::Out {
                    self.door.close();
                }
            }
        }
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
