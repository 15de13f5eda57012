//! More and more players, until the relay or the machine is at its end.

use std::time::Duration;

use anyhow::Result;

use super::trial::{Cores, Point, Programs, Trial};
use crate::bench::progress;

const ROOM_OF: usize = 8;
const PLAYERS: [usize; 8] = [50, 100, 200, 400, 700, 1000, 1300, 1600];
const SECONDS: u64 = 5;
/// Beyond either of these a game is no fun.
const MOST_LOST: f64 = 0.01;
const LONGEST_P99: Duration = Duration::from_millis(5);
/// A program that had this much of its core had no more to give.
const BUSY: f64 = 0.9;

impl Point {
    fn holds(&self) -> bool {
        self.lost() <= MOST_LOST && self.p99 <= LONGEST_P99
    }

    /// Whether one of the two programs could do no more.
    fn is_full(&self) -> bool {
        self.relay().max(self.crowd) >= BUSY
    }
}

/// Measures the curve and prints it.
pub(super) fn run(ours: &Programs) -> Result<()> {
    println!(
        "\n| players | lost, % | one way p50 / p99, ms | players sent too late, p99, ms | relay, % of a core | players, % of a core | relay, µs a frame | relay's memory per player, KB |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    let mut points: Vec<Point> = Vec::new();
    for players in PLAYERS {
        progress(&format!("the relay with {players} players"));
        let trial = Trial {
            players,
            room_of: ROOM_OF,
            seconds: SECONDS,
            // Neither's work is in the other's figures.
            cores: Cores::apart(),
            threads: Some(1),
            is_idle: false,
        };
        let point = trial.run(ours)?;
        print(&point);
        // One size alone may be the machine's hiccup.
        let fails = |point: &Point| !point.holds();
        let is_end = fails(&point) && (point.is_full() || points.last().is_some_and(fails));
        points.push(point);
        if is_end {
            break;
        }
    }
    println!("\nOne thread, rooms of {ROOM_OF}: {}", sum_up(&points));
    Ok(())
}

/// How many players a core carries, and what says so.
fn sum_up(points: &[Point]) -> String {
    let held = points.iter().rfind(|point| point.holds());
    let players = held.map_or(0, |point| point.players);
    let percent = |part: f64| part * 100.0;
    let end = match points.last() {
        Some(last) if last.holds() => "more were not tried".to_owned(),
        Some(last) if last.relay() >= BUSY => {
            return format!(
                "**{players} players a core**; at {} the relay has no more of it.",
                last.players
            );
        }
        Some(last) if last.crowd >= BUSY => format!(
            "at {} the generator has no more processor, while the relay uses {:.0} % of its core",
            last.players,
            percent(last.relay())
        ),
        Some(last) => format!(
            "at {} frames are late or lost although neither program is at its end ({:.0} and {:.0} %)",
            last.players,
            percent(last.relay()),
            percent(last.crowd)
        ),
        None => return "nothing was measured.".to_owned(),
    };
    // Late frames may be the generator's fault, but whoever loses none has carried them.
    let carried = points.iter().rfind(|point| point.lost() <= MOST_LOST);
    let per_core = carried.map_or(String::new(), |point| {
        format!(
            " By the relay's processor time for {} a core carries **about {:.0}**.",
            point.players,
            point.players as f64 / point.relay()
        )
    });
    format!("{players} players in time; {end}.{per_core}")
}

fn print(point: &Point) {
    let ms = |value: Duration| value.as_secs_f64() * 1e3;
    println!(
        "| {} | {:.2} | {:.2} / {:.2} | {:.2} | {:.0} | {:.0} | {:.1} | {:.0} |",
        point.players,
        point.lost() * 100.0,
        ms(point.p50),
        ms(point.p99),
        ms(point.late.unwrap_or_default()),
        point.relay() * 100.0,
        point.crowd * 100.0,
        point.per_frame() * 1e6,
        point.memory_per_player / 1e3
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(players: usize, p99: u64, relay: f64, crowd: f64) -> Point {
        Point {
            players,
            sent: 1.0,
            received: 1.0,
            p50: Duration::ZERO,
            p99: Duration::from_millis(p99),
            late: None,
            threads: vec![relay],
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
