//! Addresses that no network has: QUIC's core knows streams by them.

use std::net::{Ipv6Addr, SocketAddr};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

static PREFIX: OnceLock<[u8; 8]> = OnceLock::new();
static NUMBERS: AtomicU64 = AtomicU64::new(1);
/// QUIC's core takes none without a port.
const PORT: u16 = 443;

/// A /64 of unique local addresses (RFC 4193): 56 bits are this program's own by chance, and leave it nowhere, so nobody can
/// send from one of them.
fn prefix() -> [u8; 8] {
    *PREFIX.get_or_init(|| {
        let mut prefix: [u8; 8] = rand::random();
        prefix[0] = 0xfd;
        prefix
    })
}

/// One that no stream has had.
pub(in crate::engine) fn next() -> SocketAddr {
    let mut address = [0; 16];
    let (network, host) = address.split_at_mut(8);
    network.copy_from_slice(&prefix());
    host.copy_from_slice(&NUMBERS.fetch_add(1, Ordering::Relaxed).to_be_bytes());
    (Ipv6Addr::from(address), PORT).into()
}

/// Whether an address is one of these.
pub(in crate::engine) fn is_one(address: SocketAddr) -> bool {
    let SocketAddr::V6(address) = address else {
        return false;
    };
    PREFIX
        .get()
        .is_some_and(|prefix| address.ip().octets().starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_unique_local_and_known_again_and_no_others_are() {
        let (one, two) = (next(), next());
        assert_ne!(one, two);
        for made_up in [one, two] {
            assert!(is_one(made_up));
            let std::net::IpAddr::V6(ip) = made_up.ip() else {
                panic!("{made_up}");
            };
            assert!(ip.is_unique_local());
        }
        for other in ["192.0.2.1:443", "[2001:db8::1]:443", "[fd00::1]:443"] {
            assert!(!is_one(other.parse().unwrap()), "{other}");
        }
    }
}
