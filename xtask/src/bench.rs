//! `cargo xtask bench`: what a party costs, beside other VPNs in the same lab.
//!
//! Absolute numbers of a shared machine drift; the rows of one table were measured in turns and are comparable.

mod bare;
mod bottleneck;
mod measured;
mod paths;
mod peers;
mod relay;
mod table;

use std::net::IpAddr;
use std::process::ExitCode;
use std::sync::OnceLock;
use std::time::Instant;

use anyhow::Result;
use clap::{Args, ValueEnum};
use lanparty_lab::{Needs, Party, Process, Venue};

use crate::build;

const NEEDS: Needs = Needs::programs(&["dnsmasq", "iperf3", "openssl", "ping", "taskset"]);
/// The relay's limit for one client would hide what the programs can do.
const UNLIMITED: &[&str] = &[
    "--byte-rate",
    "1000000000",
    "--byte-burst",
    "1000000000",
    "--frame-rate",
    "10000000",
    "--frame-burst",
    "10000000",
];

/// Measures what a party costs, beside other VPNs and behind a slow line; prints Markdown. Needs root.
///
/// Everything runs on this machine, in network namespaces that are made for it and removed afterwards, with release
/// builds. Figures of two machines, or of one at two times, do not compare; rows of one table do: they were measured
/// in turn, and the medians are printed. Let nothing else run meanwhile.
///
/// What is going on goes to standard error, the tables of docs/performance.md go to standard output.
#[derive(Args)]
#[command(after_long_help = MANUAL)]
pub(crate) struct Arguments {
    /// One part alone.
    #[arg(value_enum)]
    part: Option<Part>,
    /// How often the paths are measured.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..))]
    rounds: u8,
}

const MANUAL: &str = "\
paths: one player and one host on the LAN, through client, relay and gateway; then the same through OpenVPN, n2n, \
fastd and tinc, each relayed by a machine at our relay's place; and without any. Round trips of 60 packets a second; \
TCP each way, and the processor time of all three programs; the highest rate of 100-byte UDP packets of which fewer \
than 0.5 % get lost. At last, how much memory our programs hold. The others are installed from Debian; what cannot be \
had is skipped, with the reason. About two and a half minutes a round.

bottleneck: a game of 60 packets a second behind a line of 20 Mbit/s that TCP fills, with each congestion control. \
About five minutes.

relay: the relay on one core, and players on another who are whole clients but for their adapters, in rooms of 8 and of \
16. Each sends 60 frames a second, with 100 bytes of UDP in each, to the next one of its room. More and more \
players, until twice in a row more than 1 % of the frames get lost or one of a hundred takes longer than 5 ms: loss, time one way, \
what relay and generator use of their cores, and the relay's memory for each player. About two minutes.

Examples:
  cargo xtask bench                     all of it
  cargo xtask bench paths --rounds 1    a quick look";

/// What can be measured alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// Latency, throughput, small packets, processor time and memory, beside other VPNs.
    Paths,
    /// A game behind a slow line that is full.
    Bottleneck,
    /// Many players, and nothing but the relay.
    Relay,
}

/// Measures and prints tables in Markdown.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    build::ensure_root_with(&build::release_with(&["lanparty-crowd"])?)?;
    if let Some(reason) = NEEDS.missing() {
        anyhow::bail!("{reason}");
    }
    let wants = |part| arguments.part.is_none_or(|only| only == part);
    if wants(Part::Paths) {
        paths::run(arguments.rounds)?;
    }
    if wants(Part::Bottleneck) {
        bottleneck::run()?;
    }
    if wants(Part::Relay) {
        relay::run()?;
    }
    Ok(ExitCode::SUCCESS)
}

/// A way from one remote machine to the LAN, whoever made it.
pub(crate) trait Tunnel {
    /// Its machines.
    fn venue(&self) -> &Venue;

    /// Its programs: client, relay, gateway.
    fn programs(&self) -> Vec<&Process>;

    /// Where the LAN finds the remote machine.
    fn player(&self) -> IpAddr {
        Party::FIRST_STATIC
    }
}

impl Tunnel for Party {
    fn venue(&self) -> &Venue {
        &self.venue
    }

    fn programs(&self) -> Vec<&Process> {
        vec![&self.players[0].program, &self.relay, &self.gateway]
    }
}

/// Says what is going on, and how long everything has taken so far.
fn progress(what: &str) {
    static BEGIN: OnceLock<Instant> = OnceLock::new();
    let seconds = BEGIN.get_or_init(Instant::now).elapsed().as_secs();
    eprintln!("[{:2}:{:02}] {what}", seconds / 60, seconds % 60);
}
