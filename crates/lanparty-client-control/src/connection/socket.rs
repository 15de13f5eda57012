//! A Unix socket.

use super::DoorError;
use std::io;
pub(super) use std::os::unix::net::UnixStream as Stream;
use std::path::Path;
use std::time::Duration;

/// Where the system's service listens.
pub const USUAL: &str = "/run/lanparty/client.sock";

/// systemd starts a service whose socket is asked, so that nobody else need.
pub(super) fn open(path: &Path, patience: Duration, _wakes: bool) -> Result<Stream, DoorError> {
    let stream = Stream::connect(path).map_err(|error| match error.kind() {
        io::ErrorKind::PermissionDenied => DoorError::NotPermitted,
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => DoorError::NotRunning,
        _ => DoorError::Silent(error),
    })?;
    stream
        .set_read_timeout(Some(patience))
        .and_then(|()| stream.set_write_timeout(Some(patience)))
        .map_err(DoorError::Silent)?;
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::Door;
    use crate::{Answer, Request, Snapshot};
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::os::unix::net::UnixListener;
    use std::thread;

    #[test]
    fn a_question_is_one_line_and_so_is_its_answer() {
        let folder = tempfile::tempdir().unwrap();
        let door = Door::at(folder.path().join("x.sock"));
        assert!(matches!(
            door.ask(&Request::Status),
            Err(DoorError::NotRunning)
        ));
        let listener = UnixListener::bind(door.path()).unwrap();
        let idle = Answer::Snapshot(Box::new(Snapshot::idle("0.1.0")));
        let says = serde_json::to_string(&idle).unwrap();
        let service = thread::spawn(move || {
            let mut heard = Vec::new();
            for answer in [&says, "{\"later\":1}"] {
                let (mut stream, _) = listener.accept().unwrap();
                let mut line = String::new();
                BufReader::new(stream.try_clone().unwrap())
                    .read_line(&mut line)
                    .unwrap();
                heard.push(line);
                writeln!(stream, "{answer}").unwrap();
            }
            heard
        });
        assert_eq!(door.ask(&Request::Status).unwrap(), idle);
        assert!(matches!(
            door.ask(&Request::Leave),
            Err(DoorError::Strange(_))
        ));
        assert_eq!(
            service.join().unwrap(),
            ["{\"do\":\"status\"}\n", "{\"do\":\"leave\"}\n"]
        );
    }
}
