//! `status`.

use super::{Code, DoorArgs, Outcome, Trouble, say, show};
use clap::Args;
use lanparty_client_control::connection::DoorError;
use lanparty_client_control::{Snapshot, State};

/// How it is said.
#[derive(Debug, Clone, Default, Args)]
pub struct StatusArgs {
    /// Say it as one line of JSON, for programs.
    #[arg(long)]
    json: bool,

    /// Say it again whenever something changes, until Ctrl-C.
    #[arg(long)]
    watch: bool,

    #[command(flatten)]
    door: DoorArgs,
}

pub(super) fn run(args: &StatusArgs) -> Outcome {
    if args.watch {
        return watch(args);
    }
    let snapshot = args.door.snapshot()?;
    say_it(&snapshot, args.json)?;
    Ok(match snapshot.state {
        State::Connected => Code::Done,
        State::NotConnected
        | State::Connecting
        | State::WaitingForGateway
        | State::Reconnecting
        | State::CannotConnect => Code::NotConnected,
    })
}

/// Programs get every snapshot, people what is new in them.
fn watch(args: &StatusArgs) -> Outcome {
    let mut said = None;
    for snapshot in args.door.watch()? {
        let snapshot = snapshot?;
        let headline = (snapshot.state, snapshot.sentence.clone());
        if args.json || said.as_ref() != Some(&headline) {
            match args.json {
                true => say_it(&snapshot, true)?,
                false => say(format_args!("{}: {}", snapshot.state, snapshot.sentence))?,
            }
            said = Some(headline);
        }
    }
    Err(DoorError::NotRunning.into())
}

fn say_it(snapshot: &Snapshot, json: bool) -> Result<(), Trouble> {
    say(text(snapshot, json))
}

/// How things stand, for people or for programs.
pub fn text(snapshot: &Snapshot, json: bool) -> String {
    match json {
        true => serde_json::to_string(snapshot).expect("a snapshot is JSON"),
        false => show::status(snapshot).trim_end().to_owned(),
    }
}
