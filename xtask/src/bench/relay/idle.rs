//! What the relay keeps for players who say nothing.

use anyhow::Result;

use super::against::Then;
use super::trial::{Cores, Programs, Trial};
use crate::bench::aims::{Aim, Verdicts};
use crate::bench::progress;

const ROOM_OF: usize = 8;
const PLAYERS: [usize; 2] = [200, 800];
/// So long they have said nothing.
const SECONDS: u64 = 5;
const MOST_KB: f64 = 40.0;

/// Measures ours on as many threads as it likes, and the older one if today's players can join it.
pub(super) fn run(ours: &Programs, then: Option<&Then>, verdicts: &mut Verdicts) -> Result<()> {
    println!("\n| idle players | relay | memory per player, KB |\n|---|---|---|");
    let mut most = 0.0_f64;
    for players in PLAYERS {
        progress(&format!("{players} players who are idle"));
        let trial = Trial {
            players,
            room_of: ROOM_OF,
            seconds: SECONDS,
            cores: Cores::for_two(Cores::of_this_machine()),
            threads: None,
            is_idle: true,
        };
        let memory = trial.run(ours)?.memory_per_player / 1e3;
        println!("| {players} | ours | {memory:.1} |");
        most = most.max(memory);
        if let Some(then) = then.filter(|then| then.takes_our_players()) {
            let memory = then.memory(&trial, ours)? / 1e3;
            println!("| {players} | {} | {memory:.1} |", then.commit());
        }
    }
    verdicts.judge(Aim::RelayMemory, format!("{most:.1} KB"), most <= MOST_KB);
    Ok(())
}
