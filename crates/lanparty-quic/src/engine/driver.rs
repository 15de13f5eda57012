//! What moves packets between a socket and the connections on it, one turn after the other.

use super::Shared;
use super::alarm::Alarm;
use super::ears::{Ears, Failure};
use super::errands::Errands;
use super::gather::Gathering;
use super::link::Link;
use super::punches;
use super::state::State;
use super::strangers::Knock;
use super::udp::{Received, Slots};
use super::wire::Wire;
use noq_proto::{ConnectionHandle, DatagramEvent, Transmit};
use std::io;
use std::num::NonZeroUsize;
use std::pin::pin;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::thread;
use std::time::Instant;

/// How many system calls' worth of packets are taken in a turn before anything is sent.
const RECEIVE_ROUNDS: usize = 4;
/// How many packet trains one connection sends before another has its turn; over a stream, how many packets.
pub(super) const TRAINS: usize = 8;
const CARRIED: usize = 32;

/// A turn has a fixed order: take packets, give datagrams to whoever wants them, send what all of that gave, and what
/// only acknowledges last ([`Link::wants_to_send`](super::link::Link::wants_to_send)).
///
/// Acting before sending is what makes a turn cheap: a frame that a peer forwards leaves together with
/// the acknowledgement of the packet that brought it, and frames for many peers leave one after the
/// other without a system call between to ask for more.
pub(super) struct Driver {
    slots: Slots,
    ears: Ears,
    alarm: Alarm,
    gathering: Gathering,
    // The kernel had no room for this.
    waiting: Option<(Transmit, Vec<u8>)>,
    contents: Vec<u8>,
    // Lists that are filled and emptied in each turn; here they keep their memory.
    readable: Vec<ConnectionHandle>,
    order: Vec<ConnectionHandle>,
    errands: Errands,
}

impl Driver {
    pub(super) fn new(loops: usize) -> io::Result<Self> {
        Ok(Driver {
            slots: Slots::new(),
            ears: Ears::default(),
            alarm: Alarm::new()?,
            gathering: Gathering::new(loops),
            waiting: None,
            contents: Vec::new(),
            readable: Vec::new(),
            order: Vec::new(),
            errands: Errands::default(),
        })
    }

    /// Takes packets, as many as are fair before something is sent, and brings their news to whoever waits for them.
    pub(super) fn receive(&mut self, cx: &mut Context<'_>, shared: &Shared, now: Instant) -> Taken {
        shared.turns.fetch_add(1, Ordering::Relaxed);
        let mut state = shared.lock();
        // Whoever touches a link from now on does so within this turn.
        state.driver = None;
        let mut handed_on = Vec::new();
        if let Some(inbox) = &shared.inbox {
            inbox.awake();
            handed_on = inbox.take_packets();
        }
        let mut has_news = !handed_on.is_empty();
        for packet in handed_on {
            state.take_packet(shared, now, packet);
        }
        has_news |= shared.hear_wires(&mut state, now);
        let taken = self.take_packets(cx, shared, &mut state, now);
        if let Some(lateness) = shared.lateness.get() {
            lateness.turn(now, matches!(taken, Taken::More));
        }
        has_news |= !matches!(taken, Taken::Nothing);
        if has_news {
            state.hear_touched();
        }
        taken
    }

    fn take_packets(
        &mut self,
        cx: &mut Context<'_>,
        shared: &Shared,
        state: &mut State,
        now: Instant,
    ) -> Taken {
        let mut taken = Taken::Nothing;
        if state.is_deaf || !self.ears.may_try(now) {
            return taken;
        }
        self.gathering.look(now);
        for _ in 0..RECEIVE_ROUNDS {
            let gathering = &mut self.gathering;
            let take = |received: Received| {
                gathering.found(received.payload.len());
                match shared.place.is_for(&received.payload) {
                    true => state.take_packet(shared, now, received),
                    false => shared.hand_on(received),
                }
            };
            match shared.udp.poll_receive(cx, &mut self.slots, take) {
                Poll::Ready(Ok(packets)) => {
                    self.ears.worked();
                    taken = Taken::Some;
                    state.udp.receives += u64::from(packets > 0);
                    state.udp.received += packets;
                }
                Poll::Ready(Err(error)) => match self.ears.failed(now) {
                    Failure::Passing { is_news } => {
                        if is_news {
                            tracing::warn!(%error, "The UDP socket could not be read; trying again");
                        }
                        if !self.ears.may_try(now) {
                            return taken;
                        }
                    }
                    Failure::Final => {
                        tracing::error!(%error, "The UDP socket cannot be read any more");
                        return Taken::Broken;
                    }
                },
                Poll::Pending => {
                    self.ears.worked();
                    return taken;
                }
            }
        }
        Taken::More
    }

    /// Gives datagrams to those who want to be called for them. True when more of them wait.
    pub(super) fn hand_over(&mut self, shared: &Shared, now: Instant) -> bool {
        std::mem::swap(&mut self.readable, &mut shared.lock().readable);
        let mut more = false;
        while !self.readable.is_empty() {
            self.errands.take_up(&mut shared.lock(), &mut self.readable);
            self.errands.run(now);
            more = self.errands.give_back(&mut shared.lock());
            // Links that have ended meanwhile go with their handlers, which may take the lock.
            self.errands.called.clear();
        }
        more
    }

    /// Does what is due, and sends what the connections have to say.
    pub(super) fn send(&mut self, cx: &mut Context<'_>, shared: &Shared, now: Instant) {
        let mut state = shared.lock();
        if let Some(inbox) = &shared.inbox {
            inbox.deliver(shared, &mut state);
        }
        state.handle_timeouts(now);
        self.transmit(cx, shared, &mut state, now);
    }

    fn transmit(&mut self, cx: &mut Context<'_>, shared: &Shared, state: &mut State, now: Instant) {
        let is_udp_full = self.send_waiting(cx, shared, state).is_pending();
        self.send_touched(cx, shared, state, now, is_udp_full);
    }

    /// Sends what those have to say who have to be looked at; who goes over UDP waits while the kernel has no room.
    pub(super) fn send_touched(
        &mut self,
        cx: &mut Context<'_>,
        shared: &Shared,
        state: &mut State,
        now: Instant,
        mut is_udp_full: bool,
    ) {
        let mut order = std::mem::take(&mut self.order);
        state.take_touched(&mut order);
        for &handle in &order {
            if is_udp_full && !state.is_carried(handle) {
                state.touched.push(handle);
            } else {
                is_udp_full |= self.send_from(cx, shared, state, now, handle).is_pending();
            }
        }
        self.order = order;
    }

    /// Sends what the kernel had no room for.
    fn send_waiting(
        &mut self,
        cx: &mut Context<'_>,
        shared: &Shared,
        state: &mut State,
    ) -> Poll<()> {
        if let Some((transmit, contents)) = self.waiting.take() {
            if shared.udp.poll_send(cx, &transmit, &contents).is_pending() {
                self.waiting = Some((transmit, contents));
                return Poll::Pending;
            }
            state.note_sent(&transmit);
        }
        Poll::Ready(())
    }

    /// Sends what one connection has to say, or some of it; what the kernel has no room for waits, and who goes over UDP with
    /// it. One whose stream is full waits alone.
    fn send_from(
        &mut self,
        cx: &mut Context<'_>,
        shared: &Shared,
        state: &mut State,
        now: Instant,
        handle: ConnectionHandle,
    ) -> Poll<()> {
        let Some(link) = state.link(handle) else {
            return Poll::Ready(());
        };
        link.is_touched = false;
        if !link.wants_to_send() {
            link.put_off(now);
            state.settle(now, handle);
            return Poll::Ready(());
        }
        link.begin_to_send();
        if let Some(wire) = link.wire.clone() {
            self.send_carried(state, now, handle, &wire);
            return Poll::Ready(());
        }
        let udp = &shared.udp;
        let mut trains = 0;
        while let Some(link) = state.link(handle) {
            if trains == TRAINS {
                state.touch(handle);
                break;
            }
            let train = link.next_train(now, udp.max_segments(), &mut self.contents);
            let Some(train) = train else {
                break;
            };
            trains += 1;
            if udp.poll_send(cx, &train, &self.contents).is_pending() {
                self.waiting = Some((train, std::mem::take(&mut self.contents)));
                state.settle(now, handle);
                state.touch(handle);
                return Poll::Pending;
            }
            state.note_sent(&train);
        }
        state.settle(now, handle);
        Poll::Ready(())
    }

    /// The same over a stream.
    fn send_carried(
        &mut self,
        state: &mut State,
        now: Instant,
        handle: ConnectionHandle,
        wire: &Wire,
    ) {
        for packets in 0..=CARRIED {
            if wire.is_full() && wire.park(handle) {
                if let Some(link) = state.link(handle) {
                    link.wait_for_room();
                }
                break;
            }
            if packets == CARRIED {
                state.touch(handle);
                break;
            }
            let one = NonZeroUsize::MIN;
            let link = state.link(handle);
            let packet = link.and_then(|link| link.next_train(now, one, &mut self.contents));
            let Some(packet) = packet else {
                break;
            };
            wire.send(now, &self.contents[..packet.size]);
            state.carried.sent += 1;
        }
        state.settle(now, handle);
    }

    /// Sleeps while packets gather, if they come by the thousand and nothing else is to be done. False when the task has to be
    /// woken by what comes.
    pub(super) fn gather(&mut self, shared: &Shared) -> bool {
        if !shared.gathers.load(Ordering::Relaxed) {
            return false;
        }
        let state = shared.lock();
        if !state.touched.is_empty() {
            return false;
        }
        let deadline = state.next_deadline();
        drop(state);
        let pause = self.gathering.pause(Instant::now(), deadline);
        pause.map(thread::sleep).is_some()
    }

    /// Has the task woken for the next turn, `at` that moment at the latest; at once where there is more to do than this
    /// one did.
    pub(super) fn rest(&mut self, cx: &mut Context<'_>, shared: &Shared, at: Option<Instant>) {
        let mut state = shared.lock();
        let can_send = match self.waiting {
            None => !state.touched.is_empty(),
            // The kernel says when the others can.
            Some(_) => state.touched.iter().any(|&link| state.is_carried(link)),
        };
        let more = can_send || (!state.is_by_hand && !state.readable.is_empty());
        if more {
            return after_others(cx);
        }
        state.look_ahead(Instant::now());
        let deadlines = state.next_deadline().into_iter().chain(at);
        let deadline = deadlines.chain(self.ears.poll_timeout()).min();
        state.driver = Some(cx.waker().clone());
        drop(state);
        if let Some(inbox) = &shared.inbox
            && !inbox.sleep(cx)
        {
            return after_others(cx);
        }
        if !shared.wires.sleep(cx) {
            return after_others(cx);
        }
        if let Some(deadline) = deadline
            && self.alarm.poll(cx, deadline).is_ready()
        {
            after_others(cx);
        }
    }
}

/// Has the task woken once the others have had their turn and the system has been asked what has come: one that wakes
/// itself goes before that.
pub(crate) fn after_others(cx: &mut Context<'_>) {
    let yielding = pin!(tokio::task::yield_now());
    // What matters is that it has been asked; nobody waits for it.
    let _ = yielding.poll(cx);
}

/// What came of an attempt to receive.
pub(super) enum Taken {
    Nothing,
    Some,
    More,
    Broken,
}

impl State {
    fn note_sent(&mut self, train: &Transmit) {
        let packets = train
            .segment_size
            .map_or(1, |size| train.size.div_ceil(size));
        self.udp.sends += 1;
        self.udp.sent += packets as u64;
    }

    fn is_carried(&self, handle: ConnectionHandle) -> bool {
        self.links.get(handle).is_some_and(Link::is_carried)
    }

    pub(super) fn take_packet(&mut self, shared: &Shared, now: Instant, packet: Received) {
        let mut answer = Vec::new();
        if let Some(transmit) = self.handle_packet(now, packet, &mut answer) {
            shared.answer(&transmit, &answer);
        }
    }

    /// A packet has come: for a connection, from a stranger, or from nobody. What is to be answered outside of any
    /// connection is written to `answer`.
    pub(super) fn handle_packet(
        &mut self,
        now: Instant,
        received: Received,
        answer: &mut Vec<u8>,
    ) -> Option<Transmit> {
        let Received {
            path,
            ecn,
            payload,
            wire,
        } = received;
        if payload.len() == punches::LEN {
            self.punches.hear(now, path.remote());
            return None;
        }
        let from = path.remote().ip();
        if let Some(guests) = &self.guests
            && self.ids.is_of_stranger(&payload)
            && !guests.expects(now, from)
        {
            return None;
        }
        let (is_for_none, len) = (self.ids.is_for_none(&payload), payload.len());
        match self.endpoint.handle(now, path, ecn, payload, answer)? {
            DatagramEvent::ConnectionEvent(handle, event) => {
                if let Some(link) = self.link(handle)
                    && link.is_on(wire.as_ref())
                {
                    link.receive(now, event, len);
                    if is_for_none {
                        link.forgotten(now);
                    }
                    self.put_up(handle);
                }
                None
            }
            DatagramEvent::NewConnection(stranger)
                if let Some(guests) = &mut self.guests
                    && !guests.enter(now, from) =>
            {
                self.endpoint.ignore(stranger);
                None
            }
            DatagramEvent::NewConnection(stranger) if self.closing.is_none() => {
                let packet = stranger;
                self.strangers.push(Knock { packet, wire });
                None
            }
            DatagramEvent::NewConnection(stranger) => Some(self.endpoint.refuse(stranger, answer)),
            DatagramEvent::Response(transmit) => Some(transmit),
        }
    }
}
