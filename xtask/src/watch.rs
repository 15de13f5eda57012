//! Ends a program that takes too long, with all that it started.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

/// Dropped when the program has ended by itself.
pub(crate) struct Watch {
    over: Arc<AtomicBool>,
    _alive: Sender<()>,
}

impl Watch {
    /// Whether the program was ended.
    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }
}

/// Begins to watch a child of ours, whose id stays its own until we have waited for it.
pub(crate) fn for_the_time(child: u32, limit: Duration) -> Watch {
    let over = Arc::new(AtomicBool::new(false));
    let (alive, gone) = channel::<()>();
    let watch = Watch {
        over: Arc::clone(&over),
        _alive: alive,
    };
    thread::spawn(move || {
        if gone.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
            over.store(true, Ordering::Relaxed);
            end(child);
        }
    });
    watch
}

/// The youngest last, because nobody is found any more below a parent that is gone.
fn end(process: u32) {
    let children = children(process);
    let pid = i32::try_from(process).ok().and_then(Pid::from_raw);
    let _ = pid.map(|pid| kill_process(pid, Signal::KILL));
    children.into_iter().for_each(end);
}

/// Of all its threads (proc_pid_task_children(5)).
fn children(process: u32) -> Vec<u32> {
    let threads = fs::read_dir(format!("/proc/{process}/task"));
    let lists = threads.into_iter().flatten().flatten();
    lists
        .filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok())
        .flat_map(|list| {
            let ids = list.split_whitespace().map(str::parse);
            ids.filter_map(Result::ok).collect::<Vec<u32>>()
        })
        .collect()
}
