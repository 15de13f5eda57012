//! Debian's own Rust compiler and its source of the standard library, for targets that rustup has nothing for here: the
//! library is built once for each compiler and kept in the user's cache.

use std::env;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::cargo::cargo;
use crate::packages;

pub(crate) const RUSTC: &str = "/usr/bin/rustc";
/// What the workspace is written for, such as `1.95`.
const NEEDED: &str = env!("CARGO_PKG_RUST_VERSION");
/// A file of each package that tells whether it is installed.
const PACKAGES: [(&str, &str); 2] = [
    (RUSTC, "rustc-web"),
    (
        "/usr/lib/rustlib/src/rust/library/std/Cargo.toml",
        "rust-web-src",
    ),
];

/// Installs the compiler, and what else is used with it, where one of them is missing or the compiler is too old for the
/// workspace: Debian has several, and a machine's package lists may be of a time before the newest.
pub(crate) fn prepare(what_uses: &str, also: &[(&str, &'static str)]) -> Result<()> {
    let is_old = compiler_version().is_ok_and(|version| !is_enough(&version));
    let missing: Vec<_> = PACKAGES
        .iter()
        .chain(also)
        .filter(|(file, _)| is_old || !Path::new(file).exists())
        .map(|(_, package)| *package)
        .collect();
    if !missing.is_empty() {
        let are_there = packages::offer(what_uses, &missing)?;
        ensure!(are_there, "without these packages nothing can be built");
    }
    let version = compiler_version()?;
    ensure!(
        is_enough(&version),
        "Debian's compiler is {version}, and Rust {NEEDED} or later is needed: add Debian's security updates to its \
         package sources, and run apt-get update"
    );
    Ok(())
}

/// Whether a compiler of this version, such as `1.96.0-ac68faa20`, builds the workspace.
fn is_enough(version: &str) -> bool {
    let release = |version: &str| {
        let mut numbers = version.split('.').map(str::parse::<u32>);
        numbers.next()?.ok().zip(numbers.next()?.ok())
    };
    release(version) >= release(NEEDED)
}

/// The folder to give the compiler as `--sysroot`: it has the standard library for this target, built if need be.
pub(crate) fn standard_library(name: &str, target: &str) -> Result<PathBuf> {
    let sysroot = cache()?.join(format!("{name}-std-lto-{}", compiler_version()?));
    if !sysroot.exists() {
        build(&sysroot, target)?;
    }
    Ok(sysroot)
}

/// Tells cargo the compiler's flags for that target, and not for what runs here while it builds.
pub(crate) fn flags_variable(target: &str) -> String {
    let target = target.to_uppercase().replace('-', "_");
    format!("CARGO_TARGET_{target}_RUSTFLAGS")
}

/// Where things stay that outlive a `cargo clean`.
fn cache() -> Result<PathBuf> {
    let home = || env::var_os("HOME").map(|home| Path::new(&home).join(".cache"));
    let cache = env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(home);
    Ok(cache
        .context("neither HOME nor XDG_CACHE_HOME says where to keep things")?
        .join("softlan-vpn"))
}

/// Such as `1.96.0-ac68faa20`: a standard library fits one compiler only.
fn compiler_version() -> Result<String> {
    let output = Command::new(RUSTC).arg("-V").output();
    let output = output.with_context(|| format!("run {RUSTC}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut words = text.split_whitespace().skip(1);
    let words = words.next().zip(words.next());
    let (version, commit) = words.with_context(|| format!("{RUSTC} has no version: {text}"))?;
    Ok(format!("{version}-{}", commit.trim_matches(['(', ')'])))
}

/// Builds the standard library as a dependency of nothing, and arranges it as an installed one. The flags are unstable
/// ones, hence the variable; nothing else is built with it.
fn build(sysroot: &Path, target: &str) -> Result<()> {
    println!("Building Rust's standard library for {target}; this once takes some minutes.");
    let work = beside(sysroot, "building");
    let _ = fs::remove_dir_all(&work);
    fs::create_dir_all(work.join("src")).context("make a folder for the standard library")?;
    let manifest = "[package]\nname = \"nothing\"\nedition = \"2024\"\n\n[workspace]\n";
    fs::write(work.join("Cargo.toml"), manifest).context("write a manifest")?;
    fs::write(work.join("src/lib.rs"), "").context("write an empty library")?;
    let status = cargo()
        .args(["build", "--release", "--target", target])
        .arg("-Zbuild-std=std,panic_unwind,panic_abort,test,proc_macro")
        .current_dir(&work)
        .env("RUSTC", RUSTC)
        .env("RUSTC_BOOTSTRAP", "1")
        // Programs are linked by whoever optimizes them as a whole, who needs more than objects.
        .env(flags_variable(target), "-Cembed-bitcode=yes")
        .env("CARGO_TARGET_DIR", work.join("target"))
        .status()
        .context("run cargo")?;
    ensure!(
        status.success(),
        "the build of the standard library failed, see above"
    );
    let finished = beside(sysroot, "finished");
    let _ = fs::remove_dir_all(&finished);
    let libraries = finished.join("lib/rustlib").join(target).join("lib");
    fs::create_dir_all(&libraries).context("make the library folder")?;
    let built = work.join("target").join(target).join("release/deps");
    for file in fs::read_dir(built).context("list the built libraries")? {
        let file = file?.path();
        let name = file.file_name().unwrap_or_default();
        let is_ours = name.to_string_lossy().starts_with("libnothing");
        if file.extension().is_some_and(|end| end == "rlib") && !is_ours {
            fs::copy(&file, libraries.join(name)).context("keep a library")?;
        }
    }
    let linux = "lib/rustlib/x86_64-unknown-linux-gnu";
    symlink(Path::new("/usr").join(linux), finished.join(linux)).context("link the host's")?;
    fs::rename(&finished, sysroot).context("keep the standard library")?;
    fs::remove_dir_all(&work).context("remove what is not needed any more")
}

/// The version in the name has dots, so an extension would replace a part of it.
fn beside(sysroot: &Path, what: &str) -> PathBuf {
    let mut name = sysroot.as_os_str().to_owned();
    name.push(format!(".{what}"));
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_compiler_is_enough_from_the_workspaces_version_on() {
        let (major, minor) = NEEDED.split_once('.').expect("two numbers");
        let minor: u32 = minor.parse().expect("a number");
        for (minor, expected) in [
            (minor - 10, false),
            (minor - 1, false),
            (minor, true),
            (minor + 1, true),
        ] {
            let version = format!("{major}.{minor}.0-ac68faa20");
            assert_eq!(is_enough(&version), expected, "{version}");
        }
        assert!(!is_enough("nightly"));
    }
}
