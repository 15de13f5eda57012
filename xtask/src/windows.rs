//! `cargo xtask windows` and `cargo xtask dist`: what runs on Windows, built and tested on Linux.

mod equipment;
mod toolchain;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, ensure};

use crate::build::{BINARIES, release};
use crate::cargo::{cargo, target_folder};
use crate::stages::Stages;
use equipment::Equipment;
use toolchain::Toolchain;

/// What runs on Windows, and so is linted and tested there too.
const PACKAGES: &[&str] = &[
    "lanparty-proto",
    "lanparty-obs",
    "lanparty-switch",
    "lanparty-ctrl",
    "lanparty-flow",
    "lanparty-quic",
    "lanparty-edge",
    "lanparty-peer",
    "lanparty-client-core",
    "lanparty-client-route",
    "lanparty-client-tap",
    "lanparty-client-win",
];
const PROGRAM: &str = "lanparty-client-win.exe";
const ICON: &str = "crates/lanparty-client-win/resources/lanparty-client.ico";
const INSTALLER: &str = "dist/windows/installer.nsi";

/// Tells the lab where Wine's prefix and the Windows programs are.
const LAB_FOLDER: &str = "LANPARTY_WINDOWS_DIR";
/// Tells the lab for how many minutes to watch the client.
const SOAK: &str = "LANPARTY_WINDOWS_SOAK";

/// Everything that can be checked here about Windows, the quick things first.
pub(crate) fn run(scenario: Option<&str>, soak: Option<u32>) -> Result<ExitCode> {
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
        equipment.runs(
            toolchain
                .cargo(&folder)
                .args(["test", "--lib", "--bins"])
                .args(packages()),
        ),
    )?;
    if stages.run("release build for Windows", &mut build(&toolchain, &folder))? {
        let installer = make_installer(&folder)?;
        for file in [&built_program(&folder), &installer] {
            let name = file.file_name().context("a file has a name")?;
            fs::copy(file, folder.join("bin").join(name)).context("hand a program to the lab")?;
        }
        let mut lab = cargo();
        lab.args(["test", "-p", "lanparty-lab", "--test", "windows", "--"])
            .args(scenario)
            .env(LAB_FOLDER, &folder)
            .env(BINARIES, release()?);
        if let Some(minutes) = soak {
            lab.env(SOAK, minutes.to_string());
        }
        stages.run("a party with a player at Windows", &mut lab)?;
    }
    Ok(stages.finish())
}

/// Makes `target/dist/` with the installer.
pub(crate) fn dist() -> Result<()> {
    let toolchain = Toolchain::prepare()?;
    let folder = folder()?;
    succeeds(&mut build(&toolchain, &folder), "the release build")?;
    let installer = make_installer(&folder)?;
    println!("The Windows installer is {}.", installer.display());
    Ok(())
}

fn make_installer(folder: &Path) -> Result<PathBuf> {
    let dist = target_folder()?.join("dist");
    fs::create_dir_all(&dist).context("make a folder for the installer")?;
    let installer = dist.join("lanparty-client-setup.exe");
    let define = |name: &str, value: &Path| format!("-D{name}={}", value.display());
    let mut makensis = Command::new("makensis");
    makensis
        .args(["-V2", "-WX", "-NOCD"])
        .arg(define("PROGRAM", &built_program(folder)))
        .arg(define("ICON", Path::new(ICON)))
        .arg(define("OUT", &installer))
        .arg(format!("-DVERSION={}", env!("CARGO_PKG_VERSION")))
        .arg(INSTALLER);
    succeeds(&mut makensis, "makensis")?;
    Ok(installer)
}

fn folder() -> Result<PathBuf> {
    Ok(target_folder()?.join("windows"))
}

fn build(toolchain: &Toolchain, folder: &Path) -> Command {
    let mut cargo = toolchain.cargo(folder);
    cargo.args(["build", "--release", "-p", "lanparty-client-win"]);
    cargo
}

fn built_program(folder: &Path) -> PathBuf {
    let target = folder.join("cargo").join(toolchain::TARGET);
    target.join("release").join(PROGRAM)
}

fn succeeds(command: &mut Command, what: &str) -> Result<()> {
    let status = command.status().with_context(|| format!("run {what}"))?;
    ensure!(status.success(), "{what} failed, see above");
    Ok(())
}
