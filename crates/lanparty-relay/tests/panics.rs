//! A panic on the thread of one of a relay's loops ends the program: otherwise the rooms of that loop would be silent, and the
//! relay look healthy from outside.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test that starts itself as a child and panics there"
)]

use bytes::Bytes;
use lanparty_edge::runtime;
use lanparty_proto::{Header, PeerId, RoomId};
use lanparty_quic::tls::{Identity, Trust};
use lanparty_quic::{Congestion, Connection, Endpoint, PathFloor};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

/// Which part of the child panics; not set in the parent.
const WHERE: &str = "LANPARTY_TEST_PANICS_IN";
const SENTENCE: &str =
    "error: a part of this program has failed, so all of it ends: please report the lines above";
const NAME: &str = "lanparty-relay";
const LOOPS: usize = 4;

fn main() -> ExitCode {
    if let Ok(part) = std::env::var(WHERE) {
        return child(part);
    }
    // Whoever asks for the list of tests gets this one.
    let asks = |word: &str| std::env::args().any(|argument| argument == word);
    if asks("--list") {
        if !asks("--ignored") {
            println!("a_panic_on_a_loops_thread_ends_the_program: test");
        }
        return ExitCode::SUCCESS;
    }
    // Elsewhere a relay has one loop, which is the program's own task.
    if cfg!(not(target_os = "linux")) {
        return ExitCode::SUCCESS;
    }
    for part in ["what a room does with a frame", "a peer's own task"] {
        let child = Command::new(std::env::current_exe().unwrap())
            .env(WHERE, part)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&child.stderr);
        assert_eq!(child.status.code(), Some(1), "{part}: {said}");
        assert!(said.contains("thread 'loop-"), "{part}: {said}");
        assert!(said.contains("as a test wants it"), "{part}: {said}");
        assert!(said.contains(SENTENCE), "{part}: {said}");
    }
    ExitCode::SUCCESS
}

/// A program with a relay's loops, one of which fails while all the others are well.
fn child(part: String) -> ExitCode {
    // Whatever is wrong, it must not wait for ever.
    std::thread::spawn(|| {
        std::thread::sleep(Duration::from_secs(60));
        std::process::exit(99);
    });
    match runtime::run(peers_come(part)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Peers come until one of them is on another loop than the first, which is the program's own task.
async fn peers_come(part: String) {
    let identity = Identity::self_signed(NAME, &Identity::new_key().unwrap()).unwrap();
    let listen = "127.0.0.1:0".parse().unwrap();
    let relay = Endpoint::server_with(listen, &identity, Congestion::default(), LOOPS).unwrap();
    assert_eq!(relay.loops(), LOOPS, "this kernel has no such filter");
    relay.start_threads().unwrap();
    let trust = Trust::pinned(identity.pin());
    let mut peers = Vec::new();
    loop {
        let (client, near, far) = meet(&relay, &trust).await;
        match &*part {
            "a peer's own task" => {
                far.home().unwrap().spawn(async { fail_on_a_loop() });
            }
            _ => far.hand_datagrams_to(|_, _| fail_on_a_loop()),
        }
        near.send_frame(Instant::now(), datagram(), || 1, None)
            .unwrap();
        peers.push((client, near, far));
    }
}

fn fail_on_a_loop() {
    let thread = std::thread::current();
    if thread.name().is_some_and(|name| name.starts_with("loop-")) {
        panic!("as a test wants it");
    }
}

async fn meet(relay: &Endpoint, trust: &Trust) -> (Endpoint, Connection, Connection) {
    let at = relay.local_address().unwrap();
    let client = Endpoint::client(PathFloor::Ordinary, Congestion::default()).unwrap();
    let connecting = client.connect(at, NAME, trust, None, PathFloor::Ordinary);
    let accepting = async {
        let stranger = relay.accept().await.unwrap();
        stranger.accept(Duration::from_secs(5)).await
    };
    let (near, far) = tokio::join!(connecting, accepting);
    (client, near.unwrap(), far.unwrap())
}

fn datagram() -> Bytes {
    let header = Header {
        peer: PeerId::new(1).unwrap(),
        room: RoomId::new(1).unwrap(),
        fragment: false,
    };
    [&header.encode()[..], &[2; 60]].concat().into()
}
