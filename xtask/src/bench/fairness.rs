//! A game on a line that somebody fills from 1000 ports.

use std::time::Duration;

use anyhow::{Context, Result};
use lanparty_lab::traffic::StormPlan;
use lanparty_lab::{Addressing, Party, WireConditions, pass};

use super::aims::{Aim, Verdicts};
use super::beside::{Round, Way, introduce, round, round_begun_before, summary};
use super::progress;

/// The narrow line in both directions, with 100 ms of queue in front of it, and what is poured into it.
const RATE: u64 = 20_000_000;
const QUEUE: usize = 250_000;
const STORM: f64 = 40e6;
const LENGTHS: [usize; 2] = [300, 1300];
/// Milliseconds above the idle line.
const MOST_WAIT: f64 = 5.0;
const PLAYERS: usize = 2;
const GAMER: usize = 0;
const OTHER: usize = 1;
/// The links have seen their new paths by then.
const SETTLED: Duration = Duration::from_secs(1);

/// Whose line is narrow: the number of its wire.
const GATEWAY_LINE: usize = 0;
const GAMER_LINE: usize = 1 + GAMER;

struct Case {
    name: &'static str,
    narrow: usize,
    way: Way,
    /// Whether the game is there before the flows.
    is_game_first: bool,
    /// Beside the own flows a game is shown, but not judged: people are kept apart, and this is one.
    is_own: bool,
}

const CASES: [Case; 3] = [
    Case {
        name: "another player's, on the player's line",
        narrow: GAMER_LINE,
        way: Way::Between(OTHER, GAMER),
        is_game_first: false,
        is_own: false,
    },
    Case {
        name: "a LAN machine's, on the gateway's line",
        narrow: GATEWAY_LINE,
        way: Way::LanToPlayer(OTHER),
        is_game_first: false,
        is_own: false,
    },
    Case {
        name: "the player's own, begun after the game",
        narrow: GAMER_LINE,
        way: Way::PlayerToLan(GAMER),
        is_game_first: true,
        is_own: true,
    },
];

/// Measures all rounds, the cases in turns, and prints a table.
pub(crate) fn run(rounds: u8, verdicts: &mut Verdicts) -> Result<()> {
    let wide = WireConditions::default();
    let line = WireConditions {
        rate: Some((RATE, QUEUE)),
        ..wide
    };
    let party = Party::builder()
        .players(PLAYERS)
        .addressing(Addressing::Static)
        .paths(wide)
        .start()?;
    introduce(&party)?;
    let mut rows: Vec<_> = CASES
        .iter()
        .flat_map(|case| LENGTHS.map(|length| (case, length, Vec::<Round>::new())))
        .collect();
    for number in 1..=rounds {
        for (case, length, found) in &mut rows {
            let name = case.name;
            progress(&format!(
                "round {number} of {rounds}: 1000 flows, {name}, {length} bytes"
            ));
            let wire = party.venue.wires.get(case.narrow).context("no such wire")?;
            wire.set(line);
            pass(SETTLED);
            let plan = StormPlan {
                length: *length,
                ..StormPlan::default()
            };
            let round = match case.is_game_first {
                true => round_begun_before,
                false => round,
            };
            found.push(round(&party, &[GAMER], case.way, plan.at_rate(STORM))?);
            wire.set(wide);
        }
    }
    println!(
        "\n| 1000 flows, 40 Mbit/s | bytes of a frame | game idle, p50 / p99, ms | beside them, p50 / p99, ms | lost, % |"
    );
    println!("|---|---|---|---|---|");
    let mut worst = [Worst::default(), Worst::default()];
    for (case, length, found) in &rows {
        let found = summary(found);
        print(case, *length, &found);
        worst[usize::from(case.is_own)].note(&found);
    }
    println!(
        "\nMedians of the rounds; lost: in the worst round. The aim is about other people's flows: people are kept apart, \
         and who floods the own line hurts the own games."
    );
    let [others, own] = worst;
    let is_met = others.lost == 0.0 && others.wait <= MOST_WAIT;
    let measured = format!("{}; beside one's own flows {}", others.told(), own.told());
    verdicts.judge(Aim::GameBesideFlows, measured, is_met);
    Ok(())
}

/// Of several cases.
#[derive(Debug, Default)]
struct Worst {
    /// 0 to 1.
    lost: f64,
    /// Milliseconds of p99 above half of the idle line's pings.
    wait: f64,
}

impl Worst {
    fn note(&mut self, found: &Round) {
        self.lost = self.lost.max(found.lost);
        self.wait = self.wait.max(found.stormy.p99 - found.quiet.p50);
    }

    fn told(&self) -> String {
        format!("{:.1} % lost, {:.1} ms", self.lost * 100.0, self.wait)
    }
}

fn print(case: &Case, length: usize, found: &Round) {
    let Round {
        quiet,
        stormy,
        lost,
        ..
    } = found;
    println!(
        "| {} | {length} | {:.2} / {:.2} | {:.2} / {:.2} | {:.1} |",
        case.name,
        quiet.p50,
        quiet.p99,
        stormy.p50,
        stormy.p99,
        lost * 100.0
    );
}
