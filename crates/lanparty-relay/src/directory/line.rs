//! Connections to etcd, each with one call at a time; kept for the next one.

use super::address::Endpoint;
use super::error::DirectoryError;
use super::wire::Call;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use socket2::{SockRef, TcpKeepalive};
use std::error::Error as _;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::task::AbortHandle;
use tokio_rustls::TlsConnector;

/// Longer answers are none; a page of keys that is longer is asked for in parts.
pub(super) const MAX_ANSWER: usize = 32 << 20;
/// A peer that is gone is noticed after about five seconds, also where nothing is sent.
const KEEPALIVE: TcpKeepalive = TcpKeepalive::new()
    .with_time(Duration::from_secs(2))
    .with_interval(Duration::from_secs(1));
#[cfg(target_os = "linux")]
const UNACKNOWLEDGED: Duration = Duration::from_secs(4);

/// As many connections are kept while nobody uses them.
const MAX_IDLE: usize = 8;

/// The ways to one etcd.
#[derive(Debug)]
pub(super) struct Lines {
    name: String,
    endpoint: Endpoint,
    tls: Option<Arc<ClientConfig>>,
    idle: Mutex<Vec<Line>>,
}

/// One connection.
#[derive(Debug)]
pub(super) struct Line {
    sender: SendRequest<Full<Bytes>>,
    driver: AbortHandle,
}

impl Drop for Line {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Lines {
    pub(super) fn new(endpoint: Endpoint, tls: Option<Arc<ClientConfig>>) -> Self {
        Lines {
            name: endpoint.to_string(),
            endpoint,
            tls,
            idle: Mutex::default(),
        }
    }

    /// As it is called in messages.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Calls, and reads the whole answer: its status and body.
    pub(super) async fn call(
        &self,
        call: &Call,
        token: Option<&str>,
    ) -> Result<(u16, Bytes), DirectoryError> {
        // A connection that was kept may have been closed by etcd in this moment; a new one was not.
        if let Some(mut line) = self.take()
            && let Ok(response) = self.send(&mut line, call, token).await
        {
            return self.read(line, response).await;
        }
        let mut line = self.connect().await?;
        let response = self.send(&mut line, call, token).await?;
        self.read(line, response).await
    }

    /// Calls on a connection of its own, whose answer goes on and on.
    pub(super) async fn stream(
        &self,
        call: &Call,
        token: Option<&str>,
    ) -> Result<(Line, Response<Incoming>), DirectoryError> {
        let mut line = self.connect().await?;
        let response = self.send(&mut line, call, token).await?;
        Ok((line, response))
    }

    async fn send(
        &self,
        line: &mut Line,
        call: &Call,
        token: Option<&str>,
    ) -> Result<Response<Incoming>, DirectoryError> {
        let failed = |cause| self.failed(cause);
        line.sender.ready().await.map_err(failed)?;
        let body = Full::new(Bytes::from(call.body.to_string()));
        let mut request = Request::new(body);
        *request.method_mut() = hyper::Method::POST;
        *request.uri_mut() = hyper::Uri::from_static(call.path);
        let headers = request.headers_mut();
        if let Ok(host) = HeaderValue::from_str(&self.name) {
            headers.insert(HOST, host);
        }
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(Ok(mut token)) = token.map(HeaderValue::from_str) {
            token.set_sensitive(true);
            headers.insert(AUTHORIZATION, token);
        }
        line.sender.send_request(request).await.map_err(failed)
    }

    async fn read(
        &self,
        line: Line,
        response: Response<Incoming>,
    ) -> Result<(u16, Bytes), DirectoryError> {
        let status = response.status().as_u16();
        let body = Limited::new(response.into_body(), MAX_ANSWER)
            .collect()
            .await;
        let body = body.map_err(|cause| self.says(&cause.to_string()))?;
        self.keep(line);
        Ok((status, body.to_bytes()))
    }

    fn take(&self) -> Option<Line> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|line| !line.sender.is_closed());
        idle.pop()
    }

    fn keep(&self, line: Line) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < MAX_IDLE {
            idle.push(line);
        }
    }

    async fn connect(&self) -> Result<Line, DirectoryError> {
        let unreachable = |cause| DirectoryError::Unreachable {
            endpoint: self.name.clone(),
            cause,
        };
        let Endpoint { host, port } = &self.endpoint;
        let stream = TcpStream::connect((host.as_str(), *port)).await;
        let stream = stream.map_err(unreachable)?;
        let _ = stream.set_nodelay(true);
        watch_over(&stream);
        let Some(tls) = &self.tls else {
            return self.speak(stream).await;
        };
        let name = ServerName::try_from(host.clone()).map_err(|_| DirectoryError::Certificate {
            endpoint: self.name.clone(),
            cause: rustls::Error::General(format!("`{host}` is no name for a certificate")),
        })?;
        let stream = TlsConnector::from(Arc::clone(tls))
            .connect(name, stream)
            .await;
        self.speak(stream.map_err(|cause| self.io_failed(cause))?)
            .await
    }

    async fn speak<S>(&self, stream: S) -> Result<Line, DirectoryError>
    where
        S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin + 'static,
    {
        let (sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|cause| self.failed(cause))?;
        // How it ends is told to whoever waits for an answer on it.
        let driver = tokio::spawn(async move { drop(connection.await) }).abort_handle();
        Ok(Line { sender, driver })
    }

    /// What HTTP's error means: perhaps one of TLS or the network below it.
    pub(super) fn failed(&self, cause: hyper::Error) -> DirectoryError {
        let below = cause
            .source()
            .and_then(|below| below.downcast_ref::<io::Error>());
        match below {
            Some(below) => self.io_failed(copy_of(below)),
            None => DirectoryError::HungUp {
                endpoint: self.name.clone(),
                cause,
            },
        }
    }

    fn io_failed(&self, cause: io::Error) -> DirectoryError {
        let endpoint = self.name.clone();
        let tls = cause
            .get_ref()
            .and_then(|cause| cause.downcast_ref::<rustls::Error>());
        match tls.cloned() {
            Some(cause @ rustls::Error::InvalidCertificate(_)) => {
                DirectoryError::Certificate { endpoint, cause }
            }
            Some(cause @ rustls::Error::AlertReceived(alert)) if is_about_us(alert) => {
                DirectoryError::OwnCertificate { endpoint, cause }
            }
            Some(cause) => DirectoryError::Tls { endpoint, cause },
            None => DirectoryError::Unreachable { endpoint, cause },
        }
    }

    pub(super) fn says(&self, said: &str) -> DirectoryError {
        DirectoryError::Says {
            endpoint: self.name.clone(),
            said: said.into(),
        }
    }
}

/// Alerts with which a server refuses a client's certificate (RFC 8446 §6.2).
fn is_about_us(alert: rustls::AlertDescription) -> bool {
    use rustls::AlertDescription as Alert;
    matches!(
        alert,
        Alert::CertificateRequired
            | Alert::BadCertificate
            | Alert::UnknownCA
            | Alert::CertificateUnknown
            | Alert::CertificateExpired
            | Alert::CertificateRevoked
            | Alert::UnsupportedCertificate
            | Alert::AccessDenied
    )
}

/// The same error again, with what is known of TLS in it.
fn copy_of(error: &io::Error) -> io::Error {
    let tls = error
        .get_ref()
        .and_then(|cause| cause.downcast_ref::<rustls::Error>());
    match (tls, error.raw_os_error()) {
        (Some(tls), _) => io::Error::new(error.kind(), tls.clone()),
        (None, Some(code)) => io::Error::from_raw_os_error(code),
        (None, None) => io::Error::new(error.kind(), error.to_string()),
    }
}

fn watch_over(stream: &TcpStream) {
    let socket = SockRef::from(stream);
    // Where a system has none of these, an etcd that is gone without a word is noticed later.
    let _ = socket.set_tcp_keepalive(&KEEPALIVE);
    #[cfg(target_os = "linux")]
    let _ = socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED));
}
