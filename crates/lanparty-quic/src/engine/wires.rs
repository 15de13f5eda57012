//! Packets that go over something else than UDP: streams of whole packets, such as WebSocket messages.
//!
//! QUIC's core knows peers by their addresses, so each stream has a made-up one ([`made_up`]), as iroh does for its relays.
//! A task moves a stream's bytes ([`mover`]) to and from two short rings ([`Wire`]); a loop looks at the rings in its turns.
//! A stream carries the connections that began on it and no others: what comes over it for one that did not is not
//! heard, so nobody's end is anybody else's.
//!
//! ```text
//! stream ── mover ──▶ ring ── Wires::take ──▶ QUIC
//!        ◀── mover ── ring ◀── Wire::send ─── QUIC     full: its links keep their frames in their queues
//! ```

pub(super) mod made_up;
mod mover;

use super::bell::{Bell, lock};
use super::state::State;
use super::udp::Received;
use super::wire::Wire;
use super::{Shared, no_wire};
use crate::steer::LONG;
use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use futures_sink::Sink;
use mover::Mover;
use noq_proto::{ConnectionHandle, FourTuple};
use std::any::Any;
use std::collections::{HashMap, VecDeque};
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::task::Context;
use std::time::{Duration, Instant};

/// Packets that are taken from one stream before another has its turn, and from all in a turn before anything is sent.
const FROM_ONE: usize = 32;
const FROM_ALL: usize = 128;
/// How long a stream may carry no connection before it is ended.
const SILENCE: Duration = Duration::from_secs(10);

/// What carries whole QUIC packets both ways, in order: each item is one packet. Whoever makes it bounds what it keeps.
pub trait PacketStream:
    Stream<Item = io::Result<Bytes>> + Sink<Bytes, Error = io::Error> + Send + Unpin
{
}

impl<T> PacketStream for T where
    T: Stream<Item = io::Result<Bytes>> + Sink<Bytes, Error = io::Error> + Send + Unpin
{
}

/// A stream that is to be carried.
pub(crate) struct Freight {
    pub(crate) stream: Box<dyn PacketStream>,
    /// Who is at its other end.
    pub(crate) peer: SocketAddr,
    /// Kept until a first handshake over it is complete, or it ends.
    pub(crate) until_known: Option<Box<dyn Any + Send>>,
}

/// The streams of a loop.
#[derive(Default)]
pub(super) struct Wires {
    bell: Bell,
    /// How many there are, for whoever has no time to look.
    count: AtomicUsize,
    by_address: Mutex<HashMap<SocketAddr, Arc<Wire>>>,
    /// Those with news, in the order of these.
    ready: Mutex<VecDeque<Arc<Wire>>>,
}

impl Wires {
    pub(super) fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// The stream that has this made-up address.
    pub(super) fn find(&self, address: SocketAddr) -> Option<Arc<Wire>> {
        if self.count() == 0 {
            return None;
        }
        lock(&self.by_address).get(&address).cloned()
    }

    fn add(&self, wire: &Arc<Wire>) {
        let mut wires = lock(&self.by_address);
        wires.insert(wire.address, wire.clone());
        self.count.store(wires.len(), Ordering::Relaxed);
    }

    fn forget(&self, wire: &Wire) {
        let mut wires = lock(&self.by_address);
        wires.remove(&wire.address);
        self.count.store(wires.len(), Ordering::Relaxed);
    }

    #[cfg(test)]
    pub(super) fn holds_nothing(&self) -> bool {
        lock(&self.by_address).is_empty() && lock(&self.ready).is_empty()
    }

    /// Nobody has anything to say any more.
    pub(super) fn close(&self) {
        let wires: Vec<_> = lock(&self.by_address).drain().collect();
        wires.iter().for_each(|(_, wire)| wire.close());
        // News hold the streams, and a stream's task holds these.
        lock(&self.ready).clear();
    }

    /// Has the loop look at a stream.
    fn announce(&self, wire: &Arc<Wire>) {
        if wire.becomes_ready() {
            lock(&self.ready).push_back(wire.clone());
        }
        self.bell.ring();
    }

    /// Has the task woken for news of streams. False when there are some already.
    pub(super) fn sleep(&self, cx: &Context<'_>) -> bool {
        self.count() == 0 || self.bell.sleep(cx)
    }
}

impl Shared {
    /// Carries what comes and goes over a stream as if its packets came from `address`, from which QUIC has had none yet.
    /// Its bytes are moved on the runtime of whoever calls this.
    pub(super) fn carry(&self, address: SocketAddr, freight: Freight, first: Option<Bytes>) {
        let wire = Arc::new(Wire::new(address, freight.peer, freight.until_known));
        self.wires.add(&wire);
        // The loop may be asleep as one that has no streams.
        self.lock().wake_driver();
        if let Some(first) = first {
            wire.came(first);
            self.wires.announce(&wire);
        }
        tokio::spawn(Mover::new(wire, self.wires.clone(), freight.stream));
    }

    /// Takes packets that have come over streams, as many as are fair before something is sent. True when there were any.
    pub(super) fn hear_wires(&self, state: &mut State, now: Instant) -> bool {
        let wires = &self.wires;
        if wires.count() == 0 {
            return false;
        }
        wires.bell.awake();
        if !wires.bell.answer() {
            return false;
        }
        let mut left = FROM_ALL;
        let mut packets = Vec::new();
        while left > 0
            && let Some(wire) = wires.next_ready()
        {
            let news = wire.take(FROM_ONE.min(left), &mut packets);
            left -= packets.len();
            for packet in packets.drain(..) {
                self.take_carried(state, now, &wire, packet);
            }
            for link in news.freed {
                state.touch(link);
            }
            if news.has_more {
                wires.announce(&wire);
            } else if news.has_ended {
                state.end_wire(&wire);
                wires.forget(&wire);
            }
        }
        if left == 0 {
            wires.bell.ring();
        }
        left < FROM_ALL
    }

    /// Packets for connections of other loops are theirs alone: what this loop says of them it would say to whoever asks.
    fn take_carried(&self, state: &mut State, now: Instant, wire: &Arc<Wire>, packet: Bytes) {
        let is_short = packet.first().is_none_or(|first| first & LONG == 0);
        if is_short && !self.place.is_for(&packet) {
            return;
        }
        state.carried.received += 1;
        let received = Received {
            path: FourTuple::new(wire.address, None),
            ecn: None,
            payload: BytesMut::from(packet),
            wire: Some(wire.clone()),
        };
        state.take_packet(self, now, received);
    }
}

impl Wires {
    fn next_ready(&self) -> Option<Arc<Wire>> {
        let wire = lock(&self.ready).pop_front()?;
        // What comes from now on is news.
        wire.is_looked_at();
        Some(wire)
    }
}

impl State {
    /// A stream has ended, and with it what it carried: nothing will come, and nothing can be said.
    fn end_wire(&mut self, wire: &Arc<Wire>) {
        for handle in self.links.handles() {
            let is_on_it = |link: &mut super::link::Link| link.is_on(Some(wire));
            if self.link(handle).is_some_and(is_on_it) {
                self.end_carried(handle);
            }
        }
    }

    /// Ends a link whose stream is gone; what the other side said last was heard before.
    pub(super) fn end_carried(&mut self, handle: ConnectionHandle) {
        self.hear(handle);
        if let Some(link) = self.link(handle) {
            link.end(no_wire());
            self.forget(handle);
        }
    }
}

/// Carries a stream on the loop that its first packet is for, where the connections of its company are.
pub(super) async fn carry_where_it_belongs(
    loops: Vec<Weak<Shared>>,
    address: SocketAddr,
    mut freight: Freight,
) {
    let stream = &mut freight.stream;
    let first = poll_fn(|cx| Pin::new(&mut *stream).poll_next(cx));
    let Ok(Some(Ok(first))) = tokio::time::timeout(SILENCE, first).await else {
        return;
    };
    let any = loops.iter().find_map(Weak::upgrade);
    let index = any.map_or(0, |any| any.place.of(&first));
    if let Some(shared) = loops.get(index).and_then(Weak::upgrade) {
        shared.carry(address, freight, Some(first));
    }
}

#[cfg(test)]
mod tests;
