//! Where a request says that it goes and comes from: `Host` and `Origin`.
//!
//! Any web page that the host visits may have its name lead to this machine (DNS rebinding), and then the browser sends it
//! here with that name. So a name is no place but `localhost`: whoever means this machine says an address of it.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// An address or `localhost`, and a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    host: Host,
    port: u16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Host {
    Localhost,
    Address(IpAddr),
}

impl Place {
    /// What a `Host` header says. The port without a word is `default`.
    pub(crate) fn parse(text: &str, default: u16) -> Option<Self> {
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (address, port) = rest.split_once(']')?;
                let address: Ipv6Addr = address.parse().ok()?;
                (Host::Address(IpAddr::V6(address).to_canonical()), port)
            }
            None => {
                let end = text.find(':').unwrap_or(text.len());
                let (name, port) = text.split_at(end);
                let host = match name.eq_ignore_ascii_case("localhost") {
                    true => Host::Localhost,
                    false => Host::Address(IpAddr::V4(name.parse().ok()?)),
                };
                (host, port)
            }
        };
        let port = match port.strip_prefix(':') {
            Some(digits) if digits.bytes().all(|digit| digit.is_ascii_digit()) => {
                digits.parse().ok()?
            }
            Some(_) => return None,
            None if port.is_empty() => default,
            None => return None,
        };
        Some(Place { host, port })
    }

    /// What an `Origin` header says, if the page came by `scheme`.
    pub(crate) fn of_origin(text: &str, scheme: Scheme) -> Option<Self> {
        let place = text.strip_prefix(scheme.name())?.strip_prefix("://")?;
        Place::parse(place, scheme.port())
    }

    /// True when this is the end of a connection that is `local` here.
    pub(crate) fn is(self, local: SocketAddr) -> bool {
        let ip = local.ip().to_canonical();
        let is_here = match self.host {
            Host::Localhost => ip.is_loopback(),
            // ssh -L leads from one loopback address to another.
            Host::Address(address) => address == ip || (address.is_loopback() && ip.is_loopback()),
        };
        is_here && self.port == local.port()
    }
}

/// How a page is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scheme {
    Http,
    Https,
}

impl Scheme {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Scheme::Http => "http",
            Scheme::Https => "https",
        }
    }

    pub(crate) fn port(self) -> u16 {
        match self {
            Scheme::Http => 80,
            Scheme::Https => 443,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is(text: &str, local: &str) -> bool {
        let place = Place::parse(text, 80);
        place.is_some_and(|place| place.is(local.parse().unwrap()))
    }

    #[test]
    fn a_host_is_an_address_of_the_connection_or_localhost() {
        for (text, local) in [
            ("127.0.0.1:4480", "127.0.0.1:4480"),
            ("localhost:4480", "127.0.0.1:4480"),
            ("LocalHost:4480", "[::1]:4480"),
            ("[::1]:4480", "[::1]:4480"),
            ("[::1]:4480", "127.0.0.1:4480"),
            ("127.0.0.1", "127.0.0.1:80"),
            ("[::ffff:127.0.0.1]:4480", "127.0.0.1:4480"),
            ("192.168.50.2:4480", "192.168.50.2:4480"),
            ("192.168.50.2:4480", "[::ffff:192.168.50.2]:4480"),
            ("[fd00::2]:4480", "[fd00::2]:4480"),
        ] {
            assert!(is(text, local), "{text} at {local}");
        }
    }

    #[test]
    fn a_name_is_no_host_whatever_it_leads_to() {
        for text in [
            "evil.example:4480",
            "evil.example",
            "localhost.evil.example:4480",
            "localhost.:4480",
            "a.localhost:4480",
            "127.0.0.1.nip.io:4480",
            "127.0.0.1.:4480",
            "127.1:4480",
            "2130706433:4480",
            "0x7f.0.0.1:4480",
            "127.000.0.1:4480",
            "0.0.0.0:4480",
            "[::]:4480",
            "192.168.50.2:4480",
            "127.0.0.1:4481",
            "127.0.0.1:",
            "127.0.0.1:+4480",
            "127.0.0.1: 4480",
            "127.0.0.1:4480:4480",
            "127.0.0.1:99999",
            "127.0.0.1",
            "user@127.0.0.1:4480",
            "::1",
            "[::1",
            "[::1]4480",
            "[127.0.0.1]:4480",
            "[::1%lo]:4480",
            "127.0.0.1:4480/",
            "",
            " 127.0.0.1:4480",
            ":4480",
        ] {
            assert!(!is(text, "127.0.0.1:4480"), "{text}");
        }
        assert!(
            !is("localhost:4480", "192.168.50.2:4480"),
            "only this machine has that name"
        );
        assert!(!is("127.0.0.1:4480", "192.168.50.2:4480"));
    }

    #[test]
    fn an_origin_has_its_scheme() {
        let origin = |text| Place::of_origin(text, Scheme::Http);
        assert_eq!(
            origin("http://127.0.0.1:4480"),
            Place::parse("127.0.0.1:4480", 80)
        );
        assert_eq!(origin("http://[::1]"), Place::parse("[::1]:80", 80));
        for wrong in [
            "null",
            "",
            "https://127.0.0.1:4480",
            "127.0.0.1:4480",
            "http://127.0.0.1:4480/",
            "file://",
        ] {
            assert_eq!(origin(wrong), None, "{wrong}");
        }
        let secure = Place::of_origin("https://127.0.0.1", Scheme::Https);
        assert_eq!(secure, Place::parse("127.0.0.1:443", 80));
    }
}
