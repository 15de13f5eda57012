//! The fleet's directory: etcd, by its JSON gateway.
//!
//! Every etcd since 3.4 answers gRPC's calls as JSON over HTTP/1.1 too, on the same port. So the relay needs neither gRPC
//! nor protobuf, and what it says can be tried with curl. What is asked and what the answers mean is [`lanparty_fleet`]'s;
//! here it is carried: by connections that are kept (`line`), to whichever etcd answers (`etcd`), as JSON (`wire`),
//! and what etcd tells by itself is heard (`watch`).
//!
//! Start with [`Directory::start`].

mod address;
mod error;
mod etcd;
mod line;
#[cfg(all(test, not(windows)))]
mod told;
mod trust;
mod watch;
mod wire;

pub use address::{DirectoryAddress, DirectoryAddressError};
pub use error::DirectoryError;
pub use trust::DirectoryTrustError;

use etcd::Etcd;
use lanparty_fleet::{Answer, Event, LeaseId, Request, Tag};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::timeout;

/// An answer that takes longer is none.
pub const ANSWER_WITHIN: Duration = Duration::from_millis(1500);
/// As much is asked at once; the relay's own lease is kept alive beside it.
const MAX_ASKED: usize = 32;
/// A relay's own lease is shorter; codes of rooms are kept under longer ones.
const OWN_LEASE: Duration = Duration::from_secs(60);

/// So much waits to be heard; then etcd waits. Whoever writes there in a hurry fills no relay's memory.
const UNHEARD: usize = 1024;

/// What the directory says.
#[derive(Debug)]
pub enum Heard {
    /// For [`Fleet::handle_answer`](lanparty_fleet::Fleet::handle_answer).
    Answer(Tag, Answer),
    /// For [`Fleet::handle_event`](lanparty_fleet::Fleet::handle_event).
    Event(Event),
    /// For the operator, who hears the same once a minute at most.
    Trouble(DirectoryError),
}

/// The user's password; nothing prints it.
#[derive(Clone)]
pub struct Password(String);

impl Password {
    /// A password as its file has it, without the line's end.
    pub fn new(text: &str) -> Self {
        Password(text.trim_end_matches(['\r', '\n']).to_owned())
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// A connection to the directory, for as long as this lives.
#[derive(Debug)]
pub struct Directory {
    etcd: Arc<Etcd>,
    says: mpsc::Sender<Heard>,
    heard: mpsc::Receiver<Heard>,
    turns: Arc<Semaphore>,
    /// The relay's own lease.
    own: Arc<AtomicI64>,
    tasks: JoinSet<()>,
}

impl Directory {
    /// Begins to listen; the first thing that is heard is everything that is there. Needs a tokio runtime.
    ///
    /// # Errors
    /// [`DirectoryTrustError`], before anything is sent.
    pub fn start(
        address: DirectoryAddress,
        password: Option<Password>,
    ) -> Result<Self, DirectoryTrustError> {
        let etcd = Arc::new(Etcd::new(address, password)?);
        let (says, heard) = mpsc::channel(UNHEARD);
        let mut tasks = JoinSet::new();
        tasks.spawn(watch::watch(Arc::clone(&etcd), says.clone()));
        Ok(Directory {
            etcd,
            says,
            heard,
            turns: Arc::new(Semaphore::new(MAX_ASKED)),
            own: Arc::default(),
            tasks,
        })
    }

    /// Asks once whether everything is as it should be: an etcd that answers, its certificate, the user, its rights. For
    /// a relay that starts, which then says what is wrong at once.
    ///
    /// # Errors
    /// [`DirectoryError`]; [`DirectoryError::is_final`] tells those that pass from those that do not.
    pub async fn check(&self) -> Result<(), DirectoryError> {
        self.etcd.check().await
    }

    /// Asks; the answer is heard, always.
    pub fn request(&mut self, tag: Tag, request: Request) {
        // Those that are done.
        while self.tasks.try_join_next().is_some() {}
        let etcd = Arc::clone(&self.etcd);
        let says = self.says.clone();
        let own = Arc::clone(&self.own);
        let is_own = match request {
            Request::Grant { ttl } => ttl < OWN_LEASE,
            Request::KeepAlive { lease } | Request::Revoke { lease } => {
                lease == LeaseId(own.load(Ordering::Relaxed))
            }
            Request::Write(_) => false,
        };
        let turns = (!is_own).then(|| Arc::clone(&self.turns));
        self.tasks.spawn(async move {
            let _turn = match turns {
                Some(turns) => match timeout(ANSWER_WITHIN, turns.acquire_owned()).await {
                    Ok(turn) => turn.ok(),
                    Err(_) => {
                        let _ = says.send(Heard::Answer(tag, Answer::Unreachable)).await;
                        return;
                    }
                },
                None => None,
            };
            let answer = match etcd.request(&request).await {
                Ok(answer) => {
                    if let (true, Answer::Granted { lease, .. }) = (is_own, &answer) {
                        own.store(lease.0, Ordering::Relaxed);
                    }
                    answer
                }
                Err(error) => {
                    tell(&etcd, &says, error).await;
                    Answer::Unreachable
                }
            };
            // Nobody listens once the relay ends.
            let _ = says.send(Heard::Answer(tag, answer)).await;
        });
    }

    /// What is said next.
    pub async fn heard(&mut self) -> Heard {
        match self.heard.recv().await {
            Some(heard) => heard,
            // `self` holds a sender.
            None => std::future::pending().await,
        }
    }
}

async fn tell(etcd: &Etcd, says: &mpsc::Sender<Heard>, error: DirectoryError) {
    if etcd.is_news(&error) {
        let _ = says.send(Heard::Trouble(error)).await;
    }
}
