//! What one verdict costs, in time and allocations (`cargo bench -p lanparty-relay`).
//!
//! Measured is all that happens under the lock: header, classifier, buckets and switch, and the
//! counted handles of the targets. Aim: under 300 ns and no allocation for known unicast.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a benchmark owns the clock and may panic"
)]

use bytes::Bytes;
use divan::{AllocProfiler, Bencher, black_box};
use lanparty_ctrl::ResumeToken;
use lanparty_ctrl::message::{Entry, Newcomer};
use lanparty_proto::{DatagramBudget, Header, MacAddr, VirtualMac, fragment};
use lanparty_relay::registry::Seat;
use lanparty_relay::room::Verdict;
use lanparty_relay::{Limits, Rate, Rates, Registry};
use std::sync::Arc;
use std::time::{Duration, Instant};

#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

const MEMBERS: [usize; 3] = [2, 16, 64];
const LAN_HOST: MacAddr = MacAddr::new([0, 0x16, 0x3e, 0, 0, 1]);

fn main() {
    divan::main();
}

#[divan::bench(args = MEMBERS)]
fn lan_to_player(bencher: Bencher, members: usize) {
    let party = Party::new(members);
    let datagram = whole(party.gateway, client_mac(1), LAN_HOST);
    let from = party.gateway;
    party.measure(bencher, from, vec![datagram]);
}

#[divan::bench(args = MEMBERS)]
fn player_to_lan(bencher: Bencher, members: usize) {
    let mut party = Party::new(members);
    let heard = whole(party.gateway, client_mac(1), LAN_HOST);
    party
        .registry
        .handle_datagram(party.now, party.gateway, heard);
    let datagram = whole(party.player, LAN_HOST, client_mac(1));
    let from = party.player;
    party.measure(bencher, from, vec![datagram]);
}

#[divan::bench(args = MEMBERS)]
fn player_to_everybody(bencher: Bencher, members: usize) {
    let party = Party::new(members);
    let datagram = whole(party.player, MacAddr::BROADCAST, client_mac(1));
    let from = party.player;
    party.measure(bencher, from, vec![datagram]);
}

#[divan::bench(args = MEMBERS)]
fn player_to_lan_in_two_pieces(bencher: Bencher, members: usize) {
    let party = Party::new(members);
    let frame = frame(LAN_HOST, client_mac(1));
    let budget = DatagramBudget::new(800).unwrap();
    let pieces = fragment::cut(header(party.player), 1, &frame, budget).collect();
    let from = party.player;
    party.measure(bencher, from, pieces);
}

#[divan::bench(args = MEMBERS)]
fn forged_source_dropped(bencher: Bencher, members: usize) {
    let party = Party::new(members);
    let datagram = whole(party.player, MacAddr::BROADCAST, LAN_HOST);
    let from = party.player;
    party.measure(bencher, from, vec![datagram]);
}

struct Party {
    registry: Registry<Arc<()>>,
    now: Instant,
    gateway: Seat,
    player: Seat,
}

impl Party {
    /// A gateway and players, whose buckets never run dry.
    fn new(members: usize) -> Self {
        let endless = Rate {
            burst: u32::MAX,
            per_second: u32::MAX,
        };
        let rates = Rates {
            control: endless,
            group: endless,
            unknown: endless,
            frames: endless,
            bytes: endless,
            lan: endless,
        };
        let limits = Limits {
            peers_per_address: members,
            ..Limits::default()
        };
        let mut registry = Registry::new(limits, rates);
        let now = Instant::now();
        let mut admit = |who| {
            let (room, budget) = ("lanparty".parse(), DatagramBudget::new(1312));
            let entry = Entry::new(room.unwrap(), who, budget.unwrap());
            let token = ResumeToken::from_random([0; 16]);
            let source = [192, 0, 2, 1].into();
            let admitted = registry.admit(now, &entry, source, token, Arc::new(()));
            admitted.unwrap().place
        };
        let gateway = admit(Newcomer::Gateway);
        let players: Vec<_> = (1..members)
            .map(|number| VirtualMac::try_from(client_mac(number as u8)).unwrap())
            .map(|mac| admit(Newcomer::Client(mac)))
            .collect();
        Party {
            player: players[0],
            gateway,
            registry,
            now,
        }
    }

    fn measure(mut self, bencher: Bencher, from: Seat, datagrams: Vec<Bytes>) {
        bencher.bench_local(|| {
            for datagram in &datagrams {
                self.now += Duration::from_micros(1);
                let verdict = self
                    .registry
                    .handle_datagram(self.now, from, datagram.clone());
                assert!(!matches!(verdict, Verdict::Expel(_)));
                black_box(verdict);
            }
        });
    }
}

fn client_mac(number: u8) -> MacAddr {
    MacAddr::new([2, 0, 0, 0, 0, number])
}

/// A full frame of a kind that the classifier must look into: UDP over IPv4.
fn frame(destination: MacAddr, source: MacAddr) -> Vec<u8> {
    let mut frame = [destination.octets(), source.octets()].concat();
    frame.extend([0x08, 0x00, 0x45, 0, 0x05, 0x0a, 0, 0, 0x40, 0, 64, 17, 0, 0]);
    frame.extend([
        10, 0, 0, 1, 10, 0, 0, 2, 0x6d, 0x38, 0x6d, 0x38, 0x04, 0xf6, 0, 0,
    ]);
    frame.resize(1304, 0x5a);
    frame
}

fn whole(from: Seat, destination: MacAddr, source: MacAddr) -> Bytes {
    let frame = frame(destination, source);
    [&header(from).encode()[..], &frame].concat().into()
}

fn header(from: Seat) -> Header {
    Header {
        peer: from.peer,
        room: from.room,
        fragment: false,
    }
}
