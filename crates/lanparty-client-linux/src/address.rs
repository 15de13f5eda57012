//! An address for the adapter, with the prefix that says who is on the same LAN.

use lanparty_client_core::way::is_within;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// `ADDR/PREFIX`, of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct InterfaceAddress {
    ip: IpAddr,
    prefix_len: u8,
}

/// The text is not an address that an adapter can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct InterfaceAddressError;

impl InterfaceAddress {
    /// An address of a network whose address begins with so many bits of it.
    pub(crate) fn new(ip: IpAddr, prefix_len: u8) -> Result<Self, InterfaceAddressError> {
        let longest = if ip.is_ipv4() { 32 } else { 128 };
        let address = InterfaceAddress { ip, prefix_len };
        if (1..=longest).contains(&prefix_len) && address.is_host() {
            Ok(address)
        } else {
            Err(InterfaceAddressError)
        }
    }

    pub(crate) fn ip(self) -> IpAddr {
        self.ip
    }

    pub(crate) fn prefix_len(self) -> u8 {
        self.prefix_len
    }

    /// The IPv4 network's broadcast address; two hosts on a cable have none (RFC 3021).
    pub(crate) fn broadcast(self) -> Option<Ipv4Addr> {
        match self.ip {
            IpAddr::V4(ip) if self.prefix_len < 31 => {
                Some(Ipv4Addr::from_bits(ip.to_bits() | self.host_bits()))
            }
            IpAddr::V4(_) | IpAddr::V6(_) => None,
        }
    }

    /// The first address of its network, which names that.
    pub(crate) fn network(self) -> IpAddr {
        match self.ip {
            IpAddr::V4(ip) => Ipv4Addr::from_bits(ip.to_bits() & !self.host_bits()).into(),
            IpAddr::V6(ip) => {
                let host_bits = u128::MAX.checked_shr(self.prefix_len.into()).unwrap_or(0);
                Ipv6Addr::from_bits(ip.to_bits() & !host_bits).into()
            }
        }
    }

    /// Whether another address is in its network.
    pub(crate) fn is_neighbour(self, other: IpAddr) -> bool {
        is_within(other, self.ip, self.prefix_len)
    }

    /// The bits of an IPv4 address that name the host.
    fn host_bits(self) -> u32 {
        u32::MAX.checked_shr(self.prefix_len.into()).unwrap_or(0)
    }

    /// True unless this names a network, a broadcast, a group or nobody.
    fn is_host(self) -> bool {
        let named = match self.ip {
            IpAddr::V4(ip) if self.prefix_len < 31 => {
                let host = ip.to_bits() & self.host_bits();
                host != 0 && host != self.host_bits()
            }
            IpAddr::V4(_) | IpAddr::V6(_) => true,
        };
        named && !self.ip.is_unspecified() && !self.ip.is_multicast() && !self.ip.is_loopback()
    }
}

impl FromStr for InterfaceAddress {
    type Err = InterfaceAddressError;

    fn from_str(text: &str) -> Result<Self, InterfaceAddressError> {
        let (ip, prefix_len) = text.split_once('/').ok_or(InterfaceAddressError)?;
        let ip: IpAddr = ip.parse().map_err(|_| InterfaceAddressError)?;
        let prefix_len = prefix_len.parse().map_err(|_| InterfaceAddressError)?;
        InterfaceAddress::new(ip, prefix_len)
    }
}

impl fmt::Display for InterfaceAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.ip, self.prefix_len)
    }
}

impl fmt::Display for InterfaceAddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("write a host's address and its prefix, like 192.168.50.7/24 or fd00::7/64")
    }
}

impl std::error::Error for InterfaceAddressError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<InterfaceAddress, InterfaceAddressError> {
        text.parse()
    }

    #[test]
    fn a_hosts_address_has_a_prefix() {
        for text in [
            "192.168.50.7/24",
            "10.0.0.1/8",
            "10.0.0.0/31",
            "10.0.0.9/32",
            "fd00::7/64",
        ] {
            assert_eq!(parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn networks_groups_and_nobody_are_no_hosts() {
        for bad in [
            "",
            "/",
            "192.168.50.7",
            "192.168.50.7/",
            "192.168.50.7/0",
            "192.168.50.7/33",
            "10.0.0.7/x",
            "192.168.50.0/24",
            "192.168.50.255/24",
            "0.0.0.0/8",
            "224.0.0.1/4",
            "127.0.0.1/8",
            "::/64",
            "ff02::1/64",
            "::1/128",
            "fd00::7/129",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_address_is_in_a_network() {
        for (address, network) in [
            ("192.168.50.7/24", "192.168.50.0"),
            ("10.1.2.3/8", "10.0.0.0"),
            ("10.0.0.9/32", "10.0.0.9"),
            ("fd00:1:2:3::7/64", "fd00:1:2:3::"),
            ("fd00::7/128", "fd00::7"),
        ] {
            assert_eq!(parse(address).unwrap().network().to_string(), network);
        }
    }

    #[test]
    fn games_are_told_where_to_broadcast() {
        let broadcast = |text| parse(text).unwrap().broadcast().map(|ip| ip.to_string());
        assert_eq!(
            broadcast("192.168.50.7/24").as_deref(),
            Some("192.168.50.255")
        );
        assert_eq!(broadcast("10.1.2.3/8").as_deref(), Some("10.255.255.255"));
        assert_eq!(broadcast("10.1.2.2/31"), None);
        assert_eq!(broadcast("fd00::7/64"), None);
    }
}
