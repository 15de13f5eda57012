//! Each rule of a local page, attacked over a real socket.
#![allow(
    clippy::disallowed_methods,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test owns its sockets and its clock"
)]

use lanparty_gateway_control::{Answer, LanSide, Line, Party, Request, Snapshot, Teller, line};
use lanparty_page::{Page, Settings, StateFolder};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme, StreamOwned};
use socket2::{Domain, Socket, Type};
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// Nothing here takes so long.
const DEADLINE: Duration = Duration::from_secs(60);
/// A name that no header and no file has by chance.
const SECRET_NAME: &str = "Only-the-host-sees-this";

#[test]
fn a_foreign_name_gets_nothing_whatever_it_asks_for() {
    let party = At::loopback();
    let cookie = party.cookie();
    let port = party.port();
    for host in [
        format!("evil.example:{port}"),
        "evil.example".into(),
        format!("localhost.evil.example:{port}"),
        format!("127.0.0.1.evil.example:{port}"),
        format!("0.0.0.0:{port}"),
        format!("192.168.50.2:{port}"),
        "127.0.0.1".into(),
        format!("127.0.0.1:{}", port ^ 1),
        format!("[::]:{port}"),
        format!("localhost.:{port}"),
        String::new(),
    ] {
        for (method, path) in [
            ("GET", "/"),
            ("GET", "/events"),
            ("POST", "/session"),
            ("POST", "/order"),
            ("GET", "/x"),
            ("HEAD", "/"),
        ] {
            let asked = format!(
                "{method} {path} HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\nContent-Type: application/json\r\n\
                 Cookie: {cookie}\r\nContent-Length: 13\r\n\r\n{{\"do\":\"lock\"}}"
            );
            let answer = party.say(&asked);
            assert!(
                answer.starts_with("HTTP/1.1 403 "),
                "{host} {method} {path}: {answer}"
            );
            assert!(
                !answer.contains("<html") && !answer.contains(SECRET_NAME),
                "{answer}"
            );
        }
    }
    assert_eq!(party.orders(), 0);
}

#[test]
fn a_request_says_once_where_it_goes() {
    let party = At::loopback();
    let port = party.port();
    for (asked, status) in [
        ("GET / HTTP/1.1\r\n\r\n".to_owned(), "403"),
        ("GET / HTTP/1.0\r\n\r\n".to_owned(), "403"),
        (
            format!("GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nHost: evil.example\r\n\r\n"),
            "403",
        ),
        (
            format!("GET / HTTP/1.1\r\nHost: evil.example\r\nHost: 127.0.0.1:{port}\r\n\r\n"),
            "403",
        ),
        (
            format!("GET http://evil.example/ HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n"),
            "400",
        ),
        (
            format!("GET http://127.0.0.1:{port}/ HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n"),
            "400",
        ),
        (
            format!("CONNECT 127.0.0.1:{port} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n"),
            "400",
        ),
        (
            format!(
                "GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nX-Forwarded-Host: evil.example\r\n\r\n"
            ),
            "200",
        ),
        (
            format!("GET / HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n"),
            "200",
        ),
        (
            format!("GET / HTTP/1.1\r\nhost: [::1]:{port}\r\n\r\n"),
            "200",
        ),
    ] {
        let answer = party.say(&asked);
        assert_eq!(answer.get(9..12), Some(status), "{asked}: {answer}");
    }
}

#[test]
fn an_order_comes_from_the_page_itself_as_json_and_with_the_cookie() {
    let party = At::loopback();
    let (port, cookie) = (party.port(), party.cookie());
    let (own, right) = (
        format!("Origin: http://127.0.0.1:{port}\r\n"),
        format!("Cookie: {cookie}\r\n"),
    );
    let json = "Content-Type: application/json\r\n";
    let wrong_cookie = right.replace("page-", "page-1");
    let value = cookie.split_once('=').unwrap().1;
    let near = right.replace(value, &format!("{}0", &value[1..]));
    let origins = |origin: &str| format!("Origin: {origin}\r\n");
    let foreign = [
        "null".to_owned(),
        "http://evil.example".into(),
        format!("http://127.0.0.1:{}", port ^ 1),
        format!("https://127.0.0.1:{port}"),
        format!("http://localhost:{port}"),
        "http://127.0.0.1".into(),
        format!("http://127.0.0.1:{port}.evil.example"),
        String::new(),
    ];
    let mut forged: Vec<(String, &str)> = foreign
        .iter()
        .map(|origin| (format!("{}{json}{right}", origins(origin)), "403"))
        .collect();
    forged.extend([
        (format!("{json}{right}"), "403"),
        (format!("{own}{own}{json}{right}"), "403"),
        (
            format!("{own}{json}{right}Sec-Fetch-Site: cross-site\r\n"),
            "403",
        ),
        (
            format!("{own}{json}{right}Sec-Fetch-Site: same-site\r\n"),
            "403",
        ),
        (format!("{own}{json}"), "403"),
        (format!("{own}{json}{wrong_cookie}"), "403"),
        (format!("{own}{json}{near}"), "403"),
        (format!("{own}{right}"), "415"),
        (format!("{own}{right}Content-Type: text/plain\r\n"), "415"),
        (
            format!("{own}{right}Content-Type: application/x-www-form-urlencoded\r\n"),
            "415",
        ),
        (
            format!("{own}{right}Content-Type: multipart/form-data; boundary=x\r\n"),
            "415",
        ),
        (
            format!("{own}{right}Content-Type: application/jsonp\r\n"),
            "415",
        ),
        (format!("{own}{right}{json}{json}"), "415"),
    ]);
    for (headers, status) in &forged {
        let answer = party.order(headers, r#"{"do":"lock","on":true}"#);
        assert_eq!(answer.get(9..12), Some(*status), "{headers}: {answer}");
    }
    for method in ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "LOCK"] {
        let asked =
            format!("{method} /order HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{own}{right}{json}\r\n");
        assert!(party.say(&asked).starts_with("HTTP/1.1 405 "), "{method}");
    }
    assert_eq!(party.orders(), 0, "nothing has changed");
    let done = party.order(
        &format!("{own}{json}{right}Sec-Fetch-Site: same-origin\r\n"),
        r#"{"do":"lock","on":true}"#,
    );
    assert!(
        done.starts_with("HTTP/1.1 200 ") && done.ends_with(r#"{"done":"done"}"#),
        "{done}"
    );
    for strange in [
        "",
        "{",
        "[]",
        r#"{"do":"format_disk"}"#,
        r#"{"do":"kick"}"#,
        "null",
    ] {
        let answer = party.order(&format!("{own}{json}{right}"), strange);
        assert!(
            answer.starts_with("HTTP/1.1 400 ") && answer.contains("refused"),
            "{strange}: {answer}"
        );
    }
    assert_eq!(party.orders(), 1);
}

#[test]
fn the_party_is_seen_with_the_cookie_alone() {
    let party = At::loopback();
    let answer = party.get("/events", "");
    assert!(
        answer.starts_with("HTTP/1.1 403 ") && answer.contains("ctl page"),
        "{answer}"
    );
    assert!(
        !party.get("/", "").contains(SECRET_NAME),
        "the page has no data in it"
    );
    let foreign = format!(
        "Cookie: {}\r\nSec-Fetch-Site: same-site\r\n",
        party.cookie()
    );
    assert!(party.get("/events", &foreign).starts_with("HTTP/1.1 403 "));
    assert!(party.stream(&party.cookie()).first().contains(SECRET_NAME));
}

#[test]
fn every_answer_wears_its_armour() {
    let party = At::loopback();
    let cookie = format!("Cookie: {}\r\n", party.cookie());
    let big = format!(
        "POST /order HTTP/1.1\r\nHost: 127.0.0.1:{0}\r\nOrigin: http://127.0.0.1:{0}\r\n{cookie}Content-Type: application/json\r\nContent-Length: 99999999\r\n\r\n",
        party.port()
    );
    let preflight = format!(
        "OPTIONS /order HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nOrigin: http://evil.example\r\nAccess-Control-Request-Method: POST\r\n\r\n",
        party.port()
    );
    let answers = [
        party.get("/", ""),
        party.get("/events", ""),
        party.get("/nothing", &cookie),
        party.say(&big),
        party.say(&preflight),
        party.stream(&party.cookie()).first(),
        party.swap("AAAAAAAAAAAAAAAAAAAAAA"),
    ];
    for answer in answers {
        let head = answer
            .split("\r\n\r\n")
            .next()
            .unwrap()
            .to_ascii_lowercase();
        for header in [
            "content-security-policy: default-src 'none'; script-src 'sha256-",
            "frame-ancestors 'none'",
            "x-frame-options: deny",
            "x-content-type-options: nosniff",
            "referrer-policy: no-referrer",
            "cache-control: no-store",
            "cross-origin-opener-policy: same-origin",
            "cross-origin-resource-policy: same-origin",
            "permissions-policy: ",
        ] {
            assert!(head.contains(header), "{header} is not in {head}");
        }
        assert!(
            !head.contains("access-control-") && !head.contains("unsafe-inline"),
            "{head}"
        );
        assert!(!head.contains("\r\nserver:"), "{head}");
    }
}

#[test]
fn the_token_is_swapped_for_a_cookie_that_scripts_and_other_pages_do_not_have() {
    let party = At::loopback();
    let token = party.token();
    assert_eq!(token.len(), 22, "128 bits");
    let answer = party.swap(&token);
    let cookie = answer
        .lines()
        .find(|line| line.starts_with("set-cookie: "))
        .unwrap();
    assert!(
        cookie.contains("; HttpOnly; SameSite=Strict") && cookie.contains("Path=/"),
        "{cookie}"
    );
    assert!(
        cookie.contains(&format!("lanparty-page-{}=", party.port())),
        "{cookie}"
    );
    assert!(!answer.contains(&token), "{answer}");
}

#[test]
fn guesses_are_limited_and_cost_no_host_its_session() {
    let party = At::loopback();
    let cookie = party.cookie();
    let statuses: Vec<_> = (0..40)
        .map(|_| party.swap("AAAAAAAAAAAAAAAAAAAAAA")[9..12].to_owned())
        .collect();
    assert_eq!(
        statuses.iter().filter(|status| *status == "403").count(),
        10
    );
    assert_eq!(
        statuses.iter().filter(|status| *status == "429").count(),
        30
    );
    assert!(
        party.swap(&party.token()).starts_with("HTTP/1.1 429 "),
        "a guess that is right is none better"
    );
    assert!(party.stream(&cookie).first().contains(SECRET_NAME));
    let other = party.connect_from(Ipv4Addr::new(127, 0, 0, 2)).unwrap();
    assert!(
        ask(other, &party.swapping(&party.token())).starts_with("HTTP/1.1 200 "),
        "another source"
    );
}

#[test]
fn a_bookmark_outlives_the_gateway_and_so_does_an_open_page() {
    let folder = tempfile::tempdir().unwrap();
    let first = At::open("127.0.0.1:0", None, Some(folder.path()));
    let (token, cookie) = (first.token(), first.cookie());
    drop(first);
    let second = At::open("127.0.0.1:0", None, Some(folder.path()));
    assert_eq!(second.token(), token);
    let value = cookie.split_once('=').unwrap().1;
    let cookie = format!("lanparty-page-{}={value}", second.port());
    assert!(second.stream(&cookie).first().contains(SECRET_NAME));
    let elsewhere = At::loopback();
    let cookie = format!("lanparty-page-{}={value}", elsewhere.port());
    let answer = elsewhere.get("/events", &format!("Cookie: {cookie}\r\n"));
    assert!(answer.starts_with("HTTP/1.1 403 "), "another host's");
}

#[test]
fn streams_end_with_the_gateway() {
    let mut party = At::loopback();
    let mut stream = party.stream(&party.cookie());
    stream.first();
    party.end();
    let mut rest = Vec::new();
    // An end or a reset: both tell the page.
    let _ = stream.0.read_to_end(&mut rest);
}

#[test]
fn a_thousand_streams_are_as_many_as_there_may_be_and_the_host_goes_on() {
    let party = At::loopback();
    let cookie = party.cookie();
    let mut served = 0;
    let mut open = Vec::new();
    for _ in 0..1_000 {
        let mut stream = party.stream(&cookie);
        let first = stream.first();
        assert!(
            first.starts_with("HTTP/1.1 200 ") || first.starts_with("HTTP/1.1 503 "),
            "{first}"
        );
        served += usize::from(first.contains(SECRET_NAME));
        open.push(stream);
    }
    assert!(served >= 256, "{served}");
    assert!(party.right_order(&cookie).starts_with("HTTP/1.1 200 "));
    assert!(party.get("/", "").starts_with("HTTP/1.1 200 "));
}

#[test]
fn strangers_who_only_wait_keep_nobody_out() {
    let party = At::loopback();
    let cookie = party.cookie();
    let mut watching = party.stream(&cookie);
    watching.first();
    let mut silent: Vec<_> = (0..300).map(|_| party.connect().unwrap()).collect();
    // From the same source, and from another one.
    assert!(party.get("/", "").starts_with("HTTP/1.1 200 "));
    let other = party.connect_from(Ipv4Addr::new(127, 0, 0, 2)).unwrap();
    assert!(ask(other, &party.getting("/", "")).starts_with("HTTP/1.1 200 "));
    let many: Vec<_> = (1..=200)
        .map(|last| party.connect_from(Ipv4Addr::new(127, 0, 1, last)).unwrap())
        .collect();
    assert!(party.right_order(&cookie).starts_with("HTTP/1.1 200 "));
    // Who came first has been sent away.
    assert_eq!(silent[0].read(&mut [0]).unwrap_or(0), 0);
    party.tell();
    assert!(
        watching.first().contains(SECRET_NAME),
        "who has shown the cookie stays"
    );
    drop(many);
}

#[test]
fn a_reader_who_takes_nothing_costs_the_others_nothing() {
    let party = At::loopback();
    let cookie = party.cookie();
    let mut stalled: Vec<_> = (0..20).map(|_| party.stream(&cookie)).collect();
    let mut reader = party.stream(&cookie);
    reader.first();
    for _ in 0..50 {
        party.tell();
        assert!(reader.first().contains(SECRET_NAME));
    }
    assert!(party.right_order(&cookie).starts_with("HTTP/1.1 200 "));
    stalled.clear();
}

#[test]
fn what_is_too_long_is_not_read() {
    let party = At::loopback();
    let head = format!(
        "GET / HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nX: {}\r\n\r\n",
        party.port(),
        "x".repeat(100_000)
    );
    let answer = party.say(&head);
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 431 "),
        "{answer}"
    );
    let own = format!(
        "Origin: http://127.0.0.1:{}\r\nContent-Type: application/json\r\nCookie: {}\r\n",
        party.port(),
        party.cookie()
    );
    let long = party.order(
        &own,
        &format!(r#"{{"do":"kick","who":"{}"}}"#, "x".repeat(20_000)),
    );
    assert!(long.starts_with("HTTP/1.1 413 "), "{long}");
    let chunked = format!(
        "POST /order HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n{own}Transfer-Encoding: chunked\r\n\r\n",
        party.port()
    );
    let mut stream = party.connect().unwrap();
    stream.write_all(chunked.as_bytes()).unwrap();
    let chunk = format!("1000\r\n{}\r\n", "x".repeat(0x1000));
    // It is cut off in the middle, whatever else would come.
    let sent = (0..100_000)
        .take_while(|_| stream.write_all(chunk.as_bytes()).is_ok())
        .count();
    assert!(sent < 10_000, "{sent} chunks were taken");
    assert_eq!(party.orders(), 0);
}

#[test]
fn a_second_request_behind_the_first_is_looked_at_too() {
    let party = At::loopback();
    let own = format!("Host: 127.0.0.1:{}\r\n", party.port());
    let smuggled = format!("GET / HTTP/1.1\r\n{own}\r\nGET /events HTTP/1.1\r\n{own}\r\n");
    let answer = party.say(&smuggled);
    assert!(
        answer.starts_with("HTTP/1.1 200 ") && answer.contains("HTTP/1.1 403 "),
        "{answer}"
    );
    let both = format!(
        "POST /session HTTP/1.1\r\n{own}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    );
    let answer = party.say(&both);
    assert!(!answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let many = format!("GET / HTTP/1.1\r\n{own}\r\n").repeat(500);
    let mut stream = party.connect().unwrap();
    stream.write_all(many.as_bytes()).unwrap();
    assert!(party.get("/", "").starts_with("HTTP/1.1 200 "));
}

/// It takes fifteen seconds, which is what they are given.
#[test]
fn who_says_nothing_is_sent_away() {
    let plain = At::loopback();
    let secure = At::open("0.0.0.0:0", None, None);
    let began = Instant::now();
    let silent = plain.connect().unwrap();
    let mut half = plain.connect().unwrap();
    half.write_all(b"GET / HTTP/1.1\r\nHost: 127").unwrap();
    let mut idle = plain.connect().unwrap();
    idle.write_all(
        plain
            .getting("/", "")
            .replace("Connection: close\r\n", "")
            .as_bytes(),
    )
    .unwrap();
    let mut body = plain.connect().unwrap();
    let session = format!(
        "POST /session HTTP/1.1\r\nHost: 127.0.0.1:{0}\r\nOrigin: http://127.0.0.1:{0}\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{{",
        plain.port()
    );
    body.write_all(session.as_bytes()).unwrap();
    let mut hello = secure.connect().unwrap();
    hello.write_all(&[22, 3, 1, 0, 200, 1]).unwrap();
    let mute = secure.connect().unwrap();
    for mut stream in [silent, half, idle, body, hello, mute] {
        // An end or a reset.
        let _ = stream.read_to_end(&mut Vec::new());
    }
    let took = began.elapsed();
    assert!(took < DEADLINE / 2, "{took:?}");
    assert!(plain.get("/", "").starts_with("HTTP/1.1 200 "));
}

#[test]
fn beyond_this_machine_there_is_tls_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let party = At::open("0.0.0.0:0", None, Some(folder.path()));
    let port = party.port();
    assert!(
        party
            .link
            .starts_with(&format!("https://127.0.0.1:{port}/#t=")),
        "only the address"
    );
    let answer = party.get("/", "");
    assert!(answer.starts_with("HTTP/1.1 307 "), "{answer}");
    assert!(
        answer.contains(&format!("Location: https://127.0.0.1:{port}/\r\n")),
        "{answer}"
    );
    let (answer, fingerprint) = party.over_tls(&party.getting("/", ""));
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert_eq!(Some(fingerprint), party.fingerprint);
    let origin = |scheme: &str| {
        party
            .swapping(&party.token())
            .replace("Origin: http:", &format!("Origin: {scheme}:"))
    };
    assert!(
        party
            .over_tls(&origin("http"))
            .0
            .starts_with("HTTP/1.1 403 "),
        "another scheme is another origin"
    );
    let (answer, _) = party.over_tls(&origin("https"));
    let cookie = answer
        .lines()
        .find(|line| line.starts_with("set-cookie: "))
        .unwrap();
    assert!(
        cookie.contains(&format!("__Host-lanparty-page-{port}=")) && cookie.ends_with("; Secure"),
        "{cookie}"
    );
    let again = At::open("0.0.0.0:0", None, Some(folder.path()));
    assert_eq!(again.fingerprint, party.fingerprint, "it is kept");
}

#[test]
fn everybody_sees_and_nobody_orders_in_the_public_view() {
    let party = At::open("127.0.0.1:0", Some("127.0.0.1:0"), None);
    let public: SocketAddr = party
        .public
        .clone()
        .unwrap()
        .trim_start_matches("http://")
        .trim_end_matches('/')
        .parse()
        .unwrap();
    let ask_public = |asked: &str| {
        ask(
            TcpStream::connect(public).unwrap(),
            &asked.replace(&party.port().to_string(), &public.port().to_string()),
        )
    };
    let page = ask_public(&party.getting("/", ""));
    assert!(
        page.starts_with("HTTP/1.1 200 ") && !page.contains("kick"),
        "{page}"
    );
    let mut stream = Stream(TcpStream::connect(public).unwrap());
    let asked = format!("GET /events HTTP/1.1\r\nHost: {public}\r\n\r\n");
    stream.0.write_all(asked.as_bytes()).unwrap();
    stream.0.set_read_timeout(Some(DEADLINE)).unwrap();
    let first = stream.first();
    assert!(
        first.contains("\"public\":true")
            && !first.contains("198.51.100.7")
            && !first.contains("ROOM-CODE"),
        "{first}"
    );
    let foreign = ask_public(
        &party
            .getting("/events", "")
            .replace("127.0.0.1", "evil.example"),
    );
    assert!(foreign.starts_with("HTTP/1.1 403 "), "{foreign}");
    let ordered = format!(
        "Origin: http://127.0.0.1:{}\r\nContent-Type: application/json\r\nCookie: {}\r\n",
        party.port(),
        party.cookie()
    );
    for path in ["/order", "/session", "/"] {
        let body = r#"{"do":"lock","on":true}"#;
        let asked = format!(
            "POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n{ordered}Content-Length: {}\r\n\r\n{body}",
            party.port(),
            body.len()
        );
        assert!(ask_public(&asked).starts_with("HTTP/1.1 405 "), "{path}");
    }
    assert_eq!(party.orders(), 0);
}

#[test]
fn a_port_that_is_taken_is_one_sentence() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let settings = Settings {
        at: Some(taken.local_addr().unwrap()),
        public: Some("192.0.2.1:80".parse().unwrap()),
        ..Settings::default()
    };
    let page = Page::open(&settings);
    let [first, second] = page.troubles() else {
        panic!("{:?}", page.troubles());
    };
    assert!(
        first.contains("another program listens on 127.0.0.1")
            && first.contains("the party goes on"),
        "{first}"
    );
    assert!(
        second.contains("192.0.2.1:80") && second.contains("--page-public"),
        "{second}"
    );
    assert!(page.links().host.is_none() && page.links().public.is_none());
    page.start(snapshot_line().2).unwrap();
}

#[test]
fn logs_have_no_secret_and_strangers_none_of_the_lines() {
    let lines = Lines::default();
    let written = lines.clone();
    let subscriber =
        tracing_subscriber::fmt().with_max_level(tracing_subscriber::filter::LevelFilter::TRACE);
    let subscriber = subscriber.with_writer(move || written.clone()).finish();
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let party = At::loopback();
    let (token, cookie) = (party.token(), party.cookie());
    let value = cookie.split_once('=').unwrap().1;
    party.right_order(&cookie);
    for at in 0..50 {
        party.swap(&format!("{at:022}"));
        party.get(
            &format!("/{token}?t={token}"),
            &format!("Cookie: {cookie}\r\nX-Marker: stranger-{at}\r\n"),
        );
        party.say("\0\u{1b}[31m stranger\r\n\r\n");
    }
    let log = String::from_utf8_lossy(&lines.0.lock().unwrap()).into_owned();
    for secret in [token.as_str(), value, "stranger"] {
        assert!(!log.contains(secret), "{log}");
    }
    let loud = log.lines().filter(|line| {
        ["INFO", "WARN", "ERROR"]
            .iter()
            .any(|level| line.contains(level))
    });
    assert_eq!(loud.count(), 0, "{log}");
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn snapshot() -> Snapshot {
    let party = Party {
        room: "ROOM-CODE".into(),
        name: Some(SECRET_NAME.into()),
        keyed: true,
        hosted: true,
    };
    let lan = LanSide {
        interface: "eth0".into(),
        up: true,
        trouble: None,
        with_this_machine: false,
    };
    Snapshot::begin("test", party, lan, "198.51.100.7:443".into())
}

type Ends = (
    Teller,
    tokio::sync::mpsc::Receiver<lanparty_gateway_control::Order>,
    Line,
);

fn snapshot_line() -> Ends {
    line(snapshot())
}

/// A page, and a gateway that does whatever it is asked to.
struct At {
    address: SocketAddr,
    link: String,
    fingerprint: Option<String>,
    public: Option<String>,
    ordered: Arc<Mutex<usize>>,
    tell: Option<Teller>,
}

impl At {
    fn loopback() -> Self {
        At::open("127.0.0.1:0", None, None)
    }

    fn open(at: &str, public: Option<&str>, folder: Option<&std::path::Path>) -> Self {
        let settings = Settings {
            at: Some(at.parse().unwrap()),
            public: public.map(|public| public.parse().unwrap()),
            folder: folder.map(|folder| StateFolder::new(folder.to_owned())),
            addresses: vec![Ipv4Addr::LOCALHOST.into()],
        };
        let page = Page::open(&settings);
        assert_eq!(page.troubles(), &[] as &[String]);
        let links = page.links().clone();
        let (tell, mut hear, line) = snapshot_line();
        page.start(line).unwrap();
        let ordered = Arc::new(Mutex::new(0));
        let counted = ordered.clone();
        thread::spawn(move || {
            while let Some(order) = hear.blocking_recv() {
                assert!(!matches!(order.request, Request::Snapshot));
                *counted.lock().unwrap() += 1;
                let _ = order.answer.send(Answer::Done("done".into()));
            }
        });
        let link = links.host.unwrap();
        let address = link
            .split("://")
            .nth(1)
            .unwrap()
            .split("/#")
            .next()
            .unwrap();
        At {
            address: address.parse().unwrap(),
            link,
            fingerprint: links.fingerprint,
            public: links.public,
            ordered,
            tell: Some(tell),
        }
    }

    fn port(&self) -> u16 {
        self.address.port()
    }

    fn token(&self) -> String {
        self.link.split("#t=").nth(1).unwrap().to_owned()
    }

    fn orders(&self) -> usize {
        *self.ordered.lock().unwrap()
    }

    /// Another snapshot.
    fn tell(&self) {
        self.tell.as_ref().unwrap().tell(snapshot());
    }

    fn end(&mut self) {
        self.tell = None;
    }

    fn connect(&self) -> io::Result<TcpStream> {
        self.connect_from(Ipv4Addr::LOCALHOST)
    }

    fn connect_from(&self, source: Ipv4Addr) -> io::Result<TcpStream> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.bind(&SocketAddr::from((source, 0)).into())?;
        socket.connect_timeout(&self.address.into(), DEADLINE)?;
        let stream = TcpStream::from(socket);
        stream.set_read_timeout(Some(DEADLINE))?;
        stream.set_write_timeout(Some(DEADLINE))?;
        Ok(stream)
    }

    fn say(&self, asked: &str) -> String {
        ask(self.connect().unwrap(), asked)
    }

    fn getting(&self, path: &str, headers: &str) -> String {
        format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{headers}\r\n",
            self.address
        )
    }

    fn get(&self, path: &str, headers: &str) -> String {
        self.say(&self.getting(path, headers))
    }

    fn order(&self, headers: &str, body: &str) -> String {
        let length = body.len();
        self.say(&format!(
            "POST /order HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{headers}Content-Length: {length}\r\n\r\n{body}",
            self.address
        ))
    }

    fn right_order(&self, cookie: &str) -> String {
        let headers = format!(
            "Origin: http://{}\r\nContent-Type: application/json; charset=utf-8\r\nCookie: a=b; {cookie}\r\n",
            self.address
        );
        self.order(&headers, r#"{"do":"isolate","on":true}"#)
    }

    fn swapping(&self, token: &str) -> String {
        let body = format!(r#"{{"token":"{token}"}}"#);
        format!(
            "POST /session HTTP/1.1\r\nHost: {0}\r\nOrigin: http://{0}\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {1}\r\n\r\n{body}",
            self.address,
            body.len()
        )
    }

    fn swap(&self, token: &str) -> String {
        self.say(&self.swapping(token))
    }

    fn cookie(&self) -> String {
        let answer = self.swap(&self.token());
        let cookie = answer
            .lines()
            .find_map(|line| line.strip_prefix("set-cookie: "));
        cookie
            .unwrap_or_else(|| panic!("{answer}"))
            .split(';')
            .next()
            .unwrap()
            .to_owned()
    }

    fn stream(&self, cookie: &str) -> Stream {
        let mut stream = self.connect().unwrap();
        let asked = format!(
            "GET /events HTTP/1.1\r\nHost: {}\r\nCookie: {cookie}\r\n\r\n",
            self.address
        );
        stream.write_all(asked.as_bytes()).unwrap();
        Stream(stream)
    }

    fn over_tls(&self, asked: &str) -> (String, String) {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap();
        let config = config
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyCertificate))
            .with_no_client_auth();
        let name = ServerName::from(self.address.ip());
        let connection = ClientConnection::new(Arc::new(config), name).unwrap();
        let mut stream = StreamOwned::new(connection, self.connect().unwrap());
        stream.write_all(asked.as_bytes()).unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let certificate = &stream.conn.peer_certificates().unwrap()[0];
        let hash = ring::digest::digest(&ring::digest::SHA256, certificate);
        let pairs: Vec<_> = hash
            .as_ref()
            .iter()
            .map(|byte| format!("{byte:02X}"))
            .collect();
        (
            String::from_utf8_lossy(&answer).into_owned(),
            pairs.join(":"),
        )
    }
}

fn ask(mut stream: TcpStream, asked: &str) -> String {
    // Who is sent away in the middle has its answer all the same, or none.
    let _ = stream.write_all(asked.as_bytes());
    let mut answer = Vec::new();
    let mut chunk = [0; 4096];
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    loop {
        match stream.read(&mut chunk) {
            Ok(0) | Err(_) => break,
            Ok(read) => answer.extend(&chunk[..read]),
        }
        // One that stays open is answered when all of the last answer is there.
        let text = String::from_utf8_lossy(&answer);
        if !asked.contains("Connection: close")
            && is_whole(&text)
            && text.matches("HTTP/1.1 ").count() >= asked.matches(" HTTP/1.").count()
        {
            break;
        }
    }
    String::from_utf8_lossy(&answer).into_owned()
}

fn is_whole(answer: &str) -> bool {
    let last = answer.rfind("HTTP/1.1 ").map_or(answer, |at| &answer[at..]);
    let Some((head, body)) = last.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head
        .to_ascii_lowercase()
        .lines()
        .find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
    body.len() >= length.unwrap_or(0)
}

struct Stream(TcpStream);

impl Stream {
    /// What has come until an event ends, or the stream.
    fn first(&mut self) -> String {
        let mut text = Vec::new();
        let mut chunk = [0; 4096];
        while let Ok(read) = self.0.read(&mut chunk)
            && read > 0
        {
            text.extend(&chunk[..read]);
            if text.ends_with(b"\n\n\r\n")
                || (text.starts_with(b"HTTP/1.1 503") && text.ends_with(b"}"))
            {
                break;
            }
        }
        String::from_utf8_lossy(&text).into_owned()
    }
}

/// The test compares fingerprints, as the host does.
#[derive(Debug)]
struct AnyCertificate;

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        rustls::crypto::ring::default_provider()
            .signature_verification_algorithms
            .supported_schemes()
    }
}
