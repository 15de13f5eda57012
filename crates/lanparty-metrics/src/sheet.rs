//! A program's numbers at one moment, on their way into Prometheus' text format.

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet, prometheus_text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;
use std::fmt;
use std::time::Duration;

/// Names of labels and what they are: both from the code, never from anybody's frames or words.
pub(crate) type Labels<'a> = &'a [(&'static str, &'a str)];

/// A distribution: how many were no more than each bound, each counted in one place only.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Buckets {
    /// The bounds in rising order, and how many lie between each and the one before.
    pub counts: Vec<(f64, u64)>,
    /// How many were more than the last bound.
    pub beyond: u64,
    /// All of them, added.
    pub sum: f64,
}

#[derive(Debug)]
enum Value {
    Counter(u64),
    Gauge(f64),
    Histogram(Buckets),
}

#[derive(Debug)]
struct Family {
    name: String,
    help: &'static str,
    kind: MetricType,
    samples: Vec<(Vec<(&'static str, String)>, Value)>,
}

/// Metrics, in the order in which they were written down. Names are those of the program, without its prefix, and
/// without a counter's `_total`.
#[derive(Debug)]
pub struct Sheet {
    prefix: &'static str,
    families: Vec<Family>,
}

impl Sheet {
    /// An empty sheet; each name begins with `prefix`.
    pub(crate) fn new(prefix: &'static str) -> Self {
        Sheet {
            prefix,
            families: Vec::new(),
        }
    }

    /// A sheet with what every program says of itself.
    pub fn of_program(prefix: &'static str, uptime: Duration, lag: Buckets) -> Self {
        let mut sheet = Sheet::new(prefix);
        let version = [("version", env!("CARGO_PKG_VERSION"))];
        sheet.gauge("build_info", "The program, by its version", &version, 1.0);
        let help = "For how long it has been serving";
        sheet.gauge("uptime_seconds", help, &[], uptime.as_secs_f64());
        let help = "How late timers fire in the loop that carries frames";
        sheet.histogram("loop_lag_seconds", help, lag);
        sheet
    }

    /// What only ever grows. The same name again is another line of it.
    pub fn counter(&mut self, name: &str, help: &'static str, labels: Labels<'_>, value: u64) {
        let sample = Value::Counter(value);
        self.add(self.named(name), help, MetricType::Counter, labels, sample);
    }

    /// What goes up and down.
    pub fn gauge(&mut self, name: &str, help: &'static str, labels: Labels<'_>, value: f64) {
        let sample = Value::Gauge(value);
        self.add(self.named(name), help, MetricType::Gauge, labels, sample);
    }

    /// How something is distributed.
    pub fn histogram(&mut self, name: &str, help: &'static str, buckets: Buckets) {
        let sample = Value::Histogram(buckets);
        self.add(self.named(name), help, MetricType::Histogram, &[], sample);
    }

    /// A counter whose name is the same for all programs.
    pub(crate) fn common_counter(&mut self, name: &str, help: &'static str, value: f64) {
        // What is counted in parts of a second is none of the whole numbers.
        self.add(
            name.to_owned(),
            help,
            MetricType::Counter,
            &[],
            Value::Gauge(value),
        );
    }

    /// A gauge whose name is the same for all programs.
    pub(crate) fn common_gauge(&mut self, name: &str, help: &'static str, value: f64) {
        self.add(
            name.to_owned(),
            help,
            MetricType::Gauge,
            &[],
            Value::Gauge(value),
        );
    }

    fn named(&self, name: &str) -> String {
        format!("{}_{name}", self.prefix)
    }

    fn add(
        &mut self,
        name: String,
        help: &'static str,
        kind: MetricType,
        labels: Labels<'_>,
        value: Value,
    ) {
        let labels = labels.iter().map(|&(name, value)| (name, value.to_owned()));
        let sample = (labels.collect(), value);
        match self.families.iter_mut().find(|family| family.name == name) {
            Some(family) => family.samples.push(sample),
            None => self.families.push(Family {
                name,
                help,
                kind,
                samples: vec![sample],
            }),
        }
    }

    /// All of it, as Prometheus reads it.
    pub fn text(self) -> String {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(self));
        let mut text = String::new();
        prometheus_text::encode(&mut text, &registry).expect("a string takes what is written");
        text
    }
}

impl Collector for Sheet {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        for family in &self.families {
            let mut metric =
                encoder.encode_descriptor(&family.name, family.help, None, family.kind)?;
            for (labels, value) in &family.samples {
                let labels: Vec<_> = labels
                    .iter()
                    .map(|(name, value)| (*name, &**value))
                    .collect();
                let labels = &labels[..];
                match labels.is_empty() {
                    true => value.encode(family.kind, &mut metric)?,
                    false => value.encode(family.kind, &mut metric.encode_family(&labels)?)?,
                }
            }
        }
        Ok(())
    }
}

impl Value {
    fn encode(&self, kind: MetricType, metric: &mut MetricEncoder<'_>) -> fmt::Result {
        match self {
            Value::Counter(count) => metric.encode_counter::<NoLabelSet, _, u64>(count, None),
            Value::Gauge(value) if matches!(kind, MetricType::Counter) => {
                metric.encode_counter::<NoLabelSet, _, u64>(value, None)
            }
            Value::Gauge(value) => metric.encode_gauge(value),
            Value::Histogram(Buckets {
                counts,
                beyond,
                sum,
            }) => {
                let count = counts.iter().map(|(_, count)| count).sum::<u64>() + beyond;
                metric.encode_histogram::<NoLabelSet>(*sum, count, counts, None)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sheet_is_written_as_prometheus_reads_it() {
        let mut sheet = Sheet::new("lanparty_test");
        sheet.gauge("rooms", "Rooms that are open", &[], 3.0);
        let help = "Frames that were dropped";
        sheet.counter("dropped_frames", help, &[("reason", "runt")], 7);
        sheet.counter("dropped_frames", help, &[("reason", "jumbo")], u64::MAX);
        let counts = vec![(0.001, 5), (0.01, 2)];
        let waits = Buckets {
            counts,
            beyond: 1,
            sum: 1.5,
        };
        sheet.histogram("wait_seconds", "How long frames wait", waits);
        let text = sheet.text();
        for line in [
            "# TYPE lanparty_test_rooms gauge",
            "lanparty_test_rooms 3.0",
            "# TYPE lanparty_test_dropped_frames_total counter",
            "lanparty_test_dropped_frames_total{reason=\"runt\"} 7",
            "lanparty_test_dropped_frames_total{reason=\"jumbo\"} 18446744073709551615",
            "lanparty_test_wait_seconds_bucket{le=\"0.001\"} 5",
            "lanparty_test_wait_seconds_bucket{le=\"0.01\"} 7",
            "lanparty_test_wait_seconds_bucket{le=\"+Inf\"} 8",
            "lanparty_test_wait_seconds_sum 1.5",
            "lanparty_test_wait_seconds_count 8",
        ] {
            assert!(text.lines().any(|is| is == line), "{line}\n{text}");
        }
        assert_eq!(text.matches("# HELP").count(), 3, "{text}");
    }
}
