//! An endpoint with several loops, over loopback.

use super::*;
use crate::{Beat, CloseCode, Closed, Company, steer_to_first};
use lanparty_proto::{Header, PeerId, RoomId};
use noq_proto::PathId;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

const NAME: &str = "lanparty-relay";
const LOOPS: usize = 4;

struct Relay {
    endpoint: Endpoint,
    trust: Trust,
}

impl Relay {
    fn start() -> Self {
        let identity = Identity::self_signed(NAME, &Identity::new_key().unwrap()).unwrap();
        let listen = "127.0.0.1:0".parse().unwrap();
        let endpoint =
            Endpoint::server_with(listen, &identity, Congestion::default(), LOOPS).unwrap();
        assert_eq!(endpoint.loops(), LOOPS, "this kernel has no such filter");
        endpoint.start_threads().unwrap();
        Relay {
            endpoint,
            trust: Trust::pinned(identity.pin()),
        }
    }

    /// Both ends of a new connection, and what keeps the client's.
    async fn meet(&self, at: SocketAddr) -> Pair {
        let client = Endpoint::client(PathFloor::Ordinary, Congestion::default()).unwrap();
        self.meet_from(client, at).await
    }

    async fn meet_from(&self, client: Endpoint, at: SocketAddr) -> Pair {
        let connecting = client.connect(at, NAME, &self.trust, None, PathFloor::Ordinary);
        let accepting = async {
            let stranger = self.endpoint.accept().await.unwrap();
            stranger.accept(Duration::from_secs(5)).await
        };
        let (near, far) = tokio::join!(connecting, accepting);
        Pair {
            near: near.unwrap(),
            far: far.unwrap(),
            _client: client,
        }
    }

    /// So many that each loop has one at least.
    async fn meet_on_all_loops(&self) -> Vec<Pair> {
        let (mut pairs, at) = (Vec::new(), self.endpoint.local_address().unwrap());
        while pairs.len() < 2 * LOOPS || (0..LOOPS).any(|index| !has_loop(&pairs, index)) {
            pairs.push(self.meet(at).await);
        }
        pairs
    }
}

fn has_loop(pairs: &[Pair], index: usize) -> bool {
    pairs.iter().any(|pair| pair.place() == index)
}

struct Pair {
    near: crate::Connection,
    far: crate::Connection,
    _client: Endpoint,
}

impl Pair {
    /// The loop at which the relay has it.
    fn place(&self) -> usize {
        self.far.clone().quic().place().index()
    }

    fn comes_from(&self) -> SocketAddr {
        let path = self.far.clone().quic();
        let path = path.look(|quic| quic.network_path(PathId::ZERO));
        path.unwrap().unwrap().remote()
    }

    /// Both ways, as often as it takes on a busy machine.
    async fn speaks(&self) {
        for (from, to) in [(&self.near, &self.far), (&self.far, &self.near)] {
            let said = datagram(7, 100);
            let say = || from.send_frame(Instant::now(), said.clone(), || 1, None);
            let mut patience = 50;
            say().unwrap();
            while heard_within(Duration::from_millis(200), to).await != Some(7) {
                patience -= 1;
                assert!(patience > 0, "nothing comes");
                say().unwrap();
            }
        }
    }
}

fn datagram(number: u32, len: usize) -> Bytes {
    let header = Header {
        peer: PeerId::new(1).unwrap(),
        room: RoomId::new(1).unwrap(),
        fragment: false,
    };
    let mut datagram = [&header.encode()[..], &vec![2; len]].concat();
    let end = datagram.len() - 4;
    datagram[end..].copy_from_slice(&number.to_be_bytes());
    datagram.into()
}

/// The number of the next datagram, unless that takes so long: a busy machine may have lost it.
async fn heard_within(patience: Duration, connection: &crate::Connection) -> Option<u32> {
    let mut room = [Bytes::new()];
    let reading = connection.read_datagrams(&mut room);
    let read = tokio::time::timeout(patience, reading).await.ok()?;
    read.unwrap();
    let (_, number) = room[0].split_last_chunk().unwrap();
    Some(u32::from_be_bytes(*number))
}

#[tokio::test]
async fn those_of_one_company_meet_at_one_loop() {
    let relay = Relay::start();
    let at = relay.endpoint.local_address().unwrap();
    for byte in [0, 1, 2, 3, 77, 255] {
        for _ in 0..4 {
            let client = Endpoint::client(PathFloor::Ordinary, Congestion::default()).unwrap();
            let client = client.in_company(Company::new(byte));
            let pair = relay.meet_from(client, at).await;
            assert_eq!(pair.place(), usize::from(byte) % LOOPS);
        }
    }
}

#[tokio::test]
async fn each_loop_has_connections_and_each_connection_speaks() {
    let relay = Relay::start();
    let pairs = relay.meet_on_all_loops().await;
    for pair in &pairs {
        pair.speaks().await;
    }
    let totals = relay.endpoint.totals();
    assert!(totals.udp.received >= 3 * pairs.len() as u64, "{totals:?}");
    let told = async {
        relay.endpoint.close(CloseCode::Bye).await;
        for pair in &pairs {
            assert!(matches!(pair.near.closed().await, Closed::ByPeer(_)));
        }
    };
    let told = tokio::time::timeout(Duration::from_secs(10), told);
    told.await.expect("all are told");
    assert!(relay.endpoint.accept().await.is_none());
}

#[tokio::test]
async fn frames_between_loops_keep_their_order() {
    const FRAMES: u32 = 500;
    let relay = Relay::start();
    let pairs = relay.meet_on_all_loops().await;
    let mut next = 0;
    // Each loop sends to a link of each, in its own turn, as a relay does.
    for (from, sender) in pairs.iter().enumerate() {
        for (to, target) in pairs.iter().enumerate().filter(|(to, _)| *to != from) {
            if has_loop(&pairs[..from], sender.place()) || has_loop(&pairs[..to], target.place()) {
                continue;
            }
            let out = target.far.clone();
            sender.far.hand_datagrams_to(move |now, datagrams| {
                for datagram in datagrams {
                    out.send_frame(now, datagram.clone(), || 1, None).unwrap();
                }
            });
            let (mut last, mut came) = (None, 0);
            let first = next;
            next += FRAMES;
            for sent in first..next {
                let frame = datagram(sent, 60);
                let sent_on = sender.near.send_frame(Instant::now(), frame, || 1, None);
                sent_on.unwrap();
                // As many are on their way as no queue throws away on a quiet machine.
                while sent >= first + 32
                    && last < Some(sent - 32)
                    && let Some(heard) = heard_within(Duration::from_secs(1), &target.near).await
                {
                    // Some of an earlier sender's may be left.
                    if heard >= first {
                        assert!(last < Some(heard), "{heard} after {last:?}");
                        (last, came) = (Some(heard), came + 1);
                    }
                }
            }
            assert!(came > FRAMES / 2, "{came}");
        }
    }
}

#[tokio::test]
async fn a_packet_that_comes_to_the_wrong_loop_is_handed_on_and_no_link_is_reset() {
    let relay = Relay::start();
    let pairs = relay.meet_on_all_loops().await;
    let sockets = relay.endpoint.duplicate_sockets().unwrap();
    // As if the filter were gone: everything comes to the first.
    steer_to_first(&sockets[0]).unwrap();
    for _ in 0..3 {
        for pair in &pairs {
            pair.speaks().await;
        }
    }
    // Handshakes as well.
    for pair in relay.meet_on_all_loops().await {
        pair.speaks().await;
    }
}

/// What waited for the loop's next turn was late by an acknowledgement's 25 ms each time.
#[tokio::test]
async fn a_frame_in_a_packet_that_is_handed_on_waits_for_no_other() {
    let relay = Relay::start();
    let pairs = relay.meet_on_all_loops().await;
    let sockets = relay.endpoint.duplicate_sockets().unwrap();
    steer_to_first(&sockets[0]).unwrap();
    let pair = pairs.iter().find(|pair| pair.place() > 0).unwrap();
    let back = pair.far.clone();
    pair.far.hand_datagrams_to(move |now, datagrams| {
        for datagram in datagrams {
            back.send_frame(now, datagram.clone(), || 1, None).unwrap();
        }
    });
    let mut quickest = Duration::MAX;
    for number in 0..50 {
        let begin = Instant::now();
        let said = datagram(number, 100);
        pair.near.send_frame(begin, said, || 1, None).unwrap();
        if heard_within(Duration::from_secs(1), &pair.near).await == Some(number) {
            quickest = quickest.min(begin.elapsed());
        }
    }
    assert!(quickest < Duration::from_millis(20), "{quickest:?}");
}

#[tokio::test]
async fn a_loop_that_is_stuck_is_told_from_one_that_has_nothing_to_do() {
    let relay = Relay::start();
    let pairs = relay.meet_on_all_loops().await;
    let pair = pairs.iter().find(|pair| pair.place() > 0).unwrap();
    let mut seen = Beat::default();
    let mut beat = || relay.endpoint.beat(&mut seen);
    beat();
    // All of them rest, and answer.
    while !beat() {
        tokio::task::yield_now().await;
    }
    let (is_stuck, (release, stuck)) = (
        Arc::new(AtomicBool::new(false)),
        std::sync::mpsc::channel::<()>(),
    );
    let flag = is_stuck.clone();
    pair.far.hand_datagrams_to(move |_, _| {
        flag.store(true, Ordering::SeqCst);
        let _ = stuck.recv();
    });
    while !is_stuck.load(Ordering::SeqCst) {
        let said = datagram(1, 100);
        pair.near
            .send_frame(Instant::now(), said, || 1, None)
            .unwrap();
        tokio::task::yield_now().await;
    }
    beat();
    assert!(!beat() && !beat());
    drop(release);
    while !beat() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn whoever_has_another_address_by_now_stays_on_its_loop() {
    let relay = Relay::start();
    for _ in 0..LOOPS {
        let nat = Nat::start(relay.endpoint.local_address().unwrap());
        let pair = relay.meet(nat.address).await;
        pair.speaks().await;
        let before = pair.comes_from();
        nat.forget();
        pair.speaks().await;
        assert_ne!(pair.comes_from(), before);
    }
}

/// Forwards packets of one client, from another port when it has forgotten the first.
struct Nat {
    address: SocketAddr,
    forgets: Arc<AtomicBool>,
    is_over: Arc<AtomicBool>,
}

impl Nat {
    fn start(relay: SocketAddr) -> Self {
        let near = UdpSocket::bind("127.0.0.1:0").unwrap();
        let nat = Nat {
            address: near.local_addr().unwrap(),
            forgets: Arc::default(),
            is_over: Arc::default(),
        };
        let (forgets, is_over) = (nat.forgets.clone(), nat.is_over.clone());
        thread::spawn(move || {
            let outside = || {
                let far = UdpSocket::bind("127.0.0.1:0").unwrap();
                far.connect(relay).unwrap();
                far.set_nonblocking(true).unwrap();
                far
            };
            let (mut far, mut client, mut packet) = (outside(), None, [0; 65_536]);
            near.set_read_timeout(Some(Duration::from_millis(1)))
                .unwrap();
            while !is_over.load(Ordering::Relaxed) {
                if let Ok((len, from)) = near.recv_from(&mut packet) {
                    client = Some(from);
                    if forgets.swap(false, Ordering::Relaxed) {
                        far = outside();
                    }
                    let _ = far.send(&packet[..len]);
                }
                while let Ok(len) = far.recv(&mut packet) {
                    near.send_to(&packet[..len], client.unwrap()).unwrap();
                }
            }
        });
        nat
    }

    fn forget(&self) {
        self.forgets.store(true, Ordering::Relaxed);
    }
}

impl Drop for Nat {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
    }
}
