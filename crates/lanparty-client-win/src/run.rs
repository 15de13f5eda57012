//! What a person at a console wants done.

use crate::config::{Args, Command, Config};
use crate::doctor;
use crate::service;
use crate::session::{self, NoRights};
use anyhow::Result;
use lanparty_client_control::connection::Door;
use lanparty_client_control::{Answer, Fix, Request};
use lanparty_client_core::StatusLine;
use lanparty_client_rights::{demand_rights, is_elevated};
use lanparty_client_route::AdapterGuid;
use lanparty_client_service::{Wishes, cli};
use lanparty_ctrl::Text;
use lanparty_edge::{runtime, signals};
use std::process::ExitCode;

/// Does it; answers with how the process ends.
pub(crate) fn run(args: Args) -> Result<ExitCode> {
    if args.list_tap_adapters {
        return doctor::list_adapters().map(|()| ExitCode::SUCCESS);
    }
    match args.command {
        Some(Command::View(command)) => view(command, args.tap_instance_id),
        Some(Command::Service(args)) => service::run(&args).map(ExitCode::from),
        Some(Command::Repair) => repair(),
        None => {
            let config = args.check()?;
            runtime::run(join(config))?
        }
    }
}

/// Asks the service, or looks without it; behind the doctor's rows stands what a start would change.
fn view(command: cli::Command, adapter: Option<AdapterGuid>) -> Result<ExitCode> {
    let has_more = command.is_doctor_for_people();
    let code = cli::run(command, Some(&doctor::Own));
    if has_more {
        doctor::intend(adapter)?;
    }
    Ok(code)
}

/// Undoes what a killed run left: itself as administrator, else through the service, which anybody may ask for that.
fn repair() -> Result<ExitCode> {
    let asked = match is_elevated() {
        true => None,
        false => Door::default().ask(&Request::Fix { fix: Fix::Repair }).ok(),
    };
    let sentence = match asked {
        Some(Answer::Done(sentence)) => sentence,
        Some(Answer::Refused(sentence)) => anyhow::bail!(sentence),
        Some(Answer::Snapshot(_) | Answer::Rows(_)) | None => session::repair()?,
    };
    println!("{sentence}");
    Ok(ExitCode::SUCCESS)
}

/// Joins until somebody presses Ctrl-C or closes the console.
async fn join(config: Config) -> Result<ExitCode> {
    // Whoever presses Ctrl-C from here on is heard, and everything is undone.
    let signal = signals::shutdown();
    let stop = async {
        let signal = signal.await.unwrap_or("no signals can be received");
        tracing::info!(signal, "Leaving the party");
        Text::from(format!("the player ended the client ({signal})"))
    };
    let (line, no_wishes) = (StatusLine::default(), Wishes::default());
    let Config { player, adapter } = config;
    session::play(player, adapter, line, &no_wishes, stop).await?;
    Ok(ExitCode::SUCCESS)
}

/// Asks Windows for an administrator's rights, where that was what was missing and a person is there to give them; says
/// whether another console goes on with it.
pub(crate) fn goes_on_elevated(error: &anyhow::Error, arguments: &str) -> bool {
    error.is::<NoRights>() && !is_elevated() && demand_rights(arguments).is_ok()
}
