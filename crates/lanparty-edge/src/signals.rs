//! Being asked to stop, or to look again.

use std::io;
#[cfg(target_os = "linux")]
use std::sync::OnceLock;

/// Whether SIGHUP was ignored when this program was started.
#[cfg(target_os = "linux")]
static IGNORES_HANGUP: OnceLock<bool> = OnceLock::new();

/// Looks which signals whoever started this program wants ignored; to be called before anything listens for them, and
/// while files can still be opened.
pub(crate) fn note_ignored() {
    #[cfg(target_os = "linux")]
    ignores_hangup();
}

/// True when whoever started this program wants it to outlive its terminal, as nohup(1) does.
#[cfg(target_os = "linux")]
fn ignores_hangup() -> bool {
    *IGNORES_HANGUP.get_or_init(|| {
        let status = std::fs::read_to_string("/proc/self/status");
        status.is_ok_and(|status| is_hangup_ignored(&status))
    })
}

/// Reads the mask of ignored signals, of which SIGHUP is the first (proc(5), status).
#[cfg(target_os = "linux")]
fn is_hangup_ignored(status: &str) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & 1 == 1)
}

/// Waits until the program is asked to stop, and says by what: `Ctrl-C`, or `SIGTERM` on Unix; on
/// Windows also Ctrl-Break and the end of the console, the session or the system.
///
/// It listens from the call on, not from the first poll: whoever calls this before it changes or says anything is never
/// ended halfway. It is to be called in a Tokio runtime.
///
/// # Errors
/// When the system does not let us listen for signals.
pub fn shutdown() -> impl Future<Output = io::Result<&'static str>> {
    let listening = listen();
    async move { Ok(listening?.await) }
}

#[cfg(unix)]
fn listen() -> io::Result<impl Future<Output = &'static str>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "Ctrl-C",
        }
    })
}

#[cfg(windows)]
fn listen() -> io::Result<impl Future<Output = &'static str>> {
    use tokio::signal::windows;
    let (mut interrupt, mut brk) = (windows::ctrl_c()?, windows::ctrl_break()?);
    let (mut close, mut logoff) = (windows::ctrl_close()?, windows::ctrl_logoff()?);
    let mut shutdown = windows::ctrl_shutdown()?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => "Ctrl-C",
            _ = brk.recv() => "Ctrl-Break",
            _ = close.recv() => "the console was closed",
            _ = logoff.recv() => "the session ends",
            _ = shutdown.recv() => "the system shuts down",
        }
    })
}

/// Being asked to read files again: SIGHUP, where there is such a thing.
#[derive(Debug)]
pub struct Hangups {
    /// None where they are ignored.
    #[cfg(unix)]
    signals: Option<tokio::signal::unix::Signal>,
}

impl Hangups {
    /// Listens from now on; SIGHUP does not end the program any more. Where whoever started it wants SIGHUP to be
    /// ignored, it stays so.
    ///
    /// # Errors
    /// When the system does not let us listen for signals.
    pub fn listen() -> io::Result<Self> {
        Ok(Hangups {
            #[cfg(unix)]
            signals: hangups()?,
        })
    }

    /// Waits for the next one.
    pub async fn next(&mut self) {
        #[cfg(unix)]
        if let Some(signals) = &mut self.signals
            && signals.recv().await.is_some()
        {
            return;
        }
        std::future::pending::<()>().await;
    }
}

#[cfg(unix)]
fn hangups() -> io::Result<Option<tokio::signal::unix::Signal>> {
    use tokio::signal::unix::{SignalKind, signal};
    #[cfg(target_os = "linux")]
    if ignores_hangup() {
        return Ok(None);
    }
    signal(SignalKind::hangup()).map(Some)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use rustix::process::{Signal, getpid, kill_process};

    #[test]
    fn a_signal_before_anybody_waits_for_it_is_heard() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let _inside = runtime.enter();
        let asked = shutdown();
        kill_process(getpid(), Signal::TERM).unwrap();
        assert_eq!(runtime.block_on(asked).unwrap(), "SIGTERM");
    }

    #[test]
    fn the_first_bit_of_the_mask_is_sighup() {
        let status = |mask| format!("Name:\tx\nSigBlk:\t0000000000000001\nSigIgn:\t{mask}\n");
        assert!(is_hangup_ignored(&status("0000000000000001")));
        assert!(is_hangup_ignored(&status("0000000000001001")));
        assert!(!is_hangup_ignored(&status("0000000000001000")));
        assert!(!is_hangup_ignored("Name:\tx\n"));
    }
}
