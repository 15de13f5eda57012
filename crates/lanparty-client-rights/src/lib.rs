//! Who may do what with the player's service on Windows (spec R121).
//!
//! The service runs with every right there is, and anybody at this PC may ask it for a few things. So [`access`] says, in
//! Windows' own words, who may open the pipe, start the service, and write where the service keeps things. The rest
//! makes Windows go by that: `Descriptor` hands the words over, `Connection` is a view's end of the pipe that is
//! sure of whose it is, [`private_folder`] is a folder that nobody else has prepared.
//!
//! On systems other than Windows it only says that it is another system.

pub mod access;
mod account;
mod host;
#[cfg(not(windows))]
mod stub;
#[cfg(windows)]
#[allow(
    clippy::disallowed_methods,
    reason = "shell: waits at a pipe, owns a folder"
)]
mod windows;

pub use account::Account;
pub use host::{Ended, Manager};
#[cfg(not(windows))]
pub use stub::{
    be_service, demand_rights, install_service, is_elevated, private_folder, program_data,
    remove_service, start_service, start_service_with_windows, stop_service,
};
#[cfg(windows)]
pub use windows::{
    Connection, Descriptor, Refusal, be_service, client_of, demand_rights, install_service,
    is_busy, is_elevated, pipe_exists, private_folder, program_data, remove_service,
    service_process, start_service, start_service_with_windows, stop_service,
};
