//! The task that moves packets between a socket and the connections on it.

use super::Shared;
use super::ears::{Ears, Failure};
use super::state::State;
use super::udp::{Received, Slots};
use noq_proto::{DatagramEvent, Transmit};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;
use tokio::time::Sleep;

/// How many system calls' worth of packets are taken in a turn before anything is sent.
const RECEIVE_ROUNDS: usize = 4;
/// How many packet trains one connection sends before another has its turn.
pub(super) const TRAINS: usize = 8;

/// A turn: take packets, let whoever waits for them act, then send what all of that gave.
///
/// Acting before sending is what makes a turn cheap: a frame that a peer forwards leaves together with
/// the acknowledgement of the packet that brought it, and frames for many peers leave one after the
/// other without a system call between to ask for more.
pub(super) struct Driver {
    shared: Arc<Shared>,
    slots: Slots,
    ears: Ears,
    timer: Pin<Box<Sleep>>,
    // Packets were taken and others have been woken; now it is their turn.
    gave_way: bool,
    // The kernel had no room for this.
    waiting: Option<(Transmit, Vec<u8>)>,
    contents: Vec<u8>,
}

impl Driver {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Driver {
            shared,
            slots: Slots::new(),
            ears: Ears::default(),
            timer: Box::pin(tokio::time::sleep_until(tokio::time::Instant::now())),
            gave_way: false,
            waiting: None,
            contents: Vec::new(),
        }
    }

    /// Takes packets, as many as are fair before something is sent.
    fn receive(&mut self, cx: &mut Context<'_>, state: &mut State, now: Instant) -> Taken {
        let (shared, mut taken) = (&*self.shared, Taken::Nothing);
        if state.is_deaf || !self.ears.may_try(now) {
            return taken;
        }
        for _ in 0..RECEIVE_ROUNDS {
            let take = |received: Received| {
                let mut answer = Vec::new();
                if let Some(transmit) = state.handle_packet(now, received, &mut answer) {
                    shared.answer(&transmit, &answer);
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

    /// Sends what the connections that were touched have to say. False when the kernel has no room.
    fn transmit(&mut self, cx: &mut Context<'_>, state: &mut State, now: Instant) -> bool {
        let udp = &self.shared.udp;
        if let Some((transmit, contents)) = self.waiting.take() {
            if udp.poll_send(cx, &transmit, &contents).is_pending() {
                self.waiting = Some((transmit, contents));
                return false;
            }
            state.note_sent(&transmit);
        }
        let mut touched = std::mem::take(&mut state.touched);
        // Frames before acknowledgements: somebody waits for them.
        touched.sort_by_key(|handle| {
            let link = state.links.get(handle);
            link.is_none_or(|link| link.queue.is_empty() && !link.has_frames)
        });
        for (turn, &handle) in touched.iter().enumerate() {
            if let Some(link) = state.link(handle) {
                link.is_touched = false;
                link.has_frames = false;
            }
            let mut trains = 0;
            while let Some(link) = state.link(handle) {
                if trains == TRAINS {
                    state.touch(handle);
                    break;
                }
                self.contents.clear();
                link.feed(now);
                let train = link
                    .quic
                    .poll_transmit(now, udp.max_segments(), &mut self.contents);
                let Some(train) = train else {
                    link.adapt_feed();
                    break;
                };
                trains += 1;
                if udp.poll_send(cx, &train, &self.contents).is_pending() {
                    self.waiting = Some((train, std::mem::take(&mut self.contents)));
                    state.settle(handle);
                    state.touch(handle);
                    state.touched.extend(&touched[turn + 1..]);
                    return false;
                }
                state.note_sent(&train);
            }
            state.settle(handle);
        }
        true
    }
}

enum Taken {
    Nothing,
    Some,
    More,
    Broken,
}

impl Future for Driver {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        let shared = this.shared.clone();
        let (mut state, now) = (shared.lock(), Instant::now());
        let taken = this.receive(cx, &mut state, now);
        if let Taken::Broken = taken {
            state.break_all();
            return Poll::Ready(());
        }
        if !matches!(taken, Taken::Nothing) {
            state.hear_touched();
            if !this.gave_way {
                this.gave_way = true;
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
        this.gave_way = false;
        state.handle_timeouts(now);
        let sent = this.transmit(cx, &mut state, now);
        if state.is_over() {
            return Poll::Ready(());
        }
        let more = sent && !state.touched.is_empty();
        if more || matches!(taken, Taken::More) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let deadlines = state.next_deadline().into_iter();
        if let Some(deadline) = deadlines.chain(this.ears.poll_timeout()).min() {
            this.timer.as_mut().reset(deadline.into());
            if this.timer.as_mut().poll(cx).is_ready() {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
        state.driver = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl State {
    fn note_sent(&mut self, train: &Transmit) {
        let packets = train
            .segment_size
            .map_or(1, |size| train.size.div_ceil(size));
        self.udp.sends += 1;
        self.udp.sent += packets as u64;
    }

    /// A packet has come: for a connection, from a stranger, or from nobody. What is to be answered outside of any
    /// connection is written to `answer`.
    pub(super) fn handle_packet(
        &mut self,
        now: Instant,
        received: Received,
        answer: &mut Vec<u8>,
    ) -> Option<Transmit> {
        let Received { path, ecn, payload } = received;
        let is_for_none = self.ids.is_for_none(&payload);
        match self.endpoint.handle(now, path, ecn, payload, answer)? {
            DatagramEvent::ConnectionEvent(handle, event) => {
                if let Some(link) = self.link(handle) {
                    link.quic.handle_event(event);
                    if is_for_none {
                        link.forgotten(now);
                    }
                    self.touch(handle);
                }
                None
            }
            DatagramEvent::NewConnection(stranger) if self.closing.is_none() => {
                self.strangers.push_back(stranger);
                if let Some(waker) = self.accepting.take() {
                    waker.wake();
                }
                None
            }
            DatagramEvent::NewConnection(stranger) => Some(self.endpoint.refuse(stranger, answer)),
            DatagramEvent::Response(transmit) => Some(transmit),
        }
    }
}
