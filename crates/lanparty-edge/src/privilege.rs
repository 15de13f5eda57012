//! Letting go of what a program does not need, as early as it can be known (capabilities(7), prctl(2),
//! landlock(7)).
//!
//! All of this belongs to threads and is inherited by those that they start, so it is called while
//! there is one. Elsewhere than on Linux there is nothing to let go of.

#[cfg(target_os = "linux")]
mod capabilities;
#[cfg(target_os = "linux")]
mod files;
#[cfg(target_os = "linux")]
mod lacking;
#[cfg(target_os = "linux")]
mod words;

#[cfg(target_os = "linux")]
pub use capabilities::{CapabilitySet, held, narrow};
#[cfg(target_os = "linux")]
pub use lacking::advice;

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;

/// Writes over invites and access tokens among the words with which this program was started, so that other
/// users of the machine do not read them any more. To be called before [`harden`], with `words` from
/// [`std::env::args_os`], which gives nothing useful afterwards. What does not work is left as it is.
pub fn hide_secrets(words: &[OsString]) {
    #[cfg(target_os = "linux")]
    if let Err(error) = words::hide(words) {
        tracing::debug!(%error, "A secret stays on the command line");
    }
    #[cfg(not(target_os = "linux"))]
    let _ = words;
}

/// What every program does first: it notes what whoever started it wants, and then no child will have more rights than we have, and no core file, no
/// debugger of the same user shows the secrets in our memory.
///
/// # Errors
/// What the system says.
pub fn harden() -> io::Result<()> {
    crate::signals::note_ignored();
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        lacking::note_forbidden();
        rustix::thread::set_no_new_privs(true)?;
        set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    }
    Ok(())
}

/// What root's programs run with (setpriority(2)).
#[cfg(target_os = "linux")]
const RAISED: i32 = -10;

/// Comes before ordinary programs when the processor is busy (setpriority(2), -10 of -20 to 19): a frame
/// needs microseconds of it, and otherwise waits for some milliseconds of somebody else's. Whoever may
/// not do that is served like everybody else.
pub(crate) fn raise_priority() {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{getpriority_process, setpriority_process};
        // Whoever started us with another one has meant that.
        let is_ordinary = getpriority_process(None).is_ok_and(|nice| nice == 0);
        if is_ordinary && let Err(error) = setpriority_process(None, RAISED) {
            tracing::debug!(%error, "Runs with ordinary priority");
        }
    }
}

/// Gives up every capability for good.
///
/// # Errors
/// What the system says.
pub fn give_up_capabilities() -> io::Result<()> {
    #[cfg(target_os = "linux")]
    narrow(CapabilitySet::empty())?;
    Ok(())
}

/// For a thread beside the program's own, which may have been started before that one gave up what it does
/// not need: this one has no capabilities and opens no file, but what names are looked up with. It says
/// nothing of it, as it may be the one that writes what is said.
pub fn need_nothing() {
    #[cfg(target_os = "linux")]
    {
        let _ = narrow(CapabilitySet::empty());
        let _ = files::confine(&[], &[]);
    }
}

/// What a thread runs with that must not be in the way of frames (setpriority(2)).
#[cfg(target_os = "linux")]
const LOWERED: i32 = 5;

/// For a thread that serves people beside the path of frames: it needs nothing, and comes after ordinary programs when
/// the processor is busy.
pub fn stand_back() {
    need_nothing();
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, LOWERED) {
        tracing::debug!(%error, "A thread beside runs with the program's priority");
    }
}

/// For a thread that works for strangers beside those that move frames: it comes after these when the processor is busy.
pub fn come_after_frames() {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{getpriority_process, setpriority_process};
        let lowered = getpriority_process(None).map(|nice| (nice + LOWERED).min(19));
        if let Err(error) = lowered.and_then(|nice| setpriority_process(None, nice)) {
            tracing::debug!(%error, "A thread beside runs with the program's priority");
        }
    }
}

/// From here on this program opens `also`, what names are looked up with, and no other file; it writes
/// none and starts no program. What is open stays so. A kernel without Landlock lets everything pass,
/// which is only logged.
pub fn read_only(also: &[PathBuf]) {
    read_and_write(also, &[]);
}

/// The same, but for what is in these folders, and is there already: that it may write as well.
pub fn read_and_write(also: &[PathBuf], written: &[PathBuf]) {
    #[cfg(target_os = "linux")]
    match files::confine(also, written) {
        Ok(landlock::RulesetStatus::NotEnforced) => {
            tracing::info!("Not confined to the files that are needed: no Landlock here");
        }
        Ok(restricted) => tracing::debug!(?restricted, "Confined to the files that are needed"),
        Err(error) => tracing::warn!(%error, "Not confined to the files that are needed"),
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (also, written);
}
