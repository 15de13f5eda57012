//! `cargo xtask demo --window`: a player's service joins, and the real window shows it.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lanparty_lab::traffic::{teeworlds_server, teeworlds_servers_seen};
use lanparty_lab::{LAN_BROADCAST, Machine, Plan, Process, Venue, eventually, program};

use super::{GAME, point, say};
use crate::cargo::target_folder;

const SOON: Duration = Duration::from_secs(20);
const PICTURE_SIZE: &str = "520x900";

/// Plays until the window is closed; without a display there is a picture of it instead.
pub(super) fn play() -> Result<()> {
    say("Setting up: a LAN with a game server, its gateway, and two players far away.");
    let venue = Venue::build(Plan {
        remotes: 2,
        ..Plan::default()
    })?;
    let [anna, bert] = &venue.remotes[..] else {
        anyhow::bail!("two players were asked for");
    };
    let _game = teeworlds_server(&venue.lan1, GAME)?;
    let host = start(
        &venue.gateway,
        "lanparty-gateway",
        &["host", "--interface", "eth0"],
    )?;
    let invite = host.wait_for_line("lanparty://", SOON)?;
    let file = format!("@{}", venue.lab.write("invite.txt", &invite)?);
    let identity = inside(&venue, "bert.json");
    let words = ["--name", "Bert", "--identity", &identity, &file];
    let _bert = start(bert, "lanparty-client", &words)?;

    let (socket, state) = (inside(&venue, "client.sock"), inside(&venue, "state"));
    let words = ["service", "--socket", &socket, "--state", &state];
    let service = start(anna, "lanparty-client", &words)?;
    service.wait_for_line("service", SOON)?;
    ask(anna, &["join", &file, "--socket", &socket])?;
    // What a game's own list asks is what the service finds games by.
    eventually("the service sees the game", SOON, || {
        teeworlds_servers_seen(anna, LAN_BROADCAST).ok()?;
        let games = ask(anna, &["games", "--socket", &socket]).ok()?;
        games.contains(GAME).then_some(())
    })?;
    point(
        "status",
        ask(anna, &["status", "--socket", &socket])?.trim(),
    );
    show(Path::new(&socket))?;
    ask(anna, &["leave", "--socket", &socket])?;
    Ok(())
}

fn inside(venue: &Venue, name: &str) -> String {
    venue.lab.folder().join(name).to_string_lossy().into_owned()
}

fn start(machine: &Machine, name: &str, words: &[&str]) -> Result<Process> {
    machine.spawn(name, command(name, words)?)
}

fn ask(machine: &Machine, words: &[&str]) -> Result<String> {
    machine.run(command("lanparty-client", words)?)
}

fn command(name: &str, words: &[&str]) -> Result<Vec<String>> {
    let mut command = program(name)?;
    command.extend(words.iter().map(|&word| word.to_owned()));
    Ok(command)
}

/// The service's socket is a file, so the window need not be in the player's namespace.
fn show(socket: &Path) -> Result<()> {
    let [program] = &program("lanparty")?[..] else {
        anyhow::bail!("a program is one file");
    };
    let mut window = Command::new(program);
    window.arg("--door").arg(socket);
    if has_display() {
        say("This is the player's window. Close it to end the party.");
    } else {
        let picture = picture()?;
        window.arg("--screenshot").arg(&picture);
        window.args(["--size", PICTURE_SIZE]);
        say("There is no display here, so the window draws a picture of itself:");
        point("picture", &picture.display().to_string());
    }
    let status = window.status().context("start the window")?;
    ensure!(status.success(), "the window ended with {status}");
    Ok(())
}

fn has_display() -> bool {
    let is_set = |name: &str| env::var_os(name).is_some_and(|value| !value.is_empty());
    is_set("DISPLAY") || is_set("WAYLAND_DISPLAY")
}

fn picture() -> Result<PathBuf> {
    Ok(target_folder()?.join("demo-window.png"))
}
