//! One player and one LAN host: latency, throughput, small packets and what they cost, ours and others in turn.

use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use lanparty_lab::traffic::{Load, flood, iperf};
use lanparty_lab::{Addressing, Machine, Party, Process, Venue};

use super::aims::Verdicts;
use super::bare::Bare;
use super::measured::{BothWays, Measured, PacketRate, Quantiles, Transfer};
use super::peers::Peer;
use super::table::{self, Row};
use super::{Tunnel, UNLIMITED, progress};

/// What a game sends.
const PINGS_PER_SECOND: f64 = 60.0;
const PINGS: u32 = 240;
const TCP: Load = Load::Tcp { seconds: 2 };
const BIG_TRANSFER: Load = Load::TcpBytes(1_000_000_000);
/// A game's packet.
const SMALL: usize = 100;
const FLOOD: Duration = Duration::from_millis(500);
const FIRST_RATE: f64 = 32_000.0;
const MOST_FLOODS: usize = 6;
/// By how much the next rate is above a good one while no bad one is known: at first, and when another round has found one.
const STEP: f64 = 2.0;
const SMALL_STEP: f64 = 1.25;
/// A rate is found when the next one that is too high is no more than this above it.
const CLOSE: f64 = 1.1;
const TOLERATED_LOSS: f64 = 0.005;

/// Measures all rounds and prints the tables.
pub(crate) fn run(rounds: u8, verdicts: &mut Verdicts) -> Result<()> {
    let peers = Peer::available();
    let (mut bare, mut ours) = (Row::new("bare path"), Row::new("softlan-vpn"));
    let mut others: Vec<_> = peers.iter().map(|peer| Row::new(&peer.title())).collect();
    for round in 1..=rounds {
        let measure = |row: &mut Row, tunnel: &dyn Tunnel| -> Result<()> {
            let whose = format!("round {round} of {rounds}: {}", row.name());
            row.add(measure(tunnel, &whose, row.last_small())?);
            Ok(())
        };
        measure(&mut bare, &Bare::start()?)?;
        measure(&mut ours, &party(1)?)?;
        for (peer, row) in peers.iter().zip(&mut others) {
            match peer.start() {
                Ok(running) => measure(row, &running)?,
                Err(error) => println!("SKIPPED in this round: {}: {error:#}", row.name()),
            }
        }
    }
    others.retain(Row::is_measured);
    table::print_paths(&bare, &ours, &others);
    table::judge_paths(&bare, &ours, &others, verdicts);
    Ok(())
}

fn party(players: usize) -> Result<Party> {
    Party::builder()
        .players(players)
        .addressing(Addressing::Static)
        .relay_flags(UNLIMITED)
        .start()
}

fn measure(tunnel: &dyn Tunnel, whose: &str, known: Option<BothWays<f64>>) -> Result<Measured> {
    let say = |what| progress(&format!("{whose}: {what}"));
    let (venue, programs) = (tunnel.venue(), tunnel.programs());
    let (lan, remote) = (&venue.lan1, &venue.remotes[0]);
    let up = (remote, lan, Venue::LAN1);
    let down = (lan, remote, tunnel.player());
    say("round trips");
    let trips = quantiles(remote, Venue::LAN1)?;
    say("TCP");
    let tcp = BothWays {
        down: transfer(down, &programs, TCP)?,
        up: transfer(up, &programs, TCP)?,
    };
    say("100-byte UDP down");
    let small_down = highest_rate(down, known.map(|rates| rates.down))?;
    say("100-byte UDP up");
    let small = BothWays {
        down: small_down,
        up: highest_rate(up, known.map(|rates| rates.up))?,
    };
    Ok(Measured { trips, tcp, small })
}

/// From whom to whom, and by which address.
type Way<'a> = (&'a Machine, &'a Machine, IpAddr);

fn quantiles(from: &Machine, to: IpAddr) -> Result<Quantiles> {
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

fn transfer((from, to, address): Way<'_>, programs: &[&Process], load: Load) -> Result<Transfer> {
    let before = cpu(programs)?;
    let report = iperf(from, to, address, load)?;
    let spent = (cpu(programs)? - before).as_secs_f64();
    Ok(Transfer {
        bits_per_second: report.bits_per_second,
        cpu_seconds_per_gb: spent * 1e9 / report.bytes as f64,
    })
}

/// Steps up or down until the limit is between two rates, then closes in; begins where another round has ended.
fn highest_rate((from, to, address): Way<'_>, known: Option<f64>) -> Result<PacketRate> {
    let (first, step) = match known {
        Some(known) if known > 0.0 => (known, SMALL_STEP),
        _ => (FIRST_RATE, STEP),
    };
    let (mut rate, mut good, mut bad) = (first, None::<f64>, None::<f64>);
    let mut sender_was_the_limit = false;
    for _ in 0..MOST_FLOODS {
        let flood = flood(from, to, address, SMALL, rate, FLOOD)?;
        let sent = flood.per_second().min(rate);
        if flood.lost() > TOLERATED_LOSS {
            bad = Some(sent);
        } else {
            good = Some(sent);
            sender_was_the_limit = sent * CLOSE < rate;
        }
        rate = match (good, bad) {
            _ if sender_was_the_limit => break,
            (Some(good), Some(bad)) if bad < good * CLOSE => break,
            (Some(good), Some(bad)) => (good * bad).sqrt(),
            (Some(good), None) => good * step,
            (None, _) => rate / step,
        };
    }
    Ok(PacketRate {
        per_second: good.unwrap_or(0.0),
        sender_was_the_limit,
    })
}

fn cpu(programs: &[&Process]) -> Result<Duration> {
    programs
        .iter()
        .map(|program| Ok(program.usage()?.cpu))
        .sum()
}

/// What our programs hold, before and after work.
pub(crate) fn memory() -> Result<()> {
    let resident = |party: &Party| -> Result<Vec<u64>> {
        let programs = party.programs().into_iter();
        programs
            .map(|program| Ok(program.usage()?.memory_bytes))
            .collect()
    };
    progress("our memory: one player, idle and after 1 GB");
    let one = party(1)?;
    let idle = resident(&one)?;
    let down = (&one.venue.lan1, &one.players[0].machine, one.player());
    transfer(down, &one.programs(), BIG_TRANSFER)?;
    let after = resident(&one)?;
    drop(one);
    progress("our memory: five players");
    let crowd = party(5)?.relay.usage()?.memory_bytes;
    table::print_memory(&["client", "relay", "gateway"], &idle, &after, crowd);
    Ok(())
}
