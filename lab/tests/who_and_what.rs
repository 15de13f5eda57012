//! Who is here and which games are on, as the service tells it to its views.

#![allow(
    clippy::disallowed_methods,
    reason = "shell: these tests measure by the clock"
)]

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use lanparty_lab::traffic::{
    openarena_server, openarena_servers_seen, teeworlds_server, teeworlds_servers_seen,
};
use lanparty_lab::{
    LAN_BROADCAST, Needs, Plan, Process, Suite, Venue, World, checks, eventually, program, run,
};
use serde_json::Value;

const SOON: Duration = Duration::from_secs(20);
/// How soon a game shows after its server has answered (W12).
const SHOWS: Duration = Duration::from_secs(2);
const ROOM: &str = "FRIDAY-LAN";

fn main() -> ExitCode {
    let needs = Needs::programs(&[
        "dnsmasq",
        "openarena-server",
        "ping",
        "quakestat",
        "teeworlds-server",
    ]);
    let evening = checks![
        the_other_player_is_seen_with_name_and_ping,
        a_game_shows_when_its_server_has_answered,
    ];
    run(
        &needs,
        [Suite::new("who and what", Evening::begin, evening)],
    )
}

/// Anna has the service, Ben a client in a terminal.
struct Evening {
    programs: Vec<Process>,
    venue: Venue,
}

impl World for Evening {
    fn report(&self) -> String {
        let tails = self.programs.iter().map(|program| program.tail(25));
        tails.collect::<Vec<_>>().join("\n---\n")
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
        let invite = printed.lines().next().context("an invite")?;
        let file = venue.lab.write("invite.txt", invite)?;
        let mut open = program("lanparty-gateway")?;
        open.extend(place);
        open.extend(["--interface", "eth0"].map(String::from));
        let gateway = venue.gateway.spawn("gateway", open)?;
        gateway.wait_for_line("connected to the relay", SOON)?;
        let client = |words: &[&str]| -> Result<Vec<String>> {
            let mut command = program("lanparty-client")?;
            command.extend(words.iter().map(|word| (*word).to_owned()));
            Ok(command)
        };
        let [anna, ben] = &venue.remotes[..] else {
            unreachable!("two were planned")
        };
        let service = ["service", "--socket", "client.sock", "--state", "service"];
        let service = anna.spawn("service", client(&service)?)?;
        service.wait_for_line("Views are heard", SOON)?;
        let at = format!("@{file}");
        anna.run(client(&[
            "join",
            &at,
            "--name",
            "Anna",
            "--socket",
            "client.sock",
        ])?)?;
        let bens = ben.spawn("ben", client(&[&at, "--name", "Ben", "--dhcp"])?)?;
        bens.wait_for_line("LAN address", SOON)?;
        Ok(Evening {
            programs: vec![relay, gateway, service, bens],
            venue,
        })
    }

    fn snapshot(&self) -> Result<Value> {
        let mut command = program("lanparty-client")?;
        command.extend(["status", "--json", "--socket", "client.sock"].map(String::from));
        let output = self.venue.remotes[0].output(command)?;
        serde_json::from_slice(&output.stdout).context("a snapshot")
    }

    /// What the snapshot has in this list that is like that, once it has.
    fn has(&self, list: &str, deadline: Duration, is: impl Fn(&Value) -> bool) -> Result<Value> {
        let mut last = Value::Null;
        let found = eventually(
            &format!("one of the {list} is as it should be"),
            deadline,
            || {
                last = self.snapshot().ok()?;
                let mut all = last[list].as_array()?.iter();
                all.find(|one| is(one)).cloned()
            },
        );
        found.with_context(|| format!("the last was {last}"))
    }
}

fn the_other_player_is_seen_with_name_and_ping(evening: &Evening) -> Result<()> {
    let is_ben = |one: &Value| one["name"] == "Ben" && one["ping_us"].is_u64();
    let ben = evening.has("members", SOON, is_ben)?;
    ensure!(ben["ping_us"].as_u64() < Some(1_000_000), "{ben}");
    let is_lan = |one: &Value| one["is_gateway"] == true && one["ping_us"].is_u64();
    evening.has("members", SOON, is_lan)?;
    Ok(())
}

fn a_game_shows_when_its_server_has_answered(evening: &Evening) -> Result<()> {
    let lan = &evening.venue.lan1;
    let _servers = (
        openarena_server(lan, "Quaking")?,
        teeworlds_server(lan, "Teeing")?,
    );
    let anna = &evening.venue.remotes[0];
    let seen = openarena_servers_seen(anna, LAN_BROADCAST)?;
    ensure!(seen.contains("Quaking"), "{seen}");
    let shown = |name: &'static str, game: &'static str, port| -> Result<Duration> {
        let begin = Instant::now();
        let address = SocketAddr::new(Venue::LAN1, port).to_string();
        let row = evening.has("games", SHOWS, |one| one["server"] == name)?;
        ensure!(row["game"] == game && row["address"] == *address, "{row}");
        Ok(begin.elapsed())
    };
    let quaking = shown("Quaking", "OpenArena", 27_960)?;
    let seen = teeworlds_servers_seen(anna, LAN_BROADCAST)?;
    ensure!(!seen.is_empty(), "{seen:?}");
    let teeing = shown("Teeing", "Teeworlds", 8303)?;
    println!("shown after the browser had it: {quaking:?} and {teeing:?}");
    Ok(())
}
