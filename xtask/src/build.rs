//! The project's programs, as users run them.

use std::env;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

/// Tells the lab where the programs are, and us that they are built already.
pub(crate) const BINARIES: &str = "LANPARTY_BIN_DIR";

/// Where cargo puts release builds.
pub(crate) fn release_folder() -> Result<PathBuf> {
    if let Some(folder) = env::var_os(BINARIES) {
        return Ok(folder.into());
    }
    // We are target/debug/xtask ourselves.
    let own = env::current_exe().context("find the running program")?;
    let target = own
        .ancestors()
        .nth(2)
        .context("the running program is not in a target folder")?;
    Ok(target.join("release"))
}

/// The cargo command that builds the relay, the gateway and the Linux client.
pub(crate) fn release_command() -> Command {
    let mut cargo = cargo();
    cargo.args(["build", "--release"]);
    cargo.args([
        "-p",
        "lanparty-relay",
        "-p",
        "lanparty-gateway",
        "-p",
        "lanparty-client-linux",
    ]);
    cargo
}

/// Builds the programs unless somebody said where they are, and answers with their folder.
pub(crate) fn release() -> Result<PathBuf> {
    let folder = release_folder()?;
    if env::var_os(BINARIES).is_none() {
        println!(
            "Building the relay, the gateway and the client; the first time takes a few minutes."
        );
        let status = release_command().status().context("run cargo")?;
        ensure!(status.success(), "the build failed, see above");
    }
    Ok(folder)
}

pub(crate) fn cargo() -> Command {
    Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Whether a cargo subcommand such as `deny` is installed.
pub(crate) fn has_cargo(subcommand: &str) -> bool {
    let output = cargo().args([subcommand, "--version"]).output();
    output.is_ok_and(|output| output.status.success())
}

/// Runs this tool again as root with the programs that were just built, when `sudo` can be asked.
pub(crate) fn as_root(binaries: &PathBuf) -> Result<Option<std::process::ExitStatus>> {
    if lanparty_lab::is_root() {
        return Ok(None);
    }
    let own = env::current_exe().context("find the running program")?;
    let mut binaries_variable = std::ffi::OsString::from(format!("{BINARIES}="));
    binaries_variable.push(binaries);
    println!("Network namespaces need root; asking sudo.");
    let status = Command::new("sudo")
        .arg("env")
        .arg(binaries_variable)
        .arg(own)
        .args(env::args_os().skip(1))
        .status();
    match status {
        Ok(status) => Ok(Some(status)),
        Err(_) => {
            bail!("network namespaces need root, and there is no sudo here: run this as root")
        }
    }
}
