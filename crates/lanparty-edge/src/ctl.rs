//! How the owner of a running program steers it: a Unix socket, and one line of JSON each way.

use rustix::fs::Mode;
use rustix::process::umask;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::net::{UnixListener as StdListener, UnixStream as StdStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::task::JoinSet;

/// No request is longer than this, in bytes; an answer may be.
const MAX_REQUEST: u64 = 4096;
/// How long one conversation may take.
const LIMIT: Duration = Duration::from_secs(8);
/// How many conversations go on at a time.
const MAX_GUESTS: usize = 16;
/// How long whoever asks waits for it.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a system that has no file descriptors left is left alone.
const PAUSE: Duration = Duration::from_secs(1);

/// Makes the socket, for its owner alone. What a killed program left there gives way.
///
/// # Errors
/// What the system says; that the address is in use, when another program listens there.
pub fn bind(file: &Path) -> io::Result<StdListener> {
    if is_live(file) {
        return Err(io::ErrorKind::AddrInUse.into());
    }
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    bind_anew(file)
}

/// The same in the place of a program that listens there, which must not be asked any more: who asks from now on asks us.
///
/// # Errors
/// What the system says; the other program then has its place still.
pub fn bind_in_place(file: &Path) -> io::Result<StdListener> {
    let mut beside = file.as_os_str().to_owned();
    beside.push(".new");
    let beside = Path::new(&beside);
    let listener = bind_anew(beside)?;
    fs::rename(beside, file)?;
    Ok(listener)
}

fn bind_anew(file: &Path) -> io::Result<StdListener> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    // There are no other threads yet that could make files meanwhile.
    let before = umask(Mode::RWXG | Mode::RWXO | Mode::XUSR);
    let listener = StdListener::bind(file);
    umask(before);
    let listener = listener?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Hears one request after the other, for ever, and gives each the answer that `answer` has for it, sooner or later; what
/// that gives none to is left without one. Several conversations go on at a time, so that nobody waits for who says
/// nothing or does not listen.
///
/// # Errors
/// When the runtime does not take the socket.
pub async fn serve<Q, A, F>(listener: StdListener, answer: impl Fn(Q) -> F) -> io::Result<()>
where
    Q: DeserializeOwned + Send + 'static,
    A: Serialize + Send + 'static,
    F: Future<Output = Option<A>> + Send + 'static,
{
    let listener = UnixListener::from_std(listener)?;
    let guests = Arc::new(Semaphore::new(MAX_GUESTS));
    let (ask, mut asked) = mpsc::channel::<(Q, oneshot::Sender<F>)>(1);
    let mut conversations = JoinSet::new();
    loop {
        tokio::select! {
            Some((request, answered)) = asked.recv() => {
                // Who asked may have gone.
                let _ = answered.send(answer(request));
            }
            Some(_) = conversations.join_next() => {}
            accepted = accept(&listener, &guests) => match accepted {
                Ok((stream, guest)) => {
                    let hearing = hear(stream, ask.clone());
                    conversations.spawn(async move {
                        let heard = tokio::time::timeout(LIMIT, hearing).await;
                        tracing::debug!(?heard, "Somebody was heard at the socket");
                        drop(guest);
                    });
                }
                Err(error) => {
                    tracing::debug!(%error, "Somebody could not be heard at the socket");
                    tokio::time::sleep(PAUSE).await;
                }
            },
        }
    }
}

async fn accept(
    listener: &UnixListener,
    guests: &Arc<Semaphore>,
) -> io::Result<(UnixStream, OwnedSemaphorePermit)> {
    let guest = guests.clone().acquire_owned().await;
    let guest = guest.map_err(io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    Ok((stream, guest))
}

async fn hear<Q, A, F>(
    mut stream: UnixStream,
    ask: mpsc::Sender<(Q, oneshot::Sender<F>)>,
) -> io::Result<()>
where
    Q: DeserializeOwned,
    A: Serialize,
    F: Future<Output = Option<A>>,
{
    let (reader, mut writer) = stream.split();
    let mut line = String::new();
    let mut reader = tokio::io::BufReader::new(reader.take(MAX_REQUEST));
    reader.read_line(&mut line).await?;
    let (sender, answer) = oneshot::channel();
    let broken = || io::Error::from(io::ErrorKind::BrokenPipe);
    let asked = ask.send((serde_json::from_str(&line)?, sender)).await;
    asked.map_err(|_| broken())?;
    let answer = answer.await.map_err(|_| broken())?.await;
    let mut line = serde_json::to_vec(&answer.ok_or_else(broken)?)?;
    line.push(b'\n');
    writer.write_all(&line).await
}

/// True when a program listens there that we may speak to.
pub fn is_live(socket: &Path) -> bool {
    StdStream::connect(socket).is_ok()
}

/// Asks the program at this socket.
///
/// # Errors
/// When it is not there, does not answer, or says something else.
pub fn ask<A: DeserializeOwned>(socket: &Path, request: &impl Serialize) -> io::Result<A> {
    let mut stream = StdStream::connect(socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    stream.write_all(&line)?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer)?;
    Ok(serde_json::from_str(&answer)?)
}

/// The same for programs: a line of JSON for each.
pub fn json_lines(of: &[impl Serialize]) -> String {
    let lines = of.iter().map(serde_json::to_string);
    let lines = lines.map(|line| line.expect("numbers and names are JSON") + "\n");
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[tokio::test]
    async fn the_owner_asks_and_is_answered() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("new/x.ctl");
        let listener = bind(&file).unwrap();
        let mode = fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let double = |number: u32| async move { (number < 50).then_some(2 * number) };
        tokio::spawn(serve(listener, double));
        let asking = tokio::task::spawn_blocking(move || {
            assert!(is_live(&file) && bind(&file).is_err());
            (
                ask::<u32>(&file, &21u32),
                ask::<u32>(&file, &"?"),
                ask::<u32>(&file, &50u32),
            )
        });
        let (answer, nonsense, silence) = asking.await.unwrap();
        assert_eq!(answer.unwrap(), 42);
        assert!(nonsense.is_err() && silence.is_err());
    }

    #[tokio::test]
    async fn who_says_nothing_holds_up_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("x.ctl");
        let listener = bind(&file).unwrap();
        tokio::spawn(serve(listener, |number: u32| async move { Some(number) }));
        let asking = tokio::task::spawn_blocking(move || {
            let silent = [(); 5].map(|()| StdStream::connect(&file).unwrap());
            let answer = ask::<u32>(&file, &7u32);
            drop(silent);
            answer
        });
        assert_eq!(asking.await.unwrap().unwrap(), 7);
    }

    #[test]
    fn a_successor_is_asked_in_the_place_of_who_listens_still() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("x.ctl");
        let old = bind(&file).unwrap();
        let new = bind_in_place(&file).unwrap();
        let _asker = StdStream::connect(&file).unwrap();
        assert!(new.accept().is_ok() && old.accept().is_err());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_a_killed_program_left_gives_way() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("x.ctl");
        drop(bind(&file).unwrap());
        assert!(!is_live(&file) && bind(&file).is_ok());
    }
}
