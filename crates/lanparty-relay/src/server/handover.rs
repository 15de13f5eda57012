//! How a relay takes the place of one that runs: a socket in the state folder, lines of JSON, and the descriptors of its
//! UDP sockets, of which one from before there were threads has one.
//!
//! The newcomer starts as a whole, in a sandbox of its own, and asks for the other's UDP sockets; then it asks for the
//! *place*. From that moment on the other one reads nothing, tells its peers to come back at once, and answers with what
//! must outlive it: which rooms are claimed, so that players need not wait for their gateways. Packets that come meanwhile wait in
//! the socket, which never closes. If anything goes wrong before, the one that runs goes on as if nothing had been asked.

use super::wishes::{Settings, Wish};
use crate::registry::Legacy;
use lanparty_ctrl::AccessToken;
use lanparty_edge::privilege;
use lanparty_quic::MAX_LOOPS;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recv, recvmsg, sendmsg, sockopt,
};
use rustix::stdio;
use sd_notify::NotifyState;
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, IoSlice, IoSliceMut, Read as _, Write as _};
use std::mem::MaybeUninit;
use std::net::{TcpListener, UdpSocket};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tracing::{debug, info, warn};

/// How long the one that runs waits for the newcomer's next line: a start on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long the newcomer waits for an answer.
const ANSWER: Duration = Duration::from_secs(10);
/// No line is longer, in bytes: as many claims as there can be.
const MAX_LINE: u64 = 4 * 1024 * 1024;

/// Which program runs: another file, or the same one written anew, is another program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Program {
    version: String,
    device: u64,
    inode: u64,
    modified_ns: i64,
}

impl Program {
    /// The one that asks this.
    pub(crate) fn own() -> io::Result<Self> {
        let file = fs::metadata("/proc/self/exe")?;
        Ok(Program {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            device: file.dev(),
            inode: file.ino(),
            modified_ns: file.mtime() * 1_000_000_000 + file.mtime_nsec(),
        })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Ask {
    /// Which program are you?
    Program,
    /// Read your settings again.
    Settings,
    /// Your UDP sockets.
    Socket,
    /// Your listener for TCP. Older relays have none, and end the conversation.
    Listener,
    /// I have all of them; one that does not say this takes the first alone.
    HaveAll,
    /// What gateways must show you that want to open rooms.
    Access,
    /// Your place, now.
    Place,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Said {
    Program(Program),
    /// What has come of it, as sentences.
    Settings(Settings),
    /// The sockets come with this line, in their order.
    Socket,
    /// It comes with this line, if there is one.
    Listener,
    HaveAll,
    Access(Option<AccessToken>),
    Place(Legacy),
}

/// Hears successors, on a thread of its own.
pub(super) struct Heirs {
    listener: UnixListener,
    program: Program,
    sockets: Vec<UdpSocket>,
    tcp: Option<TcpListener>,
}

impl Heirs {
    pub(super) fn new(
        listener: UnixListener,
        sockets: Vec<UdpSocket>,
        tcp: Option<TcpListener>,
    ) -> io::Result<Self> {
        listener.set_nonblocking(false)?;
        Ok(Heirs {
            listener,
            program: Program::own()?,
            sockets,
            tcp,
        })
    }

    /// The thread ends with the program.
    pub(super) fn listen(self, wishes: mpsc::Sender<Wish>) -> io::Result<()> {
        let thread = std::thread::Builder::new().name("handover".to_owned());
        thread.spawn(move || {
            privilege::need_nothing();
            for stream in self.listener.incoming() {
                let heard = stream.and_then(|stream| self.hear(&stream, &wishes));
                debug!(?heard, "Somebody was heard who may take over");
            }
        })?;
        Ok(())
    }

    fn hear(&self, stream: &UnixStream, wishes: &mpsc::Sender<Wish>) -> io::Result<()> {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(ANSWER))?;
        let mut lines = BufReader::new(stream);
        let mut has_all = self.sockets.len() == 1;
        while let Some(ask) = next(&mut lines)? {
            match ask {
                Ask::Program => say(stream, &Said::Program(self.program.clone()))?,
                Ask::Settings => {
                    let settings = wish(wishes, Wish::Settings)?;
                    say(stream, &Said::Settings(settings))?;
                }
                Ask::Socket => {
                    let sockets: Vec<_> = self.sockets.iter().map(UdpSocket::as_fd).collect();
                    say_with(stream, &Said::Socket, &sockets)?;
                }
                Ask::Listener => {
                    let tcp: Vec<_> = self.tcp.iter().map(TcpListener::as_fd).collect();
                    say_with(stream, &Said::Listener, &tcp)?;
                }
                Ask::HaveAll => {
                    has_all = true;
                    say(stream, &Said::HaveAll)?;
                }
                Ask::Access => {
                    let access = wish(wishes, Wish::Access)?;
                    say(stream, &Said::Access(access))?;
                }
                // Whoever has gone cannot keep it.
                Ask::Place if !is_there(stream) => break,
                Ask::Place => {
                    // An older relay listens at the first alone.
                    if !has_all
                        && let Some(first) = self.sockets.first()
                        && let Err(error) = lanparty_quic::steer_to_first(first)
                    {
                        warn!(%error, "Some peers will need a moment to find the relay that takes over");
                    }
                    let legacy = wish(wishes, Wish::Place)?;
                    tell_systemd(stream);
                    return say(stream, &Said::Place(legacy));
                }
            }
        }
        Ok(())
    }
}

/// It says nothing more before it is answered, so there is nothing to read, unless it has gone.
fn is_there(stream: &UnixStream) -> bool {
    let read = recv(
        stream,
        &mut [0_u8; 1],
        RecvFlags::PEEK | RecvFlags::DONTWAIT,
    );
    matches!(read, Err(rustix::io::Errno::AGAIN))
}

/// systemd believes the main process alone when another shall be that.
fn tell_systemd(stream: &UnixStream) {
    let successor = sockopt::socket_peercred(stream).map(|peer| peer.pid.as_raw_pid());
    let told = successor
        .map_err(io::Error::from)
        .and_then(|pid| sd_notify::notify(&[NotifyState::MainPid(pid.cast_unsigned())]));
    if let Err(error) = told {
        warn!(%error, "systemd does not hear which process is the relay now");
    }
}

fn wish<T>(
    wishes: &mpsc::Sender<Wish>,
    make: impl FnOnce(oneshot::Sender<T>) -> Wish,
) -> io::Result<T> {
    let (answer, answered) = oneshot::channel();
    let gone = |_| io::Error::from(io::ErrorKind::BrokenPipe);
    wishes.blocking_send(make(answer)).map_err(|_| gone(()))?;
    answered.blocking_recv().map_err(|_| gone(()))
}

fn next<T: for<'de> Deserialize<'de>>(
    lines: &mut BufReader<impl io::Read>,
) -> io::Result<Option<T>> {
    let mut line = String::new();
    match lines.by_ref().take(MAX_LINE).read_line(&mut line)? {
        0 => Ok(None),
        _ => Ok(Some(serde_json::from_str(&line)?)),
    }
}

fn say(stream: &UnixStream, line: &impl Serialize) -> io::Result<()> {
    say_with(stream, line, &[])
}

/// The descriptors travel with the first byte.
fn say_with(
    mut stream: &UnixStream,
    line: &impl Serialize,
    descriptors: &[BorrowedFd<'_>],
) -> io::Result<()> {
    let mut line = serde_json::to_vec(line)?;
    line.push(b'\n');
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_LOOPS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() {
        control.push(SendAncillaryMessage::ScmRights(descriptors));
    }
    let sent = sendmsg(
        stream,
        &[IoSlice::new(&line)],
        &mut control,
        SendFlags::NOSIGNAL,
    )?;
    stream.write_all(&line[sent..])
}

/// Why a relay does not take another one's place.
#[derive(Debug, thiserror::Error)]
pub enum HandoverError {
    /// It says something else than it should, or nothing.
    #[error(
        "the relay that runs does not give up its place ({0}), and goes on; to have the new one all the same stop the old one, and start this"
    )]
    Refused(#[from] io::Error),
    /// There may be a token that it does not see.
    #[error(
        "the new relay cannot see whether it has an access token, as systemd shows what it hands over at a start alone, and the relay that runs has none; that one goes on, and `systemctl restart` starts the new one"
    )]
    AccessHidden,
}

/// The relay that runs, as the one sees it that shall take its place.
pub(crate) struct Predecessor {
    lines: BufReader<UnixStream>,
}

impl Predecessor {
    /// The one that listens there, if there is any.
    pub(crate) fn find(file: &Path) -> io::Result<Option<Self>> {
        let Ok(stream) = UnixStream::connect(file) else {
            return Ok(None);
        };
        stream.set_read_timeout(Some(ANSWER))?;
        stream.set_write_timeout(Some(ANSWER))?;
        Ok(Some(Predecessor {
            lines: BufReader::new(stream),
        }))
    }

    fn ask(&mut self, ask: &Ask) -> io::Result<Said> {
        say(self.lines.get_ref(), ask)?;
        next(&mut self.lines)?.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    /// Which program it is.
    pub(crate) fn program(&mut self) -> io::Result<Program> {
        match self.ask(&Ask::Program)? {
            Said::Program(program) => Ok(program),
            _ => Err(strange()),
        }
    }

    /// Has it read its settings again.
    pub(crate) fn read_settings(&mut self) -> io::Result<Settings> {
        match self.ask(&Ask::Settings)? {
            Said::Settings(settings) => Ok(settings),
            _ => Err(strange()),
        }
    }

    /// Its sockets, which it goes on reading, in their order; an older relay has one.
    pub(super) fn sockets(&mut self) -> io::Result<Vec<UdpSocket>> {
        let sockets: Vec<_> = self.descriptors(&Ask::Socket)?;
        match sockets[..] {
            [] => Err(strange()),
            _ => Ok(sockets.into_iter().map(UdpSocket::from).collect()),
        }
    }

    /// Its listener for TCP, if it has one to give. Whoever does not know the question says nothing any more.
    pub(super) fn tcp(mut self) -> Option<TcpListener> {
        let listener = self.descriptors(&Ask::Listener).ok()?;
        listener.into_iter().next().map(TcpListener::from)
    }

    /// What comes with the answer to a question.
    fn descriptors(&mut self, ask: &Ask) -> io::Result<Vec<OwnedFd>> {
        let stream = self.lines.get_ref();
        say(stream, ask)?;
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_LOOPS))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let mut byte = [0; 1];
        let slices = &mut [IoSliceMut::new(&mut byte)];
        recvmsg(stream, slices, &mut control, RecvFlags::CMSG_CLOEXEC)?;
        let descriptors = control.drain().filter_map(|message| match message {
            RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors),
            _ => None,
        });
        let descriptors: Vec<_> = descriptors.flatten().collect();
        let mut rest = String::new();
        self.lines.read_line(&mut rest)?;
        Ok(descriptors)
    }

    /// Tells it that so many sockets are all that it has handed over: whoever has several understands that.
    pub(super) fn has_all(&mut self, sockets: usize) -> io::Result<()> {
        if sockets == 1 {
            return Ok(());
        }
        match self.ask(&Ask::HaveAll)? {
            Said::HaveAll => Ok(()),
            _ => Err(strange()),
        }
    }

    /// Without which nobody opens rooms there.
    pub(super) fn access(&mut self) -> io::Result<Option<AccessToken>> {
        match self.ask(&Ask::Access)? {
            Said::Access(access) => Ok(access),
            _ => Err(strange()),
        }
    }

    /// Its place; it reads nothing any more. Without an answer it has ended by itself, and the place is free.
    pub(super) fn place(mut self) -> io::Result<Legacy> {
        match self.ask(&Ask::Place) {
            Ok(Said::Place(legacy)) => Ok(legacy),
            Ok(_) => Err(strange()),
            Err(error) if has_ended(&error) => {
                info!("The relay whose place this is has ended by itself");
                Ok(Legacy::default())
            }
            Err(error) => Err(error),
        }
    }
}

/// What a successor says at its standard input, a socket, once it serves.
pub(crate) const READY: &[u8; 1] = b".";

/// Whoever has started this relay as a successor learns that it serves, and has its end of standard input back.
pub(super) fn tell_starter(null: Option<&File>) {
    let told = rustix::io::write(stdio::stdin(), READY);
    let told = told.and_then(|_| null.map_or(Ok(()), |null| stdio::dup2_stdin(null.as_fd())));
    if let Err(error) = told {
        debug!(%error, "Nobody waits for this relay any more");
    }
}

fn has_ended(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), BrokenPipe | ConnectionReset | UnexpectedEof)
}

fn strange() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "it gives a strange answer")
}

#[cfg(test)]
mod tests;
