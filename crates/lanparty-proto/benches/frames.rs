//! What the steps of a frame's way cost, in time and allocations (`cargo bench -p lanparty-proto`).
//!
//! An item is one frame: 1304 bytes of TCP or UDP over IPv4, or 1514 where it is cut in two.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a benchmark owns the clock and may panic"
)]

use bytes::Bytes;
use divan::counter::ItemsCount;
use divan::{AllocProfiler, Bencher, black_box};
use lanparty_proto::flow::Flow;
use lanparty_proto::fragment::{self, Fragment, Reassembler};
use lanparty_proto::frame_buf::FrameSlab;
use lanparty_proto::offload::{VnetHeader, wire_frames};
use lanparty_proto::{DatagramBudget, Header, PeerId, RoomId, mss};
use std::time::Instant;

#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

const CLIENT: [u8; 6] = [2, 0, 0, 0, 0, 1];
const ACK: u8 = 0x10;
const SYN: u8 = 0x02;

fn main() {
    divan::main();
}

/// From the port's read into a slab, and our header before it.
#[divan::bench]
fn encode(bencher: Bencher) {
    let (frame, mut slab) = (tcp(ACK), FrameSlab::default());
    bencher.counter(ItemsCount::new(1u8)).bench_local(|| {
        let wires = wire_frames(VnetHeader::default(), black_box(&frame)).unwrap();
        for wire in wires {
            black_box(wire.write_into(&mut slab).into_datagram(header()));
        }
    });
}

#[divan::bench]
fn decode(bencher: Bencher) {
    let mut datagram = header().encode().to_vec();
    datagram.extend(tcp(ACK));
    bencher
        .counter(ItemsCount::new(1u8))
        .bench_local(|| black_box(Header::decode(black_box(&datagram)).is_ok()));
}

#[divan::bench(args = ["data", "syn"])]
fn clamp_mss(bencher: Bencher, kind: &str) {
    let mut frame = tcp(if kind == "syn" { SYN } else { ACK });
    let budget = DatagramBudget::new(1312).unwrap();
    bencher
        .counter(ItemsCount::new(1u8))
        .bench_local(|| black_box(mss::clamp(black_box(&mut frame), budget)));
}

#[divan::bench]
fn flow_of(bencher: Bencher) {
    let frame = tcp(ACK);
    bencher
        .counter(ItemsCount::new(1u8))
        .bench_local(|| black_box(Flow::of(black_box(&frame))));
}

#[divan::bench]
fn cut_in_two(bencher: Bencher) {
    let (frame, budget) = (vec![7; 1514], DatagramBudget::new(1312).unwrap());
    bencher.counter(ItemsCount::new(1u8)).bench_local(|| {
        for piece in fragment::cut(header(), 1, black_box(&frame), budget) {
            black_box(piece);
        }
    });
}

#[divan::bench]
fn reassemble_of_two(bencher: Bencher) {
    let (frame, budget) = (vec![7; 1514], DatagramBudget::new(1312).unwrap());
    let pieces: Vec<Bytes> = fragment::cut(header(), 1, &frame, budget).collect();
    let (mut reassembler, now) = (Reassembler::default(), Instant::now());
    bencher.counter(ItemsCount::new(1u8)).bench_local(|| {
        for piece in &pieces {
            let (_, body) = Header::decode(piece).unwrap();
            let piece = Fragment::decode(body).unwrap();
            black_box(reassembler.insert(now, piece).unwrap());
        }
    });
}

fn header() -> Header {
    Header {
        peer: PeerId::new(2).unwrap(),
        room: RoomId::new(7).unwrap(),
        fragment: false,
    }
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

/// A SYN has an MSS option, other segments have 1250 bytes.
fn tcp(flags: u8) -> Vec<u8> {
    let words = if flags == SYN { 6 } else { 5 };
    let mut segment = vec![0x9c, 0x40, 0x13, 0x88, 0, 0, 0, 1, 0, 0, 0, 1];
    segment.extend([words << 4, flags, 1, 0, 0, 0, 0, 0]);
    match flags {
        SYN => segment.extend([2, 4, 0x05, 0xb4]),
        _ => segment.resize(20 + 1250, 0x5a),
    }
    ipv4(6, &segment)
}
