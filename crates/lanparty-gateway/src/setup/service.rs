//! The gateway as a service of systemd.

use anyhow::{Context, ensure};
use std::path::Path;
use std::process::Command;

/// The unit that reads the file where setup puts it.
const UNIT: &str = "lanparty-gateway.service";
/// Where units are, the administrator's first (systemd.unit(5)).
const UNITS: [&str; 4] = [
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];

/// What can be done about the service here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Service {
    /// systemd runs, and has the unit.
    Ready,
    /// systemd runs, and has not.
    NoUnit,
    /// Something else starts services here.
    NoSystemd,
}

impl Service {
    /// Looks (sd_booted(3)).
    pub(super) fn find() -> Self {
        let has_unit = UNITS
            .iter()
            .any(|folder| Path::new(folder).join(UNIT).exists());
        match (Path::new("/run/systemd/system").is_dir(), has_unit) {
            (true, true) => Service::Ready,
            (true, false) => Service::NoUnit,
            (false, _) => Service::NoSystemd,
        }
    }
}

/// Whether it runs.
pub(super) fn is_active() -> bool {
    let asked = Command::new("systemctl")
        .args(["is-active", "--quiet", UNIT])
        .status();
    asked.is_ok_and(|status| status.success())
}

/// Starts it now, with the file as it is now, and at each start of the machine.
pub(super) fn start() -> anyhow::Result<()> {
    systemctl(&["enable", UNIT])?;
    systemctl(&["restart", UNIT])
}

fn systemctl(words: &[&str]) -> anyhow::Result<()> {
    let output = Command::new("systemctl").args(words).output();
    let output = output.context("cannot run systemctl")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "all is written, but `systemctl {}` failed ({}); `journalctl -u lanparty-gateway` says more",
        words.join(" "),
        said.lines().next().unwrap_or("it says nothing").trim()
    );
    Ok(())
}
