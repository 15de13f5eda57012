//! What a program says to people, beside the path of its frames.
//!
//! A terminal that is stopped and a pipe that nobody reads take nothing more at some point, and whoever writes
//! to them waits. Frames must not: so lines are queued, and a thread for each of the two outputs writes them.
//! Who does not read loses lines, and is told how many as soon as it reads again. At the end a program waits a
//! little for what is still to be said.

use crate::privilege;
use std::collections::VecDeque;
use std::fmt::Display;
use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};
use tracing_subscriber::fmt::MakeWriter;

/// How many bytes wait to be written, as lines of any length: an evening's sentences, or a tenth of a second of
/// every frame at full speed.
const MAX_WAITING: usize = 1 << 20;
/// How long a program waits at its end for somebody to read its last words.
const LAST_WORDS: Duration = Duration::from_millis(250);

static STDOUT: OnceLock<Speaker> = OnceLock::new();
static STDERR: OnceLock<Speaker> = OnceLock::new();

/// Says a sentence on standard output, and never waits for whoever reads it.
pub fn say(sentence: impl Display) {
    stdout().say(format!("{sentence}\n").as_bytes());
}

/// The same on standard error, among the log's lines.
pub fn complain(sentence: impl Display) {
    stderr().say(format!("{sentence}\n").as_bytes());
}

/// Gives whoever reads a moment for what has been said last: to be called once, before a program ends.
pub fn finish() {
    let end = Instant::now() + LAST_WORDS;
    for speaker in [STDOUT.get(), STDERR.get()].into_iter().flatten() {
        speaker.finish(end);
    }
}

fn stdout() -> &'static Speaker {
    STDOUT.get_or_init(|| Speaker::new("stdout", io::stdout()))
}

fn stderr() -> &'static Speaker {
    STDERR.get_or_init(|| Speaker::new("stderr", io::stderr()))
}

/// Where log lines go.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LogLines;

impl Write for LogLines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        stderr().say(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for LogLines {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        LogLines
    }
}

/// One output, and the thread that writes to it.
struct Speaker {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Default)]
struct Queue {
    lines: VecDeque<Vec<u8>>,
    bytes: usize,
    /// Lines for which there was no room since the last one for which there was some.
    lost: u64,
    is_writing: bool,
}

impl Queue {
    fn push(&mut self, line: Vec<u8>) {
        self.bytes += line.len();
        self.lines.push_back(line);
    }

    fn tell_of_lost(&mut self) {
        if self.lost > 0 {
            let lost = std::mem::take(&mut self.lost);
            let note = format!("({lost} lines are left out here: nobody read them in time)\n");
            self.push(note.into_bytes());
        }
    }

    fn is_empty(&self) -> bool {
        self.lines.is_empty() && self.lost == 0
    }
}

impl Speaker {
    fn new(name: &str, out: impl Write + Send + 'static) -> Self {
        let shared = Arc::new(Shared::default());
        let theirs = shared.clone();
        let thread = thread::Builder::new().name(name.to_owned());
        // A system without another thread to give hears nothing, which is counted.
        let _ = thread.spawn(move || {
            privilege::need_nothing();
            theirs.write_all(out);
        });
        Speaker { shared }
    }

    fn say(&self, line: &[u8]) {
        let mut queue = self.shared.lock();
        if queue.bytes + line.len() > MAX_WAITING {
            queue.lost += 1;
            return;
        }
        queue.tell_of_lost();
        queue.push(line.to_vec());
        self.shared.changed.notify_all();
    }

    /// Waits until everything has been written, or until `end`.
    fn finish(&self, end: Instant) -> bool {
        let patience = end.saturating_duration_since(Instant::now());
        let is_busy = |queue: &mut Queue| queue.is_writing || !queue.is_empty();
        let waited = self
            .shared
            .changed
            .wait_timeout_while(self.shared.lock(), patience, is_busy);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_all(&self, mut out: impl Write) {
        loop {
            let line = self.next();
            // Nobody has to listen.
            let _ = out.write_all(&line).and_then(|()| out.flush());
            self.lock().is_writing = false;
            self.changed.notify_all();
        }
    }

    fn next(&self) -> Vec<u8> {
        let waited = self
            .changed
            .wait_while(self.lock(), |queue| queue.is_empty());
        let mut queue = waited.unwrap_or_else(PoisonError::into_inner);
        if queue.lines.is_empty() {
            queue.tell_of_lost();
        }
        let line = queue.lines.pop_front().unwrap_or_default();
        queue.bytes -= line.len();
        queue.is_writing = true;
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    /// A pipe that nobody reads until the test says so.
    struct Pipe {
        opened: Option<mpsc::Receiver<()>>,
        read: Arc<Mutex<Vec<u8>>>,
    }

    impl Write for Pipe {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if let Some(opened) = self.opened.take() {
                opened.recv().unwrap();
            }
            self.read.lock().unwrap().extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn who_does_not_read_holds_nobody_up_and_is_told_what_is_missing() {
        let (open, opened) = mpsc::channel();
        let read = Arc::new(Mutex::new(Vec::new()));
        let pipe = Pipe {
            opened: Some(opened),
            read: read.clone(),
        };
        let speaker = Speaker::new("test", pipe);
        speaker.say(format!("{:1023}\n", 0).as_bytes());
        // From here on the thread has the first line in its hands, however late the machine starts it.
        while !speaker.shared.lock().is_writing {
            thread::yield_now();
        }
        // This comes to an end although nobody reads.
        for number in 1..3000 {
            speaker.say(format!("{number:1023}\n").as_bytes());
        }
        assert!(!speaker.finish(Instant::now()), "nobody has read it");
        open.send(()).unwrap();
        let far = || Instant::now() + Duration::from_secs(60);
        assert!(speaker.finish(far()));
        speaker.say(b"again\n");
        assert!(speaker.finish(far()));
        let read = String::from_utf8(read.lock().unwrap().clone()).unwrap();
        let lines: Vec<_> = read.lines().map(str::trim).collect();
        let (told, kept) = lines
            .split_last_chunk::<2>()
            .map(|(kept, told)| (told, kept))
            .unwrap();
        // As many as there is room for, and the one that was being written.
        assert_eq!(kept.len(), 1025);
        let lost = format!(
            "({} lines are left out here: nobody read them in time)",
            3000 - kept.len()
        );
        assert_eq!(told, &[lost.as_str(), "again"]);
        for (number, line) in kept.iter().enumerate() {
            assert_eq!(*line, number.to_string());
        }
    }

    #[test]
    fn a_reader_that_is_gone_holds_nobody_up() {
        struct Gone;
        impl Write for Gone {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
        }
        let speaker = Speaker::new("test", Gone);
        speaker.say(b"one\n");
        speaker.say(b"two\n");
        assert!(speaker.finish(Instant::now() + Duration::from_secs(60)));
    }
}
