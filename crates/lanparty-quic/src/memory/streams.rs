//! Streams for control messages: pipes of bounded size, handed over through queues of bounded length.

use super::Connection;
use crate::engine::StreamError;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::sync::{Mutex, mpsc};

/// Bytes that may wait in a stream, as over QUIC.
const WINDOW: usize = crate::transport::STREAM_WINDOW as usize;
/// Streams that may wait to be accepted, as over QUIC.
const MOST: usize = crate::transport::MAX_STREAMS as usize;

/// One end of a pipe, of which one direction is used.
pub(super) type Pipe = DuplexStream;

/// The streams that somebody has opened towards one end.
#[derive(Debug, Default)]
pub(super) struct Streams {
    uni: Queue<Pipe>,
    bi: Queue<(Pipe, Pipe)>,
}

#[derive(Debug)]
struct Queue<T> {
    sender: mpsc::Sender<T>,
    // Locked by whoever waits for the next one; that is one task.
    receiver: Mutex<mpsc::Receiver<T>>,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        let (sender, receiver) = mpsc::channel(MOST);
        let receiver = Mutex::new(receiver);
        Queue { sender, receiver }
    }
}

impl<T> Queue<T> {
    async fn put(&self, stream: T) {
        let put = self.sender.send(stream).await;
        put.expect("the receiver is beside the sender");
    }

    async fn next(&self) -> T {
        let next = self.receiver.lock().await.recv().await;
        next.expect("the sender is beside the receiver")
    }
}

impl Streams {
    pub(super) async fn open_uni(&self) -> Pipe {
        let (near, far) = tokio::io::duplex(WINDOW);
        self.uni.put(far).await;
        near
    }

    pub(super) async fn accept_uni(&self) -> Pipe {
        self.uni.next().await
    }

    /// Where to write, and where to read.
    pub(super) async fn open_bi(&self) -> (Pipe, Pipe) {
        let (send, far_receive) = tokio::io::duplex(WINDOW);
        let (receive, far_send) = tokio::io::duplex(WINDOW);
        self.bi.put((far_send, far_receive)).await;
        (send, receive)
    }

    pub(super) async fn accept_bi(&self) -> (Pipe, Pipe) {
        self.bi.next().await
    }
}

/// The end of a stream that takes bytes.
#[derive(Debug)]
pub(crate) struct SendStream {
    connection: Connection,
    /// There until the stream is finished.
    pipe: Option<Pipe>,
}

impl SendStream {
    pub(super) fn new(connection: &Connection, pipe: Pipe) -> Self {
        SendStream {
            connection: connection.clone(),
            pipe: Some(pipe),
        }
    }

    pub(crate) async fn write_all(&mut self, bytes: &[u8]) -> Result<(), StreamError> {
        let pipe = self.pipe.as_mut().ok_or(StreamError::GivenUp)?;
        let written = self.connection.unless_closed(pipe.write_all(bytes)).await?;
        written.map_err(|_| StreamError::GivenUp)
    }

    pub(crate) fn finish(&mut self) -> Result<(), StreamError> {
        if let Some(closed) = self.connection.fate() {
            return Err(closed.into());
        }
        // Without a writer the reader comes to the end.
        self.pipe.take().map(drop).ok_or(StreamError::GivenUp)
    }
}

/// The end of a stream that gives bytes.
#[derive(Debug)]
pub(crate) struct RecvStream {
    connection: Connection,
    pipe: Pipe,
}

impl RecvStream {
    pub(super) fn new(connection: &Connection, pipe: Pipe) -> Self {
        RecvStream {
            connection: connection.clone(),
            pipe,
        }
    }

    pub(crate) async fn read_exact(&mut self, room: &mut [u8]) -> Result<(), StreamError> {
        let read = self.connection.unless_closed(self.pipe.read_exact(room));
        match read.await? {
            Ok(_) => Ok(()),
            Err(_) => Err(StreamError::Ended),
        }
    }
}
