use super::*;
use futures_util::StreamExt as _;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use std::time::Instant;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;

/// As a web server in front sends it.
const REQUEST: &str = "GET /lanparty HTTP/1.1\r\nHost: relay.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

fn tls() -> Arc<ServerConfig> {
    let pair = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(["relay.example".to_owned()]).unwrap();
    let certificate = params.self_signed(&pair).unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(pair.serialize_der()));
    crate::server_config(vec![certificate.into()], key).unwrap()
}

async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (there, here) = tokio::join!(TcpStream::connect(address), listener.accept());
    (there.unwrap(), here.unwrap().0)
}

/// What somebody is told who says this without TLS, and what becomes of it.
async fn told(says: &[u8]) -> (String, AcceptError) {
    let (mut there, here) = pair().await;
    there.write_all(says).await.unwrap();
    let outcome = accept(here, tls(), Limits::default()).await;
    let mut answer = Vec::new();
    let _ = there.read_to_end(&mut answer).await;
    (String::from_utf8(answer).unwrap(), outcome.unwrap_err())
}

fn upgraded(headers: &str) -> Result<Upgrade, StatusCode> {
    upgrade(&Head {
        bytes: format!("{REQUEST}{headers}\r\n").into_bytes(),
        rest: Vec::new(),
    })
}

#[tokio::test]
async fn the_bytes_on_the_wire_are_those_of_the_protocol_s_page() {
    let (mut there, here) = pair().await;
    // One packet, masked by 01 02 03 04 as RFC 6455 demands of who comes.
    let packet = [
        0x82,
        0x85,
        1,
        2,
        3,
        4,
        b'h' ^ 1,
        b'e' ^ 2,
        b'l' ^ 3,
        b'l' ^ 4,
        b'o' ^ 1,
    ];
    let request = format!("{REQUEST}\r\n");
    there
        .write_all(&[request.as_bytes(), &packet].concat())
        .await
        .unwrap();
    let mut accepted = accept(here, tls(), Limits::default()).await.unwrap();
    let head = head::read(&mut there, 4096).await.unwrap();
    let response = String::from_utf8(head.bytes).unwrap();
    assert_eq!(
        response,
        "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
    );
    let heard = accepted.stream.next().await.unwrap().unwrap();
    assert_eq!(heard, &b"hello"[..], "although it came with the request");
    let mut sink = accepted.stream;
    futures_util::SinkExt::send(&mut sink, bytes::Bytes::from(vec![7; 1350]))
        .await
        .unwrap();
    let mut header = [0; 14];
    there.read_exact(&mut header).await.unwrap();
    let [pong @ .., _, _, _, _, _, _, _, _] = header;
    assert_eq!(pong, *b"\x8a\x08sent");
    let [_, _, _, _, _, _, time @ .., _, _, _, _] = header;
    assert!(u32::from_be_bytes(time) < 60_000, "since the stream began");
    let [.., one, two, high, low] = header;
    assert_eq!([one, two, high, low], [0x82, 126, 0x05, 0x46]);
}

#[tokio::test]
async fn what_comes_seconds_late_behind_a_silence_is_lost() {
    /// Masked by zeros, which changes nothing.
    fn frame(opcode: u8, what: &[u8]) -> Vec<u8> {
        [&[opcode, 0x80 | what.len() as u8, 0, 0, 0, 0][..], what].concat()
    }
    fn sent(millis: u32) -> Vec<u8> {
        frame(0x8a, &[&b"sent"[..], &millis.to_be_bytes()].concat())
    }
    let (mut there, stream) = carried().await;
    let then = Instant::now() - Duration::from_secs(10);
    let mut stream = stream.since(then, b"sent\0\0\0\0");
    let late = [sent(5000), frame(0x82, b"late").repeat(1000)].concat();
    // A busy machine reads it when it may; whatever is older than this is late.
    let in_time = [sent(3_600_000), frame(0x82, b"in time")].concat();
    there.write_all(&[late, in_time].concat()).await.unwrap();
    assert_eq!(stream.next().await.unwrap().unwrap(), &b"in time"[..]);
}

#[tokio::test]
async fn whatever_else_is_asked_for_is_not_there() {
    for request in [
        "GET / HTTP/1.1\r\nHost: relay.example\r\n\r\n".to_owned(),
        "GET /lanparty HTTP/1.1\r\nHost: relay.example\r\n\r\n".to_owned(),
        "POST /lanparty HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc".to_owned(),
        "HEAD /robots.txt HTTP/1.0\r\n\r\n".to_owned(),
        format!("{}\r\n", REQUEST.replace("/lanparty", "/other")),
        format!("{}\r\n", REQUEST.replace("HTTP/1.1", "HTTP/1.0")),
        format!("{}\r\n", REQUEST.replace("Version: 13", "Version: 8")),
    ] {
        let (answer, error) = told(request.as_bytes()).await;
        assert!(
            answer.starts_with("HTTP/1.1 404 Not Found\r\n"),
            "{request}: {answer}"
        );
        assert!(answer.ends_with("\r\n\r\nNot Found\n"), "{answer}");
        assert!(matches!(
            error,
            AcceptError::SomethingElse(StatusCode::NOT_FOUND)
        ));
    }
}

#[tokio::test]
async fn what_is_no_request_or_too_long_a_one_is_told_so_and_closed() {
    let (answer, _) = told(b"\x00\x01garbage\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    let (answer, _) = told(format!("GET / HTTP/1.1\r\nX: {}", "a".repeat(8192)).as_bytes()).await;
    assert!(
        answer.starts_with("HTTP/1.1 431 ") || answer.is_empty(),
        "{answer}"
    );
    let many = "a: b\r\n".repeat(1000);
    let (answer, _) = told(format!("GET / HTTP/1.1\r\n{many}\r\n").as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn whoever_says_nothing_or_never_ends_is_not_waited_for_long() {
    for says in [
        &b""[..],
        b"GET /lanparty HTTP/1.1\r\nHost:",
        &[22, 3, 1, 2, 0],
    ] {
        let (mut there, here) = pair().await;
        there.write_all(says).await.unwrap();
        let begun = tokio::time::Instant::now();
        let error = accept(here, tls(), Limits::default()).await.unwrap_err();
        let Limits {
            handshake, request, ..
        } = Limits::default();
        assert!(begun.elapsed() <= handshake + request, "{says:?}: {error}");
    }
}

#[test]
fn where_somebody_comes_from_is_what_the_nearest_in_front_has_seen() {
    let of = |headers: &str| upgraded(headers).unwrap().forwarded_for;
    let is = |address: &str| Some(address.parse().unwrap());
    assert_eq!(of(""), None);
    assert_eq!(of("X-Forwarded-For: 192.0.2.7\r\n"), is("192.0.2.7"));
    assert_eq!(
        of("X-Forwarded-For: 1.1.1.1, 192.0.2.7\r\n"),
        is("192.0.2.7")
    );
    let twice = "X-Forwarded-For: 1.1.1.1\r\nX-Forwarded-For: 192.0.2.7:4000\r\n";
    assert_eq!(of(twice), is("192.0.2.7"));
    assert_eq!(
        of("X-Forwarded-For: [2001:db8::7]:80\r\n"),
        is("2001:db8::7")
    );
    assert_eq!(of("X-Forwarded-For: 2001:db8::7\r\n"), is("2001:db8::7"));
    assert_eq!(of("X-Forwarded-For: ::ffff:192.0.2.7\r\n"), is("192.0.2.7"));
    for nothing in ["unknown", "", "1.1.1.1,", "\u{e9}"] {
        assert_eq!(
            of(&format!("X-Forwarded-For: {nothing}\r\n")),
            None,
            "{nothing}"
        );
    }
}

#[tokio::test]
async fn behind_tls_the_words_of_a_web_server_are_the_callers_own() {
    let headers = "X-Forwarded-For: 192.0.2.9\r\n";
    let (mut there, here) = pair().await;
    let request = format!("{REQUEST}{headers}\r\n");
    there.write_all(request.as_bytes()).await.unwrap();
    let plain = accept(here, tls(), Limits::default()).await.unwrap();
    assert_eq!(plain.forwarded_for, Some("192.0.2.9".parse().unwrap()));
    let (there, here) = pair().await;
    let config = crate::tls::client_config();
    let name = "relay.example".try_into().unwrap();
    let calling = async {
        let connector = tokio_rustls::TlsConnector::from(config);
        let mut there = connector.connect(name, there).await.unwrap();
        there.write_all(request.as_bytes()).await.unwrap();
        there
    };
    let (_there, accepted) = tokio::join!(calling, accept(here, tls(), Limits::default()));
    assert_eq!(accepted.unwrap().forwarded_for, None);
}

/// A connection that has been upgraded, and both its ends.
async fn carried() -> (TcpStream, CarrierStream) {
    let (mut there, here) = pair().await;
    let request = format!("{REQUEST}\r\n");
    there.write_all(request.as_bytes()).await.unwrap();
    let accepted = accept(here, tls(), Limits::default()).await.unwrap();
    (there, accepted.stream)
}

#[tokio::test]
async fn whoever_sends_everything_but_packets_is_not_listened_to() {
    const PING: [u8; 6] = [0x89, 0x80, 1, 2, 3, 4];
    const EMPTY: [u8; 6] = [0x82, 0x80, 1, 2, 3, 4];
    for frame in [PING, EMPTY] {
        let (mut there, mut stream) = carried().await;
        there.write_all(&frame.repeat(1000)).await.unwrap();
        let end = stream.next().await.unwrap().unwrap_err();
        assert_eq!(end.kind(), io::ErrorKind::InvalidData);
        assert!(stream.next().await.is_none());
    }
}

#[tokio::test]
async fn a_message_in_endless_parts_leaves_others_their_turn() {
    const BEGIN: [u8; 6] = [0x02, 0x80, 1, 2, 3, 4];
    const PART: [u8; 6] = [0x00, 0x80, 1, 2, 3, 4];
    let (mut there, mut stream) = carried().await;
    let flood = async {
        there.write_all(&BEGIN).await.unwrap();
        there.write_all(&PART.repeat(100_000)).await.unwrap();
        // It is heard to the end.
        there.write_all(&[0x80, 0x81, 0, 0, 0, 0, 7]).await.unwrap();
    };
    let mut polls = 0;
    let reading = std::future::poll_fn(|cx| {
        polls += 1;
        stream.poll_next_unpin(cx)
    });
    let (packet, ()) = tokio::join!(reading, flood);
    assert_eq!(packet.unwrap().unwrap(), [7][..]);
    assert!(polls >= 100_000 * 6 / (64 * 1024), "{polls}");
}
