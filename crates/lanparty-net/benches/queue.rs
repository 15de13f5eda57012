//! What the queue in front of a link costs, in time and allocations (`cargo bench -p lanparty-net`).
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
use lanparty_net::queue::{FlowQueue, Turn};
use lanparty_net::quic::{Congestion, Connection, Endpoint, PathFloor};
use lanparty_net::tls::{Identity, Trust};
use lanparty_proto::flow::Flow;
use lanparty_proto::{FrameBuf, Header, PeerId, RoomId};
use std::hash::RandomState;
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

/// So many frames of so many flows into the queue and out again.
#[divan::bench(args = [(1, 1), (TURN, 1), (TURN, 8), (TURN, TURN)])]
fn push_and_pop(bencher: Bencher, (frames, flows): (usize, usize)) {
    let mut queue = FlowQueue::new(512 * 1024, RandomState::new());
    let now = Instant::now();
    bencher.counter(ItemsCount::new(frames)).bench_local(|| {
        (0..frames).for_each(|frame| queue.push(now, flow(frame % flows), (), LEN));
        while queue.pop(now, Turn::Any).is_some() {}
    });
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

fn flow(number: usize) -> Flow {
    Flow::Ipv4 {
        addresses: [10, 0, 0, 1, 10, 0, 0, 2],
        protocol: 17,
        ports: [0, number as u8, 0, 1],
    }
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
