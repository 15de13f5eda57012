//! `lanparty-relay`: parses, starts logging, runs, answers with an exit code.

use lanparty_edge::ending::{FAILED, WRONG_SETTINGS, ended, told};
use lanparty_edge::{privilege, runtime, signals, speech};
use lanparty_relay::Config;
use lanparty_relay::config::{ArgsError, RelayArgs};
use std::process::ExitCode;
use tracing::{error, info};

fn main() -> ExitCode {
    let code = run();
    speech::finish();
    code
}

fn run() -> ExitCode {
    let words: Vec<_> = std::env::args_os().collect();
    privilege::hide_secrets(&words);
    #[cfg(target_os = "linux")]
    if let Some(code) = lanparty_edge::manual::asked_for(&words, whole) {
        return code;
    }
    #[cfg(target_os = "linux")]
    if words.get(1).is_some_and(|word| word == "ctl") {
        use clap::Parser as _;
        return match lanparty_relay::ctl::CtlArgs::parse_from(&words[1..]).run() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => told(&*error, FAILED),
        };
    }
    // It says nothing of the relay that runs, which may be well.
    let is_beside = words
        .iter()
        .any(|word| word == "--reload" || word == "--check");
    #[cfg(target_os = "linux")]
    let started_with = words.clone();
    let args = match RelayArgs::read(words) {
        Ok(args) => args,
        Err(ArgsError::Usage(error)) => error.exit(),
        Err(error) if is_beside => return told(&error, WRONG_SETTINGS),
        Err(error) => return ended(&error, WRONG_SETTINGS),
    };
    #[cfg(target_os = "linux")]
    if args.reload && args.tells_starter {
        return match lanparty_relay::reload::leave_successor(&started_with) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => told(&*error, FAILED),
        };
    }
    #[cfg(target_os = "linux")]
    if args.reload {
        let config = Config::try_from(args).map_err(anyhow::Error::from);
        return match config.and_then(|config| lanparty_relay::reload::run(&config, &started_with)) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => told(&*error, FAILED),
        };
    }
    if let Err(error) = privilege::harden() {
        return ended(
            &*anyhow::Error::from(error).context("cannot give up rights"),
            FAILED,
        );
    }
    args.log.clone().start();
    let is_check = args.check;
    let config = match Config::try_from(args) {
        Ok(config) => config,
        Err(error) if is_check => return told(&error, WRONG_SETTINGS),
        Err(error) => return ended(&error, WRONG_SETTINGS),
    };
    if is_check {
        return match lanparty_relay::check(&config) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => told(&error, WRONG_SETTINGS),
        };
    }
    match runtime::run(lanparty_relay::run(config, asked_to_stop())) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(error)) if error.is_for_good() => ended(&error, WRONG_SETTINGS),
        Ok(Err(error)) => ended(&error, FAILED),
        Err(error) => ended(&error, FAILED),
    }
}

/// All that the program understands, for its manual.
#[cfg(target_os = "linux")]
fn whole() -> clap::Command {
    use clap::CommandFactory as _;
    let ctl = lanparty_relay::ctl::CtlArgs::command();
    lanparty_edge::manual::together(RelayArgs::command(), [("ctl", ctl)])
}

async fn asked_to_stop() {
    match signals::shutdown().await {
        Ok(signal) => info!("Stopping for {signal}"),
        Err(error) => {
            error!(%error, "The system refuses to pass signals on: kill the process to stop it");
            std::future::pending::<()>().await;
        }
    }
}
