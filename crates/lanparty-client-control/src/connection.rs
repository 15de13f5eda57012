//! A view's end of socket or pipe. It blocks: a view that may not wait has a thread for it.
//!
//! Each question has a connection of its own, and so has each watch: nothing is ever read and written at once, which a
//! Windows pipe without overlapped I/O could not do.

#[cfg_attr(windows, path = "connection/pipe.rs")]
#[cfg_attr(not(windows), path = "connection/socket.rs")]
mod system;

#[cfg(unix)]
mod bridge;

#[cfg(unix)]
pub use bridge::{LET_IN, SILENT};

use crate::{Answer, MAX_ANSWER, Request, Snapshot};
use serde::de::DeserializeOwned;
use std::io::{self, BufRead, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
#[cfg(unix)]
use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};
use std::time::Duration;

pub use system::USUAL;

/// How long the service may take for an answer. Leaving gives an address back and undoes changes first.
pub const PATIENCE: Duration = Duration::from_secs(20);
/// A service that has nothing new says so within a second; after so long it is gone or stands still (check W8).
pub const SILENCE: Duration = Duration::from_millis(2500);

/// Where a service listens, and how to get there.
#[derive(Debug, Clone)]
pub struct Door {
    path: PathBuf,
    #[cfg(unix)]
    polkit: Option<Polkit>,
}

/// The program that carries lines for who may not connect, and the running one, so that people are asked once.
#[cfg(unix)]
#[derive(Debug, Clone)]
struct Polkit {
    carrier: bridge::Carrier,
    running: Arc<Mutex<Option<BufReader<bridge::Bridge>>>>,
    refusal: Refusal,
    /// How long the service may take for an answer.
    patience: Duration,
}

/// Whether somebody has said no. Then nobody is asked again by this door; whoever wants that makes another.
#[cfg(unix)]
#[derive(Debug, Clone, Default)]
struct Refusal(Arc<AtomicBool>);

#[cfg(unix)]
impl Refusal {
    fn check(&self) -> Result<(), DoorError> {
        match self.0.load(Ordering::Relaxed) {
            true => Err(DoorError::NotPermitted),
            false => Ok(()),
        }
    }

    /// Why the program has ended, kept in mind.
    fn note(&self, ended: DoorError) -> DoorError {
        if matches!(ended, DoorError::NotPermitted) {
            self.0.store(true, Ordering::Relaxed);
        }
        ended
    }
}

/// Why the service cannot be asked.
#[derive(Debug, thiserror::Error)]
pub enum DoorError {
    /// Nobody listens there.
    #[error("the service is not running; start it, or install softlan-vpn anew")]
    NotRunning,
    /// The system does not let this user speak to it.
    #[error("you may not use the service yet: an administrator has to let you")]
    NotPermitted,
    /// Somebody listens there who is not the installed service.
    #[error("another program answers in the service's place: {0}; restart the computer")]
    Impostor(String),
    /// It does not answer.
    #[error("the service does not answer; restart it")]
    Silent(#[source] io::Error),
    /// It says what this version does not understand.
    #[error("the service is of another version; restart it, or install softlan-vpn anew")]
    Strange(#[source] io::Error),
}

impl Default for Door {
    fn default() -> Self {
        Door::at(USUAL)
    }
}

impl Door {
    /// One at another place, for tests and for services that a person started.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Door {
            path: path.into(),
            #[cfg(unix)]
            polkit: None,
        }
    }

    /// The installed service's, for a user whom the system lets in when an administrator says so: polkit's dialog asks at
    /// the first question. For use after [`DoorError::NotPermitted`]; nothing on a system without polkit.
    pub fn asked_of_polkit() -> Option<Self> {
        #[cfg(unix)]
        return bridge::Carrier::find().map(|carrier| Door {
            polkit: Some(Polkit {
                carrier,
                running: Arc::default(),
                refusal: Refusal::default(),
                patience: PATIENCE,
            }),
            ..Door::default()
        });
        #[cfg(not(unix))]
        None
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Asks one thing, and starts the installed service where it does not run. [`Request::Watch`] is for
    /// [`Self::watch`], which starts nothing.
    ///
    /// # Errors
    /// [`DoorError`], when there is no answer; a refusal is one.
    pub fn ask(&self, request: &Request) -> Result<Answer, DoorError> {
        #[cfg(unix)]
        if let Some(polkit) = &self.polkit {
            return polkit.ask(request);
        }
        let mut lines = BufReader::new(self.open(request, PATIENCE, true)?);
        next(&mut lines)?.ok_or_else(|| DoorError::Silent(io::ErrorKind::UnexpectedEof.into()))
    }

    /// Follows how things stand.
    ///
    /// # Errors
    /// [`DoorError`], when nobody answers.
    pub fn watch(&self) -> Result<Watch, DoorError> {
        #[cfg(unix)]
        if let Some(polkit) = &self.polkit {
            let patience = polkit.patience.min(SILENCE);
            let lines = polkit.begin(&Request::Watch, patience)?;
            let refusal = polkit.refusal.clone();
            return Ok(Watch(Lines::Carried(Some(Box::new(lines)), refusal)));
        }
        let lines = BufReader::new(self.open(&Request::Watch, SILENCE, false)?);
        Ok(Watch(Lines::Own(lines)))
    }

    fn open(
        &self,
        request: &Request,
        patience: Duration,
        wakes: bool,
    ) -> Result<system::Stream, DoorError> {
        let mut stream = system::open(&self.path, patience, wakes)?;
        stream
            .write_all(&line(request))
            .map_err(DoorError::Silent)?;
        Ok(stream)
    }
}

#[cfg(unix)]
impl Polkit {
    /// Asks by the running program, or by a new one.
    fn ask(&self, request: &Request) -> Result<Answer, DoorError> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let mut lines = match running.take() {
            // One that has ended meanwhile takes nothing more.
            Some(mut lines) => match lines.get_mut().write_all(&line(request)) {
                Ok(()) => lines,
                Err(_) => self.begin(request, self.patience)?,
            },
            None => self.begin(request, self.patience)?,
        };
        match next(&mut lines)? {
            Some(answer) => {
                *running = Some(lines);
                Ok(answer)
            }
            None => Err(self.refusal.note(lines.into_inner().end())),
        }
    }

    fn begin(
        &self,
        request: &Request,
        patience: Duration,
    ) -> Result<BufReader<bridge::Bridge>, DoorError> {
        self.refusal.check()?;
        let mut bridge = bridge::Bridge::start(&self.carrier, patience)?;
        // One that has ended already says below why.
        let _ = bridge.write_all(&line(request));
        Ok(BufReader::new(bridge))
    }
}

fn line(request: &Request) -> Vec<u8> {
    let mut line = serde_json::to_vec(request).expect("a request is JSON");
    line.push(b'\n');
    line
}

#[derive(Debug)]
enum Lines {
    Own(BufReader<system::Stream>),
    #[cfg(unix)]
    Carried(Option<Box<BufReader<bridge::Bridge>>>, Refusal),
}

/// Snapshots as they come: at least one a second. Ends with the service.
#[derive(Debug)]
pub struct Watch(Lines);

impl Iterator for Watch {
    type Item = Result<Snapshot, DoorError>;

    fn next(&mut self) -> Option<Self::Item> {
        let line = match &mut self.0 {
            Lines::Own(lines) => next(lines),
            #[cfg(unix)]
            Lines::Carried(carried, refusal) => {
                let told = next(carried.as_mut()?);
                if matches!(told, Ok(None)) {
                    let ended = carried.take()?.into_inner().end();
                    return Some(Err(refusal.note(ended)));
                }
                told
            }
        };
        match line {
            Ok(Some(Answer::Snapshot(snapshot))) => Some(Ok(*snapshot)),
            Ok(Some(_)) => Some(Err(DoorError::Strange(io::ErrorKind::InvalidData.into()))),
            Ok(None) => None,
            Err(error) => Some(Err(error)),
        }
    }
}

fn next<A: DeserializeOwned>(lines: &mut impl BufRead) -> Result<Option<A>, DoorError> {
    let mut line = Vec::new();
    let mut bounded = lines.take(MAX_ANSWER as u64);
    // An empty line says no more than that somebody is there.
    while matches!(line.as_slice(), [] | [b'\n']) {
        line.clear();
        let read = bounded.read_until(b'\n', &mut line);
        if read.map_err(DoorError::Silent)? == 0 {
            break;
        }
    }
    if line.is_empty() {
        return Ok(None);
    }
    let answer = serde_json::from_slice(&line);
    answer
        .map(Some)
        .map_err(|error| DoorError::Strange(error.into()))
}
