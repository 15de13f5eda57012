//! `cargo xtask windows` and `cargo xtask dist`: what runs on Windows, built and tested on Linux.

mod equipment;
mod toolchain;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, ensure};

use crate::build::{BINARIES, FEATURES, release};
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
    "lanparty-carrier",
    "lanparty-edge",
    "lanparty-peer",
    "lanparty-client-rights",
    "lanparty-client-control",
    "lanparty-games",
    "lanparty-lease",
    "lanparty-dhcp",
    "lanparty-proof",
    "lanparty-client-core",
    "lanparty-client-route",
    "lanparty-client-service",
    "lanparty-client-tap",
    "lanparty-client-win",
    "lanparty-doctor",
    "lanparty-window",
];
/// The programs, and the packages that they are built from.
const PROGRAM: &str = "lanparty-client-win.exe";
const WINDOW: &str = "lanparty.exe";
const PROGRAMS: [&str; 4] = ["-p", "lanparty-client-win", "-p", "lanparty-window"];
const ICON: &str = "crates/lanparty-client-win/resources/lanparty-client.ico";
const INSTALLER: &str = "dist/windows/installer.nsi";

/// What CI leaves to `cargo xtask windows`: a program that is ended before and after every change, which takes a while.
const NOT_IN_CI: [&str; 4] = ["--skip", "ending::", "--skip", "making::"];

/// Tells the lab where Wine's prefix and the Windows programs are.
const LAB_FOLDER: &str = "LANPARTY_WINDOWS_DIR";
/// Tells the lab for how many minutes to watch the client.
const SOAK: &str = "LANPARTY_WINDOWS_SOAK";

/// How programs are built.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Profile {
    /// As they are handed out.
    Release,
    /// As tests are built, so that everything is compiled once.
    Quick,
}

impl Profile {
    /// Cargo's name for it.
    fn name(self) -> &'static str {
        match self {
            Profile::Release => "release",
            Profile::Quick => "quick",
        }
    }

    /// What unit tests and lints are compiled with.
    fn of_tests(self) -> &'static str {
        match self {
            Profile::Release => "dev",
            Profile::Quick => "quick",
        }
    }
}

/// Everything that can be checked here about Windows, the quick things first.
pub(crate) fn run(scenario: Option<&str>, soak: Option<u32>) -> Result<ExitCode> {
    let mut stages = Stages::default();
    let mut lab = lab_tests();
    lab.args(scenario);
    if let Some(minutes) = soak {
        lab.env(SOAK, minutes.to_string());
    }
    let tools = Tools::prepare()?;
    lab.env(BINARIES, release()?);
    stages_of(&mut stages, &tools, Profile::Release, lab)?;
    Ok(stages.finish())
}

/// What CI checks about Windows, alone.
pub(crate) fn quickly() -> Result<ExitCode> {
    let mut stages = Stages::default();
    ci(&mut stages, &release()?)?;
    Ok(stages.finish())
}

/// What CI has the time for: all lints and unit tests, the installer, and the evening of a player, whose party is
/// given by the programs for Linux in this folder.
pub(crate) fn ci(stages: &mut Stages, programs: &Path) -> Result<()> {
    let tools = match Tools::prepare() {
        Ok(tools) => tools,
        // Such as a machine without a network that lacks packages.
        Err(error) => {
            stages.skip(
                "Windows",
                &format!("nothing can be built for it or run here: {error:#}"),
            );
            return Ok(());
        }
    };
    let mut lab = lab_tests();
    lab.args(NOT_IN_CI).env(BINARIES, programs);
    stages_of(stages, &tools, Profile::Quick, lab)
}

/// What Windows programs are built and run with.
struct Tools {
    folder: PathBuf,
    toolchain: Toolchain,
    equipment: Equipment,
}

impl Tools {
    /// Installs and makes what is missing.
    fn prepare() -> Result<Self> {
        let toolchain = Toolchain::prepare()?;
        let folder = folder()?;
        let equipment = Equipment::prepare(&folder)?;
        Ok(Self {
            folder,
            toolchain,
            equipment,
        })
    }
}

fn stages_of(stages: &mut Stages, tools: &Tools, profile: Profile, mut lab: Command) -> Result<()> {
    let Tools {
        folder,
        toolchain,
        equipment,
    } = tools;
    let packages = || PACKAGES.iter().flat_map(|package| ["-p", package]);
    stages.run(
        "lints for Windows",
        toolchain
            .clippy(folder)
            .args(packages())
            .args(["--profile", profile.of_tests()])
            .args(["--all-targets", "--", "-D", "warnings"]),
    )?;
    stages.run(
        "unit tests under Wine",
        equipment.runs(
            toolchain
                .cargo(folder)
                .args(["test", "--no-fail-fast", "--lib", "--bins"])
                .args(["--profile", profile.of_tests()])
                .args(packages()),
        ),
    )?;
    if !stages.run(
        "programs for Windows",
        &mut build(toolchain, folder, profile),
    )? {
        return Ok(());
    }
    let installer = installer()?;
    if !stages.run("installer", &mut makensis(folder, profile, &installer))? {
        return Ok(());
    }
    let [program, window] = [PROGRAM, WINDOW].map(|name| built(folder, profile, name));
    for file in [&program, &window, &installer] {
        let name = file.file_name().context("a file has a name")?;
        fs::copy(file, folder.join("bin").join(name)).context("hand a program to the lab")?;
    }
    lab.env(LAB_FOLDER, folder);
    stages.run("a party with a player at Windows", &mut lab)?;
    Ok(())
}

/// The lab's tests with a Windows PC; a filter may follow.
fn lab_tests() -> Command {
    let mut lab = cargo();
    lab.args(["test", "-p", "lanparty-lab", "--test", "windows"]);
    // Those of the other suites, which are built by then.
    lab.args(FEATURES).arg("--");
    lab
}

/// Makes `target/dist/` with the installer.
pub(crate) fn dist() -> Result<()> {
    let toolchain = Toolchain::prepare()?;
    let folder = folder()?;
    succeeds(
        &mut build(&toolchain, &folder, Profile::Release),
        "the release build",
    )?;
    let installer = installer()?;
    succeeds(
        &mut makensis(&folder, Profile::Release, &installer),
        "makensis",
    )?;
    println!("The Windows installer is {}.", installer.display());
    Ok(())
}

/// Where the installer goes.
fn installer() -> Result<PathBuf> {
    let dist = target_folder()?.join("dist");
    fs::create_dir_all(&dist).context("make a folder for the installer")?;
    Ok(dist.join("lanparty-client-setup.exe"))
}

fn makensis(folder: &Path, profile: Profile, installer: &Path) -> Command {
    let define = |name: &str, value: &Path| format!("-D{name}={}", value.display());
    let mut makensis = Command::new("makensis");
    makensis
        .args(["-V2", "-WX", "-NOCD"])
        .arg(define("PROGRAM", &built(folder, profile, PROGRAM)))
        .arg(define("WINDOW", &built(folder, profile, WINDOW)))
        .arg(define("ICON", Path::new(ICON)))
        .arg(define("OUT", installer))
        .arg(format!("-DVERSION={}", env!("CARGO_PKG_VERSION")))
        .arg(INSTALLER);
    makensis
}

fn folder() -> Result<PathBuf> {
    Ok(target_folder()?.join("windows"))
}

fn build(toolchain: &Toolchain, folder: &Path, profile: Profile) -> Command {
    let mut cargo = toolchain.cargo(folder);
    cargo
        .args(["build", "--profile", profile.name()])
        .args(PROGRAMS);
    cargo
}

fn built(folder: &Path, profile: Profile, name: &str) -> PathBuf {
    let target = folder.join("cargo").join(toolchain::TARGET);
    target.join(profile.name()).join(name)
}

fn succeeds(command: &mut Command, what: &str) -> Result<()> {
    let status = command.status().with_context(|| format!("run {what}"))?;
    ensure!(status.success(), "{what} failed, see above");
    Ok(())
}
