//! The project's programs, as users run them.

use std::env;
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::cargo::{cargo, target_folder};

/// Tells the lab where the programs are, and us that they are built already.
pub(crate) const BINARIES: &str = "LANPARTY_BIN_DIR";

/// The packages whose programs carry frames on Linux.
pub(crate) const PROGRAMS: [&str; 3] = [
    "lanparty-relay",
    "lanparty-gateway",
    "lanparty-client-linux",
];
/// What the relay that we hand out can do, and a plain build cannot: be one of a fleet (docs/fleet.md).
pub(crate) const FEATURES: [&str; 2] = ["--features", "lanparty-relay/cluster-etcd"];
/// The one that draws: most tasks do without, and without the time that its libraries take to build.
pub(crate) const WINDOW: &str = "lanparty-window";

/// Where cargo puts release builds.
pub(crate) fn release_folder() -> Result<PathBuf> {
    if let Some(folder) = env::var_os(BINARIES) {
        return Ok(folder.into());
    }
    Ok(target_folder()?.join("release"))
}

/// The cargo command that builds the relay, the gateway and the Linux client.
pub(crate) fn release_command() -> Command {
    let mut cargo = cargo();
    cargo.args(["build", "--release"]);
    cargo.args(PROGRAMS.iter().flat_map(|package| ["-p", package]));
    cargo.args(FEATURES);
    cargo
}

/// Builds the programs unless somebody said where they are, and answers with their folder.
pub(crate) fn release() -> Result<PathBuf> {
    release_with(&[])
}

/// The same with more packages.
pub(crate) fn release_with(packages: &[&str]) -> Result<PathBuf> {
    let folder = release_folder()?;
    if env::var_os(BINARIES).is_none() {
        println!(
            "Building the relay, the gateway and the client; the first time takes a few minutes."
        );
        let mut command = release_command();
        command.args(packages.iter().flat_map(|package| ["-p", package]));
        let status = command.status().context("run cargo")?;
        ensure!(status.success(), "the build failed, see above");
    }
    Ok(folder)
}

/// Makes this process one that may make namespaces and finds the programs in `binaries`: as it is, if
/// it does, or else by starting over with [`BINARIES`] set, through sudo where we are not root.
pub(crate) fn ensure_root_with(binaries: &Path) -> Result<()> {
    let is_root = lanparty_lab::is_root();
    if is_root && env::var_os(BINARIES).is_some() {
        return Ok(());
    }
    let own = env::current_exe().context("find the running program")?;
    let mut again = if is_root {
        Command::new("env")
    } else {
        println!("Network namespaces need root; asking sudo.");
        let mut sudo = Command::new("sudo");
        sudo.arg("env");
        sudo
    };
    let mut variable = OsString::from(format!("{BINARIES}="));
    variable.push(binaries);
    // Returns only when it failed.
    let error = again
        .arg(variable)
        .arg(own)
        .args(env::args_os().skip(1))
        .exec();
    match is_root {
        true => bail!("this tool cannot start itself again ({error})"),
        false => {
            bail!("network namespaces need root, and there is no sudo here: run this as root")
        }
    }
}
