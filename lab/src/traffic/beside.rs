//! A game's packets beside bulk traffic.

use std::net::IpAddr;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use super::{IperfReport, Load, iperf};
use crate::{Machine, pass};

/// What a game sends.
const PER_SECOND: f64 = 60.0;
/// Bulk traffic has found the path's rate after this.
const BEGIN: Duration = Duration::from_secs(2);

/// How a game's packets fared.
#[derive(Clone, Debug)]
pub struct Trips {
    sorted: Vec<Duration>,
    /// Part of them that got lost, 0 to 1.
    pub lost: f64,
}

impl Trips {
    /// Sends a game's packets for a while; they are echoed.
    pub fn measure(from: &Machine, to: IpAddr, time: Duration) -> Result<Self> {
        let count = (time.as_secs_f64() * PER_SECOND) as u32;
        let sorted = from.round_trips(to, count, PER_SECOND)?;
        ensure!(!sorted.is_empty(), "no packet came back");
        let lost = 1.0 - sorted.len() as f64 / f64::from(count);
        Ok(Self { sorted, lost })
    }

    /// The round trip that so many of a hundred did not exceed.
    pub fn quantile(&self, percent: usize) -> Duration {
        self.sorted[(self.sorted.len() - 1) * percent / 100]
    }
}

/// Bulk traffic from one machine to an address of another.
#[derive(Clone, Copy, Debug)]
pub struct Bulk<'a> {
    /// Who sends.
    pub from: &'a Machine,
    /// Who receives.
    pub to: &'a Machine,
    /// Where.
    pub address: IpAddr,
    /// How much.
    pub load: Load,
}

/// Measures a game's packets while bulk traffic runs, which must last two seconds longer than `time`.
pub fn trips_beside(
    from: &Machine,
    to: IpAddr,
    time: Duration,
    bulk: &[Bulk<'_>],
) -> Result<(Trips, Vec<IperfReport>)> {
    thread::scope(|scope| {
        let running: Vec<_> = bulk
            .iter()
            .map(|bulk| scope.spawn(|| iperf(bulk.from, bulk.to, bulk.address, bulk.load)))
            .collect();
        pass(BEGIN);
        let trips = Trips::measure(from, to, time);
        let reports = running.into_iter().map(|bulk| match bulk.join() {
            Ok(report) => report,
            Err(_) => bail!("the bulk traffic panicked"),
        });
        let reports: Result<Vec<_>> = reports.collect();
        Ok((trips.context("the game beside bulk traffic")?, reports?))
    })
}
