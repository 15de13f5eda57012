//! Who may ask for what: looked at once, before any route, so that no route can forget it.

use crate::place::{Place, Scheme};
use crate::token::Session;
use axum::Json;
use axum::http::header::{self, HeaderName};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use std::net::SocketAddr;

/// Where a request has come in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entrance {
    pub(crate) local: SocketAddr,
    pub(crate) scheme: Scheme,
}

/// Whom a page is for.
#[derive(Clone)]
pub(crate) enum Audience {
    /// Whoever has this session's cookie, of this name.
    Host { cookie: String, session: Session },
    /// Whoever asks; nobody gives orders.
    Public,
}

/// What may be had without the host's cookie: the page, which has no data in it, and the swap of the token for the cookie.
fn is_open(method: &Method, path: &str) -> bool {
    let reads = method == Method::GET || method == Method::HEAD;
    (reads && path == "/") || (method == Method::POST && path == "/session")
}

/// Why a request is not looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    NoProxy,
    Host,
    Origin,
    Method,
    ContentType,
    Session,
}

impl Refusal {
    fn status(self) -> StatusCode {
        match self {
            Refusal::NoProxy => StatusCode::BAD_REQUEST,
            Refusal::Host | Refusal::Origin | Refusal::Session => StatusCode::FORBIDDEN,
            Refusal::Method => StatusCode::METHOD_NOT_ALLOWED,
            Refusal::ContentType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        }
    }

    /// For the page's program.
    fn word(self) -> &'static str {
        match self {
            Refusal::NoProxy => "proxy",
            Refusal::Host => "host",
            Refusal::Origin => "origin",
            Refusal::Method => "method",
            Refusal::ContentType => "content-type",
            Refusal::Session => "session",
        }
    }

    fn sentence(self) -> &'static str {
        match self {
            Refusal::NoProxy => "This is the party page, and no proxy.",
            Refusal::Host => {
                "The party page is found by this machine's address and the page's own port alone, as its link has them: \
                 open the link that `lanparty-gateway ctl page` prints."
            }
            Refusal::Origin => {
                "Another web page has asked for this; the party page answers to its own alone."
            }
            Refusal::Method => "That can be neither read nor ordered here.",
            Refusal::ContentType => "Orders are JSON (Content-Type: application/json).",
            Refusal::Session => {
                "This browser has not shown that it is the host's: open the link that `lanparty-gateway ctl page` prints."
            }
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = serde_json::json!({ "refused": self.sentence(), "why": self.word() });
        // Nothing more is heard on this connection, least of all the rest of a body.
        (self.status(), [(header::CONNECTION, "close")], Json(body)).into_response()
    }
}

/// Looks at a request. True when it is the host's.
pub(crate) fn check(
    request: &Parts,
    entrance: Entrance,
    audience: &Audience,
) -> Result<bool, Refusal> {
    let is_path = request.uri.scheme().is_none() && request.uri.authority().is_none();
    if !is_path {
        return Err(Refusal::NoProxy);
    }
    let headers = &request.headers;
    let host =
        only(headers, header::HOST).and_then(|host| Place::parse(host, entrance.scheme.port()));
    let host = host
        .filter(|host| host.is(entrance.local))
        .ok_or(Refusal::Host)?;
    let reads = match request.method {
        Method::GET | Method::HEAD => true,
        Method::POST => false,
        _ => return Err(Refusal::Method),
    };
    let path = request.uri.path();
    check_origin(headers, host, entrance.scheme, reads, path)?;
    if !reads && !is_json(headers) {
        return Err(Refusal::ContentType);
    }
    match audience {
        Audience::Public if reads => Ok(false),
        Audience::Public => Err(Refusal::Method),
        Audience::Host { cookie, session } => {
            let cookies = headers.get_all(header::COOKIE).iter();
            let is_host =
                session.is_among(cookie, cookies.filter_map(|header| header.to_str().ok()));
            match is_host || is_open(&request.method, path) {
                true => Ok(is_host),
                false => Err(Refusal::Session),
            }
        }
    }
}

/// An order says where it comes from, and so does what a page asks for; people may come from wherever they like.
fn check_origin(
    headers: &HeaderMap,
    host: Place,
    scheme: Scheme,
    reads: bool,
    path: &str,
) -> Result<(), Refusal> {
    const SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
    let is_own = match headers.get_all(header::ORIGIN).iter().count() {
        0 => reads,
        _ => {
            let origin = only(headers, header::ORIGIN);
            origin.and_then(|origin| Place::of_origin(origin, scheme)) == Some(host)
        }
    };
    let is_visit = reads && path == "/";
    let said = headers.get_all(SITE).iter();
    let mut others = said.filter(|site| !matches!(site.as_bytes(), b"same-origin" | b"none"));
    match is_own && (is_visit || others.next().is_none()) {
        true => Ok(()),
        false => Err(Refusal::Origin),
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind =
        only(headers, header::CONTENT_TYPE).map(|text| text.split(';').next().unwrap_or(text));
    kind.is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

/// What this header says, if it says one thing.
fn only(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    match values.next() {
        None => value.to_str().ok(),
        Some(_) => None,
    }
}
