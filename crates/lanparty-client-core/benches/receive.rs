//! What it costs to take a datagram from the relay, and which part of that is listening for games and looking for leases
//! (`cargo bench -p lanparty-client-core`).
//!
//! An item is one frame of the LAN to the player: 1254 bytes of TCP or of a game in play, a game server's answer, and a lease. Aim:
//! listening to what is no answer costs about a tenth of the whole at most, and allocates nothing.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a benchmark owns the clock and may panic"
)]

use bytes::{Bytes, BytesMut};
use divan::counter::ItemsCount;
use divan::{AllocProfiler, Bencher, black_box};
use lanparty_client_core::Session;
use lanparty_ctrl::ResumeToken;
use lanparty_ctrl::message::Welcome;
use lanparty_games::Games;
use lanparty_peer::PeerCore;
use lanparty_proto::{DatagramBudget, FrameBuf, Header, IpMtu, MacAddr, PeerId, RoomId};
use std::time::Instant;

#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

const KINDS: [&str; 4] = ["tcp", "game in play", "answer", "lease"];
const PLAYER: [u8; 6] = [2, 0, 0, 0, 0, 1];

fn main() {
    divan::main();
}

#[divan::bench(args = KINDS)]
fn whole_session(bencher: Bencher, kind: &str) {
    let now = Instant::now();
    let mut session = session(now);
    let datagram = FrameBuf::from_frame(&frame(kind)).into_datagram(Header {
        peer: PeerId::new(9).unwrap(),
        room: RoomId::new(7).unwrap(),
        fragment: false,
    });
    let receive = |datagram: Bytes| session.handle_datagram(now, datagram);
    bencher
        .counter(ItemsCount::new(1u8))
        .with_inputs(|| datagram.clone())
        .bench_local_values(receive);
    assert_eq!(session.games(now).len(), usize::from(kind == "answer"));
}

#[divan::bench(args = KINDS)]
fn games_alone(bencher: Bencher, kind: &str) {
    let now = Instant::now();
    let (mut games, frame) = (Games::default(), frame(kind));
    bencher
        .counter(ItemsCount::new(1u8))
        .bench_local(|| games.hear(now, black_box(&frame)));
}

#[divan::bench(args = KINDS)]
fn leases_alone(bencher: Bencher, kind: &str) {
    let frame = Bytes::from(frame(kind));
    let concerns = |frame: Bytes| match lanparty_lease::concerns(&frame) {
        true => {
            let mut copy = BytesMut::from(frame);
            lanparty_lease::games_only(&mut copy).unwrap()
        }
        false => false,
    };
    bencher
        .counter(ItemsCount::new(1u8))
        .with_inputs(|| frame.clone())
        .bench_local_values(concerns);
}

fn session(now: Instant) -> Session {
    let mut session = Session::new(MacAddr::new(PLAYER).try_into().unwrap());
    let welcome = Welcome {
        room_id: RoomId::new(7).unwrap(),
        peer_id: PeerId::new(1).unwrap(),
        effective_mtu: IpMtu::MIN,
        gateway: PeerId::new(9),
        resume_token: ResumeToken::from_random([0; 16]),
        capabilities: Vec::new(),
        term: None,
        fence: None,
        region: None,
    };
    session.handle_welcome(now, &welcome, DatagramBudget::new(1312).unwrap());
    session
}

fn frame(kind: &str) -> Vec<u8> {
    match kind {
        "tcp" => {
            let mut segment = vec![0x9c, 0x40, 0x13, 0x88, 0, 0, 0, 1, 0, 0, 0, 1];
            segment.extend([5 << 4, 0x10, 1, 0, 0, 0, 0, 0]);
            segment.resize(1220, 0x5a);
            ipv4(6, &segment)
        }
        "game in play" => udp(27_960, &[0x5a; 1212]),
        "lease" => udp(68, &lease()),
        _ => udp(
            27_960,
            b"\xff\xff\xff\xffinfoResponse\n\\g_needpass\\0\\pure\\1\\gametype\\0\\sv_maxclients\\8\
            \\clients\\0\\mapname\\oa_dm1\\hostname\\^1Bert's ^7cellar\\protocol\\71\\gamename\\Quake3Arena",
        ),
    }
}

/// An acknowledgement as a home router sends it.
fn lease() -> Vec<u8> {
    let mut message = vec![2, 1, 6, 0];
    message.resize(236, 0);
    message.extend([99, 130, 83, 99, 53, 1, 5, 54, 4, 192, 168, 50, 1]);
    message.extend([51, 4, 0, 0, 14, 16, 1, 4, 255, 255, 255, 0]);
    message.extend([28, 4, 192, 168, 50, 255, 3, 4, 192, 168, 50, 1]);
    message.extend([6, 4, 192, 168, 50, 1, 15, 4, b'h', b'o', b'm', b'e', 255]);
    message.resize(300, 0);
    message
}

fn udp(to: u16, payload: &[u8]) -> Vec<u8> {
    let len = u16::try_from(8 + payload.len()).unwrap();
    let header = [27_960, to, len, 0].map(u16::to_be_bytes).concat();
    ipv4(17, &[&header, payload].concat())
}

fn ipv4(protocol: u8, upper: &[u8]) -> Vec<u8> {
    let len = u16::try_from(20 + upper.len()).unwrap().to_be_bytes();
    let addresses = [PLAYER, [0, 0x16, 0x3e, 0, 0, 9]].concat();
    let header = [0x45, 0, len[0], len[1], 0, 1, 0x40, 0, 64, protocol, 0, 0];
    let ips = [192, 168, 50, 20, 192, 168, 50, 17];
    [&addresses[..], &[8, 0], &header, &ips, upper].concat()
}
