//! What a frame's type and contents cost to judge, in time and allocations (`cargo bench -p lanparty-switch`).
//!
//! An item is one frame: 1304 bytes of TCP or UDP over IPv4, or an ARP question.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a benchmark owns the clock and may panic"
)]

use divan::counter::ItemsCount;
use divan::{AllocProfiler, Bencher, black_box};
use lanparty_proto::MacAddr;
use lanparty_switch::{Speaker, classify};

#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

const CLIENT: [u8; 6] = [2, 0, 0, 0, 0, 1];

fn main() {
    divan::main();
}

#[divan::bench(args = ["tcp", "udp", "arp"])]
fn from_a_player(bencher: Bencher, kind: &str) {
    let frame = match kind {
        "tcp" => tcp(),
        "udp" => udp(),
        _ => arp(),
    };
    let speaker = Speaker::Player(MacAddr::new(CLIENT));
    assert!(classify(&frame, speaker).is_ok());
    bencher
        .counter(ItemsCount::new(1u8))
        .bench_local(|| black_box(classify(black_box(&frame), speaker).is_ok()));
}

fn ethernet(ether_type: u16, packet: &[u8]) -> Vec<u8> {
    let addresses = [[2, 0, 0, 0, 0, 2], CLIENT].concat();
    [&addresses[..], &ether_type.to_be_bytes(), packet].concat()
}

fn ipv4(protocol: u8, upper: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x45, 0];
    packet.extend((20 + upper.len() as u16).to_be_bytes());
    packet.extend([0, 1, 0x40, 0, 64, protocol, 0, 0]);
    packet.extend([10, 0, 0, 1, 10, 0, 0, 2]);
    packet.extend(upper);
    ethernet(0x0800, &packet)
}

fn tcp() -> Vec<u8> {
    let mut segment = vec![0x9c, 0x40, 0x13, 0x88, 0, 0, 0, 1, 0, 0, 0, 1];
    segment.extend([5 << 4, 0x10, 1, 0, 0, 0, 0, 0]);
    segment.resize(20 + 1250, 0x5a);
    ipv4(6, &segment)
}

fn udp() -> Vec<u8> {
    let mut datagram = vec![0x6d, 0x38, 0x6d, 0x38, 0x04, 0xf6, 0, 0];
    datagram.resize(8 + 1262, 0x5a);
    ipv4(17, &datagram)
}

fn arp() -> Vec<u8> {
    let mut packet = vec![0, 1, 8, 0, 6, 4, 0, 1];
    packet.extend(CLIENT);
    packet.extend([10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 10, 0, 0, 2]);
    ethernet(0x0806, &packet)
}
