//! How the owner of a running program steers it: a Unix socket, and one line of JSON each way.

use rustix::fs::Mode;
use rustix::process::umask;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::net::{UnixListener as StdListener, UnixStream as StdStream};
use std::path::Path;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};

/// No request is longer than this, in bytes; an answer may be.
const MAX_REQUEST: u64 = 4096;
/// How long one conversation may take.
const LIMIT: Duration = Duration::from_secs(5);
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

/// Answers one request after the other, for ever. What `answer` gives no answer to is left without one.
///
/// # Errors
/// When the runtime does not take the socket.
pub async fn serve<Q, A, F>(listener: StdListener, answer: impl Fn(Q) -> F) -> io::Result<()>
where
    Q: DeserializeOwned,
    A: Serialize,
    F: Future<Output = Option<A>>,
{
    let listener = UnixListener::from_std(listener)?;
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let heard = tokio::time::timeout(LIMIT, hear(stream, &answer)).await;
                tracing::debug!(?heard, "Somebody was heard at the socket");
            }
            Err(error) => {
                tracing::debug!(%error, "Somebody could not be heard at the socket");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

async fn hear<Q, A, F>(mut stream: UnixStream, answer: &impl Fn(Q) -> F) -> io::Result<()>
where
    Q: DeserializeOwned,
    A: Serialize,
    F: Future<Output = Option<A>>,
{
    let (reader, mut writer) = stream.split();
    let mut line = String::new();
    let mut reader = tokio::io::BufReader::new(reader.take(MAX_REQUEST));
    reader.read_line(&mut line).await?;
    let answer = answer(serde_json::from_str(&line)?).await;
    let answer = answer.ok_or(io::ErrorKind::BrokenPipe)?;
    let mut line = serde_json::to_vec(&answer)?;
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
