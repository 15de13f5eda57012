//! The Unix socket at which `lanparty-gateway ctl` finds a running gateway.

use crate::controls::Controls;
use crate::ctl::wire::{Answer, MAX_REQUEST};
use rustix::fs::Mode;
use rustix::process::umask;
use std::cell::RefCell;
use std::fs;
use std::io;
use std::os::unix::net::{UnixListener as StdListener, UnixStream as StdStream};
use std::path::Path;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Notify, oneshot};

/// How long one conversation may take; the relay answers within it or is not there.
const LIMIT: Duration = Duration::from_secs(5);
/// How long a system that has no file descriptors left is left alone.
const PAUSE: Duration = Duration::from_secs(1);

/// The host's wishes, between the task that hears them and the one that has the link.
pub(crate) struct Desk {
    pub(crate) controls: RefCell<Controls>,
    /// There are orders to be taken.
    pub(crate) orders: Notify,
    waiting: RefCell<Option<oneshot::Sender<Answer>>>,
}

impl Desk {
    pub(crate) fn new(controls: Controls) -> Self {
        Desk {
            controls: RefCell::new(controls),
            orders: Notify::new(),
            waiting: RefCell::new(None),
        }
    }

    /// The relay has answered.
    pub(crate) fn answer(&self, answer: Answer) {
        if let Some(asker) = self.waiting.take() {
            // It may have lost patience.
            let _ = asker.send(answer);
        }
    }

    /// Hears one host after the other, for ever.
    pub(crate) async fn serve(&self, listener: StdListener) -> io::Result<()> {
        let listener = UnixListener::from_std(listener)?;
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    let heard = tokio::time::timeout(LIMIT, self.hear(stream)).await;
                    tracing::debug!(?heard, "A host was heard");
                }
                Err(error) => {
                    tracing::debug!(%error, "A host could not be heard");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    async fn hear(&self, mut stream: UnixStream) -> io::Result<()> {
        let (reader, mut writer) = stream.split();
        let mut line = String::new();
        let mut reader = BufReader::new(reader.take(MAX_REQUEST));
        reader.read_line(&mut line).await?;
        let request = serde_json::from_str(&line)?;
        let (sender, answer) = oneshot::channel();
        self.waiting.replace(Some(sender));
        if let Some(answer) = self.controls.borrow_mut().handle_request(request) {
            self.answer(answer);
        }
        self.orders.notify_one();
        let answer = answer.await.map_err(io::Error::other)?;
        let mut line = serde_json::to_vec(&answer)?;
        line.push(b'\n');
        writer.write_all(&line).await
    }
}

/// Makes the socket, for its owner alone. What a killed gateway left there gives way.
///
/// # Errors
/// What the system says; that the address is in use, when another gateway listens there.
pub(crate) fn bind(file: &Path) -> io::Result<StdListener> {
    if StdStream::connect(file).is_ok() {
        return Err(io::ErrorKind::AddrInUse.into());
    }
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
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
