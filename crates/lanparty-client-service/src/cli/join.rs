//! `join`.

use super::{Code, DoorArgs, Outcome, Trouble, done, say, show};
use clap::Args;
use lanparty_client_control::{Answer, Request, Secret, State};
use lanparty_ctrl::Name;
use lanparty_edge::invite::{InviteSource, InviteSourceError};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// What is said when it takes longer than somebody waits.
pub(super) const NOT_YET: &str =
    "not on the LAN yet; the service goes on trying, `status` says how it goes";
/// And when another view wants something else meanwhile.
pub(super) const LEFT: &str =
    "somebody has left the party meanwhile; join again, if it was not you";

/// Which party, and as whom.
#[derive(Debug, Clone, Args)]
pub struct JoinArgs {
    /// The invite: lanparty://…, @FILE to read it from a file, - to read it from standard input; or the name of a room
    /// whose invite is kept (`rooms` lists them). Other users of this machine see what stands on a command line, but
    /// not in a file of yours.
    #[arg(value_name = "INVITE|@FILE|-|NAME")]
    what: Whereto,

    /// What the host and the others shall call you, from now on: up to 32 characters.
    #[arg(long, value_name = "NAME")]
    name: Option<Name>,

    /// How long to wait until you are on the LAN, in seconds; the service goes on trying after that. 0 does not wait.
    #[arg(long, value_name = "SECS", default_value_t = 30)]
    wait: u64,

    #[command(flatten)]
    door: DoorArgs,
}

/// A kept room's name, or where an invite is.
#[derive(Debug, Clone)]
enum Whereto {
    Room(String),
    Invite(InviteSource),
}

/// What has a sign of an invite is meant as one, with its scheme or without, and read as one; no room's name has such.
impl From<String> for Whereto {
    fn from(text: String) -> Self {
        let is_invite = text == "-" || text.starts_with('@') || text.contains(['/', '#', ':']);
        match is_invite || text.len() > 200 {
            true => Whereto::Invite(text.into()),
            false => Whereto::Room(text),
        }
    }
}

impl Whereto {
    /// The file that is called as the room should be.
    fn file(&self) -> Option<PathBuf> {
        match self {
            Whereto::Room(room) => Some(PathBuf::from(room)).filter(|file| file.is_file()),
            Whereto::Invite(_) => None,
        }
    }
}

pub(super) fn run(args: JoinArgs) -> Outcome {
    let JoinArgs {
        what,
        name,
        wait,
        door,
    } = args;
    let file = what.file();
    let name = name.map(|name| name.as_str().to_owned());
    let request = match what {
        Whereto::Room(room) => Request::JoinRoom { room, name },
        Whereto::Invite(source) => {
            let read = source.read();
            let invite = read.map_err(|error| Trouble::failed(lanparty_edge::sentence(&error)))?;
            Request::Join {
                invite: Secret::new(invite.reveal()),
                name,
            }
        }
    };
    match (door.ask(&request)?, file) {
        // Somebody has forgotten the sign before a file's name.
        (Answer::Refused(_), Some(file)) => {
            let sentence = InviteSourceError::FileName(file).to_string();
            return Err(Trouble::failed(sentence));
        }
        (answer, _) => say(done(answer)?)?,
    }
    match wait {
        0 => Ok(Code::Done),
        seconds => until_connected(&door, Duration::from_secs(seconds)),
    }
}

/// Says each new sentence until the player is on the LAN, or cannot come.
fn until_connected(door: &DoorArgs, patience: Duration) -> Outcome {
    let deadline = Instant::now() + patience;
    let mut said = String::new();
    let mut is_compared = false;
    for snapshot in door.watch()? {
        let snapshot = snapshot?;
        if !std::mem::replace(&mut is_compared, true)
            && let Some(sentence) = show::versions_differ(&snapshot)
        {
            say(sentence)?;
        }
        let is_over = match snapshot.state {
            State::Connected => Some(Ok(Code::Done)),
            State::CannotConnect => Some(Err(Trouble::failed(snapshot.sentence.clone()))),
            State::NotConnected => Some(Err(Trouble::not_connected(LEFT))),
            State::Connecting | State::WaitingForGateway | State::Reconnecting => None,
        };
        if let Some(outcome @ Err(_)) = is_over {
            return outcome;
        }
        if snapshot.sentence != said {
            said.clone_from(&snapshot.sentence);
            say(&said)?;
        }
        match is_over {
            Some(outcome) => return outcome,
            None if Instant::now() >= deadline => {
                return Err(Trouble::not_connected(NOT_YET));
            }
            None => {}
        }
    }
    Err(lanparty_client_control::connection::DoorError::NotRunning.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_kept_room_and_everything_else_an_invite() {
        let is_room = |text: &str| matches!(Whereto::from(text.to_owned()), Whereto::Room(_));
        assert!(is_room("FRIDAY-LAN") && is_room("Friday night"));
        for invite in [
            "-",
            "@invite.txt",
            "lanparty://r/X#key=k",
            "LANPARTY:/r/X",
            "https://x/#k",
            "r.example/FRIDAY#key=k",
            "r.example/FRIDAY/k",
            "r.example:443",
        ] {
            assert!(!is_room(invite), "{invite}");
        }
    }
}
