//! What somebody says to have.

use lanparty_proto::MacAddr;
use std::net::IpAddr;

/// Who is said to have which IP address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Claim {
    /// Whose it is: the hardware address inside the message, whoever sent that.
    pub(crate) mac: MacAddr,
    /// The address.
    pub(crate) address: IpAddr,
    /// False when it may be another's, for which somebody stands in.
    pub(crate) firm: bool,
}
