//! What it costs to give a connection a frame, in time and allocations (`cargo bench -p lanparty-quic`).
//!
//! An item is one frame of 1304 bytes.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a benchmark owns the clock and may panic"
)]

use bytes::Bytes;
use divan::counter::ItemsCount;
use divan::{AllocProfiler, Bencher, black_box};
use lanparty_proto::{FrameBuf, Header, PeerId, RoomId};
use lanparty_quic::tls::{Identity, Trust};
use lanparty_quic::{Congestion, Connection, Endpoint, PathFloor};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

const LEN: usize = 1304;
/// Frames at a time: a super-frame's, and fewer than QUIC is given at once.
const TURN: usize = 40;

fn main() {
    divan::main();
}

/// A frame for a link that has room for it, and has been woken by another.
#[divan::bench]
fn send_past_the_queue(bencher: Bencher) {
    send(bencher, 1);
}

/// A frame for a link that has none; what taking it out again costs comes on top (`push_and_pop`).
#[divan::bench]
fn send_into_the_queue(bencher: Bencher) {
    send(bencher, 60);
}

fn send(bencher: Bencher, before: usize) {
    let (runtime, client, server) = connected();
    let datagram = FrameBuf::from_frame(&[7; LEN]).into_datagram(Header {
        peer: PeerId::new(2).unwrap(),
        room: RoomId::new(7).unwrap(),
        fragment: false,
    });
    let send = |count| {
        let now = Instant::now();
        for _ in 0..count {
            let sent = client.send_frame(now, datagram.clone(), || 1, None);
            black_box(sent.unwrap());
        }
    };
    bencher
        .with_inputs(|| {
            runtime.block_on(drain(&server));
            send(before);
        })
        .input_counter(|()| ItemsCount::new(TURN))
        .bench_local_values(|()| send(TURN));
}

async fn drain(server: &Connection) {
    let mut room = vec![Bytes::new(); 100];
    let rest = Duration::from_millis(2);
    while tokio::time::timeout(rest, server.read_datagrams(&mut room))
        .await
        .is_ok()
    {}
}

/// One that lets all frames of a round pass from the beginning, as a gate would not.
const CONTROLLER: Congestion = Congestion::Bbr3;

fn connected() -> (Runtime, Connection, Connection) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.unwrap();
    let (client, server) = runtime.block_on(async {
        let name = "lanparty-relay";
        let identity = Identity::self_signed(name, &Identity::new_key().unwrap()).unwrap();
        let listen = "127.0.0.1:0".parse().unwrap();
        let relay = Endpoint::server(listen, &identity, CONTROLLER).unwrap();
        let client = Endpoint::client(PathFloor::Ordinary, CONTROLLER).unwrap();
        let (address, trust) = (
            relay.local_address().unwrap(),
            Trust::pinned(identity.pin()),
        );
        let connecting = client.connect(address, name, &trust, None, PathFloor::Ordinary);
        let accepting = async {
            let stranger = relay.accept().await.unwrap();
            stranger.accept(Duration::from_secs(5)).await
        };
        let (client, server) = tokio::join!(connecting, accepting);
        (client.unwrap(), server.unwrap())
    });
    (runtime, client, server)
}
