//! The installed service: found by its pipe, joined by whoever sits at the PC, seen in the window, upgraded, killed,
//! impersonated, and removed again.

use std::fs;
use std::path::PathBuf;
use std::process::Output;
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result, bail, ensure};
use lanparty_lab::{Several, SeveralPlan, Venue, WindowsPc, World, eventually};
use serde_json::Value;

use crate::guest::{PROGRAM, SOON, WINDOW};

const FOLDER: &str = "Program Files/softlan-vpn";
const MENU: &str = "ProgramData/Microsoft/Windows/Start Menu/Programs/softlan-vpn";
const DATA: &str = "ProgramData/softlan-vpn";
const SERVICE_KEY: &str = r"HKLM\System\CurrentControlSet\Services\LanPartyClient";
const SCHEME: &str = r"HKLM\Software\Classes\lanparty\shell\open\command";
const UNINSTALL: &str = r"HKLM\Software\Microsoft\Windows\CurrentVersion\Uninstall\softlan-vpn";

/// A host whose party may be at one of two relays, and a PC on which the installer has been.
pub(crate) struct Household {
    /// What the PC was like before.
    before: String,
    pub(crate) pc: WindowsPc,
    party: Mutex<Several>,
}

impl World for Household {
    fn report(&self) -> String {
        let data = self.pc.drive_c().join(DATA);
        let logs = ["service.old.log", "service.log"].map(|name| {
            let log = fs::read_to_string(data.join(name)).unwrap_or_default();
            let mut last: Vec<_> = log.lines().rev().take(40).collect();
            last.reverse();
            format!("--- {name}:\n{}", last.join("\n"))
        });
        format!(
            "{}\n--- the PC was asked for:\n{}\n{}",
            logs.join("\n"),
            self.pc.changes().join("\n"),
            self.party().report()
        )
    }
}

impl Household {
    pub(crate) fn move_in() -> Result<Self> {
        let party = Several::gather(SeveralPlan {
            relays: 2,
            relay: Vec::new(),
            gateway: Vec::new(),
            remotes: 1,
            log: None,
        })?;
        let pc = WindowsPc::new(&party.venue.lab, &party.venue.remotes[0])?;
        let household = Self {
            before: pc.state()?,
            pc,
            party: Mutex::new(party),
        };
        household.set_up()?;
        Ok(household)
    }

    pub(crate) fn party(&self) -> MutexGuard<'_, Several> {
        self.party.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The invite's file, as Windows programs know it.
    fn invite(&self) -> Result<String> {
        let file = self.party().venue.lab.folder().join(Several::INVITE);
        Ok(format!("Z:{}", file.to_str().context("a plain path")?))
    }

    /// Runs the installer as a person does who wants no questions.
    fn set_up(&self) -> Result<()> {
        let setup = WindowsPc::program("lanparty-client-setup.exe")?;
        self.pc.output([setup.as_os_str(), "/S".as_ref()])?;
        let client = self.installed("lanparty-client.exe");
        ensure!(client.is_file(), "{} is not there", client.display());
        Ok(())
    }

    pub(crate) fn installed(&self, name: &str) -> PathBuf {
        self.pc.drive_c().join(FOLDER).join(name)
    }

    /// What a person types.
    pub(crate) fn client(&self, words: &[&str]) -> Result<Output> {
        let program = self.installed("lanparty-client.exe");
        let words = words.iter().map(|word| (*word).into());
        self.pc
            .output([program.into_os_string()].into_iter().chain(words))
    }

    /// The same for what must work.
    pub(crate) fn does(&self, words: &[&str]) -> Result<String> {
        let output = self.client(words)?;
        let said = String::from_utf8_lossy(&output.stdout).replace('\r', "");
        let complained = String::from_utf8_lossy(&output.stderr);
        ensure!(
            output.status.success(),
            "{words:?} ended with {}:\n{said}{complained}",
            output.status
        );
        Ok(said)
    }

    pub(crate) fn snapshot(&self) -> Result<Value> {
        let output = self.client(&["status", "--json"])?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        serde_json::from_slice(&output.stdout).context(said)
    }

    /// Waits until the service says that.
    fn is(&self, state: &str) -> Result<Value> {
        let mut last = Value::Null;
        let seen = eventually(&format!("the state is {state}"), SOON, || {
            last = self.snapshot().ok()?;
            (last["state"] == state).then(|| last.clone())
        });
        seen.with_context(|| format!("the last was {last}"))
    }

    pub(crate) fn join(&self) -> Result<String> {
        let invite = format!("@{}", self.invite()?);
        self.does(&["join", &invite, "--name", "Anna", "--wait", "60"])
    }

    fn registry_says(&self, key: &str, text: &str) -> Result<bool> {
        let output = self.pc.output(["reg", "query", key, "/s"])?;
        Ok(String::from_utf8_lossy(&output.stdout).contains(text))
    }

    /// The number of the service's process in Linux.
    fn service_process(&self) -> Result<i32> {
        let mut found = self.pc.processes("lanparty-client.exe service")?;
        match (found.pop(), found.is_empty()) {
            (Some(process), true) => Ok(process),
            (None, _) => bail!("the service does not run"),
            (Some(_), false) => bail!("there are several"),
        }
    }
}

pub(crate) fn the_installer_leaves_a_service_that_starts_when_it_is_asked(
    household: &Household,
) -> Result<()> {
    let built = fs::metadata(WindowsPc::program(PROGRAM)?)?;
    let client = fs::metadata(household.installed("lanparty-client.exe"))?;
    ensure!(client.len() == built.len(), "the client is another one");
    let built = fs::metadata(WindowsPc::program(WINDOW)?)?;
    let window = fs::metadata(household.installed("lanparty.exe"))?;
    ensure!(window.len() == built.len(), "the window is another one");
    ensure!(household.registry_says(SCHEME, "lanparty.exe")?, "links");
    ensure!(household.registry_says(SERVICE_KEY, "service")?, "service");
    let menu = household.pc.drive_c().join(MENU);
    ensure!(menu.join("Join a LAN party.lnk").is_file(), "start menu");
    ensure!(household.service_process().is_err(), "nobody asked for it");
    let snapshot = household.is("not_connected")?;
    ensure!(snapshot["version"] == 1, "{snapshot}");
    household.service_process().map(drop)
}

pub(crate) fn an_invite_is_joined_over_the_pipe_and_the_player_is_on_the_lan(
    household: &Household,
) -> Result<()> {
    let said = household.join()?;
    ensure!(said.contains("Connected to the LAN"), "{said}");
    let snapshot = household.is("connected")?;
    ensure!(snapshot["me"]["name"] == "Anna", "{snapshot}");
    let machine = household.pc.machine();
    machine.ping_on(WindowsPc::TAP, Venue::LAN1)?;
    let address = machine.ipv4(WindowsPc::TAP).context("no address")?;
    ensure!(
        snapshot["address"]["ip"] == address.to_string(),
        "{snapshot}"
    );
    Ok(())
}

pub(crate) fn a_client_in_a_console_is_told_that_there_is_one(household: &Household) -> Result<()> {
    let output = household.client(&["--invite-file", &household.invite()?])?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(said.contains("another client is running"), "{said}");
    Ok(())
}

/// What a person sees, kept for people to look at.
pub(crate) fn the_window_shows_the_party(household: &Household) -> Result<()> {
    const SIZE: &str = "560x760";
    // Without Wine's task bar: an empty desktop has one colour, and a window whose letters have smooth edges hundreds.
    const ABOVE_THE_BAR: &str = "560x735+0+0";
    const ALL_IS_WELL: &str = "#17733A";
    let display = format!(":{}", 100 + std::process::id() % 900);
    let machine = household.pc.machine();
    let screen = format!("{SIZE}x24");
    let _screen = machine.spawn("screen", ["Xvfb", &display, "-screen", "0", &screen])?;
    let window = household.installed("lanparty.exe");
    let _window = household
        .pc
        .show("window", &display, SIZE, [window.as_os_str()])?;
    let picture = WindowsPc::pictures()?.join("connected.png");
    let picture = picture.to_string_lossy().into_owned();
    let _ = fs::remove_file(&picture);
    let drawn = eventually("the window shows that all is well", SOON, || {
        let shot = ["import", "-display", &display, "-window", "root"];
        let cut = ["-crop", ABOVE_THE_BAR, "+repage", &picture];
        machine.run(shot.into_iter().chain(cut)).ok()?;
        let count = ["convert", &picture, "-format", "%c", "histogram:info:-"];
        let colours = machine.run(count).ok()?;
        (colours.lines().count() > 60 && colours.contains(ALL_IS_WELL)).then_some(())
    });
    for process in household.pc.processes("lanparty.exe")? {
        let process = rustix::process::Pid::from_raw(process).context("a process")?;
        rustix::process::kill_process(process, rustix::process::Signal::KILL)?;
    }
    drawn?;
    // The party goes on without it.
    household.is("connected").map(drop)
}

/// The setup stops the service, replaces everything, and the party goes on.
pub(crate) fn an_upgrade_keeps_the_invite_and_reconnects(household: &Household) -> Result<()> {
    let before = household.service_process()?;
    household.set_up()?;
    household.is("connected")?;
    ensure!(household.service_process()? != before, "it was not stopped");
    household.pc.machine().ping_on(WindowsPc::TAP, Venue::LAN1)
}

pub(crate) fn a_killed_service_is_noticed_repaired_and_joins_again(
    household: &Household,
) -> Result<()> {
    let client = household.installed("lanparty-client.exe");
    let watch = household.pc.spawn(
        "watch",
        [client.as_os_str(), "status".as_ref(), "--watch".as_ref()],
    )?;
    watch.wait_for_line("Connected", SOON)?;
    let killed = household.service_process()?;
    let process = rustix::process::Pid::from_raw(killed).context("a process")?;
    rustix::process::kill_process(process, rustix::process::Signal::KILL)?;
    watch.wait(SOON).context("the watch of a dead service")?;
    household.is("connected")?;
    ensure!(household.service_process()? != killed, "it lives");
    household.pc.machine().ping_on(WindowsPc::TAP, Venue::LAN1)
}

pub(crate) fn who_leaves_leaves_no_trace(household: &Household) -> Result<()> {
    let said = household.does(&["leave"])?;
    ensure!(said.contains("You have left"), "{said}");
    household.is("not_connected")?;
    // What the service itself keeps goes with it, at the end.
    let untouched = |state: &str| {
        let own = ["softlan-vpn", "Mark", "reg: "];
        let lines = state
            .lines()
            .filter(|line| !own.iter().any(|word| line.contains(word)));
        let lines: Vec<_> = lines.filter(|line| !line.is_empty()).collect();
        lines.join("\n")
    };
    let before = untouched(&household.before);
    let same = eventually("the PC is as it was", SOON, || {
        (untouched(&household.pc.state().ok()?) == before).then_some(())
    });
    same.with_context(|| household.pc.state().unwrap_or_default())
}

/// Whoever makes a pipe of that name first: the service does not join them, and no view believes them.
pub(crate) fn nobody_can_answer_in_the_services_place(household: &Household) -> Result<()> {
    household.client(&["service", "--stop"])?;
    let squat = WindowsPc::program("squat.exe")?;
    let squatter = household.pc.spawn("squatter", [squat.as_os_str()])?;
    squatter.wait_for_line("listening", SOON)?;
    let output = household.client(&["leave"])?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(!output.status.success(), "{}", output.status);
    ensure!(said.contains("another program answers"), "{said}");
    household.client(&["service", "--start"])?;
    let log = household.pc.drive_c().join(DATA).join("service.log");
    eventually("the service says why it does not start", SOON, || {
        let said = fs::read_to_string(&log).ok()?;
        said.contains("another program has taken").then_some(())
    })?;
    drop(squatter);
    household.is("not_connected").map(drop)
}

pub(crate) fn the_uninstaller_takes_everything_away(household: &Household) -> Result<()> {
    let uninstall = household.installed("uninstall.exe");
    // It goes on in a copy of itself and returns at once.
    household
        .pc
        .output([uninstall.as_os_str(), "/S".as_ref(), "/FORGET".as_ref()])?;
    for folder in [FOLDER, MENU, DATA] {
        let folder = household.pc.drive_c().join(folder);
        eventually(&format!("{} is gone", folder.display()), SOON, || {
            (!folder.exists()).then_some(())
        })?;
    }
    ensure!(household.service_process().is_err(), "the service runs");
    for key in [SERVICE_KEY, SCHEME, UNINSTALL, r"HKLM\Software\softlan-vpn"] {
        let output = household.pc.output(["reg", "query", key])?;
        ensure!(!output.status.success(), "{key} is still there");
    }
    Ok(())
}
