//! The Linux client: a TAP adapter that joins a LAN party.
//!
//! [`config`] says what a player wants. [`party`] tells the whole story of a session: [`privilege`],
//! [`managers`], [`tap`], [`route`], [`adapter`] and [`overlap`] each change one thing about the machine and undo it. [`run`]
//! plays one at a terminal, [`service`] for whoever asks at its socket.
//! What crosses the tunnel is decided by `lanparty-client-core`, and carried by `lanparty-peer`.
#![cfg_attr(
    not(target_os = "linux"),
    allow(unused, reason = "elsewhere this is not the client")
)]

#[cfg(target_os = "linux")]
#[allow(
    clippy::disallowed_methods,
    reason = "shell: watches the adapter by the clock"
)]
mod adapter;
#[cfg(target_os = "linux")]
mod address;
mod barrier;
#[cfg(target_os = "linux")]
mod bridge;
#[cfg(target_os = "linux")]
mod config;
#[cfg(target_os = "linux")]
#[allow(
    clippy::disallowed_methods,
    reason = "shell: reads who was told of DNS servers"
)]
mod dns;
#[cfg(target_os = "linux")]
#[allow(
    clippy::disallowed_methods,
    reason = "shell: a socket, and who is to blame, by the clock"
)]
mod ear;
#[cfg(target_os = "linux")]
#[allow(clippy::disallowed_methods, reason = "shell: hears home's interface")]
mod ears;
#[cfg(target_os = "linux")]
#[allow(clippy::disallowed_methods, reason = "shell: reads who knows names")]
mod home;
#[cfg(target_os = "linux")]
#[allow(
    clippy::disallowed_methods,
    reason = "shell: owns the adapter's settings"
)]
mod link;
#[cfg(target_os = "linux")]
#[allow(
    clippy::disallowed_methods,
    reason = "shell: speaks to network managers"
)]
mod managers;
#[cfg(target_os = "linux")]
mod overlap;
#[cfg(target_os = "linux")]
#[allow(clippy::disallowed_methods, reason = "shell: plays")]
mod party;
#[cfg(target_os = "linux")]
mod privilege;
#[cfg(target_os = "linux")]
#[allow(clippy::disallowed_methods, reason = "shell: reads /proc")]
mod process;
#[cfg(target_os = "linux")]
#[allow(clippy::disallowed_methods, reason = "shell: owns the host routes")]
mod route;
#[cfg(target_os = "linux")]
mod rule;
#[cfg(target_os = "linux")]
#[allow(clippy::disallowed_methods, reason = "shell: runs everything")]
mod run;
#[cfg(target_os = "linux")]
#[allow(clippy::disallowed_methods, reason = "shell: the service")]
mod service;
#[cfg(target_os = "linux")]
mod systemd;
#[cfg(target_os = "linux")]
mod tap;
#[cfg(all(test, target_os = "linux"))]
mod told;

use std::process::ExitCode;

#[cfg(target_os = "linux")]
fn main() -> ExitCode {
    use clap::{CommandFactory as _, Parser as _};
    use config::Command;
    use lanparty_client_core::sentence;
    use lanparty_client_service::cli;
    use lanparty_edge::speech;
    let words: Vec<_> = std::env::args_os().collect();
    lanparty_edge::privilege::hide_secrets(&words);
    if let Some(code) = lanparty_edge::manual::asked_for(&words, config::Args::command) {
        return code;
    }
    let args = config::Args::parse_from(words);
    let ended = match args.command.clone() {
        // Whoever only asks the service may have to ask an administrator first, which a hardened program cannot.
        Some(Command::View(command)) => return cli::run(command, Some(&party::Own)),
        Some(Command::Bridge) => return bridge::run(),
        Some(Command::KeepManagersAway { tap, parent }) => {
            return managers::warden::main(tap.as_str(), parent);
        }
        Some(Command::Service(args)) => {
            let hardened = harden();
            args.log.clone().start();
            hardened.and_then(|()| service::run(*args))
        }
        None => {
            let hardened = harden();
            args.log.clone().start();
            hardened.and_then(|()| args.check()).and_then(run::run)
        }
    };
    let code = match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            speech::complain(format_args!("error: {}", sentence(&*error)));
            ExitCode::FAILURE
        }
    };
    speech::finish();
    code
}

#[cfg(target_os = "linux")]
fn harden() -> anyhow::Result<()> {
    use anyhow::Context as _;
    lanparty_edge::privilege::harden().context("cannot give up rights")
}

#[cfg(not(target_os = "linux"))]
fn main() -> ExitCode {
    eprintln!("error: this is the client for Linux; other systems have a client of their own.");
    ExitCode::FAILURE
}
