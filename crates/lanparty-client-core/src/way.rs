//! What every system's routes have in common.

use std::net::IpAddr;

/// How long the prefix of a single host is, in bits.
pub fn host_prefix(ip: IpAddr) -> u8 {
    match ip {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

/// Whether `ip` is in the network whose address begins with so many bits of `network`.
pub fn is_within(ip: IpAddr, network: IpAddr, prefix_len: u8) -> bool {
    let differ = match (network, ip) {
        (IpAddr::V4(a), IpAddr::V4(b)) => u128::from(a.to_bits() ^ b.to_bits()) << 96,
        (IpAddr::V6(a), IpAddr::V6(b)) => a.to_bits() ^ b.to_bits(),
        _ => return false,
    };
    differ.leading_zeros() >= prefix_len.into()
}

/// Addresses that no route leads elsewhere: a relay there needs none of its own.
pub fn stays_here(ip: IpAddr) -> bool {
    ip.is_loopback()
        || ip.is_unspecified()
        || match ip {
            IpAddr::V4(ip) => ip.is_link_local(),
            IpAddr::V6(ip) => ip.is_unicast_link_local(),
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_its_first_bits() {
        let is_within = |ip: &str, network: &str, prefix_len| {
            is_within(ip.parse().unwrap(), network.parse().unwrap(), prefix_len)
        };
        assert!(is_within("192.168.1.9", "192.168.1.0", 24));
        assert!(!is_within("192.168.2.9", "192.168.1.0", 24));
        assert!(is_within("203.0.113.7", "0.0.0.0", 0));
        assert!(is_within("203.0.113.7", "203.0.113.7", 32));
        assert!(!is_within("203.0.113.6", "203.0.113.7", 32));
        assert!(is_within("2001:db8::7", "2001:db8::", 32));
        assert!(!is_within("2001:db8::7", "2001:db8::6", 128));
        assert!(!is_within("2001:db8::7", "0.0.0.0", 0));
    }

    #[test]
    fn what_stays_on_this_machine_or_link_needs_no_route() {
        let stays_here = |ip: &str| stays_here(ip.parse().unwrap());
        for here in [
            "127.0.0.1",
            "0.0.0.0",
            "169.254.1.1",
            "::1",
            "::",
            "fe80::1",
        ] {
            assert!(stays_here(here), "{here}");
        }
        for away in ["192.168.1.9", "203.0.113.7", "2001:db8::7"] {
            assert!(!stays_here(away), "{away}");
        }
    }
}
