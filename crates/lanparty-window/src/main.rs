//! The program `lanparty`: the player's window.
// A program with a window and no console beside it.
#![cfg_attr(all(windows, not(debug_assertions)), windows_subsystem = "windows")]

use clap::Parser as _;
use lanparty_window::args::Args;
use std::process::ExitCode;

fn main() -> ExitCode {
    #[cfg(target_os = "linux")]
    if let Some(code) = manual() {
        return code;
    }
    match lanparty_window::args::run(Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("lanparty: {error}.");
            ExitCode::FAILURE
        }
    }
}

/// What a package says of the window, if a packager asks.
#[cfg(target_os = "linux")]
fn manual() -> Option<ExitCode> {
    use clap::CommandFactory as _;
    let words: Vec<_> = std::env::args_os().collect();
    lanparty_edge::manual::asked_for(&words, Args::command)
}
