//! Control messages on streams, each within a deadline (spec R10, R35).

use crate::close::Closed;
use crate::endpoint::Connection;
use crate::engine::{RecvStream, SendStream};
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
    let read = async {
        let broken = |error: &dyn std::fmt::Display| ControlError::Stream(error.to_string());
        let mut prefix = [0; codec::PREFIX_LEN];
        stream
            .read_exact(&mut prefix)
            .await
            .map_err(|error| broken(&error))?;
        let mut body = vec![0; codec::body_len(prefix)?];
        stream
            .read_exact(&mut body)
            .await
            .map_err(|error| broken(&error))?;
        Ok(codec::decode(&body)?)
    };
    tokio::time::timeout(MESSAGE_DEADLINE, read)
        .await
        .unwrap_or(Err(ControlError::TooSlow))
}

/// Writes one message to a stream and ends the stream.
///
/// # Errors
/// [`ControlError`].
pub async fn write_message(
    stream: &mut SendStream,
    message: &impl Serialize,
) -> Result<(), ControlError> {
    let bytes = codec::encode(message)?;
    let write = async {
        let broken = |error: &dyn std::fmt::Display| ControlError::Stream(error.to_string());
        stream
            .write_all(&bytes)
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
    let open = tokio::time::timeout(MESSAGE_DEADLINE, connection.open_uni());
    let mut stream = open.await.map_err(|_| ControlError::TooSlow)??;
    write_message(&mut stream, message).await
}

/// Waits for the next message on a stream of its own.
///
/// # Errors
/// [`ControlError`].
pub async fn next_message<M: DeserializeOwned>(connection: &Connection) -> Result<M, ControlError> {
    let mut stream = connection.accept_uni().await?;
    read_message(&mut stream).await
}
