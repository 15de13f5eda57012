use super::*;
use crate::{Accepted, Limits, Proxies, accept, server_config};
use bytes::Bytes;
use futures_util::{Sink as _, SinkExt as _, StreamExt as _};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use std::sync::Arc;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// A listener, and what somebody needs to know who wants to speak to the relay behind it.
async fn listener() -> (TcpListener, Dial) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let dial = Dial {
        address,
        host: address.ip().to_string(),
        port: address.port(),
        server_name: "relay.example".to_owned(),
        proxy: None,
    };
    (listener, dial)
}

fn relay_tls() -> Arc<rustls::ServerConfig> {
    let pair = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(["somebody-else.example".to_owned()]).unwrap();
    let certificate = params.self_signed(&pair).unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(pair.serialize_der()));
    server_config(vec![certificate.into()], key).unwrap()
}

async fn accept_one(listener: &TcpListener) -> Accepted {
    let (tcp, _) = listener.accept().await.unwrap();
    accept(tcp, relay_tls(), Limits::default()).await.unwrap()
}

/// What a peer sees that does not find a relay there.
async fn refused(dial_it: &Dial, answer: impl Future<Output = ()>) -> DialError {
    let (outcome, ()) = tokio::join!(dial(dial_it), answer);
    outcome.unwrap_err()
}

/// Hears one request and says this.
async fn answer(listener: &TcpListener, says: &str) {
    let (mut tcp, _) = listener.accept().await.unwrap();
    crate::head::read(&mut tcp, 4096).await.unwrap();
    tcp.write_all(says.as_bytes()).await.unwrap();
    tcp.shutdown().await.unwrap();
}

/// A proxy in miniature: it takes one request for a way through, and makes it.
async fn carry_one(listener: &TcpListener) -> String {
    let (mut tcp, _) = listener.accept().await.unwrap();
    let head = crate::head::read(&mut tcp, 4096).await.unwrap();
    let request = String::from_utf8(head.bytes).unwrap();
    let to = request.split(' ').nth(1).unwrap();
    let mut there = TcpStream::connect(to).await.unwrap();
    tcp.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")
        .await
        .unwrap();
    tokio::spawn(async move { tokio::io::copy_bidirectional(&mut tcp, &mut there).await });
    request
}

#[tokio::test]
async fn packets_go_both_ways_and_stay_packets() {
    let (listener, relay) = listener().await;
    let (dialled, accepted) = tokio::join!(dial(&relay), accept_one(&listener));
    let (mut peer, mut relay) = (dialled.unwrap(), accepted.stream);
    let packets: Vec<_> = [1, 1200, 1452, crate::MAX_MESSAGE]
        .into_iter()
        .map(|len| Bytes::from(vec![u8::try_from(len % 251).unwrap(); len]))
        .collect();
    let sending = async {
        for packet in &packets {
            peer.feed(packet.clone()).await.unwrap();
        }
        peer.flush().await.unwrap();
    };
    let receiving = async {
        let mut heard = Vec::new();
        while heard.len() < packets.len() {
            heard.push(relay.next().await.unwrap().unwrap());
        }
        heard
    };
    let ((), heard) = tokio::join!(sending, receiving);
    assert_eq!(heard, packets);
    relay.send(Bytes::from_static(b"back")).await.unwrap();
    assert_eq!(peer.next().await.unwrap().unwrap(), &b"back"[..]);
    relay.close().await.unwrap();
    assert!(peer.next().await.is_none(), "closed");
    assert!(peer.next().await.is_none(), "and it stays so");
}

#[tokio::test]
async fn a_stream_that_nobody_reads_takes_little_and_says_so() {
    let (listener, relay) = listener().await;
    let (dialled, _unread) = tokio::join!(dial(&relay), accept_one(&listener));
    let mut peer = dialled.unwrap();
    let packet = Bytes::from(vec![0; 1350]);
    let mut taken = 0;
    // As a loop does that sends what it can in each of its turns.
    let blocked = std::future::poll_fn(|cx| {
        loop {
            let mut sink = std::pin::Pin::new(&mut peer);
            if sink.as_mut().poll_ready(cx).is_pending() {
                return std::task::Poll::Ready(());
            }
            sink.as_mut().start_send(packet.clone()).unwrap();
            taken += packet.len();
        }
    });
    blocked.await;
    let buffers = 32 * 1024 * 1024;
    assert!(
        taken < buffers,
        "{taken}: the system's buffers are all that there is"
    );
    assert!(peer.waiting() < 2 * 16 * 1024, "{peer:?}");
}

#[tokio::test]
async fn a_proxy_is_asked_for_the_relay_and_carries_the_packets() {
    let (listener, relay) = listener().await;
    let (proxy_listener, _) = self::listener().await;
    let proxy_address = proxy_listener.local_addr().unwrap();
    let url = format!("http://me:secret@{proxy_address}").parse().unwrap();
    let proxy = Proxies::Given(url).towards(&relay.host, relay.port);
    let through = Dial {
        address: proxy_address,
        proxy,
        ..relay.clone()
    };
    let (dialled, request, accepted) = tokio::join!(
        dial(&through),
        carry_one(&proxy_listener),
        accept_one(&listener)
    );
    let authority = format!("{}:{}", relay.host, relay.port);
    assert!(
        request.starts_with(&format!("CONNECT {authority} HTTP/1.1\r\n")),
        "{request}"
    );
    assert!(
        request.contains("Proxy-Authorization: Basic bWU6c2VjcmV0\r\n"),
        "{request}"
    );
    let (mut peer, mut relay) = (dialled.unwrap(), accepted.stream);
    peer.send(Bytes::from_static(b"through")).await.unwrap();
    assert_eq!(relay.next().await.unwrap().unwrap(), &b"through"[..]);
}

#[tokio::test]
async fn what_a_proxy_does_not_do_is_said_in_a_sentence() {
    let (listener, relay) = listener().await;
    let through = |credentials: &str| {
        let url = format!("http://{credentials}{}", relay.address);
        Dial {
            proxy: Proxies::Given(url.parse().unwrap()).towards("relay.example", 443),
            ..relay.clone()
        }
    };
    for (credentials, says, sentence) in [
        (
            "",
            "HTTP/1.1 407 Who are you?\r\n\r\n",
            "wants a name and a password; give them with --proxy",
        ),
        (
            "me:wrong@",
            "HTTP/1.1 407 Who are you?\r\n\r\n",
            "does not take the name and password",
        ),
        (
            "",
            "HTTP/1.0 403 Filtered\r\nConnection: close\r\n\r\nNo games",
            "does not let this program through",
        ),
        ("", "HTTP/1.1 502 Bad Gateway\r\n\r\n", "(status 502)"),
        ("", "220 mail.example ESMTP\r\n\r\n", "is no HTTP proxy"),
        ("", "HTTP/1.1 200 OK\r\n\r\n<html>", "is no HTTP proxy"),
        ("", "HTTP/1.1 200", "does not answer"),
    ] {
        let error = refused(&through(credentials), answer(&listener, says)).await;
        let said = error.to_string();
        assert!(said.contains(sentence), "{says:?}: {said}");
        assert!(!said.contains("wrong") && error.is_answer(), "{said}");
    }
    drop(listener);
    let error = dial(&through("")).await.unwrap_err();
    assert!(error.to_string().contains("does not answer"), "{error}");
}

#[tokio::test]
async fn what_is_no_relay_is_said_in_a_sentence() {
    let (listener, relay) = listener().await;
    let silent = async {
        let (mut tcp, _) = listener.accept().await.unwrap();
        let mut hello = [0; 16];
        tcp.read_exact(&mut hello).await.unwrap();
        tcp.write_all(b"HTTP/1.1 400 This is no TLS\r\n\r\n")
            .await
            .unwrap();
    };
    let error = refused(&relay, silent).await;
    assert!(
        error.to_string().contains("does not speak TLS 1.3"),
        "{error}"
    );
    let web = async {
        let (tcp, _) = listener.accept().await.unwrap();
        let mut tls = tokio_rustls::TlsAcceptor::from(relay_tls())
            .accept(tcp)
            .await
            .unwrap();
        crate::head::read(&mut tls, 4096).await.unwrap();
        tls.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
            .await
            .unwrap();
        tls.flush().await.unwrap();
    };
    let error = refused(&relay, web).await;
    assert!(
        error
            .to_string()
            .contains("a web server without a relay (status 404)"),
        "{error}"
    );
    assert!(error.is_answer());
    drop(listener);
    let error = dial(&relay).await.unwrap_err();
    assert!(
        matches!(error, DialError::Unreached(_)) && !error.is_answer(),
        "{error}"
    );
}

#[tokio::test]
async fn a_web_server_in_front_of_the_relay_is_told_the_name_that_it_knows() {
    let (_, relay) = listener().await;
    let host = |server_name: &str, port| {
        let dial = Dial {
            server_name: server_name.to_owned(),
            port,
            ..relay.clone()
        };
        let request = request(&dial).unwrap();
        assert_eq!(request.uri().path(), PATH);
        request.headers()["host"].to_str().unwrap().to_owned()
    };
    assert_eq!(host("relay.example", 443), "relay.example");
    assert_eq!(host("relay.example", 8443), "relay.example:8443");
    assert_eq!(host("2001:db8::1", 443), "[2001:db8::1]");
    assert_eq!(host("192.0.2.1", 8443), "192.0.2.1:8443");
}
