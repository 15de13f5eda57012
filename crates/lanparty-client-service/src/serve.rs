//! Answering views: one line of JSON in, lines of JSON out.
//!
//! Nobody who is slow, silent or many keeps the session or others from anything: there are so many views and no more,
//! each has a task with one line in its hands, and who does not take that line in time is given up.

mod guests;

use crate::Caller;
use crate::caller::OnBehalfOf;
use crate::place::Place;
use crate::service::Service;
use guests::{Guests, Seat};
use lanparty_client_control::{Answer, MAX_ANSWER, MAX_REQUEST, Request};
use std::io;
use std::rc::Rc;
use std::time::Duration;
use tokio::io::{
    AsyncBufRead, AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite,
    AsyncWriteExt as _, BufReader,
};
use tokio::time::{sleep, timeout};

/// How long a view may take to say what it wants.
const SAYING: Duration = Duration::from_secs(5);
/// How long a view may take to hear a line.
const HEARING: Duration = Duration::from_secs(2);
/// Snapshots come no closer than this,
const PAUSE: Duration = Duration::from_millis(250);
/// and no further apart, as a view takes silence for the service's death.
const BEAT: Duration = Duration::from_secs(1);
/// How long a system that has no descriptors left is left alone.
const EXHAUSTED: Duration = Duration::from_secs(1);
/// How long nobody is let in after somebody for whom there was no place: whoever comes again at once costs little.
const FULL: Duration = Duration::from_millis(20);

/// Where views come in: a Unix socket, or a pipe of Windows.
pub trait Listener: 'static {
    /// What is said and heard with a view.
    type Stream: AsyncRead + AsyncWrite + Unpin + 'static;

    /// The next view, and whose it is.
    ///
    /// # Errors
    /// When somebody could not be let in. The next one may.
    fn accept(&mut self) -> impl Future<Output = io::Result<(Self::Stream, Caller)>>;
}

/// Answers views for ever.
pub(crate) async fn serve<P: Place, L: Listener>(
    mut listener: L,
    service: Rc<Service<P>>,
) -> io::Result<()> {
    let guests = Rc::new(Guests::default());
    loop {
        match listener.accept().await {
            Ok((stream, caller)) => {
                if !admit(&guests, &service, stream, caller) {
                    sleep(FULL).await;
                }
            }
            Err(error) => {
                tracing::debug!(%error, "Somebody could not be heard");
                sleep(EXHAUSTED).await;
            }
        }
    }
}

/// Begins a conversation, if there is a place for it.
fn admit<P: Place>(
    guests: &Rc<Guests>,
    service: &Rc<Service<P>>,
    stream: impl AsyncRead + AsyncWrite + Unpin + 'static,
    caller: Caller,
) -> bool {
    let Some(seat) = guests.seat(&caller.id) else {
        tracing::debug!(account = %caller.account, "Too many views");
        return false;
    };
    let (service, whose) = (service.clone(), seat.number());
    let task = tokio::task::spawn_local(async move {
        let attended = attend(&service, stream, caller, &seat).await;
        tracing::trace!(?attended, "A view has gone");
    });
    guests.may_end(whose, task.abort_handle());
    true
}

/// One conversation.
async fn attend<P: Place>(
    service: &Rc<Service<P>>,
    stream: impl AsyncRead + AsyncWrite + Unpin,
    caller: Caller,
    seat: &Seat,
) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    let (caller, line) = timeout(SAYING, hear(&mut stream, caller, seat)).await??;
    seat.has_spoken();
    tracing::debug!(account = %caller.account, id = %caller.id, "A view asks");
    let Ok(request) = serde_json::from_slice(&line) else {
        let sentence =
            "the service does not understand this: it is of another version; restart it".to_owned();
        return say(&mut stream, &Answer::Refused(sentence)).await;
    };
    match request {
        Request::Watch => show(service, &mut stream, &caller).await,
        request => {
            let answer = service.ask(&caller, request).await;
            say(&mut stream, &answer).await
        }
    }
}

/// What a view wants, and for whom: an administrator's program may carry somebody else's words, who then has one of
/// their own places and none of the administrator's.
async fn hear(
    stream: &mut (impl AsyncBufRead + Unpin),
    caller: Caller,
    seat: &Seat,
) -> io::Result<(Caller, Vec<u8>)> {
    let line = read_line(stream).await?;
    match serde_json::from_slice(&line) {
        Ok(OnBehalfOf { whose }) if caller.is_admin => {
            if !seat.is_for(&whose.id) {
                return Err(io::ErrorKind::QuotaExceeded.into());
            }
            Ok((whose, read_line(stream).await?))
        }
        Ok(_) | Err(_) => Ok((caller, line)),
    }
}

async fn read_line(stream: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    let mut bounded = stream.take(MAX_REQUEST as u64);
    bounded.read_until(b'\n', &mut line).await?;
    match line.last() {
        Some(b'\n') => Ok(line),
        Some(_) | None => Err(io::ErrorKind::InvalidData.into()),
    }
}

/// Snapshots at every change and at least once a second, until the view goes.
async fn show<P: Place>(
    service: &Rc<Service<P>>,
    stream: &mut (impl AsyncWrite + Unpin),
    caller: &Caller,
) -> io::Result<()> {
    let mut changes = service.changes();
    loop {
        changes.mark_unchanged();
        let snapshot = Answer::Snapshot(Box::new(service.snapshot(caller)));
        say(stream, &snapshot).await?;
        sleep(PAUSE).await;
        // Nothing new for so long: the same is said again.
        let _ = timeout(BEAT - PAUSE, changes.changed()).await;
    }
}

async fn say(stream: &mut (impl AsyncWrite + Unpin), answer: &Answer) -> io::Result<()> {
    let mut line = serde_json::to_vec(answer)?;
    line.push(b'\n');
    if line.len() > MAX_ANSWER {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    timeout(HEARING, async {
        stream.write_all(&line).await?;
        stream.flush().await
    })
    .await?
}
