//! `cargo xtask windows`: what runs on Windows, built and tested on Linux.

mod equipment;
mod toolchain;

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, ensure};

use crate::build::{cargo, target_folder};
use crate::stages::Stages;
use equipment::Equipment;
use toolchain::Toolchain;

/// What runs on Windows, and so is linted and tested there too.
const PACKAGES: &[&str] = &[
    "lanparty-proto",
    "lanparty-obs",
    "lanparty-ctrl",
    "lanparty-net",
    "lanparty-client-core",
];

/// Tells the lab where Wine's prefix and the Windows programs are.
const LAB_FOLDER: &str = "LANPARTY_WINDOWS_DIR";

/// Everything that can be checked here about Windows, the quick things first.
pub(crate) fn run(scenario: Option<&str>) -> Result<ExitCode> {
    let toolchain = Toolchain::prepare()?;
    let folder = folder()?;
    let equipment = Equipment::prepare(&folder)?;
    let mut stages = Stages::default();
    let packages = || PACKAGES.iter().flat_map(|package| ["-p", package]);
    stages.run(
        "lints for Windows",
        toolchain
            .clippy(&folder)
            .args(packages())
            .args(["--all-targets", "--", "-D", "warnings"]),
    )?;
    stages.run(
        "unit tests under Wine",
        equipment.runs(toolchain.cargo(&folder).arg("test").args(packages())),
    )?;
    let mut lab = cargo();
    lab.args(["test", "-p", "lanparty-lab", "--test", "windows", "--"])
        .args(scenario)
        .env(LAB_FOLDER, &folder);
    stages.run("stand-ins for Windows", &mut lab)?;
    Ok(stages.finish())
}

fn folder() -> Result<PathBuf> {
    Ok(target_folder()?.join("windows"))
}

fn succeeds(command: &mut Command, what: &str) -> Result<()> {
    let status = command.status().with_context(|| format!("run {what}"))?;
    ensure!(status.success(), "{what} failed, see above");
    Ok(())
}
