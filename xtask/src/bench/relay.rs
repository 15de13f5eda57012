//! A relay alone, with players that have no adapters: how many one core carries, and what each takes.

use std::time::Duration;

use anyhow::{Context, Result};
use lanparty_lab::{Lab, Machine, Process, Usage, program};

use super::progress;

const ROOMS_OF: [usize; 2] = [8, 16];
const PLAYERS: [usize; 9] = [50, 100, 200, 400, 600, 800, 1000, 1300, 1600];
const SECONDS: u64 = 5;
/// Beyond either of these a game is no fun.
const MOST_LOST: f64 = 0.01;
const LONGEST_P99: Duration = Duration::from_millis(5);
/// A program that had this much of its core had no more to give.
const BUSY: f64 = 0.9;
const ADDRESS: &str = "127.0.0.1:4433";
const CERTIFICATE: &str = "relay.der";
const SOON: Duration = Duration::from_secs(10);
/// A thousand handshakes, and the window.
const PATIENCE: Duration = Duration::from_secs(120);
/// All players come from one address; an operator who knows that lifts the limit for it.
const LIMITS: [&str; 4] = ["--max-peers", "10000", "--max-peers-per-address", "10000"];

/// One point of the curve.
struct Point {
    players: usize,
    lost: f64,
    p50: Duration,
    p99: Duration,
    /// Parts of one core.
    relay: f64,
    crowd: f64,
    /// Of the relay, in bytes.
    memory_per_player: f64,
}

impl Point {
    fn holds(&self) -> bool {
        self.lost <= MOST_LOST && self.p99 <= LONGEST_P99
    }

    /// Whether one of the two programs could do no more.
    fn is_full(&self) -> bool {
        self.relay.max(self.crowd) >= BUSY
    }
}

/// Measures the curve for each size of rooms, and prints it.
pub(crate) fn run() -> Result<()> {
    println!(
        "\n| rooms of | players | lost, % | one way p50 / p99, ms | relay, % of a core | generator, % of a core | relay's memory per player, KB |"
    );
    println!("|---|---|---|---|---|---|---|");
    let mut sums = Vec::new();
    for room_of in ROOMS_OF {
        let (mut held, mut failed) = (None, None);
        for players in PLAYERS {
            progress(&format!(
                "the relay with {players} players in rooms of {room_of}"
            ));
            let point = measure(players, room_of)?;
            print(room_of, &point);
            if point.holds() {
                (held, failed) = (Some(point), None);
                continue;
            }
            // One size alone may be the machine's hiccup.
            let is_end = point.is_full() || failed.is_some();
            failed = Some(point);
            if is_end {
                break;
            }
        }
        sums.push(format!("* Rooms of {room_of}: {}", sum_up(held, failed)));
    }
    println!("\n{}", sums.join("\n"));
    Ok(())
}

/// How many players a core carries, and what says so.
fn sum_up(held: Option<Point>, failed: Option<Point>) -> String {
    let Some(held) = held else {
        return format!("not even {} players.", PLAYERS[0]);
    };
    let (players, relay) = (held.players, held.relay);
    let by_time = format!(
        "by the relay's processor time at {players} a core carries about {:.0}",
        players as f64 / relay
    );
    let percent = |part: f64| part * 100.0;
    match failed {
        Some(failed) if failed.relay >= BUSY => format!(
            "**{players} players a core**; at {} the relay has no more of it.",
            failed.players
        ),
        Some(failed) if failed.crowd >= BUSY => format!(
            "{players} players; at {} the generator has no more processor, while the relay uses {:.0} % of \
             its core. So {by_time}.",
            failed.players,
            percent(failed.relay)
        ),
        Some(failed) => format!(
            "{players} players; at {} frames are late or lost although neither program has used its core up \
             ({:.0} and {:.0} %). So {by_time}.",
            failed.players,
            percent(failed.relay),
            percent(failed.crowd)
        ),
        None => format!("{players} players, and more were not tried. So {by_time}."),
    }
}

fn measure(players: usize, room_of: usize) -> Result<Point> {
    let lab = Lab::new()?;
    let machine = lab.machine("crowd")?;
    let relay = start_relay(&machine)?;
    let empty = relay.usage()?.memory_bytes;
    let crowd = start_crowd(&machine, players, room_of)?;
    let usage = |moment: &str| -> Result<[Usage; 2]> {
        crowd.wait_for_line(moment, PATIENCE)?;
        Ok([relay.usage()?, crowd.usage()?])
    };
    let (before, after) = (usage("Playing")?, usage("Played")?);
    let summary = crowd.wait_for_line("sent ", SOON)?;
    let number = |name: &str| -> Result<f64> {
        let mut words = summary.split_whitespace().skip_while(|word| *word != name);
        let value = words.nth(1).and_then(|word| word.parse().ok());
        value.with_context(|| format!("no {name} in `{summary}`"))
    };
    let core = |index: usize| (after[index].cpu - before[index].cpu).as_secs_f64() / SECONDS as f64;
    let us = |name| Ok::<_, anyhow::Error>(Duration::from_secs_f64(number(name)? / 1e6));
    Ok(Point {
        players,
        lost: 1.0 - number("received")? / number("sent")?,
        p50: us("p50")?,
        p99: us("p99")?,
        relay: core(0),
        crowd: core(1),
        memory_per_player: after[0].memory_bytes.saturating_sub(empty) as f64 / players as f64,
    })
}

fn start_relay(machine: &Machine) -> Result<Process> {
    let mut command = on_core(0);
    command.extend(program("lanparty-relay")?);
    let flags = ["--listen", ADDRESS, "--dev-cert-der-out", CERTIFICATE];
    command.extend(flags.iter().chain(&LIMITS).map(|&flag| flag.into()));
    let relay = machine.spawn("relay", command)?;
    relay.wait_for_line("Relay listening on ", SOON)?;
    Ok(relay)
}

fn start_crowd(machine: &Machine, players: usize, room_of: usize) -> Result<Process> {
    let mut command = on_core(1);
    command.extend(program("lanparty-crowd")?);
    let flags = [
        ("--relay", ADDRESS.to_owned()),
        ("--relay-ca-cert", CERTIFICATE.to_owned()),
        ("--players", players.to_string()),
        ("--room-of", room_of.to_string()),
        ("--seconds", SECONDS.to_string()),
    ];
    command.extend(
        flags
            .into_iter()
            .flat_map(|(flag, value)| [flag.to_owned(), value]),
    );
    machine.spawn("crowd", command)
}

/// The two share no core, so that neither's work is in the other's figures.
fn on_core(core: u8) -> Vec<String> {
    ["taskset", "--cpu-list", &core.to_string()]
        .map(Into::into)
        .into()
}

fn print(room_of: usize, point: &Point) {
    let ms = |value: Duration| value.as_secs_f64() * 1e3;
    println!(
        "| {room_of} | {} | {:.2} | {:.2} / {:.2} | {:.0} | {:.0} | {:.0} |",
        point.players,
        point.lost * 100.0,
        ms(point.p50),
        ms(point.p99),
        point.relay * 100.0,
        point.crowd * 100.0,
        point.memory_per_player / 1e3
    );
}
