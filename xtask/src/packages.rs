//! The Debian packages that the lab and the demo use.

use std::env;
use std::io::{self, IsTerminal, Write};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail, ensure};
use lanparty_lab::missing_packages;

/// What the other tasks begin with: says nothing when nothing is missing, and goes on without what it
/// may not or cannot install, because each task names what it then lacks.
pub(crate) fn prepare() {
    if missing_packages().is_empty() {
        return;
    }
    if let Err(error) = run() {
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
        "{what_uses} these Debian packages: {}.",
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

/// Package lists may be absent or old on a fresh machine: when the install fails, they are fetched and it runs again.
fn install(packages: &[&str]) -> Result<()> {
    let install = ["install", "--yes", "--no-install-recommends"];
    let arguments: Vec<_> = install.iter().chain(packages).copied().collect();
    if apt_get(&arguments)? {
        return Ok(());
    }
    println!("Fetching the package lists first.");
    ensure!(apt_get(&["update"])?, "apt-get update failed, see above");
    ensure!(
        apt_get(&arguments)?,
        "apt-get could not install {}, see above",
        packages.join(", ")
    );
    Ok(())
}

fn apt_get(arguments: &[&str]) -> Result<bool> {
    let mut command = if lanparty_lab::is_root() {
        Command::new("apt-get")
    } else {
        Command::new("sudo")
    };
    if !lanparty_lab::is_root() {
        command.args(["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"]);
    }
    command
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive");
    match command.status() {
        Ok(status) => Ok(status.success()),
        Err(error) => bail!(
            "this machine has no apt-get ({error}); install the packages in your system's own way"
        ),
    }
}
