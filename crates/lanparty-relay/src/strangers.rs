//! How many connections may knock at once: those that have not been admitted to a room yet.
//!
//! Each costs a handshake and some memory until a deadline, so there is a limit in all, a smaller
//! one for each source, and when it gets busy a proof that the source is not invented.

use crate::sources::{PerSource, Sources, source_of};
use std::fmt;
use std::net::IpAddr;

/// Below this, nobody is asked to prove its address, which would cost a round trip.
const CALM: usize = 32;

/// How many connections may be on their way in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnockLimits {
    /// At once, from everywhere. A handshake's state is some 50 KiB.
    pub at_once: usize,
    /// At once, from one source: an IPv4 address, or an IPv6 /64. A whole party behind one address
    /// comes back together after a lost relay.
    pub per_address: usize,
    /// At once, from one IPv6 /48.
    pub per_network: usize,
}

impl Default for KnockLimits {
    fn default() -> Self {
        KnockLimits {
            at_once: 512,
            per_address: 64,
            per_network: 256,
        }
    }
}

impl fmt::Display for KnockLimits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let KnockLimits {
            at_once,
            per_address,
            per_network,
        } = self;
        write!(
            f,
            "{at_once} handshakes, {per_address} per address, {per_network} per IPv6 /48"
        )
    }
}

/// What to do with a connection that knocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KnockAnswer {
    /// Let it speak; call [`Strangers::gone`] when it is admitted or gone.
    Open,
    /// Let it prove its address first.
    Validate,
    /// Let it go unheard.
    Shut,
}

/// The connections that knock now.
#[derive(Debug)]
pub(crate) struct Strangers {
    limits: KnockLimits,
    sources: Sources,
    total: usize,
}

impl Strangers {
    pub(crate) fn new(limits: KnockLimits) -> Self {
        Strangers {
            limits,
            sources: Sources::default(),
            total: 0,
        }
    }

    /// Lets so many knock at once from now on.
    pub(crate) fn set_limits(&mut self, limits: KnockLimits) {
        self.limits = limits;
    }

    pub(crate) fn knock(&mut self, source: IpAddr, validated: bool) -> KnockAnswer {
        let source = source_of(source);
        let limits = PerSource {
            address: self.limits.per_address,
            network: self.limits.per_network,
        };
        if self.total >= self.limits.at_once || !self.sources.fits(source, None, limits) {
            return KnockAnswer::Shut;
        }
        if self.total >= CALM && !validated {
            return KnockAnswer::Validate;
        }
        self.total += 1;
        self.sources.add(source);
        KnockAnswer::Open
    }

    pub(crate) fn gone(&mut self, source: IpAddr) {
        self.total -= 1;
        self.sources.remove(source_of(source));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(number: u8) -> IpAddr {
        [198, 51, 100, number].into()
    }

    #[test]
    fn one_source_cannot_fill_the_doorway() {
        let mut strangers = Strangers::new(KnockLimits::default());
        let opened = (0..1000).filter(|_| strangers.knock(source(1), true) == KnockAnswer::Open);
        assert_eq!(opened.count(), 64);
        assert_eq!(strangers.knock(source(2), true), KnockAnswer::Open);
        strangers.gone(source(1));
        assert_eq!(strangers.knock(source(1), true), KnockAnswer::Open);
    }

    #[test]
    fn one_site_with_many_networks_cannot_fill_it_either() {
        let mut strangers = Strangers::new(KnockLimits::default());
        let from = |subnet: u16| [0x2001, 0xdb8, 1, subnet, 0, 0, 0, 1].into();
        let opened =
            (0..1000).filter(|&subnet| strangers.knock(from(subnet), true) == KnockAnswer::Open);
        assert_eq!(opened.count(), 256);
        assert_eq!(strangers.knock(source(2), true), KnockAnswer::Open);
    }

    #[test]
    fn a_crowd_must_prove_its_addresses() {
        let mut strangers = Strangers::new(KnockLimits::default());
        for number in 0..32 {
            assert_eq!(strangers.knock(source(number), false), KnockAnswer::Open);
        }
        assert_eq!(strangers.knock(source(99), false), KnockAnswer::Validate);
        assert_eq!(strangers.knock(source(99), true), KnockAnswer::Open);
    }

    #[test]
    fn nobody_is_heard_past_the_limit_and_all_are_forgotten() {
        let mut strangers = Strangers::new(KnockLimits::default());
        let knocks = (0..=255).flat_map(|number| [source(number); 3]);
        let opened: Vec<_> = knocks
            .filter(|&source| strangers.knock(source, true) == KnockAnswer::Open)
            .collect();
        assert_eq!(opened.len(), 512);
        for source in opened {
            strangers.gone(source);
        }
        assert!(strangers.sources.is_empty() && strangers.total == 0);
    }
}
