//! A storm of frames at one port of the party: the program behind it goes on with everything else.

#![allow(
    clippy::disallowed_methods,
    reason = "shell: these tests look at the clock"
)]

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use lanparty_lab::traffic::Storm;
use lanparty_lab::{Machine, Needs, Party, Player, Suite, checks, pass, run};

/// Where a flow has a queue of its own, this is as many as there are.
const PORTS: u16 = 1000;
const QUARTER: Duration = Duration::from_millis(250);
const QUARTERS: usize = 12;
/// A storm of fewer frames a second is none.
const STORM: u64 = 20_000;
/// Three seconds in which a machine with other work may not have come to it.
const SOON: Duration = Duration::from_secs(3);

fn main() -> ExitCode {
    let needs = Needs::programs(&["dnsmasq"]);
    let party = || Party::builder().players(1).start();
    let suites = [
        Suite::new(
            "lan_storm",
            party,
            checks![a_storm_on_the_lan_does_not_silence_the_gateway],
        ),
        Suite::new(
            "tap_storm",
            party,
            checks![a_storm_at_the_adapter_neither_silences_the_client_nor_makes_it_deaf],
        ),
    ];
    run(&needs, suites)
}

fn a_storm_on_the_lan_does_not_silence_the_gateway(party: &Party) -> Result<()> {
    let venue = &party.venue;
    let (player, lan1) = (&party.players[0], &venue.lan1);
    let storm = Storm::begin((lan1, "eth0"), lan1.mac("eth0")?, player.mac(), PORTS)?;
    sends_all_the_time(&venue.gateway, "gateway", &storm)?;
    party.gateway.interrupt().map(drop)
}

fn a_storm_at_the_adapter_neither_silences_the_client_nor_makes_it_deaf(
    party: &Party,
) -> Result<()> {
    let player = &party.players[0];
    let (machine, lan1) = (&player.machine, party.venue.lan1.mac("eth0")?);
    let storm = Storm::begin((machine, Player::TAP), player.mac(), lan1, PORTS)?;
    sends_all_the_time(machine, "client", &storm)?;
    let asked = Instant::now();
    player.program.interrupt()?;
    let ended = asked.elapsed();
    println!("the client ended {ended:.1?} after Ctrl-C");
    ensure!(ended < SOON, "Ctrl-C was heard after {ended:?}");
    Ok(())
}

/// In each quarter of a second of the storm the program sends something to the relay.
fn sends_all_the_time(machine: &Machine, who: &str, storm: &Storm) -> Result<()> {
    let begin = Instant::now();
    let mut counts = Vec::new();
    let mut before = machine.packets_sent("wan0")?;
    for _ in 0..QUARTERS {
        pass(QUARTER);
        let now = machine.packets_sent("wan0")?;
        counts.push(now - before);
        before = now;
    }
    let per_second = (storm.offered() as f64 / begin.elapsed().as_secs_f64()) as u64;
    println!(
        "{per_second} frames/s; packets that the {who} sent in each quarter of a second: {counts:?}"
    );
    ensure!(
        per_second >= STORM,
        "{per_second} frames a second are no storm"
    );
    let fewest = counts.iter().min().context("there were quarters")?;
    ensure!(*fewest > 0, "the {who} fell silent: {counts:?}");
    Ok(())
}
