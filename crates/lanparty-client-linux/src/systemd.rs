//! The socket that systemd hands to a service (sd_listen_fds(3)). What it wants to hear of it is `lanparty_edge::systemd`'s.

#[allow(unsafe_code, reason = "a descriptor that came with the process")]
mod sys;

use std::io;
use std::os::unix::net::UnixListener;

/// The socket that this service was started for; without systemd there is none.
pub(crate) fn socket() -> io::Result<Option<UnixListener>> {
    let first = sd_notify::listen_fds()?.next();
    Ok(first.map(sys::take_listener))
}
