//! A way to the service for who may not connect to its socket: polkit asks for an administrator's word, and a program
//! that pkexec then runs carries lines.

use super::DoorError;
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::thread;
use std::time::Duration;

const PKEXEC: &str = "/usr/bin/pkexec";
/// The program beside this one, and its word for that.
const PROGRAM: &str = "lanparty-client";
const WORD: &str = "bridge";
/// The dialog was dismissed; the user is not authorized (pkexec(1)).
const REFUSED: [i32; 2] = [126, 127];
/// How that program ends when the service does not answer it.
pub const SILENT: u8 = 4;
/// What it says first of all: the dialog is over, and from now on it is the service that lets one wait.
pub const LET_IN: &[u8] = b"\n";

/// The program that polkit has let in.
#[derive(Debug)]
pub(super) struct Bridge {
    child: Option<Child>,
    there: Option<ChildStdin>,
    back: Receiver<Vec<u8>>,
    rest: Vec<u8>,
    /// How long the service may be silent. A person who is asked may take any time.
    patience: Duration,
    is_let_in: bool,
}

/// What is run: pkexec, and what it runs as root.
#[derive(Debug, Clone)]
pub(super) struct Carrier {
    pkexec: PathBuf,
    program: PathBuf,
}

impl Carrier {
    /// Where those are, on a system that has polkit.
    pub(super) fn find() -> Option<Self> {
        let own = std::env::current_exe().ok()?;
        let (pkexec, program) = (PathBuf::from(PKEXEC), own.with_file_name(PROGRAM));
        (pkexec.exists() && program.exists()).then_some(Carrier { pkexec, program })
    }
}

impl Bridge {
    /// Starts it; the first line waits for whoever is asked.
    pub(super) fn start(carrier: &Carrier, patience: Duration) -> Result<Self, DoorError> {
        let mut command = Command::new(&carrier.pkexec);
        command.arg(&carrier.program).arg(WORD);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(DoorError::Silent)?;
        let (there, out) = (child.stdin.take(), child.stdout.take());
        // A pipe has no time limit; a channel has.
        let (tell, back) = mpsc::sync_channel(16);
        let out = out.expect("it is a pipe");
        thread::spawn(move || pass_on(out, &tell));
        Ok(Bridge {
            child: Some(child),
            there,
            back,
            rest: Vec::new(),
            patience,
            is_let_in: false,
        })
    }

    /// Why it has ended, when it has said nothing more.
    pub(super) fn end(mut self) -> DoorError {
        self.there = None;
        let Some(mut child) = self.child.take() else {
            return DoorError::NotRunning;
        };
        match child.wait().map(|status| status.code()) {
            Ok(Some(code)) if REFUSED.contains(&code) => DoorError::NotPermitted,
            Ok(Some(code)) if code == i32::from(SILENT) => {
                DoorError::Silent(io::ErrorKind::TimedOut.into())
            }
            Ok(_) => DoorError::NotRunning,
            Err(error) => DoorError::Silent(error),
        }
    }

    fn next(&self) -> io::Result<Vec<u8>> {
        let told = match self.is_let_in {
            true => self.back.recv_timeout(self.patience),
            false => (self.back.recv()).map_err(|_| RecvTimeoutError::Disconnected),
        };
        match told {
            Ok(bytes) => Ok(bytes),
            Err(RecvTimeoutError::Timeout) => Err(io::ErrorKind::TimedOut.into()),
            Err(RecvTimeoutError::Disconnected) => Ok(Vec::new()),
        }
    }
}

fn pass_on(mut out: ChildStdout, tell: &SyncSender<Vec<u8>>) {
    let mut bytes = [0; 16 * 1024];
    while let Ok(len @ 1..) = out.read(&mut bytes) {
        if tell.send(bytes[..len].to_vec()).is_err() {
            return;
        }
    }
}

/// Nothing is left behind, neither a dialog that nobody waits for nor an ended process.
impl Drop for Bridge {
    fn drop(&mut self) {
        self.there = None;
        if let Some(mut child) = self.child.take() {
            // As long as the dialog stands the process is ours; behind it it is root's, and ends by itself.
            let _ = child.kill();
            thread::spawn(move || child.wait());
        }
    }
}

impl Read for Bridge {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        if self.rest.is_empty() {
            self.rest = self.next()?;
            self.is_let_in = true;
        }
        let len = self.rest.len().min(bytes.len());
        bytes[..len].copy_from_slice(&self.rest[..len]);
        self.rest.drain(..len);
        Ok(len)
    }
}

impl Write for Bridge {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let there = self.there.as_mut();
        there.map_or_else(
            || Err(io::ErrorKind::BrokenPipe.into()),
            |it| it.write(bytes),
        )
    }

    fn flush(&mut self) -> io::Result<()> {
        self.there.as_mut().map_or(Ok(()), Write::flush)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Door, Polkit, Refusal};
    use super::*;
    use crate::{Answer, Request};
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;
    use std::sync::Arc;

    /// A door whose pkexec is this script, called with the program and its word.
    fn door(folder: &tempfile::TempDir, script: &str) -> Door {
        let pkexec = folder.path().join("pkexec");
        fs::write(&pkexec, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&pkexec, fs::Permissions::from_mode(0o755)).unwrap();
        Door {
            polkit: Some(Polkit {
                carrier: Carrier {
                    pkexec,
                    program: "lanparty-client".into(),
                },
                running: Arc::default(),
                refusal: Refusal::default(),
                patience: super::super::PATIENCE,
            }),
            ..Door::at("/nowhere")
        }
    }

    #[test]
    fn people_are_asked_once_and_then_every_line_is_carried() {
        let folder = tempfile::tempdir().unwrap();
        let script = r#"echo "$@" >> "$(dirname "$0")/asked"
            while read -r line; do echo "{\"done\":\"$(echo "$line" | tr -d '"')\"}"; done"#;
        let door = door(&folder, script);
        for _ in 0..3 {
            let answer = door.ask(&Request::Leave).unwrap();
            assert_eq!(answer, Answer::Done("{do:leave}".to_owned()));
        }
        let asked = fs::read_to_string(folder.path().join("asked")).unwrap();
        assert_eq!(asked, "lanparty-client bridge\n");
    }

    #[test]
    fn a_dialog_that_is_dismissed_is_a_no_and_a_service_that_is_gone_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let refused = door(&folder, "read -r line; exit 126").ask(&Request::Leave);
        assert!(
            matches!(refused, Err(DoorError::NotPermitted)),
            "{refused:?}"
        );
        let gone = door(&folder, "read -r line; exit 1").ask(&Request::Leave);
        assert!(matches!(gone, Err(DoorError::NotRunning)), "{gone:?}");
        let silent = door(&folder, "read -r line; exit 4").ask(&Request::Leave);
        assert!(matches!(silent, Err(DoorError::Silent(_))), "{silent:?}");
    }

    #[test]
    fn a_dialog_that_is_dismissed_is_a_no_for_who_watches_and_does_not_come_again() {
        let folder = tempfile::tempdir().unwrap();
        let script = r#"echo asked >> "$(dirname "$0")/asked"; read -r line; exit 126"#;
        let door = door(&folder, script);
        let mut watch = door.watch().unwrap();
        let refused = watch.next();
        assert!(
            matches!(refused, Some(Err(DoorError::NotPermitted))),
            "{refused:?}"
        );
        assert!(watch.next().is_none());
        let again = [
            door.watch().map(drop),
            door.ask(&Request::Leave).map(drop),
            door.clone().watch().map(drop),
        ];
        for again in again {
            assert!(matches!(again, Err(DoorError::NotPermitted)), "{again:?}");
        }
        let asked = fs::read_to_string(folder.path().join("asked")).unwrap();
        assert_eq!(asked, "asked\n");
    }

    /// One whose service must answer soon.
    fn hasty(folder: &tempfile::TempDir, script: &str) -> Door {
        let mut door = door(folder, script);
        door.polkit.as_mut().unwrap().patience = Duration::from_millis(50);
        door
    }

    /// Behind the dialog it is the service that stands still.
    #[test]
    fn a_silence_has_an_end_and_the_dialog_may_take_its_time() {
        let folder = tempfile::tempdir().unwrap();
        let script = "echo; read -r line; exec sleep 600";
        let asked = hasty(&folder, script).ask(&Request::Leave);
        assert!(matches!(asked, Err(DoorError::Silent(_))), "{asked:?}");
        let watched = hasty(&folder, script).watch().unwrap().next();
        assert!(
            matches!(watched, Some(Err(DoorError::Silent(_)))),
            "{watched:?}"
        );
        let slow = r#"read -r line; sleep 0.3; printf '\n{"done":""}\n'; read -r line"#;
        let answer = hasty(&folder, slow).ask(&Request::Leave).unwrap();
        assert_eq!(answer, Answer::Done(String::new()));
    }

    #[test]
    fn an_ended_program_is_no_zombie() {
        let folder = tempfile::tempdir().unwrap();
        let script = r#"echo $$ > "$(dirname "$0")/pid"; echo; exec sleep 600"#;
        drop(hasty(&folder, script).ask(&Request::Leave));
        let pid = fs::read_to_string(folder.path().join("pid")).unwrap();
        let process = PathBuf::from("/proc").join(pid.trim());
        while process.exists() {
            thread::yield_now();
        }
    }
}
