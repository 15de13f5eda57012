//! noq's sans-IO core with a driver of our own: one task for a UDP socket and all connections on it, or whoever holds
//! its [`Drive`].
//!
//! noq's own driver has a task per connection and a channel between it and the socket's task; for a
//! frame that is two more wake-ups in every program on its way. Here a connection is a value under the
//! socket's one lock, which is only ever held for a synchronous call. See [`driver::Driver`] for the
//! order of things in a turn.

mod alarm;
mod bell;
mod connection;
mod crew;
mod drive;
mod driver;
mod ears;
mod errands;
mod gather;
mod guests;
mod inbox;
mod lag;
mod link;
mod links;
mod punches;
mod state;
mod stranger;
mod strangers;
mod streams;
#[cfg(test)]
mod tests;
mod udp;
mod wire;
mod wires;

pub(crate) use connection::Connection;
pub use crew::Beat;
pub(crate) use crew::Crew;
pub(crate) use drive::Drive;
pub(crate) use driver::after_others;
pub use lag::{LagWindow, RING};
pub(crate) use link::{Handler, Pieces, QUEUE_LIMIT, by_themselves};
pub use state::{CarriedStats, Totals};
pub(crate) use stranger::Stranger;
pub use streams::StreamError;
pub(crate) use streams::{RecvStream, SendStream};
pub(crate) use wires::Freight;
pub use wires::PacketStream;

use crate::reset::OwnIds;
use crate::steer::Place;
use bytes::Bytes;
use drive::Background;
use driver::Driver;
use guests::Guests;
use inbox::Inbox;
use lag::Lateness;
use link::remember;
use noq_proto::{
    self as proto, ConnectionError, ServerConfig, Transmit, TransportError, TransportErrorCode,
    VarInt,
};
use state::State;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::atomic::AtomicU64;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::Instant;
use strangers::Strangers;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use udp::UdpPort;
use wires::{Wires, made_up};

/// A UDP socket with QUIC on it. Clones share it; with the last of them and the last connection the
/// socket goes.
#[derive(Debug, Clone)]
pub(crate) struct Engine(Arc<Owner>);

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
    // Before the state's lock, where both are held.
    driver: Mutex<Driver>,
    state: Mutex<State>,
    udp: UdpPort,
    /// Other ways than that socket.
    wires: Arc<Wires>,
    /// Which of its endpoint's loops it is.
    place: Place,
    /// Where there are others.
    inbox: Option<Inbox>,
    siblings: OnceLock<Vec<Weak<Shared>>>,
    /// Its thread is its own, so that it may sleep.
    gathers: AtomicBool,
    /// How many turns it has had.
    turns: AtomicU64,
    /// How late they were, once somebody wants to know.
    lateness: OnceLock<Lateness>,
    /// The state has them too.
    strangers: Arc<Strangers>,
    runtime: Handle,
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

    fn driver(&self) -> MutexGuard<'_, Driver> {
        self.driver.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers a packet that belongs to no connection, if that is possible now: whoever needs the
    /// answer asks again.
    fn answer(&self, transmit: &Transmit, contents: &[u8]) {
        if !made_up::is_one(transmit.destination) {
            let _ = self.udp.try_send(transmit, contents);
        } else if let Some(wire) = self.wires.find(transmit.destination) {
            wire.send(Instant::now(), &contents[..transmit.size]);
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.wires.close();
    }
}

impl Engine {
    /// Starts the driver on `socket`.
    ///
    /// # Errors
    /// When the system does not let us set the socket up.
    pub(crate) fn new(
        config: proto::EndpointConfig,
        ids: OwnIds,
        server: Option<ServerConfig>,
        socket: UdpSocket,
    ) -> io::Result<Self> {
        let server = server.map(Arc::new);
        Self::start(0, config, ids, server, socket).map(|(engine, _)| engine)
    }

    /// The same for one of several loops of an endpoint.
    fn start(
        endpoint_number: u64,
        config: proto::EndpointConfig,
        ids: OwnIds,
        server: Option<Arc<ServerConfig>>,
        socket: UdpSocket,
    ) -> io::Result<(Self, JoinHandle<()>)> {
        let udp = UdpPort::new(socket)?;
        let place = ids.place();
        let endpoint = proto::Endpoint::new(Arc::new(config), server, !udp.may_fragment());
        let state = State::new(endpoint, ids);
        let strangers = state.strangers.clone();
        let state = Mutex::new(state);
        let driver = Mutex::new(Driver::new(place.loops())?);
        let inbox = || Inbox::new(endpoint_number, place.index(), place.loops());
        let shared = Arc::new(Shared {
            driver,
            state,
            udp,
            wires: Arc::default(),
            place,
            inbox: (place.loops() > 1).then(inbox),
            siblings: OnceLock::new(),
            turns: AtomicU64::new(0),
            lateness: OnceLock::new(),
            gathers: AtomicBool::new(false),
            strangers,
            runtime: Handle::current(),
        });
        let driver = tokio::spawn(Background(shared.clone()));
        Ok((Engine(Arc::new(Owner(shared))), driver))
    }

    fn shared(&self) -> &Arc<Shared> {
        &self.0.0
    }

    pub(crate) fn local_address(&self) -> io::Result<SocketAddr> {
        self.shared().udp.local_address()
    }

    pub(crate) fn duplicate_socket(&self) -> io::Result<UdpSocket> {
        self.shared().udp.duplicate()
    }

    /// Packets may gather while its thread sleeps, where threads sleep for less than a millisecond.
    pub(crate) fn gather(&self) {
        let gathers = cfg!(target_os = "linux");
        self.shared().gathers.store(gathers, Ordering::Relaxed);
    }

    /// Takes no packet from the socket any more.
    pub(crate) fn turn_deaf(&self) {
        self.shared().lock().is_deaf = true;
    }

    /// What has become of the frames of all links so far.
    pub(crate) fn totals(&self) -> Totals {
        let mut totals = self.shared().lock().totals();
        totals.carried.streams = self.shared().wires.count();
        totals
    }

    /// Why the last packet was not sent, if it was not, as the system's number.
    pub(crate) fn refusal(&self) -> Option<i32> {
        self.shared().udp.refusal()
    }

    pub(crate) fn set_server_config(&self, config: Arc<ServerConfig>) {
        self.shared()
            .lock()
            .endpoint
            .set_server_config(Some(config));
    }

    /// Serves as well, those alone who are expected.
    pub(crate) fn serve_guests(&self, config: ServerConfig) {
        let mut state = self.shared().lock();
        state.endpoint.set_server_config(Some(Arc::new(config)));
        state.guests.get_or_insert_with(Guests::default);
    }

    /// So many handshakes may come from there, until then.
    pub(crate) fn expect(&self, address: IpAddr, until: Instant, handshakes: u8) {
        if let Some(guests) = &mut self.shared().lock().guests {
            guests.expect(Instant::now(), address, until, handshakes);
        }
    }

    /// From which other ports than these somebody punches who is at one of these addresses, until then.
    pub(crate) fn hear_punches(
        &self,
        known: &[SocketAddr],
        until: Instant,
    ) -> mpsc::Receiver<SocketAddr> {
        let mut state = self.shared().lock();
        state.punches.listen(Instant::now(), known, until)
    }

    /// Sends one byte, which is no packet of QUIC's.
    pub(crate) fn punch(&self, to: SocketAddr, ttl: Option<u8>) -> io::Result<()> {
        let shared = self.shared();
        let to = shared.udp.reachable(to);
        // Under the lock, nothing else is sent.
        let _state = shared.lock();
        shared.udp.punch(to, ttl)
    }

    /// The next stranger; `None` once the engine is closed, or its socket is gone.
    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<Option<Stranger>> {
        let strangers = &self.shared().strangers;
        let next = strangers.poll_next(cx);
        next.map(|next| next.map(|packet| Stranger::new(packet, self.shared())))
    }

    /// Begins a handshake and waits for its end.
    ///
    /// # Errors
    /// Why there is no connection.
    pub(crate) async fn connect(
        &self,
        config: proto::ClientConfig,
        address: SocketAddr,
        server_name: &str,
    ) -> Result<Connection, ConnectFailure> {
        let shared = self.shared();
        let address = shared.udp.reachable(address);
        let wire = shared.wires.find(address);
        if wire.is_none() && made_up::is_one(address) {
            return Err(no_wire().into());
        }
        let connection = {
            let mut state = shared.lock();
            let begun = state
                .endpoint
                .connect(Instant::now(), config, address, server_name);
            let (handle, quic) = begun.map_err(ConnectFailure::Config)?;
            Connection::new(shared, &mut state, handle, quic, wire)
        };
        connection.connected().await?;
        Ok(connection)
    }

    /// Every connection forgets its own address and asks the other side for a sign of life.
    pub(crate) fn follow_network(&self) {
        let mut state = self.shared().lock();
        state.follow_network(Instant::now());
        state.wake_driver();
    }

    /// Closes every connection.
    fn begin_to_close(&self, code: VarInt, text: &Bytes) {
        let mut state = self.shared().lock();
        state.closing = Some((code, text.clone()));
        for handle in state.links.handles() {
            let link = state.link(handle).expect("nobody removed it meanwhile");
            link.quic.close(Instant::now(), code, text.clone());
            link.end(ConnectionError::LocallyClosed);
            state.touch(handle);
        }
        self.shared().strangers.close();
        state.wake_driver();
    }

    /// Waits until no connection is left, so that the other sides have had time to hear of its end.
    async fn idle(&self) {
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

impl Shared {
    /// Waits until nobody wants the engine any more, when nothing else drives it.
    async fn abandoned(&self) {
        poll_fn(|cx| {
            let mut state = self.lock();
            if state.is_abandoned {
                return Poll::Ready(());
            }
            state.driver = Some(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

/// How a connection ends whose socket is gone; a `Reset` would be the other side's doing.
fn no_socket() -> ConnectionError {
    let gone = "the UDP socket of this machine is gone".to_owned();
    TransportError::new(TransportErrorCode::NO_VIABLE_PATH, gone).into()
}

/// How a connection ends whose stream is gone.
fn no_wire() -> ConnectionError {
    let gone = "the TCP connection that carried it has ended".to_owned();
    TransportError::new(TransportErrorCode::NO_VIABLE_PATH, gone).into()
}

/// Why a handshake came to nothing.
#[derive(Debug)]
pub(crate) enum ConnectFailure {
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
