//! A relay is updated while people play: another program takes the running one's place, and its socket.

#![allow(clippy::disallowed_methods, reason = "a test with real programs")]

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use lanparty_lab::traffic::{PingReport, Pings, copy};
use lanparty_lab::{Needs, Plan, Player, Process, Suite, Venue, World, checks, eventually};
use lanparty_lab::{program, run};

const SOON: Duration = Duration::from_secs(20);
const ROOM: &str = "FRIDAY-LAN";
/// A game's tick.
const PER_SECOND: u32 = 60;
/// What players may miss of it: a second's.
const GAP: Duration = Duration::from_secs(1);
/// More than goes through before and after the change.
const FILE: u64 = 24 << 20;

fn main() -> ExitCode {
    let all = checks![
        a_copy_and_a_game_cross_an_update_of_the_relay,
        the_operator_steers_the_new_relay,
        a_reload_of_the_same_program_reads_its_settings_and_cuts_nobody_off,
        a_new_relay_that_does_not_start_leaves_the_old_one_as_it_was,
        a_new_relay_that_could_not_go_on_does_not_take_the_place,
        // What it starts is nobody's child: last.
        a_reload_starts_the_new_program_in_the_background,
    ];
    run(
        &Needs::programs(&["dnsmasq", "openssl"]),
        [Suite::new("upgrade", Evening::begin, all)],
    )
}

/// A keyed room, whose player pings the LAN all the time.
struct Evening {
    pings: Pings,
    player: Process,
    gateway: Process,
    relay: Mutex<Process>,
    copies: AtomicUsize,
    venue: Venue,
}

impl World for Evening {
    fn report(&self) -> String {
        let programs = [&*self.relay(), &self.gateway, &self.player];
        programs.map(|program| program.tail(15)).join("\n---\n")
    }
}

impl Evening {
    fn begin() -> Result<Self> {
        let venue = Venue::build(Plan {
            remotes: 1,
            ..Plan::default()
        })?;
        venue.lab.write("relay.toml", "max-rooms = 5\n")?;
        let state = venue.lab.folder().join("state").display().to_string();
        let mut command = program("lanparty-relay")?;
        command.extend(settings(&state));
        let relay = venue.relay.spawn("relay", command)?;
        let line = relay.wait_for_line("--pin ", SOON)?;
        let pin = line.rsplit(' ').next().context("a pin")?.trim().to_owned();
        let address = Venue::RELAY.to_string();
        let place = ["--relay", &address, "--pin", &pin, "--room", ROOM].map(Into::into);
        let mut print = program("lanparty-gateway")?;
        print.push("invite".into());
        print.extend(place.clone());
        let invite = venue.gateway.run(&print)?;
        let mut open = program("lanparty-gateway")?;
        open.extend(place);
        open.extend(["--interface", "eth0"].map(Into::into));
        let gateway = venue.gateway.spawn("gateway", open)?;
        gateway.wait_for_line("connected to the relay", SOON)?;
        let file = venue.lab.write("invite.txt", &invite)?;
        let mut join = program("lanparty-client")?;
        join.extend(["--invite-file", &file, "--identity", "id.json"].map(Into::into));
        let player = venue.remotes[0].spawn("player", join)?;
        player.wait_for_line("Connected to the LAN", SOON)?;
        eventually("the player gets a LAN address", SOON, || {
            venue.remotes[0].ipv4(Player::TAP)
        })?;
        let began = Instant::now();
        let pings = Pings::start(&venue.remotes[0], Venue::LAN1, PER_SECOND, 56)?;
        pings.wait_for_answers(began, 20, SOON)?;
        Ok(Evening {
            pings,
            player,
            gateway,
            relay: Mutex::new(relay),
            copies: AtomicUsize::new(0),
            venue,
        })
    }

    fn relay(&self) -> MutexGuard<'_, Process> {
        self.relay.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn state(&self) -> PathBuf {
        self.venue.lab.folder().join("state")
    }

    /// The same program as another file, as an update leaves it.
    fn another_program(&self) -> Result<String> {
        let number = self.copies.fetch_add(1, Ordering::Relaxed);
        let file = self
            .venue
            .lab
            .folder()
            .join(format!("new/{number}/lanparty-relay"));
        fs::create_dir_all(file.parent().context("a folder")?)?;
        let original = program("lanparty-relay")?;
        fs::copy(original.first().context("a program")?, &file)?;
        Ok(file.display().to_string())
    }

    fn command(&self, program: String, words: &[&str]) -> Vec<String> {
        let own = settings(&self.state().display().to_string());
        let words = words.iter().map(|&word| word.to_owned());
        [program].into_iter().chain(own).chain(words).collect()
    }

    /// What a player misses of a change, once it is over.
    fn misses(&self, change: impl FnOnce() -> Result<()>) -> Result<PingReport> {
        let from = Instant::now();
        change()?;
        let until = Instant::now();
        // Answers to what is asked from now on: everything is as before.
        self.pings.wait_for_answers(until, 20, SOON)?;
        Ok(self.pings.report(from, until))
    }

    /// Whom the operator sees.
    fn peers(&self) -> Result<String> {
        let socket = self.state().join("relay.ctl").display().to_string();
        let mut ask = program("lanparty-relay")?;
        ask.extend(["ctl", "peers", "--socket", &socket].map(Into::into));
        self.venue.relay.run(ask)
    }
}

fn settings(state: &str) -> Vec<String> {
    ["--config", "relay.toml", "--state", state]
        .map(str::to_owned)
        .to_vec()
}

fn a_copy_and_a_game_cross_an_update_of_the_relay(evening: &Evening) -> Result<()> {
    let (lan, player) = (&evening.venue.lan1, &evening.venue.remotes[0]);
    let address = player.ipv4(Player::TAP).context("an address on the LAN")?;
    let new = evening.command(evening.another_program()?, &["--take-over"]);
    let (copied, missed) = thread::scope(|scope| {
        let copying = scope.spawn(|| copy(lan, player, address, FILE));
        let missed = evening.misses(|| {
            let successor = evening.venue.relay.spawn("successor", &new)?;
            successor.wait_for_line("Took the place of the relay that ran", SOON)?;
            let old = std::mem::replace(&mut *evening.relay(), successor);
            ensure!(old.wait(SOON)?.success(), "{}", old.tail(10));
            Ok(())
        });
        (copying.join(), missed)
    });
    let Ok(copied) = copied else {
        bail!("the copy panicked")
    };
    let (copied, missed) = (copied?, missed?);
    println!(
        "    missed {} of {} pings, at most {:?} in one piece; the copy took {copied:?}",
        missed.lost, missed.sent, missed.silence
    );
    ensure!(missed.silence <= GAP, "{missed:?}");
    ensure!(missed.lost <= PER_SECOND as usize, "{missed:?}");
    ensure!(missed.twice == 0, "{missed:?}");
    Ok(())
}

fn the_operator_steers_the_new_relay(evening: &Evening) -> Result<()> {
    let peers = evening.peers()?;
    ensure!(peers.contains("gateway") && peers.contains(ROOM), "{peers}");
    Ok(())
}

fn a_reload_of_the_same_program_reads_its_settings_and_cuts_nobody_off(
    evening: &Evening,
) -> Result<()> {
    let program = fs::read_link(format!("/proc/{}/exe", evening.relay().id()))?;
    let reload = evening.command(program.display().to_string(), &["--reload"]);
    let missed = evening.misses(|| {
        let said = evening.venue.relay.run(&reload)?;
        ensure!(said.contains("has read its settings again"), "{said}");
        evening.venue.lab.write("relay.toml", "max-romms = 5\n")?;
        let refused = evening.venue.relay.run(&reload);
        evening.venue.lab.write("relay.toml", "max-rooms = 5\n")?;
        let error = format!("{:#}", refused.err().context("a typo is no setting")?);
        ensure!(error.contains("max-romms"), "{error}");
        Ok(())
    })?;
    ensure!(missed.lost == 0, "{missed:?}");
    ensure!(evening.relay().is_running(), "{}", evening.relay().tail(10));
    Ok(())
}

fn a_new_relay_that_does_not_start_leaves_the_old_one_as_it_was(evening: &Evening) -> Result<()> {
    let wrong = ["--reload", "--cert", "no.pem", "--key", "no.pem"];
    let reload = evening.command(evening.another_program()?, &wrong);
    let missed = evening.misses(|| {
        let error = evening.venue.relay.run(&reload).err();
        let error = format!("{:#}", error.context("it has no certificate")?);
        ensure!(error.contains("the one that ran goes on"), "{error}");
        Ok(())
    })?;
    ensure!(missed.lost == 0, "{missed:?}");
    ensure!(evening.relay().is_running(), "{}", evening.relay().tail(10));
    Ok(())
}

/// What it reads with rights that it gives up is missed before it has the place.
fn a_new_relay_that_could_not_go_on_does_not_take_the_place(evening: &Evening) -> Result<()> {
    let issue = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj \
         /CN=relay.example.net -addext subjectAltName=DNS:relay.example.net -keyout key.pem -out chain.pem 2>/dev/null && \
         chown 65534 key.pem chain.pem && chmod 600 key.pem chain.pem";
    evening.venue.relay.run(["sh", "-c", issue])?;
    let wrong = ["--reload", "--cert", "chain.pem", "--key", "key.pem"];
    let reload = evening.command(evening.another_program()?, &wrong);
    let missed = evening.misses(|| {
        let error = evening.venue.relay.run(&reload).err();
        let error = format!("{:#}", error.context("it cannot read its files later")?);
        ensure!(
            error.contains("chain.pem cannot be read")
                && error.contains("the one that ran goes on"),
            "{error}"
        );
        Ok(())
    })?;
    ensure!(missed.lost == 0, "{missed:?}");
    ensure!(evening.relay().is_running(), "{}", evening.relay().tail(10));
    Ok(())
}

/// As `systemctl reload` does it: what reloads is over when the new relay serves.
fn a_reload_starts_the_new_program_in_the_background(evening: &Evening) -> Result<()> {
    let reload = evening.command(evening.another_program()?, &["--reload"]);
    let missed = evening.misses(|| {
        // The new relay speaks where this one did, so its words never end.
        let reloads = evening.venue.relay.spawn("reload", &reload)?;
        reloads.wait_for_line("The relay is now another program", SOON)?;
        ensure!(reloads.wait(SOON)?.success(), "{}", reloads.tail(10));
        let ended = evening.relay().wait(SOON)?;
        ensure!(ended.success(), "{}", evening.relay().tail(10));
        Ok(())
    })?;
    ensure!(missed.silence <= GAP && missed.twice == 0, "{missed:?}");
    let peers = evening.peers()?;
    ensure!(peers.contains("gateway") && peers.contains(ROOM), "{peers}");
    Ok(())
}
