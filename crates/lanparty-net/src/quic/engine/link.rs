//! A connection as the driver sees it: QUIC's core, the frames that wait for it, and who waits for news.

use crate::gate::Pace;
use crate::queue::{Drops, FlowQueue, Turn};
use crate::quic::congestion::{self, Allowance};
use crate::tls::fingerprint_of;
use bytes::Bytes;
use lanparty_ctrl::Fingerprint;
use noq_proto::{self as proto, ConnectionError};
use rustls_pki_types::CertificateDer;
use smallvec::SmallVec;
use std::hash::RandomState;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::Waker;
use std::time::Instant;

/// Frames that may wait for a link, in bytes (RFC 8290's limit, for one player's line).
const QUEUE_LIMIT: usize = 256 * 1024;
/// What QUIC is given at a time, in bytes: a packet train of full size at most, two full packets at
/// least. What it holds goes out in the order in which it came, so it should hold little.
const LARGEST_FEED: usize = 44 * 1350;
const LEAST_FEED: usize = 2 * 1350;
/// What QUIC counts for a datagram that it holds, beside its bytes.
const HELD_OVERHEAD: usize = 64;

/// A frame's datagrams: one, or its fragments.
pub(in crate::quic) type Pieces = SmallVec<[Bytes; 2]>;

/// What is known of a connection also when it is over.
#[derive(Debug, Default)]
pub(super) struct Fate {
    pub(super) binding: OnceLock<[u8; 32]>,
    pub(super) identity: OnceLock<Fingerprint>,
    pub(super) end: OnceLock<ConnectionError>,
    pub(super) queue_drops: Mutex<Drops>,
}

/// A connection and who waits for it.
pub(super) struct Link {
    pub(super) quic: proto::Connection,
    pub(super) fate: Arc<Fate>,
    pub(super) is_connected: bool,
    pub(super) is_touched: bool,
    pub(super) deadline: Option<Instant>,
    pub(super) queue: FlowQueue<Pieces>,
    pub(super) feed: usize,
    pace: Pace,
    /// When the gate lets more pass, unless an acknowledgement comes before.
    opens_at: Option<Instant>,
    pub(super) reader: Option<Waker>,
    // Whoever waits for anything but datagrams; few, and rarely woken.
    pub(super) waiters: Vec<Waker>,
}

impl Link {
    pub(super) fn new(quic: proto::Connection) -> Self {
        Link {
            quic,
            fate: Arc::default(),
            is_connected: false,
            is_touched: false,
            deadline: None,
            queue: FlowQueue::new(QUEUE_LIMIT, RandomState::new()),
            feed: LARGEST_FEED,
            pace: Pace::new(Instant::now()),
            opens_at: None,
            reader: None,
            waiters: Vec::new(),
        }
    }

    pub(super) fn wake_all(&mut self) {
        self.reader
            .take()
            .into_iter()
            .chain(self.waiters.drain(..))
            .for_each(Waker::wake);
    }

    /// How many bytes of datagrams QUIC holds because it may not send them yet.
    fn held(&mut self) -> usize {
        let space = self.quic.datagrams().send_buffer_space();
        (crate::quic::SEND_BUFFER - space).saturating_sub(HELD_OVERHEAD)
    }

    /// When this link has to be looked at again, whatever comes.
    pub(super) fn poll_timeout(&mut self) -> Option<Instant> {
        self.quic
            .poll_timeout()
            .into_iter()
            .chain(self.opens_at)
            .min()
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

    /// Gives QUIC what it may send next, unless it has enough.
    pub(super) fn feed(&mut self, now: Instant) {
        self.opens_at = None;
        if self.queue.is_empty() {
            return;
        }
        let allowance = congestion::allowance(&self.quic);
        let mut held = self.held();
        while held < self.feed
            && let turn = self.turn(now, allowance.as_ref(), held)
            && let Some(pieces) = self.queue.pop(now, turn)
        {
            for piece in pieces {
                held += piece.len();
                self.pace.spend(piece.len());
                // There is room; what the path has become too narrow for is lost as on the path.
                let _ = self.quic.datagrams().send(piece, false);
            }
        }
        self.note_drops();
    }

    pub(super) fn note_drops(&self) {
        let mut noted = self
            .fate
            .queue_drops
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *noted = self.queue.drops();
    }

    /// Adapts the next feed to what QUIC has left of this one.
    pub(super) fn adapt_feed(&mut self) {
        self.feed = match self.held() {
            0 => (self.feed * 2).min(LARGEST_FEED),
            _ => (self.feed / 2).max(LEAST_FEED),
        };
    }

    /// Asks TLS once, so that the answers are there also when the connection is not any more.
    pub(super) fn ask_tls(&mut self) {
        let mut binding = [0; 32];
        let tls = self.quic.crypto_session();
        tls.export_keying_material(&mut binding, crate::quic::EXPORTER, &[])
            .expect("the handshake is complete and 32 bytes are not too many");
        let _ = self.fate.binding.set(binding);
        let chain = tls.peer_identity().and_then(|any| any.downcast().ok());
        let chain: Vec<CertificateDer<'_>> = chain.map(|chain| *chain).unwrap_or_default();
        if let Some(identity) = chain.first().and_then(fingerprint_of) {
            let _ = self.fate.identity.set(identity);
        }
    }

    pub(super) fn end(&mut self, error: ConnectionError) {
        // The first reason is the reason.
        let _ = self.fate.end.set(error);
        self.wake_all();
    }
}

/// Notes who wants to be woken, once.
pub(super) fn remember(wakers: &mut Vec<Waker>, waker: &Waker) {
    if !wakers.iter().any(|known| known.will_wake(waker)) {
        wakers.push(waker.clone());
    }
}
