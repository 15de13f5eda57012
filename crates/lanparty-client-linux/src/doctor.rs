//! `lanparty-client doctor`: what is wrong with this machine. It looks with whatever rights it was started with.

use crate::{dhcp, route};
use clap::{CommandFactory as _, FromArgMatches as _, Parser};
use lanparty_client_control::Party;
use lanparty_client_control::connection::Door;
use lanparty_doctor::text::{self, Wish};
use lanparty_doctor::{Hands, Patient};
use lanparty_edge::address::RelayAddress;
use std::ffi::OsString;
use std::io::{self, IsTerminal as _};
use std::process::ExitCode;

/// Looks at this machine and says what is in the way of a party.
///
/// One row for each thing: ✓ as it should be, ! it may be in the way, ✗ it is in the way, with what helps. Needs no rights, no link
/// and no service; changes nothing without --fix. Ends with 1 when something is in the way.
#[derive(Debug, Parser)]
#[command(name = "lanparty-client doctor", max_term_width = 100)]
struct Args {
    /// Mend what can be mended; what changes is said first.
    #[arg(long)]
    fix: bool,

    /// Answer in JSON.
    #[arg(long)]
    json: bool,

    /// The relay that is to be reached [default: that of the party that the service has joined, or joined last].
    #[arg(long, value_name = "HOST[:PORT]")]
    relay: Option<RelayAddress>,
}

/// Runs it, if `words`, with which this program was started, ask for it.
pub(crate) fn asked_for(words: &[OsString]) -> Option<ExitCode> {
    let [_, command, ..] = words else {
        return None;
    };
    (command == "doctor").then(|| run(parse(&words[1..])))
}

fn parse(words: &[OsString]) -> Args {
    let matches = Args::command().get_matches_from(words);
    Args::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
}

fn run(args: Args) -> ExitCode {
    let patient = Patient {
        party: args.relay.map(party),
        repairs_itself: true,
        ..Patient::new(Door::default())
    };
    let wish = Wish {
        fix: args.fix,
        json: args.json,
    };
    if io::stderr().is_terminal() && !wish.json {
        eprintln!("Looking at this computer …");
    }
    match text::run(&patient, wish, Some(&Own), &mut io::stdout().lock()) {
        Ok(true) => ExitCode::SUCCESS,
        // Nobody reads any more, which is theirs to say.
        Ok(false) | Err(_) => ExitCode::FAILURE,
    }
}

fn party(relay: RelayAddress) -> Party {
    Party {
        room: String::new(),
        name: None,
        relay: relay.to_string(),
        expires: None,
        joined_by: None,
    }
}

/// What this program can do without the service.
struct Own;

impl Hands for Own {
    fn repair(&self) -> Result<String, String> {
        dhcp::remove_leftovers();
        route::remove_leftovers()
            .map_err(|error| format!("the routes cannot be removed ({error})"))?;
        Ok("What the killed run left is removed.".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flags_are_spelled_like_this() {
        let words = |line: &str| line.split(' ').map(OsString::from).collect::<Vec<_>>();
        let args = parse(&words("doctor --fix --json --relay relay.example.net"));
        assert!(args.fix && args.json);
        assert_eq!(args.relay.unwrap().to_string(), "relay.example.net:443");
        assert!(asked_for(&words("lanparty-client lanparty://x")).is_none());
        assert!(asked_for(&words("lanparty-client")).is_none());
    }
}
