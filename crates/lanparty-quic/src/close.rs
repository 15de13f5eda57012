//! How handshakes and connections end, in words for people.

use lanparty_obs::Utc;
use noq_proto::{ConnectionError, VarInt};
use rustls::CertificateError;
use std::io;

/// Why there is no connection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HandshakeError {
    /// Nothing came back in time.
    #[error("it does not answer; check the address and port, and whether UDP gets through")]
    NoAnswer,
    /// Nothing was sent.
    #[error(transparent)]
    Unsent(#[from] Unsent),
    /// Somebody answered whose certificate is for another time than this machine's clock says.
    #[error(transparent)]
    Clock(#[from] WrongTime),
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

/// Why the system does not send packets to a relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unsent {
    /// It may not.
    #[error(
        "a firewall on this machine keeps back what is sent there; let this program send UDP to that address and port"
    )]
    Firewall,
    /// No route leads there.
    #[error("this machine has no network that leads there; look at its cable or Wi-Fi")]
    NoNetwork,
    /// Anything else, as the system's number for it.
    #[error("this machine cannot send there ({}); look at its network", io::Error::from_raw_os_error(*.0))]
    Other(i32),
}

impl Unsent {
    /// What the system means by refusing to send.
    pub(crate) fn from_os(number: i32) -> Self {
        use io::ErrorKind as Kind;
        match io::Error::from_raw_os_error(number).kind() {
            Kind::PermissionDenied => Unsent::Firewall,
            Kind::NetworkUnreachable
            | Kind::HostUnreachable
            | Kind::NetworkDown
            | Kind::AddrNotAvailable => Unsent::NoNetwork,
            _ => Unsent::Other(number),
        }
    }
}

/// A certificate is for another time. Either it or this machine's clock is wrong, and only a person can say which.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WrongTime {
    /// It begins later.
    #[error(
        "its certificate begins at {from}, and by this machine's clock it is {now}; set the clock, which is behind"
    )]
    Early {
        /// When it begins.
        from: Utc,
        /// What the clock says.
        now: Utc,
    },
    /// It has ended.
    #[error(
        "its certificate ended at {until}, and by this machine's clock it is {now}; set the clock if it is ahead, or ask \
         the relay's operator to renew the certificate"
    )]
    Late {
        /// When it ended.
        until: Utc,
        /// What the clock says.
        now: Utc,
    },
}

impl WrongTime {
    fn of(error: &rustls::Error) -> Option<Self> {
        let rustls::Error::InvalidCertificate(error) = error else {
            return None;
        };
        match *error {
            CertificateError::NotValidYetContext { time, not_before } => Some(WrongTime::Early {
                from: Utc(not_before.as_secs()),
                now: Utc(time.as_secs()),
            }),
            CertificateError::ExpiredContext { time, not_after } => Some(WrongTime::Late {
                until: Utc(not_after.as_secs()),
                now: Utc(time.as_secs()),
            }),
            _ => None,
        }
    }
}

/// What TLS has found wrong, as far as it matters here.
fn tls_error(error: &noq_proto::TransportError) -> Option<HandshakeError> {
    let tls = error.crypto.as_ref()?.downcast_ref::<rustls::Error>()?;
    WrongTime::of(tls).map(HandshakeError::Clock)
}

/// TLS alerts are QUIC errors 0x100 to 0x1ff (RFC 9001 §4.8); this one is no_application_protocol.
const ALERT_NO_ALPN: u64 = 0x178;

impl From<ConnectionError> for HandshakeError {
    fn from(error: ConnectionError) -> Self {
        match error {
            ConnectionError::TimedOut => HandshakeError::NoAnswer,
            ConnectionError::TransportError(error) => match u64::from(error.code) {
                _ if let Some(told) = tls_error(&error) => told,
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
    /// Nothing was heard for [`IDLE_TIMEOUT`](crate::IDLE_TIMEOUT), or for as long as a peer waits that has another relay.
    #[error("it was not heard from for too long")]
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

impl Closed {
    /// True where the other side says that we broke the protocol, which older ones say of what they do not know.
    pub fn is_protocol_error(&self) -> bool {
        matches!(self, Closed::ByPeer(text) if text.as_bytes() == CloseCode::ProtocolError.text())
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use rustls_pki_types::UnixTime;
    use std::time::Duration;

    #[test]
    fn a_goodbye_is_no_protocol_error() {
        let said = |code: CloseCode| String::from_utf8_lossy(code.text()).into_owned();
        let by_peer = |code| Closed::ByPeer(said(code));
        assert!(by_peer(CloseCode::ProtocolError).is_protocol_error());
        for other in [CloseCode::Bye, CloseCode::Rejected] {
            assert!(!by_peer(other).is_protocol_error(), "{other:?}");
        }
        let broken = Closed::Broken(said(CloseCode::ProtocolError));
        assert!(!broken.is_protocol_error(), "QUIC itself");
    }

    #[test]
    fn a_firewall_and_a_missing_network_are_told_apart() {
        const EPERM: i32 = if cfg!(windows) { 10013 } else { 1 };
        const ENETUNREACH: i32 = if cfg!(windows) { 10051 } else { 101 };
        const EHOSTUNREACH: i32 = if cfg!(windows) { 10065 } else { 113 };
        assert_eq!(Unsent::from_os(EPERM), Unsent::Firewall);
        assert_eq!(Unsent::from_os(ENETUNREACH), Unsent::NoNetwork);
        assert_eq!(Unsent::from_os(EHOSTUNREACH), Unsent::NoNetwork);
        let other = Unsent::from_os(22).to_string();
        assert!(other.contains("(os error 22)"), "{other}");
    }

    #[test]
    fn a_clock_that_is_wrong_is_no_wrong_certificate() {
        let at = |seconds| UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        let said = |error| WrongTime::of(&rustls::Error::InvalidCertificate(error));
        let early = said(CertificateError::NotValidYetContext {
            time: at(60),
            not_before: at(86_400),
        });
        let early = early.unwrap().to_string();
        assert!(
            early.contains("1970-01-02 00:00 UTC") && early.contains("1970-01-01 00:01"),
            "{early}"
        );
        let late = said(CertificateError::ExpiredContext {
            time: at(86_400),
            not_after: at(60),
        });
        let late = late.unwrap().to_string();
        assert!(late.contains("set the clock if it is ahead"), "{late}");
        assert_eq!(said(CertificateError::UnknownIssuer), None);
    }
}
