//! A connection between two ends in one program: no packets, no encryption, no path.
//!
//! Where a host's relay and gateway are one program, they meet here as two programs meet over QUIC: frames wait in the
//! same queue, which is as short and as fair, control messages have streams, and who closes says why. What only a path
//! has is not there: nothing is lost on it, it takes no time, and nobody on it can be silent.

mod drive;
mod frames;
mod streams;
#[cfg(test)]
mod tests;

pub(crate) use drive::Drive;
pub(crate) use streams::{RecvStream, SendStream};

use crate::close::{CloseCode, Closed, HandshakeError};
use crate::engine::{Handler, Pieces, Totals};
use bytes::Bytes;
use frames::Frames;
use lanparty_ctrl::{ChannelBinding, Fingerprint, IdentityKey};
use lanparty_flow::queue::{Person, WaitWindow};
use lanparty_obs::link::{CongestionStats, Controller, QueueStats};
use lanparty_obs::{DropReason, LinkStats};
use lanparty_proto::DatagramBudget;
use lanparty_proto::flow::Flow;
use std::future::poll_fn;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Poll;
use std::time::Instant;
use streams::Streams;
use tokio::sync::{mpsc, watch};

/// What a link of ordinary size takes. Nothing is cut here for being longer; but a room's MTU follows what its first
/// member says, and players come by ordinary paths.
pub(crate) const BUDGET: DatagramBudget = DatagramBudget::new(1312).expect("it is more than 512");
/// Connections that may wait to be accepted.
const BACKLOG: usize = 4;
/// Datagrams that are handed over at once where some have waited.
const ROOM: usize = 8;

/// Connects to the [`Listener`] that was made with it, in the same program.
#[derive(Debug, Clone)]
pub struct Dialer {
    backlog: mpsc::Sender<Connection>,
    ledger: Arc<Ledger>,
}

/// Takes connections from its [`Dialer`]; when it goes they end.
#[derive(Debug)]
pub struct Listener {
    backlog: mpsc::Receiver<Connection>,
    ledger: Arc<Ledger>,
}

/// What has become of the frames that this program's listener has sent, on all connections so far.
#[derive(Debug, Clone)]
pub struct Tally(Arc<Ledger>);

#[derive(Debug, Default)]
struct Ledger {
    gone: Mutex<Totals>,
    live: Mutex<Vec<Weak<Pair>>>,
}

/// Both sides of a place to meet.
pub fn listen() -> (Dialer, Listener) {
    let (sender, receiver) = mpsc::channel(BACKLOG);
    let ledger = Arc::<Ledger>::default();
    let dialer = Dialer {
        backlog: sender,
        ledger: ledger.clone(),
    };
    let listener = Listener {
        backlog: receiver,
        ledger,
    };
    (dialer, listener)
}

impl Dialer {
    /// Connects, as whoever has the key `identity`, or as nobody in particular. Who is in the same program need not prove it.
    ///
    /// # Errors
    /// [`HandshakeError::Failed`] when nobody listens any more.
    pub async fn connect(
        &self,
        identity: Option<&IdentityKey>,
    ) -> Result<crate::Connection, HandshakeError> {
        let identity = identity.map(IdentityKey::fingerprint);
        let (near, far) = pair(rand::random(), identity, &self.ledger);
        let connected = self.backlog.send(far).await;
        let ended = || HandshakeError::Failed("the relay in this program has ended".to_owned());
        connected.map_err(|_| ended())?;
        Ok(near.into())
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let live = std::mem::take(&mut *lock(&self.ledger.live));
        let live = live.iter().filter_map(Weak::upgrade);
        live.for_each(|pair| pair.end(Side::Listener, b""));
    }
}

impl Listener {
    /// The next connection; `None` once there is no [`Dialer`] any more.
    pub async fn accept(&mut self) -> Option<crate::Connection> {
        self.backlog.recv().await.map(Into::into)
    }

    /// What its connections count.
    pub fn tally(&self) -> Tally {
        Tally(self.ledger.clone())
    }
}

impl Tally {
    /// Adds it to what other links have counted.
    pub fn add_to(&self, totals: &mut Totals) {
        // In this order a connection that ends meanwhile is counted once, or not yet.
        let live: Vec<_> = lock(&self.0.live)
            .iter()
            .filter_map(Weak::upgrade)
            .collect();
        let gone = lock(&self.0.gone).clone();
        totals.queue.add(&gone.queue);
        totals.waited.add(&gone.waited);
        for pair in live {
            pair.count(totals);
        }
    }
}

impl Ledger {
    fn enter(&self, pair: &Arc<Pair>) {
        let mut live = lock(&self.live);
        live.retain(|known| known.strong_count() > 0);
        live.push(Arc::downgrade(pair));
    }
}

/// One end. Clones share it; with the last of them the connection is closed.
#[derive(Debug, Clone)]
pub(crate) struct Connection(Arc<End>);

#[derive(Debug)]
struct End {
    pair: Arc<Pair>,
    side: Side,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Dialer,
    Listener,
}

impl Side {
    fn other(self) -> Self {
        match self {
            Side::Dialer => Side::Listener,
            Side::Listener => Side::Dialer,
        }
    }
}

/// What both ends share.
#[derive(Debug)]
struct Pair {
    binding: ChannelBinding,
    /// Who has dialled.
    identity: Option<Fingerprint>,
    ending: watch::Sender<Option<Ending>>,
    /// How often somebody has asked whether the other end is there.
    asked: AtomicU64,
    /// What goes to the dialer, and to the listener.
    ways: [Way; 2],
    ledger: Arc<Ledger>,
}

#[derive(Debug, Clone, Copy)]
struct Ending {
    by: Side,
    text: &'static [u8],
}

/// What is on its way to one end.
#[derive(Debug, Default)]
struct Way {
    frames: Mutex<Frames>,
    streams: Streams,
}

impl Way {
    /// Has a handler called, for this and for all that has come meanwhile, and puts it back.
    ///
    /// It is called without the lock: it may send something here itself, and ends connections.
    fn call(&self, mut handler: Handler, first: impl FnOnce(&mut Handler)) {
        first(&mut handler);
        let mut room: [Bytes; ROOM] = Default::default();
        loop {
            let (now, mut frames) = (Instant::now(), lock(&self.frames));
            let count = frames.take(now, &mut room);
            if count == 0 {
                let unwanted = frames.end_call(handler);
                drop(frames);
                return drop(unwanted);
            }
            drop(frames);
            handler(now, &mut room[..count]);
        }
    }
}

fn pair(
    binding: [u8; 32],
    identity: Option<Fingerprint>,
    ledger: &Arc<Ledger>,
) -> (Connection, Connection) {
    let pair = Arc::new(Pair {
        binding: ChannelBinding(binding),
        identity,
        ending: watch::Sender::new(None),
        asked: AtomicU64::new(0),
        ways: Default::default(),
        ledger: ledger.clone(),
    });
    ledger.enter(&pair);
    let end = |side| {
        let pair = pair.clone();
        Connection(Arc::new(End { pair, side }))
    };
    (end(Side::Dialer), end(Side::Listener))
}

impl Drop for End {
    fn drop(&mut self) {
        self.pair.end(self.side, b"");
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        let ledger = self.ledger.clone();
        self.count(&mut lock(&ledger.gone));
    }
}

impl Pair {
    fn way_to(&self, side: Side) -> &Way {
        match side {
            Side::Dialer => &self.ways[0],
            Side::Listener => &self.ways[1],
        }
    }

    /// The first reason is the reason.
    fn end(&self, by: Side, text: &'static [u8]) {
        let is_first = self.ending.send_if_modified(|ending| {
            let is_first = ending.is_none();
            ending.get_or_insert(Ending { by, text });
            is_first
        });
        if is_first {
            // A handler may hold this end, and everything else of its owner's.
            let handlers = self.ways.each_ref().map(|way| lock(&way.frames).end());
            drop(handlers);
        }
    }

    /// What has become of the frames that its listener has sent.
    fn count(&self, totals: &mut Totals) {
        let frames = lock(&self.way_to(Side::Dialer).frames);
        totals.queue.add(&frames.stats());
        totals.waited.add(frames.waited());
    }
}

impl Connection {
    fn way_here(&self) -> &Way {
        self.0.pair.way_to(self.0.side)
    }

    fn way_there(&self) -> &Way {
        self.0.pair.way_to(self.0.side.other())
    }

    /// How it has ended, as this end sees it.
    fn fate(&self) -> Option<Closed> {
        let ending = *self.0.pair.ending.borrow();
        ending.map(|ending| self.as_seen(ending))
    }

    fn as_seen(&self, Ending { by, text }: Ending) -> Closed {
        match by == self.0.side {
            true => Closed::ByUs,
            false => Closed::ByPeer(String::from_utf8_lossy(text).into_owned()),
        }
    }

    /// Counts signs of life of the other end, which runs as long as whoever asks does.
    pub(crate) fn heard(&self) -> u64 {
        match self.fate() {
            None => self.0.pair.asked.fetch_add(1, Ordering::Relaxed) + 1,
            Some(_) => self.0.pair.asked.load(Ordering::Relaxed),
        }
    }

    /// Waits for datagrams and moves up to `room.len()` of them there, oldest first.
    pub(crate) async fn read_datagrams(&self, room: &mut [Bytes]) -> Result<usize, Closed> {
        poll_fn(|cx| {
            let mut frames = lock(&self.way_here().frames);
            match frames.take(Instant::now(), room) {
                0 => match self.fate() {
                    Some(closed) => Poll::Ready(Err(closed)),
                    None => {
                        frames.wake_by(cx.waker());
                        Poll::Pending
                    }
                },
                count => Poll::Ready(Ok(count)),
            }
        })
        .await
    }

    /// Moves up to `room.len()` datagrams there that have come, oldest first.
    pub(crate) fn try_read_datagrams(&self, room: &mut [Bytes]) -> Result<usize, Closed> {
        let taken = lock(&self.way_here().frames).take(Instant::now(), room);
        match (taken, self.fate()) {
            (0, Some(closed)) => Err(closed),
            (taken, _) => Ok(taken),
        }
    }

    /// From now on whoever sends datagrams here calls `handler` for them, in its own turn, until the connection ends.
    pub(crate) fn hand_datagrams_to(&self, handler: Handler) {
        self.way_here().call(handler, |_| {});
    }

    /// The turns of whoever carries this connection's frames.
    pub(crate) fn drive(&self) -> Drive {
        Drive::new(self)
    }

    /// Hands a frame that came at `now` to the other end; where nobody wants to be called for it, it waits, and where
    /// there is no room, some other one dies for it.
    pub(crate) fn send_frame(
        &self,
        now: Instant,
        person: Person,
        flow: Flow,
        mut pieces: Pieces,
    ) -> Result<(), DropReason> {
        let mut frames = lock(&self.way_there().frames);
        if frames.is_over() {
            return Err(DropReason::LinkDown);
        }
        let Some(handler) = frames.begin_call(now, Some((person, flow))) else {
            frames.push(now, person, flow, pieces);
            return Ok(());
        };
        drop(frames);
        self.way_there()
            .call(handler, |handler| handler(now, &mut pieces));
        Ok(())
    }

    /// Sends a datagram before all that waits.
    pub(crate) fn send_datagram(&self, datagram: Bytes) -> Result<(), DropReason> {
        let mut frames = lock(&self.way_there().frames);
        let Some(handler) = frames.begin_call(Instant::now(), None) else {
            return frames.push_first(datagram);
        };
        drop(frames);
        self.way_there().call(handler, |handler| {
            handler(Instant::now(), &mut [datagram]);
        });
        Ok(())
    }

    /// What waits on the way to the other end, and what has died there.
    pub(crate) fn queue_stats(&self) -> QueueStats {
        lock(&self.way_there().frames).stats()
    }

    /// How it is doing; `None` when it is over.
    pub(crate) fn stats(&self, window: &mut WaitWindow) -> Option<LinkStats> {
        if self.fate().is_some() {
            return None;
        }
        let frames = lock(&self.way_there().frames);
        let waits = window.of_late(frames.waited());
        Some(LinkStats {
            congestion: CongestionStats {
                controller: Controller::None,
                ..CongestionStats::default()
            },
            queue: QueueStats {
                waits,
                ..frames.stats()
            },
            ..LinkStats::default()
        })
    }

    /// What this connection has and no other.
    pub(crate) fn binding(&self) -> ChannelBinding {
        self.0.pair.binding
    }

    /// Who the other end is, if it is somebody; whoever dials knows whom.
    pub(crate) fn identity(&self) -> Option<Fingerprint> {
        let identity = self.0.pair.identity;
        identity.filter(|_| self.0.side == Side::Listener)
    }

    /// Opens a stream with two directions.
    pub(crate) async fn open_bi(&self) -> Result<(SendStream, RecvStream), Closed> {
        let open = self.way_there().streams.open_bi();
        let (send, receive) = self.unless_closed(open).await?;
        Ok(self.both_ends(send, receive))
    }

    /// Waits for a stream with two directions.
    pub(crate) async fn accept_bi(&self) -> Result<(SendStream, RecvStream), Closed> {
        let accept = self.way_here().streams.accept_bi();
        let (send, receive) = self.unless_closed(accept).await?;
        Ok(self.both_ends(send, receive))
    }

    /// Opens a stream with one direction.
    pub(crate) async fn open_uni(&self) -> Result<SendStream, Closed> {
        let open = self.way_there().streams.open_uni();
        let pipe = self.unless_closed(open).await?;
        Ok(SendStream::new(self, pipe))
    }

    /// Waits for a stream with one direction.
    pub(crate) async fn accept_uni(&self) -> Result<RecvStream, Closed> {
        let accept = self.way_here().streams.accept_uni();
        let pipe = self.unless_closed(accept).await?;
        Ok(RecvStream::new(self, pipe))
    }

    fn both_ends(&self, send: streams::Pipe, receive: streams::Pipe) -> (SendStream, RecvStream) {
        (SendStream::new(self, send), RecvStream::new(self, receive))
    }

    /// Closes it; what the other end has not read is lost.
    pub(crate) fn close(&self, code: CloseCode) {
        self.0.pair.end(self.0.side, code.text());
    }

    /// Waits for the end.
    pub(crate) async fn closed(&self) -> Closed {
        let mut ending = self.0.pair.ending.subscribe();
        let ended = ending.wait_for(Option::is_some).await;
        let ending = ended.ok().and_then(|ending| *ending);
        self.as_seen(ending.expect("this end keeps the sender, and waited for an end"))
    }

    async fn unless_closed<T>(&self, event: impl Future<Output = T>) -> Result<T, Closed> {
        tokio::select! {
            biased; // as over QUIC: what was not read before the end is lost
            closed = self.closed() => Err(closed),
            happened = event => Ok(happened),
        }
    }
}

/// A lock that is held for a synchronous call only; whoever panicked in one has left one connection odd at worst.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
