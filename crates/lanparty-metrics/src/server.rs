//! The small web server: `/metrics`, `/healthz`, `/readyz`, for whoever reaches its address.
//!
//! It has a thread of its own, of less than ordinary priority. Whoever asks gets one answer for a connection, within a few
//! seconds and for a few kilobytes of question; some connections are served at a time and more are closed unheard.

use crate::address::MetricsAddress;
use crate::process::Process;
use crate::pulse::{self, LoopEnd, ServerEnd};
use crate::sheet::Sheet;
use axum::Router;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE};
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use lanparty_edge::privilege;
use prometheus_client::encoding::prometheus_text::CONTENT_TYPE as PROMETHEUS;
use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::thread;
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::Sleep;

/// How old a copy of the numbers may be: however many ask, the loop is asked once a second.
const FRESH: Duration = Duration::from_secs(1);
/// The same for readiness: whoever drains a relay looks at once.
const JUST_NOW: Duration = Duration::from_millis(100);
/// How many are served at a time.
const AT_ONCE: usize = 16;
/// How many may wait to be let in.
#[cfg(target_os = "linux")]
const WAITING: i32 = 64;
/// How long a connection may take in all.
const LONGEST: Duration = Duration::from_secs(5);
/// How much may be asked, in bytes.
const QUESTION: usize = 8 * 1024;
/// How long a system that has no file descriptors left is left alone.
const PAUSE: Duration = Duration::from_millis(100);

/// Why there are no metrics.
#[derive(Debug, thiserror::Error)]
pub enum MetricsError {
    /// Somebody else is there.
    #[error(
        "another program has TCP port {} of this machine; choose another one with --metrics", .0.0.port()
    )]
    InUse(MetricsAddress),
    /// The address cannot be had.
    #[error("metrics cannot be served at {0} ({1}); choose another address with --metrics")]
    Bind(MetricsAddress, #[source] io::Error),
    /// The system gives no thread or no event loop.
    #[error("metrics cannot be served ({0}); start the program again, or without --metrics")]
    Thread(#[source] io::Error),
}

/// An address that is taken for metrics, which nobody serves yet.
#[derive(Debug)]
pub struct Bound {
    listener: StdListener,
    process: Process,
}

/// Metrics that are served, until this is dropped.
#[derive(Debug)]
pub struct Metrics {
    address: SocketAddr,
    _stop: oneshot::Sender<()>,
}

impl Metrics {
    /// Where they are.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Bound {
    /// Takes the address. To be called while the program may still open files.
    ///
    /// # Errors
    /// [`MetricsError`].
    pub fn new(address: MetricsAddress) -> Result<Self, MetricsError> {
        // Two of our programs could have one port by mistake, as each lets a successor have its own: so it is looked first.
        drop(StdListener::bind(address.0).map_err(|error| failed(address, error))?);
        Self::beside(address)
    }

    /// The same for a program that takes another one's place, which is still there with its metrics.
    ///
    /// # Errors
    /// [`MetricsError`].
    pub fn beside(address: MetricsAddress) -> Result<Self, MetricsError> {
        let listener = listen(address.0).map_err(|error| failed(address, error))?;
        let nonblocking = listener.set_nonblocking(true);
        nonblocking.map_err(|error| failed(address, error))?;
        if let Some(warning) = address.warning() {
            tracing::warn!("{warning}");
        }
        Ok(Bound {
            listener,
            process: Process::open(),
        })
    }

    /// Serves them: whatever the loop hands out at its end of the line is written down by `write`, each name beginning
    /// with `prefix`. `ready` says why the program takes in nobody now, if it does not. To be called when the program has
    /// given up its rights.
    ///
    /// # Errors
    /// [`MetricsError::Thread`].
    pub fn serve<T: Send + 'static>(
        self,
        prefix: &'static str,
        write: fn(&T, &mut Sheet),
        ready: fn(&T) -> Result<(), &'static str>,
    ) -> Result<(Metrics, LoopEnd<T>), MetricsError> {
        let address = self.listener.local_addr().map_err(MetricsError::Thread)?;
        let (theirs, ours) = pulse::line(Instant::now());
        let desk = Arc::new(Desk {
            program: ours,
            process: self.process,
            prefix,
            write,
            ready,
            last: Mutex::new(None),
        });
        let (stop, stopped) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(MetricsError::Thread)?;
        let listener = {
            let _inside = runtime.enter();
            TcpListener::from_std(self.listener).map_err(MetricsError::Thread)?
        };
        let serving = move || {
            privilege::stand_back();
            runtime.block_on(async {
                tokio::select! {
                    served = axum::serve(Door::new(listener), router(desk)).into_future() => {
                        tracing::warn!(?served, "Metrics are not served any more");
                    }
                    _ = stopped => {}
                }
            });
        };
        let thread = thread::Builder::new().name("metrics".to_owned());
        thread.spawn(serving).map_err(MetricsError::Thread)?;
        Ok((
            Metrics {
                address,
                _stop: stop,
            },
            theirs,
        ))
    }
}

fn failed(address: MetricsAddress, error: io::Error) -> MetricsError {
    match error.kind() {
        io::ErrorKind::AddrInUse => MetricsError::InUse(address),
        _ => MetricsError::Bind(address, error),
    }
}

/// Listens where a successor may listen as well (socket(7), SO_REUSEPORT).
#[cfg(target_os = "linux")]
fn listen(address: SocketAddr) -> io::Result<StdListener> {
    use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    let socket = rustix::net::socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    sockopt::set_socket_reuseport(&socket, true)?;
    rustix::net::bind(&socket, &address)?;
    rustix::net::listen(&socket, WAITING)?;
    Ok(socket.into())
}

#[cfg(not(target_os = "linux"))]
fn listen(address: SocketAddr) -> io::Result<StdListener> {
    StdListener::bind(address)
}

/// What answers are made of.
struct Desk<T> {
    program: ServerEnd<T>,
    process: Process,
    prefix: &'static str,
    write: fn(&T, &mut Sheet),
    ready: fn(&T) -> Result<(), &'static str>,
    /// The last copy, which is one for all who ask in that second.
    last: Mutex<Option<(Instant, Copied)>>,
}

/// What a copy of the numbers has given.
#[derive(Debug, Clone)]
struct Copied {
    text: Arc<str>,
    ready: Result<(), &'static str>,
}

impl<T> Desk<T> {
    /// The numbers, no older than that; nothing when the program does not answer.
    async fn copy(&self, age: Duration) -> Option<Copied> {
        let mut last = self.last.lock().await;
        if let Some((at, copied)) = &*last
            && at.elapsed() < age
        {
            return Some(copied.clone());
        }
        let copy = self.program.copy().await?;
        let copied = Copied {
            text: self.text(&copy).into(),
            ready: (self.ready)(&copy),
        };
        *last = Some((Instant::now(), copied.clone()));
        Some(copied)
    }

    fn text(&self, copy: &T) -> String {
        let mut sheet = Sheet::new(self.prefix);
        let version = [("version", env!("CARGO_PKG_VERSION"))];
        sheet.gauge("build_info", "The program, by its version", &version, 1.0);
        let uptime = self.program.uptime(Instant::now()).as_secs_f64();
        sheet.gauge(
            "uptime_seconds",
            "For how long it has been serving",
            &[],
            uptime,
        );
        let help = "How late timers fire in the loop that carries frames";
        sheet.histogram("loop_lag_seconds", help, self.program.lag());
        (self.write)(copy, &mut sheet);
        self.process.write(&mut sheet);
        sheet.text()
    }
}

fn router<T: Send + 'static>(desk: Arc<Desk<T>>) -> Router {
    Router::new()
        .route("/metrics", get(metrics::<T>))
        .route("/healthz", get(healthz::<T>))
        .route("/readyz", get(readyz::<T>))
        .with_state(desk)
}

/// One answer for each connection: nobody holds a place without asking.
const HEADERS: [(HeaderName, &str); 2] = [(CONNECTION, "close"), (CACHE_CONTROL, "no-store")];

fn say(status: StatusCode, sentence: &str) -> Response {
    (status, HEADERS, format!("{sentence}\n")).into_response()
}

async fn metrics<T: Send>(State(desk): State<Arc<Desk<T>>>) -> Response {
    match desk.copy(FRESH).await {
        Some(copied) => {
            let kind = [(CONTENT_TYPE, PROMETHEUS)];
            (HEADERS, kind, copied.text.to_string()).into_response()
        }
        None => say(StatusCode::SERVICE_UNAVAILABLE, NO_ANSWER),
    }
}

const NO_ANSWER: &str = "the program does not answer";

async fn healthz<T: Send>(State(desk): State<Arc<Desk<T>>>) -> Response {
    match desk.program.trouble(Instant::now()) {
        None => say(StatusCode::OK, "healthy"),
        Some(trouble) => say(StatusCode::SERVICE_UNAVAILABLE, &trouble),
    }
}

async fn readyz<T: Send>(State(desk): State<Arc<Desk<T>>>) -> Response {
    let trouble = match desk.program.trouble(Instant::now()) {
        Some(trouble) => Some(trouble),
        None => match desk.copy(JUST_NOW).await {
            Some(copied) => copied.ready.err().map(str::to_owned),
            None => Some(NO_ANSWER.to_owned()),
        },
    };
    match trouble {
        None => say(StatusCode::OK, "ready"),
        Some(trouble) => say(StatusCode::SERVICE_UNAVAILABLE, &trouble),
    }
}

/// Lets few in at a time.
struct Door {
    listener: TcpListener,
    places: Arc<Semaphore>,
}

impl Door {
    fn new(listener: TcpListener) -> Self {
        Door {
            listener,
            places: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }
}

impl axum::serve::Listener for Door {
    type Io = Guest;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Guest, SocketAddr) {
        loop {
            match self.listener.accept().await {
                Ok((stream, from)) => {
                    // Who finds no place is closed unheard: a queue of them would be somebody's to fill.
                    if let Ok(place) = self.places.clone().try_acquire_owned() {
                        return (Guest::new(stream, place), from);
                    }
                }
                Err(error) => {
                    tracing::debug!(%error, "Somebody who wants metrics cannot be heard");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A connection that ends by itself.
struct Guest {
    stream: TcpStream,
    end: Pin<Box<Sleep>>,
    may_ask: usize,
    _place: OwnedSemaphorePermit,
}

impl Guest {
    fn new(stream: TcpStream, place: OwnedSemaphorePermit) -> Self {
        Guest {
            stream,
            end: Box::pin(tokio::time::sleep(LONGEST)),
            may_ask: QUESTION,
            _place: place,
        }
    }

    fn is_over(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        match self.end.as_mut().poll(cx) {
            Poll::Ready(()) => Err(io::ErrorKind::TimedOut.into()),
            Poll::Pending => Ok(()),
        }
    }
}

impl AsyncRead for Guest {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.is_over(cx)?;
        if self.may_ask == 0 {
            return Poll::Ready(Err(io::ErrorKind::FileTooLarge.into()));
        }
        let most = self.may_ask.min(into.remaining());
        let mut room = ReadBuf::new(into.initialize_unfilled_to(most));
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut room))?;
        let count = room.filled().len();
        into.advance(count);
        self.may_ask -= count;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Guest {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.is_over(cx)?;
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_port_is_one_programs_but_for_its_successor() {
        let first = Bound::new("127.0.0.1:0".parse().unwrap()).unwrap();
        let taken = MetricsAddress(first.listener.local_addr().unwrap());
        assert!(matches!(Bound::new(taken), Err(MetricsError::InUse(_))));
        #[cfg(target_os = "linux")]
        assert!(Bound::beside(taken).is_ok());
        let somebody = StdListener::bind("127.0.0.1:0").unwrap();
        let taken = MetricsAddress(somebody.local_addr().unwrap());
        assert!(matches!(Bound::beside(taken), Err(MetricsError::InUse(_))));
        drop(first);
    }
}
