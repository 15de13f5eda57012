//! The two ends of a stream, over whatever the connection goes.

use crate::engine::{self, StreamError};
use crate::memory;

/// The end of a stream that takes bytes. Dropping it ends the stream.
#[derive(Debug)]
pub struct SendStream(Sender);

#[derive(Debug)]
enum Sender {
    Quic(engine::SendStream),
    Memory(memory::SendStream),
}

impl SendStream {
    /// Writes all of it, as the other side takes it.
    ///
    /// # Errors
    /// [`StreamError`].
    pub async fn write_all(&mut self, bytes: &[u8]) -> Result<(), StreamError> {
        match &mut self.0 {
            Sender::Quic(stream) => stream.write_all(bytes).await,
            Sender::Memory(stream) => stream.write_all(bytes).await,
        }
    }

    /// Says that nothing follows.
    ///
    /// # Errors
    /// [`StreamError`].
    pub fn finish(&mut self) -> Result<(), StreamError> {
        match &mut self.0 {
            Sender::Quic(stream) => stream.finish(),
            Sender::Memory(stream) => stream.finish(),
        }
    }
}

impl From<engine::SendStream> for SendStream {
    fn from(stream: engine::SendStream) -> Self {
        SendStream(Sender::Quic(stream))
    }
}

impl From<memory::SendStream> for SendStream {
    fn from(stream: memory::SendStream) -> Self {
        SendStream(Sender::Memory(stream))
    }
}

/// The end of a stream that gives bytes. Dropping it tells the other side that no more is wanted.
#[derive(Debug)]
pub struct RecvStream(Receiver);

#[derive(Debug)]
enum Receiver {
    Quic(engine::RecvStream),
    Memory(memory::RecvStream),
}

impl RecvStream {
    /// Fills `room`.
    ///
    /// # Errors
    /// [`StreamError`].
    pub async fn read_exact(&mut self, room: &mut [u8]) -> Result<(), StreamError> {
        match &mut self.0 {
            Receiver::Quic(stream) => stream.read_exact(room).await,
            Receiver::Memory(stream) => stream.read_exact(room).await,
        }
    }
}

impl From<engine::RecvStream> for RecvStream {
    fn from(stream: engine::RecvStream) -> Self {
        RecvStream(Receiver::Quic(stream))
    }
}

impl From<memory::RecvStream> for RecvStream {
    fn from(stream: memory::RecvStream) -> Self {
        RecvStream(Receiver::Memory(stream))
    }
}
