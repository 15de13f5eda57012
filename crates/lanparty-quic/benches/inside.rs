//! What a frame costs between two ends of one program: over QUIC on loopback, as a host's gateway and relay met before, and
//! in memory, in turns in one run (`cargo bench -p lanparty-quic --bench inside`).
//!
//! One end asks and the other answers, as a ping does; then bursts go one way. Printed are medians and their ratio.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a benchmark owns the clock and may panic"
)]

use bytes::Bytes;
use lanparty_proto::{FrameBuf, Header, PeerId, RoomId};
use lanparty_quic::memory;
use lanparty_quic::tls::{Identity, Trust};
use lanparty_quic::{Congestion, Connection, Endpoint, PathFloor};
use std::time::{Duration, Instant};

const ROUNDS: usize = 21;
const ASKED: u32 = 2_000;
const BURSTS: u32 = 200;
const BURST: usize = 64;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let (near, far) = over_quic().await;
    let (dialer, mut listener) = memory::listen();
    let near_inside = dialer.connect(None).await.unwrap();
    let far_inside = listener.accept().await.unwrap();
    let pairs = [(near, far), (near_inside, far_inside)];
    let [mut asked, mut burst] = [[vec![], vec![]], [vec![], vec![]]];
    for _ in 0..ROUNDS {
        for (kind, (near, far)) in pairs.iter().enumerate() {
            asked[kind].push(ask(near, far, 100).await);
            burst[kind].push(bursts(near, far, 1304).await);
        }
    }
    println!("| | QUIC over loopback | in memory | ratio |");
    println!("| --- | --- | --- | --- |");
    for (what, [quic, inside]) in [
        ("a question of 100 bytes and its answer", asked),
        ("a frame of 1304 bytes, 64 at a time", burst),
    ] {
        let [quic, inside] = [quic, inside].map(median);
        let ratio = quic.as_secs_f64() / inside.as_secs_f64();
        println!("| {what} | {quic:.2?} | {inside:.2?} | {ratio:.1} |");
    }
}

/// How long a question and its answer take.
async fn ask(near: &Connection, far: &Connection, len: usize) -> Duration {
    let frame = frame(len);
    let mut rooms = [const { Bytes::new() }; 2];
    let [at_near, at_far] = &mut rooms;
    let start = Instant::now();
    for _ in 0..ASKED {
        send(near, &frame);
        far.read_datagrams(std::slice::from_mut(at_far))
            .await
            .unwrap();
        send(far, &frame);
        near.read_datagrams(std::slice::from_mut(at_near))
            .await
            .unwrap();
    }
    start.elapsed() / ASKED
}

/// How long a frame takes of which many go at once, counted by those that come.
async fn bursts(near: &Connection, far: &Connection, len: usize) -> Duration {
    let frame = frame(len);
    let mut room = vec![Bytes::new(); BURST];
    let mut came = 0;
    let start = Instant::now();
    for _ in 0..BURSTS {
        (0..BURST).for_each(|_| send(near, &frame));
        let mut of_burst = 0;
        while of_burst < BURST {
            let reading = far.read_datagrams(&mut room);
            let Ok(count) = tokio::time::timeout(Duration::from_millis(100), reading).await else {
                break;
            };
            of_burst += count.unwrap();
        }
        came += of_burst;
    }
    start.elapsed() / u32::try_from(came).unwrap()
}

fn send(from: &Connection, frame: &Bytes) {
    let sent = from.send_frame(Instant::now(), frame.clone(), || 1, None);
    sent.unwrap();
}

fn frame(len: usize) -> Bytes {
    FrameBuf::from_frame(&vec![7; len]).into_datagram(Header {
        peer: PeerId::new(2).unwrap(),
        room: RoomId::new(7).unwrap(),
        fragment: false,
    })
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

async fn over_quic() -> (Connection, Connection) {
    let name = "lanparty-relay";
    let congestion = Congestion::default();
    let identity = Identity::self_signed(name, &Identity::new_key().unwrap()).unwrap();
    let listen = "127.0.0.1:0".parse().unwrap();
    let relay = Endpoint::server(listen, &identity, congestion).unwrap();
    let client = Endpoint::client(PathFloor::Ordinary, congestion).unwrap();
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
}
