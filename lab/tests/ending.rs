//! However a program ends, it leaves nothing behind on the machine it ran on.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, ensure};
use lanparty_lab::{
    Addressing, Machine, Needs, Party, Plan, Player, Suite, Venue, checks, program, run,
};
use rustix::process::Signal;

const SOON: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    let needs = Needs::programs(&["dnsmasq", "ping"]);
    let all = checks![
        a_player_who_presses_ctrl_c_leaves_no_trace,
        a_player_who_is_terminated_leaves_no_trace,
        a_player_with_a_lease_leaves_no_trace,
        a_killed_player_leaves_nothing_that_the_next_start_does_not_repair,
        ctrl_c_while_the_relay_does_not_answer_leaves_no_trace,
        ctrl_c_ends_the_gateway_and_the_relay_clean,
        a_player_whose_adapter_is_removed_is_told_so,
    ];
    // Each test has a party of its own.
    let suites = [Suite::new("ending", || Ok(()), all)];
    run(&needs, suites)
}

fn a_player_who_presses_ctrl_c_leaves_no_trace((): &()) -> Result<()> {
    leaves_no_trace(Addressing::Static, Signal::INT)
}

fn a_player_who_is_terminated_leaves_no_trace((): &()) -> Result<()> {
    leaves_no_trace(Addressing::Static, Signal::TERM)
}

fn a_player_with_a_lease_leaves_no_trace((): &()) -> Result<()> {
    leaves_no_trace(Addressing::Dhcp, Signal::INT)
}

fn leaves_no_trace(addressing: Addressing, signal: Signal) -> Result<()> {
    let party = Party::builder().players(1).addressing(addressing).start()?;
    let player = &party.players[0];
    player.program.signal(signal)?;
    let status = player.program.wait(SOON)?;
    ensure!(
        status.success(),
        "ended with {status}:\n{}",
        player.program.tail(20)
    );
    is_untouched(&player.machine)
}

fn a_killed_player_leaves_nothing_that_the_next_start_does_not_repair((): &()) -> Result<()> {
    let mut party = Party::builder().players(1).start()?;
    party.players[0].program.kill()?;
    ensure!(
        !party.players[0].machine.has_interface(Player::TAP),
        "the TAP outlived its program"
    );
    party.restart_player(0)?;
    party.players[0].machine.pings(Venue::LAN1, 56)?;
    party.players[0].program.interrupt()?;
    is_untouched(&party.players[0].machine)
}

fn ctrl_c_while_the_relay_does_not_answer_leaves_no_trace((): &()) -> Result<()> {
    let venue = Venue::build(Plan {
        remotes: 1,
        ..Plan::default()
    })?;
    let remote = &venue.remotes[0];
    let mut command = program("lanparty-client")?;
    let relay = Venue::RELAY.to_string();
    command.extend(
        [
            "--relay",
            &relay,
            "--room",
            "LAB-1",
            "--identity",
            "id.json",
        ]
        .map(Into::into),
    );
    let client = remote.spawn("client", command)?;
    client.wait_for_line("Connecting to the relay", SOON)?;
    let status = client.interrupt()?;
    ensure!(
        status.success(),
        "ended with {status}:\n{}",
        client.tail(20)
    );
    is_untouched(remote)
}

fn ctrl_c_ends_the_gateway_and_the_relay_clean((): &()) -> Result<()> {
    let party = Party::builder().players(1).start()?;
    let status = party.gateway.interrupt()?;
    ensure!(
        status.success(),
        "the gateway ended with {status}:\n{}",
        party.gateway.tail(20)
    );
    party.players[0]
        .program
        .wait_for_line("waiting for the LAN gateway", SOON)?;
    let shown = party.venue.gateway.ip_shows("-d link show dev eth0")?;
    ensure!(
        shown.contains("promiscuity 0"),
        "still promiscuous: {shown}"
    );
    let status = party.relay.interrupt()?;
    ensure!(
        status.success(),
        "the relay ended with {status}:\n{}",
        party.relay.tail(20)
    );
    party.players[0]
        .program
        .wait_for_line("not reachable", SOON)
        .map(drop)
}

fn a_player_whose_adapter_is_removed_is_told_so((): &()) -> Result<()> {
    let party = Party::builder()
        .players(1)
        .addressing(Addressing::Static)
        .start()?;
    let player = &party.players[0];
    player.machine.ip(&format!("link del {}", Player::TAP))?;
    let status = player.program.wait(SOON)?;
    let log = player.program.log();
    ensure!(status.code() == Some(1), "ended with {status}:\n{log}");
    let told = "error: the network interface is gone: somebody removed the adapter; start the client again";
    ensure!(log.lines().any(|line| line == told), "said:\n{log}");
    is_untouched(&player.machine)
}

/// The machine has no interfaces, routes, rules or programs but its own, and its resolver is as it was.
fn is_untouched(machine: &Machine) -> Result<()> {
    let links = machine.ip_shows("-br link")?;
    ensure!(
        links
            .lines()
            .all(|link| link.starts_with("lo ") || link.starts_with("wan0@")),
        "left behind:\n{links}"
    );
    let routes = machine.ip_shows("-4 route show")? + &machine.ip_shows("-6 route show")?;
    let own = |route: &str| {
        route.starts_with("default via")
            || ["10.9.", "fd00:9:", "fe80::"]
                .iter()
                .any(|own| route.starts_with(own) && route.contains("/"))
    };
    ensure!(routes.lines().all(own), "routes left behind:\n{routes}");
    let rules = machine.ip_shows("-4 rule show")?;
    ensure!(rules.lines().count() == 3, "rules left behind:\n{rules}");
    let rules = machine.ip_shows("-6 rule show")?;
    ensure!(rules.lines().count() == 2, "rules left behind:\n{rules}");
    ensure!(
        machine.resolver()? == "nameserver 192.0.2.53\n",
        "the resolver changed"
    );
    let programs = machine.programs()?;
    ensure!(programs.is_empty(), "programs left behind: {programs:?}");
    Ok(())
}
