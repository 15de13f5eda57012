//! A connection as the driver sees it: QUIC's core, the frames that wait for it, and who waits for news.

use super::wire::Wire;
use crate::congestion::{self, Allowance};
use crate::tls::fingerprint_of;
use crate::transport::{EXPORTER, SEND_BUFFER};
use bytes::Bytes;
use lanparty_ctrl::Fingerprint;
use lanparty_flow::gate::{AT_ONCE, Pace};
use lanparty_flow::queue::{FlowQueue, Person, Turn, Waited};
use lanparty_obs::link::QueueStats;
use lanparty_proto::flow::Flow;
use noq_proto::{self as proto, ConnectionError, ConnectionEvent, FourTuple, PathId, Transmit};
use rustls_pki_types::CertificateDer;
use smallvec::SmallVec;
use std::hash::RandomState;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::Waker;
use std::time::{Duration, Instant};

/// Frames that may wait for a link, in bytes (what RFC 8290 §5.2 calls its limit): a quarter of a second of a steady
/// 15 Mbit/s, for which a busy machine may have no processor. Waits are CoDel's business; but for what never gives
/// way on a slow line, such as a video, this is the longest queue too.
pub(crate) const QUEUE_LIMIT: usize = 512 * 1024;
/// What QUIC is given at a time, in bytes: a packet train of full size at most, two full packets at
/// least. What it holds goes out in the order in which it came, so it should hold little.
const LARGEST_FEED: usize = 44 * 1350;
const LEAST_FEED: usize = 2 * 1350;
/// What QUIC counts for a datagram that it holds, beside its bytes: the handle of its memory.
pub(super) const HELD_OVERHEAD: usize = size_of::<Bytes>();
/// The shortest datagram: a header of ours, and one of Ethernet.
const LEAST_DATAGRAM: usize = 22;
/// How long an acknowledgement may be late (RFC 9000 §18.2, max_ack_delay), which QUIC's own clock sees to.
const MAX_ACK_DELAY: Duration = Duration::from_millis(25);
/// How often at most a link shows other loops how it stands: nobody asks more often than once a second, while working it out
/// costs as much as a tenth of a frame.
const SHOWN_EVERY: Duration = Duration::from_millis(100);
/// The smallest packet that may be full, and what challenges to a path are made to be (RFC 9000 §8.2.1, §14.1).
const LEAST_FULL: usize = 1200;
/// However short they are, the datagrams that QUIC is given find room.
const _: () = assert!(
    LARGEST_FEED + 2 * 1514 + (LARGEST_FEED / LEAST_DATAGRAM + 2) * HELD_OVERHEAD < SEND_BUFFER
);

/// Who is called for the datagrams that came.
pub(crate) type Handler = Box<dyn FnMut(Instant, &mut [Bytes]) + Send>;

/// A frame's datagrams: one, or its fragments.
pub(crate) type Pieces = SmallVec<[Bytes; 2]>;

/// What is known of a connection also when it is over.
#[derive(Debug, Default)]
pub(super) struct Fate {
    /// No other connection's of this program.
    pub(super) number: u64,
    /// Who is at the other end of the stream that carries it.
    pub(super) carried: Option<SocketAddr>,
    pub(super) binding: OnceLock<[u8; 32]>,
    pub(super) identity: OnceLock<Fingerprint>,
    pub(super) end: OnceLock<ConnectionError>,
    /// Datagrams may wait to be read, or the end.
    pub(super) has_unread: AtomicBool,
    /// What had become of its frames when it ended.
    pub(super) queue: OnceLock<QueueStats>,
    /// For whoever must not wait for its loop.
    pub(super) glance: Glance,
}

/// What is seen of a connection from other loops, as it was when it sent last, or a moment before that.
#[derive(Debug, Default)]
pub(super) struct Glance {
    /// The largest datagram.
    pub(super) longest: AtomicUsize,
    /// The smoothed round trip; zero where there is none.
    pub(super) rtt_us: AtomicU64,
    pub(super) sent: AtomicU64,
    pub(super) lost: AtomicU64,
    /// From where to where it goes.
    pub(super) path: Mutex<Option<FourTuple>>,
    /// Frames that its queue has thrown away.
    pub(super) undelivered: AtomicU64,
    /// Frames of other loops that found no room on their way to its queue.
    pub(super) crowded_out: AtomicU64,
}

impl Glance {
    /// The lock, held for a copy.
    pub(super) fn path(&self) -> MutexGuard<'_, Option<FourTuple>> {
        self.path.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

static LINKS: AtomicU64 = AtomicU64::new(0);

/// A connection and who waits for it.
pub(super) struct Link {
    pub(super) quic: proto::Connection,
    /// The stream that carries it, if it does not go over UDP.
    pub(super) wire: Option<Arc<Wire>>,
    pub(super) fate: Arc<Fate>,
    pub(super) is_connected: bool,
    pub(super) is_touched: bool,
    /// It may have more to say than frames, and that something has come.
    pub(super) is_eager: bool,
    /// It has a gate, and what it sends in this turn are frames and what rides on them, or acknowledgements.
    only_frames: bool,
    has_said_all: bool,
    /// A gate decides what may be on the path.
    is_gated: bool,
    /// Bytes that have come since something was sent.
    unanswered: u64,
    /// When it is asked for packets at the latest, while it has only received.
    put_off_until: Option<Instant>,
    /// When QUIC's clock would have it acknowledge what came.
    acknowledges_at: Option<Instant>,
    pub(super) deadline: Option<Instant>,
    pub(super) queue: FlowQueue<Pieces>,
    /// Frames have come since its last turn.
    pub(super) has_frames: bool,
    pub(super) feed: usize,
    pace: Pace,
    /// When the gate lets more pass, unless an acknowledgement comes before.
    opens_at: Option<Instant>,
    shown_at: Option<Instant>,
    pub(super) reader: Option<Waker>,
    pub(super) handler: Option<Handler>,
    /// Datagrams that were read, and those that never were.
    read: u64,
    overrun: u64,
    /// Since nothing was left to be read there have been more than the reader took at once.
    is_behind: bool,
    // Whoever waits for anything but datagrams; few, and rarely woken.
    pub(super) waiters: Vec<Waker>,
}

impl Link {
    pub(super) fn new(quic: proto::Connection, wire: Option<Arc<Wire>>) -> Self {
        if let Some(wire) = &wire {
            wire.has_link();
        }
        Link {
            quic,
            fate: Arc::new(Fate {
                number: LINKS.fetch_add(1, Ordering::Relaxed),
                carried: wire.as_ref().map(|wire| wire.peer),
                ..Fate::default()
            }),
            wire,
            is_connected: false,
            is_touched: false,
            is_eager: true,
            only_frames: false,
            has_said_all: false,
            is_gated: false,
            unanswered: 0,
            put_off_until: None,
            acknowledges_at: None,
            deadline: None,
            queue: FlowQueue::new(QUEUE_LIMIT, RandomState::new()),
            has_frames: false,
            feed: LARGEST_FEED,
            pace: Pace::new(Instant::now()),
            opens_at: None,
            shown_at: None,
            reader: None,
            handler: None,
            read: 0,
            overrun: 0,
            is_behind: false,
            waiters: Vec::new(),
        }
    }

    pub(super) fn is_carried(&self) -> bool {
        self.wire.is_some()
    }

    /// Whether packets that come over this stream, or over UDP, may be its own. A link stays with what it began on: else
    /// whoever copies a packet of it to a stream could draw it there, and end it with that.
    pub(super) fn is_on(&self, wire: Option<&Arc<Wire>>) -> bool {
        match (&self.wire, wire) {
            (None, None) => true,
            (Some(own), Some(wire)) => Arc::ptr_eq(own, wire),
            (None, Some(_)) | (Some(_), None) => false,
        }
    }

    /// True while its stream takes nothing: then frames stay where they are sorted.
    fn is_stalled(&self) -> bool {
        self.wire.as_ref().is_some_and(|wire| wire.is_full())
    }

    pub(super) fn wake_all(&mut self) {
        self.reader
            .take()
            .into_iter()
            .chain(self.waiters.drain(..))
            .for_each(Waker::wake);
    }

    /// When this link has to be looked at again, whatever comes.
    pub(super) fn poll_timeout(&mut self) -> Option<Instant> {
        self.quic
            .poll_timeout()
            .into_iter()
            .chain(self.opens_at)
            .chain(self.put_off_until)
            .chain(self.queue.poll_timeout())
            .min()
    }

    /// When the gate lets more pass, where somebody waits for that.
    #[cfg(test)]
    pub(super) fn opens_at(&mut self) -> &mut Option<Instant> {
        &mut self.opens_at
    }

    /// It is asked again when its stream has room: nothing that it waited for gives it more before.
    pub(super) fn wait_for_room(&mut self) {
        self.opens_at = None;
    }

    /// That time has come, or a little more.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        self.quic.handle_timeout(now);
        self.queue.handle_timeout(now);
    }

    /// A packet of `len` bytes has come.
    pub(super) fn receive(&mut self, now: Instant, packet: ConnectionEvent, len: usize) {
        self.quic.handle_event(packet);
        self.unanswered += len as u64;
        let due = now + MAX_ACK_DELAY;
        if self.acknowledges_at.is_none() && self.quic.poll_timeout() == Some(due) {
            self.acknowledges_at = Some(due);
        }
    }

    /// False for a link that has nothing but acknowledgements to send, and few of them: they ride on the next
    /// frame, or wait for QUIC's own clock. A packet for each would be a third of all packets, and the frame would wait for it.
    pub(super) fn wants_to_send(&mut self) -> bool {
        self.is_eager
            || !self.is_connected
            || self.has_frames_to_send()
            || self.unanswered >= AT_ONCE
            || held(&mut self.quic) > 0
    }

    pub(super) fn has_frames_to_send(&self) -> bool {
        self.has_frames || !self.queue.is_empty()
    }

    /// It is asked later: what QUIC has to say but does not tell of, such as what got lost, waits as long as an acknowledgement.
    pub(super) fn put_off(&mut self, now: Instant) {
        self.put_off_until.get_or_insert(now + MAX_ACK_DELAY);
    }

    /// It is going to send, and takes along what it has to acknowledge. QUIC does not offer that: it writes an acknowledgement
    /// that is due. So its clock is told that the time has come, if that is what it waits for next.
    pub(super) fn begin_to_send(&mut self) {
        self.only_frames = !std::mem::take(&mut self.is_eager) && self.is_gated;
        self.has_said_all = false;
        self.has_frames = false;
        self.unanswered = 0;
        self.put_off_until = None;
        if let Some(due) = self.acknowledges_at.take()
            && self.quic.poll_timeout() == Some(due)
        {
            self.quic.handle_timeout(due);
        }
    }

    /// What it sends next, which is then in `contents`; `None` when it has nothing more to say.
    pub(super) fn next_train(
        &mut self,
        now: Instant,
        most: NonZeroUsize,
        contents: &mut Vec<u8>,
    ) -> Option<Transmit> {
        contents.clear();
        let train = match self.has_said_all {
            true => None,
            false => {
                self.feed(now);
                self.quic.poll_transmit(now, most, contents)
            }
        };
        match &train {
            Some(train) => self.has_said_all = self.was_all(train),
            None => self.adapt_feed(),
        }
        train
    }

    /// True when nothing can come after this. QUIC says so when it is asked once more, which costs time;
    /// but a packet with room in it has taken along all that there was to say. What has packets of its own is not said
    /// for a frame's sake, such as probes and ends, or fills them, such as challenges to a path. Other controllers than the gate
    /// learn from the question that the program has no more.
    fn was_all(&mut self, train: &Transmit) -> bool {
        self.only_frames
            && train.size < LEAST_FULL
            && self.queue.is_empty()
            && held(&mut self.quic) == 0
    }

    /// Whose turn it is when QUIC holds so many bytes already.
    fn turn(&mut self, now: Instant, allowance: Option<&Allowance>, held: usize) -> Turn {
        let Some(Allowance { room, pace }) = allowance else {
            return Turn::Any;
        };
        if held as u64 >= *room {
            return Turn::SmallFlows;
        }
        match self.pace.check(now, *pace) {
            Ok(()) => Turn::Any,
            Err(later) => {
                self.opens_at = Some(later);
                Turn::SmallFlows
            }
        }
    }

    /// Takes a frame of `len` bytes that came at `now`. Where nothing waits and QUIC has room, there is nothing
    /// to be sorted; so it goes where [`Self::feed`] would bring it next, and past the queue.
    pub(super) fn take(
        &mut self,
        now: Instant,
        person: Person,
        flow: Flow,
        pieces: Pieces,
        len: usize,
    ) {
        self.has_frames = true;
        if self.queue.is_empty() && self.has_room(now) {
            self.queue.note_passed(now, Some((person, flow)));
            self.give(pieces);
        } else {
            self.queue
                .push(now, person, flow, by_themselves(pieces), len);
        }
    }

    fn has_room(&mut self, now: Instant) -> bool {
        let held = held(&mut self.quic);
        let allowance = congestion::allowance(&self.quic);
        !self.is_stalled()
            && held < self.feed
            && self.turn(now, allowance.as_ref(), held) == Turn::Any
    }

    /// Moves datagrams to `room`, and answers how many. QUIC says nowhere that it has thrown away the oldest of too many;
    /// but when nothing is left, that is what came and was not read.
    pub(super) fn read(&mut self, room: &mut [Bytes]) -> usize {
        let count = self.quic.datagrams().recv_many(room);
        self.read += count as u64;
        if count == room.len() {
            self.is_behind = true;
        } else {
            self.fate.has_unread.store(false, Ordering::Relaxed);
        }
        if count < room.len() && std::mem::take(&mut self.is_behind) {
            self.overrun = self.quic.stats().frame_rx.datagram - self.read;
        }
        count
    }

    /// Gives QUIC what it may send next, unless it has enough.
    pub(super) fn feed(&mut self, now: Instant) {
        self.opens_at = None;
        if self.queue.is_empty() {
            return;
        }
        let allowance = congestion::allowance(&self.quic);
        let mut held = held(&mut self.quic);
        while held < self.feed
            && let turn = self.turn(now, allowance.as_ref(), held)
            && let Some(pieces) = self.queue.pop(now, turn)
        {
            held += self.give(pieces);
        }
    }

    /// Gives a frame to QUIC. Answers how many bytes it has taken.
    fn give(&mut self, pieces: Pieces) -> usize {
        let mut given = 0;
        for piece in pieces {
            let len = piece.len();
            // Nobody can make a frame of the other pieces.
            if self.quic.datagrams().send(piece, false).is_err() {
                self.queue.note_refused();
                break;
            }
            given += len;
        }
        self.pace.spend(given);
        given
    }

    /// What has become of its frames, and how long they have waited.
    pub(super) fn queue_stats(&self) -> (QueueStats, &Waited) {
        let mut stats = QueueStats {
            overrun: self.overrun,
            ..self.queue.stats()
        };
        stats.bulk.full += self.fate.glance.crowded_out.load(Ordering::Relaxed);
        (stats, self.queue.waited())
    }

    /// Shows the other loops how it stands, if that was a while ago.
    pub(super) fn show_again(&mut self, now: Instant) {
        let is_due = |shown_at| now.saturating_duration_since(shown_at) >= SHOWN_EVERY;
        if self.shown_at.is_none_or(is_due) {
            self.shown_at = Some(now);
            self.show();
        }
    }

    fn show(&mut self) {
        let glance = &self.fate.glance;
        let longest = self.quic.datagrams().max_size();
        glance
            .longest
            .store(longest.unwrap_or(0), Ordering::Relaxed);
        let rtt = self.quic.rtt(PathId::ZERO).unwrap_or_default();
        let micros = u64::try_from(rtt.as_micros()).unwrap_or(u64::MAX);
        glance.rtt_us.store(micros, Ordering::Relaxed);
        if let Some(path) = self.quic.path_stats(PathId::ZERO) {
            glance.sent.store(path.sent_packets, Ordering::Relaxed);
            glance.lost.store(path.lost_packets, Ordering::Relaxed);
        }
        if let Ok(path) = self.quic.network_path(PathId::ZERO) {
            *glance.path() = Some(path);
        }
        let queue = self.queue.stats();
        let undelivered = queue.without_room() + queue.late();
        glance.undelivered.store(undelivered, Ordering::Relaxed);
    }

    /// Adapts the next feed to what QUIC has left of this one.
    fn adapt_feed(&mut self) {
        self.feed = match held(&mut self.quic) {
            0 => (self.feed * 2).min(LARGEST_FEED),
            _ => (self.feed / 2).max(LEAST_FEED),
        };
    }

    /// The handshake is complete.
    pub(super) fn connected(&mut self) {
        self.is_connected = true;
        if let Some(wire) = &self.wire {
            wire.is_known();
        }
        self.is_gated = congestion::allowance(&self.quic).is_some();
        self.ask_tls();
        self.show();
        self.wake_all();
    }

    /// Asks TLS once, so that the answers are there also when the connection is not any more.
    fn ask_tls(&mut self) {
        let mut binding = [0; 32];
        let tls = self.quic.crypto_session();
        tls.export_keying_material(&mut binding, EXPORTER, &[])
            .expect("the handshake is complete and 32 bytes are not too many");
        let _ = self.fate.binding.set(binding);
        let chain = tls.peer_identity().and_then(|any| any.downcast().ok());
        let chain: Vec<CertificateDer<'_>> = chain.map(|chain| *chain).unwrap_or_default();
        if let Some(identity) = chain.first().and_then(fingerprint_of) {
            let _ = self.fate.identity.set(identity);
        }
    }

    /// The other side has said that it does not know this connection. Where the core has understood that as well, it
    /// says so itself.
    pub(super) fn forgotten(&mut self, now: Instant) {
        if !self.quic.is_closed() {
            self.quic.close(now, 0u8.into(), Bytes::new());
            self.end(ConnectionError::Reset);
        }
    }

    pub(super) fn end(&mut self, error: ConnectionError) {
        // The first reason is the reason.
        let _ = self.fate.queue.set(self.queue_stats().0);
        let _ = self.fate.end.set(error);
        self.fate.has_unread.store(true, Ordering::Relaxed);
        // It holds the connection, which is over by now.
        self.handler = None;
        self.wake_all();
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        if let Some(wire) = &self.wire {
            wire.lost_link();
        }
    }
}

/// The same datagrams in memory of their own: a frame that waits would keep all the memory that came with it, which may
/// be a thousand times as much, and for a long one forty times. What waits is counted as what it holds.
pub(crate) fn by_themselves(mut pieces: Pieces) -> Pieces {
    for piece in &mut pieces {
        *piece = Bytes::copy_from_slice(piece);
    }
    pieces
}

/// How many bytes of datagrams QUIC holds because it may not send them yet.
pub(super) fn held(quic: &mut proto::Connection) -> usize {
    let space = quic.datagrams().send_buffer_space();
    (SEND_BUFFER - space).saturating_sub(HELD_OVERHEAD)
}

/// Notes who wants to be woken, once.
pub(super) fn remember(wakers: &mut Vec<Waker>, waker: &Waker) {
    if !wakers.iter().any(|known| known.will_wake(waker)) {
        wakers.push(waker.clone());
    }
}
