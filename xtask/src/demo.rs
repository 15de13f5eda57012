//! `cargo xtask demo`: a LAN party that a person can watch.

mod fleet;
mod window;

use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use lanparty_lab::traffic::{copy, teeworlds_server, teeworlds_servers_seen};
use lanparty_lab::{
    LAN_BROADCAST, Needs, Party, Player, Process, Venue, leftovers, until_interrupted,
};

use crate::build;

/// No more than what is shown: OpenArena alone would be 400 MB.
pub(crate) const NEEDS: Needs = Needs::programs(&["dnsmasq", "ping", "teeworlds-server"]);
/// What three relays need besides, and nothing of games.
pub(crate) const FLEET_NEEDS: Needs = Needs::programs(&["dnsmasq", "etcd", "etcdctl", "ping"]);
const GAME: &str = "Friday night on the LAN";
const FILE_BYTES: u64 = 50_000_000;

/// What is shown.
#[derive(Clone, Copy)]
pub(crate) enum Show {
    /// What each of so many players can do.
    Players(u8),
    /// The same, and the party stays.
    Stay(u8),
    /// One player's window.
    Window,
    /// A party on several relays.
    Fleet,
}

/// Builds, plays, cleans up.
pub(crate) fn run(show: Show) -> Result<ExitCode> {
    let more: &[&str] = match show {
        Show::Window => &[build::WINDOW],
        Show::Players(_) | Show::Stay(_) | Show::Fleet => &[],
    };
    build::ensure_root_with(&build::release_with(more)?)?;
    let needs = match show {
        Show::Fleet => FLEET_NEEDS,
        Show::Players(_) | Show::Stay(_) | Show::Window => NEEDS,
    };
    if let Some(reason) = needs.missing() {
        anyhow::bail!("{reason}");
    }
    match show {
        Show::Players(players) => play(false, usize::from(players))?,
        Show::Stay(players) => play(true, usize::from(players))?,
        Show::Window => window::play()?,
        Show::Fleet => fleet::play()?,
    }
    ensure!(
        leftovers().is_empty(),
        "the demo left these behind: {}",
        leftovers().join(", ")
    );
    say("Everything is cleaned up: no namespace, interface, route or program is left.");
    Ok(ExitCode::SUCCESS)
}

fn play(keep: bool, players: usize) -> Result<()> {
    say(
        "Setting up: a LAN with a router and two PCs, a relay on the internet, and players far away.",
    );
    let begin = Instant::now();
    let party = Party::builder().players(players).start()?;
    say(&format!(
        "The party is on after {:.1} s.",
        begin.elapsed().as_secs_f32()
    ));
    point(
        "relay",
        &party.relay.wait_for_line("Relay listening", SHORT)?,
    );
    point(
        "gateway",
        &party.gateway.wait_for_line("Gateway of room", SHORT)?,
    );
    let game = teeworlds_server(&party.venue.lan1, GAME)?;
    point(
        "lan1",
        &format!("runs a Teeworlds server called \"{GAME}\"."),
    );
    for player in &party.players {
        show_player(&party, player)?;
    }
    show_neighbours(&party)?;
    if keep {
        stay(&party);
    }
    end(party, game)
}

const SHORT: std::time::Duration = std::time::Duration::from_secs(5);

/// What one player can do now.
fn show_player(party: &Party, player: &Player) -> Result<()> {
    let (machine, name, address) = (&player.machine, player.machine.name(), player.address()?);
    say(&format!("Player {name} is on the LAN."));
    point(
        "address",
        &format!(
            "{address}, leased by the LAN's own DHCP server; {name}'s own default route and DNS are untouched."
        ),
    );

    let shown = machine.run([
        "ping",
        "-n",
        "-c",
        "5",
        "-i",
        "0.1",
        &Venue::LAN1.to_string(),
    ])?;
    let times = shown
        .lines()
        .find(|line| line.starts_with("rtt"))
        .context("ping said nothing")?;
    let average = times.split('/').nth(4).context("ping said something new")?;
    point("ping", &format!("lan1 answers in {average} ms."));
    party.venue.lan1.pings(address, 56)?;
    point("ping back", &format!("lan1 reaches {name} as well."));

    let servers = teeworlds_servers_seen(machine, LAN_BROADCAST)?;
    ensure!(
        !servers.is_empty(),
        "{name} asked for games by broadcast and heard nothing"
    );
    for (server, title) in servers {
        point(
            "games",
            &format!(
                "\"{title}\" at {server}, found by broadcast, as the game's own LAN browser does."
            ),
        );
    }

    for (from, to, target) in [
        (&party.venue.lan1, machine, address),
        (machine, &party.venue.lan1, Venue::LAN1),
    ] {
        let took = copy(from, to, target, FILE_BYTES)?.as_secs_f64();
        let megabits = FILE_BYTES as f64 * 8e-6 / took;
        let (from, to, megabytes) = (from.name(), to.name(), FILE_BYTES / 1_000_000);
        point(
            "file",
            &format!(
                "{megabytes} MB from {from} to {to} in {took:.1} s ({megabits:.0} Mbit/s), every byte the same."
            ),
        );
    }
    Ok(())
}

/// Players are on the same LAN, so they reach each other too.
fn show_neighbours(party: &Party) -> Result<()> {
    for pair in party.players.windows(2) {
        let [one, other] = pair else { continue };
        one.machine.pings(other.address()?, 56)?;
        point(
            "ping",
            &format!(
                "{} reaches {} too.",
                one.machine.name(),
                other.machine.name()
            ),
        );
    }
    Ok(())
}

fn stay(party: &Party) {
    let venue = &party.venue;
    say("The party goes on. Enter a machine from another terminal, as root:");
    let lan = [
        (&venue.lan1, "a PC on the LAN, with the game server"),
        (&venue.lan2, "another PC on the LAN"),
    ];
    let rest = [
        (&venue.router, "the LAN's router: DHCP and DNS"),
        (
            &venue.switch,
            "the LAN's switch: `bridge fdb`, `tcpdump -ni br0`",
        ),
        (&venue.gateway, "the gateway"),
        (&venue.relay, "the relay"),
    ];
    let players = party
        .players
        .iter()
        .map(|player| (&player.machine, "a player far away"));
    for (machine, what) in players.chain(lan).chain(rest) {
        println!(
            "    ip netns exec {:<14} bash    # {what}",
            machine.namespace()
        );
    }
    println!("    Logs: {}", venue.lab.folder().display());
    say("Ctrl-C ends the party.");
    until_interrupted();
    println!();
}

fn end(party: Party, game: Process) -> Result<()> {
    say("Good night: the players leave, then the gateway, then the relay.");
    drop(game);
    party.end()
}

fn say(sentence: &str) {
    println!("\n{sentence}");
}

fn point(what: &str, sentence: &str) {
    println!("    {what:<10} {sentence}");
}
