//! A relay that is called over TCP: TLS, a WebSocket, and QUIC in it.
#![allow(
    clippy::disallowed_methods,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests drive a shell, and fail by panicking"
)]

mod party;

use lanparty_ctrl::message::Hello;
use lanparty_relay::config::Tcp;
use lanparty_relay::{Config, KnockLimits, Limits, RelayServer};
use party::over_tcp::{call, over};
use party::{Peer, Relay, client, frame, mac, room, soon};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;

/// A relay, on so many threads, and where it listens for TCP.
fn relay(threads: usize, change: impl FnOnce(&mut Config)) -> (Relay, SocketAddr) {
    let mut tcp = None;
    let relay = Relay::start_as(
        threads,
        |config| {
            // The port of UDP may be somebody else's by chance.
            config.tcp = Tcp::At("127.0.0.1:0".parse().unwrap());
            config.limits = Limits {
                peers_per_address: 600,
                ..config.limits
            };
            change(config);
        },
        |server| tcp = server.tcp_address(),
    );
    (relay, tcp.unwrap())
}

async fn player(relay: &Relay, at: SocketAddr, number: u8) -> Peer {
    let stranger = over(&relay.trust, at, call(at).await).await;
    let hello = Hello::new(&room(), client(number), stranger.connection.budget());
    stranger.hello(hello).await.unwrap()
}

/// Sends until it has come; a busy machine may lose one.
async fn passes(from: &Peer, to: &mut Peer, frame: &[u8]) {
    for _ in 0..50 {
        from.send(frame);
        let came = tokio::time::timeout(Duration::from_millis(200), to.frame()).await;
        if came.is_ok_and(|(_, came)| came == frame) {
            return;
        }
    }
    panic!("nothing comes");
}

#[tokio::test]
async fn players_over_tcp_and_over_udp_are_in_one_room() {
    for threads in [1, 2] {
        let (relay, at) = relay(threads, |_| {});
        let mut gateway = relay.gateway().await;
        let mut players = vec![relay.client(1).await];
        for number in 2..6 {
            players.push(player(&relay, at, number).await);
        }
        let lan = mac(200);
        for (at, player) in players.iter_mut().enumerate() {
            let own = mac(at as u8 + 1);
            passes(player, &mut gateway, &frame(lan, own, 1514)).await;
            passes(&gateway, player, &frame(own, lan, 1514)).await;
            passes(&gateway, player, &frame(own, lan, 60)).await;
        }
        let (first, others) = players.split_at_mut(1);
        for (at, other) in others.iter_mut().enumerate() {
            let own = mac(at as u8 + 2);
            passes(&first[0], other, &frame(own, mac(1), 100)).await;
            passes(other, &mut first[0], &frame(mac(1), own, 100)).await;
        }
    }
}

#[tokio::test]
async fn who_loses_the_tcp_connection_is_gone_at_once() {
    let (relay, at) = relay(2, |_| {});
    let gateway = relay.gateway().await;
    let between = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let there = between.local_addr().unwrap();
    let wire = tokio::spawn(async move {
        let (mut near, _) = between.accept().await.unwrap();
        let mut far = TcpStream::connect(at).await.unwrap();
        tokio::io::copy_bidirectional(&mut near, &mut far).await
    });
    let player = player(&relay, there, 1).await;
    let id = gateway.joined().await;
    let begin = Instant::now();
    // Nobody says goodbye.
    wire.abort();
    let ended = soon(player.connection().closed()).await.to_string();
    assert!(ended.contains("TCP connection"), "{ended}");
    assert_eq!(gateway.left().await.0, id);
    assert!(
        begin.elapsed() < Duration::from_secs(8),
        "it was missed only"
    );
}

/// A way to the relay on which nothing comes back while `is_open` says no.
async fn gate(at: SocketAddr, mut is_open: watch::Receiver<bool>) -> SocketAddr {
    let between = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let there = between.local_addr().unwrap();
    tokio::spawn(async move {
        let (near, _) = between.accept().await.unwrap();
        let socket = TcpSocket::new_v4().unwrap();
        // Else the system takes megabytes meanwhile.
        socket.set_recv_buffer_size(4096).unwrap();
        let far = socket.connect(at).await.unwrap();
        let (mut from_player, mut to_player) = near.into_split();
        let (mut from_relay, mut to_relay) = far.into_split();
        let up = tokio::io::copy(&mut from_player, &mut to_relay);
        let down = async {
            let mut piece = vec![0; 2048];
            loop {
                is_open.wait_for(|is_open| *is_open).await.unwrap();
                let len = from_relay.read(&mut piece).await.unwrap();
                to_player.write_all(&piece[..len]).await.unwrap();
            }
        };
        tokio::select! {
            _ = up => {}
            () = down => {}
        }
    });
    there
}

#[tokio::test]
async fn a_player_whose_tcp_connection_takes_nothing_keeps_nobody_waiting() {
    let (relay, at) = relay(1, |_| {});
    let (open, is_open) = watch::channel(true);
    let gateway = relay.gateway().await;
    let mut near = relay.client(1).await;
    let mut far = player(&relay, gate(at, is_open).await, 2).await;
    let [one, two, lan] = [1, 2, 200].map(mac);
    passes(&gateway, &mut far, &frame(two, lan, 60)).await;
    open.send(false).unwrap();
    for number in 0..300u16 {
        // Two for who takes none, of a length by which it is known again.
        gateway.send(&frame(two, lan, 1200));
        gateway.send(&frame(two, lan, 1201));
        passes(
            &gateway,
            &mut near,
            &frame(one, lan, 60 + usize::from(number)),
        )
        .await;
    }
    open.send(true).unwrap();
    let last = frame(two, lan, 99);
    let comes = async {
        loop {
            gateway.send(&last);
            let next = tokio::time::timeout(Duration::from_millis(200), far.frame());
            if next.await.is_ok_and(|(_, came)| came == last) {
                return;
            }
        }
    };
    soon(comes).await;
}

#[tokio::test]
async fn a_relay_that_stops_says_goodbye_over_tcp_too() {
    let (mut relay, at) = relay(2, |_| {});
    let player = player(&relay, at, 1).await;
    relay.stop.take().unwrap().send(()).unwrap();
    let reason = player.sent_away().await;
    assert_eq!(reason, lanparty_ctrl::DisconnectReason::Draining);
    soon(relay.running).await.unwrap().unwrap();
    let nobody_listens = async {
        while TcpStream::connect(at).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    soon(nobody_listens).await;
}

async fn answer(at: SocketAddr, said: &[u8]) -> Vec<u8> {
    let mut tcp = TcpStream::connect(at).await.unwrap();
    let _ = tcp.write_all(said).await;
    let mut answer = Vec::new();
    let _ = soon(tcp.read_to_end(&mut answer)).await;
    answer
}

#[tokio::test]
async fn whoever_wants_something_else_meets_a_bored_web_server_and_nobody_notices() {
    let (relay, at) = relay(1, |_| {});
    let mut gateway = relay.gateway().await;
    let player = relay.client(1).await;
    for said in [
        &b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"[..],
        b"GET /lanparty HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /lanparty HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
    ] {
        let answer = answer(at, said).await;
        assert!(answer.starts_with(b"HTTP/1.1 404 "), "{answer:?}");
    }
    // Garbage, and a handshake that is none.
    answer(at, b"SSH-2.0-x\r\n\r\n").await;
    answer(at, &[22, 3, 1, 0, 5, 1, 2, 3, 4, 5]).await;
    answer(at, &[0; 100_000]).await;
    passes(&player, &mut gateway, &frame(mac(200), mac(1), 60)).await;
}

#[tokio::test]
async fn silent_callers_have_a_limit_and_a_game_goes_on_beside_them() {
    let (relay, at) = relay(1, |config| {
        config.knocks = KnockLimits {
            at_once: 20,
            ..config.knocks
        };
    });
    let mut gateway = relay.gateway().await;
    let player = relay.client(1).await;
    let mut silent = Vec::new();
    for _ in 0..20 {
        silent.push(TcpStream::connect(at).await.unwrap());
    }
    // The next one is closed without a word.
    let mut next = TcpStream::connect(at).await.unwrap();
    let read = soon(next.read(&mut [0; 8])).await;
    assert!(matches!(read, Ok(0) | Err(_)), "{read:?}");
    passes(&player, &mut gateway, &frame(mac(200), mac(1), 60)).await;
    passes(&gateway, &mut { player }, &frame(mac(1), mac(200), 60)).await;
    // All of them are sent away without a word from their side, and then there is room.
    for mut silent in silent {
        let read = soon(silent.read(&mut [0; 8])).await;
        assert!(matches!(read, Ok(0) | Err(_)), "{read:?}");
    }
    self::player(&relay, at, 2).await;
}

/// What a web server says that passes somebody on.
async fn proxied(at: SocketAddr, source: &str) -> TcpStream {
    let mut tcp = TcpStream::connect(at).await.unwrap();
    let request = format!(
        "GET /lanparty HTTP/1.1\r\nHost: relay\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         X-Forwarded-For: 192.0.2.99, {source}\r\n\r\n"
    );
    tcp.write_all(request.as_bytes()).await.unwrap();
    tcp
}

/// Whether it is let in.
async fn is_let_in(tcp: &mut TcpStream) -> bool {
    let mut head = [0; 12];
    soon(tcp.read_exact(&mut head)).await.unwrap();
    assert_eq!(&head, b"HTTP/1.1 101");
    while !head.ends_with(b"\r\n\r\n") {
        head.rotate_left(1);
        head[11] = soon(tcp.read_u8()).await.unwrap();
    }
    // Who has no place is closed behind that. Who has one is answered: a QUIC of a version that nobody knows (RFC 9000 §6) in a
    // binary message (RFC 6455 §5.2).
    let mut packet = vec![0; 1200];
    packet[..6].copy_from_slice(&[0xc0, 0x1a, 0x2a, 0x3a, 0x4a, 8]);
    packet[14] = 8;
    let message = [&[0x82, 0xfe, 4, 0xb0, 0, 0, 0, 0], &packet[..]].concat();
    let _ = tcp.write_all(&message).await;
    matches!(soon(tcp.read(&mut [0; 64])).await, Ok(1..))
}

#[tokio::test]
async fn whom_a_web_server_speaks_for_has_the_limits_of_its_own_address() {
    let (_relay, at) = relay(1, |config| {
        config.knocks = KnockLimits {
            per_address: 2,
            ..config.knocks
        };
    });
    let mut callers = Vec::new();
    for (source, comes_in) in [
        ("198.51.100.1", true),
        ("198.51.100.1", true),
        ("198.51.100.1", false),
        ("198.51.100.2", true),
        ("2001:db8::1", true),
        ("2001:db8::2", true),
        ("2001:db8::3", false),
    ] {
        let mut tcp = proxied(at, source).await;
        assert_eq!(is_let_in(&mut tcp).await, comes_in, "{source}");
        callers.push(tcp);
    }
}

#[tokio::test]
async fn it_listens_at_the_port_of_udp() {
    // That may be somebody else's by chance, but not always.
    for _ in 0..50 {
        let config = Config {
            tcp: Tcp::Beside,
            ..Config::new("127.0.0.1:0".parse().unwrap())
        };
        let server = RelayServer::bind(&config).unwrap();
        if let Some(tcp) = server.tcp_address() {
            assert_eq!(tcp, server.local_address());
            assert!(server.listening().ends_with(" (udp, tcp)"));
            return;
        }
    }
    panic!("it never listens for TCP");
}

#[tokio::test]
async fn a_relay_goes_on_without_tcp_where_the_port_is_taken() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let at = taken.local_addr().unwrap();
    let relay = Relay::start_as(
        1,
        |config| {
            config.tcp = Tcp::At(at.to_string().parse().unwrap());
        },
        |server| {
            assert_eq!(server.tcp_address(), None);
            assert!(server.listening().ends_with(" (udp)"));
        },
    );
    relay.gateway().await;
}
