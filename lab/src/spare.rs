//! Whether the machine had processor time to spare: if it had, what was slow was slow by itself.

use std::fs;

use anyhow::{Context, Result};

/// Processor time of the whole machine at one moment, in clock ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spare {
    idle: u64,
    all: u64,
}

impl Spare {
    /// At this moment.
    pub fn now() -> Result<Self> {
        let stat = fs::read_to_string("/proc/stat").context("read the processor's times")?;
        Self::parse(&stat).context("/proc/stat without the usual fields")
    }

    /// True when more than this part of it was idle since then.
    pub fn was_more_than(self, part: f64) -> Result<bool> {
        Ok(Self::now()?.since(self) > part)
    }

    /// user, nice, system, idle, iowait, irq, softirq, steal; what comes behind is in user already (proc_stat(5)).
    fn parse(stat: &str) -> Option<Self> {
        let times = stat.lines().next()?.strip_prefix("cpu ")?;
        let times: Vec<u64> = times
            .split_whitespace()
            .map_while(|time| time.parse().ok())
            .take(8)
            .collect();
        Some(Self {
            idle: times.get(3)? + times.get(4)?,
            all: times.iter().sum(),
        })
    }

    fn since(self, then: Self) -> f64 {
        let all = self.all.saturating_sub(then.all).max(1);
        self.idle.saturating_sub(then.idle) as f64 / all as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_is_what_nobody_used() {
        let then = Spare::parse("cpu  100 0 50 800 40 0 10 0 30 0\ncpu0 1 2 3").unwrap();
        assert_eq!((then.idle, then.all), (840, 1000));
        let now = Spare::parse("cpu  160 0 80 870 50 0 30 10 30 0\n").unwrap();
        assert!((now.since(then) - 0.4).abs() < 1e-9);
        assert_eq!(Spare::parse("processes 5"), None);
    }
}
