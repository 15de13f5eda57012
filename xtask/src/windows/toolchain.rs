//! A Rust compiler for Windows on Debian: Debian's own compiler and its source of the standard library, which is built
//! once for each compiler and kept in the user's cache.

use std::env;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::cargo::{as_called_by_hand, cargo};
use crate::packages;

pub(super) const TARGET: &str = "x86_64-pc-windows-gnu";
/// The compiler's flags for that target, and not for what runs here while it builds.
const RUSTFLAGS: &str = "CARGO_TARGET_X86_64_PC_WINDOWS_GNU_RUSTFLAGS";
const RUSTC: &str = "/usr/bin/rustc";
const CARGO_CLIPPY: &str = "/usr/bin/cargo-clippy";

/// A file of each package that tells whether it is installed.
const PACKAGES: &[(&str, &str)] = &[
    (RUSTC, "rustc-web"),
    (
        "/usr/lib/rustlib/src/rust/library/std/Cargo.toml",
        "rust-web-src",
    ),
    (CARGO_CLIPPY, "rust-web-clippy"),
    (
        "/usr/bin/x86_64-w64-mingw32-gcc",
        "gcc-mingw-w64-x86-64-win32",
    ),
    ("/usr/lib/wine/wine64", "wine64"),
    ("/usr/lib/wine/wineserver", "libwine"),
    ("/usr/bin/makensis", "nsis"),
];

/// A compiler that makes Windows programs.
pub(super) struct Toolchain {
    /// Has the standard library for Windows; Debian's own folder has it only for Linux.
    sysroot: PathBuf,
}

impl Toolchain {
    /// Installs and builds what is missing.
    pub(super) fn prepare() -> Result<Self> {
        let missing: Vec<_> = PACKAGES
            .iter()
            .filter(|(file, _)| !Path::new(file).exists())
            .map(|(_, package)| *package)
            .collect();
        if !missing.is_empty()
            && !packages::offer("The Windows client is built and run with", &missing)?
        {
            bail!("without these packages nothing can be built for Windows");
        }
        let sysroot = cache()?.join(format!("windows-std-lto-{}", compiler_version()?));
        if !sysroot.exists() {
            build_std(&sysroot)?;
        }
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
fn build_std(sysroot: &Path) -> Result<()> {
    println!("Building Rust's standard library for Windows; this once takes some minutes.");
    let work = beside(sysroot, "building");
    let _ = fs::remove_dir_all(&work);
    fs::create_dir_all(work.join("src")).context("make a folder for the standard library")?;
    let manifest = "[package]\nname = \"nothing\"\nedition = \"2024\"\n\n[workspace]\n";
    fs::write(work.join("Cargo.toml"), manifest).context("write a manifest")?;
    fs::write(work.join("src/lib.rs"), "").context("write an empty library")?;
    super::succeeds(
        cargo()
            .args(["build", "--release", "--target", TARGET])
            .arg("-Zbuild-std=std,panic_unwind,panic_abort,test,proc_macro")
            .current_dir(&work)
            .env("RUSTC", RUSTC)
            .env("RUSTC_BOOTSTRAP", "1")
            // Programs are linked by whoever optimizes them as a whole, who needs more than objects.
            .env(RUSTFLAGS, "-Cembed-bitcode=yes")
            .env("CARGO_TARGET_DIR", work.join("target")),
        "the build of the standard library",
    )?;
    let finished = beside(sysroot, "finished");
    let _ = fs::remove_dir_all(&finished);
    let libraries = finished.join("lib/rustlib").join(TARGET).join("lib");
    fs::create_dir_all(&libraries).context("make the library folder")?;
    let built = work.join("target").join(TARGET).join("release/deps");
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
