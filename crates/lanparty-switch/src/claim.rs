//! What somebody says to have.

use std::net::IpAddr;

/// Who says to have which IP address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Claim {
    /// The address.
    pub(crate) address: IpAddr,
}
