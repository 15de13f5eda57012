//! `cargo xtask packages-test`: the Debian packages on a Debian that has never seen them.
//!
//! Installed, looked at, upgraded, purged: what is there afterwards is what was there before. The same with the archive's script. And
//! where a systemd may run, a whole evening with it.

mod evening;
mod root;

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail, ensure};
use lanparty_skip::{SKIPPED, STRICT, is_strict};

use crate::build::{BINARIES, FEATURES, PROGRAMS, WINDOW};
use crate::cargo::{cargo, target_folder};
use crate::dist::contents::{Package, packages};
use crate::dist::release::Release;
use crate::dist::{deb, tarball};
use crate::packages as debian;
use root::Root;

/// Packages of the tools that this takes, and a file of each that tells whether it is there.
const TOOLS: [(&str, &str); 3] = [
    ("/usr/sbin/debootstrap", "debootstrap"),
    ("/usr/bin/lintian", "lintian"),
    ("/usr/bin/dpkg-shlibdeps", "dpkg-dev"),
];
/// What is there in place of systemd, which no chroot runs: it writes down what it is told.
const SYSTEMCTL: &str = "/usr/bin/systemctl";
const TOLD: &str = "/var/log/systemctl";

/// Runs it, or says why this machine cannot.
pub(crate) fn run() -> Result<ExitCode> {
    if let Some(reason) = unable()? {
        println!("{SKIPPED}{reason}");
        return Ok(if is_strict() {
            ExitCode::FAILURE
        } else {
            ExitCode::SUCCESS
        });
    }
    let programs = programs()?;
    let folder = target_folder()?.join("packages-test");
    fs::create_dir_all(&folder).context("make the test's folder")?;
    let release = Release::draft("")?;
    let first = made(&programs, &release, &folder.join("first"))?;
    let later = made(&programs, &Release::draft("+later")?, &folder.join("later"))?;
    lintian(&first)?;

    let root = Root::fresh(&folder)?;
    root.satisfy(&first)?;
    evening(&root, &programs, &first, &later)?;
    root.run(&["mv", SYSTEMCTL, "/usr/bin/systemctl.real"])?;
    root.write(SYSTEMCTL, RECORDER, 0o755)?;
    root.write("/run/systemd/system/.keep", "", 0o644)?;
    let before = root.contents()?;
    install(&root, &first)?;
    look_at(&root, &release.version)?;
    upgrade(&root, &later)?;
    purge(&root, &before)?;
    archive(&root, &programs, &before)?;
    root.remove()?;
    println!("The packages came, were upgraded and went, and left nothing.");
    Ok(ExitCode::SUCCESS)
}

fn unable() -> Result<Option<String>> {
    if !lanparty_lab::is_root() {
        return Ok(Some(
            "a system to install the packages on is made by root".into(),
        ));
    }
    let missing: Vec<_> = TOOLS
        .iter()
        .filter(|(file, _)| !Path::new(file).exists())
        .map(|(_, package)| *package)
        .collect();
    if !missing.is_empty() && !debian::offer("The packages are tested with", &missing)? {
        return Ok(Some(format!("{} is not installed", missing.join(", "))));
    }
    Ok(None)
}

/// Those that somebody has built, or else quickly built ones: they are packed alike.
fn programs() -> Result<PathBuf> {
    if let Some(folder) = env::var_os(BINARIES) {
        return Ok(folder.into());
    }
    let mut build = cargo();
    build.arg("build");
    let programs = PROGRAMS.iter().chain([&WINDOW]);
    build.args(programs.flat_map(|package| ["-p", package]));
    build.args(FEATURES);
    ensure!(
        build.status().context("run cargo")?.success(),
        "the build failed, see above"
    );
    Ok(target_folder()?.join("debug"))
}

fn made(programs: &Path, release: &Release, out: &Path) -> Result<Vec<PathBuf>> {
    let _ = fs::remove_dir_all(out);
    fs::create_dir_all(out).context("make a folder for packages")?;
    let make = |package: &Package| deb::make(package, programs, release, out);
    packages().iter().map(make).collect()
}

fn lintian(debs: &[PathBuf]) -> Result<()> {
    let mut lintian = Command::new("lintian");
    lintian.args([
        "--allow-root",
        "--fail-on",
        "error,warning",
        "--tag-display-limit=0",
    ]);
    let status = lintian.args(debs).status().context("run lintian")?;
    ensure!(status.success(), "lintian complains, see above");
    println!("lintian has nothing to say.");
    Ok(())
}

/// With real services, on what the folder is then still.
fn evening(root: &Root, programs: &Path, first: &[PathBuf], later: &[PathBuf]) -> Result<()> {
    debian::prepare_for(&evening::NEEDS, "An evening with the packages also uses");
    if let Some(reason) = evening::unable() {
        println!("{SKIPPED}{reason}");
        ensure!(!is_strict(), "{STRICT} allows nothing to be skipped");
        return Ok(());
    }
    let (first, later) = (evening::Debs(first), evening::Debs(later));
    evening::run(root, programs, first, later)
}

fn install(root: &Root, debs: &[PathBuf]) -> Result<()> {
    let said = root.apt_install(debs)?;
    ensure!(
        said.contains("Need to get 0 B") || !said.contains("Need to get"),
        "the packages want more than they say:\n{said}"
    );
    Ok(())
}

/// What a person meets after installing.
fn look_at(root: &Root, version: &str) -> Result<()> {
    for package in packages() {
        for program in package.programs {
            let said = root.run(&[program, "--version"])?;
            ensure!(said.contains(version), "{program} --version says {said:?}");
            let said = root.run(&[program, "--help"])?;
            ensure!(said.contains("Usage:"), "{program} --help says {said:?}");
            let page = format!("/usr/share/man/man1/{program}.1.gz");
            ensure!(root.has(&page), "{program} has no manual");
            let completion = format!("/usr/share/bash-completion/completions/{program}");
            root.run(&["bash", "-n", &completion])?;
        }
        for unit in package.units {
            if unit.is_enabled() {
                let said = root.run(&["systemctl", "is-enabled", unit.name()])?;
                ensure!(said.trim() == "enabled", "{} is {said}", unit.name());
                ensure!(
                    root.was_told(TOLD, "start", unit.name())?,
                    "{} was not started",
                    unit.name()
                );
            }
            verify(root, &deb::unit_place(unit))?;
        }
        if let Some(group) = package.group {
            root.run(&["getent", "group", group])?;
        }
        for file in package
            .files
            .iter()
            .filter(|file| file.to.ends_with(".desktop"))
        {
            handler(root, file.to)?;
        }
    }
    doctor(root)?;
    println!("Programs, manuals, units, group and link handler are as they should be.");
    Ok(())
}

/// It has something to say of any machine, also of one where nothing works.
fn doctor(root: &Root) -> Result<()> {
    let said = root.run(&["sh", "-c", "lanparty-client doctor; echo ended with $?"])?;
    let rows = said.lines().filter(|line| {
        let mark = line.trim_start().chars().next();
        mark.is_some_and(|mark| "✓!✗".contains(mark))
    });
    ensure!(
        rows.count() > 3 && said.contains("ended with 1"),
        "the doctor says:\n{said}"
    );
    Ok(())
}

/// systemd's own judgement of a unit.
fn verify(root: &Root, unit: &str) -> Result<()> {
    let instance = unit.replace("@.", "@eth0.");
    if instance != unit {
        root.run(&["ln", "-s", unit, &instance])?;
    }
    let said = root.run(&["systemd-analyze", "verify", "--man=no", &instance]);
    if instance != unit {
        root.run(&["rm", &instance])?;
    }
    ensure!(
        said.with_context(|| format!("verify {unit}"))?
            .trim()
            .is_empty(),
        "systemd complains of {unit}"
    );
    Ok(())
}

/// Who opens a link that is clicked, as desktops look it up.
fn handler(root: &Root, desktop: &str) -> Result<()> {
    let file = format!("/{desktop}");
    root.run(&["desktop-file-validate", &file])?;
    let cache = root.read("/usr/share/applications/mimeinfo.cache")?;
    let name = Path::new(desktop)
        .file_name()
        .unwrap_or_default()
        .to_string_lossy();
    let line = format!("x-scheme-handler/lanparty={name};");
    ensure!(
        cache.lines().any(|own| own == line),
        "no handler of links in:\n{cache}"
    );
    Ok(())
}

/// What people have changed and programs have kept stays; what runs is the new one.
fn upgrade(root: &Root, debs: &[PathBuf]) -> Result<()> {
    let settings = "/etc/lanparty/relay.toml";
    let edited = root.read(settings)? + "max-rooms = 7\n";
    root.write(settings, &edited, 0o644)?;
    let kept: Vec<_> = kept_files().collect();
    for file in &kept {
        root.write(file, "kept", 0o600)?;
    }
    root.write(TOLD, "", 0o644)?;
    root.apt_install(debs)?;
    ensure!(
        root.read(settings)? == edited,
        "an edited file was replaced"
    );
    for file in &kept {
        ensure!(root.read(file)? == "kept", "{file} was lost");
    }
    for unit in packages().iter().flat_map(|package| package.units) {
        let name = unit.name().replace('@', "@*");
        let how = match unit.is_enabled() {
            true if unit.is_handed_over() => "reload",
            true => "restart",
            false => "try-restart",
        };
        ensure!(
            root.was_told(TOLD, how, &name)?,
            "{name} was told no {how}:\n{}",
            root.read(TOLD)?
        );
    }
    println!("An upgrade keeps what was edited and kept, and makes what runs the new one.");
    Ok(())
}

/// One in each folder where programs keep things.
fn kept_files() -> impl Iterator<Item = String> {
    let patterns = packages().into_iter().flat_map(|package| package.state);
    let words = patterns.flat_map(|state| state.split_whitespace());
    words.map(|state| match state.strip_suffix("*.env") {
        Some(begin) => format!("{begin}eth0.env"),
        None if state.ends_with(".toml") => state.to_owned(),
        None => format!("{}/kept", state.replace('*', "eth0")),
    })
}

fn purge(root: &Root, before: &BTreeSet<String>) -> Result<()> {
    let packages = packages();
    let names: Vec<_> = packages.iter().map(|package| package.name).collect();
    let mut purge = vec!["apt-get", "purge", "--yes"];
    purge.extend(&names);
    root.run(&purge)?;
    same(root, before, "The packages left")?;
    for package in packages.iter().filter_map(|package| package.group) {
        let groups = root.read("/etc/group")?;
        ensure!(
            !groups.contains(package),
            "the group {package} is still there"
        );
    }
    println!("A purge leaves nothing.");
    Ok(())
}

fn same(root: &Root, before: &BTreeSet<String>, who: &str) -> Result<()> {
    let after = root.contents()?;
    let left: Vec<_> = after.difference(before).cloned().collect();
    let lost: Vec<_> = before.difference(&after).cloned().collect();
    if !left.is_empty() || !lost.is_empty() {
        bail!("{who} {left:?} behind, and took {lost:?} away");
    }
    Ok(())
}

/// The script for other systems, on the same one.
fn archive(root: &Root, programs: &Path, before: &BTreeSet<String>) -> Result<()> {
    tarball::lay_out_for_test(root.inside("/root/archive"), programs)?;
    let script = "/root/archive/install.sh";
    for prefix in ["/usr/local", "/home/.lanparty"] {
        root.run(&[script, "--prefix", prefix, "client", "gateway", "relay"])?;
        for package in packages() {
            for program in package.programs {
                root.run(&[&format!("{prefix}/bin/{program}"), "--version"])?;
            }
            for unit in package.units {
                let text = root.read(&format!("/etc/systemd/system/{}", unit.name()))?;
                let right =
                    !text.contains("ExecStart=") || text.contains(&format!("={prefix}/bin/"));
                ensure!(right, "{} starts something else:\n{text}", unit.name());
                let hidden = prefix.starts_with("/home/") && text.contains("ProtectHome=yes");
                ensure!(!hidden, "{} does not see its program", unit.name());
            }
        }
        root.run(&[script, "--prefix", prefix, "--purge"])?;
    }
    root.run(&["rm", "-r", "/root/archive"])?;
    same(root, before, "The archive's script left")?;
    println!("The archive's script puts everything into place, and takes it away again.");
    Ok(())
}

const RECORDER: &str = "\
#!/bin/sh
echo \"$*\" >>/var/log/systemctl
case \"$*\" in *is-enabled* | *preset*) SYSTEMD_OFFLINE=1 exec /usr/bin/systemctl.real \"$@\" ;; esac
";
