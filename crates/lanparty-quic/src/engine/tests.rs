//! What the engine says about itself, with real QUIC on the loopback interface.

mod carried;
#[cfg(target_os = "linux")]
mod loops;
mod outages;
pub(in crate::engine) mod pipe;
mod turns;

use super::link::held;
use super::*;
use crate::tls::{Identity, Trust};
use crate::{Congestion, Endpoint, PathFloor};
use lanparty_flow::queue::{Person, WaitWindow};
use lanparty_obs::link::Controller;
use lanparty_proto::flow::Flow;
use smallvec::smallvec;
use std::time::Duration;

const NAME: &str = "lanparty-relay";
const GAME: Flow = Flow::Other {
    addresses: [2; 12],
    kind: [0x88, 0xb5],
};

#[tokio::test]
async fn what_quic_holds_is_known_to_the_byte() {
    let (client, _server) = connected(Congestion::default()).await;
    // Under one lock, so nothing is sent in between.
    let look = client.look(|quic| {
        assert_eq!(held(quic), 0);
        for expected in [20, 40, 60] {
            quic.datagrams().send(vec![0; 20].into(), false).unwrap();
            assert_eq!(held(quic), expected);
        }
    });
    look.unwrap();
}

#[tokio::test]
async fn a_frame_that_quic_does_not_take_is_counted() {
    let (client, _server) = connected(Congestion::default()).await;
    let (good, too_long) = (Bytes::from(vec![0; 100]), Bytes::from(vec![0; 3000]));
    // Nobody could join the pieces of the second.
    for pieces in [
        smallvec![good.clone()],
        smallvec![too_long, good.clone(), good],
    ] {
        client
            .send_frame(Instant::now(), Person::Crowd, GAME, pieces)
            .unwrap();
    }
    assert_eq!(client.queue_stats().refused, 1);
    assert_eq!(client.queue_stats().without_room(), 1);
    // Also for whoever asks later.
    client.close(0u8.into(), b"");
    assert_eq!(client.queue_stats().refused, 1);
    assert_eq!(client.stats(&mut WaitWindow::new(1)), None);
}

#[tokio::test]
async fn what_waits_holds_little_more_memory_than_it_is_long() {
    const TRAIN: usize = 44 * 1350;
    let (client, _server) = connected(Congestion::default()).await;
    let now = Instant::now();
    // As much as QUIC is given at a time; nothing yields to the driver meanwhile.
    for _ in 0..60 {
        let frame = Bytes::from(vec![0; 1200]);
        client
            .send_frame(now, Person::Crowd, GAME, smallvec![frame])
            .unwrap();
    }
    let before = client.queue_stats();
    let mut memory = 0;
    for number in 0..1200u32 {
        let train = Bytes::from(vec![0; TRAIN]);
        let short = [train.slice(..70), train.slice(100..200)];
        let [piece, whole] = short;
        let flow = Flow::Other {
            addresses: [(number % 250) as u8; 12],
            kind: [0x88, 0xb5],
        };
        let pieces = smallvec![whole, piece];
        client.send_frame(now, Person::Crowd, flow, pieces).unwrap();
        memory += if train.is_unique() { 170 } else { TRAIN };
    }
    let waiting = client.queue_stats();
    assert_eq!(waiting.without_room(), before.without_room());
    assert_eq!(waiting.bytes - before.bytes, 204_000);
    assert!(memory < 1_000_000, "{memory} bytes are held");
}

#[tokio::test]
async fn what_came_faster_than_it_was_read_is_counted() {
    const FRAMES: u64 = 4000;
    let (client, server) = connected(Congestion::default()).await;
    let lost = |connection: &Connection| {
        let queue = connection.queue_stats();
        queue.without_room() + queue.late()
    };
    let frame = |first: u8| -> Pieces { smallvec![Bytes::from(vec![first; 1200])] };
    for number in 0..FRAMES {
        client
            .send_frame(Instant::now(), Person::Crowd, GAME, frame(1))
            .unwrap();
        while number % 50 == 0 && client.queue_stats().bytes > 0 {
            tokio::task::yield_now().await;
        }
    }
    while client.queue_stats().bytes > 0 || client.look(held).unwrap() > 0 {
        tokio::task::yield_now().await;
    }
    // More than QUIC keeps has come. Of what is left the first of these is the last, the second comes alone.
    let (mut room, mut read) = (vec![Bytes::new(); 64], 0);
    for last in [2, 3] {
        client
            .send_frame(Instant::now(), Person::Crowd, GAME, frame(last))
            .unwrap();
        let mut is_over = false;
        while !is_over {
            let count = server.read_datagrams(&mut room).await.unwrap();
            read += count as u64;
            is_over = room[..count].iter().any(|datagram| datagram[0] == last);
        }
    }
    let overrun = server.queue_stats().overrun;
    assert!(overrun > 1000, "{overrun} of {FRAMES}, {read} read");
    assert_eq!(read + overrun + lost(&client), FRAMES + 2);
    assert_eq!(lost(&server), 0, "they are not this end's own frames");
}

#[tokio::test]
async fn numbers_move_with_frames() {
    for (congestion, name) in [
        (Congestion::Gate, Controller::Gate),
        (Congestion::Bbr3, Controller::Bbr3),
        (Congestion::Cubic, Controller::Cubic),
    ] {
        let (client, server) = connected(congestion).await;
        let mut window = WaitWindow::new(1);
        let before = client.stats(&mut window).unwrap();
        // More than QUIC is given at once: the first frames go past the queue, the others wait there.
        for _ in 0..100 {
            let frame = Bytes::from(vec![0; 1200]);
            client
                .send_frame(Instant::now(), Person::Crowd, GAME, smallvec![frame])
                .unwrap();
        }
        let waiting = client.stats(&mut window).unwrap();
        assert!(waiting.queue.bytes > 1200, "{waiting:?}");
        assert!(waiting.queue.waits.frames > 1, "{waiting:?}");
        let mut room = vec![Bytes::new(); 100];
        let mut received = 0;
        // A slow system lets some wait so long that the queue drops them.
        let drops = || {
            let now = client.stats(&mut WaitWindow::new(1)).unwrap();
            now.queue.late() as usize
        };
        while received + drops() < 100 {
            let read = server.read_datagrams(&mut room);
            match tokio::time::timeout(Duration::from_secs(5), read).await {
                Ok(read) => received += read.unwrap(),
                Err(_) => assert_eq!(received + drops(), 100, "they come in time"),
            }
        }
        let arrived = received as u64;
        let after = client.stats(&mut window).unwrap();
        assert_eq!(
            waiting.queue.waits.frames + after.queue.waits.frames,
            arrived
        );
        assert!(after.queue.waits.max_us > 0, "{after:?}");
        assert_eq!(after.queue.bytes, 0);
        assert!(after.udp.sent >= before.udp.sent + arrived, "{after:?}");
        assert!(after.udp.sends > before.udp.sends && after.udp.sends <= after.udp.sent);
        assert!(after.udp.receives <= after.udp.received);
        assert_eq!(after.congestion.controller, name);
        assert_eq!(after.congestion.phase.is_some(), name == Controller::Gate);
        assert!(after.congestion.window_bytes > 0 && after.congestion.rtt_us > 0);
    }
}

#[tokio::test]
async fn acknowledgements_ride_on_answers() {
    const PINGS: u64 = 200;
    let (client, server) = connected(Congestion::default()).await;
    let sent = |connection: &Connection| {
        let stats = connection.stats(&mut WaitWindow::new(1)).unwrap();
        stats.udp.sent
    };
    let say = |connection: &Connection| {
        let frame = Bytes::from(vec![0; 100]);
        let said = connection.send_frame(Instant::now(), Person::Crowd, GAME, smallvec![frame]);
        said.unwrap();
    };
    let mut room = vec![Bytes::new(); 1];
    let (mut before, mut slow) = ([0, 0], 0);
    // With the first ones leaves what the handshake has left to say.
    for ping in 0..PINGS + 10 {
        if ping == 10 {
            before = [sent(&client), sent(&server)];
        }
        let begin = Instant::now();
        say(&client);
        server.read_datagrams(&mut room).await.unwrap();
        say(&server);
        client.read_datagrams(&mut room).await.unwrap();
        // On a busy machine one may be due before there is an answer.
        slow += u64::from(begin.elapsed() > Duration::from_millis(20));
    }
    for (connection, before) in [&client, &server].into_iter().zip(before) {
        let packets = sent(connection) - before;
        assert!(packets <= PINGS + 2 + 2 * slow, "{packets}, {slow} slow");
    }
}

#[tokio::test]
async fn what_is_not_answered_is_acknowledged_by_the_clock() {
    let (client, server) = connected(Congestion::default()).await;
    let acknowledged = |server: &Connection| {
        let stats = server.look(noq_proto::Connection::stats).unwrap();
        stats.frame_rx.acks
    };
    let before = acknowledged(&server);
    let frame = Bytes::from(vec![0; 100]);
    server
        .send_frame(Instant::now(), Person::Crowd, GAME, smallvec![frame])
        .unwrap();
    let begin = Instant::now();
    while acknowledged(&server) == before {
        tokio::task::yield_now().await;
        assert!(begin.elapsed() < Duration::from_secs(10), "nobody says so");
    }
    drop(client);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_receive_that_fails_is_not_the_sockets_end() {
    let local = || UdpSocket::bind("127.0.0.1:0").unwrap();
    let (near, far) = (local(), local());
    let hand = near.try_clone().unwrap();
    let (config, ids) = crate::reset::nobodys_config();
    let engine = Engine::new(config, ids, None, near).unwrap();
    for packets in 1..=5 {
        // Nobody is there; the system says so instead of giving the next packet, by an error that no list names.
        hand.connect("127.0.0.1:1").unwrap();
        hand.send(b"hello").unwrap();
        hand.connect(far.local_addr().unwrap()).unwrap();
        far.send_to(b"packet", hand.local_addr().unwrap()).unwrap();
        let has_come = || {
            let state = engine.shared().lock();
            assert!(state.closing.is_none(), "the driver has given up");
            state.udp.received == packets
        };
        while !has_come() {
            tokio::task::yield_now().await;
        }
    }
}

async fn connected(congestion: Congestion) -> (Connection, Connection) {
    let identity = Identity::self_signed(NAME, &Identity::new_key().unwrap()).unwrap();
    let listen = "127.0.0.1:0".parse().unwrap();
    let relay = Endpoint::server(listen, &identity, congestion).unwrap();
    connect_to(&relay, &identity, congestion).await
}

/// Both ends of a new connection.
async fn connect_to(
    relay: &Endpoint,
    identity: &Identity,
    congestion: Congestion,
) -> (Connection, Connection) {
    let client = Endpoint::client(PathFloor::Ordinary, congestion).unwrap();
    let (address, trust) = (
        relay.local_address().unwrap(),
        Trust::pinned(identity.pin()),
    );
    let connecting = client.connect(address, NAME, &trust, None, PathFloor::Ordinary);
    let accepting = async {
        let stranger = relay.accept().await.unwrap();
        stranger.accept(Duration::from_secs(5)).await
    };
    let (client, server) = tokio::join!(connecting, accepting);
    (client.unwrap().quic(), server.unwrap().quic())
}
