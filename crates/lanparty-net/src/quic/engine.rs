//! noq's sans-IO core with a driver of our own: one task for a UDP socket and all connections on it.
//!
//! noq's own driver has a task per connection and a channel between it and the socket's task; for a
//! frame that is two more wake-ups in every program on its way. Here a connection is a value under the
//! socket's one lock, which is only ever held for a synchronous call. See [`driver::Driver`] for the
//! order of things in a turn.

mod driver;
mod streams;
mod udp;

pub use streams::{RecvStream, SendStream, StreamError};

use crate::queue::{Drops, FlowQueue};
use bytes::Bytes;
use driver::Driver;
use lanparty_proto::flow::Flow;
use noq_proto::{
    self as proto, ConnectionError, ConnectionHandle, Dir, Event, SendDatagramError, ServerConfig,
    StreamId, Transmit, VarInt,
};
use smallvec::SmallVec;
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Instant;
use udp::UdpPort;

/// Frames that may wait for a link, in bytes (RFC 8290's limit, for one player's line).
const QUEUE_LIMIT: usize = 256 * 1024;
/// What QUIC is given at a time, in bytes: a packet train of full size at most, two full packets at
/// least. What it holds goes out in the order in which it came, so it should hold little.
const LARGEST_FEED: usize = 44 * 1350;
const LEAST_FEED: usize = 2 * 1350;
/// What QUIC counts for a datagram that it holds, beside its bytes.
const HELD_OVERHEAD: usize = 64;

/// A frame's datagrams: one, or its fragments.
pub(super) type Pieces = SmallVec<[Bytes; 2]>;

/// A UDP socket with QUIC on it. Clones share it; with the last of them and the last connection the
/// socket goes.
#[derive(Debug, Clone)]
pub(super) struct Engine(Arc<Owner>);

#[derive(Debug)]
struct Owner(Arc<Shared>);

impl Drop for Owner {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.is_abandoned = true;
        state.wake_driver();
    }
}

struct Shared {
    state: Mutex<State>,
    udp: UdpPort,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("udp", &self.udp)
            .finish_non_exhaustive()
    }
}

impl Shared {
    /// The lock; nothing that panics while it is held leaves more than one connection odd.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers a packet that belongs to no connection, if that is possible now: whoever needs the
    /// answer asks again.
    fn answer(&self, transmit: &Transmit, contents: &[u8]) {
        let _ = self.udp.try_send(transmit, contents);
    }
}

struct State {
    endpoint: proto::Endpoint,
    links: HashMap<ConnectionHandle, Link>,
    /// Links that may have something to send or to say.
    touched: Vec<ConnectionHandle>,
    deadlines: BTreeSet<(Instant, usize)>,
    strangers: VecDeque<proto::Incoming>,
    accepting: Option<Waker>,
    waiting_for_idle: Vec<Waker>,
    /// There while the driver sleeps.
    driver: Option<Waker>,
    closing: Option<(VarInt, Bytes)>,
    is_abandoned: bool,
}

/// What is known of a connection also when it is over.
#[derive(Debug, Default)]
struct Fate {
    binding: OnceLock<[u8; 32]>,
    end: OnceLock<ConnectionError>,
    queue_drops: Mutex<Drops>,
}

/// A connection and who waits for it.
struct Link {
    quic: proto::Connection,
    fate: Arc<Fate>,
    is_connected: bool,
    is_touched: bool,
    deadline: Option<Instant>,
    queue: FlowQueue<Pieces>,
    feed: usize,
    reader: Option<Waker>,
    // Whoever waits for anything but datagrams; few, and rarely woken.
    waiters: Vec<Waker>,
}

impl Link {
    fn wake_all(&mut self) {
        self.reader
            .take()
            .into_iter()
            .chain(self.waiters.drain(..))
            .for_each(Waker::wake);
    }

    /// How many bytes of datagrams QUIC holds because it may not send them yet.
    fn held(&mut self) -> usize {
        let space = self.quic.datagrams().send_buffer_space();
        (super::SEND_BUFFER - space).saturating_sub(HELD_OVERHEAD)
    }

    /// Gives QUIC what it may send next, unless it has enough.
    fn feed(&mut self, now: Instant) {
        let mut held = self.held();
        while held < self.feed
            && let Some(pieces) = self.queue.pop(now)
        {
            for piece in pieces {
                held += piece.len();
                // There is room; what the path has become too narrow for is lost as on the path.
                let _ = self.quic.datagrams().send(piece, false);
            }
        }
        self.note_drops();
    }

    fn note_drops(&self) {
        let mut noted = self
            .fate
            .queue_drops
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *noted = self.queue.drops();
    }

    /// Adapts the next feed to what QUIC has left of this one.
    fn adapt_feed(&mut self) {
        self.feed = match self.held() {
            0 => (self.feed * 2).min(LARGEST_FEED),
            _ => (self.feed / 2).max(LEAST_FEED),
        };
    }

    /// Asks TLS once, so that the answer is there also when the connection is not any more.
    fn export_binding(&mut self) {
        let mut binding = [0; 32];
        self.quic
            .crypto_session()
            .export_keying_material(&mut binding, super::EXPORTER, &[])
            .expect("the handshake is complete and 32 bytes are not too many");
        let _ = self.fate.binding.set(binding);
    }

    fn end(&mut self, error: ConnectionError) {
        // The first reason is the reason.
        let _ = self.fate.end.set(error);
        self.wake_all();
    }
}

impl State {
    fn link(&mut self, handle: ConnectionHandle) -> Option<&mut Link> {
        self.links.get_mut(&handle)
    }

    /// Notes that a link may have something to send.
    fn touch(&mut self, handle: ConnectionHandle) {
        if let Some(link) = self.links.get_mut(&handle)
            && !std::mem::replace(&mut link.is_touched, true)
        {
            self.touched.push(handle);
        }
    }

    fn wake_driver(&mut self) {
        if let Some(driver) = self.driver.take() {
            driver.wake();
        }
    }

    fn add(&mut self, handle: ConnectionHandle, mut quic: proto::Connection) -> Arc<Fate> {
        let fate = Arc::new(Fate::default());
        if let Some((code, text)) = &self.closing {
            quic.close(Instant::now(), *code, text.clone());
            let _ = fate.end.set(ConnectionError::LocallyClosed);
        }
        let link = Link {
            quic,
            fate: fate.clone(),
            is_connected: false,
            is_touched: false,
            deadline: None,
            queue: FlowQueue::new(QUEUE_LIMIT),
            feed: LARGEST_FEED,
            reader: None,
            waiters: Vec::new(),
        };
        self.links.insert(handle, link);
        self.touch(handle);
        self.wake_driver();
        fate
    }

    fn hear_touched(&mut self) {
        for turn in 0..self.touched.len() {
            let handle = self.touched[turn];
            self.hear(handle);
        }
    }

    /// Brings a link's news to whoever waits for them.
    fn hear(&mut self, handle: ConnectionHandle) {
        let Some(link) = self.links.get_mut(&handle) else {
            return;
        };
        let mut is_drained = false;
        while let Some(event) = link.quic.poll_endpoint_events() {
            is_drained |= event.is_drained();
            if let Some(answer) = self.endpoint.handle_event(handle, event) {
                link.quic.handle_event(answer);
            }
        }
        while let Some(event) = link.quic.poll() {
            match event {
                Event::DatagramReceived => {
                    if let Some(reader) = link.reader.take() {
                        reader.wake();
                    }
                }
                Event::Connected => {
                    link.is_connected = true;
                    link.export_binding();
                    link.wake_all();
                }
                Event::ConnectionLost { reason } => link.end(reason),
                Event::Stream(_) => link.waiters.drain(..).for_each(Waker::wake),
                Event::HandshakeDataReady
                | Event::HandshakeConfirmed
                | Event::DatagramsUnblocked
                | Event::Path(_)
                | Event::NatTraversal(_) => {}
            }
        }
        if is_drained {
            self.remove(handle);
        }
    }

    /// After a link has sent what it could: its news, and when it has to be looked at again.
    fn settle(&mut self, handle: ConnectionHandle) {
        self.hear(handle);
        let Some(link) = self.links.get_mut(&handle) else {
            return;
        };
        let deadline = link.quic.poll_timeout();
        if deadline != link.deadline {
            let old = std::mem::replace(&mut link.deadline, deadline);
            if let Some(old) = old {
                self.deadlines.remove(&(old, handle.0));
            }
            if let Some(new) = deadline {
                self.deadlines.insert((new, handle.0));
            }
        }
    }

    fn remove(&mut self, handle: ConnectionHandle) {
        let Some(mut link) = self.links.remove(&handle) else {
            return;
        };
        if let Some(deadline) = link.deadline {
            self.deadlines.remove(&(deadline, handle.0));
        }
        link.end(ConnectionError::LocallyClosed);
        if self.links.is_empty() {
            self.waiting_for_idle.drain(..).for_each(Waker::wake);
        }
    }

    fn handle_timeouts(&mut self, now: Instant) {
        while let Some(&(deadline, key)) = self.deadlines.first()
            && deadline <= now
        {
            self.deadlines.pop_first();
            let handle = ConnectionHandle(key);
            if let Some(link) = self.links.get_mut(&handle) {
                link.deadline = None;
                link.quic.handle_timeout(now);
                self.touch(handle);
            }
        }
    }

    fn next_deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|&(deadline, _)| deadline)
    }

    fn is_over(&self) -> bool {
        self.is_abandoned && self.links.is_empty()
    }

    /// The socket is gone, and everything with it.
    fn break_all(&mut self) {
        for (_, mut link) in self.links.drain() {
            link.end(ConnectionError::Reset);
        }
        self.closing = Some((0u8.into(), Bytes::new()));
        self.accepting
            .take()
            .into_iter()
            .chain(self.waiting_for_idle.drain(..))
            .for_each(Waker::wake);
    }
}

impl Drop for State {
    fn drop(&mut self) {
        // What is not decided upon would be taken for a leak.
        for stranger in self.strangers.drain(..) {
            self.endpoint.ignore(stranger);
        }
    }
}

impl Engine {
    /// Starts the driver on `socket`.
    ///
    /// # Errors
    /// When the system does not let us set the socket up.
    pub(super) fn new(
        config: proto::EndpointConfig,
        server: Option<ServerConfig>,
        socket: UdpSocket,
    ) -> io::Result<Self> {
        let udp = UdpPort::new(socket)?;
        let endpoint =
            proto::Endpoint::new(Arc::new(config), server.map(Arc::new), !udp.may_fragment());
        let state = Mutex::new(State {
            endpoint,
            links: HashMap::new(),
            touched: Vec::new(),
            deadlines: BTreeSet::new(),
            strangers: VecDeque::new(),
            accepting: None,
            waiting_for_idle: Vec::new(),
            driver: None,
            closing: None,
            is_abandoned: false,
        });
        let shared = Arc::new(Shared { state, udp });
        tokio::spawn(Driver::new(shared.clone()));
        Ok(Engine(Arc::new(Owner(shared))))
    }

    fn shared(&self) -> &Arc<Shared> {
        &self.0.0
    }

    pub(super) fn local_address(&self) -> io::Result<SocketAddr> {
        self.shared().udp.local_address()
    }

    pub(super) fn set_server_config(&self, config: ServerConfig) {
        self.shared()
            .lock()
            .endpoint
            .set_server_config(Some(Arc::new(config)));
    }

    /// The next stranger; `None` once the engine is closed.
    pub(super) async fn accept(&self) -> Option<Stranger> {
        let packet = poll_fn(|cx| {
            let mut state = self.shared().lock();
            if let Some(stranger) = state.strangers.pop_front() {
                return Poll::Ready(Some(stranger));
            }
            if state.closing.is_some() {
                return Poll::Ready(None);
            }
            state.accepting = Some(cx.waker().clone());
            Poll::Pending
        })
        .await?;
        Some(Stranger {
            packet: Some(packet),
            shared: self.shared().clone(),
        })
    }

    /// Begins a handshake and waits for its end.
    ///
    /// # Errors
    /// Why there is no connection.
    pub(super) async fn connect(
        &self,
        config: proto::ClientConfig,
        address: SocketAddr,
        server_name: &str,
    ) -> Result<Connection, ConnectFailure> {
        let shared = self.shared();
        let address = shared.udp.reachable(address);
        let connection = {
            let mut state = shared.lock();
            let begun = state
                .endpoint
                .connect(Instant::now(), config, address, server_name);
            let (handle, quic) = begun.map_err(ConnectFailure::Config)?;
            Connection::new(shared, &mut state, handle, quic)
        };
        connection.connected().await?;
        Ok(connection)
    }

    /// Every connection forgets its own address and asks the other side for a sign of life.
    pub(super) fn follow_network(&self) {
        let mut state = self.shared().lock();
        let handles: Vec<_> = state.links.keys().copied().collect();
        for handle in handles {
            if let Some(link) = state.link(handle) {
                link.quic.handle_network_change(None, Instant::now());
            }
            state.touch(handle);
        }
        state.wake_driver();
    }

    /// Closes every connection and waits until the other sides have had time to hear it.
    pub(super) async fn close(&self, code: VarInt, text: &'static [u8]) {
        let text = Bytes::from_static(text);
        {
            let mut state = self.shared().lock();
            state.closing = Some((code, text.clone()));
            let handles: Vec<_> = state.links.keys().copied().collect();
            for handle in handles {
                let link = state.link(handle).expect("nobody removed it meanwhile");
                link.quic.close(Instant::now(), code, text.clone());
                link.end(ConnectionError::LocallyClosed);
                state.touch(handle);
            }
            if let Some(waker) = state.accepting.take() {
                waker.wake();
            }
            state.wake_driver();
        }
        poll_fn(|cx| {
            let mut state = self.shared().lock();
            if state.links.is_empty() {
                return Poll::Ready(());
            }
            remember(&mut state.waiting_for_idle, cx.waker());
            Poll::Pending
        })
        .await;
    }
}

/// Why a handshake came to nothing.
#[derive(Debug)]
pub(super) enum ConnectFailure {
    /// It could not begin.
    Config(proto::ConnectError),
    /// It ended.
    Connection(ConnectionError),
}

impl From<ConnectionError> for ConnectFailure {
    fn from(error: ConnectionError) -> Self {
        ConnectFailure::Connection(error)
    }
}

/// Somebody's first packet. Dropping it says nothing to them.
#[derive(Debug)]
pub(super) struct Stranger {
    packet: Option<proto::Incoming>,
    shared: Arc<Shared>,
}

impl Stranger {
    fn packet(&self) -> &proto::Incoming {
        self.packet.as_ref().expect("it is taken by value")
    }

    fn take(&mut self) -> proto::Incoming {
        self.packet.take().expect("it is taken by value")
    }

    pub(super) fn remote_address(&self) -> SocketAddr {
        self.packet().remote_address()
    }

    pub(super) fn address_validated(&self) -> bool {
        self.packet().remote_address_validated()
    }

    pub(super) fn refuse(mut self) {
        let (packet, mut answer) = (self.take(), Vec::new());
        let transmit = self.shared.lock().endpoint.refuse(packet, &mut answer);
        self.shared.answer(&transmit, &answer);
    }

    /// Asks for proof of the address. One that has given it already is not asked again but ignored.
    pub(super) fn retry(mut self) {
        let (packet, mut answer) = (self.take(), Vec::new());
        let asked = self.shared.lock().endpoint.retry(packet, &mut answer);
        match asked {
            Ok(transmit) => self.shared.answer(&transmit, &answer),
            Err(error) => self.packet = Some(error.into_incoming()),
        }
    }

    /// Completes the handshake.
    pub(super) async fn accept(mut self) -> Result<Connection, ConnectionError> {
        let (packet, mut answer) = (self.take(), Vec::new());
        let accepted = {
            let mut state = self.shared.lock();
            match state
                .endpoint
                .accept(packet, Instant::now(), &mut answer, None)
            {
                Ok((handle, quic)) => Ok(Connection::new(&self.shared, &mut state, handle, quic)),
                Err(error) => Err(error),
            }
        };
        let connection = accepted.map_err(|error| {
            if let Some(transmit) = &error.response {
                self.shared.answer(transmit, &answer);
            }
            error.cause
        })?;
        connection.connected().await?;
        Ok(connection)
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        if let Some(packet) = self.packet.take() {
            self.shared.lock().endpoint.ignore(packet);
        }
    }
}

/// A connection. Clones share it; with the last of them it is closed.
#[derive(Debug, Clone)]
pub(super) struct Connection(Arc<ConnectionRef>);

#[derive(Debug)]
struct ConnectionRef {
    shared: Arc<Shared>,
    handle: ConnectionHandle,
    // Set once the connection is over; the handle may then belong to another one.
    fate: Arc<Fate>,
}

impl Drop for ConnectionRef {
    fn drop(&mut self) {
        if self.fate.end.get().is_some() {
            return;
        }
        let mut state = self.shared.lock();
        if let Some(link) = state.link(self.handle) {
            link.quic.close(Instant::now(), 0u8.into(), Bytes::new());
            link.end(ConnectionError::LocallyClosed);
            state.touch(self.handle);
            state.wake_driver();
        }
    }
}

impl Connection {
    fn new(
        shared: &Arc<Shared>,
        state: &mut State,
        handle: ConnectionHandle,
        quic: proto::Connection,
    ) -> Self {
        let fate = state.add(handle, quic);
        Connection(Arc::new(ConnectionRef {
            shared: shared.clone(),
            handle,
            fate,
        }))
    }

    fn fate(&self) -> Option<ConnectionError> {
        self.0.fate.end.get().cloned()
    }

    /// Looks at the connection, or says why there is none.
    pub(super) fn look<T>(
        &self,
        look: impl FnOnce(&mut proto::Connection) -> T,
    ) -> Result<T, ConnectionError> {
        let mut state = self.0.shared.lock();
        match (self.fate(), state.link(self.0.handle)) {
            (None, Some(link)) => Ok(look(&mut link.quic)),
            (Some(error), _) => Err(error),
            (None, None) => Err(ConnectionError::Reset),
        }
    }

    /// Does something after which there may be something to send.
    pub(super) fn act<T>(
        &self,
        act: impl FnOnce(&mut proto::Connection) -> T,
    ) -> Result<T, ConnectionError> {
        let mut state = self.0.shared.lock();
        let done = match (self.fate(), state.link(self.0.handle)) {
            (None, Some(link)) => act(&mut link.quic),
            (Some(error), _) => return Err(error),
            (None, None) => return Err(ConnectionError::Reset),
        };
        state.touch(self.0.handle);
        state.wake_driver();
        Ok(done)
    }

    /// Tries, and waits for news of the connection when it is not the time yet.
    fn poll_with<T>(
        &self,
        cx: &mut Context<'_>,
        mut attempt: impl FnMut(&mut proto::Connection) -> Poll<T>,
    ) -> Poll<Result<T, ConnectionError>> {
        let mut state = self.0.shared.lock();
        let link = match (self.fate(), state.link(self.0.handle)) {
            (None, Some(link)) => link,
            (fate, _) => return Poll::Ready(Err(fate.unwrap_or(ConnectionError::Reset))),
        };
        let outcome = attempt(&mut link.quic);
        if outcome.is_pending() {
            remember(&mut link.waiters, cx.waker());
        }
        outcome.map(Ok)
    }

    /// Says that there may be something to send.
    fn nudge(&self) {
        let mut state = self.0.shared.lock();
        if self.0.fate.end.get().is_none() {
            state.touch(self.0.handle);
            state.wake_driver();
        }
    }

    /// What TLS exports for this connection.
    pub(super) fn binding(&self) -> [u8; 32] {
        let binding = self.0.fate.binding.get();
        *binding.expect("only whoever has completed a handshake has a connection")
    }

    async fn connected(&self) -> Result<(), ConnectionError> {
        poll_fn(|cx| {
            let mut state = self.0.shared.lock();
            match (self.fate(), state.link(self.0.handle)) {
                (None, Some(link)) if link.is_connected => Poll::Ready(Ok(())),
                (None, Some(link)) => {
                    remember(&mut link.waiters, cx.waker());
                    Poll::Pending
                }
                (fate, _) => Poll::Ready(Err(fate.unwrap_or(ConnectionError::Reset))),
            }
        })
        .await
    }

    /// Waits for datagrams and moves up to `room.len()` of them there, oldest first.
    pub(super) async fn read_datagrams(
        &self,
        room: &mut [Bytes],
    ) -> Result<usize, ConnectionError> {
        poll_fn(|cx| {
            let mut state = self.0.shared.lock();
            let link = match (self.fate(), state.link(self.0.handle)) {
                (None, Some(link)) => link,
                (fate, _) => return Poll::Ready(Err(fate.unwrap_or(ConnectionError::Reset))),
            };
            match link.quic.datagrams().recv_many(room) {
                0 => {
                    link.reader = Some(cx.waker().clone());
                    Poll::Pending
                }
                count => Poll::Ready(Ok(count)),
            }
        })
        .await
    }

    /// Queues a frame. When there is no room, some other one dies for it: see [`Self::queue_drops`].
    pub(super) fn send_frame(&self, flow: Flow, pieces: Pieces) -> Result<(), ConnectionError> {
        let len = pieces.iter().map(Bytes::len).sum();
        let mut state = self.0.shared.lock();
        match (self.fate(), state.link(self.0.handle)) {
            (None, Some(link)) => {
                link.queue.push(Instant::now(), flow, pieces, len);
                link.note_drops();
            }
            (fate, _) => return Err(fate.unwrap_or(ConnectionError::Reset)),
        }
        state.touch(self.0.handle);
        state.wake_driver();
        Ok(())
    }

    /// Sends a datagram before all that waits.
    pub(super) fn send_datagram(&self, datagram: Bytes) -> Result<(), SendDatagramError> {
        self.act(|quic| quic.datagrams().send(datagram, false))
            .unwrap_or(Err(SendDatagramError::Disabled))
    }

    /// What the queue has thrown away since the connection stands, also when it does not any more.
    pub(super) fn queue_drops(&self) -> Drops {
        *self
            .0
            .fate
            .queue_drops
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens a stream, when the other side allows one more.
    pub(super) async fn open(&self, dir: Dir) -> Result<StreamId, ConnectionError> {
        poll_fn(|cx| self.poll_with(cx, |quic| ready_if(quic.streams().open(dir)))).await
    }

    /// Waits for a stream of the other side's.
    pub(super) async fn accept(&self, dir: Dir) -> Result<StreamId, ConnectionError> {
        let id =
            poll_fn(|cx| self.poll_with(cx, |quic| ready_if(quic.streams().accept(dir)))).await?;
        // The other side may open another one for it.
        self.nudge();
        Ok(id)
    }

    pub(super) fn close(&self, code: VarInt, text: &'static [u8]) {
        // One that is over needs no end.
        let _ = self.act(|quic| quic.close(Instant::now(), code, Bytes::from_static(text)));
        let mut state = self.0.shared.lock();
        if self.0.fate.end.get().is_none()
            && let Some(link) = state.link(self.0.handle)
        {
            link.end(ConnectionError::LocallyClosed);
        }
    }

    /// Waits for the end.
    pub(super) async fn closed(&self) -> ConnectionError {
        let never = |_: &mut proto::Connection| Poll::<ConnectionError>::Pending;
        let ended = poll_fn(|cx| self.poll_with(cx, never)).await;
        ended.unwrap_or_else(|error| error)
    }
}

fn ready_if<T>(value: Option<T>) -> Poll<T> {
    value.map_or(Poll::Pending, Poll::Ready)
}

/// Notes who wants to be woken, once.
fn remember(wakers: &mut Vec<Waker>, waker: &Waker) {
    if !wakers.iter().any(|known| known.will_wake(waker)) {
        wakers.push(waker.clone());
    }
}
