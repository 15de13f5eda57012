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
const LIMITS: [&str; 8] = [
    "--max-peers",
    "10000",
    "--max-peers-per-address",
    "10000",
    "--max-rooms-per-address",
    "10000",
    "--max-joins-per-address",
    "10000",
];

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
        let mut points = Vec::new();
        for players in PLAYERS {
            progress(&format!(
                "the relay with {players} players in rooms of {room_of}"
            ));
            let point = measure(players, room_of)?;
            print(room_of, &point);
            // One size alone may be the machine's hiccup.
            let fails = |point: &Point| !point.holds();
            let is_end = fails(&point) && (point.is_full() || points.last().is_some_and(fails));
            points.push(point);
            if is_end {
                break;
            }
        }
        sums.push(format!("* Rooms of {room_of}: {}", sum_up(&points)));
    }
    println!("\n{}", sums.join("\n"));
    Ok(())
}

/// How many players a core carries, and what says so.
fn sum_up(points: &[Point]) -> String {
    let held = points.iter().rfind(|point| point.holds());
    let players = held.map_or(0, |point| point.players);
    let percent = |part: f64| part * 100.0;
    let end = match points.last() {
        Some(last) if last.holds() => "more were not tried".to_owned(),
        Some(last) if last.relay >= BUSY => {
            return format!(
                "**{players} players a core**; at {} the relay has no more of it.",
                last.players
            );
        }
        Some(last) if last.crowd >= BUSY => format!(
            "at {} the generator has no more processor, while the relay uses {:.0} % of its core",
            last.players,
            percent(last.relay)
        ),
        Some(last) => format!(
            "at {} frames are late or lost although neither program is at its end ({:.0} and {:.0} %)",
            last.players,
            percent(last.relay),
            percent(last.crowd)
        ),
        None => return "nothing was measured.".to_owned(),
    };
    // Late frames may be the generator's fault, but whoever loses none has carried them.
    let carried = points.iter().rfind(|point| point.lost <= MOST_LOST);
    let per_core = carried.map_or(String::new(), |point| {
        format!(
            " By the relay's processor time for {} a core carries **about {:.0}**.",
            point.players,
            point.players as f64 / point.relay
        )
    });
    format!("{players} players in time; {end}.{per_core}")
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

#[cfg(test)]
mod tests {
    use super::*;

    fn point(players: usize, p99: u64, relay: f64, crowd: f64) -> Point {
        Point {
            players,
            lost: 0.0,
            p50: Duration::ZERO,
            p99: Duration::from_millis(p99),
            relay,
            crowd,
            memory_per_player: 0.0,
        }
    }

    #[test]
    fn a_core_carries_what_it_held_or_what_the_generator_left_it() {
        let relay_is_full = [point(400, 4, 0.8, 0.6), point(600, 9, 0.95, 0.8)];
        assert_eq!(
            sum_up(&relay_is_full),
            "**400 players a core**; at 600 the relay has no more of it."
        );
        let crowd_is_full = [point(200, 4, 0.4, 0.6), point(400, 9, 0.5, 0.95)];
        let sum = sum_up(&crowd_is_full);
        assert!(
            sum.starts_with("200 players in time; at 400 the generator"),
            "{sum}"
        );
        assert!(
            sum.ends_with("for 400 a core carries **about 800**."),
            "{sum}"
        );
    }
}
