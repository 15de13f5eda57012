//! `cargo xtask dist`: what is handed out, in `target/dist`.

pub(crate) mod contents;
pub(crate) mod deb;
mod image;
mod notices;
mod programs;
pub(crate) mod release;
mod sbom;
mod scripts;
pub(crate) mod tarball;
mod tree;
mod zig;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, ensure};

use crate::cargo::target_folder;
use crate::windows;
use release::Release;

/// Makes what is handed out: Debian packages, static programs, the relay's image, the Windows installer, checksums and a bill of materials.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// What of it.
    #[arg(value_enum, default_value_t = What::All)]
    what: What,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum What {
    /// Everything.
    All,
    /// Debian packages and the archive for other Linux systems.
    Linux,
    /// The relay as a container's image.
    Image,
    /// The installer for Windows.
    Windows,
}

impl What {
    fn has(self, part: Self) -> bool {
        self == Self::All || self == part
    }
}

/// Makes it.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let what = arguments.what;
    let release = Release::read()?;
    let out = folder()?;
    fs::create_dir_all(&out).context("make the folder of what is handed out")?;
    if what.has(What::Linux) || what.has(What::Image) {
        let fixed = programs::fixed()?;
        if what.has(What::Image) {
            image::make(&fixed, &release, &out)?;
        }
        if what.has(What::Linux) {
            let portable = programs::portable()?;
            for package in contents::packages() {
                deb::make(&package, &portable, &release, &out)?;
            }
            tarball::make(&fixed, &portable, &release, &out)?;
        }
    }
    if what.has(What::Windows) {
        windows::dist()?;
    }
    sbom::write(&release, &out)?;
    sums(&out)?;
    println!("It is all in {}:", out.display());
    for file in listed(&out)? {
        let bytes = fs::metadata(out.join(&file))?.len();
        println!("    {:>7.1} MB  {file}", bytes as f64 / 1e6);
    }
    Ok(ExitCode::SUCCESS)
}

/// Where it all goes.
pub(crate) fn folder() -> Result<PathBuf> {
    Ok(target_folder()?.join("dist"))
}

/// Where it is put together.
fn work() -> Result<PathBuf> {
    let work = target_folder()?.join("packaging");
    fs::create_dir_all(&work).context("make a folder to pack in")?;
    Ok(work)
}

const SUMS: &str = "SHA256SUMS";

/// What `sha256sum --check` reads.
fn sums(out: &Path) -> Result<()> {
    let files = listed(out)?;
    let names = files.iter().filter(|name| *name != SUMS);
    let sums = output(Command::new("sha256sum").args(names).current_dir(out))?;
    fs::write(out.join(SUMS), sums).context("write the checksums")
}

fn listed(out: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(out).context("list what is handed out")? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// Runs a program that has nothing to say.
fn succeeds(command: &mut Command) -> Result<()> {
    let status = command.status();
    let status = status.with_context(|| format!("run {command:?}"))?;
    ensure!(status.success(), "{command:?} failed, see above");
    Ok(())
}

/// Runs a program for what it says.
fn output(command: &mut Command) -> Result<String> {
    let output = command.output();
    let output = output.with_context(|| format!("run {command:?}"))?;
    ensure!(
        output.status.success(),
        "{command:?} failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).with_context(|| format!("{command:?} wrote no text"))
}
