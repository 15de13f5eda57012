//! Medians, and tables in Markdown.

use std::time::Duration;

use super::measured::{BothWays, Measured, PacketRate};

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

/// Latency, throughput and small packets, and which aims that meets.
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
    if !others.is_empty() {
        print_aims(bare, ours, others);
    }
}

/// The aims that ask for a comparison, as ratios of this run.
fn print_aims(bare: &Row, ours: &Row, others: &[Row]) {
    println!("\n| aim | measured | met |\n|---|---|---|");
    let aim = |what: &str, measured: String, met: bool| {
        println!(
            "| {what} | {measured} | {} |",
            if met { "yes" } else { "no" }
        );
    };
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
    let what = "TCP: CPU per GB at most 1/4 of the best peer's";
    aim(what, both(cpu), cpu.down.max(cpu.up) <= 0.25);
    let tcp = ratio(Row::throughput, f64::max);
    let what = "TCP: at least 3 times the best peer's throughput";
    aim(what, both(tcp), tcp.down.min(tcp.up) >= 3.0);
    let small = ratio(Row::small, f64::max);
    let what = "UDP, 100 bytes: at least 3 times the best peer's rate";
    aim(what, both(small), small.down.min(small.up) >= 3.0);

    let [plain, _] = bare.trip();
    let [p50, p99] = ours.trip().map(|trip| trip - plain);
    let what = "RTT: at most 0.15 ms p50 and 0.6 ms p99 above the bare path";
    aim(
        what,
        format!("{p50:.2} / {p99:.2} ms"),
        p50 <= 0.15 && p99 <= 0.6,
    );
    let best = |index: usize| {
        let trips = others.iter().map(|row| row.trip()[index] - plain);
        trips.fold(f64::INFINITY, f64::min)
    };
    let what = "RTT: not above any peer's";
    let measured = format!(
        "{p50:.2} / {p99:.2} ms, best {:.2} / {:.2}",
        best(0),
        best(1)
    );
    aim(what, measured, p50 <= best(0) && p99 <= best(1));
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

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_median_ignores_one_bad_round() {
        assert_eq!(super::median(vec![3.0, 900.0, 2.0]), 3.0);
    }
}
