//! The archive for Linux systems without Debian's packages: static programs, and a script that puts them into place.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::contents::{SETTINGS, packages};
use super::release::Release;
use super::tree::Tree;
use super::{deb, notices, succeeds, work};

const INSTALLER: &str = "dist/linux/install.sh";

/// Makes `lanparty-VERSION-ARCH-linux-musl.tar.gz`; programs that cannot be static come from `portable`.
pub(super) fn make(
    fixed: &Path,
    portable: &Path,
    release: &Release,
    out: &Path,
) -> Result<PathBuf> {
    let name = format!(
        "lanparty-{}-{}-linux-musl",
        release.version,
        std::env::consts::ARCH
    );
    let work = work()?;
    let tree = Tree::new(work.join("archive").join(&name))?;
    lay_out(&tree, fixed, portable)?;
    let file = out.join(format!("{name}.tar.gz"));
    succeeds(
        Command::new("tar")
            .args(["--sort=name", "--numeric-owner", "--owner=0", "--group=0"])
            .arg(format!("--mtime=@{}", release.seconds))
            .args(["--use-compress-program=gzip -9n", "-C"])
            .arg(work.join("archive"))
            .arg("-cf")
            .arg(&file)
            .arg(&name),
    )?;
    Ok(file)
}

/// A folder for each package, with the files as they are to lie below the prefix, and its units beside.
pub(crate) fn lay_out_for_test(root: PathBuf, programs: &Path) -> Result<()> {
    lay_out(&Tree::new(root)?, programs, programs)
}

fn lay_out(tree: &Tree, fixed: &Path, portable: &Path) -> Result<()> {
    for package in packages() {
        let part = package.name.trim_start_matches("lanparty-");
        for program in package.programs {
            let own = fixed.join(program);
            let own = if own.is_file() {
                own
            } else {
                portable.join(program)
            };
            let placed = tree.copy(&own, &format!("{part}/bin/{program}"), 0o755)?;
            succeeds(Command::new("strip").arg("--strip-unneeded").arg(&placed))?;
            deb::place_manual(tree, program, &placed, |file| {
                format!("{part}/{}", local_place(file))
            })?;
        }
        for unit in package.units {
            let text = fs::read(unit.file).context("read a unit")?;
            tree.write(&format!("{part}/units/{}", unit.name()), text, 0o644)?;
        }
        for file in package.files {
            let text = fs::read(file.from).with_context(|| format!("read {}", file.from))?;
            let to = match file.to.strip_prefix("usr/") {
                Some(below) => below.to_owned(),
                None => file.to.replacen(SETTINGS, "settings/", 1),
            };
            tree.write(&format!("{part}/{to}"), text, 0o644)?;
        }
    }
    for text in ["LICENSE-MIT", "LICENSE-APACHE", "CHANGELOG.md"] {
        tree.copy(Path::new(text), text, 0o644)?;
    }
    tree.write("third-party-notices", notices::text()?, 0o644)?;
    tree.copy(Path::new(INSTALLER), "install.sh", 0o755)?;
    Ok(())
}

/// Shells look elsewhere for what a package manager has not brought.
fn local_place(file: &str) -> String {
    file.trim_start_matches("usr/")
        .replace("zsh/vendor-completions", "zsh/site-functions")
}
