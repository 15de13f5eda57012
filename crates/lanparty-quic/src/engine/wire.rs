//! One stream, as the loop and the task that moves its bytes share it.

use super::bell::lock;
use bytes::Bytes;
use noq_proto::ConnectionHandle;
use smallvec::SmallVec;
use std::any::Any;
use std::collections::VecDeque;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

/// Bytes that may wait for the stream before its links keep what they have, and at which they go on. What waits here goes out
/// in the order in which it came, so it should be little; the system has some 16 KiB beside it.
const FULL: usize = 32 * 1024;
const HAS_ROOM: usize = 16 * 1024;
/// How long a packet may wait for the stream: frames wait no longer in a link's queue either, and what TCP has taken it delivers, however
/// late.
const OLDEST: Duration = Duration::from_secs(1);
/// What may wait for a loop's turn.
const MOST_CAME: usize = 64 * 1024;
const MOST_PACKETS: usize = 64;
/// No peer of ours sends longer ones (RFC 9000 §18.2, max_udp_payload_size; noq says 1472).
pub(super) const LONGEST_PACKET: usize = 1500;

type Links = SmallVec<[ConnectionHandle; 1]>;

pub(super) struct Wire {
    /// Made up.
    pub(super) address: SocketAddr,
    /// Who is at the other end.
    pub(super) peer: SocketAddr,
    is_full: AtomicBool,
    /// The loop knows that there are news.
    is_ready: AtomicBool,
    rings: Mutex<Rings>,
}

#[derive(Default)]
struct Rings {
    came: VecDeque<Bytes>,
    came_bytes: usize,
    going: VecDeque<(Instant, Bytes)>,
    /// Bytes that the stream has not taken, or not written.
    unsent: usize,
    /// Links that have something to say as soon as there is room.
    parked: Links,
    links: usize,
    has_had_links: bool,
    until_known: Option<Box<dyn Any + Send>>,
    /// Nothing comes any more.
    has_ended: bool,
    /// Nothing is wanted any more.
    is_closed: bool,
    mover: Option<Waker>,
}

/// What a look at a stream has found, beside packets.
pub(super) struct News {
    pub(super) freed: Links,
    pub(super) has_more: bool,
    pub(super) has_ended: bool,
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wire")
            .field("peer", &self.peer)
            .finish_non_exhaustive()
    }
}

impl Wire {
    pub(super) fn new(
        address: SocketAddr,
        peer: SocketAddr,
        until_known: Option<Box<dyn Any + Send>>,
    ) -> Self {
        Wire {
            address,
            peer,
            is_full: AtomicBool::new(false),
            is_ready: AtomicBool::new(false),
            rings: Mutex::new(Rings {
                until_known,
                ..Rings::default()
            }),
        }
    }

    /// True for whoever has to tell the loop.
    pub(super) fn becomes_ready(&self) -> bool {
        !self.is_ready.swap(true, Ordering::SeqCst)
    }

    pub(super) fn is_looked_at(&self) {
        self.is_ready.store(false, Ordering::SeqCst);
    }
}

/// What the loop does.
impl Wire {
    /// Whether links on it should keep what they have.
    pub(super) fn is_full(&self) -> bool {
        self.is_full.load(Ordering::Relaxed)
    }

    /// Notes that a link waits for room. False when there is some.
    pub(super) fn park(&self, link: ConnectionHandle) -> bool {
        let mut rings = lock(&self.rings);
        let is_full = self.is_full() && !rings.has_ended;
        if is_full && !rings.parked.contains(&link) {
            rings.parked.push(link);
        }
        is_full
    }

    /// Sends a packet; where there is no room it is lost, as on a network.
    pub(super) fn send(&self, now: Instant, packet: &[u8]) {
        let mut rings = lock(&self.rings);
        if rings.has_ended || self.is_full() {
            return;
        }
        rings.going.push_back((now, Bytes::copy_from_slice(packet)));
        rings.unsent += packet.len();
        if rings.unsent >= FULL {
            self.is_full.store(true, Ordering::Relaxed);
        }
        rings.wake_mover();
    }

    /// Moves up to so many packets that have come to `packets`.
    pub(super) fn take(&self, most: usize, packets: &mut Vec<Bytes>) -> News {
        let mut rings = lock(&self.rings);
        let was_full = rings.is_crowded();
        let count = rings.came.len().min(most);
        packets.extend(rings.came.drain(..count));
        let taken: usize = packets.iter().map(Bytes::len).sum();
        rings.came_bytes -= taken;
        if was_full {
            rings.wake_mover();
        }
        News {
            freed: match self.is_full() {
                true => Links::new(),
                false => std::mem::take(&mut rings.parked),
            },
            has_more: !rings.came.is_empty(),
            has_ended: rings.has_ended,
        }
    }

    /// A connection has begun on it.
    pub(super) fn has_link(&self) {
        let mut rings = lock(&self.rings);
        rings.links += 1;
        rings.has_had_links = true;
    }

    /// Somebody has completed a handshake over it.
    pub(super) fn is_known(&self) {
        let until_known = lock(&self.rings).until_known.take();
        drop(until_known);
    }

    /// One of its connections is gone. With the last of them it ends, once it has said what it has to say.
    pub(super) fn lost_link(&self) {
        let mut rings = lock(&self.rings);
        rings.links -= 1;
        if rings.links == 0 {
            rings.close();
        }
    }

    pub(super) fn close(&self) {
        lock(&self.rings).close();
    }

    pub(super) fn has_ended(&self) -> bool {
        lock(&self.rings).has_ended
    }
}

/// What the task does that moves its bytes.
impl Wire {
    /// Notes who has to be woken. True when nothing is wanted any more.
    pub(super) fn attend(&self, cx: &Context<'_>) -> bool {
        let mut rings = lock(&self.rings);
        match &mut rings.mover {
            // The same one nearly always.
            Some(known) => known.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
        rings.is_closed
    }

    /// The next packet to be written.
    pub(super) fn next(&self) -> Option<Bytes> {
        let next = lock(&self.rings).going.pop_front();
        next.map(|(_, packet)| packet)
    }

    /// Packets that have waited for too long are lost, as on a network. True when links wait for their room.
    pub(super) fn expire(&self, now: Instant) -> bool {
        let mut rings = lock(&self.rings);
        let is_old = |(then, _): &(Instant, Bytes)| now.saturating_duration_since(*then) > OLDEST;
        let mut expired = 0;
        while rings.going.front().is_some_and(is_old)
            && let Some((_, packet)) = rings.going.pop_front()
        {
            expired += packet.len();
        }
        expired > 0 && self.makes_room(&mut rings, expired)
    }

    /// So many bytes have left. True when links wait for that.
    pub(super) fn left(&self, bytes: usize) -> bool {
        self.makes_room(&mut lock(&self.rings), bytes)
    }

    fn makes_room(&self, rings: &mut Rings, bytes: usize) -> bool {
        rings.unsent -= bytes;
        if self.is_full() && rings.unsent <= HAS_ROOM {
            self.is_full.store(false, Ordering::Relaxed);
        }
        !self.is_full() && !rings.parked.is_empty()
    }

    /// Whether another packet may come now; else the task is woken when it may.
    pub(super) fn has_room(&self) -> bool {
        !lock(&self.rings).is_crowded()
    }

    /// A packet has come.
    pub(super) fn came(&self, packet: Bytes) {
        let mut rings = lock(&self.rings);
        rings.came_bytes += packet.len();
        rings.came.push_back(packet);
    }

    pub(super) fn has_had_links(&self) -> bool {
        lock(&self.rings).has_had_links
    }

    /// Nothing comes or goes any more.
    pub(super) fn end(&self) {
        let mut rings = lock(&self.rings);
        rings.has_ended = true;
        rings.going = VecDeque::new();
        rings.mover = None;
        let until_known = rings.until_known.take();
        self.is_full.store(false, Ordering::Relaxed);
        drop(rings);
        drop(until_known);
    }
}

impl Rings {
    fn is_crowded(&self) -> bool {
        self.came.len() >= MOST_PACKETS || self.came_bytes >= MOST_CAME
    }

    fn close(&mut self) {
        self.is_closed = true;
        self.wake_mover();
    }

    fn wake_mover(&mut self) {
        if let Some(mover) = self.mover.take() {
            mover.wake();
        }
    }
}
