//! What a player takes of the relay's memory who is there and does nothing, counted by the allocator: it depends on neither the
//! machine nor its moods.
#![allow(
    clippy::disallowed_methods,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests drive a shell, and fail by panicking"
)]
#![allow(
    unsafe_code,
    reason = "whoever counts what is allocated stands in the allocator's place"
)]

use lanparty_ctrl::RelayMessage;
use lanparty_ctrl::message::{Hello, Newcomer};
use lanparty_ctrl::{PeerMessage, RoomCode};
use lanparty_proto::{MacAddr, VirtualMac};
use lanparty_quic::control;
use lanparty_quic::tls::Trust;
use lanparty_quic::{Congestion, Connection, Endpoint, PathFloor};
use lanparty_relay::registry::JoinLimits;
use lanparty_relay::{Config, Limits, RelayServer};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicIsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};
use tokio::runtime::Builder;

/// More than the relay holds for one, in bytes, of which three quarters are QUIC's core: see `docs/performance.md`. It was
/// 62,700 before what waits was made small.
const TOO_MUCH: isize = 60 * 1024;
const ROOM_OF: usize = 8;
/// Those before whom tables have not found their size yet.
const FIRST: usize = 64;
const MEASURED: usize = 64;
/// Anything that takes this long does not happen.
const LIMIT: Duration = Duration::from_secs(60);

thread_local! {
    static IS_THE_RELAYS: Cell<bool> = const { Cell::new(false) };
}
/// What the relay's thread has taken and not given back.
static HELD: AtomicIsize = AtomicIsize::new(0);

struct Counting;

fn note(bytes: isize) {
    if IS_THE_RELAYS.get() {
        HELD.fetch_add(bytes, Ordering::Relaxed);
    }
}

// SAFETY: each call goes to the system's allocator as it came, and what that answers goes back; counting allocates
// nothing, for the thread's flag is a constant at first and has nothing to be dropped.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(layout.size() as isize);
        // SAFETY: whoever calls this keeps to what the system's allocator asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note(layout.size() as isize);
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        note(-(layout.size() as isize));
        // SAFETY: as above; the memory is the system's, as all that we give out.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note(size as isize - layout.size() as isize);
        // SAFETY: as above.
        unsafe { System.realloc(memory, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A relay on a thread of its own, which ends with the test.
fn start() -> (SocketAddr, Trust) {
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let folder = tempfile::tempdir().unwrap();
            let certificate = folder.path().join("relay.der");
            let many = 2 * (FIRST + MEASURED);
            let config = Config {
                dev_cert_der_out: Some(certificate.clone()),
                limits: Limits {
                    peers: many,
                    peers_per_address: many,
                    rooms_per_address: many,
                    joins: JoinLimits {
                        per_identity: many as u32,
                        per_address: many as u32,
                    },
                    ..Limits::default()
                },
                threads: NonZeroUsize::new(1),
                ..Config::new("127.0.0.1:0".parse().unwrap())
            };
            let server = RelayServer::bind(&config).unwrap();
            let trust = Trust::load(Some(&certificate)).unwrap();
            tell.send((server.local_address(), trust)).unwrap();
            IS_THE_RELAYS.set(true);
            let _ = server.run(std::future::pending()).await;
        });
    });
    told.recv_timeout(LIMIT).unwrap()
}

struct Player {
    _endpoint: Endpoint,
    connection: Connection,
}

/// One who comes in, and has been told of all who came before.
async fn join(address: SocketAddr, trust: &Trust, number: usize) -> Player {
    let floor = PathFloor::Ordinary;
    let endpoint = Endpoint::client(floor, Congestion::default()).unwrap();
    let connecting = endpoint.connect(address, "lanparty-relay", trust, None, floor);
    let connection = connecting.await.unwrap();
    let [.., high, low] = number.to_be_bytes();
    let mac = VirtualMac::try_from(MacAddr::new([2, 0, 0, 0, high, low])).unwrap();
    let room: RoomCode = format!("IDLE-{}", number / ROOM_OF).parse().unwrap();
    let hello = Hello::new(&room, Newcomer::Client(mac), connection.budget());
    let (mut send, mut answer) = connection.open_bi().await.unwrap();
    control::write_message(&mut send, &PeerMessage::from(hello))
        .await
        .unwrap();
    let welcome = control::read_message(&mut answer).await.unwrap();
    assert!(matches!(welcome, RelayMessage::Welcome(_)), "{welcome:?}");
    for _ in 0..number % ROOM_OF {
        let joined = control::next_message(&connection).await.unwrap();
        assert!(matches!(joined, RelayMessage::PeerJoined(_)), "{joined:?}");
    }
    Player {
        _endpoint: endpoint,
        connection,
    }
}

/// What the relay holds once nobody's coming is at work in it any more.
async fn at_rest() -> isize {
    let (start, mut same) = (Instant::now(), 0);
    let mut held = HELD.load(Ordering::Relaxed);
    while same < 25 && start.elapsed() < LIMIT {
        tokio::time::sleep(Duration::from_millis(20)).await;
        let before = std::mem::replace(&mut held, HELD.load(Ordering::Relaxed));
        same = if held == before { same + 1 } else { 0 };
    }
    held
}

#[tokio::test]
async fn an_idle_player_takes_little_memory() {
    let (address, trust) = start();
    let mut players = Vec::new();
    let mut before = 0;
    for number in 0..FIRST + MEASURED {
        if number == FIRST {
            before = at_rest().await;
        }
        players.push(join(address, &trust, number).await);
    }
    let held = (at_rest().await - before) / MEASURED as isize;
    assert!(
        players
            .iter()
            .all(|player| player.connection.rtt().is_some())
    );
    println!("{held} bytes for each player");
    assert!(
        (1024..TOO_MUCH).contains(&held),
        "the relay holds {held} bytes for each player who does nothing"
    );
}
