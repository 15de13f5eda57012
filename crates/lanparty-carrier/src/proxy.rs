//! HTTP proxies: which one is in front of the internet, and how it is asked for a way through (RFC 9110, 9.3.6).

mod system;

use crate::DialError;
use crate::head;
use http::{HeaderValue, Uri};
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use std::fmt;
use std::io;
use std::str::FromStr;
use std::sync::Arc;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

/// No proxy's answer is longer.
const MAX_ANSWER: usize = 16 * 1024;
/// As many lines may be in it.
const MAX_HEADERS: usize = 64;

/// An HTTP proxy.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    host: String,
    port: u16,
    /// The header with name and password.
    credentials: Option<HeaderValue>,
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({self})")
    }
}

/// Where it is; not who asks it.
impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&authority(&self.host, self.port))
    }
}

/// A host and its port, as they stand in a URL.
pub(crate) fn authority(host: &str, port: u16) -> String {
    format!("{}:{port}", bracketed(host))
}

/// A host as it stands in a URL: an IPv6 address in brackets.
pub(crate) fn bracketed(host: &str) -> String {
    match host.contains(':') && !host.starts_with('[') {
        true => format!("[{host}]"),
        false => host.to_owned(),
    }
}

impl Proxy {
    /// What a URL of somebody's settings says; `None` for what is no HTTP proxy.
    fn of(intercept: &Intercept) -> Option<Self> {
        /// The port of HTTP, as for any `http://`.
        const PORT: u16 = 80;
        let uri = intercept.uri();
        if uri.scheme_str() != Some("http") {
            return None;
        }
        let host = uri.host()?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        Some(Proxy {
            host: host.to_owned(),
            port: uri.port_u16().unwrap_or(PORT),
            credentials: intercept.basic_auth().cloned(),
        })
    }

    /// Its name or address.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Asks for a way through to `to`, on a connection with it.
    pub(crate) async fn open(&self, tcp: &mut TcpStream, to: &str) -> Result<(), DialError> {
        let silent = |error| DialError::ProxyUnreached(self.to_string(), error);
        tcp.write_all(&self.request(to)).await.map_err(silent)?;
        let head = match head::read(tcp, MAX_ANSWER).await {
            Ok(head) => head,
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                return Err(DialError::NotAProxy(self.to_string()));
            }
            Err(error) => return Err(silent(error)),
        };
        match status_of(&head.bytes) {
            // Nobody behind it speaks first, so what has come with the answer is not from there.
            Some(200..=299) if head.rest.is_empty() => Ok(()),
            Some(407) if self.credentials.is_some() => {
                Err(DialError::ProxyPassword(self.to_string()))
            }
            Some(407) => Err(DialError::ProxyWantsPassword(self.to_string())),
            Some(status @ 300..) => Err(DialError::ProxyRefused {
                proxy: self.to_string(),
                status,
            }),
            Some(_) | None => Err(DialError::NotAProxy(self.to_string())),
        }
    }

    fn request(&self, to: &str) -> Vec<u8> {
        let mut request = format!("CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n").into_bytes();
        if let Some(credentials) = &self.credentials {
            request.extend_from_slice(b"Proxy-Authorization: ");
            request.extend_from_slice(credentials.as_bytes());
            request.extend_from_slice(b"\r\n");
        }
        request.extend_from_slice(b"\r\n");
        request
    }
}

/// The status of an answer; `None` when it is no answer of HTTP/1.
fn status_of(head: &[u8]) -> Option<u16> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    match response.parse(head) {
        Ok(httparse::Status::Complete(_)) => response.code,
        Ok(httparse::Status::Partial) | Err(_) => None,
    }
}

/// A proxy as a person names it: `http://[NAME:PASSWORD@]HOST[:PORT]`.
#[derive(Clone)]
pub struct ProxyUrl(Arc<Matcher>);

impl fmt::Debug for ProxyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProxyUrl(…)")
    }
}

/// What was given is no proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is no HTTP proxy; give http://HOST:PORT, or http://NAME:PASSWORD@HOST:PORT")]
pub struct ProxyUrlError;

impl FromStr for ProxyUrl {
    type Err = ProxyUrlError;

    fn from_str(text: &str) -> Result<Self, ProxyUrlError> {
        let matcher = Matcher::builder().all(text.to_owned()).build();
        let url = ProxyUrl(Arc::new(matcher));
        let somewhere = Uri::from_static("https://relay.example/");
        let intercept = url.0.intercept(&somewhere).ok_or(ProxyUrlError)?;
        Proxy::of(&intercept).ok_or(ProxyUrlError)?;
        Ok(url)
    }
}

/// Where proxies are looked for.
#[derive(Debug, Clone, Default)]
pub enum Proxies {
    /// In the environment (`https_proxy`, `all_proxy`, `no_proxy`), else in /etc/environment, on Windows in the settings of those who are
    /// logged in.
    #[default]
    OfSystem,
    /// This one, for everything.
    Given(ProxyUrl),
    /// Nowhere.
    None,
}

impl Proxies {
    /// The proxy that is in front of this relay; looked for each time, as people go from one network to another.
    pub fn towards(&self, host: &str, port: u16) -> Option<Proxy> {
        let relay = format!("https://{}/", authority(host, port));
        let relay = relay.parse::<Uri>().ok()?;
        let of = |matcher: &Matcher| Proxy::of(&matcher.intercept(&relay)?);
        match self {
            Proxies::OfSystem => system::matchers().iter().find_map(of),
            Proxies::Given(url) => of(&url.0),
            Proxies::None => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn towards(url: &str) -> Option<Proxy> {
        let proxies = Proxies::Given(url.parse().ok()?);
        proxies.towards("relay.example", 443)
    }

    #[test]
    fn a_proxy_is_asked_for_the_relay_by_name_and_told_who_asks() {
        let proxy = towards("http://proxy.example:3128").unwrap();
        let request = proxy.request("relay.example:443");
        assert_eq!(
            String::from_utf8(request).unwrap(),
            "CONNECT relay.example:443 HTTP/1.1\r\nHost: relay.example:443\r\n\r\n"
        );
        let proxy = towards("http://Aladdin:open%20sesame@proxy.example:3128").unwrap();
        let request = String::from_utf8(proxy.request("[2001:db8::1]:443")).unwrap();
        assert_eq!(
            request,
            "CONNECT [2001:db8::1]:443 HTTP/1.1\r\nHost: [2001:db8::1]:443\r\n\
             Proxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n\r\n"
        );
    }

    #[test]
    fn only_http_proxies_are_taken_and_a_scheme_may_be_missing() {
        let place = |url| towards(url).map(|proxy| (proxy.host().to_owned(), proxy.port()));
        assert_eq!(place("proxy:8080"), Some(("proxy".to_owned(), 8080)));
        assert_eq!(place("http://proxy"), Some(("proxy".to_owned(), 80)));
        let six = Some(("fd00::1".to_owned(), 3128));
        assert_eq!(place("http://[fd00::1]:3128"), six);
        for other in [
            "",
            "socks5://proxy:1080",
            "https://proxy:443",
            "ftp://proxy",
            "http://",
        ] {
            assert!(other.parse::<ProxyUrl>().is_err(), "{other}");
        }
    }

    #[test]
    fn a_password_is_nowhere_but_in_the_request() {
        let url: ProxyUrl = "http://me:secret@proxy:1".parse().unwrap();
        let proxy = towards("http://me:secret@proxy:1").unwrap();
        let given = Proxies::Given(url.clone());
        let said = format!("{url:?} {proxy:?} {proxy} {given:?}");
        let basic = "bWU6c2VjcmV0";
        assert!(!said.contains("secret") && !said.contains(basic), "{said}");
    }

    #[test]
    fn an_answer_is_understood_or_is_none() {
        let ok = b"HTTP/1.1 200 Connection established\r\nProxy-agent: tinyproxy\r\n\r\n";
        assert_eq!(status_of(ok), Some(200));
        assert_eq!(
            status_of(b"HTTP/1.0 407 Wants a password\r\n\r\n"),
            Some(407)
        );
        assert_eq!(status_of(b"220 mail.example ESMTP\r\n\r\n"), None);
    }

    #[test]
    fn a_relay_may_be_named_by_an_address() {
        let proxies = Proxies::Given("http://proxy:1".parse().unwrap());
        assert!(proxies.towards("2001:db8::1", 443).is_some());
        assert!(proxies.towards("192.0.2.1", 443).is_some());
        assert!(Proxies::None.towards("192.0.2.1", 443).is_none());
    }
}
