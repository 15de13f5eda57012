//! `lanparty-relay`: parses, starts logging, runs, answers with an exit code.

use lanparty_net::{privilege, signals};
use lanparty_relay::config::{ArgsError, RelayArgs};
use std::fmt::Display;
use std::process::ExitCode;
use tracing::{error, info};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let args = match RelayArgs::read(std::env::args_os()) {
        Ok(args) => args,
        Err(ArgsError::Usage(error)) => error.exit(),
        Err(ArgsError::File(error)) => return failure(error),
    };
    if let Err(error) = privilege::harden() {
        return failure(format_args!("cannot give up rights: {error}"));
    }
    args.log.clone().start();
    match lanparty_relay::run(args.into(), asked_to_stop()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failure(error),
    }
}

fn failure(error: impl Display) -> ExitCode {
    eprintln!("error: {error}");
    ExitCode::FAILURE
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
