//! What `lanparty-client doctor` says on machines with which something is wrong.

#![allow(
    clippy::disallowed_methods,
    reason = "shell: a look at a machine has a time limit"
)]

use std::process::{ExitCode, Output};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use lanparty_lab::{
    Addressing, Machine, Nat, Needs, Party, Player, Role, Router, Suite, checks, eventually,
    program, run,
};

const SOON: Duration = Duration::from_secs(10);
/// A look takes five seconds at most; a busy machine gets the rest.
const LONG: Duration = Duration::from_secs(15);

/// The relay's other address, by which it is seen what a NAT does.
const OTHER: &str = "10.9.1.2";
/// What is between each of the strangers and the internet.
const HOMES: &[&[Router]] = &[
    &[Router::new(Nat::Linux)],
    &[Router::new(Nat::Random)],
    &[Router::new(Nat::Linux), Router::new(Nat::Linux)],
    &[Router::new(Nat::None)],
    &[Router::new(Nat::FullCone).with_hairpin()],
];

fn main() -> ExitCode {
    let needs = Needs::programs(&["dnsmasq", "nft", "setpriv", "unshare"]);
    let players = checks![
        all_is_well_at_the_party,
        a_relay_that_answers_is_seen_without_a_link,
        a_machine_without_a_route_is_told_so,
        a_dead_resolver_costs_seconds_and_is_named,
        a_name_from_the_hosts_file_is_found,
        udp_that_this_machine_drops_is_its_own_firewalls,
        a_relay_that_nothing_leads_to_is_silence,
        udp_that_the_way_drops_leaves_tcp,
        a_closed_port_is_not_silence,
        an_adapter_that_is_down_is_seen,
        a_client_that_cannot_be_seen_is_no_killed_one,
        rows_hold_no_address_of_the_relay,
    ];
    let killed = checks![what_a_killed_run_left_is_repaired];
    let homes = checks![a_home_like_the_party_is_told];
    let nats = checks![
        an_ordinary_router_gives_one_port_for_every_destination,
        a_symmetric_router_is_a_doubt_with_what_it_means,
        two_routers_are_told_as_one,
        without_nat_a_direct_path_should_open_at_once,
        a_router_that_leads_back_is_seen,
        one_address_of_a_relay_tells_less,
    ];
    let homes_party = || {
        Party::builder()
            .players(0)
            .strangers(HOMES.len())
            .routers(&[], HOMES)
            .prepared(|venue| {
                let other = format!("addr add {OTHER}/24 dev wan0");
                venue.relay.ip(&other).map(drop)
            })
            .start()
    };
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
            Suite::new("doctor-nat", homes_party, nats),
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
    ensure!((8..=18).contains(&rows), "{rows} rows: {:#}", look.rows);
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

fn a_relay_that_nothing_leads_to_is_silence(party: &Party) -> Result<()> {
    let look = behind_a_wall(party, "ip saddr 10.9.12.1 ip daddr 10.9.1.1 drop")?;
    look.says("relay", "bad", "does not answer")?;
    ensure!(look.row("tcp").is_none(), "{:#}", look.rows);
    Ok(())
}

fn udp_that_the_way_drops_leaves_tcp(party: &Party) -> Result<()> {
    let look = behind_a_wall(party, "ip saddr 10.9.12.1 udp dport 443 drop")?;
    look.says("relay", "doubt", "answers by TCP, and no UDP gets through")?;
    look.says("tcp", "good", "takes TCP as well")?;
    look.says("direct", "doubt", "there is no direct path")
}

/// What a stranger sees from where the internet drops this.
fn behind_a_wall(party: &Party, rule: &str) -> Result<Look> {
    let internet = &party.venue.internet;
    internet.run(["nft", "add table inet wall"])?;
    internet.run([
        "nft",
        "add chain inet wall f { type filter hook forward priority 0; }",
    ])?;
    internet.run(["nft", &format!("add rule inet wall f {rule}")])?;
    let look = look(stranger(party), &["--relay", "10.9.1.1"]);
    internet.run(["nft", "delete table inet wall"])?;
    look
}

/// What somebody in this home sees, asking at both addresses.
fn look_from(party: &Party, home: usize) -> Result<Look> {
    let flags = ["--relay", "10.9.1.1", "--relay", OTHER];
    look(&party.venue.remotes[home], &flags)
}

fn an_ordinary_router_gives_one_port_for_every_destination(party: &Party) -> Result<()> {
    let look = look_from(party, 0)?;
    look.says("nat", "good", "one port for every destination")?;
    look.says("nat", "good", "no hairpin")?;
    look.says("relay", "good", "by IPv4, so UDP passes")?;
    look.says("tcp", "good", "takes TCP as well")?;
    look.says("port", "good", "opens no ports")?;
    look.says("direct", "good", "every host whose router")?;
    let said = look.rows.to_string();
    ensure!(!said.contains("203.0.113."), "{said}");
    Ok(())
}

fn a_symmetric_router_is_a_doubt_with_what_it_means(party: &Party) -> Result<()> {
    let look = look_from(party, 1)?;
    look.says("nat", "doubt", "another port (symmetric)")?;
    look.says("direct", "doubt", "opened a port (UPnP)")
}

fn two_routers_are_told_as_one(party: &Party) -> Result<()> {
    let look = look_from(party, 2)?;
    look.says("nat", "good", "one port for every destination")
}

fn without_nat_a_direct_path_should_open_at_once(party: &Party) -> Result<()> {
    let look = look_from(party, 3)?;
    look.says("nat", "good", "No NAT is in between")?;
    look.says("direct", "good", "should open at once")
}

fn a_router_that_leads_back_is_seen(party: &Party) -> Result<()> {
    look_from(party, 4)?.says("nat", "good", "(hairpin)")
}

fn one_address_of_a_relay_tells_less(party: &Party) -> Result<()> {
    let home = &party.venue.remotes[0];
    let look = look(home, &["--relay", "10.9.1.1"])?;
    look.says("nat", "good", "takes a relay's second address")?;
    look.says("direct", "good", "may open")
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
