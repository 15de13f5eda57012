//! The operator's hand on a relay that carries a party: who may open rooms, how much, and until when.

#![allow(clippy::disallowed_methods, reason = "a test with real programs")]

use std::fs;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use lanparty_lab::{Machine, Needs, Plan, Process, Suite, Venue, World, checks, eventually};
use lanparty_lab::{program, run};
use rustix::process::Signal;

const SOON: Duration = Duration::from_secs(20);
const TOKEN: &str = "a-token-that-nobody-reads";
const ONE_PLAYER: &str = "access-token-file = 'token.txt'\nmax-clients-per-room = 1\n";
const TWO_PLAYERS: &str = "access-token-file = 'token.txt'\nmax-clients-per-room = 2\n";

fn main() -> ExitCode {
    let all = checks![
        a_gateway_without_the_token_is_told_so,
        a_player_opens_no_room,
        the_operator_sees_who_is_there,
        both_ends_of_a_link_are_told_in_numbers,
        new_limits_are_taken_on_sighup_and_wrong_ones_are_not,
        who_is_kicked_is_told_so,
        a_gateway_that_is_kicked_waits_and_comes_back,
        no_log_and_no_command_line_has_the_token,
        metrics_are_served_where_the_operator_wants_them,
        draining_is_told_and_can_be_taken_back,
        a_drained_relay_ends_with_the_last_player,
    ];
    let suite = Suite::new("operator", Evening::begin, all);
    run(&Needs::programs(&["dnsmasq"]), [suite])
}

/// A relay whose operator has made rules, and a host and a player who keep them.
struct Evening {
    player: Process,
    gateway: Process,
    relay: Process,
    pin: String,
    venue: Venue,
}

impl World for Evening {
    fn report(&self) -> String {
        let programs = [&self.relay, &self.gateway, &self.player];
        programs.map(|program| program.tail(15)).join("\n---\n")
    }
}

impl Evening {
    fn begin() -> Result<Self> {
        let venue = Venue::build(Plan {
            remotes: 2,
            ..Plan::default()
        })?;
        venue.lab.write("token.txt", TOKEN)?;
        venue.lab.write("relay.toml", ONE_PLAYER)?;
        let mut command = program("lanparty-relay")?;
        command.extend(["--config", "relay.toml", "--log", "trace"].map(Into::into));
        command.extend(["--metrics", "127.0.0.1:9464"].map(Into::into));
        let relay = venue.relay.spawn("relay", command)?;
        let line = relay.wait_for_line("--pin ", SOON)?;
        let pin = line.rsplit(' ').next().context("a pin")?.trim().to_owned();
        let host = ["--interface", "eth0", "--access-token-file", "token.txt"];
        let gateway = start(&venue.gateway, "gateway", &pin, &host)?;
        gateway.wait_for_line("connected to the relay", SOON)?;
        let player = join(&venue.remotes[0], "player", &pin, 1)?;
        player.wait_for_line("Connected to the LAN", SOON)?;
        Ok(Evening {
            player,
            gateway,
            relay,
            pin,
            venue,
        })
    }

    /// What a browser on the relay's machine would get from there.
    fn get(&self, path: &str) -> Result<String> {
        let ask = format!(
            "exec 3<>/dev/tcp/127.0.0.1/9464; printf 'GET {path} HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n' >&3; cat <&3"
        );
        self.venue.relay.run(["bash", "-c", &ask])
    }

    fn ctl(&self, words: &[&str]) -> Result<String> {
        self.venue.relay.ctl("lanparty-relay", words)
    }
}

fn a_gateway_without_the_token_is_told_so(evening: &Evening) -> Result<()> {
    let (machine, pin) = (&evening.venue.gateway, &evening.pin);
    let wrong = [
        "--interface",
        "eth0",
        "--access-token",
        "another-token-of-16",
    ];
    for (title, host) in [("no-token", &wrong[..2]), ("wrong-token", &wrong)] {
        let gateway = start(machine, title, pin, host)?;
        ends_with(
            &gateway,
            "it opens rooms only for hosts who have its access token",
        )?;
    }
    Ok(())
}

fn a_player_opens_no_room(evening: &Evening) -> Result<()> {
    let mut command = program("lanparty-client")?;
    command.extend(place(&evening.pin, "NOBODYS"));
    command.extend(["--tap", "second0", "--identity", "second.json"].map(Into::into));
    let early = evening.venue.remotes[1].spawn("early", command)?;
    early.wait_for_line("nobody has opened this room yet", SOON)?;
    ensure!(early.interrupt()?.success(), "{}", early.tail(10));
    Ok(())
}

fn the_operator_sees_who_is_there(evening: &Evening) -> Result<()> {
    let rooms = evening.ctl(&["rooms"])?;
    ensure!(rooms.contains("FRIDAY-LAN  open  here     1"), "{rooms}");
    let peers = evening.ctl(&["peers"])?;
    ensure!(
        peers.contains("gateway") && peers.contains("02:00:00:00:00:01"),
        "{peers}"
    );
    ensure!(peers.contains("10.9.11.1"), "{peers}");
    Ok(())
}

fn both_ends_of_a_link_are_told_in_numbers(evening: &Evening) -> Result<()> {
    let numbers = || {
        evening.venue.remotes[0]
            .ping_on("lanparty0", Venue::LAN1)
            .ok()?;
        let stats = evening.ctl(&["stats"]).ok()?;
        let mut lines = stats.lines().map(serde_json::from_str::<serde_json::Value>);
        let player = lines.find_map(|line| line.ok().filter(|line| line["gateway"] == false))?;
        let waited = |link: &serde_json::Value| link["queue"]["waits"]["frames"].as_u64() > Some(0);
        let (here, there) = (&player["relay_end"], &player["peer_end"]["link"]);
        (waited(here) && waited(there)).then(|| (here.clone(), there.clone()))
    };
    // Counters come every five seconds.
    let (here, there) = eventually("frames have passed both queues", SOON, numbers)?;
    for link in [here, there] {
        let path = &link["congestion"];
        ensure!(path["controller"] == "gate", "{link}");
        ensure!(path["window_bytes"].as_u64() > Some(1350), "{link}");
        let udp = |name: &str| link["udp"][name].as_u64();
        ensure!(
            udp("sends") > Some(0) && udp("sent") >= udp("sends"),
            "{link}"
        );
        ensure!(
            udp("receives") > Some(0) && udp("received") >= udp("receives"),
            "{link}"
        );
        ensure!(
            link["udp"]["gso"] == true && link["udp"]["gro"] == true,
            "{link}"
        );
    }
    Ok(())
}

fn new_limits_are_taken_on_sighup_and_wrong_ones_are_not(evening: &Evening) -> Result<()> {
    let (machine, pin) = (&evening.venue.remotes[1], &evening.pin);
    let second = join(machine, "second", pin, 2)?;
    second.wait_for_line("the room is full", SOON)?;
    evening
        .venue
        .lab
        .write("relay.toml", "max-clients-per-room = 0\n")?;
    evening.relay.signal(Signal::HUP)?;
    evening
        .relay
        .wait_for_line("The limits in force stay", SOON)?;
    evening.venue.lab.write("relay.toml", TWO_PLAYERS)?;
    evening.relay.signal(Signal::HUP)?;
    evening.relay.wait_for_line("New limits in force", SOON)?;
    second.wait_for_line("Connected to the LAN", SOON)?;
    ensure!(second.interrupt()?.success(), "{}", second.tail(10));
    Ok(())
}

fn who_is_kicked_is_told_so(evening: &Evening) -> Result<()> {
    let (machine, pin) = (&evening.venue.remotes[1], &evening.pin);
    let second = join(machine, "kicked", pin, 3)?;
    second.wait_for_line("Connected to the LAN", SOON)?;
    let peers = evening.ctl(&["peers"])?;
    let line = peers
        .lines()
        .find(|line| line.contains("02:00:00:00:00:03"));
    let seat = line
        .and_then(|line| line.split(' ').next())
        .context("a seat")?;
    evening.ctl(&["kick", seat])?;
    ends_with(&second, "the relay's operator has sent you out")?;
    match evening.ctl(&["kick", seat]) {
        Ok(said) => bail!("kicked twice: {said}"),
        Err(error) => ensure!(
            format!("{error:#}").contains("there is no peer"),
            "{error:#}"
        ),
    }
    Ok(())
}

fn a_gateway_that_is_kicked_waits_and_comes_back(evening: &Evening) -> Result<()> {
    let peers = evening.ctl(&["peers"])?;
    let line = peers.lines().find(|line| line.contains("gateway"));
    let seat = line
        .and_then(|line| line.split(' ').next())
        .context("a seat")?;
    let (gateway, player) = (&evening.gateway, &evening.player);
    let (said, seen) = (gateway.log().len(), player.log().len());
    evening.ctl(&["kick", seat])?;
    eventually("the gateway says so", SOON, || {
        let sentence = "the relay's operator has sent you out of the room. Trying again.";
        gateway.log()[said..].contains(sentence).then_some(())
    })?;
    eventually("the gateway is back", SOON, || {
        let log = &gateway.log()[said..];
        log.contains("connected to the relay").then_some(())
    })?;
    eventually("the player has the LAN again", SOON, || {
        let log = &player.log()[seen..];
        log.contains("Connected to the LAN").then_some(())
    })?;
    ensure!(gateway.is_running(), "{}", gateway.tail(10));
    Ok(())
}

fn no_log_and_no_command_line_has_the_token(evening: &Evening) -> Result<()> {
    let (machine, pin) = (&evening.venue.gateway, &evening.pin);
    // One who does not know better; the room has a gateway already.
    let host = [
        "--interface",
        "eth0",
        "--access-token",
        TOKEN,
        "--log",
        "trace",
    ];
    let careless = start(machine, "careless", pin, &host)?;
    careless.wait_for_line("the room has a gateway already", SOON)?;
    let shown = fs::read(format!("/proc/{}/cmdline", careless.id()))?;
    let shown = String::from_utf8_lossy(&shown).into_owned();
    let masked = format!("--access-token\0{}\0", "x".repeat(TOKEN.len()));
    ensure!(shown.contains(&masked), "{shown:?}");
    ensure!(careless.interrupt()?.success(), "{}", careless.tail(10));
    for entry in fs::read_dir(evening.venue.lab.folder())? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "log") {
            let log = String::from_utf8_lossy(&fs::read(&path)?).into_owned();
            ensure!(!log.contains(TOKEN), "{} has the token", path.display());
        }
    }
    for entry in fs::read_dir("/proc")? {
        // Most entries are no processes, and some end meanwhile.
        let line = fs::read(entry?.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).into_owned();
        ensure!(!line.contains(TOKEN), "{line:?}");
    }
    Ok(())
}

fn metrics_are_served_where_the_operator_wants_them(evening: &Evening) -> Result<()> {
    let numbers = || {
        let text = evening.get("/metrics").ok()?;
        let is_said = |line: &str| text.lines().any(|is| is == line);
        let here = is_said("lanparty_relay_peers{role=\"player\"} 1.0")
            && is_said("lanparty_relay_peers{role=\"gateway\"} 1.0");
        // What a sandbox keeps us from opening later was opened before.
        let process = ["process_open_fds ", "process_resident_memory_bytes "];
        let has = |name: &str| text.lines().any(|line| line.starts_with(name));
        (here && process.iter().all(|name| has(name))).then_some(())
    };
    eventually("the metrics say who is here", SOON, numbers)?;
    ensure!(evening.get("/healthz")?.starts_with("HTTP/1.1 200"));
    let status = evening.ctl(&["status"])?;
    ensure!(status.contains("Gateways: 1. Players: 1."), "{status}");
    let totals: serde_json::Value = serde_json::from_str(&evening.ctl(&["stats", "--total"])?)?;
    ensure!(
        totals["from_players"]["frames"].as_u64() > Some(0),
        "{totals}"
    );
    ensure!(
        totals["refused"]["no_access"].as_u64() > Some(0),
        "{totals}"
    );
    Ok(())
}

fn draining_is_told_and_can_be_taken_back(evening: &Evening) -> Result<()> {
    let said = evening.ctl(&["drain", "--after", "2h"])?;
    ensure!(said.contains("in 2 h 0 min at the latest"), "{said}");
    let status = evening.ctl(&["status"])?;
    ensure!(status.contains("Draining: nobody new comes in"), "{status}");
    let not_ready = || Some(evening.get("/readyz").ok()?.contains("503")).filter(|is| *is);
    eventually("it is not ready", SOON, not_ready)?;
    ensure!(evening.get("/healthz")?.starts_with("HTTP/1.1 200"));
    let gateway = &evening.gateway;
    gateway.wait_for_line("The relay is about to be restarted", SOON)?;
    evening.ctl(&["undrain"])?;
    gateway.wait_for_line("The relay is not restarted after all", SOON)?;
    let ready = || Some(evening.get("/readyz").ok()?.contains("200 OK")).filter(|is| *is);
    eventually("it is ready again", SOON, ready)?;
    ensure!(!evening.ctl(&["status"])?.contains("Draining"));
    Ok(())
}

fn a_drained_relay_ends_with_the_last_player(evening: &Evening) -> Result<()> {
    evening.ctl(&["drain"])?;
    let (machine, pin) = (&evening.venue.remotes[1], &evening.pin);
    let late = join(machine, "late", pin, 4)?;
    late.wait_for_line("the relay is about to restart", SOON)?;
    ensure!(late.interrupt()?.success(), "{}", late.tail(10));
    evening.venue.remotes[0].ping_on("lanparty0", Venue::LAN1)?;
    ensure!(evening.relay.is_running(), "it ended too early");
    let player = &evening.player;
    ensure!(player.interrupt()?.success(), "{}", player.tail(10));
    // The gateway alone keeps no relay up.
    let status = evening.relay.wait(SOON)?;
    ensure!(status.success(), "{status}");
    let gateway = &evening.gateway;
    ensure!(gateway.is_running() && gateway.interrupt()?.success());
    eventually("the socket is dead", SOON, || evening.ctl(&["rooms"]).err())?;
    Ok(())
}

fn ends_with(process: &Process, sentence: &str) -> Result<()> {
    let status = process.wait(SOON)?;
    let log = process.log();
    let told = |line: &str| line.starts_with("error: ") && line.contains(sentence);
    ensure!(
        status.code() == Some(1) && log.lines().any(told),
        "{status}, without `{sentence}`:\n{log}"
    );
    Ok(())
}

fn place(pin: &str, room: &str) -> Vec<String> {
    let relay = Venue::RELAY.to_string();
    ["--relay", &relay, "--pin", pin, "--room", room]
        .map(Into::into)
        .to_vec()
}

fn start(machine: &Machine, title: &str, pin: &str, more: &[&str]) -> Result<Process> {
    let mut command = program("lanparty-gateway")?;
    command.extend(place(pin, "FRIDAY-LAN"));
    // Those who are refused here are on the interface of the one that is not.
    command.push("--beside-another".into());
    command.extend(more.iter().map(|word| (*word).into()));
    machine.spawn(title, command)
}

fn join(machine: &Machine, title: &str, pin: &str, number: u8) -> Result<Process> {
    let mut command = program("lanparty-client")?;
    command.extend(place(pin, "FRIDAY-LAN"));
    let (mac, address) = (
        format!("02:00:00:00:00:{number:02}"),
        format!("192.168.50.{}/24", 200 + number),
    );
    let identity = format!("identity-{title}.json");
    let own = [
        "--virtual-mac",
        &mac,
        "--identity",
        &identity,
        "--address",
        &address,
    ];
    command.extend(own.map(Into::into));
    machine.spawn(title, command)
}
