//! What the address that a router has outside means for those who are to come in by it.

use std::net::{IpAddr, Ipv4Addr};

/// What a router's address outside is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outside {
    /// The internet can reach it.
    Public,
    /// Another router stands in front of it (RFC 1918).
    Private,
    /// The provider shares a public address among its customers (RFC 6598, RFC 6333).
    Shared,
    /// No router has this outside.
    Nonsense,
}

impl Outside {
    /// What this address is good for.
    pub fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => of_ipv4(address),
            IpAddr::V6(address) => match address.segments()[0] >> 13 {
                1 => Outside::Public,
                _ => Outside::Nonsense,
            },
        }
    }
}

fn of_ipv4(address: Ipv4Addr) -> Outside {
    match address.octets() {
        [100, 64..=127, ..] | [192, 0, 0, 0..=7] => Outside::Shared,
        [0 | 127 | 224..=255, ..] | [169, 254, ..] | [192, 0, 0, _] => Outside::Nonsense,
        _ if address.is_private() => Outside::Private,
        _ => Outside::Public,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_routers_address_says_whether_anybody_can_come_in() {
        for (address, is) in [
            ("203.0.113.7", Outside::Public),
            ("100.63.255.255", Outside::Public),
            ("100.64.0.0", Outside::Shared),
            ("100.127.255.255", Outside::Shared),
            ("100.128.0.0", Outside::Public),
            ("192.0.0.2", Outside::Shared),
            ("192.0.0.8", Outside::Nonsense),
            ("10.0.0.1", Outside::Private),
            ("172.16.0.1", Outside::Private),
            ("172.32.0.1", Outside::Public),
            ("192.168.1.1", Outside::Private),
            ("::ffff:192.168.1.1", Outside::Private),
            ("0.0.0.0", Outside::Nonsense),
            ("127.0.0.1", Outside::Nonsense),
            ("169.254.3.4", Outside::Nonsense),
            ("224.0.0.1", Outside::Nonsense),
            ("255.255.255.255", Outside::Nonsense),
            ("240.0.0.1", Outside::Nonsense),
            ("2600::7", Outside::Public),
            ("fd00::1", Outside::Nonsense),
            ("fe80::1", Outside::Nonsense),
            ("::", Outside::Nonsense),
        ] {
            assert_eq!(Outside::of(address.parse().unwrap()), is, "{address}");
        }
    }
}
