//! A file that one running program keeps open, and writes anew whenever something changes.

use crate::privilege;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// Much more than any of them holds that a program of ours wrote.
const MAX_LEN: u64 = 1024 * 1024;
/// How long a program waits at its end for a disk that is busy.
const LAST_WRITE: Duration = Duration::from_millis(500);

/// An open file with one value as JSON in it, or nothing. It stays open, so that a program that has given
/// up its right to open it can still write; so it is written in place, and a machine that loses its power
/// in that moment may lose what is in it.
///
/// A thread of its own writes it, as a disk may be slow and frames must not wait for it. Of several values
/// that wait for the disk, the last one is written.
#[derive(Debug)]
pub struct KeptFile {
    shared: Arc<Shared>,
    has_writer: bool,
    /// What was saved last, as it may not be in the file yet.
    last: Option<Vec<u8>>,
}

#[derive(Debug)]
struct Shared {
    desk: Mutex<Desk>,
    changed: Condvar,
}

#[derive(Debug)]
struct Desk {
    /// In the writer's hands while it writes; gone for good at the end.
    file: Option<File>,
    next: Option<Write>,
    is_writing: bool,
    has_ended: bool,
}

struct Write {
    json: Vec<u8>,
    complain: Box<dyn FnOnce(io::Error) + Send>,
}

impl std::fmt::Debug for Write {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes", self.json.len())
    }
}

impl KeptFile {
    /// Opens the file for this process alone, made with its folder if it is not there and then readable
    /// to its owner only.
    ///
    /// # Errors
    /// What the system says, also when another process has it open.
    pub fn open(file: &Path) -> io::Result<Self> {
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(file)?;
        // Its owner's death unlocks it.
        #[cfg(target_os = "linux")]
        rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive)?;
        let desk = Desk {
            file: Some(file),
            next: None,
            is_writing: false,
            has_ended: false,
        };
        Ok(KeptFile {
            shared: Arc::new(Shared {
                desk: Mutex::new(desk),
                changed: Condvar::new(),
            }),
            has_writer: false,
            last: None,
        })
    }

    /// What is in it; `None` when nothing is.
    ///
    /// # Errors
    /// When it cannot be read, or holds something else.
    pub fn load<T: DeserializeOwned>(&mut self) -> io::Result<Option<T>> {
        let json = match (&self.last, &mut self.shared.lock().file) {
            (Some(last), _) => last.clone(),
            (None, Some(file)) => read(file)?,
            (None, None) => Vec::new(),
        };
        // Behind the value there may be the rest of a longer one, whose writer was killed.
        let mut values = serde_json::Deserializer::from_slice(&json).into_iter();
        Ok(values.next().transpose()?)
    }

    /// Puts a value in the place of the one before, soon; `complain` hears it when that fails.
    pub fn save(
        &mut self,
        value: &impl Serialize,
        complain: impl FnOnce(io::Error) + Send + 'static,
    ) {
        let json = match serde_json::to_vec(value) {
            Ok(json) => json,
            Err(error) => return complain(error.into()),
        };
        self.last = Some(json.clone());
        self.shared.lock().next = Some(Write {
            json,
            complain: Box::new(complain),
        });
        self.has_writer = self.has_writer || self.start_writer();
        match self.has_writer {
            true => self.shared.changed.notify_all(),
            false => self.shared.write_next(),
        }
    }

    fn start_writer(&self) -> bool {
        let shared = self.shared.clone();
        let thread = thread::Builder::new().name("kept-file".to_owned());
        let writer = thread.spawn(move || {
            privilege::need_nothing();
            while shared.waits_for_work() {
                shared.write_next();
            }
        });
        writer.is_ok()
    }
}

/// What was saved is in the file, unless the disk stands still; and another process may open it.
impl Drop for KeptFile {
    fn drop(&mut self) {
        let is_busy = |desk: &mut Desk| desk.is_writing || desk.next.is_some();
        let waited =
            self.shared
                .changed
                .wait_timeout_while(self.shared.lock(), LAST_WRITE, is_busy);
        let (mut desk, _) = waited.unwrap_or_else(PoisonError::into_inner);
        desk.has_ended = true;
        desk.file = None;
        self.shared.changed.notify_all();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// False at the end.
    fn waits_for_work(&self) -> bool {
        let is_idle = |desk: &mut Desk| desk.next.is_none() && !desk.has_ended;
        let waited = self.changed.wait_while(self.lock(), is_idle);
        !waited.unwrap_or_else(PoisonError::into_inner).has_ended
    }

    fn write_next(&self) {
        let mut desk = self.lock();
        let (Some(write), Some(mut file)) = (desk.next.take(), desk.file.take()) else {
            return;
        };
        desk.is_writing = true;
        drop(desk);
        if let Err(error) = put(&mut file, &write.json) {
            (write.complain)(error);
        }
        let mut desk = self.lock();
        desk.is_writing = false;
        desk.file = Some(file).filter(|_| !desk.has_ended);
        self.changed.notify_all();
    }
}

fn read(file: &mut File) -> io::Result<Vec<u8>> {
    file.rewind()?;
    let mut json = Vec::new();
    file.take(MAX_LEN).read_to_end(&mut json)?;
    Ok(json)
}

fn put(file: &mut File, json: &[u8]) -> io::Result<()> {
    file.rewind()?;
    file.write_all(json)?;
    file.set_len(json.len() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU8, Ordering};
    use std::sync::mpsc;

    #[test]
    fn the_last_value_is_kept_whatever_was_there_before() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/kept.json");
        let mut file = KeptFile::open(&path).unwrap();
        assert_eq!(file.load::<String>().unwrap(), None);
        for value in ["a long one", "short"] {
            save(&mut file, value);
            assert_eq!(file.load::<String>().unwrap().unwrap(), value);
        }
        drop(file);
        assert_eq!(std::fs::read(&path).unwrap(), br#""short""#);
        std::fs::write(&path, r#""shorter" one""#).unwrap();
        let mut file = KeptFile::open(&path).unwrap();
        assert_eq!(file.load::<String>().unwrap().unwrap(), "shorter");
        std::fs::write(&path, "{ half").unwrap();
        assert!(file.load::<String>().is_err());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn one_program_has_it_at_a_time_and_its_owner_alone_reads_it() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kept.json");
        let first = KeptFile::open(&path).unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(KeptFile::open(&path).is_err());
        drop(first);
        assert!(KeptFile::open(&path).is_ok());
    }

    fn save(file: &mut KeptFile, value: &str) {
        file.save(&value, |error| panic!("{error}"));
    }

    #[test]
    fn nobody_waits_for_a_disk_that_stands_still() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kept.json");
        let mut kept = KeptFile::open(&path).unwrap();
        // The writer is stopped where it complains.
        kept.shared.lock().file = Some(File::open(&path).unwrap());
        let ((stopped, is_stopped), (go_on, goes_on)) = (mpsc::channel(), mpsc::channel());
        kept.save(&0, move |_| {
            stopped.send(()).unwrap();
            goes_on.recv().unwrap();
        });
        is_stopped.recv().unwrap();
        let complaints = Arc::new(AtomicU8::new(0));
        for number in 1..100 {
            let complaints = complaints.clone();
            kept.save(&number, move |_| {
                complaints.store(number, Ordering::Relaxed);
            });
        }
        assert_eq!(kept.load::<u8>().unwrap(), Some(99));
        assert_eq!(complaints.load(Ordering::Relaxed), 0);
        go_on.send(()).unwrap();
        let desk = kept.shared.lock();
        let is_busy = |desk: &mut Desk| desk.is_writing || desk.next.is_some();
        drop(kept.shared.changed.wait_while(desk, is_busy).unwrap());
        assert_eq!(complaints.load(Ordering::Relaxed), 99);
    }
}
