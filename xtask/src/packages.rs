//! The Debian packages that the tasks use: each asks for its own.

use std::env;
use std::fs;
use std::io::{self, IsTerminal, Write};
use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lanparty_lab::{Needs, SERVERS, has_program, missing_packages};

/// What the other tasks begin with: says nothing when nothing is missing, and goes on without what it
/// may not or cannot install, because each task names what it then lacks.
pub(crate) fn prepare() {
    prepare_with(missing_packages, "The lab also uses");
}

/// The same for a task that uses less.
pub(crate) fn prepare_for(needs: &Needs, what_uses: &str) {
    prepare_with(|| needs.missing_packages(), what_uses);
}

fn prepare_with(missing: impl Fn() -> Vec<&'static str>, what_uses: &str) {
    let packages = missing();
    if packages.is_empty() {
        return;
    }
    if let Err(error) = offer(what_uses, &packages) {
        eprintln!("Packages are missing: {error:#}");
    }
}

/// Installs the packages that are missing.
pub(crate) fn run() -> Result<ExitCode> {
    let missing = missing_packages();
    if missing.is_empty() {
        println!("Everything the lab uses is installed.");
        return Ok(ExitCode::SUCCESS);
    }
    if !offer("The lab also uses", &missing)? {
        return Ok(ExitCode::FAILURE);
    }
    let still = missing_packages();
    ensure!(
        still.is_empty(),
        "apt-get went well, but programs of these packages are missing: {}",
        still.join(", ")
    );
    println!("Installed.");
    Ok(ExitCode::SUCCESS)
}

/// Asks whether these packages may be installed, and installs them; answers whether it did.
pub(crate) fn offer(what_uses: &str, packages: &[&str]) -> Result<bool> {
    println!(
        "{what_uses} these Debian packages{}: {}.",
        in_megabytes(to_fetch(packages)),
        packages.join(", ")
    );
    if !agreed()? {
        println!("Nothing was installed.");
        return Ok(false);
    }
    install(packages)?;
    Ok(true)
}

fn agreed() -> Result<bool> {
    if env::var_os("CI").is_some() || !io::stdin().is_terminal() {
        return Ok(true);
    }
    print!("Install them with apt-get? [y/N] ");
    io::stdout().flush()?;
    let mut answer = String::new();
    io::stdin()
        .read_line(&mut answer)
        .context("read the answer")?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// Package lists may be absent or old on a fresh machine. Old ones name versions that are not there any more, or that
/// have been replaced since by ones that are needed.
fn install(packages: &[&str]) -> Result<()> {
    let install = ["install", "--yes", "--no-install-recommends"];
    let arguments: Vec<_> = install.iter().chain(packages).copied().collect();
    let are_old = lists_are_old();
    if !are_old && apt_get(&arguments)? {
        return Ok(());
    }
    println!("Fetching the package lists first.");
    let are_fetched = apt_get(&["update"])?;
    // A machine whose sources are only in part in reach may have what is needed.
    ensure!(are_fetched || are_old, "apt-get update failed, see above");
    if let Some(bytes) = to_fetch(packages) {
        println!("Now the packages{}.", in_megabytes(Some(bytes)));
    }
    ensure!(
        apt_get(&arguments)?,
        "apt-get could not install {}, see above",
        packages.join(", ")
    );
    Ok(())
}

/// Whether the package lists are not of today: apt-get rewrites its folder of unfinished ones whenever it fetches some.
fn lists_are_old() -> bool {
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    let fetched = fs::metadata("/var/lib/apt/lists/partial").and_then(|folder| folder.modified());
    let age = fetched.ok().and_then(|at| at.elapsed().ok());
    age.is_none_or(|age| age > DAY)
}

fn in_megabytes(bytes: Option<u64>) -> String {
    match bytes {
        Some(bytes) => format!(" ({} MB to fetch)", bytes.div_ceil(1_000_000)),
        None => String::new(),
    }
}

/// How many bytes an install fetches, with everything that these packages need in turn; unknown without package lists.
fn to_fetch(packages: &[&str]) -> Option<u64> {
    let output = Command::new("apt-get")
        .args([
            "install",
            "--print-uris",
            "--yes",
            "--no-install-recommends",
        ])
        .args(packages)
        .output()
        .ok()?;
    let known = output.status.success();
    known.then(|| listed_bytes(&String::from_utf8_lossy(&output.stdout)))
}

/// `'http://…' NAME SIZE SUM`, a line for each.
fn listed_bytes(uris: &str) -> u64 {
    let lines = uris.lines().filter(|line| line.starts_with('\''));
    lines
        .filter_map(|line| line.split_whitespace().nth(2)?.parse::<u64>().ok())
        .sum()
}

/// Debian starts a server as soon as it is installed, and again with the machine. The lab starts its own, in its
/// namespaces, and whoever wants one of these on the machine itself has it installed already.
/// (<https://people.debian.org/~hmh/invokerc.d-policyrc.d-specification.txt>)
const WITHOUT_SERVERS: &str = r#"
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
    trap 'rm -f $policy' EXIT
    trap 'exit 130' INT TERM
    printf '#!/bin/sh\nexit 101\n' > $policy
    chmod 755 $policy
fi
for server in SERVERS; do
    command -v $server > /dev/null || new="$new $server"
done
DEBIAN_FRONTEND=noninteractive apt-get "$@" || exit 1
[ ! -d /run/systemd/system ] || [ -z "$new" ] || systemctl --quiet disable $new || true
"#;

fn apt_get(arguments: &[&str]) -> Result<bool> {
    ensure!(
        has_program("apt-get"),
        "this machine has no apt-get; install the packages in your system's own way"
    );
    let script = WITHOUT_SERVERS.replace("SERVERS", &SERVERS.join(" "));
    let shell = ["sh", "-c", &script, "apt-get"];
    let as_root: &[&str] = match lanparty_lab::is_root() {
        true => &[],
        false => &["sudo"],
    };
    let words: Vec<_> = as_root.iter().chain(&shell).chain(arguments).collect();
    let status = Command::new(words[0]).args(&words[1..]).status();
    Ok(status.context("run apt-get as root")?.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_what_apt_would_fetch() {
        let uris = "Reading package lists...\n\
                    'http://deb.debian.org/a.deb' a_1_amd64.deb 170600 SHA256:00\n\
                    'http://deb.debian.org/b.deb' b_1_all.deb 7633736 SHA256:11\n";
        assert_eq!(listed_bytes(uris), 7_804_336);
        assert_eq!(in_megabytes(Some(listed_bytes(uris))), " (8 MB to fetch)");
        assert_eq!(in_megabytes(None), "");
    }
}
