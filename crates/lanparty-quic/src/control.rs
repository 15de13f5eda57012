//! Control messages on streams, each within a deadline (spec R10, R35).

use crate::close::Closed;
use crate::connection::Connection;
use crate::engine::StreamError;
use crate::stream::{RecvStream, SendStream};
use lanparty_ctrl::codec::{self, CodecError};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::time::Duration;

/// How long one message may take to come or go.
pub const MESSAGE_DEADLINE: Duration = Duration::from_secs(5);

/// Why a message did not come or go.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// It took longer than [`MESSAGE_DEADLINE`].
    #[error("a control message took too long")]
    TooSlow,
    /// The bytes are no message.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// The stream ended in the middle, or was given up by the other side.
    #[error("a control stream broke off ({0})")]
    Stream(String),
    /// There is no connection any more.
    #[error(transparent)]
    Closed(#[from] Closed),
}

/// Reads one message from a stream; whatever follows it is not looked at.
///
/// # Errors
/// [`ControlError`].
pub async fn read_message<M: DeserializeOwned>(stream: &mut RecvStream) -> Result<M, ControlError> {
    let read = tokio::time::timeout(MESSAGE_DEADLINE, read_if_any(stream)).await;
    let message = read.unwrap_or(Err(ControlError::TooSlow))?;
    message.ok_or_else(|| ControlError::Stream(StreamError::Ended.to_string()))
}

/// Reads one message, or nothing at the end of the stream.
async fn read_if_any<M: DeserializeOwned>(
    stream: &mut RecvStream,
) -> Result<Option<M>, ControlError> {
    let broken = |error: StreamError| ControlError::Stream(error.to_string());
    let mut prefix = [0; codec::PREFIX_LEN];
    let (first, rest) = prefix.split_at_mut(1);
    match stream.read_exact(first).await {
        Err(StreamError::Ended) => return Ok(None),
        read => read.map_err(broken)?,
    }
    stream.read_exact(rest).await.map_err(broken)?;
    let mut body = vec![0; codec::body_len(prefix)?];
    stream.read_exact(&mut body).await.map_err(broken)?;
    Ok(Some(codec::decode(&body)?))
}

/// Writes one message to a stream and ends the stream.
///
/// # Errors
/// [`ControlError`].
pub async fn write_message(
    stream: &mut SendStream,
    message: &impl Serialize,
) -> Result<(), ControlError> {
    write_bytes(stream, &codec::encode(message)?).await
}

async fn write_bytes(stream: &mut SendStream, bytes: &[u8]) -> Result<(), ControlError> {
    let write = async {
        let broken = |error: &dyn std::fmt::Display| ControlError::Stream(error.to_string());
        stream
            .write_all(bytes)
            .await
            .map_err(|error| broken(&error))?;
        stream.finish().map_err(|error| broken(&error))
    };
    tokio::time::timeout(MESSAGE_DEADLINE, write)
        .await
        .unwrap_or(Err(ControlError::TooSlow))
}

/// Sends one message on a stream of its own (spec R13).
///
/// # Errors
/// [`ControlError`].
pub async fn send_message(
    connection: &Connection,
    message: &impl Serialize,
) -> Result<(), ControlError> {
    send_messages(connection, std::slice::from_ref(message)).await
}

/// Sends messages one behind the other on one stream, to somebody who reads them with [`Messages`].
///
/// # Errors
/// [`ControlError`].
pub async fn send_messages(
    connection: &Connection,
    messages: &[impl Serialize],
) -> Result<(), ControlError> {
    let mut bytes = Vec::new();
    for message in messages {
        bytes.extend(codec::encode(message)?);
    }
    let open = tokio::time::timeout(MESSAGE_DEADLINE, connection.open_uni());
    let mut stream = open.await.map_err(|_| ControlError::TooSlow)??;
    write_bytes(&mut stream, &bytes).await
}

/// The messages that come on streams of the other side, in order, one or several on each.
#[derive(Debug)]
pub struct Messages {
    connection: Connection,
    stream: Option<RecvStream>,
}

impl Messages {
    /// Those of this connection.
    pub fn new(connection: Connection) -> Self {
        Messages {
            connection,
            stream: None,
        }
    }

    /// Waits for the next one. Not to be cancelled.
    ///
    /// # Errors
    /// [`ControlError`], after which there are no more.
    pub async fn next<M: DeserializeOwned>(&mut self) -> Result<M, ControlError> {
        loop {
            let stream = match &mut self.stream {
                Some(stream) => stream,
                None => self.stream.insert(self.connection.accept_uni().await?),
            };
            let read = tokio::time::timeout(MESSAGE_DEADLINE, read_if_any(stream)).await;
            match read.unwrap_or(Err(ControlError::TooSlow))? {
                Some(message) => return Ok(message),
                None => self.stream = None,
            }
        }
    }
}

/// Waits for the next message on a stream of its own.
///
/// # Errors
/// [`ControlError`].
pub async fn next_message<M: DeserializeOwned>(connection: &Connection) -> Result<M, ControlError> {
    let mut stream = connection.accept_uni().await?;
    read_message(&mut stream).await
}
