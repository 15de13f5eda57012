//! The protocols by which a router is asked for a port.

use std::fmt;

/// How a router is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Way {
    /// RFC 6887.
    Pcp,
    /// RFC 6886.
    NatPmp,
    /// UPnP Internet Gateway Device.
    Upnp,
}

impl Way {
    /// What an IPv4 router is asked, in this order.
    pub const IPV4: &[Way] = &[Way::Pcp, Way::NatPmp, Way::Upnp];
    /// What an IPv6 router is asked.
    pub const IPV6: &[Way] = &[Way::Pcp];
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Way::Pcp => "PCP",
            Way::NatPmp => "NAT-PMP",
            Way::Upnp => "UPnP",
        })
    }
}
