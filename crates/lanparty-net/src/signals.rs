//! Being asked to stop.

use std::io;

/// Waits until the program is asked to stop, and says by what: `Ctrl-C`, or `SIGTERM` on Unix.
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
    #[cfg(not(unix))]
    {
        tokio::signal::ctrl_c().await?;
        Ok("Ctrl-C")
    }
}
