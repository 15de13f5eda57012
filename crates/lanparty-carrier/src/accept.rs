//! The relay's side: who comes by TCP, and whether it is a peer.

use crate::head::{self, Head};
use crate::stream::{CarrierStream, Wire, config};
use crate::{PATH, socket};
use http::{HeaderMap, StatusCode, Version};
use rustls::ServerConfig;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::handshake::machine::TryParse;
use tokio_tungstenite::tungstenite::handshake::server::{Request, create_response, write_response};
use tokio_tungstenite::tungstenite::protocol::Role;

/// What strangers may cost before they have said what they want.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// How long TLS may take.
    pub handshake: Duration,
    /// How long the request may take after that.
    pub request: Duration,
    /// How many bytes the request may have.
    pub head: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            handshake: Duration::from_secs(5),
            request: Duration::from_secs(3),
            head: 8 * 1024,
        }
    }
}

/// A connection that carries packets from now on.
#[derive(Debug)]
pub struct Accepted {
    /// Their stream.
    pub stream: CarrierStream,
    /// From where it came by the words of whoever is in front and has taken TLS off (`X-Forwarded-For`, its last address). Behind
    /// TLS these would be the caller's own words, which somebody in front may have passed on unread. Anybody may write it: it is
    /// worth something only of a web server that the relay's operator runs.
    pub forwarded_for: Option<IpAddr>,
}

/// Why a connection carries nothing. It has been answered as a web server with nothing to show would, and is closed.
#[derive(Debug, thiserror::Error)]
pub enum AcceptError {
    /// It has not said in time what it wants.
    #[error("it did not say in time what it wants")]
    Silent,
    /// TLS, or the connection, broke.
    #[error("the connection broke: {0}")]
    Broken(#[from] io::Error),
    /// It wants something else.
    #[error("it asked for something else, and was told {0}")]
    SomethingElse(StatusCode),
}

/// Takes a connection that somebody has made: with TLS, or without where a web server in front has taken it off. What its first
/// byte is says which.
///
/// # Errors
/// [`AcceptError`], as long after as [`Limits`] say at most.
pub async fn accept(
    tcp: TcpStream,
    tls: Arc<ServerConfig>,
    limits: Limits,
) -> Result<Accepted, AcceptError> {
    socket::tune(&tcp)?;
    let mut wire = within(limits.handshake, secure(tcp, tls)).await?;
    let head = match within(limits.request, head::read(&mut wire, limits.head)).await {
        Ok(head) => head,
        Err(AcceptError::Silent) => return refuse(wire, StatusCode::REQUEST_TIMEOUT).await,
        Err(AcceptError::Broken(error)) if error.kind() == io::ErrorKind::InvalidData => {
            let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
            return refuse(wire, status).await;
        }
        Err(error) => return Err(error),
    };
    match upgrade(&head) {
        Ok(upgrade) => within(limits.request, switch(wire, head.rest, upgrade)).await,
        Err(status) => refuse(wire, status).await,
    }
}

async fn within<T>(
    patience: Duration,
    step: impl Future<Output = io::Result<T>>,
) -> Result<T, AcceptError> {
    match timeout(patience, step).await {
        Ok(outcome) => Ok(outcome?),
        Err(_) => Err(AcceptError::Silent),
    }
}

async fn secure(tcp: TcpStream, tls: Arc<ServerConfig>) -> io::Result<Wire> {
    /// The first byte of TLS' handshake records (RFC 8446, 5.1).
    const HANDSHAKE: u8 = 22;
    let mut first = [0];
    if tcp.peek(&mut first).await? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    match first[0] {
        HANDSHAKE => Ok(Wire::tls(TlsAcceptor::from(tls).accept(tcp).await?)),
        _ => Ok(Wire::plain(tcp)),
    }
}

/// What a good request gets.
#[derive(Debug)]
struct Upgrade {
    response: Vec<u8>,
    forwarded_for: Option<IpAddr>,
}

/// Whether somebody asks for what is here; else what it is told.
fn upgrade(head: &Head) -> Result<Upgrade, StatusCode> {
    let request = match Request::try_parse(&head.bytes) {
        Ok(Some((_, request))) => request,
        // It is a request, and for nothing that a WebSocket could begin with.
        Err(Error::Protocol(ProtocolError::WrongHttpMethod | ProtocolError::WrongHttpVersion)) => {
            return Err(StatusCode::NOT_FOUND);
        }
        Ok(None) | Err(_) => return Err(StatusCode::BAD_REQUEST),
    };
    if request.uri().path() != PATH || request.version() != Version::HTTP_11 {
        return Err(StatusCode::NOT_FOUND);
    }
    // To whoever comes with a browser there is nothing here either.
    let answer = create_response(&request).map_err(|_| StatusCode::NOT_FOUND)?;
    let mut response = Vec::new();
    write_response(&mut response, &answer).map_err(|_| StatusCode::NOT_FOUND)?;
    Ok(Upgrade {
        response,
        forwarded_for: forwarded_for(request.headers()),
    })
}

/// The last address in the last of these headers: the one that the nearest of those in front has seen.
fn forwarded_for(headers: &HeaderMap) -> Option<IpAddr> {
    let all = headers.get_all("x-forwarded-for");
    let last = all.iter().next_back()?.to_str().ok()?;
    let last = last.rsplit(',').next()?.trim();
    let bare = last.trim_start_matches('[').trim_end_matches(']');
    let with_port = || last.parse::<SocketAddr>().map(|address| address.ip());
    let address = bare.parse::<IpAddr>().or_else(|_| with_port()).ok()?;
    Some(address.to_canonical())
}

async fn switch(mut wire: Wire, rest: Vec<u8>, upgrade: Upgrade) -> io::Result<Accepted> {
    wire.write_all(&upgrade.response).await?;
    wire.flush().await?;
    let is_plain = wire.is_plain();
    let socket = WebSocketStream::from_partially_read(wire, rest, Role::Server, Some(config()));
    Ok(Accepted {
        stream: CarrierStream::new(socket.await),
        forwarded_for: upgrade.forwarded_for.filter(|_| is_plain),
    })
}

/// Answers as a web server does that has nothing to show.
async fn refuse(mut wire: Wire, status: StatusCode) -> Result<Accepted, AcceptError> {
    /// Whoever does not read the answer is not waited for.
    const PATIENCE: Duration = Duration::from_millis(500);
    let answer = refusal(status);
    let telling = async {
        wire.write_all(answer.as_bytes()).await?;
        wire.shutdown().await
    };
    let _ = timeout(PATIENCE, telling).await;
    Err(AcceptError::SomethingElse(status))
}

fn refusal(status: StatusCode) -> String {
    let body = format!("{}\n", status.canonical_reason().unwrap_or_default());
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len(),
    )
}

#[cfg(test)]
mod tests;
