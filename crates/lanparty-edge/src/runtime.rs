//! The thread that a program runs on; a relay's other loops have threads of their own.

use crate::privilege;
use std::io;
use std::panic;
use std::sync::Once;
use std::time::Duration;
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::Notify;

/// What is still busy at the end, like the resolution of a name, ends with the process.
const LAST_TASKS: Duration = Duration::from_millis(50);

/// Something has panicked, in whichever task or thread.
static PANICKED: Notify = Notify::const_new();

/// Why a program could not run to its end.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// The system has no descriptors for an event loop.
    #[error("cannot wait for the network: {0}")]
    NoEventLoop(#[source] io::Error),
    /// A task panicked; the panic itself has said where and why.
    #[error("a part of this program has failed, so all of it ends: please report the lines above")]
    Panicked,
}

/// Runs `program` to its end, with more than ordinary priority where we may have that; so rights are given
/// up in it, not before.
///
/// It is a task like others. As what the runtime itself waits for, it would be woken through a system
/// call and one more turn of the event loop, and that for every frame.
///
/// A panic in any task or thread ends it as well: a program of which a part is gone would look healthy from outside and
/// hear nobody. What undoes changes to the machine when it is dropped still does.
///
/// # Errors
/// [`RuntimeError`].
pub fn run<T: 'static>(program: impl Future<Output = T> + 'static) -> Result<T, RuntimeError> {
    privilege::raise_priority();
    watch_for_panics();
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build_local(LocalOptions::default())
        .map_err(RuntimeError::NoEventLoop)?;
    let program = runtime.spawn_local(program);
    let ended = runtime.block_on(async {
        tokio::select! {
            ended = program => ended.ok(),
            () = PANICKED.notified() => None,
        }
    });
    runtime.shutdown_timeout(LAST_TASKS);
    ended.ok_or(RuntimeError::Panicked)
}

fn watch_for_panics() {
    static WATCHING: Once = Once::new();
    WATCHING.call_once(|| {
        let say = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            say(panic);
            PANICKED.notify_one();
        }));
    });
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
