//! A Rust compiler for Windows on Debian (see `debian_rust`), and what Windows programs are linked and run with.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::cargo::{as_called_by_hand, cargo};
use crate::debian_rust::{self, RUSTC};

pub(super) const TARGET: &str = "x86_64-pc-windows-gnu";
/// The compiler's flags for that target, and not for what runs here while it builds.
const RUSTFLAGS: &str = "CARGO_TARGET_X86_64_PC_WINDOWS_GNU_RUSTFLAGS";
const CARGO_CLIPPY: &str = "/usr/bin/cargo-clippy";

/// A file of each package, besides the compiler's, that tells whether it is installed.
const PACKAGES: &[(&str, &str)] = &[
    (CARGO_CLIPPY, "rust-web-clippy"),
    (
        "/usr/bin/x86_64-w64-mingw32-gcc",
        "gcc-mingw-w64-x86-64-win32",
    ),
    ("/usr/lib/wine/wine64", "wine64"),
    ("/usr/lib/wine/wineserver", "libwine"),
    ("/usr/bin/makensis", "nsis"),
    ("/usr/bin/Xvfb", "xvfb"),
    ("/usr/bin/import", "imagemagick"),
];

/// A compiler that makes Windows programs.
pub(super) struct Toolchain {
    /// Has the standard library for Windows; Debian's own folder has it only for Linux.
    sysroot: PathBuf,
}

impl Toolchain {
    /// Installs and builds what is missing.
    pub(super) fn prepare() -> Result<Self> {
        debian_rust::prepare("The Windows client is built and run with", PACKAGES)?;
        let sysroot = debian_rust::standard_library("windows", TARGET)?;
        Ok(Self { sysroot })
    }

    /// A cargo command for Windows; its arguments begin with the subcommand.
    pub(super) fn cargo(&self, folder: &Path) -> Command {
        let mut cargo = cargo();
        self.aim(&mut cargo, folder);
        cargo
    }

    /// `cargo clippy` for Windows. Not cargo's own: its driver would be of another compiler than the standard library.
    pub(super) fn clippy(&self, folder: &Path) -> Command {
        let mut clippy = Command::new(CARGO_CLIPPY);
        clippy.arg("clippy");
        as_called_by_hand(&mut clippy);
        self.aim(&mut clippy, folder);
        clippy
    }

    fn aim(&self, command: &mut Command, folder: &Path) {
        let mut sysroot = std::ffi::OsString::from("--sysroot=");
        sysroot.push(&self.sysroot);
        command
            .env("RUSTC", RUSTC)
            .env("CARGO_BUILD_TARGET", TARGET)
            .env("CARGO_TARGET_DIR", folder.join("cargo"))
            .env(RUSTFLAGS, sysroot);
    }
}
