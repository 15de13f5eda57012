//! A clicked invite, as a player has it: the window with the link, one key, the service, the LAN.

#![allow(
    clippy::disallowed_methods,
    reason = "shell: these tests measure by the clock"
)]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use lanparty_lab::{
    Machine, Needs, Plan, Player, Process, Suite, Venue, World, checks, eventually, program, run,
};
use serde_json::Value;

/// A busy machine is slow, and never this slow.
const SOON: Duration = Duration::from_secs(40);
/// A program whose settings say that it was used before, so that no page of welcome lies over the field.
const MEMORY: &str = r#"{"welcomed": true, "knows_tray": true}"#;

fn main() -> ExitCode {
    let needs = Needs::programs(&["Xvfb", "dnsmasq", "ping", "setpriv", "xdotool"]);
    let all = checks![a_clicked_invite_and_one_key_lead_onto_the_lan];
    run(&needs, [Suite::new("one click", Evening::begin, all)])
}

/// A host, and a player's machine with service and screen; the ends come in this order.
struct Evening {
    screen: Screen,
    service: Process,
    _gateway: Process,
    invite: String,
    venue: Venue,
}

impl World for Evening {
    fn report(&self) -> String {
        self.service.tail(40)
    }
}

impl Evening {
    fn begin() -> Result<Self> {
        let venue = Venue::build(Plan {
            remotes: 1,
            ..Plan::default()
        })?;
        let mut host = program("lanparty-gateway")?;
        host.extend(["host", "--interface", "eth0"].map(String::from));
        let gateway = venue.gateway.spawn("gateway", host)?;
        let printed = gateway.wait_for_line("lanparty://", SOON)?;
        let link = printed
            .split_whitespace()
            .find(|word| word.starts_with("lanparty://"));
        let invite = link.context("an invite")?.to_owned();
        let mut service = program("lanparty-client")?;
        service
            .extend(["service", "--socket", "client.sock", "--state", "service"].map(String::from));
        let service = venue.remotes[0].spawn("service", service)?;
        service.wait_for_line("Views are heard", SOON)?;
        Ok(Evening {
            screen: Screen::open(venue.lab.folder().join("screen"))?,
            service,
            _gateway: gateway,
            invite,
            venue,
        })
    }

    fn machine(&self) -> &Machine {
        &self.venue.remotes[0]
    }

    fn snapshot(&self) -> Result<Value> {
        let mut status = program("lanparty-client")?;
        status.extend(["status", "--json", "--socket", "client.sock"].map(String::from));
        // It says by its exit code whether it is connected.
        serde_json::from_slice(&self.machine().output(status)?.stdout).context("a snapshot")
    }
}

fn a_clicked_invite_and_one_key_lead_onto_the_lan(evening: &Evening) -> Result<()> {
    let screen = &evening.screen;
    let door = evening.venue.lab.folder().join("client.sock");
    let [lanparty] = &program("lanparty")?[..] else {
        anyhow::bail!("a program is one file");
    };
    let mut window = screen.command(lanparty);
    window.arg("--door").arg(door).arg(&evening.invite);
    let _window = Guard(window.spawn().context("start the window")?);
    screen.wait_for("Not connected")?;
    screen.focus()?;
    let before = evening.snapshot()?;
    ensure!(
        before["state"] == "not_connected",
        "joined unasked: {before}"
    );

    let pressed = Instant::now();
    screen.ask(&["key", "Return"])?;
    screen.wait_for("Connected")?;
    let took = pressed.elapsed();
    let after = evening.snapshot()?;
    ensure!(
        after["state"] == "connected",
        "the window says more than is: {after}"
    );
    let address = evening.machine().ipv4(Player::TAP).context("an address")?;
    ensure!(
        after["address"].to_string().contains(&address.to_string()),
        "{after}"
    );
    evening.machine().pings(Venue::LAN1, 56)?;
    println!("One key, and {took:.1?} later the player is on the LAN.");

    // The same by keyboard back out: nothing is left.
    screen.ask(&["key", "--delay", "60", "Tab", "space"])?;
    screen.wait_for("Not connected")?;
    eventually("the adapter is gone", SOON, || {
        (!evening.machine().has_interface(Player::TAP)).then_some(())
    })?;
    Ok(())
}

/// An X server without a screen, and what is needed to press its keys.
struct Screen {
    folder: PathBuf,
    display: String,
    _server: Guard,
}

impl Screen {
    fn open(folder: PathBuf) -> Result<Self> {
        let config = folder.join("config/softlan-vpn");
        fs::create_dir_all(&config)?;
        fs::write(config.join("window.json"), MEMORY)?;
        let mut server = Command::new("Xvfb");
        server.args(["-displayfd", "1", "-screen", "0", "1000x800x24"]);
        server.args(["-nolisten", "tcp"]);
        server
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut server = Guard(server.spawn().context("start an X server")?);
        let mut number = String::new();
        let out = server.0.stdout.take().context("its number")?;
        BufReader::new(out).read_line(&mut number)?;
        Ok(Screen {
            folder,
            display: format!(":{}", number.trim()),
            _server: server,
        })
    }

    /// A program on this screen, of somebody who has no other.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .env("DISPLAY", &self.display)
            .env("XDG_RUNTIME_DIR", &self.folder)
            .env("XDG_CONFIG_HOME", self.folder.join("config"))
            .env("HOME", &self.folder)
            .env_remove("WAYLAND_DISPLAY")
            .env_remove("DBUS_SESSION_BUS_ADDRESS")
            .stdin(Stdio::null())
            .stderr(Stdio::null());
        command
    }

    fn ask(&self, words: &[&str]) -> Result<String> {
        let output = self.command("xdotool").args(words).output();
        let said = output.context("run xdotool")?.stdout;
        Ok(String::from_utf8_lossy(&said).trim().to_owned())
    }

    fn window(&self) -> Result<Option<String>> {
        let found = self.ask(&["search", "--onlyvisible", "--name", "LAN party"])?;
        Ok(found.lines().next().map(str::to_owned))
    }

    /// Waits for the state in the window's title.
    fn wait_for(&self, state: &str) -> Result<()> {
        let wanted = format!("{state} – LAN party");
        let mut last = String::new();
        let seen = eventually(&format!("the window says {state}"), SOON, || {
            last = self.ask(&["getwindowname", &self.window().ok()??]).ok()?;
            (last == wanted).then_some(())
        });
        seen.with_context(|| format!("the last was {last:?}"))
    }

    fn focus(&self) -> Result<()> {
        let window = self.window()?.context("a window")?;
        self.ask(&["windowfocus", "--sync", &window]).map(drop)
    }
}

/// A program that ends with its test.
struct Guard(Child);

impl Drop for Guard {
    fn drop(&mut self) {
        // One that has ended by itself cannot be ended again.
        let _ended = self.0.kill();
        let _ended = self.0.wait();
    }
}
