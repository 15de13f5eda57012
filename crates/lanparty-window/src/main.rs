//! The program `lanparty`: the player's window.
// A program with a window and no console beside it.
#![cfg_attr(all(windows, not(debug_assertions)), windows_subsystem = "windows")]

use clap::Parser as _;
use lanparty_window::args::Args;
use std::process::ExitCode;

fn main() -> ExitCode {
    match lanparty_window::args::run(Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("lanparty: {error}.");
            ExitCode::FAILURE
        }
    }
}
