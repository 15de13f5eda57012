//! The service's end of the pipe.
//!
//! Who is at the other end is known when something has been read. So newcomers are heard beside each other, and whoever
//! says nothing keeps nobody waiting.
#![allow(
    unsafe_code,
    reason = "tokio takes a pipe's access list by a raw pointer"
)]

use lanparty_client_rights::{Account, Descriptor, access, client_of, pipe_exists};
use std::io::{self, Cursor};
use std::os::windows::io::{AsRawHandle as _, BorrowedHandle};
use std::path::Path;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, Chain, Join, ReadHalf, WriteHalf};
use tokio::net::windows::named_pipe::{NamedPipeServer, ServerOptions};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::timeout;

/// What is said with a view.
pub type PipeStream =
    Join<Chain<Cursor<Vec<u8>>, ReadHalf<NamedPipeServer>>, WriteHalf<NamedPipeServer>>;

/// How long a newcomer may take for the first word.
const FIRST_WORD: Duration = Duration::from_secs(5);
/// How many may be about to say it; when one more comes, the oldest has had its time.
const NEWCOMERS: usize = 32;
/// How long to wait for an instance where all are in use: Windows does not tell.
const ALL_IN_USE: Duration = Duration::from_millis(100);

/// A pipe that views open.
#[derive(Debug)]
pub struct PipeListener {
    name: String,
    access: Descriptor,
    /// Waits for the next view. Nothing: all instances are in use.
    next: Option<NamedPipeServer>,
    newcomers: JoinSet<io::Result<(PipeStream, Account)>>,
    /// The oldest first.
    handles: Vec<AbortHandle>,
}

impl PipeListener {
    /// Makes the pipe, which nobody may have made before: Windows gives one name to many, and then the first would
    /// say who may open it.
    ///
    /// # Errors
    /// [`io::ErrorKind::PermissionDenied`] when there is a pipe of this name; else what the system says.
    pub fn open(name: &str) -> io::Result<Self> {
        let access = Descriptor::parse(access::OF_PIPE)?;
        // Windows itself looks for the first instance, at one with making it; Wine 8 does not.
        if pipe_exists(Path::new(name)) {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        Ok(PipeListener {
            next: Some(instance(name, &access, true)?),
            name: name.to_owned(),
            access,
            newcomers: JoinSet::new(),
            handles: Vec::new(),
        })
    }

    /// The next view that has said something, and whose it is. May be dropped at any time.
    ///
    /// # Errors
    /// When Windows does not let somebody in. The next one may.
    pub async fn accept(&mut self) -> io::Result<(PipeStream, Account)> {
        loop {
            let next = match self.next.take() {
                Some(next) => self.next.insert(next),
                None => match instance(&self.name, &self.access, false) {
                    Ok(next) => self.next.insert(next),
                    Err(error) => {
                        tracing::debug!(%error, "All of the pipe's instances are in use");
                        tokio::time::sleep(ALL_IN_USE).await;
                        continue;
                    }
                },
            };
            tokio::select! {
                biased;
                Some(known) = self.newcomers.join_next() => match known {
                    Ok(Ok(known)) => return Ok(known),
                    Ok(Err(error)) => tracing::debug!(%error, "A view went before it said anything"),
                    Err(error) => tracing::debug!(%error, "A view said nothing"),
                },
                connected = next.connect() => {
                    let pipe = self.next.take().ok_or(io::ErrorKind::NotConnected)?;
                    connected?;
                    self.welcome(pipe);
                }
            }
        }
    }

    fn welcome(&mut self, pipe: NamedPipeServer) {
        // The next instance is there before this one is attended to, so that the name never vanishes.
        self.next = instance(&self.name, &self.access, false).ok();
        self.handles.retain(|handle| !handle.is_finished());
        if self.handles.len() >= NEWCOMERS {
            self.handles.remove(0).abort();
        }
        self.handles.push(self.newcomers.spawn(introduce(pipe)));
    }
}

/// Hears the first words, and looks who has said them.
async fn introduce(mut pipe: NamedPipeServer) -> io::Result<(PipeStream, Account)> {
    let mut words = vec![0; 1024];
    let length = timeout(FIRST_WORD, pipe.read(&mut words)).await??;
    if length == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    words.truncate(length);
    // SAFETY: the handle is open as long as `pipe`, which outlives the borrow.
    let account = client_of(unsafe { BorrowedHandle::borrow_raw(pipe.as_raw_handle()) })?;
    let (reader, writer) = tokio::io::split(pipe);
    let reader = Cursor::new(words).chain(reader);
    Ok((tokio::io::join(reader, writer), account))
}

fn instance(name: &str, access: &Descriptor, is_first: bool) -> io::Result<NamedPipeServer> {
    let mut options = ServerOptions::new();
    options
        .first_pipe_instance(is_first)
        .reject_remote_clients(true);
    access.with_attributes(|attributes| {
        // SAFETY: a pointer to valid attributes, which live as long as the call.
        unsafe { options.create_with_security_attributes_raw(name, attributes) }
    })
}

#[cfg(test)]
mod tests;
