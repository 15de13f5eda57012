//! A system without systemd.

use std::time::Duration;

/// What there is to tell.
pub(super) struct Nothing;

pub(super) fn waits() -> bool {
    false
}

pub(super) fn ready(_: &str) -> Nothing {
    Nothing
}

pub(super) fn status(_: &str) -> Nothing {
    Nothing
}

pub(super) fn reloading() -> Nothing {
    Nothing
}

pub(super) fn stopping() -> Nothing {
    Nothing
}

pub(super) fn watched() -> Nothing {
    Nothing
}

pub(super) fn watchdog() -> Option<Duration> {
    None
}

pub(super) fn tell(_: &Nothing) {}

pub(super) fn is_journal<S>(_: &S) -> bool {
    false
}
