//! What one ping and its answer cost: system calls and packets, counted by strace as `lab/tests/calls.rs` does.

use std::time::Duration;

use anyhow::Result;
use lanparty_lab::calls::per_ping;
use lanparty_lab::{Addressing, Party, Venue};

use super::aims::{Aim, Verdicts, median};
use super::progress;

const PINGS: u32 = 240;
const FIRST_PINGS: u32 = 20;
const PER_SECOND: f64 = 60.0;
/// Answers that take longer are acknowledged by packets of their own.
const SLOW: Duration = Duration::from_millis(20);
const MOST_CALLS: f64 = 18.0;
const MOST_PACKETS: f64 = 4.1;

/// Measures all rounds and prints a row for each.
pub(crate) fn run(rounds: u8, verdicts: &mut Verdicts) -> Result<()> {
    println!("\n| round | system calls a ping | UDP packets a ping | answers after 20 ms, % |");
    println!("|---|---|---|---|");
    let party = Party::builder()
        .players(1)
        .addressing(Addressing::Static)
        .start()?;
    // Everybody has everybody's address before it counts.
    let player = &party.players[0].machine;
    player.round_trips(Venue::LAN1, FIRST_PINGS, PER_SECOND)?;
    let (mut calls, mut packets) = (Vec::new(), Vec::new());
    for round in 1..=rounds {
        progress(&format!("round {round} of {rounds}: what a ping costs"));
        let cost = per_ping(&party, PINGS, SLOW)?;
        let slow = cost.slow * 100.0;
        println!(
            "| {round} | {:.1} | {:.2} | {slow:.1} |",
            cost.calls, cost.packets
        );
        calls.push(cost.calls);
        packets.push(cost.packets);
    }
    let (calls, packets) = (median(calls), median(packets));
    verdicts.judge(Aim::Calls, format!("{calls:.1}"), calls <= MOST_CALLS);
    verdicts.judge(
        Aim::Packets,
        format!("{packets:.2}"),
        packets <= MOST_PACKETS,
    );
    Ok(())
}
