//! Where there is no TAP-Windows6: every call says so.

use crate::adapter::{Adapter, AdapterFacts};
use crate::driver::MacValue;
use crate::error::TapError;
use bytes::Bytes;
use lanparty_obs::DropReason;
use lanparty_peer::FramePort;
use lanparty_peer::vnet::Sent;
use lanparty_proto::{FrameBuf, MacAddr};
use std::convert::Infallible;
use std::io;
use std::task::{Context, Poll};

/// An open adapter, which there cannot be.
#[derive(Debug)]
pub struct Tap(Infallible);

/// The switch and gauges of an adapter that cannot be.
#[derive(Debug, Clone)]
pub struct TapControl(Infallible);

fn unsupported() -> io::Error {
    io::Error::new(
        io::ErrorKind::Unsupported,
        "TAP-Windows6 adapters exist on Windows only",
    )
}

/// Finds the adapters in the registry.
///
/// # Errors
/// Always.
pub fn installed() -> io::Result<Vec<Adapter>> {
    Err(unsupported())
}

/// What the registry gives the adapter as its MAC address.
///
/// # Errors
/// Always.
pub fn mac_value(_adapter: &Adapter) -> io::Result<MacValue> {
    Err(unsupported())
}

/// Writes what the registry gives the adapter as its MAC address.
///
/// # Errors
/// Always.
pub fn set_mac_value(_adapter: &Adapter, _value: &MacValue) -> io::Result<()> {
    Err(unsupported())
}

/// Makes the adapter that is ours.
///
/// # Errors
/// Always.
pub fn add_own() -> io::Result<()> {
    Err(unsupported())
}

/// Removes the adapter that is ours.
///
/// # Errors
/// Always.
pub fn remove_own() -> io::Result<()> {
    Err(unsupported())
}

/// Gives the adapter a name.
///
/// # Errors
/// Always.
pub fn rename(_adapter: &Adapter, _name: &str) -> io::Result<()> {
    Err(unsupported())
}

/// Starts the adapter anew.
///
/// # Errors
/// Always.
pub fn restart(_adapter: &Adapter) -> io::Result<()> {
    Err(unsupported())
}

/// Asks an adapter what it is, and changes nothing.
///
/// # Errors
/// Always.
pub fn look(_adapter: &Adapter) -> Result<AdapterFacts, TapError> {
    Err(TapError::NotThere(unsupported()))
}

impl Tap {
    /// Opens an adapter.
    ///
    /// # Errors
    /// Always.
    pub fn open(_adapter: &Adapter) -> Result<Self, TapError> {
        Err(TapError::NotThere(unsupported()))
    }

    /// Closes the device.
    pub fn close(self) {
        match self.0 {}
    }

    /// A switch that works while the port is in use elsewhere.
    pub fn control(&self) -> TapControl {
        TapControl(self.0)
    }
}

impl FramePort for Tap {
    fn poll_readable(&mut self, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.0 {}
    }

    fn try_recv(&mut self, _take: &mut dyn FnMut(Result<FrameBuf, DropReason>)) -> io::Result<u64> {
        match self.0 {}
    }

    fn try_send(&mut self, _frames: &[Bytes]) -> Sent {
        match self.0 {}
    }
}

impl TapControl {
    /// Plugs the cable in or pulls it.
    ///
    /// # Errors
    /// Never: there is no such adapter.
    pub fn set_media(&self, _plugged_in: bool) -> io::Result<()> {
        match self.0 {}
    }

    /// Whether the cable is in.
    pub fn is_plugged_in(&self) -> bool {
        match self.0 {}
    }

    /// The adapter's MAC address.
    pub fn mac(&self) -> Option<MacAddr> {
        match self.0 {}
    }

    /// The longest packet that the driver takes.
    pub fn mtu(&self) -> Option<u32> {
        match self.0 {}
    }

    /// How many times the device has been opened.
    pub fn openings(&self) -> u64 {
        match self.0 {}
    }
}
