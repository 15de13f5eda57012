//! `lanparty-relay`: parses, starts logging, runs, answers with an exit code.

use clap::Parser;
use lanparty_net::log::LogArgs;
use lanparty_net::signals;
use lanparty_relay::config::RelayArgs;
use std::process::ExitCode;
use tracing::{error, info};

/// The public meeting point of a LAN party: carries Ethernet frames between the players of a room
/// and the gateway on the party's LAN.
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    #[command(flatten)]
    relay: RelayArgs,

    #[command(flatten, next_help_heading = "Logs")]
    log: LogArgs,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    cli.log.start();
    match lanparty_relay::run(cli.relay.into(), asked_to_stop()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
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
