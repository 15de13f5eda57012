//! What it costs the gateway to ask what a player may reach (`cargo bench -p lanparty-gateway --bench reach`).
//!
//! An item is one frame of 1254 bytes from a player to the LAN: a game in play, and TCP of a file copy. Aim: with `everything`
//! nothing that can be measured, with `games` and with names less than half a microsecond. The last line is the ratio of
//! both to a switch's own verdict about the frame ([`classify`]), taken in the same run.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark owns the clock and may panic"
)]

use divan::counter::ItemsCount;
use divan::{AllocProfiler, Bencher, black_box};
use lanparty_games::is_game_port;
use lanparty_proto::{EthernetFrame, MacAddr};
use lanparty_switch::reach::{LanFacts, Reach};
use lanparty_switch::{Speaker, classify};
use std::time::{Duration, Instant};

#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

const NIC: MacAddr = MacAddr::new([0x52, 0, 0, 0, 0, 1]);
const PLAYER: MacAddr = MacAddr::new([2, 0, 0, 0, 0, 7]);
const STATION: MacAddr = MacAddr::new([0, 0x16, 0x3e, 0, 0, 9]);
const POLICIES: [&str; 3] = ["everything", "games", "192.168.50.20"];

fn main() {
    divan::main();
    print_ratios();
}

#[divan::bench(args = POLICIES)]
fn game_in_play(bencher: Bencher, policy: &str) {
    judge(bencher, policy, &game());
}

#[divan::bench(args = POLICIES)]
fn refused_or_copied(bencher: Bencher, policy: &str) {
    judge(bencher, policy, &copy());
}

fn judge(bencher: Bencher, policy: &str, frame: &[u8]) {
    let (now, mut reach) = reach(policy);
    let frame = EthernetFrame::parse(frame).unwrap();
    bencher
        .counter(ItemsCount::new(1u8))
        .bench_local(|| reach.judge(now, PLAYER, black_box(frame)));
}

/// In one loop after the other, so that the machine's other work meets both.
fn print_ratios() {
    const ROUNDS: u32 = 200_000;
    let frame = game();
    let frame = EthernetFrame::parse(&frame).unwrap();
    let time = |step: &mut dyn FnMut()| {
        let began = Instant::now();
        (0..ROUNDS).for_each(|_| step());
        began.elapsed() / ROUNDS
    };
    let plain = time(&mut || {
        let _ = black_box(classify(black_box(frame.bytes()), Speaker::Player(PLAYER)));
    });
    for policy in POLICIES {
        let (now, mut reach) = reach(policy);
        let asked = time(&mut || {
            let _ = black_box(reach.judge(now, PLAYER, black_box(frame)));
        });
        let ratio = asked.as_secs_f64() / plain.as_secs_f64().max(1e-9);
        println!("{policy}: {asked:?} a frame, {ratio:.2} of the classifier's {plain:?}");
    }
}

fn reach(policy: &str) -> (Instant, Reach) {
    let now = Instant::now();
    let mut reach = Reach::new(NIC, is_game_port);
    reach.set_facts(LanFacts {
        own: vec![[192, 168, 50, 5].into()],
        networks: vec![([192, 168, 50, 5].into(), 24)],
        routers: vec![[192, 168, 50, 1].into()],
    });
    reach.set_policy(now, policy.parse().unwrap());
    (now + Duration::from_secs(10), reach)
}

fn game() -> Vec<u8> {
    let header = [40_000, 27_960, 1220, 0].map(u16::to_be_bytes).concat();
    ipv4(17, &[&header[..], &[0x5a; 1212]].concat())
}

fn copy() -> Vec<u8> {
    let mut segment = vec![0x9c, 0x40, 0x01, 0xbd, 0, 0, 0, 1, 0, 0, 0, 1];
    segment.extend([5 << 4, 0x10, 1, 0, 0, 0, 0, 0]);
    segment.resize(1220, 0x5a);
    ipv4(6, &segment)
}

fn ipv4(protocol: u8, upper: &[u8]) -> Vec<u8> {
    let len = u16::try_from(20 + upper.len()).unwrap().to_be_bytes();
    let addresses = [STATION.octets(), PLAYER.octets()].concat();
    let header = [0x45, 0, len[0], len[1], 0, 1, 0x40, 0, 64, protocol, 0, 0];
    let ips = [192, 168, 50, 17, 192, 168, 50, 20];
    [&addresses[..], &[8, 0], &header, &ips, upper].concat()
}
