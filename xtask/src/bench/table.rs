//! Medians, and tables in Markdown.

use super::Measured;

/// One program's rounds.
pub(crate) struct Row {
    name: &'static str,
    rounds: Vec<Measured>,
}

impl Row {
    pub(crate) fn new(name: &'static str) -> Self {
        Self {
            name,
            rounds: Vec::new(),
        }
    }

    pub(crate) fn add(&mut self, measured: Measured) {
        self.rounds.push(measured);
    }

    fn median(&self, value: impl Fn(&Measured) -> f64) -> f64 {
        median(self.rounds.iter().map(value).collect())
    }
}

/// Latency and throughput.
pub(crate) fn print_paths(rows: &[Row]) {
    println!(
        "\n| | RTT added p50 / p99, ms (60 pings/s) | bare path p50, ms | TCP down / up, Mbit/s | CPU s per GB down / up |"
    );
    println!("|---|---|---|---|---|");
    for row in rows {
        let ms = |value: std::time::Duration| value.as_secs_f64() * 1e3;
        let p50 = row.median(|round| ms(round.tunnel.p50) - ms(round.bare.p50));
        let p99 = row.median(|round| ms(round.tunnel.p99) - ms(round.bare.p50));
        let bare = row.median(|round| ms(round.bare.p50));
        let [down, up] = [
            row.median(|round| round.down.bits_per_second / 1e6),
            row.median(|round| round.up.bits_per_second / 1e6),
        ];
        let [down_cpu, up_cpu] = [
            row.median(|round| round.down.cpu_seconds_per_gb),
            row.median(|round| round.up.cpu_seconds_per_gb),
        ];
        let name = row.name;
        println!(
            "| {name} | {p50:.2} / {p99:.2} | {bare:.2} | {down:.0} / {up:.0} | {down_cpu:.1} / {up_cpu:.1} |"
        );
    }
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
