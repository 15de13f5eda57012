//! The party page: a web server for the host's browser, and the page itself (spec R126).
//!
//! It decides nothing about the party: it shows the gateway's snapshots and hands on orders, by a [`Line`]. It has a thread
//! and a runtime of its own, below the gateway's priority and without its rights, so that however many look on no frame waits.
//!
//! | asked for | gives |
//! | --- | --- |
//! | `GET /` | the page, one file without data in it |
//! | `POST /session` `{"token":"…"}` | a cookie for the token in the link |
//! | `GET /events` | server-sent events, each a [`Snapshot`](lanparty_gateway_control::Snapshot) as JSON |
//! | `POST /order`, a [`Request`](lanparty_gateway_control::Request) | an [`Answer`](lanparty_gateway_control::Answer) |
//!
//! The public view has the first and the third, with a snapshot of what a hall may see (`public`). Start at `guard`, through
//! which every request passes before any route; `crowd` says how many there may be.

#![cfg_attr(
    test,
    allow(clippy::disallowed_methods, reason = "tests own the clock")
)]

mod armour;
mod crowd;
mod guard;
mod kept;
mod pages;
#[allow(clippy::disallowed_methods, reason = "shell: gives up who is slow")]
mod patience;
mod place;
mod public;
mod routes;
#[allow(clippy::disallowed_methods, reason = "shell: owns the sockets")]
mod server;
mod streams;
mod token;
#[cfg(all(test, unix))]
mod told;

use crate::crowd::{Crowd, Room};
use crate::place::Scheme;
use crate::routes::Site;
use crate::token::Token;
pub use lanparty_edge::state_folder::StateFolder;
use lanparty_gateway_control::Line;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

/// So many streams and tabs of the host's there may be, where there are descriptors for them.
const MOST: usize = 1024;
/// Strangers at the host's page: browsers that have not shown their cookie yet, and whoever knocks.
const STRANGERS: Room = Room {
    strangers_of_one: 32,
    strangers: 128,
    known: MOST,
};
/// Those who look at the public view.
const VISITORS: Room = Room {
    strangers_of_one: 16,
    strangers: 256,
    known: 0,
};

/// Where a page is shown.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// The host's: by TLS where others than this machine reach it.
    pub at: Option<SocketAddr>,
    /// Everybody's, without buttons.
    pub public: Option<SocketAddr>,
    /// Where token and certificate are kept.
    pub folder: Option<StateFolder>,
    /// This machine's addresses, for a page that listens at all of them.
    pub addresses: Vec<IpAddr>,
}

/// Why a page is not shown.
#[derive(Debug, thiserror::Error)]
pub enum PageError {
    /// Somebody else listens there.
    #[error(
        "the party page is not shown, as another program listens on {0}; the party goes on; choose another port ({1})"
    )]
    Taken(SocketAddr, &'static str),
    /// The system does not let it.
    #[error(
        "the party page is not shown, as it cannot listen on {at} ({cause}); the party goes on; choose another address ({flag})"
    )]
    Listen {
        /// Where.
        at: SocketAddr,
        /// By which flag that is said.
        flag: &'static str,
        /// What the system says.
        cause: io::Error,
    },
    /// No certificate.
    #[error("the party page is not shown, as there is no TLS for it: {0}; the party goes on")]
    Tls(String),
    /// No thread or no event loop.
    #[error(
        "the party page is not shown, as the system gives it no thread ({0}); the party goes on"
    )]
    Thread(#[source] io::Error),
}

/// Where the page is found. The link is a secret, so there is no `Debug`.
#[derive(Clone, Default)]
pub struct Links {
    /// The host's, with the token behind the `#`.
    pub host: Option<String>,
    /// By which the host's browser knows it, where there is TLS: the certificate's SHA-256.
    pub fingerprint: Option<String>,
    /// Everybody's.
    pub public: Option<String>,
}

/// A page that listens, and answers as soon as it is started.
pub struct Page {
    host: Option<Door>,
    public: Option<Door>,
    token: Token,
    links: Links,
    troubles: Vec<String>,
}

struct Door {
    listener: TcpListener,
    local: SocketAddr,
    tls: Option<TlsAcceptor>,
}

impl Page {
    /// Listens. What does not work is told by [`Self::troubles`], as the party goes on without.
    pub fn open(settings: &Settings) -> Self {
        let mut page = Page {
            host: None,
            public: None,
            token: Token::from_random(rand::random()),
            links: Links::default(),
            troubles: Vec::new(),
        };
        if let Some(at) = settings.at {
            let opened = page.open_for_host(at, settings);
            page.note(opened);
        }
        if let Some(at) = settings.public {
            let opened = page.open_for_everybody(at, settings);
            page.note(opened);
        }
        page
    }

    /// What does not work, in sentences.
    pub fn troubles(&self) -> &[String] {
        &self.troubles
    }

    /// Where it is found.
    pub fn links(&self) -> &Links {
        &self.links
    }

    /// Shows the gateway behind this line until it ends, on a thread of its own.
    ///
    /// # Errors
    /// [`PageError::Thread`].
    pub fn start(self, line: Line) -> Result<(), PageError> {
        if self.host.is_none() && self.public.is_none() {
            return Ok(());
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let runtime = runtime.map_err(PageError::Thread)?;
        let most = descriptors();
        let run = move || {
            step_back();
            runtime.block_on(self.show(line, most));
        };
        let thread = thread::Builder::new().name("page".to_owned()).spawn(run);
        thread.map(drop).map_err(PageError::Thread)
    }

    fn note(&mut self, opened: Result<(), PageError>) {
        if let Err(error) = opened {
            self.troubles.push(error.to_string());
        }
    }

    fn open_for_host(&mut self, at: SocketAddr, settings: &Settings) -> Result<(), PageError> {
        let (listener, local) = listen(at, "--page ADDR:PORT")?;
        let shown = addresses(local, settings);
        let tls = match local.ip().to_canonical().is_loopback() {
            true => None,
            false => {
                let made = kept::certificate(settings.folder.as_ref(), &shown);
                let made = made.map_err(|error| PageError::Tls(error.to_string()))?;
                self.troubles.extend(made.trouble);
                self.links.fingerprint = Some(made.fingerprint);
                Some(TlsAcceptor::from(made.config))
            }
        };
        let (token, trouble) = kept::token(settings.folder.as_ref(), rand::random());
        self.troubles.extend(trouble);
        let scheme = if tls.is_some() { "https" } else { "http" };
        self.links.host = Some(format!(
            "{scheme}://{}/#t={}",
            linked(local, &shown),
            token.reveal()
        ));
        self.token = token;
        self.host = Some(Door {
            listener,
            local,
            tls,
        });
        Ok(())
    }

    fn open_for_everybody(&mut self, at: SocketAddr, settings: &Settings) -> Result<(), PageError> {
        let (listener, local) = listen(at, "--page-public ADDR:PORT")?;
        self.links.public = Some(format!(
            "http://{}/",
            linked(local, &addresses(local, settings))
        ));
        self.public = Some(Door {
            listener,
            local,
            tls: None,
        });
        Ok(())
    }

    #[allow(clippy::disallowed_methods, reason = "shell: a task for each listener")]
    async fn show(self, line: Line, most: usize) {
        let mut ended = line.snapshots.clone();
        let now = line.snapshots.borrow().clone();
        if let Some(door) = self.host {
            let (write, events) = watch::channel(streams::for_host(&now));
            tokio::spawn(streams::write_out(line.clone(), streams::for_host, write));
            let scheme = if door.tls.is_some() {
                Scheme::Https
            } else {
                Scheme::Http
            };
            let room = Room {
                known: most,
                ..STRANGERS
            };
            let who = (self.token, scheme, door.local.port());
            let site = Site::for_host(
                &pages::for_host(),
                who,
                (line.clone(), events),
                (Crowd::new(room), most),
            );
            tokio::spawn(server::serve(door.listener, Arc::new(site), door.tls));
        }
        if let Some(door) = self.public {
            let (write, events) = watch::channel(streams::for_everybody(&now));
            tokio::spawn(streams::write_out(
                line.clone(),
                streams::for_everybody,
                write,
            ));
            let page = pages::for_everybody();
            let site =
                Site::for_everybody(&page, events, (Crowd::new(VISITORS), VISITORS.strangers));
            tokio::spawn(server::serve(door.listener, Arc::new(site), None));
        }
        drop(line);
        // With the runtime all connections end.
        while ended.changed().await.is_ok() {}
    }
}

fn listen(at: SocketAddr, flag: &'static str) -> Result<(TcpListener, SocketAddr), PageError> {
    let listened = server::listen(at).and_then(|listener| {
        let local = listener.local_addr()?;
        Ok((listener, local))
    });
    listened.map_err(|cause| match cause.kind() {
        io::ErrorKind::AddrInUse => PageError::Taken(at, flag),
        _ => PageError::Listen { at, flag, cause },
    })
}

/// By which addresses this is reached.
fn addresses(local: SocketAddr, settings: &Settings) -> Vec<IpAddr> {
    match local.ip().is_unspecified() {
        true => settings.addresses.clone(),
        false => vec![local.ip()],
    }
}

/// The address that the link has.
fn linked(local: SocketAddr, addresses: &[IpAddr]) -> SocketAddr {
    let first = addresses.first().copied();
    SocketAddr::new(first.unwrap_or(local.ip()).to_canonical(), local.port())
}

/// How many connections of the host's the system has descriptors for: half of them are the gateway's whatever happens.
#[cfg(target_os = "linux")]
fn descriptors() -> usize {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    const ENOUGH: u64 = 4 * MOST as u64;
    let limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.unwrap_or(ENOUGH).min(ENOUGH);
    let current = limit.current.unwrap_or(ENOUGH);
    let raised = Rlimit {
        current: Some(wanted),
        maximum: limit.maximum,
    };
    let current = match current < wanted && setrlimit(Resource::Nofile, raised).is_ok() {
        true => wanted,
        false => current,
    };
    usize::try_from(current / 2).unwrap_or(MOST).min(MOST)
}

#[cfg(not(target_os = "linux"))]
fn descriptors() -> usize {
    MOST
}

/// Below ordinary programs when the processor is busy, and without rights: both belong to this thread alone.
fn step_back() {
    #[cfg(target_os = "linux")]
    {
        const BACK: i32 = 5;
        if let Err(error) = rustix::process::setpriority_process(None, BACK) {
            tracing::debug!(%error, "The page runs with the gateway's priority");
        }
    }
    if let Err(error) = lanparty_edge::privilege::give_up_capabilities() {
        tracing::debug!(%error, "The page keeps the gateway's rights");
    }
}
