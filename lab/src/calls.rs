//! What a ping costs the programs it passes: their system calls, and their packets on the internet. Unlike processor time
//! that hardly depends on the machine.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::{Machine, Party, Process, Venue, pass};

const PER_SECOND: f64 = 60.0;
/// A machine with other work may take as long to answer strace.
const SOON: Duration = Duration::from_secs(10);

/// What one ping and its answer have cost client, relay and gateway together, beyond what they do anyway.
#[derive(Clone, Copy, Debug)]
pub struct PerPing {
    /// System calls.
    pub calls: f64,
    /// UDP packets on the internet.
    pub packets: f64,
    /// System calls a second of the three together while nothing is sent.
    pub idle: f64,
    /// Part of the answers that took longer than `slow`, 0 to 1.
    pub slow: f64,
}

/// Lets the first player send so many pings, 60 a second, and counts; prints each system call that a ping costs.
///
/// Answers that take longer than `slow` are counted, too. Needs `ping` and `strace`.
pub fn per_ping(party: &Party, pings: u32, slow: Duration) -> Result<PerPing> {
    let player = &party.players[0].machine;
    let mut slow_ones = 0;
    let busy = cost(party, || {
        let times = player.round_trips(Venue::LAN1, pings, PER_SECOND)?;
        slow_ones = pings as usize - times.partition_point(|time| *time < slow);
        Ok(())
    })?;
    let idle = cost(party, || {
        pass(busy.took);
        Ok(())
    })?;
    let (calls, packets) = show(&busy, &idle, pings);
    let slow = slow_ones as f64 / f64::from(pings);
    Ok(PerPing {
        calls,
        packets,
        idle: idle.calls_a_second(),
        slow,
    })
}

/// What a while has cost.
struct Cost {
    took: Duration,
    packets: u64,
    /// The calls of each program, and those of them that failed.
    calls: BTreeMap<&'static str, BTreeMap<String, (u64, u64)>>,
}

impl Cost {
    fn calls_a_second(&self) -> f64 {
        let counts = self.calls.values().flat_map(BTreeMap::values);
        let sum: u64 = counts.map(|(calls, _)| calls).sum();
        sum as f64 / self.took.as_secs_f64()
    }
}

/// What the programs do while `action` lasts.
fn cost(party: &Party, action: impl FnOnce() -> Result<()>) -> Result<Cost> {
    let folder = party.venue.lab.folder();
    let table = |name: &str| folder.join(format!("{name}-calls"));
    let programs = programs(party);
    let tracers: Vec<_> = programs
        .iter()
        .map(|(name, machine, program)| {
            let (table, id) = (table(name).display().to_string(), program.id().to_string());
            let title = format!("strace-{name}");
            machine.spawn(&title, ["strace", "-f", "-c", "-o", &table, "-p", &id])
        })
        .collect::<Result<_>>()?;
    for tracer in &tracers {
        tracer.wait_for_line("attached", SOON)?;
    }
    let (begin, before) = (Instant::now(), packets(party)?);
    action()?;
    let (took, packets) = (begin.elapsed(), packets(party)? - before);
    let mut calls = BTreeMap::new();
    for ((name, ..), tracer) in programs.iter().zip(&tracers) {
        tracer.interrupt()?;
        let table = fs::read_to_string(table(name)).context("read what strace has counted")?;
        calls.insert(*name, table.lines().filter_map(row).collect());
    }
    Ok(Cost {
        took,
        packets,
        calls,
    })
}

fn programs(party: &Party) -> [(&'static str, &Machine, &Process); 3] {
    let (venue, player) = (&party.venue, &party.players[0]);
    [
        ("client", &player.machine, &player.program),
        ("relay", &venue.relay, &party.relay),
        ("gateway", &venue.gateway, &party.gateway),
    ]
}

/// Packets that the three have sent over the internet.
fn packets(party: &Party) -> Result<u64> {
    let sent = programs(party).map(|(_, machine, _)| machine.packets_sent("wan0"));
    sent.into_iter().sum()
}

/// A row of strace's table: per cent, seconds, microseconds a call, calls, errors if there were any, name.
fn row(line: &str) -> Option<(String, (u64, u64))> {
    let words: Vec<_> = line.split_whitespace().collect();
    let [_, _, _, calls, errors @ .., name] = &words[..] else {
        return None;
    };
    let errors = errors.first().map_or(Ok(0), |errors| errors.parse());
    let is_sum = *name == "total";
    (!is_sum).then_some((name.to_string(), (calls.parse().ok()?, errors.ok()?)))
}

/// Prints what each ping has cost beyond what the programs do anyway; answers calls and packets.
fn show(busy: &Cost, idle: &Cost, pings: u32) -> (f64, f64) {
    let share = busy.took.as_secs_f64() / idle.took.as_secs_f64();
    let per_ping = |busy: u64, idle: u64| (busy as f64 - idle as f64 * share) / f64::from(pings);
    let mut sum = 0.0;
    for (program, calls) in &busy.calls {
        let names: BTreeSet<_> = calls.keys().chain(idle.calls[program].keys()).collect();
        for name in names {
            let of = |calls: &BTreeMap<String, (u64, u64)>| calls.get(name).copied();
            let (now, anyway) = (
                of(calls).unwrap_or_default(),
                of(&idle.calls[program]).unwrap_or_default(),
            );
            let (all, failed) = (per_ping(now.0, anyway.0), per_ping(now.1, anyway.1));
            if all.abs() >= 0.02 {
                eprintln!("{program:>8} {name:<16} {all:6.2} a ping, {failed:5.2} of them in vain");
            }
            sum += all;
        }
    }
    (sum, per_ping(busy.packets, idle.packets))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_rows_of_strace_with_and_without_errors() {
        let row = |line| row(line);
        assert_eq!(
            row(" 40.12    0.000104           0       241        12 recvmmsg"),
            Some(("recvmmsg".to_owned(), (241, 12)))
        );
        assert_eq!(
            row(" 11.00    0.000004           0       240           sendmsg"),
            Some(("sendmsg".to_owned(), (240, 0)))
        );
        for other in [
            "% time     seconds  usecs/call     calls    errors syscall",
            "------ ----------- ----------- --------- --------- ----------------",
            "100.00    0.000108           0       481        12 total",
        ] {
            assert_eq!(row(other), None);
        }
    }
}
