//! `cargo xtask pictures`: what a host, an operator and a player at a terminal see, from programs that run.
//!
//! The pictures are in `docs/pictures/`, and nobody draws them by hand. The window makes its own.

mod terminal;

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use lanparty_lab::{Machine, Needs, Plan, Player, Process, Venue, eventually, program};

use crate::build;
use terminal::Terminal;

pub(crate) const NEEDS: Needs = Needs::programs(&["dnsmasq", "ping"]);
const FOLDER: &str = "docs/pictures";
const SOON: Duration = Duration::from_secs(20);
/// How the players find the gateway: its own address towards the internet, by a name.
const PARTY: &str = "party.example.net";
const AT: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 9, 2, 1));
const NAMES: [&str; 2] = ["Anna", "Bert"];

/// Has a party without a server and one with, and writes down what they say.
pub(crate) fn run() -> Result<ExitCode> {
    build::ensure_root_with(&build::release()?)?;
    if let Some(reason) = NEEDS.missing() {
        anyhow::bail!("{reason}");
    }
    fs::create_dir_all(FOLDER).context("make the folder of pictures")?;
    without_a_server()?;
    with_a_relay()?;
    Ok(ExitCode::SUCCESS)
}

fn without_a_server() -> Result<()> {
    let venue = venue()?;
    for machine in venue.remotes.iter().chain([&venue.gateway]) {
        machine.set_host(PARTY, AT)?;
    }
    let words = ["host", "--interface", "eth0", "--public-address", PARTY];
    let host = spawn(&venue.gateway, "lanparty-gateway", &words)?;
    let invite = host.wait_for_line("lanparty://", SOON)?;
    let players = join(&venue, &invite)?;
    let mut screen = Terminal::new("At the party");
    screen.typed(&format!("lanparty-gateway {}", words.join(" ")));
    screen.said(&sentences(&host.log()));
    save(&screen, "host.svg")?;

    let mut screen = Terminal::new("Who is here");
    show(
        &mut screen,
        &venue.gateway,
        "lanparty-gateway",
        &["ctl", "list"],
    )?;
    save(&screen, "host-list.svg")?;

    let mut screen = Terminal::new("At home");
    screen.typed("lanparty-client @invite.txt");
    screen.said(&sentences(&players[0].log()));
    save(&screen, "player-terminal.svg")
}

fn with_a_relay() -> Result<()> {
    let venue = venue()?;
    let words = ["--listen", "10.9.1.1:443", "--state", "state"];
    let relay = spawn(&venue.relay, "lanparty-relay", &words)?;
    let pin = relay.wait_for_line("--pin", SOON)?;
    let pin = pin.rsplit(' ').next().context("a pin")?.to_owned();
    let at = ["--relay", "10.9.1.1", "--pin", &pin, "--room", "FRIDAY-LAN"];
    let mut invite = program("lanparty-gateway")?;
    invite.extend(["invite"].into_iter().chain(at).map(str::to_owned));
    let invite = venue.gateway.run(&invite)?;
    let invite = invite.lines().find(|line| line.contains("lanparty://"));
    let invite = invite.context("an invite")?.trim().to_owned();
    let words: Vec<_> = at.into_iter().chain(["--interface", "eth0"]).collect();
    let _gateway = spawn(&venue.gateway, "lanparty-gateway", &words)?;
    let _players = join(&venue, &invite)?;
    let mut screen = Terminal::new("On the relay");
    for order in ["rooms", "peers"] {
        let words = ["ctl", "--socket", "state/relay.ctl", order];
        show(&mut screen, &venue.relay, "lanparty-relay", &words)?;
    }
    save(&screen, "operator.svg")
}

fn venue() -> Result<Venue> {
    Venue::build(Plan {
        remotes: NAMES.len(),
        ..Plan::default()
    })
}

/// Everybody in, with an address and a moment of traffic to count.
fn join(venue: &Venue, invite: &str) -> Result<Vec<Process>> {
    let file = venue.lab.write("invite.txt", invite)?;
    let invite = format!("@{file}");
    let mut players = Vec::new();
    for (machine, name) in venue.remotes.iter().zip(NAMES) {
        let identity = venue.lab.folder().join(format!("{name}.json"));
        let identity = identity.to_string_lossy();
        let words = ["--name", name, "--identity", &identity, &invite];
        let player = spawn(machine, "lanparty-client", &words)?;
        eventually("the player gets a LAN address", SOON, || {
            machine.ipv4(Player::TAP)
        })
        .with_context(|| player.tail(20))?;
        player.wait_for_line("broadcast is flowing", SOON)?;
        machine.run([
            "ping",
            "-c",
            "20",
            "-i",
            "0.05",
            "-q",
            &Venue::LAN1.to_string(),
        ])?;
        players.push(player);
    }
    Ok(players)
}

fn spawn(machine: &Machine, name: &str, words: &[&str]) -> Result<Process> {
    let mut command = program(name)?;
    command.extend(words.iter().map(|&word| word.to_owned()));
    machine.spawn(name, command)
}

/// A command and its answer; where a test's programs keep their sockets is nobody's business.
fn show(screen: &mut Terminal, machine: &Machine, name: &str, words: &[&str]) -> Result<()> {
    let mut command = program(name)?;
    command.extend(words.iter().map(|&word| word.to_owned()));
    let answer = machine.run(&command)?;
    let hidden = ["--socket", "state/relay.ctl"];
    let typed: Vec<_> = words
        .iter()
        .filter(|word| !hidden.contains(*word))
        .copied()
        .collect();
    screen.typed(&format!("{name} {}", typed.join(" ")));
    screen.said(&answer);
    Ok(())
}

/// Without what is logged: that begins with a date.
fn sentences(log: &str) -> String {
    let is_logged = |line: &&str| line.starts_with("20") && line.contains("Z ");
    let lines: Vec<_> = log.lines().filter(|line| !is_logged(line)).collect();
    lines.join("\n")
}

fn save(screen: &Terminal, name: &str) -> Result<()> {
    let file = Path::new(FOLDER).join(name);
    fs::write(&file, screen.svg()).with_context(|| format!("write {}", file.display()))?;
    println!("{}", file.display());
    Ok(())
}
