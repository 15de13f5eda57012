//! A row of the routing table.

use lanparty_client_core::way;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A network interface's locally unique id: it stays the same while the adapter is installed, where
/// an index may change when it is restarted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Luid(pub u64);

/// IPv4 or IPv6.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// Both.
    pub const ALL: [Family; 2] = [Family::V4, Family::V6];

    /// The family of an address.
    pub fn of(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(_) => Family::V4,
            IpAddr::V6(_) => Family::V6,
        }
    }

    /// The address that means none: in a route's next hop, that the destination is on the link.
    pub fn unspecified(self) -> IpAddr {
        match self {
            Family::V4 => Ipv4Addr::UNSPECIFIED.into(),
            Family::V6 => Ipv6Addr::UNSPECIFIED.into(),
        }
    }
}

/// A unicast route. Windows knows two rows apart by everything but the metric.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// The network it leads to.
    pub destination: IpAddr,
    /// How many bits name that network.
    pub prefix_len: u8,
    /// The interface it leaves by.
    pub interface: Luid,
    /// The router, of the destination's family; unspecified when the destination is on the link.
    pub next_hop: IpAddr,
    /// What it costs, on top of its interface's metric.
    pub metric: u32,
}

impl Route {
    /// Whether packets to `ip` may take it.
    pub fn covers(&self, ip: IpAddr) -> bool {
        way::is_within(ip, self.destination, self.prefix_len)
    }

    /// Whether it is the same row, whatever it costs.
    pub fn is_same_row(&self, other: &Route) -> bool {
        let row = |route: &Route| {
            (
                route.destination,
                route.prefix_len,
                route.interface,
                route.next_hop,
            )
        };
        row(self) == row(other)
    }

    /// Whether it leads to one host only.
    pub fn is_host_route(&self) -> bool {
        self.prefix_len == way::host_prefix(self.destination)
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.destination, self.prefix_len)?;
        match self.next_hop.is_unspecified() {
            true => f.write_str(" on the link"),
            false => write!(f, " by way of {}", self.next_hop),
        }
    }
}
