//! Connections over streams of packets, beside such over UDP.

use super::pipe::{End, Way, pipe};
use super::*;
use crate::{CloseCode, Closed, HandshakeError};
use lanparty_flow::queue::WaitWindow;
use noq_proto::{ConnectionHandle, PathId};
use std::sync::atomic::AtomicUsize;

const PATIENCE: Duration = Duration::from_secs(20);
const ROOM: usize = 256;

struct House {
    relay: Endpoint,
    trust: Trust,
    client: Endpoint,
}

/// Both ends of a connection over a stream, and the ways of that one.
struct Carried {
    near: crate::Connection,
    far: crate::Connection,
    up: Arc<Way>,
    down: Arc<Way>,
}

impl House {
    fn new() -> Self {
        Self::with(Congestion::default())
    }

    fn with(congestion: Congestion) -> Self {
        let identity = Identity::self_signed(NAME, &Identity::new_key().unwrap()).unwrap();
        let listen = "127.0.0.1:0".parse().unwrap();
        House {
            relay: Endpoint::server(listen, &identity, congestion).unwrap(),
            trust: Trust::pinned(identity.pin()),
            client: Endpoint::client(PathFloor::Ordinary, congestion).unwrap(),
        }
    }

    async fn connect(&self, to: SocketAddr) -> Result<crate::Connection, HandshakeError> {
        let floor = PathFloor::Ordinary;
        self.client
            .connect(to, NAME, &self.trust, None, floor)
            .await
    }

    async fn accept(&self) -> crate::Connection {
        let stranger = self.relay.accept().await.unwrap();
        stranger.accept(PATIENCE).await.unwrap()
    }

    async fn over(&self, (near, far): (End, End)) -> Carried {
        let (up, down) = (near.out.clone(), near.back.clone());
        let to = self.client.carry(near, peer(443));
        self.relay.carry(far, peer(1));
        let (near, far) = tokio::join!(self.connect(to), self.accept());
        Carried {
            near: near.unwrap(),
            far,
            up,
            down,
        }
    }

    async fn over_udp(&self) -> (crate::Connection, crate::Connection) {
        let at = self.relay.local_address().unwrap();
        let (near, far) = tokio::join!(self.connect(at), self.accept());
        (near.unwrap(), far)
    }

    /// Until nothing is left of any connection or stream.
    async fn is_empty(&self) {
        for endpoint in [&self.relay, &self.client] {
            let shared = endpoint.engine();
            until(|| {
                let state = shared.lock();
                shared.wires.count() == 0
                    && state.links.is_empty()
                    && state.endpoint.open_connections() == 0
            })
            .await;
        }
    }
}

impl Endpoint {
    fn engine(&self) -> Arc<Shared> {
        self.crew().first().shared().clone()
    }
}

/// Is counted while it is there.
struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Somebody on the internet, behind that port.
fn peer(port: u16) -> SocketAddr {
    ([192, 0, 2, 7], port).into()
}

async fn until(mut it_is: impl FnMut() -> bool) {
    let waiting = async {
        while !it_is() {
            tokio::task::yield_now().await;
        }
    };
    let came = tokio::time::timeout(PATIENCE, waiting).await;
    came.expect("it never comes");
}

fn say(connection: &crate::Connection, number: u8) {
    let pieces = smallvec![Bytes::from(vec![number; 1200])];
    let quic = connection.clone().quic();
    let flow = Flow::Other {
        addresses: [number; 12],
        kind: [0x88, 0xb5],
    };
    let said = quic.send_frame(Instant::now(), Person::Crowd, flow, pieces);
    said.unwrap();
}

async fn hears(connection: &crate::Connection) -> u8 {
    let mut room = [Bytes::new()];
    let reading = connection.read_datagrams(&mut room);
    let read = tokio::time::timeout(PATIENCE, reading).await;
    read.expect("something comes").unwrap();
    room[0][0]
}

async fn speaks_both_ways(near: &crate::Connection, far: &crate::Connection) {
    say(near, 1);
    assert_eq!(hears(far).await, 1);
    say(far, 2);
    assert_eq!(hears(near).await, 2);
}

async fn ends(connection: &crate::Connection) -> Closed {
    let ended = tokio::time::timeout(Duration::from_secs(5), connection.closed()).await;
    ended.expect("it waits for a silence to last")
}

#[tokio::test]
async fn frames_go_both_ways_over_a_stream_and_its_peer_is_known() {
    let house = House::new();
    let (near, far) = pipe(ROOM);
    let to = house.client.carry(near, peer(443));
    house
        .relay
        .carry(far, "[::ffff:192.0.2.7]:1".parse().unwrap());
    let accepting = async {
        let stranger = house.relay.accept().await.unwrap();
        assert_eq!(stranger.remote_address(), peer(1));
        assert!(stranger.is_carried() && stranger.address_validated());
        stranger.accept(PATIENCE).await.unwrap()
    };
    let (near, far) = tokio::join!(house.connect(to), accepting);
    let near = near.unwrap();
    speaks_both_ways(&near, &far).await;
    for (connection, peer) in [(&near, peer(443)), (&far, peer(1))] {
        assert!(connection.is_carried());
        assert_eq!(connection.remote_address(), Some(peer));
    }
    assert!(near.budget() == far.budget() && near.budget().bytes() > 1250);
    let totals = house.relay.totals();
    assert_eq!(totals.udp.received, 0, "{totals:?}");
    assert_eq!(totals.carried.streams, 1);
    assert!(totals.carried.sent > 2 && totals.carried.received > 2);
    // Beside it others come over UDP.
    let (other, others) = house.over_udp().await;
    speaks_both_ways(&other, &others).await;
    assert!(!other.is_carried() && !others.is_carried());
    assert_eq!(
        other.remote_address(),
        Some(house.relay.local_address().unwrap())
    );
    near.close(CloseCode::Bye);
    assert!(matches!(ends(&far).await, Closed::ByPeer(_)));
    drop((other, others));
    house.is_empty().await;
}

#[tokio::test]
async fn the_streams_end_is_the_connections_and_nothing_is_left_of_either() {
    let house = House::new();
    let (other, others) = house.over_udp().await;
    for _ in 0..50 {
        let link = house.over(pipe(ROOM)).await;
        say(&link.near, 1);
        link.up.end();
        link.down.end();
        for connection in [&link.near, &link.far] {
            let ended = ends(connection).await.to_string();
            assert!(ended.contains("TCP connection"), "{ended}");
        }
    }
    speaks_both_ways(&other, &others).await;
    assert_eq!(house.relay.totals().carried.streams, 0);
    drop((other, others));
    house.is_empty().await;
}

#[tokio::test]
async fn ten_thousand_streams_with_garbage_leave_nothing() {
    let house = House::new();
    let shared = house.relay.engine();
    let kept = Arc::new(AtomicUsize::new(0));
    for round in 0..100u8 {
        let ends: Vec<_> = (0..100u8)
            .map(|number| {
                let (near, far) = pipe(ROOM);
                for len in [0, 1, 21, 1200, 1500] {
                    near.out.push(vec![round ^ number; len]);
                }
                kept.fetch_add(1, Ordering::SeqCst);
                house
                    .relay
                    .carry_stranger(far, peer(2), Place(kept.clone()));
                near
            })
            .collect();
        // Garbage alone ends none of them.
        until(|| ends.iter().all(|end| end.out.len() == 0)).await;
        assert_eq!(kept.load(Ordering::SeqCst), 100);
        drop(ends);
        until(|| shared.wires.count() == 0).await;
    }
    until(|| kept.load(Ordering::SeqCst) == 0).await;
    // A stream's task and the loop were all that had it.
    let is_alone = || shared.wires.holds_nothing() && Arc::strong_count(&shared.wires) == 1;
    until(is_alone).await;
    let state = shared.lock();
    assert!(state.links.is_empty() && state.deadlines.is_empty() && state.touched.is_empty());
    assert_eq!(state.endpoint.open_connections(), 0);
    assert_eq!(state.carried.received, 50_000);
}

#[tokio::test]
async fn a_place_is_kept_until_a_handshake_is_complete() {
    let house = House::new();
    let place = Arc::new(());
    let (near, far) = pipe(ROOM);
    let to = house.client.carry(near, peer(443));
    house.relay.carry_stranger(far, peer(1), place.clone());
    assert_eq!(Arc::strong_count(&place), 2);
    let (near, far) = tokio::join!(house.connect(to), house.accept());
    assert_eq!(Arc::strong_count(&place), 1);
    drop((near, far));
    house.is_empty().await;
}

#[tokio::test]
async fn a_packet_too_long_ends_its_stream() {
    let house = House::new();
    for len in [1501, 65_536, 1_000_000] {
        let (near, far) = pipe(ROOM);
        near.out.push(vec![0x40; len]);
        house.relay.carry(far, peer(1));
        until(|| near.back.is_over()).await;
    }
    house.is_empty().await;
}

#[tokio::test]
async fn a_stream_that_takes_nothing_keeps_nobody_waiting_but_its_own() {
    for congestion in [Congestion::Gate, Congestion::Cubic] {
        stalls_alone(congestion).await;
    }
}

async fn stalls_alone(congestion: Congestion) {
    const FRAMES: u8 = 200;
    let house = House::with(congestion);
    let link = house.over(pipe(ROOM)).await;
    let (near, far) = house.over_udp().await;
    speaks_both_ways(&link.near, &link.far).await;
    link.down.hold(true);
    link.down.room(0);
    // Far more than its rings hold, and what QUIC is given at a time.
    for number in 0..FRAMES {
        say(&link.far, number);
        say(&link.far, number);
        say(&far, number);
        assert_eq!(hears(&near).await, number);
    }
    let shared = house.relay.engine();
    let handle = link.far.clone().quic().handle();
    // Else its turns go on in vain.
    until(|| !shared.lock().touched.contains(&handle)).await;
    sleeps_until_there_is_room(&shared, handle).await;
    let waiting = link.far.queue_stats();
    // On a busy machine some have waited too long.
    let kept_back = waiting.bytes as u64 + 1200 * (waiting.late() + waiting.without_room());
    assert!(kept_back > 300_000, "{waiting:?}");
    let held = link.far.clone().quic().look(held).unwrap();
    assert!(held < 5 * 1350, "{held} bytes are no longer sorted");
    assert_eq!(link.down.len(), 0);
    // What still has its time comes when it goes on.
    link.down.room(ROOM);
    link.down.hold(false);
    hears(&link.near).await;
    say(&link.far, 250);
    while hears(&link.near).await != 250 {}
    drop((link, near, far));
    house.is_empty().await;
}

/// It waits for nothing that has come already, or its loop would never rest.
async fn sleeps_until_there_is_room(shared: &Shared, handle: ConnectionHandle) {
    poll_fn(|cx| {
        let (mut driver, mut state) = (shared.driver(), shared.lock());
        let now = Instant::now();
        // The gate lets more pass by now.
        *state.link(handle).unwrap().opens_at() = Some(now);
        state.touch(handle);
        driver.send_touched(cx, shared, &mut state, now, true);
        assert_eq!(*state.link(handle).unwrap().opens_at(), None);
        Poll::Ready(())
    })
    .await;
}

#[tokio::test]
async fn a_kernel_without_room_for_udp_keeps_no_stream_waiting() {
    let house = House::new();
    let link = house.over(pipe(ROOM)).await;
    let (near, far) = house.over_udp().await;
    speaks_both_ways(&near, &far).await;
    let shared = house.relay.engine();
    let (udp, carried) = (
        far.clone().quic().handle(),
        link.far.clone().quic().handle(),
    );
    let sent = |shared: &Shared| {
        let state = shared.lock();
        (state.udp.sent, state.carried.sent)
    };
    // From here on nobody else has the turns.
    shared.lock().is_by_hand = true;
    say(&far, 1);
    say(&link.far, 1);
    let before = sent(&shared);
    poll_fn(|cx| {
        let (mut driver, mut state) = (shared.driver(), shared.lock());
        assert!(state.touched.contains(&carried));
        driver.send_touched(cx, &shared, &mut state, Instant::now(), true);
        Poll::Ready(())
    })
    .await;
    let after = sent(&shared);
    assert_eq!(after.0, before.0);
    assert!(after.1 > before.1);
    let state = shared.lock();
    assert_eq!(state.touched, [udp]);
}

#[tokio::test]
async fn another_network_is_nothing_to_a_stream() {
    let house = House::new();
    let link = house.over(pipe(ROOM)).await;
    for _ in 0..3 {
        let before = link.near.heard();
        house.client.follow_network();
        // It asks for a sign of life all the same.
        until(|| link.near.heard() > before).await;
        speaks_both_ways(&link.near, &link.far).await;
    }
    assert_eq!(link.far.remote_address(), Some(peer(1)));
}

#[tokio::test]
async fn whoever_copies_packets_to_a_stream_of_its_own_draws_no_link_there() {
    let house = House::new();
    let link = house.over(pipe(ROOM)).await;
    speaks_both_ways(&link.near, &link.far).await;
    let quic = link.far.clone().quic();
    let path = || quic.look(|quic| quic.network_path(PathId::ZERO).unwrap());
    let own = path().unwrap();
    let (near, far) = pipe(ROOM);
    house.relay.carry(far, peer(9));
    // The copy is even there first.
    link.up.hold(true);
    say(&link.near, 3);
    until(|| link.up.len() > 0).await;
    let packets = link.up.take();
    packets
        .iter()
        .for_each(|packet| near.out.push(packet.clone()));
    until(|| near.out.len() == 0).await;
    drop(near);
    let shared = house.relay.engine();
    until(|| shared.wires.count() == 1).await;
    packets.into_iter().for_each(|packet| link.up.push(packet));
    link.up.hold(false);
    assert_eq!(hears(&link.far).await, 3);
    assert_eq!(path().unwrap(), own);
    speaks_both_ways(&link.near, &link.far).await;
}

#[tokio::test]
async fn nobody_connects_over_a_stream_that_is_gone() {
    let house = House::new();
    let (near, far) = pipe(ROOM);
    let to = house.client.carry(near, peer(443));
    drop(far);
    let error = house.connect(to).await.unwrap_err().to_string();
    assert!(error.contains("TCP connection"), "{error}");
    let error = house.connect(to).await.unwrap_err().to_string();
    assert!(error.contains("TCP connection"), "{error}");
    house.is_empty().await;
}

#[tokio::test]
async fn a_stranger_whose_stream_is_gone_is_told_so_at_once() {
    let house = House::new();
    let (near, far) = pipe(ROOM);
    let to = house.client.carry(near, peer(443));
    let (up, down) = (far.back.clone(), far.out.clone());
    house.relay.carry(far, peer(1));
    let accepting = async {
        let stranger = house.relay.accept().await.unwrap();
        up.end();
        down.end();
        let shared = house.relay.engine();
        until(|| shared.wires.count() == 0).await;
        let begin = Instant::now();
        let refused = stranger.accept(PATIENCE).await.unwrap_err().to_string();
        assert!(refused.contains("TCP connection"), "{refused}");
        assert!(begin.elapsed() < PATIENCE / 2);
    };
    let (near, ()) = tokio::join!(house.connect(to), accepting);
    near.unwrap_err();
    house.is_empty().await;
}

#[tokio::test]
async fn an_endpoint_that_is_gone_leaves_no_stream_open() {
    let house = House::new();
    let link = house.over(pipe(ROOM)).await;
    let (near, far) = pipe(ROOM);
    house.relay.carry(far, peer(9));
    let (up, down) = (link.up.clone(), link.down.clone());
    house.relay.close(CloseCode::Bye).await;
    assert!(matches!(ends(&link.near).await, Closed::ByPeer(_)));
    drop(link);
    drop(house);
    until(|| up.is_over() && down.is_over() && near.back.is_over()).await;
}

#[tokio::test]
async fn numbers_move_with_frames_over_a_stream_too() {
    let house = House::new();
    let link = house.over(pipe(ROOM)).await;
    for number in 0..100 {
        say(&link.near, number);
        assert_eq!(hears(&link.far).await, number);
    }
    let stats = link.near.stats(&mut WaitWindow::new(1)).unwrap();
    assert_eq!(stats.congestion.controller, Controller::Gate);
    assert!(stats.congestion.rtt_us > 0);
    assert!(link.near.packets().unwrap().sent >= 100);
}

/// A connection is where its room's others are, and what another loop knows is not asked for over a stream.
#[cfg(target_os = "linux")]
mod with_loops {
    use super::*;
    use crate::Company;

    const LOOPS: usize = 3;

    #[tokio::test]
    async fn a_stream_lives_on_the_loop_of_its_company() {
        let identity = Identity::self_signed(NAME, &Identity::new_key().unwrap()).unwrap();
        let listen = "127.0.0.1:0".parse().unwrap();
        let relay = Endpoint::server_with(listen, &identity, Congestion::default(), LOOPS).unwrap();
        assert_eq!(relay.loops(), LOOPS, "this kernel has no such filter");
        relay.start_threads().unwrap();
        let mut links = Vec::new();
        for byte in 0..6u8 {
            let client = Endpoint::client(PathFloor::Ordinary, Congestion::default()).unwrap();
            let client = client.in_company(Company::new(byte));
            let (near, far) = pipe(ROOM);
            let to = client.carry(near, peer(443));
            relay.carry(far, peer(byte.into()));
            let trust = Trust::pinned(identity.pin());
            let connecting = client.connect(to, NAME, &trust, None, PathFloor::Ordinary);
            let accepting = async {
                let stranger = relay.accept().await.unwrap();
                assert_eq!(stranger.remote_address(), peer(byte.into()));
                stranger.accept(PATIENCE).await.unwrap()
            };
            let (near, far) = tokio::join!(connecting, accepting);
            let near = near.unwrap();
            let place = far.clone().quic().place();
            assert_eq!(place.index(), usize::from(byte) % LOOPS);
            // From here, which is no loop of the relay's, and from the loops.
            speaks_both_ways(&near, &far).await;
            assert_eq!(far.remote_address(), Some(peer(byte.into())));
            links.push((near, far, client));
        }
        assert_eq!(relay.totals().carried.streams, 6);
        for (near, far, _) in &links {
            speaks_both_ways(near, far).await;
        }
        drop(links);
        until(|| relay.totals().carried.streams == 0).await;
    }

    #[tokio::test]
    async fn no_loop_says_over_a_stream_that_it_does_not_know_anothers_link() {
        let identity = Identity::self_signed(NAME, &Identity::new_key().unwrap()).unwrap();
        let listen = "127.0.0.1:0".parse().unwrap();
        let relay = Endpoint::server_with(listen, &identity, Congestion::default(), LOOPS).unwrap();
        relay.start_threads().unwrap();
        let ids = relay.crew().first().shared().lock().ids;
        let (near, far) = pipe(ROOM);
        // What puts it on the first loop; and what that has no connection for. A reset is shorter than what it answers.
        near.out.push(vec![0x40, 0]);
        for (index, len) in [(1, 22), (2, 22), (0, 1200)] {
            near.out.push(ids.packet_for(index, len));
        }
        relay.carry(far, peer(1));
        until(|| near.back.len() > 0).await;
        let reset = &near.back.take()[0];
        assert!(reset.len() > 22, "that was for another loop");
    }
}
