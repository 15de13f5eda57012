//! Endpoints: the face of QUIC. No file outside knows that it is noq's sans-IO core, with a driver
//! (`engine`) and a queue (`lanparty_flow::queue`) of our own.

use crate::close::{CloseCode, HandshakeError, Unsent};
use crate::connection::Connection;
use crate::engine::{
    Beat, ConnectFailure, Crew, Engine, Freight, LagWindow, PacketStream, Stranger, Totals,
};
use crate::reset;
use crate::socket::{self, UdpBuffers, canonical};
use crate::steer::{self, Company};
use crate::tls::{Identity, IdentityError, Trust};
use crate::transport::{PathFloor, brisk_transport, transport};
use lanparty_ctrl::IdentityKey;
use lanparty_flow::Congestion;
use noq_proto::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use noq_proto::{ClientConfig, ServerConfig};
use std::any::Any;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::sync::mpsc;

/// Strangers whose first packet waits to be looked at, at some 30 KiB each, at all loops together. Who comes when all places are taken is
/// not heard, and asks again; the engine's own limit is 65536.
const MAX_FIRST_PACKETS: usize = 512;
/// What may wait behind each of these first packets, and behind all together, in bytes: a second packet of the same hello.
const BEHIND_FIRST_PACKET: u64 = 16 * 1024;
const BEHIND_FIRST_PACKETS: u64 = 2 * 1024 * 1024;

/// A UDP socket with the QUIC engine on it, or several that are steered to, each with an engine and a thread.
#[derive(Debug, Clone)]
pub struct Endpoint {
    crew: Arc<Crew>,
    buffers: UdpBuffers,
    congestion: Congestion,
    /// How large its packets are.
    floor: PathFloor,
    /// Whose links begin at the same loop of the other side as those of this one.
    company: Option<Company>,
    /// Whether its links end after few silent seconds.
    is_brisk: bool,
}

/// Why a relay cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Somebody else has it.
    #[error(
        "another program has UDP port {} of this machine; end that one, or choose another port with --listen", .0.port()
    )]
    InUse(SocketAddr),
    /// The port is for privileged programs.
    #[error(
        "only privileged programs may listen on port {}; run this as root, or once \
         `sudo setcap cap_net_bind_service+ep` on its file, or choose a port from 1024 on with --listen", .0.port()
    )]
    Privileged(SocketAddr),
    /// It is another machine's.
    #[error(
        "this machine has no address {}; give --listen one that `ip address` shows, or only a port, like {}/udp",
        .0.ip(), .0.port()
    )]
    Foreign(SocketAddr),
    /// Anything else.
    #[error("cannot listen on {0} ({1}); choose another address with --listen")]
    Bind(SocketAddr, #[source] io::Error),
    /// TLS does not take the identity.
    #[error(transparent)]
    Identity(#[from] IdentityError),
}

impl ListenError {
    /// What the system's answer means to whoever wanted this address.
    pub fn new(address: SocketAddr, error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::AddrInUse => ListenError::InUse(address),
            io::ErrorKind::PermissionDenied => ListenError::Privileged(address),
            io::ErrorKind::AddrNotAvailable => ListenError::Foreign(address),
            _ => ListenError::Bind(address, error),
        }
    }
}

impl Endpoint {
    /// An endpoint for one outgoing link, on a port of the system's choice.
    ///
    /// # Errors
    /// When the system gives no UDP socket.
    pub fn client(floor: PathFloor, congestion: Congestion) -> io::Result<Self> {
        Self::client_on(0, floor, congestion)
    }

    /// The same on this port, or on one of the system's choice where somebody has it: an earlier link, for one.
    ///
    /// # Errors
    /// When the system gives no UDP socket.
    pub fn client_on(port: u16, floor: PathFloor, congestion: Congestion) -> io::Result<Self> {
        // A dual-stack socket reaches relays of both families, where the system has IPv6 at all.
        let at = |address: IpAddr, port| Self::client_at((address, port).into(), floor, congestion);
        let both = Ipv6Addr::UNSPECIFIED.into();
        let chosen = at(both, port).or_else(|_| at(Ipv4Addr::UNSPECIFIED.into(), port));
        match port {
            0 => chosen,
            _ => chosen.or_else(|_| Self::client_on(0, floor, congestion)),
        }
    }

    /// The same at an address of this machine.
    ///
    /// # Errors
    /// When the system gives no UDP socket there.
    pub fn client_at(
        address: SocketAddr,
        floor: PathFloor,
        congestion: Congestion,
    ) -> io::Result<Self> {
        let (socket, buffers) = socket::bind(address)?;
        let (mut config, ids) = reset::nobodys_config();
        if floor == PathFloor::Least {
            // Tells the relay too: its packets to us must be as small as ours to it.
            config
                .max_udp_payload_size(floor.payload())
                .map_err(|error| io::Error::other(error.to_string()))?;
        }
        Ok(Endpoint {
            crew: Arc::new(Crew::alone(Engine::new(config, ids, None, socket)?)),
            buffers,
            congestion,
            floor,
            company: None,
            is_brisk: false,
        })
    }

    /// The same, whose links end after four silent seconds instead of [`IDLE_TIMEOUT`](crate::IDLE_TIMEOUT), at both ends: for a peer
    /// that has another relay to go to.
    pub fn brisk(self) -> Self {
        Endpoint {
            is_brisk: true,
            ..self
        }
    }

    /// The same, whose links begin where those of this company do.
    pub fn in_company(self, company: Company) -> Self {
        Endpoint {
            company: Some(company),
            ..self
        }
    }

    /// An endpoint that peers can connect to; the IPv6 wildcard means both families.
    ///
    /// # Errors
    /// [`ListenError`].
    pub fn server(
        listen: SocketAddr,
        identity: &Identity,
        congestion: Congestion,
    ) -> Result<Self, ListenError> {
        Self::server_with(listen, identity, congestion, 1)
    }

    /// The same with so many loops, or one where the system does not steer packets to one of several sockets: see
    /// [`Self::loops`]. All but the first do nothing before [`Self::start_threads`].
    ///
    /// # Errors
    /// [`ListenError`].
    pub fn server_with(
        listen: SocketAddr,
        identity: &Identity,
        congestion: Congestion,
        loops: usize,
    ) -> Result<Self, ListenError> {
        let loops = loops.clamp(1, steer::MAX_LOOPS);
        let bind = |address| socket::bind_group(address, loops);
        let bound = bind(listen)
            .or_else(|error| match listen.ip() {
                ip if ip == Ipv6Addr::UNSPECIFIED && no_ipv6(&error) => {
                    bind((Ipv4Addr::UNSPECIFIED, listen.port()).into())
                }
                _ => Err(error),
            })
            .map_err(|error| ListenError::new(listen, error))?;
        Self::serve_at(bound, listen, identity, congestion)
    }

    /// The same at sockets that another program has bound to one address, and still has, in their order: a loop on each.
    ///
    /// # Errors
    /// [`ListenError`].
    pub fn server_on(
        mut sockets: Vec<UdpSocket>,
        identity: &Identity,
        congestion: Congestion,
    ) -> Result<Self, ListenError> {
        let nowhere = SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), 0);
        let failed = |error| ListenError::Bind(nowhere, error);
        sockets.truncate(steer::MAX_LOOPS);
        let first = sockets.first().ok_or(io::ErrorKind::NotFound.into());
        let listen = first.and_then(UdpSocket::local_addr).map_err(failed)?;
        let adopted = socket::adopt(sockets).map_err(failed)?;
        Self::serve_at(adopted, listen, identity, congestion)
    }

    fn serve_at(
        (sockets, buffers): (Vec<UdpSocket>, UdpBuffers),
        listen: SocketAddr,
        identity: &Identity,
        congestion: Congestion,
    ) -> Result<Self, ListenError> {
        // Tokens of one loop are good in the others.
        let config = Arc::new(server_config(identity, congestion, sockets.len())?);
        let settings = |place| reset::endpoint_config(identity, place);
        let crew = Crew::new(sockets, &config, settings)
            .map_err(|error| ListenError::Bind(listen, error))?;
        Ok(Endpoint {
            crew: Arc::new(crew),
            buffers,
            congestion,
            floor: PathFloor::Ordinary,
            company: None,
            is_brisk: false,
        })
    }

    #[cfg(test)]
    pub(crate) fn crew(&self) -> &Crew {
        &self.crew
    }

    /// How many loops it has.
    pub fn loops(&self) -> usize {
        self.crew.engines().len()
    }

    /// Starts a thread for each loop but the first, which runs where the endpoint was made. They have the rights that the
    /// calling thread has now.
    ///
    /// # Errors
    /// When the system starts no more threads.
    pub fn start_threads(&self) -> io::Result<()> {
        self.crew.start()
    }

    /// Lets packets gather for up to a quarter of a millisecond while they come by the thousand: fewer turns move the same.
    /// Its threads sleep meanwhile, so nothing else that is in a hurry should run on them.
    pub fn gather(&self) {
        self.crew.engines().iter().for_each(Engine::gather);
    }

    /// True when each loop has had a turn since this was asked last with the same `seen`. A loop that has nothing to do takes one
    /// for that; so whoever asks twice within some seconds and hears no has one that is stuck.
    pub fn beat(&self, seen: &mut Beat) -> bool {
        self.crew.beat(seen)
    }

    /// Has each loop take a turn and note how late that came; to be asked each [`RING`](crate::RING) by who wants to
    /// know their [`lag`](Self::lag). Nothing is noted before the first time.
    pub fn ring(&self, now: Instant) {
        self.crew.ring(now);
    }

    /// How late packets are read: from when one could have been to its loop's turn, for 99 of 100 at the latest loop, in
    /// the last five looks with the same `window`. Nothing before it was rung.
    pub fn lag(&self, window: &mut LagWindow) -> Option<Duration> {
        self.crew.lag(window)
    }

    /// The sockets once more, in their order, for a program that shall take this one's place.
    ///
    /// # Errors
    /// When the system has no descriptor left.
    pub fn duplicate_sockets(&self) -> io::Result<Vec<UdpSocket>> {
        let engines = self.crew.engines().iter();
        engines.map(Engine::duplicate_socket).collect()
    }

    /// Reads nothing any more, so that another program at the same socket hears everything from now on. What the
    /// connections have to say is still sent.
    pub fn turn_deaf(&self) {
        self.crew.engines().iter().for_each(Engine::turn_deaf);
    }

    /// Takes another identity for connections to come; those that stand keep theirs.
    ///
    /// # Errors
    /// When TLS does not take it.
    pub fn set_identity(&self, identity: &Identity) -> Result<(), IdentityError> {
        let config = Arc::new(server_config(identity, self.congestion, self.loops())?);
        for engine in self.crew.engines() {
            engine.set_server_config(config.clone());
        }
        Ok(())
    }

    /// The address it is bound to.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn local_address(&self) -> io::Result<SocketAddr> {
        self.crew.first().local_address()
    }

    /// The buffers that the system granted.
    pub fn buffers(&self) -> UdpBuffers {
        self.buffers
    }

    /// What has become of the frames of all its links so far, those that are gone among them.
    pub fn totals(&self) -> Totals {
        Totals::of_all(self.crew.engines().iter().map(Engine::totals))
    }

    /// The next stranger who wants to connect; `None` once the endpoint is closed, or its socket is gone.
    pub async fn accept(&self) -> Option<Incoming> {
        self.crew.accept().await.map(Incoming)
    }

    /// Connects to a relay at `address`, whose certificate must carry `server_name`, as whoever has the key
    /// `identity`, or as nobody in particular.
    ///
    /// # Errors
    /// [`HandshakeError`].
    pub async fn connect(
        &self,
        address: SocketAddr,
        server_name: &str,
        trust: &Trust,
        identity: Option<&IdentityKey>,
        floor: PathFloor,
    ) -> Result<Connection, HandshakeError> {
        let tls = trust.client_config(identity).map_err(failed)?;
        let mut config = client_config(tls)?;
        let transport = match self.is_brisk {
            true => brisk_transport(floor, self.congestion),
            false => transport(floor, self.congestion),
        };
        config.transport_config(Arc::new(transport));
        if let Some(company) = self.company {
            config.initial_dst_cid_provider(Arc::new(move || company.first_id()));
        }
        self.begin(config, address, server_name).await
    }

    /// Connects to whoever serves `alpn` at `address` and is trusted, from the socket that this endpoint has anyway.
    ///
    /// # Errors
    /// [`HandshakeError`].
    pub async fn call(
        &self,
        address: SocketAddr,
        alpn: &[u8],
        trust: &Trust,
    ) -> Result<Connection, HandshakeError> {
        let tls = trust.client_config_for(alpn, None).map_err(failed)?;
        let mut config = client_config(tls)?;
        config.transport_config(Arc::new(transport(self.floor, self.congestion)));
        self.begin(config, address, NOBODYS_NAME).await
    }

    /// Serves `alpn` as well, although it was made for going out, to those who are expected. Whoever else sends something
    /// gets no answer, and costs nothing but the look at where it comes from.
    ///
    /// # Errors
    /// When TLS does not take the identity.
    pub fn serve(&self, identity: &Identity, alpn: &[u8]) -> Result<(), IdentityError> {
        let tls = identity.server_config_for(alpn)?;
        let config = server_config_with(tls, self.floor, self.congestion, 1);
        self.crew.first().serve_guests(config);
        Ok(())
    }

    /// Expects a guest from this address until then, who may begin so many handshakes.
    pub fn expect(&self, address: IpAddr, until: Instant, handshakes: u8) {
        self.crew.first().expect(address, until, handshakes);
    }

    /// Sends one byte from its socket, which no QUIC takes for anything: a NAT on the way learns that answers from there are
    /// wanted. With a `ttl` it gets so many routers far and no further.
    ///
    /// # Errors
    /// When it was not sent.
    pub fn punch(&self, to: SocketAddr, ttl: Option<u8>) -> io::Result<()> {
        self.crew.first().punch(to, ttl)
    }

    /// From where one is punched by who is at one of these addresses, if from another port: a NAT that gives every destination
    /// another one tells nobody of it before. Each is told once, a handful at most, until then.
    pub fn hear_punches(&self, known: &[SocketAddr], until: Instant) -> mpsc::Receiver<SocketAddr> {
        self.crew.first().hear_punches(known, until)
    }

    async fn begin(
        &self,
        config: ClientConfig,
        address: SocketAddr,
        server_name: &str,
    ) -> Result<Connection, HandshakeError> {
        match self
            .crew
            .first()
            .connect(config, address, server_name)
            .await
        {
            Ok(connection) => Ok(connection.into()),
            Err(ConnectFailure::Config(error)) => Err(failed(error)),
            Err(ConnectFailure::Connection(error)) => Err(error.into()),
        }
    }

    /// Carries packets over a stream, such as one of WebSocket messages, whose other end is `peer`. Answers a made-up address,
    /// to which [`Self::connect`] connects over it, and which means nothing anywhere else; who connects from there is a
    /// stranger with the address `peer`. The stream's end is that of its connections, and with the last of them it ends. One
    /// that carries none ends after ten seconds. Its bytes are moved by a task on the runtime that this is called on.
    pub fn carry(&self, stream: impl PacketStream + 'static, peer: SocketAddr) -> SocketAddr {
        self.crew.carry(Freight {
            stream: Box::new(stream),
            peer: canonical(peer),
            until_known: None,
        })
    }

    /// The same for a stranger's stream; `place` is kept until the stranger has completed a handshake over it, or it ends.
    pub fn carry_stranger(
        &self,
        stream: impl PacketStream + 'static,
        peer: SocketAddr,
        place: impl Any + Send,
    ) -> SocketAddr {
        self.crew.carry(Freight {
            stream: Box::new(stream),
            peer: canonical(peer),
            until_known: Some(Box::new(place)),
        })
    }

    /// Why nothing leaves this machine just now, if the system says so.
    pub fn unsent(&self) -> Option<Unsent> {
        self.crew.first().refusal().map(Unsent::from_os)
    }

    /// Tells the connections that this machine may have another address now: they forget from which one
    /// they sent, and ask the other side at once.
    pub fn follow_network(&self) {
        self.crew.engines().iter().for_each(Engine::follow_network);
    }

    /// Closes every connection at once and waits until the others have been told.
    pub async fn close(&self, code: CloseCode) {
        self.crew.close(code.number(), code.text()).await;
    }
}

fn no_ipv6(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::Unsupported | io::ErrorKind::AddrNotAvailable
    ) || error.raw_os_error() == Some(EAFNOSUPPORT)
}

/// "Address family not supported" on Linux, which has no [`io::ErrorKind`] of its own.
const EAFNOSUPPORT: i32 = 97;

/// In certificates whose key is pinned the name says nothing.
const NOBODYS_NAME: &str = "softlan-peer";

fn failed(error: impl std::fmt::Display) -> HandshakeError {
    HandshakeError::Failed(error.to_string())
}

fn client_config(tls: rustls::ClientConfig) -> Result<ClientConfig, HandshakeError> {
    let crypto = QuicClientConfig::try_from(tls).map_err(failed)?;
    Ok(ClientConfig::new(Arc::new(crypto)))
}

pub(crate) fn server_config(
    identity: &Identity,
    congestion: Congestion,
    loops: usize,
) -> Result<ServerConfig, IdentityError> {
    let tls = identity.server_config()?;
    Ok(server_config_with(
        tls,
        PathFloor::Ordinary,
        congestion,
        loops,
    ))
}

fn server_config_with(
    tls: rustls::ServerConfig,
    floor: PathFloor,
    congestion: Congestion,
    loops: usize,
) -> ServerConfig {
    let crypto =
        QuicServerConfig::try_from(tls).expect("the provider has the suite that QUIC begins with");
    let mut config = ServerConfig::with_crypto(Arc::new(crypto));
    config
        .transport_config(Arc::new(transport(floor, congestion)))
        .max_incoming(MAX_FIRST_PACKETS.div_ceil(loops))
        .incoming_buffer_size(BEHIND_FIRST_PACKET)
        .incoming_buffer_size_total(BEHIND_FIRST_PACKETS.div_ceil(loops as u64));
    config
}

/// A stranger who has not shown yet that it speaks our protocol.
#[derive(Debug)]
pub struct Incoming(Stranger);

impl Incoming {
    /// Where it says to come from.
    pub fn remote_address(&self) -> SocketAddr {
        canonical(self.0.remote_address())
    }

    /// Whether it comes over a stream and not over UDP.
    pub fn is_carried(&self) -> bool {
        self.0.is_carried()
    }

    /// True once it has shown that it receives what is sent to that address.
    pub fn address_validated(&self) -> bool {
        self.0.address_validated()
    }

    /// Where tasks run best that serve it.
    pub fn home(&self) -> Handle {
        self.0.home().clone()
    }

    /// Asks it to show that (RFC 9000 §8.1.2); it comes back as another [`Incoming`].
    pub fn ask_to_validate(self) {
        self.0.retry();
    }

    /// Says no, politely.
    pub fn refuse(self) {
        self.0.refuse();
    }

    /// Says nothing at all.
    pub fn ignore(self) {
        drop(self.0);
    }

    /// Completes the handshake.
    ///
    /// # Errors
    /// [`HandshakeError`], also when `deadline` passes first.
    pub async fn accept(self, deadline: Duration) -> Result<Connection, HandshakeError> {
        let handshake = async { Ok(self.0.accept().await?.into()) };
        tokio::time::timeout(deadline, handshake)
            .await
            .unwrap_or(Err(HandshakeError::NoAnswer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Nothing of ours listens on Windows, where a second program may even have the same port.
    #[cfg(target_os = "linux")]
    #[test]
    fn why_nobody_can_listen_is_told_apart() {
        let key = Identity::new_key().unwrap();
        let identity = Identity::self_signed("lanparty-relay", &key).unwrap();
        let taken = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = taken.local_addr().unwrap();
        let refused = |address| Endpoint::server(address, &identity, Congestion::default());
        let in_use = refused(address).unwrap_err().to_string();
        let port = address.port().to_string();
        assert!(
            in_use.contains(&port) && in_use.contains("another program"),
            "{in_use}"
        );
        let foreign = refused((Ipv4Addr::new(192, 0, 2, 1), 443).into()).unwrap_err();
        assert!(
            foreign.to_string().contains("no address 192.0.2.1"),
            "{foreign}"
        );
        let denied = io::Error::from(io::ErrorKind::PermissionDenied);
        let privileged = ListenError::new((Ipv4Addr::UNSPECIFIED, 443).into(), denied);
        assert!(
            privileged.to_string().contains("cap_net_bind_service"),
            "{privileged}"
        );
    }

    #[test]
    fn what_strangers_first_packets_hold_is_bounded() {
        let key = Identity::new_key().unwrap();
        let identity = Identity::self_signed("lanparty-relay", &key).unwrap();
        let config = format!(
            "{:?}",
            server_config(&identity, Congestion::default(), 1).unwrap()
        );
        for bound in [
            "max_incoming: 512",
            "incoming_buffer_size: 16384",
            "incoming_buffer_size_total: 2097152",
        ] {
            assert!(config.contains(bound), "{config}");
        }
    }
}
