//! One thread of the relay against two.

use anyhow::Result;

use super::trial::{Cores, Point, Programs, Trial};
use crate::bench::aims::{Aim, Verdicts, median};
use crate::bench::progress;

const ROOM_OF: usize = 8;
const SECONDS: u64 = 4;
const THREADS: [usize; 2] = [1, 2];
/// Where the players have cores of their own, more of them.
const PLAYERS: [usize; 3] = [100, 200, 400];
const MORE_PLAYERS: [usize; 3] = [400, 1000, 2000];
const MANY_CORES: usize = 4;
const LEAST_GAIN: f64 = 1.8;

/// Measures all rounds in turns and prints a table.
pub(super) fn run(rounds: u8, ours: &Programs, verdicts: &mut Verdicts) -> Result<()> {
    let all = Cores::of_this_machine();
    if all < THREADS.len() {
        verdicts.leave_out(Aim::RelayCores, "this machine has one core");
        return Ok(());
    }
    let sizes = match all < MANY_CORES {
        true => PLAYERS,
        false => MORE_PLAYERS,
    };
    let mut rows: Vec<_> = sizes
        .iter()
        .flat_map(|&players| THREADS.map(|threads| (players, threads, Vec::<Point>::new())))
        .collect();
    for round in 1..=rounds {
        for (players, threads, points) in &mut rows {
            progress(&format!(
                "round {round} of {rounds}: the relay on {threads} of two cores, {players} players"
            ));
            let trial = Trial {
                players: *players,
                room_of: ROOM_OF,
                seconds: SECONDS,
                cores: Cores::for_two(all),
                threads: Some(*threads),
                is_idle: false,
            };
            points.push(trial.run(ours)?);
        }
    }
    print(&rows);
    let gains = rows.chunks(THREADS.len()).map(|pair| {
        let [(.., one), (.., two)] = pair else {
            return f64::NAN;
        };
        gain(one, two)
    });
    let gains: Vec<_> = gains.collect();
    // With few players one of the threads may have none.
    let most = gains.last().copied().unwrap_or(f64::NAN);
    let shown: Vec<_> = gains.iter().map(|gain| format!("{gain:.2}")).collect();
    println!(
        "\nTwo threads carry {} times the frames of one, by the processor time of the busiest. {}",
        shown.join(", "),
        limit(all)
    );
    verdicts.judge(
        Aim::RelayCores,
        format!("{most:.2} times, by processor time"),
        most >= LEAST_GAIN,
    );
    Ok(())
}

/// How many times the frames, the rounds in pairs.
fn gain(one: &[Point], two: &[Point]) -> f64 {
    let pairs = one.iter().zip(two);
    median(
        pairs
            .map(|(one, two)| two.capacity() / one.capacity())
            .collect(),
    )
}

fn limit(cores: usize) -> &'static str {
    match cores < MANY_CORES {
        true => {
            "This machine has not enough cores to show it with frames alone: players take more processor than the \
             relay does for them, and share its cores, so neither thread was at its end."
        }
        false => "The players had the other cores.",
    }
}

fn print(rows: &[(usize, usize, Vec<Point>)]) {
    println!(
        "\n| players | threads | frames, 1000/s | lost, % | one way p50 / p99, ms | relay, % of a core | its busiest thread | µs a frame | full at, 1000 frames/s |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for (players, threads, points) in rows {
        let of = |value: fn(&Point) -> f64| median(points.iter().map(value).collect());
        println!(
            "| {players} | {threads} | {:.1} | {:.2} | {:.2} / {:.2} | {:.0} | {:.0} | {:.1} | {:.0} |",
            of(|point| point.received) / 1e3,
            of(Point::lost) * 100.0,
            of(|point| point.p50.as_secs_f64()) * 1e3,
            of(|point| point.p99.as_secs_f64()) * 1e3,
            of(Point::relay) * 100.0,
            of(|point| point.threads.first().copied().unwrap_or_default()) * 100.0,
            of(Point::per_frame) * 1e6,
            of(Point::capacity) / 1e3,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn point(threads: &[f64]) -> Point {
        Point {
            players: 100,
            sent: 6000.0,
            received: 6000.0,
            p50: Duration::ZERO,
            p99: Duration::ZERO,
            late: None,
            threads: threads.to_vec(),
            crowd: 0.0,
            memory_per_player: 0.0,
        }
    }

    #[test]
    fn two_threads_gain_what_the_busier_one_is_spared() {
        let one = [point(&[0.4]), point(&[0.9]), point(&[0.4])];
        let two = [point(&[0.2, 0.2]), point(&[0.3, 0.1]), point(&[0.25, 0.15])];
        assert_eq!(gain(&one, &two), 2.0);
    }
}
