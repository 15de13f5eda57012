//! A game behind a slow line that bulk traffic fills: how long its packets wait, and what the bulk gets.

use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use lanparty_lab::traffic::{Bulk, IperfReport, Load, Trips, trips_beside};
use lanparty_lab::{Addressing, Machine, Party, Venue, WireConditions};

use super::aims::{Aim, Verdicts, median};
use super::{UNLIMITED, progress};

/// What is judged, and what stands beside it to compare, measured once.
const OURS: &str = "gate";
const OTHERS: [&str; 2] = ["bbr3", "cubic"];
/// The line in both directions, with 100 ms of queue in front of it.
const RATE: u64 = 20_000_000;
const QUEUE: usize = 250_000;
const DELAY: Duration = Duration::from_millis(10);
const IDLE: Duration = Duration::from_secs(2);
const GAME: Duration = Duration::from_secs(8);
/// Two seconds before the game begins, and one behind it.
const BULK: Load = Load::Cubic { seconds: 11 };
/// From when until when a TCP beside another one is judged.
const FROM_SECOND: usize = 5;
const TO_SECOND: usize = 10;
const MOST_WAIT: f64 = 4.0;
const LEAST_SHARE: f64 = 0.25;

/// What is in the player's way.
struct Case {
    name: &'static str,
    line: WireConditions,
    bulk: Way,
    aim: Option<Aim>,
}

#[derive(Clone, Copy)]
enum Way {
    Up,
    Down,
    /// Beside a TCP outside the tunnel.
    UpBesideAnother,
}

fn cases() -> [Case; 4] {
    let line = WireConditions {
        delay: DELAY,
        rate: Some((RATE, QUEUE)),
        ..WireConditions::default()
    };
    let lossy = WireConditions {
        delay: Duration::from_millis(20),
        loss: 0.01,
        ..line
    };
    [
        ("uplink full", line, Way::Up, Some(Aim::FullUplink)),
        ("downlink full", line, Way::Down, Some(Aim::FullDownlink)),
        (
            "uplink full, a CUBIC beside",
            line,
            Way::UpBesideAnother,
            Some(Aim::BesideAnother),
        ),
        ("uplink full, 40 ms, 1 % lost", lossy, Way::Up, None),
    ]
    .map(|(name, line, bulk, aim)| Case {
        name,
        line,
        bulk,
        aim,
    })
}

/// What one round found.
struct Found {
    /// Milliseconds that the game's packets took longer than half of them do on the idle line.
    p50: f64,
    p99: f64,
    lost: f64,
    tcp: IperfReport,
    outside: Option<IperfReport>,
}

impl Found {
    /// Part of what both TCPs had, from the fifth second to the tenth.
    fn share(&self) -> Option<f64> {
        let sum = |report: &IperfReport| -> f64 {
            let seconds = report.seconds.iter().take(TO_SECOND).skip(FROM_SECOND);
            seconds.sum()
        };
        let (ours, outside) = (sum(&self.tcp), sum(self.outside.as_ref()?));
        Some(ours / (ours + outside))
    }
}

/// Measures all cases, those with an aim so many times and the others once, and prints a table.
pub(crate) fn run(rounds: u8, verdicts: &mut Verdicts) -> Result<()> {
    let cases = cases();
    let mut ours: [Vec<Found>; 4] = Default::default();
    let mut others = Vec::new();
    for round in 1..=rounds {
        for (case, found) in cases.iter().zip(&mut ours) {
            if case.aim.is_none() && round > 1 {
                continue;
            }
            progress(&format!("round {round} of {rounds}: {}: {OURS}", case.name));
            found.push(measure(case, OURS)?);
        }
        // In between, so that a bad minute of the machine is nobody's alone.
        if round == 1 {
            for case in &cases {
                for controller in OTHERS {
                    progress(&format!("{}: {controller}", case.name));
                    others.push((case.name, controller, measure(case, controller)?));
                }
            }
        }
    }
    println!(
        "\n| | | added p50 / p99, ms | lost, % | TCP in the tunnel, Mbit/s | TCP outside, Mbit/s | the tunnel's part, seconds {FROM_SECOND} to {TO_SECOND}, % |"
    );
    println!("|---|---|---|---|---|---|---|");
    for (case, found) in cases.iter().zip(&ours) {
        print(case.name, OURS, &found.iter().collect::<Vec<_>>());
        let beside = others.iter().filter(|(name, ..)| *name == case.name);
        for (name, controller, found) in beside {
            print(name, controller, &[found]);
        }
        judge(case, found, verdicts);
    }
    println!("\n{OURS}: medians (rounds: {rounds}, with losses 1); the others: one round.");
    Ok(())
}

fn judge(case: &Case, found: &[Found], verdicts: &mut Verdicts) {
    match case.aim {
        Some(aim @ Aim::BesideAnother) => {
            let share = median(found.iter().filter_map(Found::share).collect());
            let measured = format!("{:.0} %", share * 100.0);
            verdicts.judge(aim, measured, share >= LEAST_SHARE);
        }
        Some(aim) => {
            let wait = median(found.iter().map(|found| found.p99).collect());
            verdicts.judge(aim, format!("{wait:.1} ms"), wait < MOST_WAIT);
        }
        None => {}
    }
}

fn print(name: &str, controller: &str, found: &[&Found]) {
    let of = |value: &dyn Fn(&Found) -> Option<f64>, digits: usize| {
        let values: Vec<_> = found.iter().filter_map(|found| value(found)).collect();
        match values.is_empty() {
            true => String::new(),
            false => format!("{:.digits$}", median(values)),
        }
    };
    let mbits = |report: &IperfReport| report.bits_per_second / 1e6;
    println!(
        "| {name} | {controller} | {} / {} | {} | {} | {} | {} |",
        of(&|found| Some(found.p50), 1),
        of(&|found| Some(found.p99), 1),
        of(&|found| Some(found.lost * 100.0), 1),
        of(&|found| Some(mbits(&found.tcp)), 1),
        of(&|found| found.outside.as_ref().map(mbits), 1),
        of(&|found| Some(found.share()? * 100.0), 0),
    );
}

fn measure(case: &Case, controller: &str) -> Result<Found> {
    let party = Party::builder()
        .players(1)
        .addressing(Addressing::Static)
        .relay_flags(UNLIMITED)
        .player_paths(case.line)
        .congestion(controller)
        .start()?;
    let (venue, player) = (&party.venue, &party.players[0].machine);
    let idle = Trips::measure(player, Venue::LAN1, IDLE)?;
    let (lan, relay) = (&venue.lan1, &venue.relay);
    let up = bulk(player, lan, Venue::LAN1);
    let bulks = match case.bulk {
        Way::Up => vec![up],
        Way::Down => vec![bulk(lan, player, Party::FIRST_STATIC)],
        Way::UpBesideAnother => vec![up, bulk(player, relay, Venue::RELAY)],
    };
    let (trips, reports) = trips_beside(player, Venue::LAN1, GAME, &bulks)?;
    let added = |percent| {
        let added = trips.quantile(percent).as_secs_f64() - idle.quantile(50).as_secs_f64();
        added * 1e3
    };
    let mut reports = reports.into_iter();
    Ok(Found {
        p50: added(50),
        p99: added(99),
        lost: trips.lost,
        tcp: reports
            .next()
            .context("a report for the TCP in the tunnel")?,
        outside: reports.next(),
    })
}

fn bulk<'a>(from: &'a Machine, to: &'a Machine, address: IpAddr) -> Bulk<'a> {
    Bulk {
        from,
        to,
        address,
        load: BULK,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(seconds: &[f64]) -> IperfReport {
        IperfReport {
            bytes: 0,
            bits_per_second: 0.0,
            lost: 0.0,
            seconds: seconds.to_vec(),
        }
    }

    #[test]
    fn the_share_is_that_of_the_seconds_that_are_judged() {
        let found = |outside| Found {
            p50: 0.0,
            p99: 0.0,
            lost: 0.0,
            tcp: report(&[9.0, 9.0, 9.0, 9.0, 9.0, 1.0, 1.0, 1.0, 1.0, 1.0, 9.0]),
            outside,
        };
        let outside = report(&[0.0, 0.0, 0.0, 0.0, 0.0, 3.0, 3.0, 3.0, 3.0, 3.0, 0.0]);
        assert_eq!(found(Some(outside)).share(), Some(0.25));
        assert_eq!(found(None).share(), None);
    }
}
