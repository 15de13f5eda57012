//! What it costs the gateway to judge a frame of the LAN, and which part of that is listening for games
//! (`cargo bench -p lanparty-gateway`).
//!
//! An item is one frame: 1254 bytes of TCP or of a game in play to a player, the same TCP between two machines of the LAN, and a game
//! server's answer. Aim: listening to what is no answer costs about a tenth of the whole at most, and allocates nothing.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a benchmark owns the clock and may panic"
)]

use divan::counter::ItemsCount;
use divan::{AllocProfiler, Bencher, black_box};
use lanparty_ctrl::message::{PeerJoined, Role, Welcome};
use lanparty_ctrl::{RelayMessage, ResumeToken};
use lanparty_games::Games;
use lanparty_gateway::Bridge;
use lanparty_peer::PeerCore;
use lanparty_proto::{DatagramBudget, FrameBuf, IpMtu, MacAddr, PeerId, RoomId};
use std::time::Instant;

#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

const KINDS: [&str; 4] = ["tcp", "tcp of others", "game in play", "answer"];
const NIC: [u8; 6] = [0x52, 0, 0, 0, 0, 1];
const PLAYER: [u8; 6] = [2, 0, 0, 0, 0, 7];
const STATION: [u8; 6] = [0, 0x16, 0x3e, 0, 0, 9];
const OTHER: [u8; 6] = [0, 0x16, 0x3e, 0, 0, 10];

fn main() {
    divan::main();
}

#[divan::bench(args = KINDS)]
fn whole_bridge(bencher: Bencher, kind: &str) {
    let now = Instant::now();
    let (mut bridge, frame) = (bridge(now), frame(kind));
    bencher
        .counter(ItemsCount::new(1u8))
        .with_inputs(|| FrameBuf::from_frame(&frame))
        .bench_local_refs(|frame| bridge.handle_frame(now, frame));
    assert_eq!(bridge.games(now).len(), usize::from(kind == "answer"));
}

#[divan::bench(args = KINDS)]
fn games_alone(bencher: Bencher, kind: &str) {
    let now = Instant::now();
    let (mut games, frame) = (Games::default(), frame(kind));
    bencher
        .counter(ItemsCount::new(1u8))
        .bench_local(|| games.hear(now, black_box(&frame)));
}

fn bridge(now: Instant) -> Bridge {
    let mut bridge = Bridge::new(MacAddr::new(NIC));
    let welcome = Welcome {
        room_id: RoomId::new(7).unwrap(),
        peer_id: PeerId::new(1).unwrap(),
        effective_mtu: IpMtu::MIN,
        gateway: None,
        resume_token: ResumeToken::from_random([0; 16]),
        capabilities: Vec::new(),
        term: None,
        fence: None,
        region: None,
    };
    bridge.handle_welcome(now, &welcome, DatagramBudget::new(1312).unwrap());
    let joined = PeerJoined {
        peer_id: PeerId::new(7).unwrap(),
        role: Role::Client,
        mac: Some(MacAddr::new(PLAYER).try_into().unwrap()),
        name: None,
        identity: None,
        host_challenge: None,
        tells_groups: false,
        takes_new_keys: false,
        term: None,
    };
    bridge.handle_control(now, RelayMessage::PeerJoined(joined));
    bridge
}

fn frame(kind: &str) -> Vec<u8> {
    match kind {
        "tcp" => tcp(PLAYER),
        "tcp of others" => tcp(OTHER),
        "game in play" => udp(&[0x5a; 1212]),
        _ => udp(
            b"\xff\xff\xff\xffinfoResponse\n\\g_needpass\\0\\pure\\1\\gametype\\0\\sv_maxclients\\8\
            \\clients\\0\\mapname\\oa_dm1\\hostname\\^1Bert's ^7cellar\\protocol\\71\\gamename\\Quake3Arena",
        ),
    }
}

fn tcp(to: [u8; 6]) -> Vec<u8> {
    let mut segment = vec![0x9c, 0x40, 0x13, 0x88, 0, 0, 0, 1, 0, 0, 0, 1];
    segment.extend([5 << 4, 0x10, 1, 0, 0, 0, 0, 0]);
    segment.resize(1220, 0x5a);
    ipv4(to, 6, &segment)
}

fn udp(payload: &[u8]) -> Vec<u8> {
    let len = u16::try_from(8 + payload.len()).unwrap();
    let header = [27_960, 27_960, len, 0].map(u16::to_be_bytes).concat();
    ipv4(PLAYER, 17, &[&header, payload].concat())
}

fn ipv4(to: [u8; 6], protocol: u8, upper: &[u8]) -> Vec<u8> {
    let len = u16::try_from(20 + upper.len()).unwrap().to_be_bytes();
    let addresses = [to, STATION].concat();
    let header = [0x45, 0, len[0], len[1], 0, 1, 0x40, 0, 64, protocol, 0, 0];
    let ips = [192, 168, 50, 20, 192, 168, 50, 17];
    [&addresses[..], &[8, 0], &header, &ips, upper].concat()
}
