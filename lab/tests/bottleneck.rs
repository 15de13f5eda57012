//! A player behind a slow line, as most are: a game does not wait behind a file copy.

use std::net::IpAddr;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, ensure};
use lanparty_lab::traffic::{Bulk, Load, Trips, trips_beside};
use lanparty_lab::{Addressing, Machine, Needs, Party, Suite, Venue, WireConditions, checks, run};

/// The line's rate in both directions, and 100 ms of queue in front of it.
const RATE: u64 = 20_000_000;
const QUEUE: usize = 250_000;
/// A gate that lets everything pass fills the queue: 100 ms. A quiet machine measures 1, a busy one far more.
const LONGEST_WAIT: Duration = Duration::from_millis(50);
/// The aim is 0.8 (docs/performance.md); less than this is a fault.
const LEAST_USE: f64 = 0.3;

fn main() -> ExitCode {
    let checks = checks![
        a_game_does_not_wait_behind_what_the_player_sends,
        a_game_does_not_wait_behind_what_the_player_receives,
    ];
    let needs = Needs::programs(&["dnsmasq", "iperf3", "ping"]);
    run(&needs, [Suite::new("bottleneck", start, checks)])
}

fn start() -> Result<Party> {
    let line = WireConditions {
        delay: Duration::from_millis(5),
        rate: Some((RATE, QUEUE)),
        ..WireConditions::default()
    };
    Party::builder()
        .players(1)
        .addressing(Addressing::Static)
        .player_paths(line)
        .congestion("gate")
        .start()
}

fn a_game_does_not_wait_behind_what_the_player_sends(party: &Party) -> Result<()> {
    let lan = &party.venue.lan1;
    does_not_wait(party, &party.players[0].machine, lan, Venue::LAN1)
}

fn a_game_does_not_wait_behind_what_the_player_receives(party: &Party) -> Result<()> {
    let (lan, player) = (&party.venue.lan1, &party.players[0].machine);
    does_not_wait(party, lan, player, Party::FIRST_STATIC)
}

/// Sends more than the line takes.
fn does_not_wait(party: &Party, from: &Machine, to: &Machine, address: IpAddr) -> Result<()> {
    let player = &party.players[0].machine;
    let idle = Trips::measure(player, Venue::LAN1, Duration::from_secs(1))?;
    let load = Load::Udp {
        seconds: 5,
        rate: RATE * 3 / 2,
        payload: 1200,
    };
    let bulk = Bulk {
        from,
        to,
        address,
        load,
    };
    let time = Duration::from_secs(2);
    let (trips, reports) = trips_beside(player, Venue::LAN1, time, &[bulk])?;
    let waits = trips.quantile(50).saturating_sub(idle.quantile(50));
    let share = reports[0].bits_per_second / RATE as f64;
    println!(
        "waits {waits:?}, {:.2} lost, share of the line {share:.2}",
        trips.lost
    );
    ensure!(waits < LONGEST_WAIT, "a game's packets wait for {waits:?}");
    ensure!(
        trips.lost < 0.05,
        "{:.2} of a game's packets got lost",
        trips.lost
    );
    ensure!(share > LEAST_USE, "the copy uses {share:.2} of the line");
    Ok(())
}
