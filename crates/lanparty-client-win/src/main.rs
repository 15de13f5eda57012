//! The Windows client: one file that joins a LAN party and leaves the PC as it was.
//!
//! [`config`] says what a player wants, [`run`] tells the whole story from there. Whatever it changes
//! is a [`change::Change`], written into the [`journal`] before it is made and undone with its guard, or
//! by the next start. [`adapter`] gets hold of the adapter, [`absence`] says how long to wait for one that
//! went away, [`party`] makes its settings, [`pins`] the routes; [`firewall`] and [`doctor`] only look. Everything compiles on every system; what it needs of Windows is
//! in `lanparty-client-route` and `lanparty-client-tap`, which say elsewhere that they cannot.

mod absence;
#[allow(clippy::disallowed_methods, reason = "shell: waits for the adapter")]
mod adapter;
mod change;
mod config;
mod doctor;
#[cfg(test)]
mod fake_pc;
mod firewall;
mod journal;
mod party;
mod pins;
#[allow(clippy::disallowed_methods, reason = "shell: runs everything")]
mod run;
#[allow(
    clippy::disallowed_methods,
    reason = "shell: owns the file with the status"
)]
mod status;
mod system;

use clap::Parser as _;
use lanparty_client_core::sentence;
use std::io::{self, IsTerminal as _};
use std::process::ExitCode;

fn main() -> ExitCode {
    let args = config::Args::parse();
    args.log.clone().start();
    match run::run(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", sentence(&*error));
            let_it_be_read();
            ExitCode::FAILURE
        }
    }
}

/// A window that a link or the start menu has opened would close over the sentence.
fn let_it_be_read() {
    if lanparty_client_route::owns_console() && io::stdin().is_terminal() {
        eprintln!("Press Enter to close this window.");
        let _ = io::stdin().read_line(&mut String::new());
    }
}
