//! From where peers come, and how much of something there is from one place.
//!
//! One IPv4 address is one source, and so is an IPv6 /64, which is what a host or a home gets. Whoever has a /48, which
//! is what sites get (RFC 6177) and many a rented server too, has 65,536 of those, so a /48 is counted as well.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};

/// How many there may be from one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PerSource {
    /// From one source.
    pub(crate) address: usize,
    /// From one IPv6 /48.
    pub(crate) network: usize,
}

/// What counts as one source.
pub(crate) fn source_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => cut(address, 64).into(),
    }
}

/// As far as one place reaches at most: an IPv4 address, or an IPv6 /48.
pub(crate) fn place_of(source: IpAddr) -> IpAddr {
    network_of(source).map_or(source, IpAddr::from)
}

/// The network of which a source is a part; none for IPv4.
fn network_of(source: IpAddr) -> Option<Ipv6Addr> {
    match source {
        IpAddr::V4(_) => None,
        IpAddr::V6(source) => Some(cut(source, 48)),
    }
}

fn cut(address: Ipv6Addr, bits: u32) -> Ipv6Addr {
    let rest = 128 - bits;
    (u128::from(address) >> rest << rest).into()
}

/// How many there are from where.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    by_source: HashMap<IpAddr, usize>,
    by_network: HashMap<Ipv6Addr, usize>,
}

impl Sources {
    pub(crate) fn add(&mut self, source: IpAddr) {
        *self.by_source.entry(source).or_default() += 1;
        if let Some(network) = network_of(source) {
            *self.by_network.entry(network).or_default() += 1;
        }
    }

    pub(crate) fn remove(&mut self, source: IpAddr) {
        take_one(&mut self.by_source, &source);
        if let Some(network) = network_of(source) {
            take_one(&mut self.by_network, &network);
        }
    }

    /// True when one more fits, in whose place perhaps one from `leaver` goes.
    pub(crate) fn fits(&self, source: IpAddr, leaver: Option<IpAddr>, limits: PerSource) -> bool {
        let here = self.by_source.get(&source).copied().unwrap_or(0);
        let leaves = usize::from(leaver == Some(source));
        let network = network_of(source);
        let near = network.and_then(|network| self.by_network.get(&network));
        let leaves_near = usize::from(network.is_some() && leaver.and_then(network_of) == network);
        here - leaves < limits.address && near.copied().unwrap_or(0) - leaves_near < limits.network
    }

    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.by_source.is_empty() && self.by_network.is_empty()
    }
}

fn take_one<K: std::hash::Hash + Eq>(counts: &mut HashMap<K, usize>, key: &K) {
    if let Some(here) = counts.get_mut(key) {
        *here -= 1;
        if *here == 0 {
            counts.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: PerSource = PerSource {
        address: 2,
        network: 3,
    };

    /// How many of these come in, one after the other.
    fn fit(sources: &mut Sources, from: &[&str]) -> usize {
        let from = from.iter().map(|from| source_of(from.parse().unwrap()));
        from.filter(|&source| {
            let fits = sources.fits(source, None, LIMITS);
            if fits {
                sources.add(source);
            }
            fits
        })
        .count()
    }

    #[test]
    fn an_address_a_64_and_a_48_are_counted() {
        let mut sources = Sources::default();
        assert_eq!(fit(&mut sources, &["192.0.2.1"; 5]), 2);
        assert_eq!(fit(&mut sources, &["::ffff:192.0.2.1"]), 0, "the same");
        assert_eq!(fit(&mut sources, &["192.0.2.2"; 5]), 2, "its neighbour");
        let one_64 = ["2001:db8:1:1::1", "2001:db8:1:1::2", "2001:db8:1:1:ffff::"];
        assert_eq!(fit(&mut sources, &one_64), 2);
        let one_48 = ["2001:db8:1:2::1", "2001:db8:1:3::1", "2001:db8:1:ffff::1"];
        assert_eq!(fit(&mut sources, &one_48), 1);
        assert_eq!(fit(&mut sources, &["2001:db8:2:1::1"]), 1, "another site");
    }

    #[test]
    fn whoever_takes_its_own_place_always_fits_and_all_are_forgotten() {
        let mut sources = Sources::default();
        let from = ["2001:db8:1:1::1", "2001:db8:1:2::1", "2001:db8:1:3::1"];
        assert_eq!(fit(&mut sources, &from), 3);
        let [first, .., new] = ["2001:db8:1:1::", "2001:db8:1:4::"].map(|at| at.parse().unwrap());
        assert!(!sources.fits(new, None, LIMITS));
        assert!(sources.fits(new, Some(first), LIMITS));
        assert!(sources.fits(first, Some(first), LIMITS));
        for from in from {
            sources.remove(source_of(from.parse().unwrap()));
        }
        assert!(sources.is_empty());
    }
}
