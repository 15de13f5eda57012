//! Being asked to stop, or to look again.

use std::io;

/// Waits until the program is asked to stop, and says by what: `Ctrl-C`, or `SIGTERM` on Unix; on
/// Windows also Ctrl-Break and the end of the console, the session or the system.
///
/// # Errors
/// When the system does not let us listen for signals.
pub async fn shutdown() -> io::Result<&'static str> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        tokio::select! {
            _ = terminate.recv() => Ok("SIGTERM"),
            _ = interrupt.recv() => Ok("Ctrl-C"),
        }
    }
    #[cfg(windows)]
    {
        use tokio::signal::windows;
        let (mut interrupt, mut brk) = (windows::ctrl_c()?, windows::ctrl_break()?);
        let (mut close, mut logoff) = (windows::ctrl_close()?, windows::ctrl_logoff()?);
        let mut shutdown = windows::ctrl_shutdown()?;
        tokio::select! {
            _ = interrupt.recv() => Ok("Ctrl-C"),
            _ = brk.recv() => Ok("Ctrl-Break"),
            _ = close.recv() => Ok("the console was closed"),
            _ = logoff.recv() => Ok("the session ends"),
            _ = shutdown.recv() => Ok("the system shuts down"),
        }
    }
}

/// Being asked to read files again: SIGHUP, where there is such a thing.
#[derive(Debug)]
pub struct Hangups {
    #[cfg(unix)]
    signals: tokio::signal::unix::Signal,
}

impl Hangups {
    /// Listens from now on; SIGHUP does not end the program any more.
    ///
    /// # Errors
    /// When the system does not let us listen for signals.
    pub fn listen() -> io::Result<Self> {
        Ok(Hangups {
            #[cfg(unix)]
            signals: tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup())?,
        })
    }

    /// Waits for the next one.
    pub async fn next(&mut self) {
        #[cfg(unix)]
        if self.signals.recv().await.is_some() {
            return;
        }
        std::future::pending::<()>().await;
    }
}
