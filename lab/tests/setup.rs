//! A host who sits down at a box with several interfaces: which has the party's LAN, one gateway for each, and `setup`.

#![allow(clippy::disallowed_methods, reason = "a test with real programs")]

use std::fs;
use std::path::PathBuf;
use std::process::{ExitCode, Output};
use std::sync::Mutex;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lanparty_edge::invite::Invite;
use lanparty_lab::{Machine, Needs, Plan, Player, Process, Suite, Venue, World};
use lanparty_lab::{checks, eventually, program, run};

const SOON: Duration = Duration::from_secs(20);

fn main() -> ExitCode {
    let needs = Needs::programs(&["dnsmasq", "script"]);
    let interfaces = checks![
        the_lan_is_found_by_its_dhcp_server_and_the_others_are_told_why_not,
        the_servers_gave_no_lease,
        a_second_gateway_on_the_interface_is_refused,
        the_cable_to_the_internet_is_questioned,
        with_two_lans_somebody_must_say_which,
    ];
    let first_run = checks![
        flags_alone_make_a_party_that_a_player_joins,
        once_more_changes_nothing_and_shows_the_same_invite,
        a_host_at_a_terminal_answers_and_has_a_party_at_a_relay,
        what_is_missing_is_said_in_a_sentence_and_nothing_is_made,
        ctrl_c_leaves_nothing,
        a_gateway_knows_its_relay_by_the_pin_of_its_invite,
    ];
    run(
        &needs,
        [
            Suite::new("interfaces", Box_::begin, interfaces),
            Suite::new("first_run", FirstRun::begin, first_run),
        ],
    )
}

/// A gateway's box: `eth0` has the LAN, `wan0` the internet, where a DHCP server answers too; there is a cable that is out, a member of a
/// bridge, and a macvlan.
struct Box_ {
    host: Process,
    /// The provider's.
    uplink_dhcp: Process,
    venue: Venue,
}

impl World for Box_ {
    fn report(&self) -> String {
        [&self.host, &self.uplink_dhcp]
            .map(|program| program.tail(15))
            .join("\n---\n")
    }
}

/// A DHCP server on a machine's interface.
fn dhcp(machine: &Machine, interface: &str, range: &str) -> Result<Process> {
    let (at, range) = (
        format!("--interface={interface}"),
        format!("--dhcp-range={range}"),
    );
    let leases = format!("--dhcp-leasefile={interface}.leases");
    let server = machine.spawn(
        &format!("dnsmasq-{interface}"),
        [
            "dnsmasq",
            "--keep-in-foreground",
            "--log-facility=-",
            "--log-dhcp",
            "--conf-file=/dev/null",
            "--no-resolv",
            "--no-hosts",
            "--no-ping",
            "--port=0",
            "--user=root",
            "--pid-file=",
            "--dhcp-authoritative",
            "--bind-interfaces",
            &leases,
            &at,
            &range,
        ],
    )?;
    server.wait_for_line("started", SOON)?;
    Ok(server)
}

/// A venue whose gateway has interfaces of every kind.
fn venue(remotes: usize) -> Result<(Venue, Process)> {
    let venue = Venue::build(Plan {
        remotes,
        ..Plan::default()
    })?;
    let gw = &venue.gateway;
    let uplink_dhcp = dhcp(
        &venue.internet,
        "gw",
        "10.9.2.100,10.9.2.199,255.255.255.0,1h",
    )?;
    for command in [
        "link add out0 type veth peer name out1",
        "link set out0 up",
        "link add br9 type bridge",
        "link add mem0 type veth peer name mem1",
        "link set mem0 master br9",
        "link set mem0 up",
        "link set mem1 up",
        "link add mv0 link eth0 type macvlan mode bridge",
        "link set mv0 up",
        "link set mem1 master br9",
    ] {
        gw.ip(command)?;
    }
    Ok((venue, uplink_dhcp))
}

impl Box_ {
    fn begin() -> Result<Self> {
        let (venue, uplink_dhcp) = venue(0)?;
        let mut command = program("lanparty-gateway")?;
        command.extend(["host", "--keys", "keys"].map(Into::into));
        let host = venue.gateway.spawn("host", command)?;
        host.wait_for_line("connected to the relay", SOON)?;
        Ok(Box_ {
            host,
            uplink_dhcp,
            venue,
        })
    }

    /// What a gateway says that does not begin.
    fn refused(&self, flags: &[&str]) -> Result<String> {
        let mut command = program("lanparty-gateway")?;
        command.extend(flags.iter().map(|flag| (*flag).into()));
        let output = self.venue.gateway.output(command)?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(output.status.code() == Some(1), "{}: {said}", output.status);
        Ok(said)
    }
}

fn the_lan_is_found_by_its_dhcp_server_and_the_others_are_told_why_not(world: &Box_) -> Result<()> {
    let said = "The party is at eth0: a DHCP server answers (192.168.50.1).";
    let log = world.host.log();
    ensure!(log.contains(said), "{log}");
    Ok(())
}

fn the_servers_gave_no_lease(world: &Box_) -> Result<()> {
    for server in [&world.venue.dhcp, &world.uplink_dhcp] {
        server.wait_for_line("DHCPOFFER", SOON)?;
        let log = server.log();
        ensure!(
            !log.contains("DHCPREQUEST") && !log.contains("DHCPACK"),
            "{log}"
        );
    }
    Ok(())
}

fn a_second_gateway_on_the_interface_is_refused(world: &Box_) -> Result<()> {
    let says = format!("another gateway (pid {}) runs on eth0", world.host.id());
    for flags in [
        &[
            "host",
            "--interface",
            "eth0",
            "--listen",
            "4433/udp",
            "--keys",
            "other",
        ][..],
        &[
            "--relay",
            "10.9.1.1",
            "--room",
            "OTHER",
            "--interface",
            "eth0",
            "--state",
            "other.json",
        ],
    ] {
        let said = world.refused(flags)?;
        ensure!(said.contains(&says) && said.lines().count() == 1, "{said}");
    }
    ensure!(world.host.is_running(), "{}", world.host.tail(10));
    Ok(())
}

fn the_cable_to_the_internet_is_questioned(world: &Box_) -> Result<()> {
    let mut command = program("lanparty-gateway")?;
    command.extend(
        [
            "host",
            "--interface",
            "wan0",
            "--listen",
            "4434/udp",
            "--keys",
            "third",
        ]
        .map(Into::into),
    );
    let host = world.venue.gateway.spawn("questioned", command)?;
    host.wait_for_line(
        "wan0 has this machine's way to the internet, and eth0 has a cable too",
        SOON,
    )?;
    host.wait_for_line("connected to the relay", SOON)?;
    ensure!(host.interrupt()?.success(), "{}", host.tail(10));
    Ok(())
}

fn with_two_lans_somebody_must_say_which(world: &Box_) -> Result<()> {
    let gw = &world.venue.gateway;
    world
        .venue
        .lab
        .cable((gw, "eth5"), (&world.venue.lan2, "more0"))?;
    world.venue.lan2.ip("addr add 192.168.77.1/24 dev more0")?;
    let _second = dhcp(
        &world.venue.lan2,
        "more0",
        "192.168.77.100,192.168.77.199,255.255.255.0,1h",
    )?;
    let said = world.refused(&["host", "--listen", "4435/udp", "--keys", "fourth"])?;
    for line in [
        "say it with --interface",
        "eth0: a DHCP server answers (192.168.50.1)",
        "eth5: a DHCP server answers (192.168.77.1)",
        "wan0: a DHCP server answers (10.9.2.254); this machine's way to the internet is here",
        "out0: has no carrier",
        "mem0: is a part of br9",
        "mv0: is of the kind macvlan",
    ] {
        ensure!(said.contains(line), "{line} is not in:\n{said}");
    }
    gw.ip("link del eth5").context("the second LAN goes")
}

/// A box that nobody has set up yet, and a relay.
struct FirstRun {
    relay: Process,
    _uplink_dhcp: Process,
    /// What the box's setup has made.
    invite: Mutex<String>,
    venue: Venue,
}

impl World for FirstRun {
    fn report(&self) -> String {
        self.relay.tail(15)
    }
}

impl FirstRun {
    fn begin() -> Result<Self> {
        let (venue, uplink_dhcp) = venue(1)?;
        let relay = venue.relay.spawn("relay", program("lanparty-relay")?)?;
        relay.wait_for_line("Relay listening on ", SOON)?;
        Ok(FirstRun {
            relay,
            _uplink_dhcp: uplink_dhcp,
            invite: Mutex::default(),
            venue,
        })
    }

    fn gateway(&self, words: &[&str]) -> Result<Vec<String>> {
        let mut command = program("lanparty-gateway")?;
        command.extend(words.iter().map(|word| (*word).into()));
        let _ = self;
        Ok(command)
    }

    fn setup(&self, words: &[&str]) -> Result<Output> {
        self.venue
            .gateway
            .output(self.gateway(&[&["setup"], words].concat())?)
    }

    /// Answers typed at a terminal.
    fn typed(&self, answers: &str, words: &[&str]) -> Result<String> {
        let command = self.gateway(&[&["setup"], words].concat())?.join(" ");
        let line = format!("printf '{answers}' | script -qec '{command}' /dev/null");
        self.venue.gateway.run(["sh", "-c", &line])
    }

    fn file(&self, name: &str) -> PathBuf {
        self.venue.lab.folder().join(name)
    }

    /// A player joins the party of these settings, and reaches the LAN.
    fn plays(&self, settings: &str, invite: &str) -> Result<()> {
        let command = self.gateway(&["--config", settings])?;
        let gateway = self
            .venue
            .gateway
            .spawn(&format!("gateway-{settings}"), command)?;
        gateway.wait_for_line("connected to the relay", SOON)?;
        let file = self.venue.lab.write("invite.txt", invite)?;
        let mut join = program("lanparty-client")?;
        join.extend(["--dhcp".into(), format!("@{file}")]);
        let player = self.venue.remotes[0].spawn("client", join)?;
        let leased = eventually("the player gets a LAN address", SOON, || {
            self.venue.remotes[0].ipv4(Player::TAP)
        });
        leased.with_context(|| player.tail(30) + &gateway.tail(30))?;
        self.venue.remotes[0].pings(Venue::LAN1, 56)?;
        ensure!(player.interrupt()?.success(), "{}", player.tail(10));
        ensure!(gateway.interrupt()?.success(), "{}", gateway.tail(10));
        Ok(())
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The line with the invite.
fn invite_in(said: &str) -> Result<String> {
    let mut lines = said.lines();
    let line = lines.find(|line| line.starts_with("lanparty://"));
    Ok(line
        .with_context(|| format!("no invite in {said}"))?
        .trim()
        .to_owned())
}

const HOSTS: &str = "party.toml";

fn flags_alone_make_a_party_that_a_player_joins(world: &FirstRun) -> Result<()> {
    let output = world.setup(&[
        "--yes",
        "--host",
        "--public-address",
        "10.9.2.1",
        "--name",
        "Friday",
        "--config",
        HOSTS,
    ])?;
    let said = text(&output.stdout);
    ensure!(output.status.success(), "{said}{}", text(&output.stderr));
    ensure!(said.contains("Players need only this"), "{said}");
    let settings = fs::read_to_string(world.file(HOSTS))?;
    for line in [
        "mode = \"host\"",
        "interface = \"eth0\"",
        "listen = \"443/udp\"",
    ] {
        ensure!(settings.contains(line), "{line} is not in\n{settings}");
    }
    let invite = invite_in(&said)?;
    let key = Invite::find(&invite)?.key.reveal();
    ensure!(!settings.contains(&*key), "a secret stands in the settings");
    world.plays(HOSTS, &invite)?;
    *world.invite.lock().expect("one test at a time") = invite;
    Ok(())
}

fn once_more_changes_nothing_and_shows_the_same_invite(world: &FirstRun) -> Result<()> {
    let before = fs::read(world.file(HOSTS))?;
    let output = world.setup(&["--yes", "--config", HOSTS])?;
    let said = text(&output.stdout);
    ensure!(
        said.contains("Nothing has changed"),
        "{said}{}",
        text(&output.stderr)
    );
    ensure!(
        fs::read(world.file(HOSTS))? == before,
        "the file is another one"
    );
    let invite = world.invite.lock().expect("one test at a time").clone();
    ensure!(invite_in(&said)? == invite, "{said}");
    let shown = world
        .venue
        .gateway
        .run(world.gateway(&["invite", "--config", HOSTS])?)?;
    ensure!(shown.trim() == invite, "{shown}");
    Ok(())
}

fn a_host_at_a_terminal_answers_and_has_a_party_at_a_relay(world: &FirstRun) -> Result<()> {
    // An interface that will not do, the one that is proposed, a relay that is none, the right one with its pin, a room, no name.
    let answers = "out0\\n\\nrelay\\n10.9.1.77:x\\n10.9.1.1\\nyes\\nSETUP-1\\n\\n";
    let said = world.typed(answers, &["--config", "relay.toml"])?;
    for line in [
        "That will not do: out0 has no carrier",
        "That will not do: `10.9.1.77:x` is not a relay address",
        "It shows a key with this pin:",
        "The relay opens room SETUP-1 for you.",
        "Start the party with `lanparty-gateway --config relay.toml`.",
        "Players need only this:",
    ] {
        let flat = said.split_whitespace().collect::<Vec<_>>().join(" ");
        ensure!(flat.contains(line), "{line} is not in\n{said}");
    }
    let is_long = |line: &str| line.chars().count() > 80 && !line.contains("lanparty://");
    // Answers that nobody types leave no line ends behind the questions.
    let lines = said.lines().map(|line| line.rsplit(": ").next());
    let mut lines = lines.map(|line| line.unwrap_or_default().trim_end());
    let long = lines.find(|line| is_long(line) && !line.contains('\u{1b}'));
    ensure!(long.is_none(), "{long:?}");
    let settings = fs::read_to_string(world.file("relay.toml"))?;
    ensure!(settings.contains("room = \"SETUP-1\""), "{settings}");
    world.plays("relay.toml", &invite_in(&said)?)
}

fn what_is_missing_is_said_in_a_sentence_and_nothing_is_made(world: &FirstRun) -> Result<()> {
    for (flags, says) in [
        (&["--yes"][..], "say it with --host or --relay"),
        (&[], "nothing has been changed"),
        (&["--yes", "--relay", "10.9.1.1"], "and say --pin"),
        (
            &["--yes", "--host", "--interface", "out0"],
            "out0 has no carrier",
        ),
        (
            &["--yes", "--host", "--interface", "eth9"],
            "there is no interface eth9",
        ),
        (
            &["--yes", "--relay", "10.9.1.1:9", "--pin", "x"],
            "a pin is the 43",
        ),
        (&["--yes", "--relay", "10.9.1.1:9"], "cannot be used"),
    ] {
        let output =
            world.setup(&[flags, &["--config", "none.toml", "--keys", "none"]].concat())?;
        let said = text(&output.stderr);
        ensure!(
            !output.status.success() && said.contains(says),
            "{says} is not in\n{said}"
        );
        for name in ["none.toml", "none"] {
            ensure!(!world.file(name).exists(), "{flags:?} left {name}");
        }
    }
    Ok(())
}

fn ctrl_c_leaves_nothing(world: &FirstRun) -> Result<()> {
    let command = world
        .gateway(&["setup", "--config", "none.toml", "--keys", "none"])?
        .join(" ");
    // A terminal at which nobody types.
    let line = format!("mkfifo nobody; exec {command} 0<>nobody");
    let setup = world.venue.gateway.spawn("setup", ["sh", "-c", &line])?;
    setup.wait_for_line("+ eth0", SOON)?;
    ensure!(!setup.interrupt()?.success(), "{}", setup.tail(10));
    for name in ["none.toml", "none"] {
        ensure!(!world.file(name).exists(), "{name} was left");
    }
    Ok(())
}

fn a_gateway_knows_its_relay_by_the_pin_of_its_invite(world: &FirstRun) -> Result<()> {
    let relay = ["--relay", "10.9.1.1", "--room", "PINNED"];
    let invite = world.gateway(&[&["invite"], &relay[..]].concat())?;
    world.venue.gateway.run(invite)?;
    let command = world.gateway(&[&relay[..], &["--interface", "eth0"]].concat())?;
    let gateway = world.venue.gateway.spawn("pinned", command)?;
    gateway.wait_for_line("connected to the relay", SOON)?;
    ensure!(gateway.interrupt()?.success(), "{}", gateway.tail(10));
    Ok(())
}
