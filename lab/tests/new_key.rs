//! A new key for the room: who is inside has it, and comes back by it when gateway and relay are started anew.

#![allow(clippy::disallowed_methods, reason = "a test with real programs")]

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lanparty_lab::{
    Machine, Needs, Plan, Player, Process, Suite, Venue, World, checks, eventually,
};
use lanparty_lab::{program, run};

const SOON: Duration = Duration::from_secs(20);
/// A player whose relay was away for long tries again this often at least.
const BACK: Duration = Duration::from_secs(60);
const ROOM: &str = "FRIDAY-LAN";
const GOOD: &str = "02:00:00:00:00:01";
const BAD: &str = "02:00:00:00:00:02";
const LATE: &str = "02:00:00:00:00:03";

fn main() -> ExitCode {
    let needs = Needs::programs(&["dnsmasq"]);
    let all = checks![
        the_host_hears_that_those_inside_have_it,
        after_a_restart_of_everything_who_was_inside_is_back_and_nobody_else,
        no_log_has_a_key,
    ];
    run(&needs, [Suite::new("new_key", Table::lay, all)])
}

/// A host, a player who stays, and one who was kicked. The key has been changed since.
struct Table {
    said: String,
    new: String,
    good: Process,
    gateway: Process,
    open: Vec<String>,
    relay: Process,
    invite: String,
    venue: Venue,
}

impl World for Table {
    fn report(&self) -> String {
        let programs = [&self.relay, &self.gateway, &self.good];
        programs.map(|program| program.tail(15)).join("\n---\n")
    }
}

impl Table {
    fn lay() -> Result<Self> {
        let venue = Venue::build(Plan {
            remotes: 3,
            ..Plan::default()
        })?;
        let relay = venue.relay.spawn("relay", with_trace("lanparty-relay")?)?;
        let line = relay.wait_for_line("--pin ", SOON)?;
        let pin = line.rsplit(' ').next().context("a pin")?.trim().to_owned();
        let address = Venue::RELAY.to_string();
        let place = ["--relay", &address, "--pin", &pin, "--room", ROOM];

        let mut print = program("lanparty-gateway")?;
        print.push("invite".into());
        print.extend(place.map(Into::into));
        let invite = first_line(&venue.gateway.run(&print)?)?;
        venue.lab.write("invite.txt", &invite)?;

        let mut open = with_trace("lanparty-gateway")?;
        open.extend(place.map(Into::into));
        open.extend(["--interface", "eth0"].map(Into::into));
        let gateway = venue.gateway.spawn("gateway", &open)?;
        gateway.wait_for_line("connected to the relay", SOON)?;
        let good = join(&venue.remotes[0], "good", GOOD)?;
        let bad = join(&venue.remotes[1], "bad", BAD)?;
        for (machine, client) in venue.remotes.iter().zip([&good, &bad]) {
            is_on_the_lan(machine, client)?;
        }
        venue.gateway.ctl("lanparty-gateway", &["kick", "bad"])?;
        bad.wait(SOON)?;

        let mut rotate = program("lanparty-gateway")?;
        rotate.extend(["ctl", "rotate"].map(Into::into));
        let rotated = venue.gateway.output(rotate)?;
        ensure!(rotated.status.success(), "{rotated:?}");
        let new = first_line(&String::from_utf8(rotated.stdout)?)?;
        Ok(Table {
            said: String::from_utf8(rotated.stderr)?,
            new,
            good,
            gateway,
            open,
            relay,
            invite,
            venue,
        })
    }

    fn stays_out(&self, machine: &Machine, title: &str, mac: &str) -> Result<()> {
        let client = join(machine, title, mac)?;
        client.wait_for_line("the invite opens no room now", SOON)?;
        ensure!(client.interrupt()?.success(), "{}", client.tail(20));
        Ok(())
    }
}

fn the_host_hears_that_those_inside_have_it(table: &Table) -> Result<()> {
    ensure!(table.new != table.invite, "the key is the old one");
    let said = &table.said;
    ensure!(
        said.contains("Those inside have got it over their links"),
        "{said}"
    );
    let told = "The host has given the room a new key";
    table.good.wait_for_line(told, SOON)?;
    Ok(())
}

fn after_a_restart_of_everything_who_was_inside_is_back_and_nobody_else(
    table: &Table,
) -> Result<()> {
    ensure!(
        table.gateway.interrupt()?.success(),
        "{}",
        table.gateway.tail(20)
    );
    let mark = table.good.mark();
    ensure!(
        table.relay.interrupt()?.success(),
        "{}",
        table.relay.tail(20)
    );
    let again = with_trace("lanparty-relay")?;
    let relay = table.venue.relay.spawn("relay-again", again)?;
    relay.wait_for_line("Relay listening", SOON)?;
    let gateway = table.venue.gateway.spawn("gateway-again", &table.open)?;
    gateway.wait_for_line("connected to the relay", SOON)?;
    table
        .good
        .wait_for_line_after(mark, "Connected to the LAN", BACK)?;
    table.venue.remotes[0].pings(Venue::LAN1, 56)?;
    table.stays_out(&table.venue.remotes[1], "bad-again", BAD)?;
    table.stays_out(&table.venue.remotes[2], "late", LATE)?;
    for program in [&gateway, &relay] {
        ensure!(program.interrupt()?.success(), "{}", program.tail(20));
    }
    Ok(())
}

fn no_log_has_a_key(table: &Table) -> Result<()> {
    let folder = table.venue.lab.folder();
    let keys =
        [&table.invite, &table.new].map(|invite| lanparty_edge::invite::Invite::find(invite));
    for key in keys {
        let key = key?.key.reveal();
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "log") {
                let log = String::from_utf8_lossy(&std::fs::read(&path)?).into_owned();
                ensure!(!log.contains(&key), "{} has a key", path.display());
            }
        }
    }
    Ok(())
}

fn join(machine: &Machine, title: &str, mac: &str) -> Result<Process> {
    let mut join = with_trace("lanparty-client")?;
    let identity = format!("identity-{title}.json");
    let words = [
        "@invite.txt",
        "--dhcp",
        "--name",
        title,
        "--identity",
        &identity,
        "--virtual-mac",
        mac,
    ];
    join.extend(words.map(Into::into));
    machine.spawn(title, join)
}

fn is_on_the_lan(machine: &Machine, client: &Process) -> Result<()> {
    let leased = eventually("the player gets a LAN address", SOON, || {
        machine.ipv4(Player::TAP)
    });
    leased.with_context(|| client.tail(30)).map(drop)
}

fn first_line(text: &str) -> Result<String> {
    text.lines().next().context("an invite").map(Into::into)
}

fn with_trace(name: &str) -> Result<Vec<String>> {
    let mut command = program(name)?;
    command.extend(["--log", "trace"].map(Into::into));
    Ok(command)
}
