//! The evening in words.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use lanparty_lab::traffic::PingReport;

use crate::STALE;
use crate::faults::Fault;

/// How one fault went.
pub(crate) struct Row {
    /// The longest time without an answer, in either direction.
    silence: Duration,
    /// How long after the last thing was back it ended.
    whole_after: Duration,
    tcp: Result<()>,
    stale: Option<Duration>,
    twice: usize,
    /// Of the pings of each direction when all had settled, how many there were and how many got lost.
    calm: [(usize, usize); 2],
}

/// One lost ping in so many is a busy machine's, where nothing is wrong any more.
const MOST_LOST: usize = 50;

impl Row {
    pub(crate) fn new(
        back: Instant,
        reports: &[PingReport],
        calm: &[PingReport; 2],
        tcp: Result<()>,
    ) -> Self {
        let recovered = reports.iter().filter_map(|report| report.recovered);
        let oldest = reports.iter().map(|report| report.oldest).max();
        Self {
            silence: reports
                .iter()
                .map(|report| report.silence)
                .max()
                .unwrap_or_default(),
            whole_after: recovered
                .map(|end| end.saturating_duration_since(back))
                .max()
                .unwrap_or_default(),
            tcp,
            stale: oldest.filter(|oldest| *oldest > STALE),
            twice: reports.iter().map(|report| report.twice).sum(),
            calm: calm.each_ref().map(|report| (report.sent, report.lost)),
        }
    }

    fn broken_promises(&self, fault: &Fault) -> Vec<String> {
        let mut broken = Vec::new();
        if self.whole_after > fault.within {
            broken.push(format!("more than {:?} until all was well", fault.within));
        }
        if self.silence < fault.gone {
            broken.push(format!(
                "it did not happen: nobody was silent for {:?}",
                fault.gone
            ));
        }
        for (sent, lost) in self.calm {
            if sent == 0 || lost * MOST_LOST > sent {
                broken.push(format!(
                    "{lost} of {sent} pings got lost when all had settled"
                ));
            }
        }
        if let (Err(error), false) = (&self.tcp, fault.may_end_tcp) {
            broken.push(format!("{error:#}"));
        }
        if let Some(age) = self.stale {
            broken.push(format!("an answer came {age:.1?} late"));
        }
        if self.twice > 0 {
            broken.push(format!("{} answers came twice", self.twice));
        }
        broken
    }
}

/// Printed row by row.
pub(crate) struct Table {
    failures: Vec<String>,
}

impl Table {
    pub(crate) fn begin() -> Self {
        println!(
            "\n{:<44} {:>9} {:>12}   {:<14} LAN address",
            "what happens", "silence", "well after", "SSH session"
        );
        Self {
            failures: Vec::new(),
        }
    }

    pub(crate) fn add(&mut self, fault: &Fault, outcome: &Result<Row>) {
        let broken = match outcome {
            Err(error) => {
                println!("{:<44} {:>9}", fault.name, "for good");
                vec![format!("{error:#}")]
            }
            Ok(row) => {
                println!(
                    "{:<44} {:>9} {:>12}   {:<14} stays",
                    fault.name,
                    seconds(row.silence),
                    seconds(row.whole_after),
                    if row.tcp.is_ok() { "lives" } else { "ends" },
                );
                row.broken_promises(fault)
            }
        };
        for promise in broken {
            println!("    but {promise}");
            self.failures.push(format!("{}: {promise}", fault.name));
        }
    }

    pub(crate) fn end(self) -> Result<()> {
        ensure!(self.failures.is_empty(), "{}", self.failures.join("\n"));
        Ok(())
    }
}

/// What is shorter than a busy machine's hiccup is none.
fn seconds(time: Duration) -> String {
    match time.as_secs_f32() {
        short if short < 0.25 => "none".to_owned(),
        seconds => format!("{seconds:.1} s"),
    }
}
