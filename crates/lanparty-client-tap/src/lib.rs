//! The TAP-Windows6 adapter: frames that Windows sends through it come out here, and the other way
//! round.
//!
//! [`installed`] finds the adapters in the registry, [`choose`] takes the one to use, [`add_own`] makes one
//! where there is none, [`set_mac_value`] and [`restart`] give it a MAC address, and [`Tap::open`] makes it
//! a port for frames. The driver is OpenVPN's `tap0901`; this crate does not install it. On other systems everything here compiles,
//! and every call that would need the driver answers [`io::ErrorKind::Unsupported`](std::io::ErrorKind).

pub mod adapter;
pub mod driver;
pub mod error;

#[cfg(windows)]
#[path = "windows/mod.rs"]
mod imp;
#[cfg(not(windows))]
#[path = "stub.rs"]
mod imp;
#[cfg(all(test, not(windows)))]
mod told;

pub use adapter::{Adapter, AdapterFacts, ChooseError, choose};
pub use driver::{DriverVersion, MacValue, OldDriver};
pub use error::TapError;
pub use imp::{
    Tap, TapControl, add_own, installed, look, mac_value, remove_own, rename, restart,
    set_mac_value,
};
