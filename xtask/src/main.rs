//! `cargo xtask …`: what people and machines do with this repository.

#![allow(
    clippy::disallowed_methods,
    reason = "shell: a tool that runs other programs"
)]

mod bench;
mod build;
mod cargo;
mod debian_rust;
mod demo;
mod dist;
mod fuzz;
mod packages;
mod packages_test;
mod pictures;
mod setup;
mod stages;
mod suites;
mod test;
mod tools;
mod watch;
mod windows;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(
    name = "cargo xtask",
    about = "Test, show and measure a LAN party over the internet."
)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Shows a whole LAN party on this machine: DHCP, ping, a game found by broadcast, a file copied. Needs root.
    Demo {
        /// Leave the party running until Ctrl-C, and print how to enter each machine.
        #[arg(long)]
        keep: bool,
        /// How many players join from far away.
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=8))]
        players: u8,
        /// Show one player's window, or where there is no display a picture of it.
        #[arg(long, conflicts_with_all = ["keep", "players"])]
        window: bool,
        /// Show a party that plays on while its relay is killed: three relays, three etcd.
        #[arg(long, conflicts_with_all = ["keep", "players", "window"])]
        fleet: bool,
    },
    /// Checks everything that can be checked on this machine, and says what it had to skip.
    Test,
    /// Runs the tests that need real frames: network namespaces, real programs. Needs root.
    Lab {
        /// Only suites and tests whose name contains this, such as `mtu_1280` or `games`; those that
        /// have a short and a whole form, such as `evening`, in their whole form.
        #[arg(long, value_name = "NAME")]
        scenario: Option<String>,
        /// How long the scenario `soak` lasts.
        #[arg(long, requires = "scenario", value_parser = clap::value_parser!(u32).range(1..=10_000))]
        minutes: Option<u32>,
    },
    Bench(bench::Arguments),
    /// Looks for input that breaks a promise, with libFuzzer; installs cargo-fuzz if it is missing.
    Fuzz {
        /// How long each target runs.
        #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        minutes: u32,
        /// One target alone, such as `room`.
        target: Option<String>,
    },
    /// Builds, lints and tests the Windows client on Linux: with mingw, under Wine, at a party in the lab. Needs root.
    Windows {
        /// Only lab tests whose name contains this.
        #[arg(long, value_name = "NAME")]
        scenario: Option<String>,
        /// Also play for so many minutes and watch whether the client's memory and handles grow.
        #[arg(long, value_name = "MINUTES")]
        soak: Option<u32>,
        /// Only what CI has the time for: all lints and unit tests, the installer, and one evening with a quick build.
        #[arg(long, conflicts_with_all = ["scenario", "soak"])]
        ci: bool,
    },
    Dist(dist::Arguments),
    /// Installs, upgrades and purges the Debian packages on a Debian in a folder. Needs root.
    PackagesTest,
    /// Builds and runs the lab's suites with the programs that are built already, as `test` and `lab` do.
    #[command(hide = true)]
    Suites {
        /// What goes to each of them.
        filter: Vec<String>,
    },
    /// Makes the pictures of terminals in docs/pictures anew, from programs that run. Needs root.
    Pictures,
    /// Installs the Debian packages that the lab and the demo use, and what cargo lacks for `test`.
    Setup,
}

fn main() -> ExitCode {
    match run(&Arguments::parse().task) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: &Task) -> Result<ExitCode> {
    match task {
        Task::Demo { fleet: true, .. } => {
            packages::prepare_for(&demo::FLEET_NEEDS, "The demo also uses");
        }
        Task::Demo { .. } => packages::prepare_for(&demo::NEEDS, "The demo also uses"),
        Task::Pictures => packages::prepare_for(&pictures::NEEDS, "The pictures also use"),
        Task::Test | Task::Lab { .. } | Task::Bench(_) | Task::Windows { .. } => {
            packages::prepare();
        }
        _ => {}
    }
    match task {
        Task::Demo { fleet: true, .. } => demo::run(demo::Show::Fleet),
        Task::Demo { window: true, .. } => demo::run(demo::Show::Window),
        Task::Demo {
            keep: true,
            players,
            ..
        } => demo::run(demo::Show::Stay(*players)),
        Task::Demo { players, .. } => demo::run(demo::Show::Players(*players)),
        Task::Test => test::everything(),
        Task::Lab { scenario, minutes } => test::lab(scenario.as_deref(), *minutes),
        Task::Bench(arguments) => bench::run(arguments),
        Task::Fuzz { minutes, target } => fuzz::run(*minutes, target.as_deref()),
        Task::Windows { ci: true, .. } => windows::quickly(),
        Task::Windows { scenario, soak, .. } => windows::run(scenario.as_deref(), *soak),
        Task::Dist(arguments) => dist::run(arguments),
        Task::Pictures => pictures::run(),
        Task::PackagesTest => packages_test::run(),
        Task::Suites { filter } => suites::run(filter),
        Task::Setup => setup::everything(),
    }
}
