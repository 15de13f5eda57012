//! One window a user: a second start hands its link to the first and ends (check W3).
//!
//! Whoever holds the lock on a file in the user's own folder is the first. The lock goes with the process, so a
//! window that was killed never stands in the way. The link has a key in it: it goes by a socket or pipe that only
//! this user can open.

#[cfg_attr(windows, path = "single/pipe.rs")]
#[cfg_attr(not(windows), path = "single/socket.rs")]
mod system;

use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Read};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

/// No link of a second start is longer, in bytes.
const LONGEST: u64 = 16 * 1024;
/// The first may have the lock and not listen yet.
const PATIENCE: Duration = Duration::from_secs(3);
const PAUSE: Duration = Duration::from_millis(30);

/// What a second start says.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Call {
    link: Option<String>,
}

/// What a start turned out to be.
pub(crate) enum Start {
    /// The first, which opens a window.
    First(First),
    /// Another: the first was told.
    HandedOver,
}

/// The first; others hand over to it as long as this lives.
pub(crate) struct First {
    held: Option<(File, PathBuf)>,
}

/// Finds out whether this is the first start, and tells the first of this one.
pub(crate) fn start(link: Option<&str>) -> io::Result<Start> {
    match system::folder() {
        Some(folder) => start_in(&folder, link),
        // Without a folder of the user's own there is no safe place to meet.
        None => Ok(Start::First(First { held: None })),
    }
}

fn start_in(folder: &Path, link: Option<&str>) -> io::Result<Start> {
    make(folder)?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).write(true);
        let lock = options.open(folder.join("window.lock"))?;
        if lock.try_lock().is_ok() {
            let held = Some((lock, folder.to_owned()));
            return Ok(Start::First(First { held }));
        }
        match hand_over(folder, link) {
            Ok(()) => return Ok(Start::HandedOver),
            Err(error) if Instant::now() > deadline => return Err(error),
            Err(_) => thread::sleep(PAUSE),
        }
    }
}

fn make(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

fn hand_over(folder: &Path, link: Option<&str>) -> io::Result<()> {
    let link = link.map(str::to_owned);
    let mut line = serde_json::to_string(&Call { link })?;
    line.push('\n');
    system::call(folder, line.as_bytes())
}

impl First {
    /// Tells of every later start, until the program ends. A machine that cannot listen has two windows at worst.
    pub(crate) fn listen(self, hear: impl Fn(Option<String>) + Send + 'static) -> io::Result<()> {
        let Some((lock, folder)) = self.held else {
            return Ok(());
        };
        let listener = system::Listener::open(&folder)?;
        thread::spawn(move || {
            let _held = lock;
            listener.each(|from| {
                if let Some(call) = read(from) {
                    hear(call.link);
                }
            });
        });
        Ok(())
    }
}

fn read(from: impl Read) -> Option<Call> {
    let mut line = Vec::new();
    let mut bounded = BufReader::new(from.take(LONGEST));
    bounded.read_until(b'\n', &mut line).ok()?;
    serde_json::from_slice(&line).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    fn first(folder: &Path, link: Option<&str>) -> Option<First> {
        match start_in(folder, link).unwrap() {
            Start::First(first) => Some(first),
            Start::HandedOver => None,
        }
    }

    #[test]
    fn a_second_start_hands_its_link_over() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("softlan-vpn");
        let (heard, hears) = mpsc::channel();
        let one = first(&folder, None).unwrap();
        one.listen(move |link| heard.send(link).unwrap()).unwrap();
        assert!(first(&folder, Some("lanparty://x")).is_none());
        assert!(first(&folder, None).is_none());
        assert_eq!(hears.recv().unwrap().as_deref(), Some("lanparty://x"));
        assert_eq!(hears.recv().unwrap(), None);
    }

    /// A window that was killed leaves its socket behind.
    #[test]
    fn the_first_after_a_killed_one_is_the_first() {
        let folder = tempfile::tempdir().unwrap();
        let killed = first(folder.path(), None).unwrap();
        drop(system::Listener::open(folder.path()).unwrap());
        drop(killed);
        let next = first(folder.path(), None).unwrap();
        next.listen(|_| {}).unwrap();
    }

    #[test]
    fn what_is_no_call_is_left_alone() {
        assert_eq!(read(&b"nonsense\n"[..]), None);
        assert_eq!(read(&vec![b'{'; 1 << 20][..]), None);
        let call = Call { link: None };
        assert_eq!(read(&b"{\"link\":null,\"later\":1}\n"[..]), Some(call));
    }
}
