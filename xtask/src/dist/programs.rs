//! The programs for any Linux: with no C library of the system's, or with one of 2013.

use std::env;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use super::succeeds;
use super::zig::Zig;
use crate::build::{BINARIES, FEATURES, PROGRAMS, WINDOW};
use crate::debian_rust::{self, RUSTC};

const MUSL: &str = "x86_64-unknown-linux-musl";
const GLIBC: &str = "x86_64-unknown-linux-gnu";
/// The oldest C library that the linked ones go with: of 2012.
const OLDEST: &str = "2.17";

/// Builds programs that need nothing of the system but its kernel, unless somebody said where some are, and answers with
/// their folder.
pub(super) fn fixed() -> Result<PathBuf> {
    if let Some(folder) = env::var_os(BINARIES) {
        return Ok(folder.into());
    }
    debian_rust::prepare("Static programs are built with", &[])?;
    let zig = Zig::prepare()?;
    let sysroot = debian_rust::standard_library("musl", MUSL)?;
    println!("Building the static programs.");
    let mut flags = std::ffi::OsString::from("--sysroot=");
    flags.push(sysroot);
    flags.push(" -Clink-self-contained=no");
    succeeds(
        with_packages(&mut zig.build(MUSL)?)
            .env("RUSTC", RUSTC)
            .env(debian_rust::flags_variable(MUSL), flags),
    )?;
    Zig::built(MUSL)
}

/// Builds programs for the C library of any system since 2013, and answers with their folder.
pub(super) fn portable() -> Result<PathBuf> {
    if let Some(folder) = env::var_os(BINARIES) {
        return Ok(folder.into());
    }
    let zig = Zig::prepare()?;
    println!("Building the programs for glibc {OLDEST} and later.");
    let mut build = zig.build(&format!("{GLIBC}.{OLDEST}"))?;
    // A static program could not take its system's display libraries while it runs.
    succeeds(with_packages(&mut build).args(["-p", WINDOW]))?;
    Zig::built(GLIBC)
}

fn with_packages(cargo: &mut Command) -> &mut Command {
    cargo.args(PROGRAMS.iter().flat_map(|package| ["-p", package]));
    cargo.args(FEATURES)
}
