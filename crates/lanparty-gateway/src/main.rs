//! The gateway program; what it does is in the library.

use std::process::ExitCode;

#[cfg(target_os = "linux")]
fn main() -> ExitCode {
    use anyhow::Context as _;
    use clap::Parser as _;
    use lanparty_gateway::invite::InviteArgs;
    let hardened = lanparty_net::privilege::harden().context("cannot give up rights");
    let outcome = hardened.and_then(|()| match InviteArgs::wanted(std::env::args_os()) {
        Some(words) => InviteArgs::parse_from(words).run(),
        None => run(lanparty_gateway::Args::parse()),
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(target_os = "linux")]
fn run(args: lanparty_gateway::Args) -> anyhow::Result<()> {
    args.log.clone().start();
    lanparty_gateway::run(&args.load()?)
}

#[cfg(not(target_os = "linux"))]
fn main() -> ExitCode {
    eprintln!("error: the gateway needs Linux: run it on a Linux machine on the LAN.");
    ExitCode::FAILURE
}
