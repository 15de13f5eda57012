//! What Windows is asked for.

mod connection;
mod descriptor;
mod folder;
mod host;
mod process;
mod service;

pub use connection::{Connection, Refusal, is_busy, pipe_exists};
pub use descriptor::Descriptor;
pub use folder::{private_folder, program_data};
pub use host::be_service;
pub use process::{client_of, demand_rights, is_elevated};
pub use service::{
    install_service, remove_service, service_process, start_service, start_service_with_windows,
    stop_service,
};

use std::ffi::OsStr;
use std::io;
use std::os::windows::ffi::OsStrExt as _;
use windows_sys::core::BOOL;

/// With the zero at the end that Windows expects.
fn wide(text: impl AsRef<OsStr>) -> Vec<u16> {
    text.as_ref().encode_wide().chain([0]).collect()
}

/// The error of a call that answers whether it went well.
fn check(went_well: BOOL) -> io::Result<()> {
    match went_well {
        0 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}
