//! Why the adapter cannot be used.

use crate::driver::OldDriver;
use std::io;

/// Why the adapter cannot be opened; each sentence says what to do.
#[derive(Debug, thiserror::Error)]
pub enum TapError {
    /// It is not there: removed, disabled, or still starting.
    #[error("the TAP adapter is not there ({0}); is it disabled in the network connections?")]
    NotThere(#[source] io::Error),
    /// Another program has it open.
    #[error(
        "another program uses the TAP adapter ({0}); close it, or choose another adapter with \
         --tap-instance-id"
    )]
    Busy(#[source] io::Error),
    /// It does not do what its driver should.
    #[error("the TAP adapter does not answer as its driver should ({0}); install the driver anew")]
    Broken(#[source] io::Error),
    /// Its driver is too old.
    #[error(transparent)]
    OldDriver(#[from] OldDriver),
}

/// `ERROR_GEN_FAILURE`: how the driver refuses a second program.
const GEN_FAILURE: i32 = 31;
/// `ERROR_SHARING_VIOLATION`: how Windows does.
const SHARING_VIOLATION: i32 = 32;

impl TapError {
    /// What it means that the device cannot be opened.
    pub fn from_opening(error: io::Error) -> Self {
        match (error.kind(), error.raw_os_error()) {
            (io::ErrorKind::PermissionDenied, _) | (_, Some(GEN_FAILURE | SHARING_VIOLATION)) => {
                TapError::Busy(error)
            }
            _ => TapError::NotThere(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_that_somebody_has_open_is_busy() {
        for error in [
            io::Error::from(io::ErrorKind::PermissionDenied),
            io::Error::from_raw_os_error(GEN_FAILURE),
            io::Error::from_raw_os_error(SHARING_VIOLATION),
        ] {
            assert!(matches!(TapError::from_opening(error), TapError::Busy(_)));
        }
        let missing = TapError::from_opening(io::ErrorKind::NotFound.into());
        assert!(matches!(missing, TapError::NotThere(_)));
    }
}
