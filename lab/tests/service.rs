//! The service: whoever may use its socket joins, and what happens to the party, to views and to the service itself is
//! seen in its snapshots.

#![allow(
    clippy::disallowed_methods,
    reason = "shell: these tests measure by the clock"
)]

use std::process::{ExitCode, Output};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use lanparty_lab::{
    Machine, Needs, Plan, Player, Process, Suite, Venue, World, checks, eventually, program, run,
};
use serde_json::Value;

const SOON: Duration = Duration::from_secs(20);
const ROOM: &str = "FRIDAY-LAN";

fn main() -> ExitCode {
    let needs = Needs::programs(&["dhclient", "dnsmasq", "ping"]);
    let evening = checks![
        an_invite_is_joined_and_the_player_is_on_the_lan,
        what_json_says_is_what_is_watched,
        who_leaves_leaves_no_trace,
    ];
    run(&needs, [Suite::new("service", Evening::begin, evening)])
}

/// A host, and a player's machine with the service.
struct Evening {
    service: std::sync::Mutex<Process>,
    gateway: Process,
    relay: Process,
    invite: String,
    venue: Venue,
}

impl World for Evening {
    fn report(&self) -> String {
        let service = self.service.lock().expect("no test panics with it");
        [&self.relay, &self.gateway, &service]
            .map(|program| program.tail(25))
            .join("\n---\n")
    }
}

impl Evening {
    fn begin() -> Result<Self> {
        let venue = Venue::build(Plan {
            remotes: 2,
            ..Plan::default()
        })?;
        let relay = venue.relay.spawn("relay", program("lanparty-relay")?)?;
        let line = relay.wait_for_line("--pin ", SOON)?;
        let pin = line.rsplit(' ').next().context("a pin")?.trim().to_owned();
        let address = Venue::RELAY.to_string();
        let place = ["--relay", &address, "--pin", &pin, "--room", ROOM].map(String::from);
        let mut print = program("lanparty-gateway")?;
        print.extend(["invite".to_owned()].into_iter().chain(place.clone()));
        let printed = venue.gateway.run(&print)?;
        let invite = printed.lines().next().context("an invite")?.to_owned();
        let mut open = program("lanparty-gateway")?;
        open.extend(place);
        open.extend(["--interface", "eth0"].map(String::from));
        let gateway = venue.gateway.spawn("gateway", open)?;
        gateway.wait_for_line("connected to the relay", SOON)?;
        let service = start_service(&venue.remotes[0])?;
        Ok(Evening {
            service: std::sync::Mutex::new(service),
            gateway,
            relay,
            invite,
            venue,
        })
    }

    fn machine(&self) -> &Machine {
        &self.venue.remotes[0]
    }

    /// What a person types.
    fn client(&self, words: &[&str]) -> Result<Output> {
        let mut command = program("lanparty-client")?;
        command.extend(words.iter().map(|word| (*word).into()));
        command.extend(["--socket", "client.sock"].map(String::from));
        self.machine().output(command)
    }

    /// The same for what must work.
    fn does(&self, words: &[&str]) -> Result<String> {
        let output = self.client(words)?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let complained = String::from_utf8_lossy(&output.stderr);
        ensure!(
            output.status.success(),
            "{words:?} ended with {}:\n{said}{complained}",
            output.status
        );
        Ok(said)
    }

    fn snapshot(&self) -> Result<Value> {
        let output = self.client(&["status", "--json"])?;
        serde_json::from_slice(&output.stdout).context("a snapshot")
    }

    /// Waits until the service says that.
    #[allow(dead_code, reason = "for what comes next")]
    fn is(&self, state: &str, deadline: Duration) -> Result<Value> {
        let mut last = Value::Null;
        let seen = eventually(&format!("the state is {state}"), deadline, || {
            last = self.snapshot().ok()?;
            (last["state"] == state).then(|| last.clone())
        });
        seen.with_context(|| format!("the last was {last}"))
    }

    fn joins(&self) -> Result<String> {
        let file = self.venue.lab.write("invite.txt", &self.invite)?;
        self.does(&["join", &format!("@{file}"), "--name", "Anna"])
    }
}

fn start_service(machine: &Machine) -> Result<Process> {
    let mut command = program("lanparty-client")?;
    command.extend(["service", "--socket", "client.sock", "--state", "service"].map(String::from));
    command.extend(["--log", "debug"].map(String::from));
    let service = machine.spawn("service", command)?;
    service.wait_for_line("Views are heard", SOON)?;
    Ok(service)
}

fn an_invite_is_joined_and_the_player_is_on_the_lan(evening: &Evening) -> Result<()> {
    let begin = Instant::now();
    let said = evening.joins()?;
    println!("from `join` to connected: {:?}", begin.elapsed());
    ensure!(said.contains("Connected to the LAN"), "{said}");
    let snapshot = evening.snapshot()?;
    ensure!(snapshot["state"] == "connected", "{snapshot}");
    let address = evening.machine().ipv4(Player::TAP).context("an address")?;
    ensure!(
        snapshot["address"]["ip"] == address.to_string(),
        "{snapshot}"
    );
    evening.machine().pings(Venue::LAN1, 56)?;
    let lan = &snapshot["members"][0];
    ensure!(lan["is_gateway"] == true, "{snapshot}");
    let pinged = eventually("the ping is known", SOON, || {
        let snapshot = evening.snapshot().ok()?;
        snapshot["ping"]["us"].as_u64()
    })?;
    ensure!(pinged < 1_000_000, "{pinged}");
    let status = evening.does(&["status"])?;
    ensure!(status.starts_with("Connected for"), "{status}");
    println!("{status}");
    let invite = evening.does(&["invite"])?;
    ensure!(invite.contains("/FRIDAY-LAN/…"), "{invite}");
    let rooms = evening.does(&["rooms"])?;
    ensure!(rooms.contains(ROOM), "{rooms}");
    Ok(())
}

fn what_json_says_is_what_is_watched(evening: &Evening) -> Result<()> {
    let mut command = program("lanparty-client")?;
    command.extend(["status", "--json", "--watch", "--socket", "client.sock"].map(String::from));
    let watch = evening.machine().spawn("watch", command)?;
    let line = watch.wait_for_line("\"state\"", SOON)?;
    let watched: Value = serde_json::from_str(line.trim())?;
    let asked = evening.snapshot()?;
    for field in [
        "version", "program", "state", "sentence", "party", "me", "address", "rooms",
    ] {
        ensure!(watched[field] == asked[field], "{field}: {watched} {asked}");
    }
    // A view that is killed takes nothing with it.
    watch.kill()?;
    evening.machine().pings(Venue::LAN1, 56)
}

fn who_leaves_leaves_no_trace(evening: &Evening) -> Result<()> {
    let said = evening.does(&["leave"])?;
    ensure!(said.contains("You have left"), "{said}");
    ensure!(
        !evening.machine().has_interface(Player::TAP),
        "the adapter is there"
    );
    let routes = evening.machine().ip_shows("route")?;
    ensure!(!routes.contains(&Venue::RELAY.to_string()), "{routes}");
    let status = evening.client(&["status"])?;
    ensure!(status.status.code() == Some(3), "{status:?}");
    let left = evening.client(&["games"])?;
    ensure!(left.status.code() == Some(3), "{left:?}");
    Ok(())
}
