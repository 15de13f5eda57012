//! A relay takes another one's place, of which somebody is a peer over TCP.
#![cfg(target_os = "linux")]
#![allow(
    clippy::disallowed_methods,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests drive a program, and fail by panicking"
)]

mod party;

use lanparty_ctrl::DisconnectReason;
use lanparty_ctrl::message::{Hello, Newcomer};
use lanparty_quic::tls::Trust;
use lanparty_quic::{Congestion, Endpoint, PathFloor};
use party::over_tcp::{call, over};
use party::{Peer, Stranger, client, frame, mac, room, soon};
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

/// A relay, the program.
struct Program {
    child: Child,
    _out: BufReader<ChildStdout>,
    udp: SocketAddr,
    tcp: SocketAddr,
    trust: Trust,
}

impl Program {
    /// Starts one, and waits until it listens.
    fn start(state: &Path, [udp, tcp]: [&str; 2], also: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_lanparty-relay"))
            .args(["--listen", udp, "--tcp-listen", tcp, "--threads", "2"])
            .arg("--state")
            .arg(state)
            .args(also)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut said = String::new();
        let after = |said: &str, word: &str, end: &str| -> String {
            let (_, rest) = said.split_once(word).unwrap_or_else(|| panic!("{said}"));
            rest.split(end).next().unwrap().trim().to_owned()
        };
        while !said.contains("--pin ") {
            assert_ne!(out.read_line(&mut said).unwrap(), 0, "{said}");
        }
        Program {
            udp: after(&said, "listening on ", " (udp)").parse().unwrap(),
            tcp: after(&said, "(udp) and ", " (tcp)").parse().unwrap(),
            trust: Trust::pinned(after(&said, "--pin ", "\n").parse().unwrap()),
            child,
            _out: out,
        }
    }

    async fn gateway(&self) -> Peer {
        let endpoint = Endpoint::client(PathFloor::Ordinary, Congestion::default()).unwrap();
        let floor = PathFloor::Ordinary;
        let connecting = endpoint.connect(self.udp, "lanparty-relay", &self.trust, None, floor);
        let connection = soon(connecting).await.unwrap();
        let stranger = Stranger {
            endpoint,
            connection,
        };
        let hello = Hello::new(&room(), Newcomer::Gateway, stranger.connection.budget());
        stranger.hello(hello).await.unwrap()
    }

    async fn player(&self) -> Peer {
        let stranger = over(&self.trust, self.tcp, call(self.tcp).await).await;
        let hello = Hello::new(&room(), client(1), stranger.connection.budget());
        stranger.hello(hello).await.unwrap()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn is_a_party(gateway: &mut Peer, player: &Peer) {
    let frame = frame(mac(200), mac(1), 200);
    player.send(&frame);
    assert_eq!(gateway.frame().await.1, frame);
}

#[tokio::test]
async fn the_listener_goes_over_and_who_came_over_tcp_comes_back_to_the_same_port() {
    let state = tempfile::tempdir().unwrap();
    let folder = state.path().to_owned();
    let mut old = Program::start(&folder, ["127.0.0.1:0", "127.0.0.1:0"], &[]);
    let (mut gateway, player) = (old.gateway().await, old.player().await);
    is_a_party(&mut gateway, &player).await;
    let [udp, tcp] = [old.udp, old.tcp].map(|at| at.to_string());
    // Beside, as peers go on.
    let starting = tokio::task::spawn_blocking(move || {
        Program::start(&folder, [&udp, &tcp], &["--take-over"])
    });
    let told = async {
        loop {
            if let lanparty_ctrl::RelayMessage::Disconnect(goodbye) = player.message().await {
                return goodbye.reason;
            }
        }
    };
    assert_eq!(soon(told).await, DisconnectReason::Succeeded);
    let new = soon(starting).await.unwrap();
    assert_eq!((new.udp, new.tcp), (old.udp, old.tcp));
    let (mut gateway, player) = (new.gateway().await, new.player().await);
    is_a_party(&mut gateway, &player).await;
    let ended = tokio::task::spawn_blocking(move || old.child.wait().unwrap().code());
    assert_eq!(soon(ended).await.unwrap(), Some(0));
    // The other one's end is not this one's.
    is_a_party(&mut gateway, &player).await;
}
