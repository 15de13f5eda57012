//! cargo, as the tasks call it.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

/// cargo, which also finds the subcommands that we have got for it.
pub(crate) fn cargo() -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    as_called_by_hand(&mut cargo);
    if let Ok(path) = path() {
        cargo.env("PATH", path);
    }
    cargo
}

/// `cargo xtask` tells us where our own package is. Some build scripts (ring's) look at that, and would be run anew, with
/// all that depends on them, whenever somebody calls cargo by hand in between.
pub(crate) fn as_called_by_hand(cargo: &mut Command) {
    cargo.env_remove("CARGO_MANIFEST_DIR");
}

/// Where cargo puts everything: we are target/debug/xtask ourselves.
pub(crate) fn target_folder() -> Result<PathBuf> {
    let own = env::current_exe().context("find the running program")?;
    let target = own.ancestors().nth(2);
    target
        .map(Path::to_path_buf)
        .context("the running program is not in a target folder")
}

/// Where the subcommands of cargo are that we have got for it, each in a folder of its own.
pub(crate) fn tools_folder() -> Result<PathBuf> {
    Ok(target_folder()?.join("tools"))
}

/// Where cargo looks for its subcommands: what a person has installed comes first.
fn path() -> Result<OsString> {
    let path = env::var_os("PATH").unwrap_or_default();
    let tools = fs::read_dir(tools_folder()?)
        .into_iter()
        .flatten()
        .flatten();
    let own = tools.map(|tool| tool.path().join("bin"));
    let all = env::join_paths(env::split_paths(&path).chain(own));
    all.context("put our tools beside yours")
}
