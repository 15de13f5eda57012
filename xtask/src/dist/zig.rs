//! zig as the linker: it has every C library that programs for other systems are linked with, in one Python package.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, ensure};

use crate::cargo::{cargo, target_folder, tools_folder};
use crate::tools::pip_install;

const PACKAGES: [&str; 2] = ["cargo-zigbuild==0.24.1", "ziglang==0.17.1"];

/// `cargo zigbuild`, ready to use.
pub(super) struct Zig {
    folder: PathBuf,
}

impl Zig {
    /// Gets it when it is not there.
    pub(super) fn prepare() -> Result<Self> {
        let zig = Self {
            folder: tools_folder()?.join("zigbuild"),
        };
        if !zig.compiler().is_file() {
            println!("Getting {}.", PACKAGES.join(" and "));
            ensure!(
                pip_install(&zig.folder, &PACKAGES),
                "zig could not be installed with pip, see above"
            );
        }
        Ok(zig)
    }

    /// A release build for that target. All of them share a folder, and no folder with builds for this machine.
    pub(super) fn build(&self, target: &str) -> Result<Command> {
        let mut cargo = cargo();
        cargo.args(["zigbuild", "--release", "--locked", "--target", target]);
        cargo.env("CARGO_ZIGBUILD_ZIG_PATH", self.compiler());
        cargo.env("CARGO_TARGET_DIR", Self::builds()?);
        Ok(cargo)
    }

    /// Where its programs come to lie.
    pub(super) fn built(target: &str) -> Result<PathBuf> {
        Ok(Self::builds()?.join(target).join("release"))
    }

    fn builds() -> Result<PathBuf> {
        Ok(target_folder()?.join("portable"))
    }

    fn compiler(&self) -> PathBuf {
        self.folder.join("ziglang/zig")
    }
}
