//! The gateway program; what it does is in the library.

use std::process::ExitCode;

#[cfg(target_os = "linux")]
fn main() -> ExitCode {
    use clap::Parser as _;
    let args = lanparty_gateway::Args::parse();
    args.log.clone().start();
    let outcome = args
        .load()
        .map_err(anyhow::Error::from)
        .and_then(|config| lanparty_gateway::run(&config));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn main() -> ExitCode {
    eprintln!("error: the gateway needs Linux: run it on a Linux machine on the LAN.");
    ExitCode::FAILURE
}
