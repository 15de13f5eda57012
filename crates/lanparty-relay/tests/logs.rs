//! What stands in the relay's log: a line for each who comes and goes, and nothing of those who are refused. A program of
//! its own, as there is one log.
#![allow(
    clippy::disallowed_methods,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests drive a shell, and fail by panicking"
)]

mod party;

use lanparty_ctrl::message::Disconnect;
use lanparty_ctrl::{DisconnectReason, Name, PeerMessage};
use lanparty_relay::Limits;
use party::{Relay, client, soon};
use std::fmt::Write as _;
use std::net::UdpSocket;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// Keeps what is logged for operators.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::INFO
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line::default();
        event.record(&mut line);
        self.0.lock().unwrap().push(line.0);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[derive(Default)]
struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        let _ = write!(self.0, "{}={value:?} ", field.name());
    }
}

impl Lines {
    fn matching(&self, words: &[&str]) -> usize {
        let lines = self.0.lock().unwrap();
        let hits = lines
            .iter()
            .filter(|line| words.iter().all(|word| line.contains(word)));
        hits.count()
    }

    async fn until(&self, words: &[&str]) {
        let come = async {
            while self.matching(words) == 0 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        soon(come).await;
    }
}

#[tokio::test]
async fn who_comes_and_goes_has_a_line_and_strangers_have_none() {
    let lines = Lines::default();
    tracing::subscriber::set_global_default(lines.clone()).unwrap();
    let relay = Relay::start(Limits {
        clients_per_room: 1,
        ..Limits::default()
    });
    let name: Name = "Alice".parse().unwrap();
    let alice = relay
        .hello(client(1), |hello| hello.name = Some(name.into()))
        .await
        .unwrap();
    lines.until(&["Joined", "name=Alice"]).await;
    let before = lines.0.lock().unwrap().len();

    // Ten thousand first packets of nobody, and hundreds of hellos that are refused, each a handshake.
    let nobody = UdpSocket::bind("127.0.0.1:0").unwrap();
    for number in 0..10_000_u32 {
        let mut packet = vec![0xc0, 0, 0, 0, 1, 8];
        packet.extend(number.to_be_bytes());
        packet.resize(1200, number as u8);
        nobody.send_to(&packet, relay.address).unwrap();
        if number % 50 == 0 {
            // The relay reads what has come.
            tokio::task::yield_now().await;
        }
    }
    for _ in 0..200 {
        assert!(relay.hello(client(2), |_| {}).await.is_err());
    }
    let goodbye = PeerMessage::Disconnect(Disconnect {
        reason: DisconnectReason::Leaving,
        text: "no hello".into(),
    });
    for _ in 0..50 {
        relay.connect().await.say_first(&goodbye).await;
    }
    assert_eq!(
        lines.0.lock().unwrap().len(),
        before,
        "{:#?}",
        lines.0.lock().unwrap()
    );

    alice.say(&goodbye).await;
    lines.until(&["Left", "said goodbye", "name=Alice"]).await;
    assert_eq!(lines.matching(&["name=Alice"]), 2);
}
