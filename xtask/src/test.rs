//! `cargo xtask test` and `cargo xtask lab`.

use std::process::{Command, ExitCode};

use anyhow::Result;

use crate::build::{BINARIES, cargo, has_cargo, release, release_command, release_folder};
use crate::stages::Stages;

/// Everything that can be checked here, the quick things first.
pub(crate) fn everything() -> Result<ExitCode> {
    let mut stages = Stages::default();
    stages.run("format", cargo().args(["fmt", "--all", "--check"]))?;
    stages.run(
        "lints",
        cargo().args([
            "clippy",
            "--workspace",
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ]),
    )?;
    stages.run(
        "unit and integration tests",
        unit_tests()
            .args(["--workspace"])
            .args(excluding(&["lanparty-e2e", "lanparty-sim"])),
    )?;
    stages.run(
        "simulated parties",
        unit_tests().args(["-p", "lanparty-sim"]),
    )?;
    stages.run(
        "programs over loopback",
        unit_tests().args(["-p", "lanparty-e2e"]),
    )?;
    stages.run(
        "examples in the documentation",
        cargo().args(["test", "--workspace", "--doc"]),
    )?;
    stages.run(
        "documentation",
        documentation().args(["doc", "--workspace", "--no-deps"]),
    )?;
    if has_cargo("deny") {
        stages.run("licences and advisories", cargo().args(["deny", "check"]))?;
    } else {
        stages.skip("licences and advisories", "cargo-deny is not installed");
    }
    if stages.run("release build", &mut release_command())? {
        stages.run("lab", &mut lab_tests(&[])?)?;
    }
    Ok(stages.finish())
}

/// The lab alone, or the part of it whose names contain `scenario`.
pub(crate) fn lab(scenario: Option<&str>) -> Result<ExitCode> {
    release()?;
    let mut stages = Stages::default();
    let filter: Vec<_> = scenario.into_iter().collect();
    stages.run("lab", &mut lab_tests(&filter)?)?;
    Ok(stages.finish())
}

/// The lab is another stage; nextest would build a new party for every test of it.
fn excluding(others: &[&str]) -> Vec<String> {
    ["lanparty-lab"]
        .iter()
        .chain(others)
        .flat_map(|package| ["--exclude".into(), (*package).to_owned()])
        .collect()
}

fn unit_tests() -> Command {
    let mut command = cargo();
    if has_cargo("nextest") {
        command.args(["nextest", "run", "--no-tests=pass"]);
    } else {
        command.args(["test", "--all-targets"]);
    }
    command
}

fn documentation() -> Command {
    let mut command = cargo();
    command.env("RUSTDOCFLAGS", "-D warnings");
    command
}

/// The tests themselves are fast enough as they were built for the other stages; the programs are release builds.
fn lab_tests(filter: &[&str]) -> Result<Command> {
    let mut command = cargo();
    command
        .args([
            "test",
            "--no-fail-fast",
            "-p",
            "lanparty-lab",
            "--all-targets",
            "--",
        ])
        .args(filter);
    command.env(BINARIES, release_folder()?);
    Ok(command)
}
