//! Medians, and tables in Markdown.

use std::time::Duration;

use super::aims::{Aim, Verdicts, median};
use super::measured::{BothWays, Measured, PacketRate};

/// Milliseconds.
const SHORT_TRIP: f64 = 0.15;
/// Parts and multiples of the best peer's.
const TCP_CPU: f64 = 0.2;
const SMALL_PACKETS: f64 = 5.0;

/// One program's rounds.
pub(crate) struct Row {
    name: String,
    rounds: Vec<Measured>,
}

impl Row {
    pub(crate) fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            rounds: Vec::new(),
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn add(&mut self, measured: Measured) {
        self.rounds.push(measured);
    }

    /// What the last round found of small packets.
    pub(crate) fn last_small(&self) -> Option<BothWays<f64>> {
        let last = self.rounds.last()?;
        Some(last.small.map(|rate| rate.per_second))
    }

    pub(crate) fn is_measured(&self) -> bool {
        !self.rounds.is_empty()
    }

    fn median(&self, value: impl Fn(&Measured) -> f64) -> f64 {
        median(self.rounds.iter().map(value).collect())
    }

    fn both(&self, value: impl Fn(&Measured) -> BothWays<f64>) -> BothWays<f64> {
        BothWays {
            down: self.median(|round| value(round).down),
            up: self.median(|round| value(round).up),
        }
    }

    fn trip(&self) -> [f64; 2] {
        let ms = |value: Duration| value.as_secs_f64() * 1e3;
        [
            self.median(|round| ms(round.trips.p50)),
            self.median(|round| ms(round.trips.p99)),
        ]
    }

    fn throughput(&self) -> BothWays<f64> {
        self.both(|round| round.tcp.map(|tcp| tcp.bits_per_second / 1e6))
    }

    fn cpu(&self) -> BothWays<f64> {
        self.both(|round| round.tcp.map(|tcp| tcp.cpu_seconds_per_gb))
    }

    fn small(&self) -> BothWays<f64> {
        self.both(|round| round.small.map(|rate| rate.per_second / 1e3))
    }

    /// Whether more than half of the rounds could not send more.
    fn sender_was_the_limit(&self, way: impl Fn(&BothWays<PacketRate>) -> PacketRate) -> bool {
        self.median(|round| f64::from(way(&round.small).sender_was_the_limit)) > 0.5
    }
}

/// Latency, throughput and small packets.
pub(crate) fn print_paths(bare: &Row, ours: &Row, others: &[Row]) {
    println!(
        "\n| | RTT p50 / p99, ms (60 pings/s) | above the bare path | TCP down / up, Mbit/s | CPU s per GB down / up | 100-byte UDP down / up, 1000/s |"
    );
    println!("|---|---|---|---|---|---|");
    let [plain, _] = bare.trip();
    for row in [bare, ours].into_iter().chain(others) {
        let [p50, p99] = row.trip();
        let is_bare = std::ptr::eq(row, bare);
        let above = match is_bare {
            true => String::new(),
            false => format!("{:.2} / {:.2}", p50 - plain, p99 - plain),
        };
        let tcp = row.throughput();
        let cpu = match is_bare {
            true => String::new(),
            false => format!("{:.1} / {:.1}", row.cpu().down, row.cpu().up),
        };
        let at_least = |is_limit| if is_limit { "≥ " } else { "" };
        println!(
            "| {} | {p50:.2} / {p99:.2} | {above} | {:.0} / {:.0} | {cpu} | {}{:.1} / {}{:.1} |",
            row.name,
            tcp.down,
            tcp.up,
            at_least(row.sender_was_the_limit(|small| small.down)),
            row.small().down,
            at_least(row.sender_was_the_limit(|small| small.up)),
            row.small().up,
        );
    }
    println!("\n≥: the sender got no more packets out, so the way's own limit is higher.");
}

/// The aims that ask for a comparison, of this run alone.
pub(crate) fn judge_paths(bare: &Row, ours: &Row, others: &[Row], verdicts: &mut Verdicts) {
    const COMPARED: [Aim; 4] = [Aim::Trip, Aim::TripTail, Aim::TcpCpu, Aim::SmallPackets];
    let [plain, _] = bare.trip();
    let [p50, p99] = ours.trip().map(|trip| trip - plain);
    verdicts.judge(Aim::ShortTrip, format!("{p50:.2} ms"), p50 <= SHORT_TRIP);
    if others.is_empty() {
        for aim in COMPARED {
            verdicts.leave_out(aim, "no other VPN could be had");
        }
        return;
    }
    let quickest = |index: usize| {
        let trip = |row: &&Row| row.trip()[index];
        let rows = others.iter();
        let row = rows.min_by(|one, other| trip(one).total_cmp(&trip(other)));
        let row = row.expect("there are others");
        // Without its cipher.
        let name = row.name().split(',').next().unwrap_or_default();
        (row.trip()[index] - plain, name)
    };
    let (best, whose) = quickest(0);
    let measured = format!("{p50:.2} ms, best peer {best:.2} ({whose})");
    verdicts.judge(Aim::Trip, measured, p50 < best);
    let (best, whose) = quickest(1);
    let measured = format!("{p99:.2} ms, best peer {best:.2} ({whose})");
    verdicts.judge(Aim::TripTail, measured, p99 <= best);

    let ratio = |value: fn(&Row) -> BothWays<f64>, best: fn(f64, f64) -> f64| {
        let of = |way: fn(BothWays<f64>) -> f64| {
            let others = others.iter().map(|row| way(value(row)));
            way(value(ours)) / others.reduce(best).expect("there are others")
        };
        BothWays {
            down: of(|both| both.down),
            up: of(|both| both.up),
        }
    };
    let both = |BothWays { down, up }: BothWays<f64>| format!("{down:.2} down, {up:.2} up");
    let cpu = ratio(Row::cpu, f64::min);
    verdicts.judge(Aim::TcpCpu, both(cpu), cpu.down.max(cpu.up) <= TCP_CPU);
    let small = ratio(Row::small, f64::max);
    let is_met = small.down.min(small.up) >= SMALL_PACKETS;
    verdicts.judge(Aim::SmallPackets, both(small), is_met);
}

/// Resident memory of softlan-vpn's programs, in the order of `names`.
pub(crate) fn print_memory(names: &[&str], idle: &[u64], after: &[u64], relay_with_five: u64) {
    let mb = |bytes: u64| bytes as f64 / 1e6;
    println!("\n| program | memory idle, MB | after 1 GB, MB |\n|---|---|---|");
    for ((name, idle), after) in names.iter().zip(idle).zip(after) {
        println!("| {name} | {:.1} | {:.1} |", mb(*idle), mb(*after));
    }
    println!("| relay with five players | {:.1} | |", mb(relay_with_five));
}
