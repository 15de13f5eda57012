//! A descriptor that came with the process.

use std::os::fd::{FromRawFd as _, OwnedFd, RawFd};
use std::os::unix::net::UnixListener;

/// Takes the listening socket that systemd put at this number.
pub(super) fn take_listener(number: RawFd) -> UnixListener {
    // SAFETY: `sd_notify::listen_fds` gives numbers that systemd names in an environment that is for this process
    // (LISTEN_PID is ours), so they were open when it started; it has set them to close on exec, which fails for a number
    // that is not open. Nobody else owns it: it is asked for once, before the service opens anything.
    unsafe { OwnedFd::from_raw_fd(number) }.into()
}
