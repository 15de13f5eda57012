//! What splitting and joining cost, in time and allocations (`cargo bench -p lanparty-proto`).
//!
//! An item is one wire frame with 1348 bytes of TCP payload; 47 of them make a full super-frame.
#![allow(clippy::unwrap_used, reason = "a benchmark may panic")]

use divan::counter::ItemsCount;
use divan::{AllocProfiler, Bencher, black_box};
use lanparty_proto::checksum::Sum;
use lanparty_proto::coalesce::Coalescer;
use lanparty_proto::frame_buf::FrameSlab;
use lanparty_proto::offload::{VnetHeader, wire_frames};

#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

const COUNTS: [u16; 3] = [1, 8, 47];
const PAYLOAD: u16 = 1348;

fn main() {
    divan::main();
}

#[divan::bench(args = COUNTS)]
fn split(bencher: Bencher, count: u16) {
    let (header, frame) = super_frame(count);
    let mut slab = FrameSlab::default();
    bencher.counter(ItemsCount::new(count)).bench_local(|| {
        for wire in wire_frames(header, &frame).unwrap() {
            black_box(wire.write_into(&mut slab));
        }
    });
}

#[divan::bench(args = COUNTS)]
fn join(bencher: Bencher, count: u16) {
    let (header, frame) = super_frame(count);
    let mut slab = FrameSlab::default();
    let frames: Vec<_> = wire_frames(header, &frame)
        .unwrap()
        .map(|wire| wire.write_into(&mut slab).frame().to_vec())
        .collect();
    let mut coalescer = Coalescer::default();
    bencher.counter(ItemsCount::new(count)).bench_local(|| {
        for joined in coalescer.join(&frames) {
            joined.pieces().for_each(|piece| {
                black_box(piece);
            });
        }
    });
}

/// So many segments of a TCP flow over IPv4, in one.
fn super_frame(count: u16) -> (VnetHeader, Vec<u8>) {
    let tcp_len = 20 + PAYLOAD * count;
    let (from, to) = ([10, 0, 0, 1], [10, 0, 0, 2]);
    let mut frame = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x08, 0x00, 0x45, 0];
    frame.extend((20 + tcp_len).to_be_bytes());
    frame.extend([0, 1, 0x40, 0, 64, 6, 0, 0]);
    frame.extend([from, to].concat());
    frame.extend([
        0x9c, 0x40, 0x13, 0x88, 0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x10, 1, 0,
    ]);
    let sum = Sum::pseudo_v4(from, to, 6, tcp_len).folded();
    frame.extend([sum.to_be_bytes(), [0, 0]].concat());
    frame.resize(54 + usize::from(PAYLOAD * count), 0x5a);
    let header = VnetHeader {
        flags: VnetHeader::NEEDS_CSUM,
        gso_type: VnetHeader::GSO_TCPV4,
        hdr_len: 54,
        gso_size: PAYLOAD,
        csum_start: 34,
        csum_offset: 16,
    };
    (header, frame)
}
