//! How the relay reaches a peer.

use super::outbox::{Next, Outbox};
use crate::room::{Departure, Path, Sight};
use bytes::Bytes;
use lanparty_ctrl::message::{Disconnect, Entry};
use lanparty_ctrl::{RelayMessage, Role};
use lanparty_proto::DatagramBudget;
use lanparty_quic::Connection;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;
use tokio::sync::Notify;
use tracing::{Span, info};

/// How many messages go out together, to a peer that reads several from one stream.
const BATCH: usize = 32;

/// A peer's connection and its queue of messages.
#[derive(Debug)]
pub(super) struct Contact {
    connection: Connection,
    budget: DatagramBudget,
    role: Role,
    takes_redirects: bool,
    outbox: Mutex<Outbox>,
    /// Something has come into the outbox.
    filled: Notify,
    /// How many messages it takes at once.
    batch: usize,
    undelivered: AtomicU64,
    /// What its log lines begin with, once it has a seat.
    span: OnceLock<Span>,
}

/// What waits to be said to a peer.
#[derive(Debug)]
pub(super) enum Outgoing {
    Message(RelayMessage),
    /// The last message: the link is closed after it.
    Goodbye(Disconnect),
}

impl Contact {
    /// The link to whoever said this.
    pub(super) fn new(connection: Connection, entry: &Entry) -> Self {
        Contact {
            connection,
            budget: entry.datagram_budget,
            role: entry.who.role(),
            takes_redirects: entry.takes_redirects,
            outbox: Mutex::default(),
            filled: Notify::new(),
            batch: if entry.reads_batches { BATCH } else { 1 },
            undelivered: AtomicU64::new(0),
            span: OnceLock::new(),
        }
    }

    /// It has this seat.
    pub(super) fn seat(&self, span: Span) {
        let _ = self.span.set(span);
    }

    /// One line for each who leaves, whatever the reason.
    pub(super) fn log_departure(&self, departure: &Departure<Arc<Contact>>, why: Option<&str>) {
        let record = &departure.record;
        let span = self.span.get().cloned().unwrap_or_else(Span::none);
        span.in_scope(|| {
            info!(
                reason = %departure.reason,
                why,
                who = ?record.who,
                name = record.name.as_ref().map(tracing::field::display),
                frames = record.frames,
                bytes = record.bytes,
                dropped = record.drops.total(),
                malformed = record.malformed,
                undelivered = self.undelivered(),
                room_closed = departure.room_closed,
                "Left"
            );
        });
    }

    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// How the way to it is; nothing once its link is down.
    pub(super) fn path(&self) -> Option<Path> {
        Some(Path {
            rtt: self.connection.rtt()?,
            packets: self.connection.packets()?,
        })
    }

    /// Where it is seen, by a relay with this port; nowhere once its link is down, or where no packet of UDP reaches it.
    pub(super) fn sight(&self, port: u16) -> Option<Sight> {
        if self.connection.is_carried() {
            return None;
        }
        let ip = self.connection.local_ip();
        Some(Sight {
            address: self.connection.remote_address()?,
            relay: ip.map(|ip| SocketAddr::new(ip, port)),
            rtt: self.connection.rtt()?,
        })
    }

    /// Puts something into the outbox; never waits.
    pub(super) fn queue(&self, outgoing: Outgoing) {
        let mut outbox = self.outbox();
        match outgoing {
            Outgoing::Message(message) => outbox.push(message),
            Outgoing::Goodbye(goodbye) => outbox.say_goodbye(goodbye),
        }
        drop(outbox);
        self.filled.notify_one();
    }

    /// Waits for what is to be said next; for one task.
    pub(super) async fn next_words(&self, welcomed: bool) -> Next {
        // The welcome answers the hello, on the hello's own stream.
        let most = if welcomed { self.batch } else { 1 };
        loop {
            let next = self.outbox().take(most);
            match next {
                Some(next) => return next,
                None => self.filled.notified().await,
            }
        }
    }

    /// True while the host has not been told what it asked for before.
    pub(super) fn owes_members(&self) -> bool {
        self.outbox().owes_members()
    }

    /// What waits. A task that panicked while it held this has left one peer's words odd at worst.
    fn outbox(&self) -> MutexGuard<'_, Outbox> {
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn role(&self) -> Role {
        self.role
    }

    /// Whether it can be told to go to another relay.
    #[cfg_attr(
        not(feature = "cluster-etcd"),
        allow(dead_code, reason = "a relay that is alone sends nobody on")
    )]
    pub(super) fn takes_redirects(&self) -> bool {
        self.takes_redirects
    }

    /// Sends a frame that came at `now`, cut to what the path takes and the peer asked for; never waits. False when the
    /// link is down.
    pub(super) fn send(&self, now: Instant, datagram: Bytes, frame_id: u16) -> bool {
        let sent = self
            .connection
            .send_frame(now, datagram, || frame_id, Some(self.budget));
        if sent.is_err() {
            self.undelivered.fetch_add(1, Ordering::Relaxed);
        }
        sent.is_ok()
    }

    /// Sends a probe of the path back. One that does not fit or finds no room is not missed: its
    /// absence is the answer.
    pub(super) fn echo(&self, probe: Bytes) {
        let _ = self.connection.send_probe(probe);
    }

    /// How many frames for this peer died in its queue or found its link down.
    pub(super) fn undelivered(&self) -> u64 {
        self.undelivered.load(Ordering::Relaxed) + self.connection.undelivered()
    }
}
