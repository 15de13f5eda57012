//! What a ping costs the programs it passes: their system calls, and their packets on the internet. Unlike processor time
//! that hardly depends on the machine.

#![allow(
    clippy::disallowed_methods,
    reason = "shell: this test looks at the clock"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use lanparty_lab::{Machine, Needs, Party, Process, Suite, Venue, checks, pass, run};

const PINGS: u32 = 240;
const PER_SECOND: f64 = 60.0;
/// As often is it tried: other work on the machine puts acknowledgements and wake-ups between.
const ROUNDS: usize = 3;
/// A machine with other work may take as long to answer strace.
const SOON: Duration = Duration::from_secs(10);
/// Answers that take longer are acknowledged by packets of their own (RFC 9000 §18.2, max_ack_delay), at both ends of
/// both links; so are pings that were sent so late.
const SLOW: Duration = Duration::from_millis(20);
const PACKETS_OF_A_SLOW_PING: f64 = 4.0;
const CALLS_OF_A_SLOW_PING: f64 = 12.0;

/// Ping and answer, once over each of two links; and now and then one that has nobody to ride on.
const MOST_PACKETS: f64 = 4.1;
/// Measured are 24 to 28, the fewer the busier the machine; docs/performance.md says which are in vain.
const MOST_CALLS: f64 = 29.0;

fn main() -> ExitCode {
    let needs = Needs::programs(&["dnsmasq", "ping", "strace"]);
    let party = || Party::builder().players(1).start();
    let checks = checks![a_ping_costs_few_system_calls_and_packets];
    run(&needs, [Suite::new("calls", party, checks)])
}

fn a_ping_costs_few_system_calls_and_packets(party: &Party) -> Result<()> {
    let player = &party.players[0].machine;
    // Everybody has everybody's address before it counts.
    player.round_trips(Venue::LAN1, 20, PER_SECOND)?;
    let mut failed = String::new();
    for round in 1..=ROUNDS {
        let mut slow = 0;
        let busy = cost(party, || {
            let times = player.round_trips(Venue::LAN1, PINGS, PER_SECOND)?;
            slow = PINGS as usize - times.partition_point(|time| *time < SLOW);
            Ok(())
        })?;
        let idle = cost(party, || {
            pass(busy.took);
            Ok(())
        })?;
        let (calls, packets) = show(&busy, &idle);
        println!(
            "round {round}: {calls:.1} calls and {packets:.2} packets a ping, {slow} slow ones"
        );
        let slow = slow as f64 / f64::from(PINGS);
        let most_calls = MOST_CALLS + CALLS_OF_A_SLOW_PING * slow;
        let most_packets = MOST_PACKETS + PACKETS_OF_A_SLOW_PING * slow;
        if calls <= most_calls && packets <= most_packets {
            // Each has to pass each program, or nothing was counted.
            ensure!(packets > 3.5 && calls > 10.0, "they cannot be so few");
            return Ok(());
        }
        failed = format!(
            "{calls:.1} calls and {packets:.2} packets, not {most_calls:.1} and {most_packets:.2}"
        );
    }
    anyhow::bail!("a ping and its answer cost {failed}")
}

/// What a while has cost.
struct Cost {
    took: Duration,
    packets: u64,
    /// The calls of each program, and those of them that failed.
    calls: BTreeMap<&'static str, BTreeMap<String, (u64, u64)>>,
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
fn show(busy: &Cost, idle: &Cost) -> (f64, f64) {
    let share = busy.took.as_secs_f64() / idle.took.as_secs_f64();
    let per_ping = |busy: u64, idle: u64| (busy as f64 - idle as f64 * share) / f64::from(PINGS);
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
                println!("{program:>8} {name:<16} {all:6.2} a ping, {failed:5.2} of them in vain");
            }
            sum += all;
        }
    }
    (sum, per_ping(busy.packets, idle.packets))
}
