//! A way to the service for who may not connect to its socket: polkit asks for an administrator's word, and a program
//! that pkexec then runs carries lines.

use super::DoorError;
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

const PKEXEC: &str = "/usr/bin/pkexec";
/// The program beside this one, and its word for that.
const PROGRAM: &str = "lanparty-client";
const WORD: &str = "bridge";
/// The dialog was dismissed; the user is not authorized (pkexec(1)).
const REFUSED: [i32; 2] = [126, 127];

/// The program that polkit has let in.
#[derive(Debug)]
pub(super) struct Bridge {
    child: Child,
    there: ChildStdin,
    back: ChildStdout,
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
    pub(super) fn start(carrier: &Carrier) -> Result<Self, DoorError> {
        let mut command = Command::new(&carrier.pkexec);
        command.arg(&carrier.program).arg(WORD);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(DoorError::Silent)?;
        let (there, back) = (child.stdin.take(), child.stdout.take());
        Ok(Bridge {
            there: there.expect("it is a pipe"),
            back: back.expect("it is a pipe"),
            child,
        })
    }

    /// Why it has ended.
    pub(super) fn end(mut self) -> DoorError {
        drop((self.there, self.back));
        match self.child.wait().map(|status| status.code()) {
            Ok(Some(code)) if REFUSED.contains(&code) => DoorError::NotPermitted,
            Ok(_) => DoorError::NotRunning,
            Err(error) => DoorError::Silent(error),
        }
    }
}

impl Read for Bridge {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.back.read(bytes)
    }
}

impl Write for Bridge {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.there.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.there.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Door, Polkit};
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
    }
}
