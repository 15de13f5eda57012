//! Carrying a fix out: the service's by the service, the view's here.

use crate::imp;
use lanparty_client_control::connection::{Door, DoorError};
use lanparty_client_control::{Answer, Fix, Request};
use std::io;
use std::process::{Command, Output, Stdio};

/// What a program can do for its user without the service.
pub trait Hands {
    /// Undoes what a killed run left; answers with a sentence.
    ///
    /// # Errors
    /// A sentence.
    fn repair(&self) -> Result<String, String>;
}

/// Why a thing is not mended.
#[derive(Debug, thiserror::Error)]
pub enum MendError {
    /// The service does not do it.
    #[error("{0}")]
    Refused(String),
    /// The service cannot be asked.
    #[error(transparent)]
    Door(#[from] DoorError),
    /// A program that should have helped could not be run.
    #[error("{0} cannot be run ({1}); an administrator can do the same by hand")]
    NotRun(&'static str, #[source] io::Error),
    /// It was run, and ended with this.
    #[error("{0} did not do it: {1}")]
    Failed(&'static str, String),
    /// Only an account of this machine's own can be put into its groups.
    #[error(
        "your account is not in this computer's own list, so it cannot be put into the group lanparty here; ask whoever \
         keeps your accounts to do that"
    )]
    Elsewhere,
    /// There is nothing to be let through.
    #[error("the party's adapter is not there; join a party first")]
    NoAdapter,
    /// The kernel takes no such rule.
    #[error("the kernel's nftables does not take the rule: {0}")]
    NotOpened(String),
    /// A newer version's fix, or one for another system.
    #[error("this program cannot mend that; install the newest version")]
    Unknown,
}

/// Carries a fix out; answers with a sentence. Blocks while the system asks for an administrator.
///
/// # Errors
/// [`MendError`].
pub fn mend(door: &Door, fix: Fix, hands: Option<&dyn Hands>) -> Result<String, MendError> {
    match fix {
        Fix::StartService => imp::start_service(),
        Fix::RestartService => imp::restart_service(),
        Fix::Permit => imp::permit(),
        Fix::Repair => match (door.ask(&Request::Fix { fix }), hands) {
            (Err(DoorError::NotRunning | DoorError::NotPermitted), Some(hands)) => {
                hands.repair().map_err(MendError::Refused)
            }
            (answer, _) => said(answer?),
        },
        Fix::LetPartyThrough => match imp::let_through()? {
            Some(sentence) => Ok(sentence),
            None => said(door.ask(&Request::Fix { fix })?),
        },
        Fix::RenewAddress | Fix::ResetAdapter => said(door.ask(&Request::Fix { fix })?),
        Fix::Unknown => Err(MendError::Unknown),
    }
}

fn said(answer: Answer) -> Result<String, MendError> {
    match answer {
        Answer::Done(sentence) => Ok(sentence),
        Answer::Refused(sentence) => Err(MendError::Refused(sentence)),
        Answer::Snapshot(_) | Answer::Rows(_) => Err(MendError::Unknown),
    }
}

/// Runs a program of the system's to its end. Nobody types into it; what asks for an administrator has ways of its own.
#[cfg_attr(
    not(any(target_os = "linux", windows)),
    allow(unused, reason = "there is nothing to run elsewhere")
)]
pub(crate) fn run(name: &'static str, command: &mut Command) -> Result<(), MendError> {
    let output = command.stdin(Stdio::null()).output();
    let output = output.map_err(|error| MendError::NotRun(name, error))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(MendError::Failed(name, last_words(&output))),
    }
}

fn last_words(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.lines().rfind(|line| !line.trim().is_empty());
    match last {
        Some(line) => line.trim().chars().take(200).collect(),
        None => output.status.to_string(),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::os::unix::net::UnixListener;
    use std::thread;

    struct Own;

    impl Hands for Own {
        fn repair(&self) -> Result<String, String> {
            Ok("Repaired.".to_owned())
        }
    }

    #[test]
    fn what_the_service_can_do_it_is_asked_to() {
        let folder = tempfile::tempdir().unwrap();
        let door = Door::at(folder.path().join("x.sock"));
        let listener = UnixListener::bind(door.path()).unwrap();
        let service = thread::spawn(move || {
            let says = [Answer::Done("Done.".into()), Answer::Refused("No.".into())];
            says.map(|answer| {
                let (mut stream, _) = listener.accept().unwrap();
                let mut line = String::new();
                let mut lines = BufReader::new(stream.try_clone().unwrap());
                lines.read_line(&mut line).unwrap();
                writeln!(stream, "{}", serde_json::to_string(&answer).unwrap()).unwrap();
                line
            })
        });
        assert_eq!(mend(&door, Fix::Repair, Some(&Own)).unwrap(), "Done.");
        let refused = mend(&door, Fix::RenewAddress, Some(&Own)).unwrap_err();
        assert_eq!(refused.to_string(), "No.");
        let heard = service.join().unwrap();
        assert_eq!(heard[0], "{\"do\":\"fix\",\"fix\":\"repair\"}\n");
        assert_eq!(heard[1], "{\"do\":\"fix\",\"fix\":\"renew_address\"}\n");
    }

    #[test]
    fn without_a_service_a_program_repairs_with_its_own_hands() {
        let folder = tempfile::tempdir().unwrap();
        let door = Door::at(folder.path().join("none.sock"));
        assert_eq!(mend(&door, Fix::Repair, Some(&Own)).unwrap(), "Repaired.");
        let none = mend(&door, Fix::Repair, None).unwrap_err();
        assert!(matches!(none, MendError::Door(DoorError::NotRunning)));
        assert!(mend(&door, Fix::ResetAdapter, Some(&Own)).is_err());
        assert!(matches!(
            mend(&door, Fix::Unknown, None),
            Err(MendError::Unknown)
        ));
    }

    #[test]
    fn a_programs_last_words_say_why() {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "echo first >&2; echo 'not allowed' >&2; exit 3"]);
        let error = run("sh", &mut command).unwrap_err().to_string();
        assert_eq!(error, "sh did not do it: not allowed");
        assert!(run("x", &mut Command::new("/no/such/program")).is_err());
    }
}
