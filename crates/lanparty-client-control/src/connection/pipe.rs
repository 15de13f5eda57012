//! A named pipe of Windows.

use super::DoorError;
use lanparty_client_rights::{Connection, Refusal, access, start_service};
use std::io;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

/// Where the system's service listens.
pub const USUAL: &str = access::PIPE;

pub(super) type Stream = Connection;

/// How long a service that has just been started may take until it listens.
const START: Duration = Duration::from_secs(10);
/// How often that is tried.
const LOOK: Duration = Duration::from_millis(50);

/// `wakes` starts the service where nobody listens; its own access list says that whoever sits here may.
pub(super) fn open(path: &Path, patience: Duration, wakes: bool) -> Result<Stream, DoorError> {
    let is_usual = path == Path::new(USUAL);
    let connection = match Connection::open(path, patience) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && wakes && is_usual => {
            start(path, patience)?
        }
        opened => opened.map_err(why_not)?,
    };
    // Anybody may have made the pipe of this name before the service did. Other names are a person's own affair.
    if is_usual {
        connection
            .is_of_service()
            .map_err(|refusal| match refusal {
                Refusal::Impostor { process } => DoorError::Impostor(format!("process {process}")),
                Refusal::Unknown(error) => DoorError::Silent(error),
            })?;
    }
    Ok(connection)
}

fn start(path: &Path, patience: Duration) -> Result<Connection, DoorError> {
    start_service().map_err(why_not)?;
    let deadline = Instant::now() + START;
    loop {
        match Connection::open(path, patience) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && Instant::now() < deadline => {
                thread::sleep(LOOK);
            }
            opened => return opened.map_err(why_not),
        }
    }
}

fn why_not(error: io::Error) -> DoorError {
    match error.kind() {
        io::ErrorKind::PermissionDenied => DoorError::NotPermitted,
        io::ErrorKind::NotFound => DoorError::NotRunning,
        _ => DoorError::Silent(error),
    }
}
