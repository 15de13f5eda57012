//! Three machines with etcd and a relay as docs/fleet.md has an operator make them: the scripts, settings and units of `dist/fleet`,
//! Debian's package, systemd; and what it says to do when disks are lost.

#![allow(
    clippy::disallowed_methods,
    reason = "shell: these tests measure by the clock"
)]

use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lanparty_lab::{
    Booted, Needs, Plan, Suite, Venue, World, checks, eventually, program, run, skip,
};

const SOON: Duration = Duration::from_secs(30);
const RELAY: &str = "lanparty-relay.service";
const ETCD: &str = "etcd.service";
const DATA: &str = "/var/lib/etcd/fleet";
const FLEET: (&str, &str) = ("lanparty", "/etc/lanparty/directory-password");
const ROOT: (&str, &str) = ("root", "/root/etcd-root-password");
const SETTINGS: &str = "/etc/default/etcd";

fn main() -> ExitCode {
    let needs = Needs::programs(&[
        Booted::PROGRAMS[0],
        Booted::PROGRAMS[1],
        Booted::PROGRAMS[2],
        "etcd",
        "etcdctl",
        "openssl",
    ]);
    if needs.missing().is_none()
        && let Some(reason) = Booted::unable()
    {
        skip(&reason);
        return ExitCode::SUCCESS;
    }
    let checks = checks![
        three_machines_agree,
        the_fleets_user_may_what_it_must_and_nothing_else,
        a_stranger_may_read_and_write_nothing,
        relays_find_each_other_by_what_systemd_hands_them,
        alerts_and_manual_ask_for_what_a_relay_of_a_fleet_says,
        two_of_three_are_enough,
        one_that_has_lost_its_disk_comes_back_as_another,
        all_that_have_lost_their_disks_begin_anew,
    ];
    run(
        &needs,
        [Suite::new("fleet_machines", Machines::begin, checks)],
    )
}

struct Machines {
    booted: Mutex<Vec<Booted>>,
    _venue: Venue,
}

impl World for Machines {
    fn report(&self) -> String {
        let booted = self.booted();
        let units = booted
            .iter()
            .flat_map(|machine| [(machine, RELAY), (machine, ETCD)]);
        let journals = units.map(|(machine, unit)| {
            let journal = machine.journal(unit).unwrap_or_default();
            let lines: Vec<_> = journal.lines().rev().take(12).collect();
            lines.into_iter().rev().collect::<Vec<_>>().join("\n")
        });
        journals.collect::<Vec<_>>().join("\n---\n")
    }
}

impl Machines {
    /// All that the page says, from the certificates to the fleet's user.
    fn begin() -> Result<Self> {
        let venue = Venue::build(Plan {
            remotes: 3,
            ..Plan::default()
        })?;
        let booted = venue.remotes.iter().map(Booted::start);
        let booted = booted.collect::<Result<Vec<_>>>()?;
        certify(&booted)?;
        for (index, machine) in booted.iter().enumerate() {
            furnish(machine, index)?;
        }
        // The first two wait for each other.
        for machine in &booted {
            machine.systemctl("start --no-block etcd")?;
        }
        for machine in &booted {
            machine.is(ETCD, "active", SOON)?;
        }
        let machines = Machines {
            booted: Mutex::new(booted),
            _venue: venue,
        };
        machines.make_the_user()?;
        Ok(machines)
    }

    fn booted(&self) -> MutexGuard<'_, Vec<Booted>> {
        self.booted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn make_the_user(&self) -> Result<()> {
        let script = "umask 077; for file in /etc/lanparty/directory-password /root/etcd-root-password; do \
            [ -e $file ] || openssl rand -base64 32 > $file; done
            export ETCDCTL_CACERT=/etc/etcd/ca.pem
            sh /root/etcd-user https://10.9.11.1:2379 /etc/lanparty/directory-password /root/etcd-root-password";
        let booted = self.booted();
        let said = booted[0].run(["sh", "-c", script])?;
        ensure!(
            said.contains("nobody may anything without a password"),
            "{said}"
        );
        Ok(())
    }

    /// `etcdctl` on a machine, as somebody with the password in this file, at all machines or one.
    fn ctl(&self, at: usize, user: Option<(&str, &str)>, words: &str) -> Result<String> {
        let user = user.map(|(name, file)| format!("--user \"{name}:$(cat {file})\""));
        let script = format!(
            "ETCDCTL_API=3 etcdctl --cacert /etc/etcd/ca.pem --dial-timeout 2s --command-timeout 3s \
             --endpoints {} {} {words}",
            endpoints(&[0, 1, 2]),
            user.unwrap_or_default(),
        );
        self.booted()[at].run(["sh", "-c", &script])
    }

    fn as_fleet(&self, words: &str) -> Result<String> {
        self.ctl(0, Some(FLEET), words)
    }

    /// Once etcd is closed it tells this to nobody without a name.
    fn is_healthy(&self, root: Option<(&str, &str)>) -> Result<()> {
        eventually("three etcd are healthy", SOON, || {
            let said = self.ctl(0, root, "endpoint health 2>&1").ok()?;
            (said.matches("is healthy").count() == 3).then_some(())
        })
    }

    fn lose_the_disk(&self, index: usize) -> Result<()> {
        let booted = self.booted();
        booted[index].systemctl("stop etcd")?;
        booted[index].run(["rm", "-rf", DATA]).map(drop)
    }
}

fn endpoints(members: &[usize]) -> String {
    let each = members
        .iter()
        .map(|index| format!("https://{}:2379", address(*index)));
    each.collect::<Vec<_>>().join(",")
}

fn address(index: usize) -> String {
    format!("10.9.{}.1", 11 + index)
}

/// The authority's machine makes all certificates, and each gets its own.
fn certify(booted: &[Booted]) -> Result<()> {
    booted[0].write("/root/etcd-certificates", of_dist("etcd-certificates")?)?;
    let names = (0..3).map(|index| format!("relay{}={}", index + 1, address(index)));
    let names = names.collect::<Vec<_>>().join(" ");
    let script = format!("cd /root && sh etcd-certificates {names}");
    booted[0].run(["sh", "-c", &script])?;
    for (index, machine) in booted.iter().enumerate() {
        let name = format!("relay{}", index + 1);
        for file in [
            "ca.pem".to_owned(),
            format!("{name}.pem"),
            format!("{name}.key"),
        ] {
            let text = booted[0].read(&format!("/root/etcd-tls/{file}"))?;
            machine.write(&format!("/root/{file}"), text)?;
        }
        let script = format!(
            "set -e; cd /root; install -d -m 750 -g etcd /etc/etcd
             install -m 644 ca.pem {name}.pem /etc/etcd/; install -m 640 -g etcd {name}.key /etc/etcd/"
        );
        machine.run(["sh", "-c", &script])?;
    }
    Ok(())
}

/// Settings and unit.
fn furnish(machine: &Booted, index: usize) -> Result<()> {
    let settings = String::from_utf8(of_dist("etcd.env")?)?;
    // As an operator edits it: its own name and address, and everybody's in the list.
    let (own, list): (Vec<_>, Vec<_>) = settings
        .lines()
        .partition(|line| !line.starts_with("ETCD_INITIAL_CLUSTER="));
    let own = own.join("\n");
    let own = own.replace("relay1", &format!("relay{}", index + 1));
    let own = own.replace("198.51.100.1", &address(index));
    let mut list = list.join("\n");
    for (number, place) in (1..).zip((0..3).map(address)) {
        list = list.replace(&format!("198.51.100.{number}"), &place);
    }
    machine.write(SETTINGS, format!("{own}\n{list}\n"))?;
    let drop_in = "/etc/systemd/system/etcd.service.d/fleet.conf";
    machine.write(drop_in, of_dist("etcd.conf")?)?;
    machine.write("/root/etcd-user", of_dist("etcd-user")?)?;
    machine.run(["mkdir", "-p", "/etc/lanparty"])?;
    machine.systemctl("daemon-reload").map(drop)
}

fn of_dist(file: &str) -> Result<Vec<u8>> {
    of_repository(&format!("dist/fleet/{file}"))
}

fn of_repository(file: &str) -> Result<Vec<u8>> {
    let above = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    fs::read(above.join(file)).with_context(|| format!("read {file}"))
}

fn three_machines_agree(machines: &Machines) -> Result<()> {
    machines.is_healthy(Some(ROOT))?;
    for machine in machines.booted().iter() {
        let user = machine.property(ETCD, "User")?;
        ensure!(user == "etcd", "{user}");
        let mode = machine.run(["stat", "--format=%U %a", "/var/lib/etcd"])?;
        ensure!(mode.trim() == "etcd 700", "{mode}");
        let pid = machine.property(ETCD, "MainPID")?;
        let limits = machine.read(&format!("/proc/{pid}/status"))?;
        ensure!(limits.contains("CapBnd:\t0000000000000000"), "{limits}");
    }
    Ok(())
}

fn the_fleets_user_may_what_it_must_and_nothing_else(machines: &Machines) -> Result<()> {
    machines.as_fleet("put /lanparty/relays/00 '{}'")?;
    let read = machines.as_fleet("get --prefix /lanparty/")?;
    ensure!(read.contains("/lanparty/relays/00"), "{read}");
    machines.as_fleet("lease grant 5")?;
    for forbidden in [
        "put /other x",
        "get --prefix ''",
        "user list",
        "role list",
        "auth disable",
    ] {
        let said = machines.as_fleet(forbidden);
        ensure!(said.is_err(), "{forbidden}: {said:?}");
        let error = format!("{said:?}");
        ensure!(error.contains("permission denied"), "{forbidden}: {error}");
    }
    machines.as_fleet("del --prefix /lanparty/").map(drop)
}

fn a_stranger_may_read_and_write_nothing(machines: &Machines) -> Result<()> {
    // A lease may be had from etcd 3.4 by anybody, and is why its port belongs behind a firewall.
    for ask in ["get --prefix ''", "put /lanparty/rooms/00 x", "user list"] {
        let said = machines.ctl(1, None, ask);
        ensure!(said.is_err(), "{ask}: {said:?}");
        let said = machines.ctl(1, Some(("lanparty", "/etc/hostname")), ask);
        ensure!(said.is_err(), "{ask} with a guess: {said:?}");
    }
    // Not a certificate of theirs: nobody is a member.
    let script =
        "openssl s_client -connect 10.9.11.1:2380 -CAfile /etc/etcd/ca.pem </dev/null 2>&1; true";
    let said = machines.booted()[1].run(["sh", "-c", script])?;
    ensure!(
        said.contains("Acceptable client certificate CA names"),
        "{said}"
    );
    Ok(())
}

/// `ctl fleet` of each shows all three, ready or, on a machine that is busy with other things, late.
fn relays_know_each_other(machines: &Machines) -> Result<()> {
    for at in 0..3 {
        eventually("the relays know each other", SOON, || {
            let booted = machines.booted();
            let said = booted[at].run(["lanparty-relay", "ctl", "fleet"]).ok()?;
            (said.matches(".1:443").count() == 3).then_some(())
        })
        .with_context(|| {
            let said = machines.booted()[at].run(["lanparty-relay", "ctl", "fleet"]);
            format!("on relay{}: {said:?}", at + 1)
        })?;
    }
    Ok(())
}

fn relays_find_each_other_by_what_systemd_hands_them(machines: &Machines) -> Result<()> {
    let secret = machines.booted()[0].run(["openssl", "rand", "-base64", "32"])?;
    let password = machines.booted()[0].read(FLEET.1)?;
    for (index, machine) in machines.booted().iter().enumerate() {
        machine.write("/etc/lanparty/fleet-secret", &secret)?;
        machine.write(FLEET.1, &password)?;
        machine.run(["chmod", "600", "/etc/lanparty/fleet-secret", FLEET.1])?;
        machine.run([
            "install",
            "-D",
            "-m",
            "644",
            "/root/ca.pem",
            "/etc/lanparty/etcd-ca.pem",
        ])?;
        let address = address(index);
        let hosts = (0..3).map(self::address).collect::<Vec<_>>().join(",");
        let own = format!(
            "directory = \"etcd://lanparty@{hosts}?ca=/etc/lanparty/etcd-ca.pem\"\n\
             advertise = \"{address}:443\"\nmetrics = \"127.0.0.1:9464\"\nregion = \"Place {index}\"\n"
        );
        let usual = String::from_utf8(of_repository("dist/relay.toml")?)?;
        machine.write("/etc/lanparty/relay.toml", own + &usual)?;
        let unit = of_repository("dist/lanparty-relay.service")?;
        machine.write("/etc/systemd/system/lanparty-relay.service", unit)?;
        let drop_in = "/etc/systemd/system/lanparty-relay.service.d/fleet.conf";
        machine.write(drop_in, of_dist("lanparty-relay.conf")?)?;
        let binary = program("lanparty-relay")?.concat();
        fs::copy(&binary, machine.file("/usr/local/bin/lanparty-relay"))?;
        machine.systemctl("daemon-reload")?;
        machine.systemctl("start lanparty-relay")?;
    }
    relays_know_each_other(machines)?;
    for machine in machines.booted().iter() {
        let journal = machine.journal(RELAY)?;
        ensure!(
            !journal.contains(secret.trim()) && !journal.contains(password.trim()),
            "{journal}"
        );
    }
    let written = machines.as_fleet("get --prefix /lanparty/relays/")?;
    ensure!(
        written.contains("10.9.12.1:443") && written.contains("Place 1"),
        "{written}"
    );
    // One that is stopped leaves at once, not when its lease ends.
    machines.booted()[2].systemctl("stop lanparty-relay")?;
    let written = machines.as_fleet("get --prefix /lanparty/relays/")?;
    ensure!(!written.contains("10.9.13.1"), "{written}");
    machines.booted()[2].systemctl("start lanparty-relay")?;
    relays_know_each_other(machines)
}

/// What a rule asks for and nobody says stays quiet for ever, and nobody notices.
fn alerts_and_manual_ask_for_what_a_relay_of_a_fleet_says(machines: &Machines) -> Result<()> {
    let script =
        "exec 3<>/dev/tcp/127.0.0.1/9464; printf 'GET /metrics HTTP/1.0\\r\\n\\r\\n' >&3; cat <&3";
    let said = machines.booted()[0].run(["bash", "-c", script])?;
    let is_said = |name: &str| {
        let mut rest = said.lines().filter_map(|line| line.strip_prefix(name));
        rest.any(|rest| rest.starts_with(['{', ' ']))
    };
    let rules = String::from_utf8(of_repository("dist/monitoring/lanparty-fleet-alerts.yml")?)?;
    let manual = String::from_utf8(of_repository("docs/fleet.md")?)?;
    let words = |text: &str| -> Vec<String> {
        let words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
        words.map(str::to_owned).collect()
    };
    let asked = words(&rules).into_iter();
    let asked = asked.filter(|word| word.starts_with("lanparty_relay_"));
    let told = words(&manual).into_iter();
    let told = told.filter(|word| word.starts_with("fleet_") && *word != "fleet_machines");
    let names: Vec<_> = asked
        .chain(told.map(|name| format!("lanparty_relay_{name}")))
        .collect();
    ensure!(names.len() > 20, "{names:?}");
    for name in names {
        ensure!(is_said(&name), "{name} is asked for\n{said}");
    }
    Ok(())
}

fn two_of_three_are_enough(machines: &Machines) -> Result<()> {
    machines.booted()[2].systemctl("kill --signal=KILL etcd")?;
    machines.as_fleet("put /lanparty/while-one-is-away x")?;
    machines.is_healthy(Some(ROOT))
}

fn one_that_has_lost_its_disk_comes_back_as_another(machines: &Machines) -> Result<()> {
    machines.lose_the_disk(1)?;
    let as_root = |words: &str| machines.ctl(0, Some(ROOT), words);
    machines.booted()[1].systemctl("start --no-block etcd")?;
    eventually("it says what is the matter", SOON, || {
        let journal = machines.booted()[1].journal(ETCD).ok()?;
        journal
            .contains("has already been bootstrapped")
            .then_some(())
    })?;
    machines.lose_the_disk(1)?;
    let members = as_root("member list")?;
    let old = members.lines().find(|line| line.contains("relay2"));
    let old = old
        .and_then(|line| line.split(',').next())
        .context("relay2 is a member")?;
    as_root(&format!("member remove {old}"))?;
    // It wants the two others to have been together for some seconds.
    let add = format!("member add relay2 --peer-urls=https://{}:2380", address(1));
    eventually("relay2 is a member again", SOON, || as_root(&add).ok())?;
    let settings = machines.booted()[1].read(SETTINGS)?;
    let again = settings.replace("CLUSTER_STATE=new", "CLUSTER_STATE=existing");
    machines.booted()[1].write(SETTINGS, again)?;
    machines.booted()[1].systemctl("start --no-block etcd")?;
    machines.is_healthy(Some(ROOT))?;
    machines.booted()[1].write(SETTINGS, settings)?;
    let read = machines.as_fleet("get --prefix /lanparty/")?;
    ensure!(read.contains("while-one-is-away"), "{read}");
    Ok(())
}

fn all_that_have_lost_their_disks_begin_anew(machines: &Machines) -> Result<()> {
    for index in 0..3 {
        machines.lose_the_disk(index)?;
    }
    for machine in machines.booted().iter() {
        machine.systemctl("start --no-block etcd")?;
    }
    machines.is_healthy(None)?;
    let read = machines.ctl(0, None, "get --prefix /lanparty/rooms/")?;
    ensure!(read.trim().is_empty(), "{read}");
    machines.make_the_user()?;
    // Again: it does no harm.
    machines.make_the_user()?;
    eventually("the relays have put themselves back", SOON, || {
        let read = machines.as_fleet("get --prefix /lanparty/relays/").ok()?;
        let is_there = |index| read.contains(&format!("{}:443", address(index)));
        (0..3).all(is_there).then_some(())
    })?;
    relays_know_each_other(machines)
}
