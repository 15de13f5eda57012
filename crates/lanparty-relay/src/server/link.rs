//! How the relay reaches a peer.

use bytes::Bytes;
use lanparty_ctrl::RelayMessage;
use lanparty_ctrl::message::Disconnect;
use lanparty_proto::DatagramBudget;
use lanparty_quic::{CloseCode, Connection};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;
use tokio::sync::mpsc;
use tracing::debug;

/// Messages that may wait for a peer, beside its catch-up. One that lags further behind has a wrong
/// picture of its room; it is let go, and learns the right one when it comes back.
const SPARE_MESSAGES: usize = 256;

/// A peer's connection and its queue of messages.
#[derive(Debug)]
pub(super) struct Link {
    connection: Connection,
    budget: DatagramBudget,
    outbox: mpsc::Sender<Outgoing>,
    undelivered: AtomicU64,
}

/// What waits to be said to a peer.
#[derive(Debug)]
pub(super) enum Outgoing {
    Message(RelayMessage),
    /// The last message: the link is closed after it.
    Goodbye(Disconnect),
}

impl Link {
    /// A link, and the other end of its queue, which has room for a catch-up of `peers`.
    pub(super) fn new(
        connection: Connection,
        budget: DatagramBudget,
        peers: usize,
    ) -> (Self, mpsc::Receiver<Outgoing>) {
        let (outbox, queue) = mpsc::channel(peers + SPARE_MESSAGES);
        let link = Link {
            connection,
            budget,
            outbox,
            undelivered: AtomicU64::new(0),
        };
        (link, queue)
    }

    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Puts something into the queue; never waits.
    pub(super) fn queue(&self, outgoing: Outgoing) {
        if let Err(mpsc::error::TrySendError::Full(_)) = self.outbox.try_send(outgoing) {
            debug!("A peer does not read its messages and is let go");
            self.connection.close(CloseCode::Bye);
        }
    }

    /// Sends a frame that came at `now`, cut to what the path takes and the peer asked for; never waits.
    pub(super) fn send(&self, now: Instant, datagram: Bytes, frame_id: u16) {
        let sent = self
            .connection
            .send_frame(now, datagram, || frame_id, Some(self.budget));
        if sent.is_err() {
            self.undelivered.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Sends a probe of the path back. One that does not fit or finds no room is not missed: its
    /// absence is the answer.
    pub(super) fn echo(&self, probe: Bytes) {
        let _ = self.connection.send_probe(probe);
    }

    /// How many frames for this peer died in its queue or found its link down.
    pub(super) fn undelivered(&self) -> u64 {
        let queue = self.connection.queue_stats();
        self.undelivered.load(Ordering::Relaxed) + queue.without_room() + queue.late()
    }
}
