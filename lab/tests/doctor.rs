//! What `lanparty-client doctor` says on machines with which something is wrong.

#![allow(
    clippy::disallowed_methods,
    reason = "shell: a look at a machine has a time limit"
)]

use std::process::{ExitCode, Output};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use lanparty_lab::{
    Addressing, Machine, Needs, Party, Player, Role, Suite, checks, eventually, program, run,
};

const SOON: Duration = Duration::from_secs(10);
/// A look takes five seconds at most; a busy machine gets the rest.
const LONG: Duration = Duration::from_secs(15);

fn main() -> ExitCode {
    let needs = Needs::programs(&["dnsmasq", "nft", "setpriv", "unshare"]);
    let players = checks![
        all_is_well_at_the_party,
        a_relay_that_answers_is_seen_without_a_link,
        a_machine_without_a_route_is_told_so,
        a_dead_resolver_costs_seconds_and_is_named,
        a_name_from_the_hosts_file_is_found,
        udp_that_this_machine_drops_is_its_own_firewalls,
        udp_that_the_way_drops_is_silence,
        a_closed_port_is_not_silence,
        an_adapter_that_is_down_is_seen,
        a_client_that_cannot_be_seen_is_no_killed_one,
        rows_hold_no_address_of_the_relay,
    ];
    let killed = checks![what_a_killed_run_left_is_repaired];
    let homes = checks![a_home_like_the_party_is_told];
    let party = || {
        Party::builder()
            .players(1)
            .strangers(1)
            .addressing(Addressing::Static)
            .start()
    };
    let overlapping = || {
        Party::builder()
            .players(1)
            .home_overlaps()
            .addressing(Addressing::Static)
            .start()
    };
    run(
        &needs,
        [
            Suite::new("doctor", party, players),
            Suite::new("doctor-killed", || Ok(()), killed),
            Suite::new("doctor-home", overlapping, homes),
        ],
    )
}

/// What the doctor said: its rows as JSON, and whether nothing is in the way.
struct Look {
    rows: serde_json::Value,
    is_well: bool,
}

fn look(machine: &Machine, flags: &[&str]) -> Result<Look> {
    let mut command = program("lanparty-client")?;
    command.extend(
        ["doctor", "--json"]
            .iter()
            .chain(flags)
            .map(|w| (*w).into()),
    );
    let started = Instant::now();
    let output = machine.output(command)?;
    ensure!(started.elapsed() < LONG, "it took {:?}", started.elapsed());
    Look::read(&output)
}

impl Look {
    fn read(output: &Output) -> Result<Self> {
        let said = String::from_utf8_lossy(&output.stdout);
        let mut rows: serde_json::Value =
            serde_json::from_str(&said).with_context(|| format!("no JSON: {output:?}"))?;
        Ok(Look {
            rows: rows["rows"].take(),
            is_well: output.status.success(),
        })
    }

    fn row(&self, id: &str) -> Option<&serde_json::Value> {
        self.rows.as_array()?.iter().find(|row| row["id"] == id)
    }

    fn says(&self, id: &str, mark: &str, words: &str) -> Result<()> {
        let row = self
            .row(id)
            .with_context(|| format!("no row {id}: {:#}", self.rows))?;
        let sentence = row["sentence"].as_str().unwrap_or_default();
        ensure!(
            row["mark"] == mark && sentence.contains(words),
            "{mark} {words} was expected: {row:#}"
        );
        ensure!(
            mark != "bad" || !row["how_to"].is_null() || !row["fix"].is_null(),
            "no cure: {row:#}"
        );
        Ok(())
    }
}

fn player(party: &Party) -> &Machine {
    &party.players[0].machine
}

/// Somebody who has not joined.
fn stranger(party: &Party) -> &Machine {
    &party.venue.remotes[1]
}

fn all_is_well_at_the_party(party: &Party) -> Result<()> {
    let look = look(player(party), &["--relay", "10.9.1.1"])?;
    ensure!(look.is_well, "{:#}", look.rows);
    look.says("adapter", "good", "192.168.50.201")?;
    look.says("ways", "good", "broadcasts go to the party")?;
    look.says("overlap", "good", "different")?;
    look.says("leftovers", "good", "No earlier run")?;
    look.says("relay", "good", "UDP passes")?;
    let rows = look.rows.as_array().map_or(0, Vec::len);
    ensure!((8..=14).contains(&rows), "{rows} rows: {:#}", look.rows);
    Ok(())
}

fn a_relay_that_answers_is_seen_without_a_link(party: &Party) -> Result<()> {
    let look = look(stranger(party), &["--relay", "10.9.1.1"])?;
    look.says("relay", "good", "UDP passes")?;
    look.says("service", "doubt", "not installed")?;
    look.says("rights", "good", "may set up")?;
    ensure!(look.row("adapter").is_none(), "{:#}", look.rows);
    Ok(())
}

fn a_machine_without_a_route_is_told_so(party: &Party) -> Result<()> {
    let machine = stranger(party);
    let route = machine.ip_shows("-4 route show default")?;
    let route = route.trim().to_owned();
    machine.ip(&format!("route del {route}"))?;
    let look = look(machine, &["--relay", "10.9.1.1"]);
    machine.ip(&format!("route add {route}"))?;
    let look = look?;
    ensure!(!look.is_well, "{:#}", look.rows);
    look.says("relay", "bad", "no route leads there")?;
    // IPv6's default route is still there.
    look.says("network", "good", "wan0")
}

fn a_dead_resolver_costs_seconds_and_is_named(party: &Party) -> Result<()> {
    let machine = stranger(party);
    // The internet's end of the wire drops what is asked there.
    machine.run(["nft", "add table inet dead"])?;
    machine.run([
        "nft",
        "add chain inet dead in { type filter hook input priority 0; }",
    ])?;
    machine.run(["nft", "add rule inet dead in udp sport 53 drop"])?;
    machine.run([
        "nft",
        "add rule inet dead in icmp type destination-unreachable drop",
    ])?;
    machine.set_resolver("10.9.1.77")?;
    let look = look(machine, &["--relay", "relay.example.net"]);
    machine.run(["nft", "delete table inet dead"])?;
    let look = look?;
    look.says("names", "bad", "relay.example.net")?;
    look.says("names", "bad", "does not answer")?;
    ensure!(look.row("relay").is_none(), "{:#}", look.rows);
    Ok(())
}

fn a_name_from_the_hosts_file_is_found(party: &Party) -> Result<()> {
    let look = look(stranger(party), &["--relay", Party::RELAY_NAME])?;
    look.says("names", "good", Party::RELAY_NAME)?;
    look.says("relay", "good", Party::RELAY_NAME)
}

fn udp_that_this_machine_drops_is_its_own_firewalls(party: &Party) -> Result<()> {
    let machine = stranger(party);
    machine.run(["nft", "add table inet own"])?;
    machine.run([
        "nft",
        "add chain inet own out { type filter hook output priority 0; }",
    ])?;
    machine.run(["nft", "add rule inet own out udp dport 443 drop"])?;
    machine.run([
        "nft",
        "add chain inet own in { type filter hook input priority 0; policy drop; }",
    ])?;
    let look = look(machine, &["--relay", "10.9.1.1"]);
    machine.run(["nft", "delete table inet own"])?;
    let look = look?;
    look.says("relay", "bad", "own firewall")?;
    look.says("firewall", "doubt", "nftables")
}

fn udp_that_the_way_drops_is_silence(party: &Party) -> Result<()> {
    let internet = &party.venue.internet;
    internet.run(["nft", "add table inet wall"])?;
    internet.run([
        "nft",
        "add chain inet wall f { type filter hook forward priority 0; }",
    ])?;
    internet.run([
        "nft",
        "add rule inet wall f ip saddr 10.9.12.1 udp dport 443 drop",
    ])?;
    let look = look(stranger(party), &["--relay", "10.9.1.1"]);
    internet.run(["nft", "delete table inet wall"])?;
    look?.says("relay", "bad", "does not answer")
}

fn a_closed_port_is_not_silence(party: &Party) -> Result<()> {
    let look = look(stranger(party), &["--relay", "10.9.1.1:444"])?;
    look.says("relay", "bad", "nobody listens")
}

fn an_adapter_that_is_down_is_seen(party: &Party) -> Result<()> {
    let machine = player(party);
    let client = party.program(Role::Player(0));
    eventually("the adapter stays down", SOON, || {
        let down = format!("link set {} down", Player::TAP);
        machine.ip(&down).ok()?;
        client.log().contains("down again and again").then_some(())
    })?;
    let look = look(machine, &[]);
    machine.ip(&format!("link set {} up", Player::TAP))?;
    look?.says("adapter", "bad", "set the adapter lanparty0 down")
}

/// As a service does not see others' processes (systemd's `ProtectProc=`).
fn a_client_that_cannot_be_seen_is_no_killed_one(party: &Party) -> Result<()> {
    let client = program("lanparty-client")?.remove(0);
    let script = format!(
        "mount -t proc -o hidepid=2 proc /proc && \
         setpriv --reuid 65534 --regid 65534 --clear-groups {client} doctor --json"
    );
    let output = player(party).output(["unshare", "--mount", "sh", "-c", &script])?;
    let look = Look::read(&output)?;
    look.says("leftovers", "good", "No earlier run")?;
    look.says("rights", "bad", "may not set up")
}

fn rows_hold_no_address_of_the_relay(party: &Party) -> Result<()> {
    for flags in [&["--relay", "10.9.1.1"], &["--relay", Party::RELAY_NAME]] {
        let look = look(stranger(party), flags)?;
        let said = look.rows.to_string();
        ensure!(!said.contains("10.9."), "{said}");
    }
    Ok(())
}

fn what_a_killed_run_left_is_repaired((): &()) -> Result<()> {
    let party = Party::builder()
        .players(1)
        .addressing(Addressing::Static)
        .start()?;
    let machine = player(&party);
    let pins = || machine.ip_shows("route show proto 76");
    let rules = || machine.ip_shows("-6 rule show");
    look(machine, &[])?.says("leftovers", "good", "No earlier run")?;
    party.players[0].program.kill()?;
    eventually("the adapter goes", SOON, || {
        (!machine.has_interface(Player::TAP)).then_some(())
    })?;
    ensure!(!pins()?.is_empty(), "the killed run left no route");
    let left = look(machine, &[])?;
    ensure!(!left.is_well, "{:#}", left.rows);
    left.says("leftovers", "bad", "2 changes")?;
    ensure!(rules()?.contains("proto 76"), "it left no rule");
    let fix = &left.row("leftovers").context("no row")?["fix"];
    ensure!(fix["fix"] == "repair", "{fix:#}");
    ensure!(!pins()?.is_empty(), "a look alone changed something");

    let mut command = program("lanparty-client")?;
    command.extend(["doctor", "--fix"].map(Into::into));
    let said = machine.run(command)?;
    ensure!(said.contains("✗ A run that was killed"), "{said}");
    ensure!(said.contains("✓ No earlier run"), "{said}");
    ensure!(pins()?.is_empty(), "{}", pins()?);
    ensure!(!rules()?.contains("blackhole"), "{}", rules()?);
    look(machine, &[])?.says("leftovers", "good", "No earlier run")
}

fn a_home_like_the_party_is_told(party: &Party) -> Result<()> {
    let look = look(player(party), &[])?;
    look.says("overlap", "doubt", "192.168.50.0/24")
}
