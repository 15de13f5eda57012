//! `cargo xtask test` and `cargo xtask lab`.

use std::env;
use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::build::{BINARIES, FEATURES, WINDOW, release_command, release_folder, release_with};
use crate::cargo::cargo;
use crate::stages::Stages;
use crate::tools::{DENY, NEXTEST};
use crate::windows;

/// Tells scenarios that have a short form to take the time that they take.
const WHOLE: &str = "LANPARTY_WHOLE";
/// Tells the scenario `soak` how long to last.
const MINUTES: &str = "LANPARTY_MINUTES";

/// How long the tests may take, build included, where nothing ends a single one that hangs.
const ALL_TOGETHER: Duration = Duration::from_secs(25 * 60);

/// Everything that can be checked here, the quick things first.
pub(crate) fn everything() -> Result<ExitCode> {
    let mut stages = Stages::default();
    promised_rust(&mut stages)?;
    stages.run("format", cargo().args(["fmt", "--all", "--check"]))?;
    stages.run(
        "lints",
        cargo()
            .args(["clippy", "--workspace", "--all-targets"])
            .args(FEATURES)
            .args(["--", "-D", "warnings"]),
    )?;
    stages.run(
        "lints of a relay without fleets",
        cargo().args([
            "clippy",
            "-p",
            "lanparty-relay",
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ]),
    )?;
    all_but_the_lab(&mut stages)?;
    stages.run(
        "examples in the documentation",
        cargo()
            .args(["test", "--workspace", "--doc"])
            .args(FEATURES),
    )?;
    stages.run(
        "documentation",
        documentation()
            .args(["doc", "--workspace", "--no-deps"])
            .args(FEATURES),
    )?;
    dependencies(&mut stages)?;
    if stages.run("release build", release_command().args(["-p", WINDOW]))? {
        stages.run("packages", &mut packages_test()?)?;
        stages.run("lab", &mut lab_tests(&[])?)?;
    }
    windows::ci(&mut stages, &release_folder()?)?;
    Ok(stages.finish())
}

/// What Cargo.toml promises is what was tried: a newer compiler proves nothing of it.
fn promised_rust(stages: &mut Stages) -> Result<()> {
    let promised = env!("CARGO_PKG_RUST_VERSION");
    let compiler = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(compiler).arg("--version").output();
    let said = String::from_utf8_lossy(&output.context("run rustc")?.stdout).into_owned();
    if !is_version(&said, promised) {
        // Older ones refuse to build; a newer one is no fault of what is tested.
        stages.leave_out(
            "the promised Rust",
            &format!(
                "`rust-version` in Cargo.toml is {promised}, and this is {}",
                said.trim()
            ),
        );
    }
    Ok(())
}

/// Whether `rustc 1.95.0 (…)` is a 1.95.
fn is_version(said: &str, promised: &str) -> bool {
    let mut own = said
        .split_whitespace()
        .nth(1)
        .unwrap_or_default()
        .split('.');
    promised.split('.').all(|number| own.next() == Some(number))
}

/// The lab alone, or the part of it whose names contain `scenario`.
pub(crate) fn lab(scenario: Option<&str>, minutes: Option<u32>) -> Result<ExitCode> {
    release_with(&[WINDOW])?;
    let mut stages = Stages::default();
    let filter: Vec<_> = scenario.into_iter().collect();
    let mut tests = lab_tests(&filter)?;
    if scenario.is_some() {
        tests.env(WHOLE, "1");
    }
    if let Some(minutes) = minutes {
        tests.env(MINUTES, minutes.to_string());
    }
    stages.run("lab", &mut tests)?;
    Ok(stages.finish())
}

/// One selection of packages for as many stages as possible: another one has other features, and
/// cargo would build half of the dependencies again. The lab is a stage of its own; nextest would build a
/// new party for every test of it.
fn all_but_the_lab(stages: &mut Stages) -> Result<()> {
    let name = "unit, simulation and loopback tests";
    let mut command = cargo();
    if NEXTEST.is_had() {
        command.args(["nextest", "run", "--workspace", "--no-tests=pass"]);
        command.args(["-E", "not package(lanparty-lab)"]);
        command.args(FEATURES);
        return stages.run(name, &mut command).map(drop);
    }
    stages.skip(
        "a time limit for each test",
        "cargo-nextest could not be had; all of them together have one",
    );
    command.args(["test", "--workspace", "--exclude", "lanparty-lab"]);
    command.arg("--all-targets").args(FEATURES);
    stages.run_within(ALL_TOGETHER, name, &mut command)?;
    Ok(())
}

/// Whose code we take, under which licences, and with which known faults.
fn dependencies(stages: &mut Stages) -> Result<()> {
    if !DENY.is_had() {
        stages.skip("licences and sources", "cargo-deny could not be had");
        return Ok(());
    }
    let deny = |words: &[&str]| {
        let mut deny = cargo();
        deny.arg("deny").args(words);
        deny
    };
    stages.run(
        "licences and sources",
        &mut deny(&["check", "bans", "licenses", "sources"]),
    )?;
    let fetched = deny(&["fetch", "db"]).output();
    if fetched.is_ok_and(|output| output.status.success()) {
        stages.run("advisories", &mut deny(&["check", "advisories"]))?;
    } else {
        stages.leave_out(
            "advisories",
            "their database, https://github.com/RustSec/advisory-db, cannot be fetched from here",
        );
    }
    Ok(())
}

/// With the programs that were just built; it says itself what this machine lacks for it.
fn packages_test() -> Result<Command> {
    let own = env::current_exe().context("find the running program")?;
    let mut command = Command::new(own);
    command.arg("packages-test");
    command.env(BINARIES, release_folder()?);
    Ok(command)
}

fn documentation() -> Command {
    let mut command = cargo();
    command.env("RUSTDOCFLAGS", "-D warnings");
    command
}

/// The tests themselves are fast enough as they were built for the other stages; the programs are release builds.
fn lab_tests(filter: &[&str]) -> Result<Command> {
    let own = env::current_exe().context("find the running program")?;
    let mut command = Command::new(own);
    command.arg("suites").args(filter);
    command.env(BINARIES, release_folder()?);
    Ok(command)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_release_is_the_same_rust() {
        assert!(is_version("rustc 1.95.3 (59807616e 2026-04-14)", "1.95"));
        assert!(!is_version("rustc 1.96.0 (ac68faa20 2026-05-25)", "1.95"));
        assert!(!is_version("rustc 1.9.0", "1.95"));
        assert!(!is_version("", "1.95"));
    }
}
