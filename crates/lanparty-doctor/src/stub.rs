//! Systems without a client: nothing is known, and nothing can be mended.

use crate::facts::{Culprit, Driver, Firewall, Hindrance, Leftovers, Network, Rights, User};
use crate::mend::MendError;
use std::io;

pub(crate) fn has_service() -> bool {
    false
}

pub(crate) fn user() -> User {
    User::default()
}

pub(crate) fn rights() -> Rights {
    Rights::Missing(Hindrance::Ordinary)
}

pub(crate) fn driver() -> Driver {
    Driver::Missing
}

pub(crate) fn leftovers(_plays: bool) -> Leftovers {
    Leftovers::Nothing
}

pub(crate) fn clock_is_kept() -> Option<bool> {
    None
}

pub(crate) fn network(_mac: Option<&str>) -> io::Result<Network> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(crate) fn firewall(_adapter: Option<&str>) -> Firewall {
    Firewall::Unknown
}

pub(crate) fn kill_switch() -> Option<Culprit> {
    None
}

pub(crate) fn let_through() -> Result<Option<String>, MendError> {
    Err(MendError::Unknown)
}

/// Nobody says how long packets may be by this interface.
pub(crate) fn mtu(_interface: &str) -> Option<usize> {
    None
}

/// Nobody says the interface's number.
pub(crate) fn scope(_interface: &str) -> Option<u32> {
    None
}

pub(crate) fn start_service() -> Result<String, MendError> {
    Err(MendError::Unknown)
}

pub(crate) fn restart_service() -> Result<String, MendError> {
    Err(MendError::Unknown)
}

pub(crate) fn permit() -> Result<String, MendError> {
    Err(MendError::Unknown)
}
