//! `cargo xtask bench`: what a party costs, beside OpenVPN's server with `--dev tap` in the same lab.
//!
//! Absolute numbers of a shared machine drift; the rows of one table were measured in turns and are comparable.

mod bottleneck;
mod openvpn;
mod table;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::ValueEnum;
use lanparty_lab::traffic::{Load, iperf};
use lanparty_lab::{Addressing, Machine, Needs, Party, Process, Venue};

use crate::build;
use openvpn::OpenVpn;
use table::{Row, print_memory, print_paths};

const NEEDS: Needs = Needs::programs(&["dnsmasq", "iperf3", "openssl", "openvpn", "ping"]);
const ROUNDS: usize = 3;
/// What a game sends.
const PINGS_PER_SECOND: f64 = 60.0;
const PINGS: u32 = 300;
const TRANSFER: u64 = 300_000_000;
const BIG_TRANSFER: u64 = 1_000_000_000;
/// The relay's limit for one client would hide what the programs can do.
const UNLIMITED: &[&str] = &["--byte-rate", "1000000000", "--byte-burst", "1000000000"];

/// What can be measured alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// Latency, throughput, processor time and memory, beside OpenVPN.
    Paths,
    /// A game behind a slow line that is full.
    Bottleneck,
}

/// Measures and prints tables in Markdown.
pub(crate) fn run(only: Option<Part>) -> Result<ExitCode> {
    build::ensure_root_with(&build::release()?)?;
    if let Some(reason) = NEEDS.missing() {
        anyhow::bail!("{reason}");
    }
    if only != Some(Part::Bottleneck) {
        paths()?;
    }
    if only != Some(Part::Paths) {
        bottleneck::run()?;
    }
    Ok(ExitCode::SUCCESS)
}

fn paths() -> Result<()> {
    let mut rows = [Row::new("softlan-vpn"), Row::new("OpenVPN 2.6, dev tap")];
    for round in 1..=ROUNDS {
        progress(&format!("round {round} of {ROUNDS}: softlan-vpn"));
        rows[0].add(measure(&party(1)?)?);
        progress(&format!("round {round} of {ROUNDS}: OpenVPN"));
        rows[1].add(measure(&OpenVpn::start()?)?);
    }
    progress("memory: one player, idle and after 1 GB");
    let one = party(1)?;
    let idle = memory(&one.programs())?;
    transfer(
        &one.venue.lan1,
        &one.players[0].machine,
        Party::FIRST_STATIC,
        &one.programs(),
        BIG_TRANSFER,
    )?;
    let after = memory(&one.programs())?;
    drop(one);
    progress("memory: five players");
    let five = party(5)?;
    let crowd = five.relay.usage()?.memory_bytes;

    print_paths(&rows);
    print_memory(&["client", "relay", "gateway"], &idle, &after, crowd);
    Ok(())
}

/// A tunnel from one remote machine to the LAN, whoever made it.
pub(crate) trait Tunnel {
    /// Its machines.
    fn venue(&self) -> &Venue;
    /// Its programs: client, relay, gateway.
    fn programs(&self) -> Vec<&Process>;
}

impl Tunnel for Party {
    fn venue(&self) -> &Venue {
        &self.venue
    }

    fn programs(&self) -> Vec<&Process> {
        vec![&self.players[0].program, &self.relay, &self.gateway]
    }
}

/// What one round found.
pub(crate) struct Measured {
    pub(crate) bare: Quantiles,
    pub(crate) tunnel: Quantiles,
    pub(crate) down: Transfer,
    pub(crate) up: Transfer,
}

#[derive(Clone, Copy)]
pub(crate) struct Quantiles {
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
}

#[derive(Clone, Copy)]
pub(crate) struct Transfer {
    pub(crate) bits_per_second: f64,
    pub(crate) cpu_seconds_per_gb: f64,
}

fn party(players: usize) -> Result<Party> {
    Party::builder()
        .players(players)
        .addressing(Addressing::Static)
        .relay_flags(UNLIMITED)
        .start()
}

fn measure(tunnel: &impl Tunnel) -> Result<Measured> {
    let (venue, programs) = (tunnel.venue(), tunnel.programs());
    let remote = &venue.remotes[0];
    Ok(Measured {
        bare: bare_path(venue)?,
        tunnel: quantiles(remote, Venue::LAN1)?,
        down: transfer(
            &venue.lan1,
            remote,
            Party::FIRST_STATIC,
            &programs,
            TRANSFER,
        )?,
        up: transfer(remote, &venue.lan1, Venue::LAN1, &programs, TRANSFER)?,
    })
}

/// The same way without a tunnel: player to relay, relay to gateway, gateway to the LAN.
fn bare_path(venue: &Venue) -> Result<Quantiles> {
    let ways = [
        (&venue.remotes[0], Venue::RELAY),
        (&venue.gateway, Venue::RELAY),
        (&venue.lan2, Venue::LAN1),
    ];
    let parts = ways
        .into_iter()
        .map(|(from, to)| quantiles(from, to))
        .collect::<Result<Vec<_>>>()?;
    Ok(Quantiles {
        p50: parts.iter().map(|part| part.p50).sum(),
        p99: parts.iter().map(|part| part.p99).sum(),
    })
}

fn quantiles(from: &Machine, to: std::net::IpAddr) -> Result<Quantiles> {
    let times = from.round_trips(to, PINGS, PINGS_PER_SECOND)?;
    let at = |part: usize| {
        times
            .get(times.len() * part / 100)
            .copied()
            .context("no ping was answered")
    };
    Ok(Quantiles {
        p50: at(50)?,
        p99: at(99)?,
    })
}

fn transfer(
    from: &Machine,
    to: &Machine,
    address: std::net::IpAddr,
    programs: &[&Process],
    bytes: u64,
) -> Result<Transfer> {
    let before = cpu(programs)?;
    let report = iperf(from, to, address, Load::TcpBytes(bytes))?;
    let spent = (cpu(programs)? - before).as_secs_f64();
    Ok(Transfer {
        bits_per_second: report.bits_per_second,
        cpu_seconds_per_gb: spent * 1e9 / report.bytes as f64,
    })
}

fn cpu(programs: &[&Process]) -> Result<Duration> {
    programs
        .iter()
        .map(|program| Ok(program.usage()?.cpu))
        .sum()
}

fn memory(programs: &[&Process]) -> Result<Vec<u64>> {
    programs
        .iter()
        .map(|program| Ok(program.usage()?.memory_bytes))
        .collect()
}

fn progress(what: &str) {
    eprintln!("measuring {what}");
}
