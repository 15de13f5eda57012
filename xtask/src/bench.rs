//! `cargo xtask bench`: what a party costs, beside other VPNs in the same lab.
//!
//! Absolute numbers of a shared machine drift; the rows of one table were measured in turns and are comparable.

mod aims;
mod bare;
mod beside;
mod bottleneck;
mod calls;
mod carrier;
mod fairness;
mod floods;
mod machine;
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

use self::aims::Verdicts;
use crate::build;

const NEEDS: Needs = Needs::programs(&[
    "dnsmasq", "iperf3", "nft", "openssl", "ping", "strace", "taskset",
]);
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
/// What is going on goes to standard error, the tables of docs/performance.md go to standard output. The last one holds the
/// aims against the figures.
#[derive(Args)]
#[command(after_long_help = MANUAL)]
pub(crate) struct Arguments {
    /// One part alone.
    #[arg(value_enum)]
    part: Option<Part>,
    /// How often everything that has an aim is measured.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..))]
    rounds: u8,
    /// The commit whose relay is compared with.
    #[arg(long, value_name = "COMMIT", default_value = "bbe1230")]
    against: String,
}

const MANUAL: &str = "\
paths: one player and one host on the LAN, through client, relay and gateway; then the same through OpenVPN, n2n, \
fastd and tinc, each relayed by a machine at our relay's place; and without any. Round trips of 60 packets a second; \
TCP each way, and the processor time of all three programs; the highest rate of 100-byte UDP packets of which fewer \
than 0.5 % get lost. The others are installed from Debian; what cannot be had is skipped, with the reason. About \
two minutes a round.

memory: how much memory our programs hold, idle and after 1 GB. Half a minute.

calls: what a ping and its answer cost all three programs together in system calls, which strace counts, and in UDP \
packets. Ten seconds a round.

bottleneck: a game of 60 packets a second behind a line of 20 Mbit/s that TCP fills; our congestion control each \
round, the others once. About five minutes.

floods: as many frames as go, of 1000 flows, and half of what comes through: at the LAN, at a player's TAP, from one \
player to another; and the pings of two other players, with and without. A minute a round.

fairness: a game behind a line of 20 Mbit/s into which somebody pours 40 from 1000 ports: another player, a machine of \
the LAN, the player's own. A minute and a half a round.

carrier: pings of 60 a second, then the same beside a TCP that fills a line of 20 Mbit/s, 20 ms long, with 0, 1 and 3 % of \
the packets lost each way: over UDP, and over TCP where UDP is blocked, with the cubic and the bbr of the system. Judges \
nothing. About four minutes.

handshakes: a thousand newcomers at a relay on one core, who have another one: how long it takes until all are in, and what each \
costs the relay, with a key of its own and with one of RSA. Judges nothing. Ten seconds a round.

relay: the relay on one core, and players on another who are whole clients but for their adapters, in rooms of 8. Each \
sends 60 frames a second, with 100 bytes of UDP in each, to the next one of its room. More and more players, until \
twice in a row more than 1 % of the frames get lost or one of a hundred takes longer than 5 ms: loss, time one way, \
what relay and players use of their cores. Then its processor time for each frame, in turns with that of an older \
commit, whose programs are built in the target folder and kept there; one of its threads against two; and its \
memory for players who say nothing. About five minutes.

Examples:
  cargo xtask bench                     all of it
  cargo xtask bench paths --rounds 1    a quick look
  cargo xtask bench relay --against HEAD~20";

/// What can be measured alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// Latency, throughput, small packets and processor time, beside other VPNs.
    Paths,
    /// What our programs hold.
    Memory,
    /// System calls and packets of a ping.
    Calls,
    /// A game behind a slow line that is full.
    Bottleneck,
    /// Everybody else beside a flood.
    Floods,
    /// A game on a line that somebody fills from 1000 ports.
    Fairness,
    /// A game and bulk over TCP, where UDP is blocked.
    Carrier,
    /// Newcomers, and nothing but the relay.
    Handshakes,
    /// Many players, and nothing but the relay.
    Relay,
}

/// Measures and prints tables in Markdown.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let wants = |part| arguments.part.is_none_or(|only| only == part);
    // Root builds nothing that somebody else's cargo would trip over.
    let then = wants(Part::Relay).then(|| relay::build(&arguments.against));
    build::ensure_root_with(&build::release_with(&["lanparty-crowd"])?)?;
    if let Some(reason) = NEEDS.missing() {
        anyhow::bail!("{reason}");
    }
    let (rounds, mut verdicts) = (arguments.rounds, Verdicts::default());
    println!("{}", machine::description(rounds));
    if wants(Part::Paths) {
        paths::run(rounds, &mut verdicts)?;
    }
    if wants(Part::Memory) {
        paths::memory()?;
    }
    if wants(Part::Calls) {
        calls::run(rounds, &mut verdicts)?;
    }
    if wants(Part::Bottleneck) {
        bottleneck::run(rounds, &mut verdicts)?;
    }
    if wants(Part::Floods) {
        floods::run(rounds, &mut verdicts)?;
    }
    if wants(Part::Fairness) {
        fairness::run(rounds, &mut verdicts)?;
    }
    if wants(Part::Carrier) {
        carrier::run()?;
    }
    if wants(Part::Handshakes) {
        relay::handshakes(rounds)?;
    }
    if let Some(then) = then {
        relay::run(rounds, then, &mut verdicts)?;
    }
    println!("\n{}", verdicts.table());
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
