//! What is asked for, once it is known that it may be.

use crate::armour::Armour;
use crate::crowd::{Crowd, Guesses, Number};
use crate::guard::{self, Audience, Entrance};
use crate::place::Scheme;
use crate::streams::{self, Events};
use crate::token::Token;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use bytes::Bytes;
use lanparty_gateway_control::{Answer, Line, Request as Wish};
use serde::Deserialize;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tower::ServiceExt as _;

/// No order is longer than this, in bytes.
const MAX_BODY: usize = 16 * 1024;
/// How long a body may take to come in.
const BODY: Duration = Duration::from_secs(10);
/// How long the gateway may take for an order: it asks the relay.
const ORDER: Duration = Duration::from_secs(20);
/// So many orders wait at once; people give one after the other.
const ORDERS: usize = 8;
/// The browser keeps the cookie so long, in seconds: until the next party or the one after it.
const KEEP: u32 = 60 * 24 * 60 * 60;

/// What one listener shows, and to whom.
pub(crate) struct Site {
    audience: Audience,
    armour: Armour,
    router: Router,
    pub(crate) crowd: Mutex<Crowd>,
}

/// What the routes need.
struct Shared {
    page: Bytes,
    events: Events,
    streams: Arc<Semaphore>,
}

/// What the host's routes need beside it.
struct Hosts {
    token: Token,
    cookie: String,
    attributes: &'static str,
    guesses: Mutex<Guesses>,
    line: Line,
    orders: Semaphore,
}

/// Where a request came from.
#[derive(Debug, Clone, Copy)]
struct From(IpAddr);

impl Site {
    /// The host's page, by TLS or not, at this port.
    pub(crate) fn for_host(
        page: &str,
        (token, scheme, port): (Token, Scheme, u16),
        (line, events): (Line, Events),
        (crowd, streams): (Crowd, usize),
    ) -> Self {
        // Cookies do not know ports, so that two gateways on one machine would take each other's.
        let (cookie, attributes) = match scheme {
            Scheme::Http => (format!("lanparty-page-{port}"), ""),
            Scheme::Https => (format!("__Host-lanparty-page-{port}"), "; Secure"),
        };
        let audience = Audience::Host {
            cookie: cookie.clone(),
            session: token.session(),
        };
        let hosts = Arc::new(Hosts {
            token,
            cookie,
            attributes,
            guesses: Mutex::default(),
            line,
            orders: Semaphore::new(ORDERS),
        });
        let orders = Router::new()
            .route("/session", post(swap))
            .route("/order", post(order))
            .with_state(hosts);
        Site::new(page, audience, (events, streams), crowd, orders)
    }

    /// The page for everybody.
    pub(crate) fn for_everybody(
        page: &str,
        events: Events,
        (crowd, streams): (Crowd, usize),
    ) -> Self {
        Site::new(
            page,
            Audience::Public,
            (events, streams),
            crowd,
            Router::new(),
        )
    }

    fn new(
        page: &str,
        audience: Audience,
        (events, streams): (Events, usize),
        crowd: Crowd,
        orders: Router,
    ) -> Self {
        let shared = Arc::new(Shared {
            page: Bytes::copy_from_slice(page.as_bytes()),
            events,
            streams: Arc::new(Semaphore::new(streams)),
        });
        let looks = Router::new()
            .route("/", get(index))
            .route("/events", get(events_of))
            .with_state(shared);
        Site {
            audience,
            armour: Armour::new(page),
            router: looks.merge(orders).fallback(nothing_here),
            crowd: Mutex::new(crowd),
        }
    }

    /// Answers a request. Here everything passes: the checks, then the routes, then the armour.
    pub(crate) async fn answer(
        &self,
        entrance: Entrance,
        (from, number): (IpAddr, Number),
        request: Request<hyper::body::Incoming>,
    ) -> Response {
        let (parts, body) = request.into_parts();
        let mut response = match guard::check(&parts, entrance, &self.audience) {
            Err(refusal) => refusal.into_response(),
            Ok(is_host) => {
                if is_host {
                    lock(&self.crowd).know(number);
                }
                let mut request = Request::from_parts(parts, Body::new(body));
                request.extensions_mut().insert(From(from));
                match self.router.clone().oneshot(request).await {
                    Ok(response) => response,
                    Err(never) => match never {},
                }
            }
        };
        self.armour.put_on(response.headers_mut());
        response
    }
}

/// No holder of it panics.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn index(State(shared): State<Arc<Shared>>) -> Html<Bytes> {
    Html(shared.page.clone())
}

async fn events_of(State(shared): State<Arc<Shared>>) -> Response {
    let Ok(place) = shared.streams.clone().try_acquire_owned() else {
        return refuse(
            StatusCode::SERVICE_UNAVAILABLE,
            "As many look on as can; close other windows of this page.",
        );
    };
    let body = Body::from_stream(streams::follow(shared.events.clone(), place));
    let kind = HeaderValue::from_static("text/event-stream; charset=utf-8");
    ([(header::CONTENT_TYPE, kind)], body).into_response()
}

/// The link's token, as the page has it from behind the `#`. There is no `Debug`, as it is a secret.
#[derive(Deserialize)]
struct Shown {
    token: String,
}

async fn swap(
    State(hosts): State<Arc<Hosts>>,
    Extension(From(from)): Extension<From>,
    request: Request,
) -> Response {
    if !lock(&hosts.guesses).may(now(), from) {
        let often = "Too many wrong links were tried; wait a minute.";
        return refuse(StatusCode::TOO_MANY_REQUESTS, often);
    }
    let shown: Shown = match read(request).await {
        Ok(shown) => shown,
        Err(response) => return response,
    };
    let token = Token::parse(&shown.token);
    if !token.is_some_and(|token| token.is(&hosts.token)) {
        lock(&hosts.guesses).note_wrong(from);
        let wrong = "This link is not the party page's, or not any more: `lanparty-gateway ctl page` prints the right one.";
        return refuse(StatusCode::FORBIDDEN, wrong);
    }
    let cookie = format!(
        "{}={}; Path=/; Max-Age={KEEP}; HttpOnly; SameSite=Strict{}",
        hosts.cookie,
        hosts.token.session().reveal(),
        hosts.attributes,
    );
    let Ok(cookie) = HeaderValue::try_from(cookie) else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let done = Answer::Done("This browser is the host's.".to_owned());
    ([(header::SET_COOKIE, cookie)], Json(done)).into_response()
}

async fn order(State(hosts): State<Arc<Hosts>>, request: Request) -> Response {
    let wish: Wish = match read(request).await {
        Ok(wish) => wish,
        Err(response) => return response,
    };
    if matches!(wish, Wish::Page) {
        // A script that got into the page would have the link.
        return refuse(
            StatusCode::BAD_REQUEST,
            "That is told at the gateway's own machine alone.",
        );
    }
    let Ok(_place) = hosts.orders.try_acquire() else {
        return refuse(
            StatusCode::SERVICE_UNAVAILABLE,
            "The gateway is still busy with other orders; try again.",
        );
    };
    match timeout(ORDER, hosts.line.ask(wish)).await {
        Ok(Some(answer)) => Json(answer).into_response(),
        Ok(None) => refuse(
            StatusCode::SERVICE_UNAVAILABLE,
            "The gateway has not answered; it may have ended.",
        ),
        Err(_) => refuse(
            StatusCode::GATEWAY_TIMEOUT,
            "The gateway has not answered in time; the list shows what has come of it.",
        ),
    }
}

async fn nothing_here() -> Response {
    refuse(StatusCode::NOT_FOUND, "There is nothing here.")
}

/// The body, as JSON, if it is short and comes in time.
async fn read<T: for<'a> Deserialize<'a>>(request: Request) -> Result<T, Response> {
    let late = |_| {
        refuse(
            StatusCode::REQUEST_TIMEOUT,
            "The order took too long to come in.",
        )
    };
    let long = |_| {
        refuse(
            StatusCode::PAYLOAD_TOO_LARGE,
            "That is longer than an order can be.",
        )
    };
    let strange = |_| {
        refuse(
            StatusCode::BAD_REQUEST,
            "That is no order which this gateway knows.",
        )
    };
    let body = timeout(BODY, to_bytes(request.into_body(), MAX_BODY))
        .await
        .map_err(late)?;
    // What was sent is not repeated: it may be a key.
    serde_json::from_slice(&body.map_err(long)?).map_err(strange)
}

fn refuse(status: StatusCode, sentence: &str) -> Response {
    let mut response = (status, Json(Answer::Refused(sentence.to_owned()))).into_response();
    // What of the body was not read would be taken for the next request.
    response
        .headers_mut()
        .insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

#[allow(
    clippy::disallowed_methods,
    reason = "shell: counts guesses by the clock"
)]
fn now() -> Instant {
    Instant::now()
}
