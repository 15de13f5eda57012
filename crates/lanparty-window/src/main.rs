//! The program `lanparty`: the player's window.
// A program with a window and no console beside it.
#![cfg_attr(all(windows, not(debug_assertions)), windows_subsystem = "windows")]

use clap::Parser as _;
use lanparty_window::args::Args;
use std::process::ExitCode;

fn main() -> ExitCode {
    let words: Vec<_> = std::env::args_os().collect();
    // A window is open for an evening, and everybody on this PC may read its command line.
    lanparty_edge::privilege::hide_secrets(&words);
    #[cfg(target_os = "linux")]
    if let Some(code) = manual(&words) {
        return code;
    }
    match lanparty_window::run::run(Args::parse_from(words)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("lanparty: {error}.");
            ExitCode::FAILURE
        }
    }
}

/// What a package says of the window, if a packager asks.
#[cfg(target_os = "linux")]
fn manual(words: &[std::ffi::OsString]) -> Option<ExitCode> {
    use clap::CommandFactory as _;
    lanparty_edge::manual::asked_for(words, Args::command)
}
