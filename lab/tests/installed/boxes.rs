//! The machines of an installed party: a relay's, a host's and a player's.

use std::fs;
use std::net::IpAddr;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lanparty_lab::{Booted, Machine, Plan, Player, Process, Venue, World, eventually, program};

pub(crate) const SOON: Duration = Duration::from_secs(20);
pub(crate) const ROOM: &str = "FRIDAY-LAN";
pub(crate) const RELAY: &str = "lanparty-relay.service";
pub(crate) const GATEWAY: &str = "lanparty-gateway.service";
/// Where the units say that programs are.
const PROGRAMS: &str = "/usr/local/bin";
const SETTINGS: &str = "/etc/lanparty/gateway.toml";

/// A relay's machine, a host's box, and a player far away.
pub(crate) struct Boxes {
    relay: Mutex<Option<Booted>>,
    gateway: Mutex<Option<Booted>>,
    player: Mutex<Option<Process>>,
    pub(crate) pin: String,
    pub(crate) venue: Venue,
}

impl World for Boxes {
    fn report(&self) -> String {
        let journal = |machine: &Mutex<Option<Booted>>, unit| {
            let machine = lock(machine);
            let journal = machine.as_ref().map(|machine| machine.journal(unit));
            journal.and_then(Result::ok).unwrap_or_default()
        };
        let tail = |text: String| {
            let lines: Vec<_> = text.lines().rev().take(25).collect();
            lines.into_iter().rev().collect::<Vec<_>>().join("\n")
        };
        format!(
            "--- relay\n{}\n--- gateway\n{}\n",
            tail(journal(&self.relay, RELAY)),
            tail(journal(&self.gateway, GATEWAY))
        )
    }
}

pub(crate) fn lock<T>(thing: &Mutex<T>) -> MutexGuard<'_, T> {
    thing.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Boxes {
    pub(crate) fn begin() -> Result<Self> {
        let venue = Venue::build(Plan {
            remotes: 2,
            ..Plan::default()
        })?;
        let relay = started(&venue.relay)?;
        println!("a machine has started after {:?}", relay.took);
        install(&relay, "lanparty-relay", &["dist/lanparty-relay.service"])?;
        relay.write(
            "/etc/lanparty/relay.toml",
            fs::read(of_repository("dist/relay.toml"))?,
        )?;
        relay.systemctl("enable --now lanparty-relay")?;
        // What is printed comes into the journal by another way than the news that it is ready.
        let pin = eventually("the pin is in the journal", SOON, || {
            let journal = relay.journal(RELAY).ok()?;
            let (_, pin) = journal.rsplit_once("--pin ")?;
            Some(pin.split_whitespace().next()?.to_owned())
        })?;
        let gateway = with_gateway(&venue)?;
        gateway.write(SETTINGS, at_the_relay(&pin))?;
        Ok(Boxes {
            relay: Mutex::new(Some(relay)),
            gateway: Mutex::new(Some(gateway)),
            player: Mutex::new(None),
            pin,
            venue,
        })
    }

    /// Does something with the relay's machine.
    pub(crate) fn relay<T>(&self, act: impl FnOnce(&Booted) -> Result<T>) -> Result<T> {
        let machine = lock(&self.relay);
        act(machine.as_ref().context("the relay's machine is off")?)
    }

    /// Does something with the host's box.
    pub(crate) fn gateway<T>(&self, act: impl FnOnce(&Booted) -> Result<T>) -> Result<T> {
        let machine = lock(&self.gateway);
        act(machine.as_ref().context("the host's box is off")?)
    }

    /// Starts both machines again with all that was kept on their disks.
    pub(crate) fn power_off(&self) -> Result<()> {
        lock(&self.player).take();
        for machine in [&self.gateway, &self.relay] {
            if let Some(machine) = lock(machine).take() {
                machine.power_off()?;
            }
        }
        Ok(())
    }

    /// The file of the host's box that is the party.
    pub(crate) fn settings(&self) -> String {
        at_the_relay(&self.pin)
    }

    /// The gateway runs, with these settings, and says these words.
    pub(crate) fn gateway_with(&self, settings: &str, says: &str) -> Result<()> {
        self.gateway(|machine| {
            machine.write(SETTINGS, settings)?;
            machine.systemctl("restart lanparty-gateway")?;
            machine.says(GATEWAY, says, SOON).map(drop)
        })
    }

    /// The party is open and has no other settings than a party's.
    pub(crate) fn open(&self) -> Result<()> {
        self.gateway(|machine| {
            machine.write(SETTINGS, self.settings())?;
            let _ = machine.systemctl("reset-failed lanparty-gateway");
            let stands = machine.property(GATEWAY, "StatusText")?;
            let is_open = stands.starts_with("At the relay")
                && machine.property(GATEWAY, "ActiveState")? == "active";
            if !is_open {
                machine.systemctl("restart lanparty-gateway")?;
            }
            machine.says(GATEWAY, "At the relay", SOON).map(drop)
        })
    }

    /// An invite as the host gets one on the box.
    pub(crate) fn invite(&self) -> Result<String> {
        let relay = Venue::RELAY.to_string();
        self.gateway(|machine| {
            let words = [
                "lanparty-gateway",
                "invite",
                "--relay",
                &relay,
                "--pin",
                &self.pin,
                "--room",
                ROOM,
            ];
            let printed = machine.run(words)?;
            let link = printed
                .split_whitespace()
                .find(|word| word.starts_with("lanparty://"));
            Ok(link.context("no invite was printed")?.to_owned())
        })
    }

    /// A player who is in the party; the same one as long as it runs.
    pub(crate) fn plays(&self) -> Result<&Machine> {
        let machine = &self.venue.remotes[0];
        let mut player = lock(&self.player);
        if player.as_ref().is_some_and(Process::is_running) {
            return Ok(machine);
        }
        let file = self.venue.lab.write("invite.txt", &self.invite()?)?;
        let mut client = program("lanparty-client")?;
        client.extend([format!("@{file}"), "--name".into(), "Anna".into()]);
        let client = machine.spawn("client", client)?;
        client.wait_for_line("Connected to the LAN", SOON)?;
        let got = eventually("the player has an address", SOON, || {
            machine.ipv4(Player::TAP)
        });
        got.with_context(|| client.tail(20))?;
        *player = Some(client);
        Ok(machine)
    }

    /// The player reaches the LAN, sooner or later.
    pub(crate) fn reaches_the_lan(&self) -> Result<()> {
        let machine = self.plays()?;
        reaches(machine, Venue::LAN1)
    }
}

/// Pings until one is answered.
pub(crate) fn reaches(machine: &Machine, target: IpAddr) -> Result<()> {
    eventually("a ping to the LAN is answered", SOON, || {
        machine.ping_on(Player::TAP, target).ok()
    })
}

fn at_the_relay(pin: &str) -> String {
    let relay = Venue::RELAY;
    format!(
        "mode = \"relay\"\ninterface = \"eth0\"\nrelay = \"{relay}\"\nroom = \"{ROOM}\"\npin = \"{pin}\"\n"
    )
}

/// A box with the gateway's programs and units, and no settings.
pub(crate) fn with_gateway(venue: &Venue) -> Result<Booted> {
    let gateway = started(&venue.gateway)?;
    let units = [
        "dist/lanparty-gateway.service",
        "dist/lanparty-gateway@.service",
    ];
    install(&gateway, "lanparty-gateway", &units)?;
    Ok(gateway)
}

/// A machine of which nothing but systemd runs.
pub(crate) fn started(machine: &Machine) -> Result<Booted> {
    let booted = Booted::start(machine)?;
    ensure!(booted.took < Duration::from_secs(15), "{:?}", booted.took);
    Ok(booted)
}

/// Puts a program and its units where a person would by hand.
pub(crate) fn install(machine: &Booted, name: &str, units: &[&str]) -> Result<()> {
    let binary = program(name)?.concat();
    fs::copy(&binary, machine.file(&format!("{PROGRAMS}/{name}")))
        .with_context(|| format!("install {binary}"))?;
    for unit in units {
        let file = of_repository(unit);
        let place = Path::new("/etc/systemd/system").join(file.file_name().context("a name")?);
        machine.write(&place.to_string_lossy(), fs::read(&file)?)?;
    }
    machine.systemctl("daemon-reload").map(drop)
}

pub(crate) fn of_repository(file: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file)
}

pub(crate) fn nothing_is_left_of_a_machine(boxes: &Boxes) -> Result<()> {
    boxes.power_off()?;
    let ours = |line: &&str| line.contains("lanparty-lab-");
    let groups = fs::read_dir("/sys/fs/cgroup")?
        .chain(fs::read_dir("/sys/fs/cgroup/unified").into_iter().flatten());
    let own = format!("lanparty-lab-{}-", std::process::id());
    let left: Vec<_> = groups
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(&own))
        .collect();
    ensure!(left.is_empty(), "{left:?}");
    let mounts = fs::read_to_string("/proc/self/mounts")?;
    ensure!(
        mounts.lines().find(ours).is_none() && !mounts.contains("-layers"),
        "{mounts}"
    );
    Ok(())
}
