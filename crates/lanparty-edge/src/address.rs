//! Addresses as people write them.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

/// The port that relays listen on unless told otherwise.
pub const DEFAULT_PORT: u16 = 443;

/// Where a relay is: `HOST`, `HOST:PORT`, `[IPV6]:PORT` or a bare IPv6 address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayAddress {
    host: String,
    port: u16,
}

/// The text is not the address of a relay.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a relay address; write it like relay.example.net, 203.0.113.7:4433 or [2001:db8::7]:443"
)]
pub struct RelayAddressError(pub(crate) String);

impl RelayAddress {
    /// The host: a name or an IP address, without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The UDP port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// True for another way to write the same: names are the same in any case (RFC 4343), with a dot behind them or not.
    pub fn is_same(&self, other: &RelayAddress) -> bool {
        let name = |relay: &RelayAddress| {
            let host = relay.host.to_ascii_lowercase();
            host.strip_suffix('.').map_or(host.clone(), str::to_owned)
        };
        self.port == other.port && name(self) == name(other)
    }
}

impl FromStr for RelayAddress {
    type Err = RelayAddressError;

    fn from_str(text: &str) -> Result<Self, RelayAddressError> {
        RelayAddress::parse(text, DEFAULT_PORT)
    }
}

impl RelayAddress {
    /// Reads an address that has this port if it says no other.
    ///
    /// # Errors
    /// [`RelayAddressError`].
    pub fn parse(text: &str, port: u16) -> Result<Self, RelayAddressError> {
        let error = || RelayAddressError(text.to_owned());
        if let Ok(address) = text.parse::<SocketAddr>() {
            return nonzero(address.ip().to_string(), address.port()).ok_or_else(error);
        }
        if let Ok(ip) = text
            .trim_start_matches('[')
            .trim_end_matches(']')
            .parse::<IpAddr>()
        {
            return nonzero(ip.to_string(), port).ok_or_else(error);
        }
        let (host, port) = match text.split_once(':') {
            Some((host, port)) => (host, port.parse().map_err(|_| error())?),
            None => (text, port),
        };
        if !is_host_name(host) {
            return Err(error());
        }
        nonzero(host.to_owned(), port).ok_or_else(error)
    }
}

fn nonzero(host: String, port: u16) -> Option<RelayAddress> {
    (port != 0).then_some(RelayAddress { host, port })
}

/// A name as RFC 1123 §2.1 has it, within the lengths of RFC 1035 §2.3.4.
fn is_host_name(host: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|c| c.is_ascii_alphanumeric() || c == b'-' || c == b'_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let host = host.strip_suffix('.').unwrap_or(host);
    let looks_like_ipv4 = host.bytes().all(|c| c.is_ascii_digit() || c == b'.');
    host.len() <= 253 && !looks_like_ipv4 && host.split('.').all(is_label)
}

impl From<SocketAddr> for RelayAddress {
    fn from(address: SocketAddr) -> Self {
        RelayAddress {
            host: address.ip().to_canonical().to_string(),
            port: address.port(),
        }
    }
}

impl fmt::Display for RelayAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

/// Where a relay listens: `ADDR:PORT`, or `PORT/udp` for all addresses of both families.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListenAddress(SocketAddr);

/// The text is not an address to listen on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an address to listen on; write it like 443/udp, 203.0.113.7:443 or [::]:443")]
pub struct ListenAddressError(pub(crate) String);

impl ListenAddress {
    /// The address to bind; an IPv6 wildcard means both families.
    pub fn socket_address(self) -> SocketAddr {
        self.0
    }
}

impl FromStr for ListenAddress {
    type Err = ListenAddressError;

    fn from_str(text: &str) -> Result<Self, ListenAddressError> {
        let address = address_or_port(text, "/udp").map(ListenAddress);
        address.ok_or_else(|| ListenAddressError(text.to_owned()))
    }
}

/// An address and port, or a port of all addresses.
fn address_or_port(text: &str, suffix: &str) -> Option<SocketAddr> {
    match text.strip_suffix(suffix) {
        Some(port) => Some((Ipv6Addr::UNSPECIFIED, port.parse().ok()?).into()),
        None => text.parse().ok(),
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Where a relay listens for TCP: `ADDR:PORT`, or `PORT/tcp` for all addresses of both families.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TcpAddress(SocketAddr);

/// The text is not an address to listen on for TCP.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not an address to listen on for TCP; write it like 127.0.0.1:8443, 443/tcp or [::]:443"
)]
pub struct TcpAddressError(pub(crate) String);

impl TcpAddress {
    /// The address to bind; an IPv6 wildcard means both families.
    pub fn socket_address(self) -> SocketAddr {
        self.0
    }
}

impl FromStr for TcpAddress {
    type Err = TcpAddressError;

    fn from_str(text: &str) -> Result<Self, TcpAddressError> {
        let address = address_or_port(text, "/tcp").map(TcpAddress);
        address.ok_or_else(|| TcpAddressError(text.to_owned()))
    }
}

impl fmt::Display for TcpAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relays_are_written_in_these_ways() {
        for (text, shown) in [
            ("relay.example.net", "relay.example.net:443"),
            ("relay.example.net:4433", "relay.example.net:4433"),
            ("localhost:1", "localhost:1"),
            ("203.0.113.7", "203.0.113.7:443"),
            ("203.0.113.7:4433", "203.0.113.7:4433"),
            ("2001:db8::7", "[2001:db8::7]:443"),
            ("[2001:db8::7]", "[2001:db8::7]:443"),
            ("[2001:db8::7]:4433", "[2001:db8::7]:4433"),
        ] {
            assert_eq!(text.parse::<RelayAddress>().unwrap().to_string(), shown);
        }
    }

    #[test]
    fn a_port_that_is_not_said_is_the_given_one() {
        for (text, shown) in [
            ("relay.example.net", "relay.example.net:4433"),
            ("relay.example.net:1", "relay.example.net:1"),
            ("2001:db8::7", "[2001:db8::7]:4433"),
        ] {
            let address = RelayAddress::parse(text, 4433).unwrap();
            assert_eq!(address.to_string(), shown);
        }
        let mapped: SocketAddr = "[::ffff:192.0.2.7]:5".parse().unwrap();
        assert_eq!(RelayAddress::from(mapped).to_string(), "192.0.2.7:5");
    }

    #[test]
    fn other_texts_are_no_relays() {
        for bad in [
            "",
            ":443",
            "relay:",
            "relay:0",
            "relay:65536",
            "relay:443x",
            "re lay",
            "-relay",
            "https://relay",
            "relay..net",
            "1.2.3.4:0",
            "1.2.3",
            "300.1.1.1",
            "a:b:c",
        ] {
            let error = bad.parse::<RelayAddress>().unwrap_err();
            assert!(error.to_string().contains(&format!("`{bad}`")));
        }
    }

    #[test]
    fn a_relay_listens_on_an_address_or_on_all() {
        let listen = |text: &str| text.parse::<ListenAddress>().map(|a| a.to_string());
        assert_eq!(listen("443/udp").unwrap(), "[::]:443");
        assert_eq!(listen("127.0.0.1:0").unwrap(), "127.0.0.1:0");
        assert_eq!(listen("[::1]:443").unwrap(), "[::1]:443");
        for bad in ["443", "443/tcp", "x/udp", "70000/udp", "relay:443", ""] {
            assert!(listen(bad).is_err(), "{bad}");
        }
        let tcp = |text: &str| text.parse::<TcpAddress>().map(|a| a.to_string());
        assert_eq!(tcp("443/tcp").unwrap(), "[::]:443");
        assert_eq!(tcp("127.0.0.1:8443").unwrap(), "127.0.0.1:8443");
        for bad in ["443", "443/udp", "x/tcp", "70000/tcp", "relay:443", ""] {
            assert!(tcp(bad).is_err(), "{bad}");
        }
    }
}
