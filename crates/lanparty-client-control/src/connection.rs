//! A view's end of socket or pipe. It blocks: a view that may not wait has a thread for it.
//!
//! Each question has a connection of its own, and so has each watch: nothing is ever read and written at once, which a
//! Windows pipe without overlapped I/O could not do.

#[cfg_attr(windows, path = "connection/pipe.rs")]
#[cfg_attr(not(windows), path = "connection/socket.rs")]
mod system;

use crate::{Answer, MAX_ANSWER, Request, Snapshot};
use serde::de::DeserializeOwned;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use system::USUAL;

/// How long the service may take for an answer. Leaving gives an address back and undoes changes first.
const PATIENCE: Duration = Duration::from_secs(20);
/// A service that has nothing new says so within a second; after so long it is gone or stands still (check W8).
pub const SILENCE: Duration = Duration::from_millis(2500);

/// Where a service listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Door(PathBuf);

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
        Door(PathBuf::from(USUAL))
    }
}

impl Door {
    /// One at another place, for tests and for services that a person started.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Door(path.into())
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Asks one thing. [`Request::Watch`] is for [`Self::watch`].
    ///
    /// # Errors
    /// [`DoorError`], when there is no answer; a refusal is one.
    pub fn ask(&self, request: &Request) -> Result<Answer, DoorError> {
        let mut lines = self.open(request, PATIENCE)?;
        next(&mut lines)?.ok_or_else(|| DoorError::Silent(io::ErrorKind::UnexpectedEof.into()))
    }

    /// Follows how things stand.
    ///
    /// # Errors
    /// [`DoorError`], when nobody answers.
    pub fn watch(&self) -> Result<Watch, DoorError> {
        self.open(&Request::Watch, SILENCE).map(Watch)
    }

    fn open(&self, request: &Request, patience: Duration) -> Result<Lines, DoorError> {
        let mut stream = system::open(&self.0, patience)?;
        let mut line = serde_json::to_vec(request).expect("a request is JSON");
        line.push(b'\n');
        stream.write_all(&line).map_err(DoorError::Silent)?;
        Ok(BufReader::new(stream))
    }
}

type Lines = BufReader<system::Stream>;

/// Snapshots as they come: at least one a second. Ends with the service.
#[derive(Debug)]
pub struct Watch(Lines);

impl Iterator for Watch {
    type Item = Result<Snapshot, DoorError>;

    fn next(&mut self) -> Option<Self::Item> {
        match next(&mut self.0) {
            Ok(Some(Answer::Snapshot(snapshot))) => Some(Ok(*snapshot)),
            Ok(Some(_)) => Some(Err(DoorError::Strange(io::ErrorKind::InvalidData.into()))),
            Ok(None) => None,
            Err(error) => Some(Err(error)),
        }
    }
}

fn next<A: DeserializeOwned>(lines: &mut Lines) -> Result<Option<A>, DoorError> {
    let mut line = Vec::new();
    let mut bounded = lines.take(MAX_ANSWER as u64);
    bounded
        .read_until(b'\n', &mut line)
        .map_err(DoorError::Silent)?;
    if line.is_empty() {
        return Ok(None);
    }
    let answer = serde_json::from_slice(&line);
    answer
        .map(Some)
        .map_err(|error| DoorError::Strange(error.into()))
}
