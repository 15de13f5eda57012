//! The relay's service.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use lanparty_lab::{Booted, eventually};

use crate::boxes::{Boxes, GATEWAY, RELAY, ROOM, SOON, of_repository};

const SETTINGS: &str = "/etc/lanparty/relay.toml";

pub(crate) fn starts_ready_and_says_how_it_stands(boxes: &Boxes) -> Result<()> {
    boxes.relay(|machine| {
        let [kind, state] = ["Type", "ActiveState"].map(|name| machine.property(RELAY, name));
        ensure!(kind? == "notify" && state? == "active");
        machine.says(RELAY, "Listening on [::]:443: 0 rooms, 0 players", SOON)?;
        let enabled = machine.systemctl("is-enabled lanparty-relay")?;
        ensure!(enabled.trim() == "enabled", "{enabled}");
        let mode = machine.run([
            "stat",
            "--format=%a",
            "/var/lib/private/lanparty/relay-key.pem",
        ])?;
        ensure!(mode.trim() == "600", "{mode}");
        Ok(())
    })
}

pub(crate) fn listens_below_1024_with_no_other_right(boxes: &Boxes) -> Result<()> {
    boxes.relay(|machine| {
        let status = status_of(machine, RELAY)?;
        for set in ["CapEff", "CapPrm", "CapInh", "CapAmb"] {
            let none = format!("{set}:\t0000000000000000");
            ensure!(
                status.contains(&none),
                "no rights are left once it listens:\n{status}"
            );
        }
        ensure!(!status.contains("Uid:\t0"), "{status}");
        Ok(())
    })
}

pub(crate) fn a_log_has_no_time_of_its_own_and_no_secret(boxes: &Boxes) -> Result<()> {
    boxes.relay(|machine| {
        let journal = machine.journal(RELAY)?;
        let dated = |line: &&str| line.starts_with("20") && line.contains('T');
        ensure!(journal.lines().find(dated).is_none(), "{journal}");
        ensure!(
            journal.contains("INFO") && journal.contains("Limits in force"),
            "{journal}"
        );
        let has_landlock = machine.run(["perl", "-e", "exit(syscall(444, 0, 0, 1) < 1)"]);
        ensure!(
            has_landlock.is_err() || !journal.contains("Not confined"),
            "{journal}"
        );
        Ok(())
    })
}

/// A frame needs the processor at once; what serves people beside it does not.
pub(crate) fn only_what_carries_frames_comes_before_others(boxes: &Boxes) -> Result<()> {
    boxes.relay(|machine| {
        let before = machine.read(SETTINGS)?;
        machine.write(SETTINGS, format!("metrics = \"127.0.0.1:9464\"\n{before}"))?;
        machine.systemctl("restart lanparty-relay")?;
        let pid = machine.property(RELAY, "MainPID")?;
        let threads = machine.run(["ps", "-L", "-o", "ni=,comm=", "-p", &pid])?;
        let nice = |nice: &str| threads.lines().any(|line| line.trim().starts_with(nice));
        ensure!(nice("-10 ") && nice("5 "), "{threads}");
        machine.write(SETTINGS, before)?;
        machine.systemctl("restart lanparty-relay").map(drop)
    })
}

/// The whole of an update: what was the relay's before is the new one's, and systemd goes on with that.
pub(crate) fn an_update_by_reload_keeps_party_token_and_watchdog(boxes: &Boxes) -> Result<()> {
    const DROP_IN: &str = "/etc/systemd/system/lanparty-relay.service.d/update.conf";
    const FULL: &str = "/usr/local/bin/lanparty-relay";
    let watched = Duration::from_secs(4);
    boxes.relay(|machine| {
        machine.write("/etc/lanparty/access-token", "correct-horse-battery\n")?;
        machine.run(["chmod", "600", "/etc/lanparty/access-token"])?;
        let credential = "LoadCredential=access-token:/etc/lanparty/access-token";
        machine.write(DROP_IN, format!("[Service]\n{credential}\nWatchdogSec=4\n"))?;
        machine.systemctl("daemon-reload")?;
        machine.systemctl("restart lanparty-relay").map(drop)
    })?;
    let party = boxes.settings();
    let with_token = format!("{party}access-token-file = \"/etc/lanparty/token\"\n");
    // The party's own room is there already, and its host comes back to that without one.
    let without = party.replace(ROOM, "ANOTHER-LAN");
    boxes.gateway(|machine| {
        machine.write("/etc/lanparty/token", "correct-horse-battery\n")?;
        machine
            .run(["chmod", "644", "/etc/lanparty/token"])
            .map(drop)
    })?;
    boxes.gateway_with(&with_token, "At the relay")?;
    boxes.reaches_the_lan()?;
    for round in 0..2 {
        let before = boxes.relay(|machine| {
            let before = machine.property(RELAY, "MainPID")?;
            machine.run(["cp", FULL, "/usr/local/bin/new"])?;
            machine.run(["mv", "/usr/local/bin/new", FULL])?;
            machine.systemctl("reload lanparty-relay")?;
            Ok(before)
        })?;
        let from = Instant::now();
        boxes.reaches_the_lan()?;
        boxes.relay(|machine| {
            let after = eventually("systemd knows the new relay", SOON, || {
                let pid = machine.property(RELAY, "MainPID").ok()?;
                (pid != before && pid != "0").then_some(pid)
            });
            let after = after.with_context(|| machine.status(RELAY).unwrap_or_default())?;
            // Twice the time after which systemd kills what it does not hear of.
            eventually("the watchdog has had its time", SOON, || {
                (from.elapsed() > 2 * watched).then_some(())
            })?;
            let [pid, state, restarts] = ["MainPID", "ActiveState", "NRestarts"]
                .map(|name| machine.property(RELAY, name).unwrap_or_default());
            ensure!(
                pid == after && state == "active" && restarts == "0",
                "round {round}: {pid} {state} {restarts}\n{}",
                machine.status(RELAY)?
            );
            let journal = machine.journal(RELAY)?;
            ensure!(!journal.contains("correct-horse"), "{journal}");
            ensure!(
                journal.contains("access token of the relay that ran stays"),
                "{journal}"
            );
            // The same program reads its settings again, and finds the token as little as before.
            machine.systemctl("reload lanparty-relay").map(drop)
        })?;
        boxes.gateway(|machine| {
            machine.write("/etc/lanparty/gateway.toml", &without)?;
            machine.systemctl_fails("restart lanparty-gateway")?;
            let journal = machine.journal(GATEWAY)?;
            let refused = "it opens rooms only for hosts who have its access token";
            ensure!(journal.contains(refused), "{journal}");
            machine.systemctl("reset-failed lanparty-gateway").map(drop)
        })?;
        boxes.gateway_with(&with_token, "At the relay")?;
        boxes.reaches_the_lan()?;
    }
    boxes.relay(|machine| {
        // systemd has not started this one, and misses it all the same.
        crashes(machine, RELAY, "KILL")?;
        machine.run(["rm", DROP_IN])?;
        machine.systemctl("daemon-reload")?;
        machine.systemctl("restart lanparty-relay").map(drop)
    })?;
    boxes.open()
}

pub(crate) fn a_reload_takes_new_limits_and_fails_with_a_wrong_file(boxes: &Boxes) -> Result<()> {
    boxes.relay(|machine| {
        let before = machine.read(SETTINGS)?;
        let pid = machine.property(RELAY, "MainPID")?;
        machine.write(SETTINGS, before.replace("max-rooms = 256", "max-rooms = 7"))?;
        machine.systemctl("reload lanparty-relay")?;
        eventually("the new limits are in force", SOON, || {
            let journal = machine.journal(RELAY).ok()?;
            let line = journal
                .lines()
                .find(|line| line.contains("New limits in force"))?;
            line.contains("limits=7 rooms").then_some(())
        })
        .with_context(|| machine.journal(RELAY).unwrap_or_default())?;
        machine.write(SETTINGS, before.replace("max-rooms = 256", "max-romms = 7"))?;
        let said = machine.systemctl_fails("reload lanparty-relay")?;
        ensure!(said.contains("failed"), "{said}");
        let status = machine.status(RELAY)?;
        ensure!(status.contains("unknown key max-romms in line"), "{status}");
        machine.is(RELAY, "active", SOON)?;
        ensure!(
            machine.property(RELAY, "MainPID")? == pid,
            "it is the same process"
        );
        machine.write(SETTINGS, before)?;
        machine.systemctl("reload lanparty-relay").map(drop)
    })
}

pub(crate) fn a_relays_wrong_settings_are_told_and_not_tried_again(boxes: &Boxes) -> Result<()> {
    boxes.relay(|machine| {
        let before = machine.read(SETTINGS)?;
        for (wrong, says) in [
            ("max-rooms = \"many\"\n", "max-rooms"),
            ("this is no toml\n", "is not TOML in line"),
            (
                "cert = \"/etc/no-such.pem\"\nkey = \"/etc/no-such.key\"\n",
                "/etc/no-such.pem cannot be read",
            ),
            (
                "access-token-file = \"/etc/no-such\"\n",
                "/etc/no-such cannot be read",
            ),
        ] {
            machine.write(SETTINGS, wrong)?;
            let said = machine.systemctl_fails("restart lanparty-relay")?;
            ensure!(said.contains("failed"), "{said}");
            machine.is(RELAY, "failed", SOON)?;
            let status = machine.status(RELAY)?;
            let told = status
                .lines()
                .any(|line| line.trim_start().starts_with("Status:") && line.contains(says));
            ensure!(
                told && status.contains("status=2"),
                "no `{says}` in\n{status}"
            );
            ensure!(machine.property(RELAY, "NRestarts")? == "0", "{status}");
        }
        machine.write(SETTINGS, before)?;
        machine.systemctl("start lanparty-relay").map(drop)
    })
}

pub(crate) fn an_access_token_is_handed_over_by_systemd(boxes: &Boxes) -> Result<()> {
    const DROP_IN: &str = "/etc/systemd/system/lanparty-relay.service.d/token.conf";
    boxes.relay(|machine| {
        machine.write("/etc/lanparty/access-token", "correct-horse-battery\n")?;
        machine.run(["chmod", "600", "/etc/lanparty/access-token"])?;
        machine.write(
            DROP_IN,
            "[Service]\nLoadCredential=access-token:/etc/lanparty/access-token\n",
        )?;
        machine.systemctl("daemon-reload")?;
        machine.systemctl("restart lanparty-relay")?;
        // Where the kernel confines it to its files, these are among them.
        machine.systemctl("reload lanparty-relay")?;
        eventually("the token is asked for", SOON, || {
            let journal = machine.journal(RELAY).ok()?;
            journal.contains("access_token=true").then_some(())
        })
        .with_context(|| machine.journal(RELAY).unwrap_or_default())?;
        let journal = machine.journal(RELAY)?;
        ensure!(!journal.contains("correct-horse"), "{journal}");
        machine.run(["rm", DROP_IN])?;
        machine.systemctl("daemon-reload")?;
        machine.systemctl("restart lanparty-relay").map(drop)
    })
}

/// As certbot calls it, with the folder of the renewed lineage.
pub(crate) fn a_renewed_certificate_comes_by_the_deploy_hook(boxes: &Boxes) -> Result<()> {
    const HOOK: &str = "/etc/letsencrypt/renewal-hooks/deploy/lanparty-relay";
    const LIVE: &str = "/etc/letsencrypt/live/relay.example.net";
    let issue = "mkdir -p $0 && chmod 700 /etc/letsencrypt/live && openssl req -x509 -newkey ec -pkeyopt \
         ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN=relay.example.net -addext \
         subjectAltName=DNS:relay.example.net -keyout $0/privkey.pem -out $0/fullchain.pem 2>/dev/null && \
         chmod 600 $0/privkey.pem && RENEWED_LINEAGE=$0 RENEWED_DOMAINS=relay.example.net $1";
    boxes.relay(|machine| {
        let before = machine.read(SETTINGS)?;
        machine.write(
            HOOK,
            fs::read(of_repository("dist/linux/certbot-deploy-hook"))?,
        )?;
        machine.run(["chmod", "755", HOOK])?;
        let issue = || machine.run(["sh", "-c", issue, LIVE, HOOK]);
        // Whoever has the relay's folder cannot have root write elsewhere.
        machine.write("/etc/victim", "mine")?;
        let link = "/var/lib/private/lanparty/fullchain.pem";
        machine.run(["ln", "-s", "/etc/victim", link])?;
        issue()?;
        ensure!(machine.read("/etc/victim")? == "mine");
        let owners = "stat -c '%U %a %F' /var/lib/lanparty/*chain.pem; stat -c '%U %a %F' /var/lib/lanparty/privkey.pem";
        let owners = machine.run(["sh", "-c", owners])?;
        ensure!(!owners.contains("root") && owners.matches("600 regular file").count() == 2, "{owners}");
        let files =
            "cert = \"/var/lib/lanparty/fullchain.pem\"\nkey = \"/var/lib/lanparty/privkey.pem\"\n";
        machine.write(SETTINGS, format!("{files}{before}"))?;
        machine.systemctl("restart lanparty-relay")?;
        let pid = machine.property(RELAY, "MainPID")?;
        issue()?;
        eventually("the renewed certificate is taken", SOON, || {
            let journal = machine.journal(RELAY).ok()?;
            journal.contains("Took the new certificate").then_some(())
        })
        .with_context(|| machine.journal(RELAY).unwrap_or_default())?;
        ensure!(
            machine.property(RELAY, "MainPID")? == pid,
            "nobody was sent away"
        );
        machine.write(SETTINGS, before)?;
        machine.systemctl("restart lanparty-relay").map(drop)
    })
}

pub(crate) fn a_crashed_relay_costs_a_moment(boxes: &Boxes) -> Result<()> {
    boxes.open()?;
    boxes.reaches_the_lan()?;
    boxes.relay(|machine| crashes(machine, RELAY, "KILL"))?;
    boxes.reaches_the_lan()
}

pub(crate) fn a_relay_that_hangs_is_killed_and_comes_back(boxes: &Boxes) -> Result<()> {
    boxes.open()?;
    boxes.reaches_the_lan()?;
    boxes.relay(|machine| hangs(machine, RELAY))?;
    boxes.reaches_the_lan()
}

/// Another process is there, and ready, after this signal.
pub(crate) fn crashes(machine: &Booted, unit: &str, signal: &str) -> Result<()> {
    let before = machine.property(unit, "MainPID")?;
    machine.run(["kill", &format!("-{signal}"), &before])?;
    is_another(machine, unit, &before)
}

/// A process that stands still is missed by the watchdog; the machine's owner has set it short for this.
pub(crate) fn hangs(machine: &Booted, unit: &str) -> Result<()> {
    let place = format!("/run/systemd/system/{unit}.d/watchdog.conf");
    machine.write(&place, "[Service]\nWatchdogSec=2\n")?;
    machine.systemctl("daemon-reload")?;
    machine.systemctl(&format!("restart {unit}"))?;
    let before = machine.property(unit, "MainPID")?;
    machine.run(["kill", "-STOP", &before])?;
    is_another(machine, unit, &before)?;
    let result = machine.journal_of_systemd(unit)?;
    ensure!(result.contains("Watchdog timeout"), "{result}");
    machine.run(["rm", &place])?;
    machine.systemctl("daemon-reload").map(drop)
}

fn is_another(machine: &Booted, unit: &str, before: &str) -> Result<()> {
    let again = eventually("it is started again", SOON, || {
        let pid = machine.property(unit, "MainPID").ok()?;
        (pid != before && pid != "0").then_some(())
    });
    again.with_context(|| machine.status(unit).unwrap_or_default())?;
    machine.is(unit, "active", SOON)
}

/// What the kernel knows of the unit's process.
pub(crate) fn status_of(machine: &Booted, unit: &str) -> Result<String> {
    let pid = machine.property(unit, "MainPID")?;
    machine.read(&format!("/proc/{pid}/status"))
}
