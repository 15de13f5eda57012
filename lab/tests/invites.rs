//! A party for those who were invited: the host prints a link, and nobody comes in without it.

#![allow(clippy::disallowed_methods, reason = "a test with real programs")]

use std::fs;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use lanparty_ctrl::{Pin, RoomKey};
use lanparty_edge::invite::Invite;
use lanparty_lab::traffic::Pings;
use lanparty_lab::{Needs, Plan, Player, Process, Suite, Venue, World, checks, eventually};
use lanparty_lab::{pass, program, run};
use rustix::process::Signal;

const SOON: Duration = Duration::from_secs(20);
const ROOM: &str = "FRIDAY-LAN";
/// A gateway whose place another one has asks every half minute whether it is free.
const UNTIL_IT_ASKS: Duration = Duration::from_secs(45);
/// As long as somebody takes who trips over a cable.
const CABLE_OUT: Duration = Duration::from_secs(5);

fn main() -> ExitCode {
    let needs = Needs::programs(&["dnsmasq"]);
    let all = checks![
        a_player_with_nothing_but_the_invite_is_on_the_lan,
        a_wrong_key_opens_nothing,
        an_expired_invite_is_refused,
        a_wrong_pin_is_refused,
        a_room_code_without_the_key_is_refused,
        a_guest_who_starts_the_gateway_is_told_to_play,
        an_invite_without_a_pin_gets_the_relays_own,
        a_link_that_a_shell_has_cut_is_called_that,
        and_no_player_lost_a_packet_by_all_that,
        a_guest_who_waits_as_gateway_while_the_hosts_cable_is_out_gets_nothing,
        // The gateway of the beginning is away for half a minute.
        of_two_gateways_with_one_key_folder_the_first_waits_until_the_second_is_gone,
        no_log_and_no_command_line_has_the_key,
    ];
    let back = checks![a_player_who_is_back_before_the_host_waits_for_it];
    let suites = [
        Suite::new("invites", Guests::gather, all),
        Suite::new("back", Guests::gather, back),
    ];
    run(&needs, suites)
}

/// The relay has forgotten everything, and whose room it is; the gateway comes a moment later.
fn a_player_who_is_back_before_the_host_waits_for_it(guests: &Guests) -> Result<()> {
    guests.gateway.signal(Signal::STOP)?;
    guests.relay.kill()?;
    let mark = guests.player.mark();
    let again = with_trace("lanparty-relay")?;
    let again = guests.venue.relay.spawn("relay-again", again)?;
    again.wait_for_line("Relay listening", SOON)?;
    let says = "the host's gateway is not back yet";
    guests.player.wait_for_line_after(mark, says, SOON)?;
    let mark = guests.player.mark();
    guests.gateway.signal(Signal::CONT)?;
    let back = "Connected to the LAN";
    guests.player.wait_for_line_after(mark, back, SOON)?;
    Ok(())
}

/// A host, and a player who was invited, with pings to the LAN that go on; another machine is a stranger's.
struct Guests {
    began: Instant,
    pings: Pings,
    player: Process,
    gateway: Process,
    relay: Process,
    invite: String,
    pin: String,
    venue: Venue,
}

impl World for Guests {
    fn report(&self) -> String {
        let programs = [&self.relay, &self.gateway, &self.player];
        programs.map(|program| program.tail(15)).join("\n---\n")
    }
}

impl Guests {
    fn gather() -> Result<Self> {
        let venue = Venue::build(Plan {
            remotes: 2,
            ..Plan::default()
        })?;
        let relay = venue.relay.spawn("relay", with_trace("lanparty-relay")?)?;
        let line = relay.wait_for_line("--pin ", SOON)?;
        let pin = line.rsplit(' ').next().context("a pin")?.trim().to_owned();

        let mut print = program("lanparty-gateway")?;
        let address = Venue::RELAY.to_string();
        print
            .extend(["invite", "--relay", &address, "--pin", &pin, "--room", ROOM].map(Into::into));
        let printed = venue.gateway.run(&print)?;
        ensure!(printed.lines().count() == 1, "more than a link:\n{printed}");
        let invite = printed.lines().next().context("an invite")?.to_owned();

        let mut open = with_trace("lanparty-gateway")?;
        open.extend(["--relay", &address, "--pin", &pin, "--room", ROOM].map(Into::into));
        open.extend(["--interface", "eth0"].map(Into::into));
        let gateway = venue.gateway.spawn("gateway", open)?;
        gateway.wait_for_line("connected to the relay", SOON)?;

        let mut join = with_trace("lanparty-client")?;
        let file = venue.lab.write("invite.txt", &invite)?;
        join.extend([format!("@{file}"), "--dhcp".into()]);
        let player = venue.remotes[0].spawn("client", join)?;
        player.wait_for_line("Connected to the LAN", SOON)?;
        let leased = eventually("the player gets a LAN address", SOON, || {
            venue.remotes[0].ipv4(Player::TAP)
        });
        leased.with_context(|| player.tail(30))?;
        let pings = Pings::start(&venue.remotes[0], Venue::LAN1, 20, 56)?;
        Ok(Guests {
            began: Instant::now(),
            pings,
            player,
            gateway,
            relay,
            invite,
            pin,
            venue,
        })
    }

    /// What the invite says.
    fn read(&self) -> Result<Invite> {
        Ok(Invite::find(&self.invite)?)
    }

    /// As programs wrote it before invites named the host.
    fn older_link(&self) -> Result<String> {
        let (relay, key, pin) = (Venue::RELAY, self.key()?, &self.pin);
        Ok(format!("lanparty://{relay}/{ROOM}#key={key}&pin={pin}"))
    }

    fn key(&self) -> Result<String> {
        Ok(self.read()?.key.reveal())
    }

    /// Starts a stranger's client.
    fn stranger(&self, title: &str, words: &[&str]) -> Result<Process> {
        let mut command = with_trace("lanparty-client")?;
        command.extend(["--tap", "stranger0"].map(Into::into));
        command.extend(words.iter().map(|word| (*word).into()));
        self.venue.remotes[1].spawn(title, command)
    }

    /// A stranger's client ends with this sentence.
    fn refuses(&self, title: &str, words: &[&str], says: &str) -> Result<()> {
        let process = self.stranger(title, words)?;
        let status = process.wait(SOON)?;
        let log = process.log();
        let told = log
            .lines()
            .any(|line| line.starts_with("error: ") && line.contains(says));
        ensure!(
            status.code() == Some(1) && told,
            "{status}, without `{says}`:\n{log}"
        );
        Ok(())
    }
}

fn a_player_with_nothing_but_the_invite_is_on_the_lan(guests: &Guests) -> Result<()> {
    guests.pings.wait_for_answers(guests.began, 5, SOON)?;
    ensure!(
        !guests.player.log().contains("is open"),
        "told that the room is open"
    );
    ensure!(
        !guests.gateway.log().contains("is open"),
        "told that the room is open"
    );
    Ok(())
}

/// The host may only be late, for all that a stranger can tell: so the client waits.
fn a_wrong_key_opens_nothing(guests: &Guests) -> Result<()> {
    let wrong = Invite {
        key: RoomKey::from_random([0; 16]),
        ..guests.read()?
    };
    let file = guests.venue.lab.write("wrong.txt", &wrong.reveal())?;
    let process = guests.stranger("wrong-key", &["--invite-file", &file])?;
    process.wait_for_line("the invite opens no room now", SOON)?;
    let status = process.interrupt()?;
    ensure!(status.success(), "{status}:\n{}", process.tail(20));
    Ok(())
}

fn an_expired_invite_is_refused(guests: &Guests) -> Result<()> {
    let old = Invite {
        expires: Some(1_700_000_000),
        ..guests.read()?
    };
    let file = guests.venue.lab.write("old.txt", &old.reveal())?;
    guests.refuses("expired", &[&format!("@{file}")], "the invite has expired")
}

fn a_wrong_pin_is_refused(guests: &Guests) -> Result<()> {
    let impostor = Invite {
        pin: Some(Pin::from_sha256([7; 32])),
        ..guests.read()?
    };
    let file = guests.venue.lab.write("pin.txt", &impostor.reveal())?;
    guests.refuses(
        "wrong-pin",
        &[&format!("@{file}")],
        "its key is not the pinned one",
    )
}

fn an_invite_without_a_pin_gets_the_relays_own(guests: &Guests) -> Result<()> {
    let mut print = program("lanparty-gateway")?;
    let relay = Venue::RELAY.to_string();
    print.extend(["invite", "--relay", &relay, "--room", "MONDAY"].map(Into::into));
    let printed = guests.venue.gateway.run(&print)?;
    let pin = Invite::find(&printed)?.pin.context("no pin")?;
    ensure!(pin.to_string() == guests.pin, "{pin}");
    Ok(())
}

fn a_link_that_a_shell_has_cut_is_called_that(guests: &Guests) -> Result<()> {
    let link = guests.older_link()?;
    let (cut, _) = link.split_once('&').context("two fields")?;
    let message = format!("Hey! join: {cut}\n");
    let file = guests.venue.lab.write("cut.txt", &message)?;
    guests.refuses(
        "cut",
        &[&format!("@{file}")],
        "it may have been cut at its first",
    )
}

fn a_room_code_without_the_key_is_refused(guests: &Guests) -> Result<()> {
    let relay = Venue::RELAY.to_string();
    let words = ["--relay", &relay, "--pin", &guests.pin, "--room", ROOM];
    guests.refuses("open", &words, "you are not invited to this room")
}

fn a_guest_who_starts_the_gateway_is_told_to_play(guests: &Guests) -> Result<()> {
    let file = guests.venue.lab.write("invite.txt", &guests.invite)?;
    let older = guests.older_link()?;
    let older = guests.venue.lab.write("older.txt", &older)?;
    for (title, file) in [("guest", file), ("older-guest", older)] {
        let mut wait = with_trace("lanparty-gateway")?;
        wait.extend([format!("@{file}"), "--interface".into(), "wan0".into()]);
        let guest = guests.venue.remotes[1].spawn(title, wait)?;
        let (status, log) = (guest.wait(SOON)?, guest.log());
        let said: Vec<_> = log.lines().collect();
        let told = "error: this invite makes players, not hosts: play with `lanparty-client`";
        ensure!(
            status.code() == Some(2) && said.len() == 1 && said[0].starts_with(told),
            "{status}:\n{log}"
        );
    }
    Ok(())
}

/// With the room's key in a key folder of its own it passes for a host, but not for this one.
fn a_guest_who_waits_as_gateway_while_the_hosts_cable_is_out_gets_nothing(
    guests: &Guests,
) -> Result<()> {
    let venue = &guests.venue;
    let folder = venue.lab.folder().join("guest-keys");
    fs::create_dir_all(&folder)?;
    fs::write(folder.join(format!("{ROOM}.room-key")), guests.key()?)?;
    let relay = Venue::RELAY.to_string();
    let mut wait = with_trace("lanparty-gateway")?;
    wait.extend(["--relay", &relay, "--pin", &guests.pin, "--room", ROOM].map(Into::into));
    wait.extend(["--interface", "wan0", "--keys"].map(Into::into));
    wait.push(folder.display().to_string());

    let (host, player) = (guests.gateway.mark(), guests.player.mark());
    venue.switch.ip("link set gw down")?;
    guests
        .gateway
        .wait_for_line_after(host, "Out of the room", SOON)?;
    let guest = venue.remotes[1].spawn("guest-gateway", wait)?;
    guest.wait_for_line("Gateway of room FRIDAY-LAN on wan0: connected", SOON)?;
    guests
        .player
        .wait_for_line_after(player, "waiting for the LAN gateway", SOON)?;
    pass(CABLE_OUT);
    venue.switch.ip("link set gw up")?;
    guests
        .gateway
        .wait_for_line_after(host, "connected to the relay", SOON)?;
    guests
        .pings
        .wait_for_answers(Instant::now(), 5, SOON)
        .context("the player is on the host's LAN again")?;
    ensure!(
        !guest.log().contains("Player"),
        "the guest has players:\n{}",
        guest.log()
    );
    ensure!(guest.interrupt()?.success(), "{}", guest.tail(10));
    Ok(())
}

/// They would take the room from each other for ever.
fn of_two_gateways_with_one_key_folder_the_first_waits_until_the_second_is_gone(
    guests: &Guests,
) -> Result<()> {
    let relay = Venue::RELAY.to_string();
    let mut open = with_trace("lanparty-gateway")?;
    open.extend(["--relay", &relay, "--pin", &guests.pin, "--room", ROOM].map(Into::into));
    open.extend(["--interface", "eth0", "--state", "second.place.json"].map(Into::into));
    open.push("--beside-another".into());
    let (first, player) = (guests.gateway.mark(), guests.player.mark());
    let second = guests.venue.gateway.spawn("second-gateway", open)?;
    second.wait_for_line("connected to the relay", SOON)?;
    guests
        .gateway
        .wait_for_line_after(first, "run one of them only", SOON)?;
    guests
        .player
        .wait_for_line_after(player, "Connected to the LAN", SOON)?;
    guests.pings.wait_for_answers(Instant::now(), 5, SOON)?;
    let log = second.log();
    ensure!(!log.contains("Not connected"), "nobody fights:\n{log}");
    let first = guests.gateway.mark();
    ensure!(second.interrupt()?.success(), "{}", second.tail(10));
    guests
        .gateway
        .wait_for_line_after(first, "connected to the relay", UNTIL_IT_ASKS)?;
    guests.pings.wait_for_answers(Instant::now(), 5, SOON)?;
    Ok(())
}

fn and_no_player_lost_a_packet_by_all_that(guests: &Guests) -> Result<()> {
    // On a quick machine all that took less than a second.
    guests.pings.wait_for_answers(guests.began, 25, SOON)?;
    let now = Instant::now();
    guests.pings.wait_for_answers(now, 5, SOON)?;
    let report = guests.pings.report(guests.began, now);
    ensure!(report.sent > 20 && report.lost == 0, "{report:?}");
    Ok(())
}

fn no_log_and_no_command_line_has_the_key(guests: &Guests) -> Result<()> {
    let key = &guests.key()?;
    let (_, payload) = guests.invite.trim().rsplit_once('/').context("a payload")?;
    let mut logs = 0;
    for entry in fs::read_dir(guests.venue.lab.folder())? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "log") {
            logs += 1;
            let log = fs::read(&path)?;
            let shows = contains(&log, key) || contains(&log, payload);
            ensure!(!shows, "{} has the key", path.display());
        }
    }
    ensure!(logs >= 7, "only {logs} logs");
    ensure!(
        contains(guests.older_link()?.as_bytes(), key) && payload.len() > 100,
        "the search finds nothing"
    );
    for entry in fs::read_dir("/proc")? {
        // Most entries are no processes, and some end meanwhile.
        let line = fs::read(entry?.path().join("cmdline")).unwrap_or_default();
        let shows = contains(&line, key) || contains(&line, payload);
        ensure!(!shows, "{}", String::from_utf8_lossy(&line));
    }
    Ok(())
}

fn contains(text: &[u8], key: &str) -> bool {
    text.windows(key.len())
        .any(|window| window == key.as_bytes())
}

fn with_trace(name: &str) -> Result<Vec<String>> {
    let mut command = program(name)?;
    command.extend(["--log", "trace"].map(Into::into));
    Ok(command)
}
