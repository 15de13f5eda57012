//! The peer's side: a way to the relay over TCP.

use crate::proxy::{Proxy, authority, bracketed};
use crate::stream::{CarrierStream, Wire, config};
use crate::{PATH, socket, tls};
use http::Uri;
use rustls::pki_types::ServerName;
use std::io;
use std::net::SocketAddr;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::client_async_with_config;
use tokio_tungstenite::tungstenite::{self, client::IntoClientRequest as _};

/// A way to a relay.
#[derive(Debug, Clone)]
pub struct Dial {
    /// Where the TCP connection goes: to the relay, or to the proxy.
    pub address: SocketAddr,
    /// The relay's name or address, as the proxy is asked for it.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The relay's name, as a web server in front of it knows it.
    pub server_name: String,
    /// Who is asked for a way through, at `address`.
    pub proxy: Option<Proxy>,
}

/// Why there is no way over TCP.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// Nobody is there.
    #[error("it cannot be reached by TCP either ({0}); check the address and port")]
    Unreached(#[source] io::Error),
    /// Somebody is there who does not speak TLS 1.3.
    #[error(
        "no UDP gets there, and what answers by TCP does not speak TLS 1.3 ({0}), so it is no relay; check the address and port, and whether this network wants you to log in with a browser first"
    )]
    NoTls(#[source] io::Error),
    /// A web server, which has no relay.
    #[error(
        "no UDP gets there, and what answers by TCP is a web server without a relay (status {0}); check the address and port, or \
         ask the host whether the relay takes TCP"
    )]
    NotARelay(u16),
    /// It broke while it was made.
    #[error("the TCP connection to it broke ({0})")]
    Broken(#[source] io::Error),
    /// The proxy is not there, or does not answer.
    #[error(
        "the proxy {0} does not answer ({1}); look at your proxy settings, or give another one with --proxy"
    )]
    ProxyUnreached(String, #[source] io::Error),
    /// The proxy wants to know who asks.
    #[error(
        "the proxy {0} wants a name and a password; give them with --proxy http://NAME:PASSWORD@{0}"
    )]
    ProxyWantsPassword(String),
    /// The proxy does not take the name and the password.
    #[error(
        "the proxy {0} does not take the name and password that it was given; correct them in --proxy or https_proxy"
    )]
    ProxyPassword(String),
    /// The proxy does not want it.
    #[error(
        "the proxy {proxy} does not let this program through to the relay (status {status}); ask whoever runs your network"
    )]
    ProxyRefused {
        /// Where it is.
        proxy: String,
        /// What it has answered.
        status: u16,
    },
    /// Something else is where a proxy should be.
    #[error(
        "what answers at {0} is no HTTP proxy; look at your proxy settings, or give another one with --proxy"
    )]
    NotAProxy(String),
}

impl DialError {
    /// True when somebody has answered who can tell more of what is wrong than silence does.
    pub fn is_answer(&self) -> bool {
        match self {
            DialError::Unreached(_) | DialError::Broken(_) => false,
            DialError::NoTls(_)
            | DialError::NotARelay(_)
            | DialError::ProxyUnreached(..)
            | DialError::ProxyWantsPassword(_)
            | DialError::ProxyPassword(_)
            | DialError::ProxyRefused { .. }
            | DialError::NotAProxy(_) => true,
        }
    }
}

/// Makes a way to a relay. Whether it is the right one, the QUIC handshake over it will tell. It takes as long as it takes.
///
/// # Errors
/// [`DialError`].
pub async fn dial(dial: &Dial) -> Result<CarrierStream, DialError> {
    let tcp = connect(dial).await?;
    let name = server_name(dial);
    let connector = TlsConnector::from(tls::client_config());
    let tls = connector.connect(name, tcp).await;
    let wire = Wire::tls(tls.map_err(no_tls)?);
    let request = request(dial).map_err(|error| DialError::Broken(io::Error::other(error)))?;
    match client_async_with_config(request, wire, Some(config())).await {
        Ok((socket, _)) => Ok(CarrierStream::new(socket)),
        Err(error) => Err(no_upgrade(error)),
    }
}

/// A connection whose other end is the relay.
async fn connect(dial: &Dial) -> Result<TcpStream, DialError> {
    let connected = TcpStream::connect(dial.address).await;
    let connected = connected.and_then(|tcp| socket::tune(&tcp).map(|()| tcp));
    let Some(proxy) = &dial.proxy else {
        return connected.map_err(DialError::Unreached);
    };
    let unreached = |error| DialError::ProxyUnreached(proxy.to_string(), error);
    let mut tcp = connected.map_err(unreached)?;
    proxy
        .open(&mut tcp, &authority(&dial.host, dial.port))
        .await?;
    Ok(tcp)
}

/// A name that cannot stand in a certificate is not sent; nothing depends on it.
fn server_name(dial: &Dial) -> ServerName<'static> {
    let name = ServerName::try_from(dial.server_name.clone());
    name.unwrap_or_else(|_| ServerName::from(dial.address.ip()))
}

/// A connection that ends while TLS begins was ended by somebody who expected something else, or wanted none.
fn no_tls(error: io::Error) -> DialError {
    DialError::NoTls(error)
}

fn request(dial: &Dial) -> Result<tungstenite::handshake::client::Request, tungstenite::Error> {
    /// It stands in no URL.
    const PORT: u16 = 443;
    let host = match dial.port {
        PORT => bracketed(&dial.server_name),
        port => authority(&dial.server_name, port),
    };
    let uri: Uri = format!("wss://{host}{PATH}").parse()?;
    uri.into_client_request()
}

fn no_upgrade(error: tungstenite::Error) -> DialError {
    match error {
        tungstenite::Error::Http(response) => DialError::NotARelay(response.status().as_u16()),
        tungstenite::Error::Io(error) => DialError::Broken(error),
        error => DialError::Broken(io::Error::other(error)),
    }
}

#[cfg(test)]
mod tests;
