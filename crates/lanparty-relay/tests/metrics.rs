//! The relay's metrics against what was sent to it, also when those who sent it have left.
#![allow(
    clippy::disallowed_methods,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests drive a shell, and fail by panicking"
)]

mod party;

use bytes::Bytes;
use lanparty_ctrl::message::{Disconnect, Newcomer};
use lanparty_ctrl::{DisconnectReason, PeerMessage, RejectReason};
use lanparty_metrics::{Bound, Metrics};
use lanparty_proto::MacAddr;
use lanparty_quic::CloseCode;
use lanparty_relay::Limits;
use party::{LIMIT, Peer, Relay, client, frame, mac};
use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const EVERYBODY: MacAddr = MacAddr::new([0xff; 6]);

/// A relay and where its metrics are.
fn relay(limits: Limits) -> (Relay, Metrics) {
    let mut metrics = None;
    let relay = Relay::start_with(limits, |server| {
        let bound = Bound::new("127.0.0.1:0".parse().unwrap()).unwrap();
        metrics = Some(server.serve_metrics(bound).unwrap());
    });
    (relay, metrics.unwrap())
}

fn ask(address: SocketAddr, question: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    write!(stream, "{question} HTTP/1.1\r\nHost: anybody\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

async fn get(metrics: &Metrics, path: &str) -> String {
    let (address, question) = (metrics.address(), format!("GET {path}"));
    tokio::task::spawn_blocking(move || ask(address, &question))
        .await
        .unwrap()
}

/// Waits until all of these lines stand there; scrapes are a second old at most.
async fn until_it_says(metrics: &Metrics, lines: &[String]) -> String {
    let begin = Instant::now();
    loop {
        let text = get(metrics, "/metrics").await;
        let missing: Vec<_> = lines
            .iter()
            .filter(|line| !text.lines().any(|is| is == *line))
            .collect();
        if missing.is_empty() {
            return text;
        }
        assert!(begin.elapsed() < LIMIT, "{missing:#?} of\n{text}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn says(lines: &[(&str, u64)]) -> Vec<String> {
    let line = |&(name, value): &(&str, u64)| format!("lanparty_relay_{name} {value}");
    lines.iter().map(line).collect()
}

async fn send_all(from: &Peer, to: &mut [&mut Peer], frame: &[u8], times: usize) {
    for _ in 0..times {
        from.send(frame);
        for peer in &mut *to {
            assert_eq!(peer.frame().await.1, frame);
        }
    }
}

#[tokio::test]
async fn what_was_sent_is_what_metrics_say_also_of_those_who_have_left() {
    let (relay, metrics) = relay(Limits {
        clients_per_room: 2,
        ..Limits::default()
    });
    let mut gateway = relay.gateway().await;
    let [mut one, mut two] = [relay.client(1).await, relay.client(2).await];
    let to_all = frame(EVERYBODY, mac(1), 100);
    send_all(&one, &mut [&mut two, &mut gateway], &to_all, 20).await;
    let to_two = frame(mac(2), mac(1), 1000);
    send_all(&one, &mut [&mut two], &to_two, 30).await;
    // This one travels in pieces.
    let long = frame(mac(1), mac(2), 1514);
    send_all(&two, &mut [&mut one], &long, 3).await;
    let from_lan = frame(mac(2), MacAddr::new([0, 1, 2, 3, 4, 5]), 60);
    send_all(&gateway, &mut [&mut two], &from_lan, 7).await;
    (0..4).for_each(|_| one.send(&frame(mac(2), mac(9), 64)));
    let nonsense = Bytes::from_static(b"no frame of ours, and no header");
    for _ in 0..5 {
        two.connection().send_probe(nonsense.clone()).unwrap();
    }
    for _ in 0..6 {
        let refused = relay.hello(client(3), |_| {}).await;
        assert_eq!(
            refused.map(drop).unwrap_err().reason,
            RejectReason::RoomFull
        );
    }
    let refused = relay.hello(Newcomer::Gateway, |_| {}).await;
    assert_eq!(
        refused.map(drop).unwrap_err().reason,
        RejectReason::GatewayPresent
    );
    let stranger = relay.connect().await;
    let goodbye = PeerMessage::Disconnect(Disconnect {
        reason: DisconnectReason::Leaving,
        text: "no hello".into(),
    });
    stranger.say_first(&goodbye).await;

    let carried = says(&[
        ("received_frames_total{from=\"player\"}", 20 + 30 + 3),
        (
            "received_bytes_total{from=\"player\"}",
            20 * 100 + 30 * 1000 + 3 * 1514,
        ),
        ("received_pieces_total{from=\"player\"}", 3),
        (
            "received_datagrams_total{from=\"player\"}",
            20 + 30 + 6 + 4 + 5,
        ),
        ("received_frames_total{from=\"gateway\"}", 7),
        ("received_bytes_total{from=\"gateway\"}", 7 * 60),
        (
            "dropped_frames_total{from=\"player\",reason=\"unauthorized_source_mac\"}",
            4,
        ),
        (
            "dropped_frames_total{from=\"player\",reason=\"malformed\"}",
            5,
        ),
        (
            "dropped_frames_total{from=\"gateway\",reason=\"malformed\"}",
            0,
        ),
        ("sent_frames_total{to=\"player\"}", 20 + 30 + 3 + 7),
        (
            "sent_bytes_total{to=\"player\"}",
            20 * 100 + 30 * 1000 + 3 * 1514 + 7 * 60,
        ),
        ("sent_frames_total{to=\"gateway\"}", 20),
        ("unsent_frames_total{to=\"player\"}", 0),
        ("queue_wait_seconds_count", 20 + 30 + 3 + 7 + 20),
        ("joins_total{role=\"player\",how=\"new\"}", 2),
        ("joins_total{role=\"gateway\",how=\"new\"}", 1),
        ("refusals_total{reason=\"room_full\"}", 6),
        ("refusals_total{reason=\"gateway_present\"}", 1),
        ("refusals_total{reason=\"protocol\"}", 1),
        ("knocks_total{answer=\"heard\"}", 3 + 6 + 1 + 1),
        ("handshakes_total{result=\"ok\"}", 3 + 6 + 1 + 1),
        ("opened_rooms_total", 1),
    ]);
    let text = until_it_says(&metrics, &carried).await;
    assert!(
        text.contains("lanparty_relay_peers{role=\"player\"} 2.0"),
        "{text}"
    );
    assert!(
        text.contains("lanparty_relay_rooms{access=\"open\"} 1.0"),
        "{text}"
    );

    one.say(&goodbye).await;
    two.connection().close(CloseCode::Bye);
    gateway.say(&goodbye).await;
    let mut gone = says(&[
        ("leaves_total{reason=\"leaving\"}", 2),
        ("leaves_total{reason=\"closed\"}", 1),
    ]);
    gone.push("lanparty_relay_peers{role=\"player\"} 0.0".to_owned());
    gone.push("lanparty_relay_rooms{access=\"open\"} 0.0".to_owned());
    let text = until_it_says(&metrics, &[gone, carried].concat()).await;
    is_what_promtool_likes(&text);
    for name in ["lanparty\"", "02:00:00", "127.0.0.1"] {
        assert!(
            !text.to_lowercase().contains(&format!("=\"{name}")),
            "{name} is a label"
        );
    }
}

/// Prometheus' own opinion of names, help and types.
fn is_what_promtool_likes(answer: &str) {
    let (_, text) = answer.split_once("\r\n\r\n").unwrap();
    let promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let Ok(mut promtool) = promtool else {
        lanparty_skip::skip(
            "promtool is not here: `cargo xtask setup` installs package prometheus",
        );
        return;
    };
    let mut stdin = promtool.stdin.take().unwrap();
    stdin.write_all(text.as_bytes()).unwrap();
    drop(stdin);
    let said = promtool.wait_with_output().unwrap();
    let words =
        String::from_utf8_lossy(&said.stderr).into_owned() + &String::from_utf8_lossy(&said.stdout);
    assert!(said.status.success() && words.trim().is_empty(), "{words}");
}

#[tokio::test]
async fn a_relay_is_ready_until_it_has_stopped() {
    let (mut relay, metrics) = relay(Limits::default());
    let ready = get(&metrics, "/readyz").await;
    assert!(
        ready.starts_with("HTTP/1.1 200") && ready.ends_with("ready\n"),
        "{ready}"
    );
    let healthy = get(&metrics, "/healthz").await;
    assert!(healthy.starts_with("HTTP/1.1 200"), "{healthy}");
    relay.stop.take().unwrap().send(()).unwrap();
    party::soon(&mut relay.running).await.unwrap().unwrap();
    for path in ["/readyz", "/healthz", "/metrics"] {
        let answer = get(&metrics, path).await;
        let is_old = path == "/metrics" && answer.starts_with("HTTP/1.1 200");
        assert!(is_old || answer.starts_with("HTTP/1.1 503"), "{answer}");
    }
}

#[tokio::test]
async fn strangers_at_the_metrics_get_little_and_are_soon_gone() {
    let (_relay, metrics) = relay(Limits::default());
    let address = metrics.address();
    let long = format!("GET /{}", "x".repeat(20_000));
    for (question, status) in [
        ("POST /metrics", "405"),
        ("DELETE /readyz", "405"),
        ("GET /", "404"),
        ("GET /metrics/../etc/passwd", "404"),
        ("nonsense", "400"),
    ] {
        let question = question.to_owned();
        let answer = tokio::task::spawn_blocking(move || ask(address, &question))
            .await
            .unwrap();
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{answer}"
        );
    }
    let hold = tokio::task::spawn_blocking(move || {
        // A question that is too long, and forty who say nothing: all are gone without an answer.
        let mut talker = TcpStream::connect(address).unwrap();
        talker.set_read_timeout(Some(LIMIT)).unwrap();
        let _ = talker.write_all(long.as_bytes());
        let mut rest = Vec::new();
        let _ = talker.read_to_end(&mut rest);
        assert!(!rest.starts_with(b"HTTP/1.1 200"));
        let mut silent: Vec<_> = (0..40)
            .map(|_| TcpStream::connect(address).unwrap())
            .collect();
        for stream in &mut silent {
            stream.set_read_timeout(Some(LIMIT)).unwrap();
            assert!(stream.read(&mut [0; 16]).is_ok_and(|len| len == 0));
        }
    });
    hold.await.unwrap();
    let answer = get(&metrics, "/metrics").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

/// What a dashboard or an alert asks for and nobody says stays empty for ever, and nobody notices.
#[tokio::test]
async fn dashboard_alerts_and_manual_ask_for_what_there_is() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    let read = |file: &str| std::fs::read_to_string(format!("{root}/{file}")).unwrap();
    let (_relay, metrics) = relay(Limits::default());
    let text = get(&metrics, "/metrics").await;
    for file in [
        "dist/monitoring/lanparty-alerts.yml",
        "dist/monitoring/lanparty-grafana.json",
        "docs/relay-operator.md",
    ] {
        let asked = read(file);
        let words = asked.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
        let names = words
            .filter(|word| word.starts_with("lanparty_relay_") || word.starts_with("process_"));
        let names: BTreeSet<_> = names.filter(|name| !name.ends_with('_')).collect();
        assert!(!names.is_empty() || file.starts_with("docs"), "{file}");
        for name in names {
            let is_said = text.lines().any(|line| {
                line.strip_prefix(name)
                    .is_some_and(|rest| rest.starts_with(['{', ' ']))
            });
            assert!(is_said, "{file} asks for {name}");
        }
    }
    let rules = format!("{root}/dist/monitoring/lanparty-alerts.yml");
    match Command::new("promtool")
        .args(["check", "rules", &rules])
        .output()
    {
        Ok(said) => assert!(
            said.status.success(),
            "{}",
            String::from_utf8_lossy(&said.stderr)
        ),
        Err(_) => lanparty_skip::skip(
            "promtool is not here: `cargo xtask setup` installs package prometheus",
        ),
    }
    let dashboard: serde_json::Value =
        serde_json::from_str(&read("dist/monitoring/lanparty-grafana.json")).unwrap();
    assert!(dashboard["panels"].as_array().unwrap().len() > 20);
}
