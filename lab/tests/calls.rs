//! What a ping costs the programs it passes: their system calls, and their packets on the internet. Unlike processor time
//! that hardly depends on the machine.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, ensure};
use lanparty_lab::calls::per_ping;
use lanparty_lab::{Needs, Party, Suite, Venue, checks, run};

const PINGS: u32 = 240;
const PER_SECOND: f64 = 60.0;
/// As often is it tried: other work on the machine puts acknowledgements and wake-ups between.
const ROUNDS: usize = 5;
/// Answers that take longer are acknowledged by packets of their own (RFC 9000 §18.2, max_ack_delay), at both ends of
/// both links; so are pings that were sent so late.
const SLOW: Duration = Duration::from_millis(20);
const PACKETS_OF_A_SLOW_PING: f64 = 4.0;
const CALLS_OF_A_SLOW_PING: f64 = 12.0;

/// Ping and answer, once over each of two links; and now and then one that has nobody to ride on.
const MOST_PACKETS: f64 = 4.1;
/// Six wake-ups with a wait, a read and a write each, one read of the TAP in vain, and a timer now and then: measured are
/// 19.3 to 19.6; docs/performance.md has the reasons.
const MOST_CALLS: f64 = 20.5;
/// In a second without a ping: they are subtracted, so whoever does in silence what he does in a game would look cheap.
/// Measured are 170 to 260, most of them the client's questions for routes.
const MOST_IDLE_CALLS: f64 = 350.0;

fn main() -> ExitCode {
    let needs = Needs::programs(&["dnsmasq", "ping", "strace"]);
    let party = || Party::builder().players(1).start();
    let checks = checks![a_ping_costs_few_system_calls_and_packets];
    run(&needs, [Suite::new("calls", party, checks)])
}

fn a_ping_costs_few_system_calls_and_packets(party: &Party) -> Result<()> {
    let player = &party.players[0].machine;
    // Everybody has everybody's address before it counts.
    player.round_trips(Venue::LAN1, 20, PER_SECOND)?;
    let mut failed = String::new();
    for round in 1..=ROUNDS {
        let cost = per_ping(party, PINGS, SLOW)?;
        let (calls, packets) = (cost.calls, cost.packets);
        let slow = (cost.slow * f64::from(PINGS)).round();
        println!(
            "round {round}: {calls:.1} calls and {packets:.2} packets a ping, {slow} slow ones; {:.0} calls a second without",
            cost.idle
        );
        let most_calls = MOST_CALLS + CALLS_OF_A_SLOW_PING * cost.slow;
        let most_packets = MOST_PACKETS + PACKETS_OF_A_SLOW_PING * cost.slow;
        ensure!(
            cost.idle <= MOST_IDLE_CALLS,
            "{:.0} calls a second while nothing is sent, not {MOST_IDLE_CALLS}",
            cost.idle
        );
        if calls <= most_calls && packets <= most_packets {
            // Each has to pass each program, or nothing was counted.
            ensure!(packets > 3.5 && calls > 10.0, "they cannot be so few");
            return Ok(());
        }
        failed = format!(
            "{calls:.1} calls and {packets:.2} packets, not {most_calls:.1} and {most_packets:.2}"
        );
    }
    anyhow::bail!("a ping and its answer cost {failed}")
}
