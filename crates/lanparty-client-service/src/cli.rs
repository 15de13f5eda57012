//! The commands with which a person at a terminal speaks to the service: a view like the window.
//!
//! Both client programs have them. Each ends with a [`Code`] that scripts can use, and with one sentence where it could
//! not do what it was asked for.

mod join;
mod ping;
mod show;
mod status;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod told;

pub use status::text as status_text;

use clap::{Args, Subcommand};
use lanparty_client_control::connection::{Door, DoorError, Watch};
use lanparty_client_control::{Answer, Party, Request, Snapshot};
use lanparty_doctor::{Hands, Patient, text};
use lanparty_edge::address::RelayAddress;
use std::fmt::Display;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

/// What `--help` says about ends; packagers' man pages have it from there.
pub const EXIT_CODES: &str = "\
A command that speaks to the service ends with:
  0  it is done; for `status` and `join`: connected
  1  it failed, and a sentence says why
  2  the command line is wrong
  3  not connected to a party, or not yet
  4  the service does not run, or does not answer
  5  you may not use the service";

/// What the service can be asked for.
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// Join a party, and stay in it until `leave`; the invite is kept for the next time.
    Join(join::JoinArgs),
    /// Leave the party.
    Leave(DoorArgs),
    /// Say how things stand.
    Status(status::StatusArgs),
    /// Say how long the way to the party takes, once a second.
    Ping(ping::PingArgs),
    /// List the game servers that are on.
    Games(DoorArgs),
    /// Look at this computer, its network and the service, and say what is in the way; works without the service too. Ends with 1 when
    /// something is.
    Doctor(DoctorArgs),
    /// Say which invite is joined, without its secrets.
    Invite(DoorArgs),
    /// List the rooms whose invites are kept for you; `join NAME` joins one.
    Rooms(DoorArgs),
    /// Forget a kept invite.
    Forget(ForgetArgs),
    /// Join your last room by itself when this computer starts, or not.
    #[command(name = "autojoin")]
    AutoJoin(SwitchArgs),
    /// Take direct paths to hosts, or have everything go by relays, so that no host sees your internet address; it holds from
    /// the next `join` on.
    Direct(SwitchArgs),
}

impl Command {
    /// Whether a person reads what the doctor says, after which a program may say more.
    pub fn is_doctor_for_people(&self) -> bool {
        matches!(self, Command::Doctor(DoctorArgs { json: false, .. }))
    }
}

/// Where the service is.
#[derive(Debug, Clone, Default, Args)]
pub struct DoorArgs {
    /// Where the service listens, if not where the installed one does.
    #[arg(long, value_name = "FILE")]
    socket: Option<PathBuf>,
}

/// Which room.
#[derive(Debug, Clone, Args)]
pub struct ForgetArgs {
    /// Its name, as `rooms` says it.
    #[arg(value_name = "NAME")]
    room: String,

    #[command(flatten)]
    door: DoorArgs,
}

/// What the doctor does besides looking.
#[derive(Debug, Clone, Args)]
pub struct DoctorArgs {
    /// Mend what can be mended, a firewall here that keeps the party away included; says first what that changes.
    #[arg(long)]
    fix: bool,

    /// Say it as JSON, for programs.
    #[arg(long)]
    json: bool,

    /// Look for the way to this relay, instead of that of the party that is joined or kept. A second one, or a second address
    /// of the same, tells what kind of NAT is in between.
    #[arg(long, value_name = "HOST[:PORT]")]
    relay: Vec<RelayAddress>,

    #[command(flatten)]
    door: DoorArgs,
}

/// On or off.
#[derive(Debug, Clone, Args)]
pub struct SwitchArgs {
    /// Whether.
    #[arg(value_enum)]
    switch: Switch,

    #[command(flatten)]
    door: DoorArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Switch {
    On,
    Off,
}

/// How a command ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// It is done.
    Done = 0,
    /// It is not.
    Failed = 1,
    /// There is no party, or no way to it yet.
    NotConnected = 3,
    /// Nobody answers.
    NoService = 4,
    /// The system does not let this person ask.
    NotPermitted = 5,
}

/// Why a command did not do what it was asked for.
#[derive(Debug)]
struct Trouble {
    code: Code,
    sentence: String,
}

/// What was said, and how it ended.
type Outcome = Result<Code, Trouble>;

/// Does what a person asks for; what cannot be done is said on standard error. `hands` are what the program can mend
/// without the service.
pub fn run(command: Command, hands: Option<&dyn Hands>) -> ExitCode {
    let outcome = match command {
        Command::Join(args) => join::run(args),
        Command::Leave(door) => ask(&door, &Request::Leave),
        Command::Status(args) => status::run(&args),
        Command::Ping(args) => ping::run(&args),
        Command::Games(door) => door.snapshot().and_then(|snapshot| show::games(&snapshot)),
        Command::Doctor(args) => doctor(&args, hands),
        Command::Invite(door) => door.snapshot().and_then(|snapshot| show::invite(&snapshot)),
        Command::Rooms(door) => door.snapshot().and_then(|snapshot| show::rooms(&snapshot)),
        Command::Forget(ForgetArgs { room, door }) => ask(&door, &Request::Forget { room }),
        Command::AutoJoin(SwitchArgs { switch, door }) => {
            let on = switch == Switch::On;
            ask(&door, &Request::AutoJoin { on })
        }
        Command::Direct(SwitchArgs { switch, door }) => {
            let on = switch == Switch::On;
            ask(&door, &Request::Direct { on })
        }
    };
    let code = outcome.unwrap_or_else(|trouble| {
        // Without standard error there is nobody to tell.
        let _ = writeln!(io::stderr(), "error: {}", trouble.sentence);
        trouble.code
    });
    ExitCode::from(code as u8)
}

impl DoorArgs {
    fn door(&self) -> Door {
        self.socket.clone().map_or_else(Door::default, Door::at)
    }

    /// Asks; whom the system does not let in is asked for an administrator's word, where there is somebody to ask.
    fn ask(&self, request: &Request) -> Result<Answer, DoorError> {
        match self.door().ask(request) {
            Err(DoorError::NotPermitted) => match self.by_polkit() {
                Some(door) => door.ask(request),
                None => Err(DoorError::NotPermitted),
            },
            asked => asked,
        }
    }

    fn watch(&self) -> Result<Watch, DoorError> {
        match self.door().watch() {
            Err(DoorError::NotPermitted) => match self.by_polkit() {
                Some(door) => door.watch(),
                None => Err(DoorError::NotPermitted),
            },
            watch => watch,
        }
    }

    /// A script is not asked for passwords.
    fn by_polkit(&self) -> Option<Door> {
        let is_seen = io::stdin().is_terminal() && io::stderr().is_terminal();
        (is_seen && self.socket.is_none()).then(Door::asked_of_polkit)?
    }

    fn snapshot(&self) -> Result<Snapshot, Trouble> {
        match self.ask(&Request::Status)? {
            Answer::Snapshot(snapshot) => Ok(*snapshot),
            Answer::Refused(sentence) => Err(Trouble::failed(sentence)),
            Answer::Done(_) | Answer::Rows(_) => Err(Trouble::strange()),
        }
    }
}

fn doctor(args: &DoctorArgs, hands: Option<&dyn Hands>) -> Outcome {
    let patient = Patient {
        repairs_itself: hands.is_some(),
        others: args
            .relay
            .iter()
            .skip(1)
            .map(RelayAddress::to_string)
            .collect(),
        party: args.relay.first().map(|relay| Party {
            room: String::new(),
            name: None,
            relay: relay.to_string(),
            also: Vec::new(),
            others: Vec::new(),
            expires: None,
            joined_by: None,
        }),
        ..Patient::new(args.door.door())
    };
    let wish = text::Wish {
        fix: args.fix,
        json: args.json,
    };
    if io::stderr().is_terminal() && !wish.json {
        // Without standard error there is nobody to tell.
        let _ = writeln!(io::stderr(), "Looking at this computer …");
    }
    match text::run(&patient, wish, hands, &mut io::stdout().lock()) {
        Ok(true) => Ok(Code::Done),
        Ok(false) => Ok(Code::Failed),
        Err(error) => Err(Trouble::failed(format!(
            "nobody reads what this says ({error})"
        ))),
    }
}

/// Asks for something that is answered with a sentence, and says it.
fn ask(door: &DoorArgs, request: &Request) -> Outcome {
    let sentence = done(door.ask(request)?)?;
    say(sentence)?;
    Ok(Code::Done)
}

fn done(answer: Answer) -> Result<String, Trouble> {
    match answer {
        Answer::Done(sentence) => Ok(sentence),
        Answer::Refused(sentence) => Err(Trouble::failed(sentence)),
        Answer::Snapshot(_) | Answer::Rows(_) => Err(Trouble::strange()),
    }
}

/// Says a line, or several. Whoever does not read on has read enough.
fn say(text: impl Display) -> Result<(), Trouble> {
    let mut out = io::stdout().lock();
    let said = writeln!(out, "{text}").and_then(|()| out.flush());
    said.map_err(|error| Trouble::failed(format!("nobody reads what this says ({error})")))
}

impl Trouble {
    fn failed(sentence: String) -> Self {
        let code = Code::Failed;
        Trouble { code, sentence }
    }

    fn not_connected(sentence: impl Into<String>) -> Self {
        Trouble {
            code: Code::NotConnected,
            sentence: sentence.into(),
        }
    }

    fn strange() -> Self {
        DoorError::Strange(io::ErrorKind::InvalidData.into()).into()
    }
}

impl From<DoorError> for Trouble {
    fn from(error: DoorError) -> Self {
        let code = match error {
            DoorError::NotRunning | DoorError::Silent(_) => Code::NoService,
            DoorError::NotPermitted => Code::NotPermitted,
            DoorError::Impostor(_) | DoorError::Strange(_) => Code::Failed,
        };
        Trouble {
            code,
            sentence: error.to_string(),
        }
    }
}
