//! A named pipe of Windows.

use super::DoorError;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::windows::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

/// Where the system's service listens.
pub const USUAL: &str = r"\\.\pipe\softlan-vpn\client";

pub(super) type Stream = File;

/// The server learns who we are and may not act as us (`SECURITY_IDENTIFICATION`, winbase.h).
const IDENTIFICATION: u32 = 1 << 16;

/// Without overlapped I/O a pipe has no time limit; whoever may not wait has a thread for it.
pub(super) fn open(path: &Path, _patience: Duration) -> Result<Stream, DoorError> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .security_qos_flags(IDENTIFICATION)
        .open(path)
        .map_err(|error| match error.kind() {
            io::ErrorKind::PermissionDenied => DoorError::NotPermitted,
            io::ErrorKind::NotFound => DoorError::NotRunning,
            _ => DoorError::Silent(error),
        })
}
