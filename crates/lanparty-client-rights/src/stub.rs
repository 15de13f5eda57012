//! Where there is no Windows: every call says so.

use crate::host::{Ended, Manager};
use std::io;
use std::path::{Path, PathBuf};

fn unsupported<T>() -> io::Result<T> {
    Err(io::Error::new(
        io::ErrorKind::Unsupported,
        "this is the client for Windows; other systems have a client of their own",
    ))
}

/// Whether this process has an administrator's rights now.
pub fn is_elevated() -> bool {
    false
}

/// Does `work` as the service.
///
/// # Errors
/// Always.
pub fn be_service(_work: fn(Manager) -> Ended) -> io::Result<()> {
    unsupported()
}

/// Starts the service.
///
/// # Errors
/// Always.
pub fn start_service() -> io::Result<()> {
    unsupported()
}

/// Stops the service.
///
/// # Errors
/// Always.
pub fn stop_service() -> io::Result<bool> {
    unsupported()
}

/// Registers a program as the service.
///
/// # Errors
/// Always.
pub fn install_service(_program: &Path, _arguments: &[&str]) -> io::Result<()> {
    unsupported()
}

/// Takes the service away.
///
/// # Errors
/// Always.
pub fn remove_service() -> io::Result<()> {
    unsupported()
}

/// Whether the service begins with Windows.
///
/// # Errors
/// Always.
pub fn start_service_with_windows(_yes: bool) -> io::Result<()> {
    unsupported()
}

/// Where programs keep data.
///
/// # Errors
/// Always.
pub fn program_data() -> io::Result<PathBuf> {
    unsupported()
}

/// Makes a folder for administrators alone.
///
/// # Errors
/// Always.
pub fn private_folder(_path: &Path) -> io::Result<Option<PathBuf>> {
    unsupported()
}

/// Starts this program again as an administrator.
///
/// # Errors
/// Always.
pub fn demand_rights(_arguments: &str) -> io::Result<()> {
    unsupported()
}
