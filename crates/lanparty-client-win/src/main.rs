//! The Windows client: one file that joins a LAN party and leaves the PC as it was.
//!
//! [`config`] says what a player wants; [`session`] tells the whole story of a party, which [`run`] plays at a console and
//! [`service`] for whoever asks at its pipe. Whatever it changes is a [`change::Change`], written into the [`journal`] before it is made and undone with its guard, or
//! by the next start. [`adapter`] gets hold of the adapter, [`absence`] says how long to wait for one that
//! went away, [`party`] makes its settings, [`pins`] the routes; [`look`], [`firewall`] and [`doctor`] only look. [`running`]
//! sees to it that there is one client at a time. Everything
//! compiles on every system; what it needs of Windows is in `lanparty-client-route` and `lanparty-client-tap`, which
//! say elsewhere that they cannot.

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
#[allow(clippy::disallowed_methods, reason = "shell: asks in threads")]
mod look;
mod overlap;
mod party;
mod pins;
#[allow(clippy::disallowed_methods, reason = "shell: runs everything")]
mod run;
mod running;
#[allow(clippy::disallowed_methods, reason = "shell: owns the service's log")]
mod service;
#[allow(clippy::disallowed_methods, reason = "shell: plays")]
mod session;
mod system;

use clap::Parser as _;
use lanparty_client_core::sentence;
use lanparty_client_route as ip;
use lanparty_edge::speech;
use std::io::{self, IsTerminal as _};
use std::process::ExitCode;

fn main() -> ExitCode {
    let args = config::Args::parse();
    args.log.clone().start();
    let is_an_answer = args.command.is_some() || args.list_tap_adapters;
    match run::run(args) {
        Ok(code) => {
            speech::finish();
            if is_an_answer {
                let_it_be_read();
            }
            code
        }
        Err(error) if is_seen() && run::goes_on_elevated(&error, &ip::own_arguments()) => {
            ExitCode::SUCCESS
        }
        Err(error) => {
            speech::complain(format_args!("error: {}", sentence(&*error)));
            speech::finish();
            let_it_be_read();
            ExitCode::FAILURE
        }
    }
}

fn is_seen() -> bool {
    io::stdin().is_terminal() && io::stdout().is_terminal()
}

/// A window that was opened for this program, by a link, the start menu or the question for an administrator's rights,
/// would close over what it says.
fn let_it_be_read() {
    if is_seen() && ip::owns_console() {
        // A person may have pasted more than was asked for.
        ip::forget_typed();
        eprintln!("Press Enter to close this window.");
        let _ = io::stdin().read_line(&mut String::new());
    }
}
