//! The relay's ear for TCP: who comes from a network that lets no UDP through.
//!
//! What is heard there is TLS and a WebSocket, of which each message is a packet of QUIC; the endpoint carries those like what
//! comes over UDP, and doorstep, rooms and limits see no difference. A thread of its own listens, answers whoever wants
//! something else as a web server with nothing to show would, and moves the bytes of those who stay. It comes after the loops when
//! the processor is busy: a flood there is in nobody's way whose frames come over UDP.

mod callers;

use super::counts::Counts;
use super::tcp_knock::TcpKnock;
use crate::config::{Config, Tcp};
use crate::strangers::KnockLimits;
use callers::{Callers, Place};
use lanparty_carrier::{Accepted, Limits, accept};
use lanparty_edge::privilege;
use lanparty_edge::speech::say;
use lanparty_quic::Endpoint;
use lanparty_quic::tls::{Identity, IdentityError};
use rustls::ServerConfig;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::runtime::Builder;
use tokio::sync::watch;
use tracing::{debug, warn};

/// How many may wait for the thread that takes them in.
const BACKLOG: i32 = 512;
/// How long the thread pauses when the system has no descriptor left.
const PAUSE: Duration = Duration::from_millis(100);
/// How long streams have to say their last words when the relay ends.
const LAST_WORDS: Duration = Duration::from_millis(100);
/// How long a stranger may be silent before TLS, and behind it before its request.
const LIMITS: Limits = Limits {
    handshake: Duration::from_secs(5),
    request: Duration::from_secs(3),
    head: 8 * 1024,
};

/// Why nobody comes in over TCP.
#[derive(Debug, thiserror::Error)]
pub enum TcpError {
    /// Somebody else has the port.
    #[error(
        "another program has TCP port {} of this machine, so nobody comes in whose network blocks UDP; if it is a web server, have \
         it pass /lanparty on and say --tcp-listen 127.0.0.1:8443 (docs/relay-operator.md), else say --no-tcp", .0.port()
    )]
    InUse(SocketAddr),
    /// Anything else.
    #[error(
        "cannot listen for TCP on {0} ({1}), so nobody comes in whose network blocks UDP; choose another address with \
         --tcp-listen, or say --no-tcp"
    )]
    Bind(SocketAddr, #[source] io::Error),
}

/// A listener that nobody hears yet.
#[derive(Debug)]
pub(super) struct Ear {
    listener: TcpListener,
    address: SocketAddr,
}

impl Ear {
    /// Binds what the configuration wants beside `udp`, or takes over what another relay has handed over and is there.
    pub(super) fn open(
        wanted: Tcp,
        udp: SocketAddr,
        adopted: Option<TcpListener>,
    ) -> Result<Option<Self>, TcpError> {
        let Some(address) = wanted.beside(udp) else {
            return Ok(None);
        };
        let listener = match adopted.filter(|adopted| is_at(adopted, address)) {
            Some(adopted) => adopted,
            None => bind(address).map_err(|error| match error.kind() {
                io::ErrorKind::AddrInUse => TcpError::InUse(address),
                _ => TcpError::Bind(address, error),
            })?,
        };
        let failed = |error| TcpError::Bind(address, error);
        listener.set_nonblocking(true).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Some(Ear { listener, address }))
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The listener once more, for a relay that shall take this one's place.
    #[cfg(target_os = "linux")]
    pub(super) fn duplicate(&self) -> io::Result<TcpListener> {
        self.listener.try_clone()
    }

    /// Hears whoever comes, on a thread of its own with this one's rights, and has `endpoint` carry them.
    pub(super) fn hear(self, endpoint: Endpoint, hall: Arc<Hall>) -> io::Result<Hearing> {
        let (phase, phases) = watch::channel(Phase::Open);
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let thread = thread::Builder::new().name("tcp".to_owned());
        thread.spawn(move || {
            privilege::come_after_frames();
            runtime.block_on(serve(self.listener, endpoint, hall, phases));
            runtime.shutdown_timeout(LAST_WORDS);
        })?;
        Ok(Hearing(phase))
    }
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let domain = Domain::for_address(address);
    let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(!address.ip().is_unspecified())?;
    }
    // Connections of the relay before may linger. On Windows it would mean something else.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn is_at(listener: &TcpListener, wanted: SocketAddr) -> bool {
    listener.local_addr().is_ok_and(|address| {
        let both_any = address.ip().is_unspecified() && wanted.ip().is_unspecified();
        address.port() == wanted.port() && (both_any || address.ip() == wanted.ip())
    })
}

/// Where callers wait, as the relay's own task and the thread share it.
#[derive(Debug)]
pub(super) struct Hall {
    callers: Arc<Callers>,
    tls: Mutex<Arc<ServerConfig>>,
    counts: Arc<Counts>,
    /// Somebody was told that a web server says not for whom it speaks.
    is_told: AtomicBool,
}

impl Hall {
    pub(super) fn new(
        config: &Config,
        identity: &Identity,
        counts: Arc<Counts>,
    ) -> Result<Self, IdentityError> {
        Ok(Hall {
            callers: Arc::new(Callers::new(config.knocks)),
            tls: Mutex::new(tls_of(identity)?),
            counts,
            is_told: AtomicBool::new(false),
        })
    }

    pub(super) fn set_limits(&self, limits: KnockLimits) {
        self.callers.set_limits(limits);
    }

    /// Shows newcomers another certificate.
    pub(super) fn set_identity(&self, identity: &Identity) -> Result<(), IdentityError> {
        let tls = tls_of(identity)?;
        *self.tls.lock().unwrap_or_else(PoisonError::into_inner) = tls;
        Ok(())
    }

    pub(super) fn tidy(&self, now: Instant) {
        self.callers.tidy(now);
    }

    fn tls(&self) -> Arc<ServerConfig> {
        let tls = self.tls.lock().unwrap_or_else(PoisonError::into_inner);
        tls.clone()
    }

    /// For whom somebody from there speaks, if it is a web server of this machine's.
    fn caller(&self, from: SocketAddr, accepted: &Accepted) -> Option<SocketAddr> {
        if !from.ip().to_canonical().is_loopback() {
            return None;
        }
        let caller = accepted.forwarded_for;
        if caller.is_none() && !self.is_told.swap(true, Ordering::Relaxed) {
            warn!(
                "Players come over TCP from this machine itself; if they come through a web server, have it set X-Forwarded-For, \
                 as their limits are all one otherwise"
            );
        }
        caller.map(|ip| SocketAddr::new(ip, from.port()))
    }
}

fn tls_of(identity: &Identity) -> Result<Arc<ServerConfig>, IdentityError> {
    let (chain, key) = identity.certified();
    Ok(lanparty_carrier::server_config(chain, key)?)
}

/// A relay's thread for TCP. It ends when this is dropped.
#[derive(Debug)]
pub(super) struct Hearing(watch::Sender<Phase>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Open,
    /// Nobody is taken in any more; who is here is heard.
    Shut,
}

impl Hearing {
    pub(super) fn shut(&self) {
        self.0.send_replace(Phase::Shut);
    }
}

async fn serve(
    listener: TcpListener,
    endpoint: Endpoint,
    hall: Arc<Hall>,
    mut phases: watch::Receiver<Phase>,
) {
    match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => {
            tokio::select! {
                () = take_in(&listener, &endpoint, &hall) => {}
                _ = phases.changed() => {}
            }
        }
        Err(error) => warn!(%error, "Nobody comes in over TCP"),
    }
    // Who is here is heard until nobody wants that any more.
    while phases.changed().await.is_ok() {}
}

async fn take_in(listener: &tokio::net::TcpListener, endpoint: &Endpoint, hall: &Arc<Hall>) {
    loop {
        match listener.accept().await {
            Ok((tcp, from)) => match hall.callers.take(Instant::now(), from.ip()) {
                Some(place) => {
                    let (endpoint, hall) = (endpoint.clone(), hall.clone());
                    tokio::spawn(hear(tcp, from, place, endpoint, hall));
                }
                None => hall.counts.note_tcp(TcpKnock::Shut),
            },
            Err(error) if is_callers_doing(&error) => {}
            Err(error) => {
                debug!(%error, "The system takes in nobody over TCP");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Whoever has called has gone again.
fn is_callers_doing(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionReset | Interrupted
    )
}

/// Finds out what somebody wants.
async fn hear(tcp: TcpStream, from: SocketAddr, place: Place, endpoint: Endpoint, hall: Arc<Hall>) {
    let accepted = match accept(tcp, hall.tls(), LIMITS).await {
        Ok(accepted) => accepted,
        Err(error) => {
            debug!(%from, %error, "Somebody who called over TCP is no peer");
            return hall.counts.note_tcp(TcpKnock::of(&error));
        }
    };
    let (peer, place) = match hall.caller(from, &accepted) {
        Some(caller) => (caller, place.of(Instant::now(), caller.ip())),
        None => (from, Some(place)),
    };
    let Some(place) = place else {
        return hall.counts.note_tcp(TcpKnock::Shut);
    };
    hall.counts.note_tcp(TcpKnock::Carried);
    endpoint.carry_stranger(accepted.stream, peer, place);
}

/// Where a relay listens, as its users are told.
pub(super) fn listening(udp: SocketAddr, tcp: Option<SocketAddr>) -> String {
    match tcp {
        None => format!("{udp} (udp)"),
        Some(tcp) if tcp == udp => format!("{udp} (udp, tcp)"),
        Some(tcp) => format!("{udp} (udp) and {tcp} (tcp)"),
    }
}

/// A sentence about another way to listen for TCP that is wanted by now.
pub(super) fn needs_restart(had: Tcp, wanted: Tcp) -> Option<String> {
    let told = |tcp: Tcp| match tcp {
        Tcp::Off => "nowhere".to_owned(),
        Tcp::Beside => "beside UDP".to_owned(),
        Tcp::At(address) => format!("on {address}"),
    };
    (wanted != had).then(|| {
        let (had, wanted) = (told(had), told(wanted));
        format!("Still listening for TCP {had}: it should be {wanted} now, and that needs a restart of the relay")
    })
}

/// Who comes over TCP has a descriptor each, so there may be as many as the system lets this program have, in reason.
#[cfg(target_os = "linux")]
pub(super) fn raise_descriptors() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    const ENOUGH: u64 = 16 * 1024;
    let limit = getrlimit(Resource::Nofile);
    let most = limit.maximum.map_or(ENOUGH, |most| most.min(ENOUGH));
    if limit.current.is_some_and(|current| current < most) {
        let raised = Rlimit {
            current: Some(most),
            ..limit
        };
        if let Err(error) = setrlimit(Resource::Nofile, raised) {
            debug!(%error, "Has as many descriptors as before");
        }
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn raise_descriptors() {}

/// Says that nobody comes in over TCP, and why.
pub(super) fn say_why_not(error: &TcpError) {
    say(format_args!("Goes on with UDP alone: {error}."));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_it_listens_is_said_once() {
        let [one, other] = ["[::]:443", "127.0.0.1:8443"].map(|at| at.parse().unwrap());
        assert_eq!(listening(one, None), "[::]:443 (udp)");
        assert_eq!(listening(one, Some(one)), "[::]:443 (udp, tcp)");
        let both = "[::]:443 (udp) and 127.0.0.1:8443 (tcp)";
        assert_eq!(listening(one, Some(other)), both);
    }

    #[test]
    fn another_way_to_listen_needs_a_restart() {
        let proxied = Tcp::At("127.0.0.1:8443".parse().unwrap());
        assert_eq!(needs_restart(Tcp::Beside, Tcp::Beside), None);
        let said = needs_restart(Tcp::Beside, proxied).unwrap();
        assert!(
            said.contains("beside UDP: it should be on 127.0.0.1:8443"),
            "{said}"
        );
        let said = needs_restart(proxied, Tcp::Off).unwrap();
        assert!(said.contains("nowhere now"), "{said}");
    }

    #[test]
    fn a_port_that_is_taken_is_said_with_what_to_do() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = taken.local_addr().unwrap();
        let said = Ear::open(Tcp::Beside, at, None).unwrap_err().to_string();
        for part in [
            &*at.port().to_string(),
            "/lanparty",
            "--tcp-listen",
            "--no-tcp",
        ] {
            assert!(said.contains(part), "{said}");
        }
        assert!(Ear::open(Tcp::Off, at, None).unwrap().is_none());
        let foreign = Tcp::At("192.0.2.1:443".parse().unwrap());
        let said = Ear::open(foreign, at, None).unwrap_err().to_string();
        assert!(said.contains("192.0.2.1:443"), "{said}");
    }

    #[test]
    fn what_was_handed_over_is_taken_where_it_listens_as_wanted() {
        let handed = || TcpListener::bind("127.0.0.1:0").unwrap();
        let (one, at) = (handed(), handed().local_addr().unwrap());
        let address = one.local_addr().unwrap();
        let ear = Ear::open(Tcp::Beside, address, Some(one)).unwrap().unwrap();
        assert_eq!(ear.address(), address);
        let ear = Ear::open(Tcp::Beside, at, Some(handed())).unwrap().unwrap();
        assert_eq!(ear.address(), at);
    }
}
