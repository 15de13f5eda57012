//! An evening on Debians that have never seen the packages, with systemd as the first of their processes: from one `apt install` to a
//! player's ping, a newer package while people play, and a purge after which nothing is there.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use lanparty_lab::traffic::Pings;
use lanparty_lab::{Booted, Machine, Needs, Plan, Player, Process, Venue, eventually};

use super::root::{COPIES, PASSING, Root};

pub(super) const NEEDS: Needs = Needs::programs(&[
    Booted::PROGRAMS[0],
    Booted::PROGRAMS[1],
    Booted::PROGRAMS[2],
    "dnsmasq",
    "ping",
]);
const SOON: Duration = Duration::from_secs(20);
const PER_SECOND: u32 = 20;
const GATEWAY: &str = "lanparty-gateway";
const RELAY: &str = "lanparty-relay";
/// What the host types, in the order of the questions: the interface, where players meet, the port, the name or address, the room,
/// the party's name, and whether it shall start.
const ANSWERS: &str = r"\nhost\n\n10.9.2.1\n\nFriday\nyes\n";
/// What `setup` and the service may make, and what is in these folders.
const OF_A_PARTY: [&str; 5] = [
    "/etc/lanparty",
    "/etc/lanparty/gateway.toml",
    "/etc/systemd/system/multi-user.target.wants/lanparty-gateway.service",
    "/var/lib/lanparty-gateway",
    "/var/lib/private/lanparty-gateway",
];
/// The same of a relay.
const OF_A_RELAY: [&str; 3] = [
    "/etc/systemd/system/multi-user.target.wants/lanparty-relay.service",
    "/var/lib/lanparty",
    "/var/lib/private/lanparty",
];
/// What systemd keeps for itself, and notes down when it comes to that.
const OF_SYSTEMD: &str = "/var/lib/systemd";
/// A running service's own place for temporary files (PrivateTmp=), which is to go with it.
const TEMPORARY: &str = "/var/tmp/systemd-private-";

/// Why there is none here, in a sentence, or nothing.
pub(super) fn unable() -> Option<String> {
    NEEDS.missing().or_else(Booted::unable)
}

/// The packages of one state.
#[derive(Clone, Copy)]
pub(super) struct Debs<'a>(pub(super) &'a [PathBuf]);

impl Debs<'_> {
    fn of(&self, package: &str) -> Result<&Path> {
        let begin = format!("{package}_");
        let mut all = self.0.iter().map(PathBuf::as_path);
        let is_it = |deb: &&Path| {
            let name = deb.file_name().unwrap_or_default();
            name.to_string_lossy().starts_with(&begin)
        };
        all.find(is_it)
            .with_context(|| format!("no package {package}"))
    }
}

/// A host without a relay who answers questions, and then one who gives flags and has a relay.
pub(super) fn run(root: &Root, programs: &Path, first: Debs<'_>, later: Debs<'_>) -> Result<()> {
    let venue = Venue::build(Plan {
        remotes: 1,
        ..Plan::default()
    })?;
    let evening = Evening {
        host: Fresh::start(&venue.gateway, root)?,
        relay: Fresh::start(&venue.relay, root)?,
        client: programs.join("lanparty-client"),
        first,
        later,
        venue,
    };
    evening.at_home().with_context(|| evening.report())?;
    evening.at_a_relay().with_context(|| evening.report())
}

struct Evening<'a> {
    host: Fresh<'a>,
    relay: Fresh<'a>,
    client: PathBuf,
    first: Debs<'a>,
    later: Debs<'a>,
    venue: Venue,
}

impl Evening<'_> {
    fn report(&self) -> String {
        let journal = |fresh: &Fresh<'_>| {
            let words = ["journalctl", "--no-pager", "--output=cat", "--lines=40"];
            fresh.machine.run(words).unwrap_or_default()
        };
        format!(
            "the evening went wrong\n--- the host's box\n{}\n--- the relay\n{}\n",
            journal(&self.host),
            journal(&self.relay)
        )
    }

    /// From nothing to a ping, through an upgrade, to nothing.
    fn at_home(&self) -> Result<()> {
        let begin = Instant::now();
        self.host.install(self.first.of(GATEWAY)?)?;
        let installed = begin.elapsed();
        ensure!(
            self.host.made(GATEWAY)?.is_empty() && !self.host.runs("lanparty")?,
            "the package has more than files before anybody asked for a party"
        );
        let typed = format!("printf '{ANSWERS}' | script -qec 'lanparty-gateway setup' /dev/null");
        let said = self.host.machine.run(["sh", "-c", &typed])?;
        let set_up = begin.elapsed();
        let player = self.plays(&said)?;
        self.pings_once()?;
        println!(
            "From nothing to a ping: {:.1} s (apt {:.1} s, setup {:.1} s, the player {:.1} s).",
            begin.elapsed().as_secs_f32(),
            installed.as_secs_f32(),
            (set_up - installed).as_secs_f32(),
            (begin.elapsed() - set_up).as_secs_f32()
        );
        self.host.has_made(GATEWAY, &OF_A_PARTY)?;
        let settings = self.host.machine.read("/etc/lanparty/gateway.toml")?;

        self.through(GATEWAY, &self.host)?;
        ensure!(
            self.host.machine.read("/etc/lanparty/gateway.toml")? == settings,
            "an upgrade has changed the settings"
        );
        player.interrupt().map(drop)?;
        self.host.purge(GATEWAY)
    }

    /// The same with flags, and with the relay's package on a server.
    fn at_a_relay(&self) -> Result<()> {
        self.relay.install(self.first.of(RELAY)?)?;
        self.relay.is_on(RELAY)?;
        self.relay.has_made(RELAY, &OF_A_RELAY)?;
        let journal = self.relay.machine.journal("lanparty-relay.service")?;
        let pin = journal.rsplit("--pin ").next().unwrap_or_default();
        let pin = pin.split_whitespace().next().context("no pin")?;

        self.host.install(self.first.of(GATEWAY)?)?;
        let relay = Venue::RELAY.to_string();
        let flags = ["setup", "--yes", "--relay", &relay, "--pin", pin];
        let words = [GATEWAY].into_iter().chain(flags);
        let said = self.host.machine.run(words.clone())?;
        let player = self.plays(&said)?;
        self.pings_once()?;
        self.host.has_made(GATEWAY, &OF_A_PARTY)?;
        let again = self.host.machine.run(words)?;
        ensure!(again.contains("Nothing has changed"), "{again}");

        self.relay.machine.systemctl("reload lanparty-relay")?;
        let start = || self.relay.machine.property(RELAY, "InvocationID");
        let before = start()?;
        self.through(RELAY, &self.relay)?;
        ensure!(
            start()? == before,
            "the relay was started anew, and not handed over"
        );
        self.through(GATEWAY, &self.host)?;
        player.interrupt().map(drop)?;
        self.host.purge(GATEWAY)?;
        self.relay.purge(RELAY)
    }

    /// The service runs, and a player joins with what the box shows, which is what `setup` has shown.
    fn plays(&self, said: &str) -> Result<Process> {
        self.host.is_on(GATEWAY)?;
        let invite = self.host.machine.run([GATEWAY, "invite"])?;
        let link = invite
            .split_whitespace()
            .find(|word| word.starts_with("lanparty://"))
            .with_context(|| format!("no invite in {invite}"))?;
        ensure!(said.contains(link), "setup shows another invite:\n{said}");
        let file = self.venue.lab.write("invite.txt", link)?;
        let remote = self.remote();
        let command = [&*self.client.to_string_lossy(), &format!("@{file}")].map(str::to_owned);
        let player = remote.spawn("client", command)?;
        let address = eventually("the player has an address", SOON, || {
            remote.ipv4(Player::TAP)
        });
        address.with_context(|| player.tail(20))?;
        Ok(player)
    }

    fn remote(&self) -> &Machine {
        &self.venue.remotes[0]
    }

    fn pings_once(&self) -> Result<()> {
        eventually("a ping to the LAN is answered", SOON, || {
            self.remote().ping_on(Player::TAP, Venue::LAN1).ok()
        })
    }

    /// A newer package comes while somebody plays: the party comes back by itself.
    fn through(&self, package: &str, fresh: &Fresh<'_>) -> Result<()> {
        let pings = Pings::start(self.remote(), Venue::LAN1, PER_SECOND, 56)?;
        let begin = Instant::now();
        pings.wait_for_answers(begin, 5, SOON)?;
        fresh.install(self.later.of(package)?)?;
        fresh.is_on(package)?;
        pings
            .wait_for_answers(Instant::now(), 5, SOON)
            .with_context(|| format!("nobody reaches the LAN after the upgrade of {package}"))?;
        let report = pings.report(begin, Instant::now());
        println!(
            "A newer {package} came while somebody played: {:.1} s of silence.",
            report.silence.as_secs_f32()
        );
        Ok(())
    }
}

/// A machine with nothing but Debian.
struct Fresh<'a> {
    machine: Booted,
    below: &'a Root,
    /// What its start has changed.
    before: BTreeSet<String>,
}

impl<'a> Fresh<'a> {
    fn start(machine: &Machine, below: &'a Root) -> Result<Self> {
        let machine = Booted::start_on(machine, below.folder())?;
        let mut fresh = Fresh {
            before: BTreeSet::new(),
            machine,
            below,
        };
        fresh.before = fresh.changes()?;
        Ok(fresh)
    }

    /// One `apt install`, with the maintainers' scripts and the real systemctl.
    fn install(&self, deb: &Path) -> Result<()> {
        let name = deb.file_name().context("a package has a name")?;
        let there = Path::new("/tmp").join(name);
        let there = there.to_str().context("a name of letters")?;
        fs::copy(deb, self.machine.file(there)).context("bring a package")?;
        self.machine
            .run(["apt", "install", "--yes", there])
            .map(drop)
    }

    /// Enabled, active, and the program that the package brought.
    fn is_on(&self, service: &str) -> Result<()> {
        let unit = format!("{service}.service");
        self.machine.is(&unit, "active", SOON)?;
        let enabled = self.machine.systemctl(&format!("is-enabled {service}"))?;
        ensure!(enabled.trim() == "enabled", "{service} is {enabled}");
        eventually("the package's program runs", SOON, || {
            let pid = self.machine.property(&unit, "MainPID").ok()?;
            let link = format!("/proc/{pid}/exe");
            let program = fs::read_link(self.machine.file(&link)).ok()?;
            (program == Path::new(&format!("/usr/bin/{service}"))).then_some(())
        })
    }

    /// Whether a process has a name that begins like this.
    fn runs(&self, begin: &str) -> Result<bool> {
        let processes = fs::read_dir(self.machine.file("/proc")).context("list processes")?;
        let mut names = processes
            .flatten()
            .filter_map(|process| fs::read_to_string(process.path().join("comm")).ok());
        Ok(names.any(|name| name.starts_with(begin)))
    }

    fn changes(&self) -> Result<BTreeSet<String>> {
        let but: Vec<_> = PASSING
            .iter()
            .chain(&COPIES)
            .chain(&[OF_SYSTEMD])
            .copied()
            .collect();
        self.machine.changes(&but)
    }

    /// What has been made or changed since it was started, but for this package's files. A folder of Debian's is no change: something
    /// in it is.
    fn made(&self, package: &str) -> Result<BTreeSet<String>> {
        let listed = self.machine.output(["dpkg", "-L", package])?;
        let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
        let real = |path: &str| match path.strip_prefix("/lib/") {
            Some(rest) => format!("/usr/lib/{rest}"),
            None => path.to_owned(),
        };
        let own: BTreeSet<_> = listed.lines().map(real).collect();
        let is_debians = |path: &str| self.below.inside(path).is_dir();
        let changes = self.changes()?;
        let made = changes.difference(&self.before);
        let made = made.filter(|path| !own.contains(*path) && !is_debians(path));
        Ok(made.cloned().collect())
    }

    /// These, and what is in them, are all that there is besides the package's files.
    fn has_made(&self, package: &str, expected: &[&str]) -> Result<()> {
        let mut made = self.made(package)?;
        made.retain(|path| !path.starts_with(TEMPORARY));
        println!("Besides the files of {package} there are now:");
        made.iter().for_each(|path| println!("    {path}"));
        let is_expected = |path: &str| {
            expected.iter().any(|&one| {
                let below = path.strip_prefix(one);
                path == one
                    || one.starts_with("/var/lib/") && below.is_some_and(|b| b.starts_with('/'))
            })
        };
        let strange: Vec<_> = made.iter().filter(|path| !is_expected(path)).collect();
        ensure!(strange.is_empty(), "{package} has also made {strange:?}");
        let listed = self.machine.output(["dpkg", "-L", package])?;
        let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
        let is_there = |one: &str| made.contains(one) || listed.lines().any(|own| own == one);
        let lacking: Vec<_> = expected.iter().filter(|one| !is_there(one)).collect();
        ensure!(lacking.is_empty(), "{package} has not made {lacking:?}");
        Ok(())
    }

    /// Then it is as if it had never been there.
    fn purge(&self, package: &str) -> Result<()> {
        self.machine.run(["apt", "purge", "--yes", package])?;
        let left = self.made(package)?;
        ensure!(left.is_empty(), "{package} left {left:?} behind");
        ensure!(!self.runs("lanparty")?, "a program of {package} still runs");
        let units = ["list-units", "--all", "--plain", "--no-legend", "lanparty*"];
        let units = self.machine.run(["systemctl"].into_iter().chain(units))?;
        ensure!(units.trim().is_empty(), "systemd still has {units}");
        println!("A purge of {package} leaves no file, no process and no unit.");
        Ok(())
    }
}
