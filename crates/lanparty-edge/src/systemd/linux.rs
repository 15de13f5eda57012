//! systemd on Linux.

use rustix::fs::fstat;
use sd_notify::NotifyState;
use std::env;
use std::os::fd::AsFd;
use std::time::Duration;

pub(super) fn waits() -> bool {
    env::var_os("NOTIFY_SOCKET").is_some()
}

pub(super) fn ready(standing: &str) -> [NotifyState<'_>; 2] {
    [NotifyState::Ready, NotifyState::Status(standing)]
}

pub(super) fn status(standing: &str) -> [NotifyState<'_>; 1] {
    [NotifyState::Status(standing)]
}

/// From version 253 on systemd wants to know when that was.
pub(super) fn reloading() -> Vec<NotifyState<'static>> {
    let when = NotifyState::monotonic_usec_now();
    [NotifyState::Reloading].into_iter().chain(when).collect()
}

pub(super) fn stopping() -> [NotifyState<'static>; 1] {
    [NotifyState::Stopping]
}

pub(super) fn watched() -> [NotifyState<'static>; 1] {
    [NotifyState::Watchdog]
}

pub(super) fn watchdog() -> Option<Duration> {
    sd_notify::watchdog_enabled()
}

pub(super) fn tell(news: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(news) {
        tracing::debug!(%error, "systemd could not be told");
    }
}

/// `$JOURNAL_STREAM` is the device and inode of the stream that leads there.
pub(super) fn is_journal(stream: &impl AsFd) -> bool {
    let told = env::var("JOURNAL_STREAM").ok();
    let Some((device, inode)) = told.as_deref().and_then(|told| told.split_once(':')) else {
        return false;
    };
    fstat(stream).is_ok_and(|stream| {
        device.parse() == Ok(stream.st_dev) && inode.parse() == Ok(stream.st_ino)
    })
}
