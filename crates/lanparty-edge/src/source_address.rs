//! The addresses that this machine has on its ways out.

use crate::address::DEFAULT_PORT;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// The address of this machine from which packets to `remote` leave now; nothing is sent.
pub fn source_towards(remote: SocketAddr) -> Option<IpAddr> {
    let any: IpAddr = match remote {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect(remote).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

/// The address with which this machine goes out to the internet, IPv4 if it has both; nothing is sent.
pub fn outgoing() -> Option<IpAddr> {
    // Addresses for documentation (RFC 5737, RFC 3849): they are nobody's, so the default route leads there.
    let anywhere: [SocketAddr; 2] = [
        (Ipv4Addr::new(192, 0, 2, 1), DEFAULT_PORT).into(),
        (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1), DEFAULT_PORT).into(),
    ];
    anywhere.into_iter().find_map(source_towards)
}

/// True when the whole internet could reach this address: it is for no private, local or shared network
/// (RFC 1918, RFC 6598, RFC 3927; RFC 4291 §2.5.4).
pub fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            let [a, b, ..] = address.octets();
            let is_shared = a == 100 && (64..128).contains(&b);
            !(address.is_private()
                || address.is_loopback()
                || address.is_link_local()
                || address.is_unspecified()
                || is_shared)
        }
        IpAddr::V6(address) => address.segments()[0] >> 13 == 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_addresses_are_not_public() {
        for (address, public) in [
            ("203.0.113.7", true),
            ("2600::7", true),
            ("10.9.2.1", false),
            ("192.168.1.7", false),
            ("::ffff:192.168.1.7", false),
            ("100.64.0.1", false),
            ("100.128.0.1", true),
            ("169.254.1.1", false),
            ("127.0.0.1", false),
            ("fd00::1", false),
            ("fe80::1", false),
        ] {
            assert_eq!(is_public(address.parse().unwrap()), public, "{address}");
        }
    }
}
