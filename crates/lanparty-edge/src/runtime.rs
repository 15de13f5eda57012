//! The one thread that a program runs on.

use crate::privilege;
use std::io;
use std::panic::resume_unwind;
use std::time::Duration;
use tokio::runtime::{Builder, LocalOptions};

/// What is still busy at the end, like the resolution of a name, ends with the process.
const LAST_TASKS: Duration = Duration::from_millis(50);

/// Runs `program` to its end, with more than ordinary priority where we may have that; so rights are given
/// up in it, not before.
///
/// It is a task like others. As what the runtime itself waits for, it would be woken through a system
/// call and one more turn of the event loop, and that for every frame.
///
/// # Errors
/// When the system has no descriptors for an event loop.
///
/// # Panics
/// When `program` does.
pub fn run<T: 'static>(program: impl Future<Output = T> + 'static) -> io::Result<T> {
    privilege::raise_priority();
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build_local(LocalOptions::default())?;
    let ended = runtime.block_on(runtime.spawn_local(program));
    runtime.shutdown_timeout(LAST_TASKS);
    Ok(ended.unwrap_or_else(|panic| resume_unwind(panic.into_panic())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_runs_to_its_end_with_tasks_of_its_own() {
        let program = async {
            let sent = tokio::task::spawn_local(async { 7 });
            let shared = tokio::spawn(async { 8 });
            sent.await.unwrap() + shared.await.unwrap()
        };
        assert_eq!(run(program).unwrap(), 15);
    }
}
