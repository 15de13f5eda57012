//! How handshakes and connections end, in words for people.

use crate::transport::IDLE_TIMEOUT;
use noq_proto::{ConnectionError, VarInt};

/// Why there is no connection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HandshakeError {
    /// Nothing came back in time.
    #[error("it does not answer; check the address and port, and whether UDP gets through")]
    NoAnswer,
    /// Somebody answered whose certificate is not trusted.
    #[error(
        "its certificate is not the expected one ({0}); check the address, --pin, --relay-ca-cert and --server-name"
    )]
    Certificate(String),
    /// Somebody answered who is no relay.
    #[error("what answers there is not a softlan relay; check the address and port")]
    NotARelay,
    /// Anything else.
    #[error("the connection failed: {0}")]
    Failed(String),
}

/// TLS alerts are QUIC errors 0x100 to 0x1ff (RFC 9001 §4.8); this one is no_application_protocol.
const ALERT_NO_ALPN: u64 = 0x178;

impl From<ConnectionError> for HandshakeError {
    fn from(error: ConnectionError) -> Self {
        match error {
            ConnectionError::TimedOut => HandshakeError::NoAnswer,
            ConnectionError::TransportError(error) => match u64::from(error.code) {
                ALERT_NO_ALPN => HandshakeError::NotARelay,
                // The prefix is what TLS puts before words of our own.
                0x100..=0x1ff => HandshakeError::Certificate(
                    error
                        .reason
                        .trim_start_matches("unexpected error: ")
                        .to_owned(),
                ),
                _ => HandshakeError::Failed(error.to_string()),
            },
            ConnectionError::ConnectionClosed(close) => match u64::from(close.error_code) {
                ALERT_NO_ALPN => HandshakeError::NotARelay,
                _ => HandshakeError::Failed(close.to_string()),
            },
            ConnectionError::VersionMismatch
            | ConnectionError::ApplicationClosed(_)
            | ConnectionError::Reset
            | ConnectionError::LocallyClosed
            | ConnectionError::CidsExhausted => HandshakeError::Failed(error.to_string()),
        }
    }
}

/// Why a connection was closed by us; the other side sees the number and the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseCode {
    /// The program ends, or the peer was told to go.
    Bye,
    /// The peer broke the protocol (spec R14, R31).
    ProtocolError,
    /// The hello was refused; the reason went before, as a message.
    Rejected,
}

impl CloseCode {
    pub(crate) fn number(self) -> VarInt {
        match self {
            CloseCode::Bye => 0u8.into(),
            CloseCode::ProtocolError => 1u8.into(),
            CloseCode::Rejected => 2u8.into(),
        }
    }

    pub(crate) fn text(self) -> &'static [u8] {
        match self {
            CloseCode::Bye => b"bye",
            CloseCode::ProtocolError => b"protocol error",
            CloseCode::Rejected => b"rejected",
        }
    }
}

/// How a connection ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Closed {
    /// Nothing was heard for [`IDLE_TIMEOUT`].
    #[error("it was not heard from for {} seconds", IDLE_TIMEOUT.as_secs())]
    TimedOut,
    /// The other side closed it, with this text.
    #[error("it closed the link ({0})")]
    ByPeer(String),
    /// We closed it.
    #[error("the link was closed")]
    ByUs,
    /// The other side does not know this connection any more: it was started again.
    #[error("it was started again and does not know this link")]
    Forgotten,
    /// Somebody broke QUIC itself.
    #[error("the link broke ({0})")]
    Broken(String),
}

impl From<ConnectionError> for Closed {
    fn from(error: ConnectionError) -> Self {
        match error {
            ConnectionError::TimedOut => Closed::TimedOut,
            ConnectionError::ApplicationClosed(close) => {
                Closed::ByPeer(String::from_utf8_lossy(&close.reason).into_owned())
            }
            ConnectionError::LocallyClosed => Closed::ByUs,
            ConnectionError::Reset => Closed::Forgotten,
            ConnectionError::VersionMismatch
            | ConnectionError::TransportError(_)
            | ConnectionError::ConnectionClosed(_)
            | ConnectionError::CidsExhausted => Closed::Broken(error.to_string()),
        }
    }
}
