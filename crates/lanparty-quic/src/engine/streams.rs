//! The two ends of a stream, as far as control messages need them.

use super::Connection;
use crate::close::Closed;
use noq_proto::{ConnectionError, ReadError, StreamId, WriteError};
use std::future::poll_fn;
use std::task::{Context, Poll};

/// Why a stream gives or takes no more.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    /// The other side ended it too early.
    #[error("it ended too early")]
    Ended,
    /// The other side gave it up.
    #[error("the other side gave it up")]
    GivenUp,
    /// There is no connection any more.
    #[error(transparent)]
    Closed(#[from] Closed),
}

impl From<ConnectionError> for StreamError {
    fn from(error: ConnectionError) -> Self {
        StreamError::Closed(error.into())
    }
}

/// The end of a stream that takes bytes. Dropping it ends the stream.
#[derive(Debug)]
pub(crate) struct SendStream {
    connection: Connection,
    id: StreamId,
}

impl SendStream {
    pub(crate) fn new(connection: &Connection, id: StreamId) -> Self {
        SendStream {
            connection: connection.clone(),
            id,
        }
    }

    pub(crate) async fn write_all(&mut self, bytes: &[u8]) -> Result<(), StreamError> {
        let mut left = bytes;
        poll_fn(|cx| {
            let written = self.poll_write(cx, &mut left);
            self.connection.nudge();
            written
        })
        .await
    }

    fn poll_write(&self, cx: &mut Context<'_>, left: &mut &[u8]) -> Poll<Result<(), StreamError>> {
        let written = self.connection.poll_with(cx, |quic| {
            while !left.is_empty() {
                match quic.send_stream(self.id).write(left) {
                    Ok(written) => *left = &left[written..],
                    Err(WriteError::Blocked) => return Poll::Pending,
                    Err(WriteError::Stopped(_) | WriteError::ClosedStream) => {
                        return Poll::Ready(Err(StreamError::GivenUp));
                    }
                }
            }
            Poll::Ready(Ok(()))
        });
        written.map(|written| written?)
    }

    pub(crate) fn finish(&mut self) -> Result<(), StreamError> {
        self.connection
            .act(|quic| quic.send_stream(self.id).finish())?
            .map_err(|_| StreamError::GivenUp)
    }
}

impl Drop for SendStream {
    fn drop(&mut self) {
        // Finished or broken already is as well.
        let _ = self.finish();
    }
}

/// The end of a stream that gives bytes. Dropping it tells the other side that no more is wanted.
#[derive(Debug)]
pub(crate) struct RecvStream {
    connection: Connection,
    id: StreamId,
}

impl RecvStream {
    pub(crate) fn new(connection: &Connection, id: StreamId) -> Self {
        RecvStream {
            connection: connection.clone(),
            id,
        }
    }

    pub(crate) async fn read_exact(&mut self, room: &mut [u8]) -> Result<(), StreamError> {
        let mut filled = 0;
        poll_fn(|cx| {
            let read = self.poll_read(cx, room, &mut filled);
            // The other side gets credit for what was read.
            self.connection.nudge();
            read
        })
        .await
    }

    fn poll_read(
        &self,
        cx: &mut Context<'_>,
        room: &mut [u8],
        filled: &mut usize,
    ) -> Poll<Result<(), StreamError>> {
        let read = self.connection.poll_with(cx, |quic| {
            let mut stream = quic.recv_stream(self.id);
            let Ok(mut chunks) = stream.read(true) else {
                return Poll::Ready(Err(StreamError::Ended));
            };
            while *filled < room.len() {
                match chunks.next(room.len() - *filled) {
                    Ok(Some(chunk)) => {
                        room[*filled..][..chunk.bytes.len()].copy_from_slice(&chunk.bytes);
                        *filled += chunk.bytes.len();
                    }
                    Ok(None) => return Poll::Ready(Err(StreamError::Ended)),
                    Err(ReadError::Blocked) => return Poll::Pending,
                    Err(ReadError::Reset(_)) => return Poll::Ready(Err(StreamError::GivenUp)),
                }
            }
            Poll::Ready(Ok(()))
        });
        read.map(|read| read?)
    }
}

impl Drop for RecvStream {
    fn drop(&mut self) {
        // Read to its end or broken already is as well.
        let _ = self
            .connection
            .act(|quic| quic.recv_stream(self.id).stop(0u8.into()));
    }
}
