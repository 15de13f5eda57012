//! A flood of 1000 flows at one port of the party, and what everybody else notices of it.

use anyhow::Result;
use lanparty_lab::traffic::StormPlan;
use lanparty_lab::{Addressing, Party};

use super::aims::{Aim, Verdicts};
use super::beside::{Round, Way, carried, introduce, round, summary};
use super::progress;

/// What the quiet run's p99 may grow by, in milliseconds.
const MOST_WAIT: f64 = 5.0;
/// Who is flooded or floods, and the others, of whom the first is also whom another player floods.
const PLAYERS: usize = 3;
const OTHERS: [usize; 2] = [0, 2];
const FLOODER: usize = 1;

const CASES: [(&str, Aim, Way); 3] = [
    (
        "at the LAN, to a player",
        Aim::LanFlood,
        Way::LanToPlayer(FLOODER),
    ),
    (
        "at a player's TAP, to the LAN",
        Aim::TapFlood,
        Way::PlayerToLan(FLOODER),
    ),
    (
        "at a player's TAP, to another player",
        Aim::PeerFlood,
        Way::Between(FLOODER, OTHERS[0]),
    ),
];

/// A flood of this part of what comes through is one that a party can carry: nobody's frames are lost on the way into a program,
/// where none of ours decides whose.
const CARRIED: f64 = 0.5;

/// Measures all rounds, the cases in turns, and prints a table.
pub(crate) fn run(rounds: u8, verdicts: &mut Verdicts) -> Result<()> {
    let party = Party::builder()
        .players(PLAYERS)
        .addressing(Addressing::Static)
        .start()?;
    introduce(&party)?;
    let mut found: [[Vec<Round>; 2]; CASES.len()] = Default::default();
    for number in 1..=rounds {
        for ((name, _, way), [all, some]) in CASES.iter().zip(&mut found) {
            progress(&format!("round {number} of {rounds}: a flood {name}"));
            let whole = StormPlan::default();
            all.push(round(&party, &OTHERS, *way, whole)?);
            let pace = carried(&party, *way)? * CARRIED;
            let part = StormPlan {
                per_second: Some(pace.max(f64::from(whole.ports))),
                ..whole
            };
            some.push(round(&party, &OTHERS, *way, part)?);
        }
    }
    println!(
        "\n| flood of 1000 flows | as much as | 1000 frames/s | other people's ping quiet, p50 / p99, ms | beside it, p50 / p99, ms | lost, % |"
    );
    println!("|---|---|---|---|---|---|");
    for ((name, aim, _), [all, some]) in CASES.iter().zip(&found) {
        let (all, some) = (summary(all), summary(some));
        print(name, "goes in", &all);
        print(name, "half of what comes out", &some);
        let measured = format!("{}; of half of what comes out {}", told(&all), told(&some));
        verdicts.judge(*aim, measured, longer(&all) <= MOST_WAIT && all.lost == 0.0);
    }
    println!(
        "\nMedians of the rounds, of two other players the worse one; lost: in the worst round. The aim is about the \
         larger one."
    );
    Ok(())
}

fn print(name: &str, amount: &str, found: &Round) {
    let Round {
        quiet,
        stormy,
        lost,
        per_second,
    } = found;
    println!(
        "| {name} | {amount} | {:.1} | {:.2} / {:.2} | {:.2} / {:.2} | {:.1} |",
        per_second / 1e3,
        quiet.p50,
        quiet.p99,
        stormy.p50,
        stormy.p99,
        lost * 100.0
    );
}

/// By how much p99 has grown.
fn longer(found: &Round) -> f64 {
    found.stormy.p99 - found.quiet.p99
}

fn told(found: &Round) -> String {
    format!("{:+.1} ms, {:.1} % lost", longer(found), found.lost * 100.0)
}
