//! Between a user whom polkit has let in and the service's socket: carries lines, and says whose they are. pkexec runs it
//! as root; it opens that one socket and nothing else.

use lanparty_client_control::connection::{LET_IN, PATIENCE, SILENCE, SILENT, USUAL};
use lanparty_client_control::{MAX_REQUEST, Request};
use lanparty_client_service::socket;
use std::io::{self, BufRead, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;

/// Who called pkexec (pkexec(1)); it lets nobody choose.
const WHOSE: &str = "PKEXEC_UID";

/// Carries lines until the user's program goes, or the service does.
pub(crate) fn run() -> ExitCode {
    let whose = std::env::var(WHOSE).ok().and_then(|uid| uid.parse().ok());
    let Some(uid) = whose else {
        eprintln!(
            "error: this is for pkexec, which the window and the other commands call when they must"
        );
        return ExitCode::FAILURE;
    };
    match carry(uid, io::stdin().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => ExitCode::from(SILENT),
        Err(_) => ExitCode::FAILURE,
    }
}

fn carry(uid: u32, mut from: impl BufRead) -> io::Result<()> {
    let preface = socket::on_behalf_of(&socket::caller(uid));
    say(LET_IN)?;
    loop {
        let mut line = Vec::new();
        let mut bounded = from.by_ref().take(MAX_REQUEST as u64);
        bounded.read_until(b'\n', &mut line)?;
        if line.last() != Some(&b'\n') {
            return Ok(());
        }
        let watches = matches!(serde_json::from_slice(&line), Ok(Request::Watch));
        let patience = if watches { SILENCE } else { PATIENCE };
        let mut service = UnixStream::connect(USUAL)?;
        service.set_read_timeout(Some(patience))?;
        service.set_write_timeout(Some(patience))?;
        service.write_all(&preface)?;
        service.write_all(&line)?;
        copy(&mut service)?;
        if watches {
            return Ok(());
        }
    }
}

/// Each line at once: whoever watches waits for it.
fn copy(service: &mut UnixStream) -> io::Result<()> {
    let mut bytes = [0; 16 * 1024];
    loop {
        match service.read(&mut bytes)? {
            0 => return Ok(()),
            len => say(&bytes[..len])?,
        }
    }
}

fn say(bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)?;
    out.flush()
}
