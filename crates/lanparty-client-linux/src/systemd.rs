//! What systemd hands to a service, and what it wants to hear of it (sd_listen_fds(3), sd_notify(3)). Without systemd
//! there is neither.

#[allow(unsafe_code, reason = "a descriptor that came with the process")]
mod sys;

use sd_notify::NotifyState;
use std::io;
use std::os::unix::net::UnixListener;

/// The socket that this service was started for.
pub(crate) fn socket() -> io::Result<Option<UnixListener>> {
    let first = sd_notify::listen_fds()?.next();
    Ok(first.map(sys::take_listener))
}

/// The service answers from now on.
pub(crate) fn ready() {
    tell(&[NotifyState::Ready]);
}

/// What `systemctl status` shows.
pub(crate) fn status(standing: &str) {
    tell(&[NotifyState::Status(standing)]);
}

/// The service ends.
pub(crate) fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// Says that the service is not stuck, as often as systemd wants; on the thread that carries frames and answers.
pub(crate) async fn keep_watched() {
    let Some(limit) = sd_notify::watchdog_enabled() else {
        return;
    };
    let mut beat = tokio::time::interval(limit / 2);
    loop {
        beat.tick().await;
        tell(&[NotifyState::Watchdog]);
    }
}

fn tell(news: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(news) {
        tracing::debug!(%error, "systemd could not be told");
    }
}
