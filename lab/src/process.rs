//! A program that runs in the lab: its log, its end, and what it costs.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::param::clock_ticks_per_second;
use rustix::process::{Pid, Signal, kill_process};

use crate::eventually;

/// How long a program may take to end by itself once it was asked to.
const PATIENCE: Duration = Duration::from_secs(5);

/// The end of a program is known before its output has been read; a grandchild may keep that open for ever.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// A running program; dropping it kills it.
#[derive(Debug)]
pub struct Process {
    title: String,
    child: Mutex<Child>,
    log: Arc<Log>,
}

/// What a program has used so far.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    /// User and system time.
    pub cpu: Duration,
    /// Resident memory.
    pub memory_bytes: u64,
    /// Open files and sockets.
    pub descriptors: usize,
    /// Threads.
    pub threads: usize,
}

impl Process {
    pub(crate) fn spawn(title: &str, mut command: Command, log_file: &Path) -> Result<Self> {
        // A group of its own: Ctrl-C in a terminal is for us, and we end the programs in order.
        command
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("start {title}"))?;
        let log = Arc::new(Log::default());
        let file = Arc::new(Mutex::new(
            File::create(log_file).context("make a log file")?,
        ));
        log.follow(child.stdout.take(), &file);
        log.follow(child.stderr.take(), &file);
        Ok(Self {
            title: title.into(),
            child: Mutex::new(child),
            log,
        })
    }

    /// The name it was given.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// The first line that contains `pattern`, old or new; fails when the program ends or the deadline passes first.
    pub fn wait_for_line(&self, pattern: &str, deadline: Duration) -> Result<String> {
        self.wait_for_line_after(0, pattern, deadline)
    }

    /// As [`wait_for_line`](Self::wait_for_line), but looks only behind the first `mark` lines.
    pub fn wait_for_line_after(
        &self,
        mark: usize,
        pattern: &str,
        deadline: Duration,
    ) -> Result<String> {
        let found = self.log.wait(mark, pattern, deadline);
        found.with_context(|| {
            format!(
                "{} never said `{pattern}`; it said:\n{}",
                self.title,
                self.tail(30)
            )
        })
    }

    /// How many lines the program has printed: a mark for [`wait_for_line_after`](Self::wait_for_line_after).
    pub fn mark(&self) -> usize {
        self.log.lock().lines.len()
    }

    /// Everything the program printed so far, both streams.
    pub fn log(&self) -> String {
        self.log.lock().lines.join("\n")
    }

    /// The last `count` lines.
    pub fn tail(&self, count: usize) -> String {
        let log = self.log.lock();
        log.lines[log.lines.len().saturating_sub(count)..].join("\n")
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child().id()
    }

    /// Whether it still runs.
    pub fn is_running(&self) -> bool {
        matches!(self.child().try_wait(), Ok(None))
    }

    /// Asks for a clean end as a service manager does, and insists after five seconds.
    pub fn stop(&self) -> Result<ExitStatus> {
        self.end_by(Signal::TERM)
    }

    /// Presses Ctrl-C, and insists after five seconds.
    pub fn interrupt(&self) -> Result<ExitStatus> {
        self.end_by(Signal::INT)
    }

    /// Ends it at once, as a crash or `kill -9` does.
    pub fn kill(&self) -> Result<ExitStatus> {
        self.signal(Signal::KILL)?;
        self.child().wait().context("wait for a killed program")
    }

    /// Waits for the program to end by itself, and for its last words.
    pub fn wait(&self, deadline: Duration) -> Result<ExitStatus> {
        let what = format!("{} ends", self.title);
        let ended = eventually(&what, deadline, || self.child().try_wait().transpose());
        let status = ended.with_context(|| self.tail(30))??;
        self.log.wait_for_end(LAST_WORDS);
        Ok(status)
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let child = self.child();
        let pid = Pid::from_child(&child);
        kill_process(pid, signal).with_context(|| format!("signal {}", self.title))
    }

    /// What it has used so far.
    pub fn usage(&self) -> Result<Usage> {
        let folder = Path::new("/proc").join(self.id().to_string());
        let stat = fs::read_to_string(folder.join("stat"))
            .with_context(|| format!("read the usage of {}", self.title))?;
        let status = fs::read_to_string(folder.join("status")).context("read a process status")?;
        let open = fs::read_dir(folder.join("fd")).context("list a program's descriptors")?;
        parse_usage(&stat, &status, open.count(), clock_ticks_per_second())
            .context("a process status without the usual fields")
    }

    /// The `status` of each of its threads (proc_pid_status(5)).
    pub fn threads(&self) -> Result<Vec<String>> {
        fs::read_dir(format!("/proc/{}/task", self.id()))?
            .map(|thread| Ok(fs::read_to_string(thread?.path().join("status"))?))
            .collect()
    }

    /// How long each of its threads has had a processor, by the threads' ids; exact to the nanosecond, unlike
    /// [`usage`](Self::usage), which counts the system's ticks.
    pub fn cpu_by_thread(&self) -> Result<BTreeMap<u32, Duration>> {
        let threads = fs::read_dir(format!("/proc/{}/task", self.id()))
            .with_context(|| format!("list the threads of {}", self.title))?;
        let mut times = BTreeMap::new();
        for thread in threads {
            let thread = thread?;
            // One that ends meanwhile has no file any more.
            let Ok(shown) = fs::read_to_string(thread.path().join("schedstat")) else {
                continue;
            };
            let id = thread.file_name().to_string_lossy().parse()?;
            let nanos = shown.split_whitespace().next().map(str::parse);
            let nanos = nanos.context("a schedstat without a time")??;
            times.insert(id, Duration::from_nanos(nanos));
        }
        ensure!(
            !times.is_empty(),
            "this kernel does not say what the threads of {} have used",
            self.title
        );
        Ok(times)
    }

    fn end_by(&self, signal: Signal) -> Result<ExitStatus> {
        if self.is_running() {
            self.signal(signal)?;
        }
        if let Ok(status) = self.wait(PATIENCE) {
            return Ok(status);
        }
        self.kill()?;
        bail!(
            "{} did not end within {PATIENCE:?} and was killed; it said:\n{}",
            self.title,
            self.tail(30)
        )
    }

    fn child(&self) -> MutexGuard<'_, Child> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let child = self.child.get_mut().unwrap_or_else(PoisonError::into_inner);
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// `stat` counts processor time in clock ticks, behind a name that may hold blanks; `status` has memory in KiB.
fn parse_usage(
    stat: &str,
    status: &str,
    descriptors: usize,
    ticks_per_second: u64,
) -> Option<Usage> {
    let (_, fields) = stat.rsplit_once(')')?;
    // utime and stime are fields 14 and 15 of the line; the name was field 2.
    let ticks: u64 = fields
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|ticks| ticks.parse::<u64>().ok())
        .sum();
    let number = |field: &str| {
        let value = status.lines().find_map(|line| line.strip_prefix(field))?;
        value.split_whitespace().next()?.parse::<u64>().ok()
    };
    Some(Usage {
        cpu: Duration::from_millis(ticks * 1000 / ticks_per_second),
        memory_bytes: number("VmRSS:")? * 1024,
        descriptors,
        threads: number("Threads:")? as usize,
    })
}

/// The lines of a program, as they come.
#[derive(Debug, Default)]
struct Log {
    state: Mutex<LogState>,
    news: Condvar,
}

#[derive(Debug, Default)]
struct LogState {
    lines: Vec<String>,
    open_streams: usize,
}

impl Log {
    fn follow(
        self: &Arc<Self>,
        stream: Option<impl Read + Send + 'static>,
        file: &Arc<Mutex<File>>,
    ) {
        let Some(stream) = stream else { return };
        self.lock().open_streams += 1;
        let (log, file) = (Arc::clone(self), Arc::clone(file));
        thread::spawn(move || {
            for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
                let line = String::from_utf8_lossy(&line).into_owned();
                let _ = writeln!(
                    file.lock().unwrap_or_else(PoisonError::into_inner),
                    "{line}"
                );
                log.change(|state| state.lines.push(line));
            }
            log.change(|state| state.open_streams -= 1);
        });
    }

    fn change(&self, change: impl FnOnce(&mut LogState)) {
        change(&mut self.lock());
        self.news.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, LogState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_for_end(&self, deadline: Duration) {
        let open = |state: &mut LogState| state.open_streams > 0;
        let ended = self.news.wait_timeout_while(self.lock(), deadline, open);
        drop(ended); // late words are for people, so a missed deadline costs nothing
    }

    fn wait(&self, mark: usize, pattern: &str, deadline: Duration) -> Result<String> {
        let end = Instant::now() + deadline;
        let mut state = self.lock();
        loop {
            if let Some(line) = state
                .lines
                .iter()
                .skip(mark)
                .find(|line| line.contains(pattern))
            {
                return Ok(line.clone());
            }
            if state.open_streams == 0 {
                bail!("it has ended");
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                bail!("{deadline:?} have passed");
            }
            state = self
                .news
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_cpu_time_memory_and_threads_behind_a_name_with_blanks() {
        let stat = "42 (a b) c) S 1 2 3 4 5 6 7 8 9 10 150 50 0 0 20 0";
        let usage = parse_usage(stat, "VmRSS:\t    2048 kB\nThreads:\t3\n", 7, 100).unwrap();
        assert_eq!(usage.cpu, Duration::from_secs(2));
        assert_eq!(usage.memory_bytes, 2 << 20);
        assert_eq!((usage.descriptors, usage.threads), (7, 3));
    }
}
