//! How many connections may knock at once: those that have not been admitted to a room yet.
//!
//! Each costs a handshake and some memory until a deadline, so there is a limit in all, a smaller
//! one for each source, and when it gets busy a proof that the source is not invented.

use crate::registry::site;
use std::collections::HashMap;
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
}

impl Default for KnockLimits {
    fn default() -> Self {
        KnockLimits {
            at_once: 512,
            per_address: 64,
        }
    }
}

impl fmt::Display for KnockLimits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let KnockLimits {
            at_once,
            per_address,
        } = self;
        write!(f, "{at_once} handshakes, {per_address} per address")
    }
}

/// What to do with a connection that knocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Door {
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
    by_source: HashMap<IpAddr, usize>,
    total: usize,
}

impl Strangers {
    pub(crate) fn new(limits: KnockLimits) -> Self {
        Strangers {
            limits,
            by_source: HashMap::new(),
            total: 0,
        }
    }

    /// Lets so many knock at once from now on.
    pub(crate) fn set_limits(&mut self, limits: KnockLimits) {
        self.limits = limits;
    }

    pub(crate) fn knock(&mut self, source: IpAddr, validated: bool) -> Door {
        let here = self.by_source.get(&site(source)).copied().unwrap_or(0);
        if self.total >= self.limits.at_once || here >= self.limits.per_address {
            return Door::Shut;
        }
        if self.total >= CALM && !validated {
            return Door::Validate;
        }
        self.total += 1;
        *self.by_source.entry(site(source)).or_default() += 1;
        Door::Open
    }

    pub(crate) fn gone(&mut self, source: IpAddr) {
        let source = site(source);
        if let Some(here) = self.by_source.get_mut(&source) {
            self.total -= 1;
            *here -= 1;
            if *here == 0 {
                self.by_source.remove(&source);
            }
        }
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
        let opened = (0..1000).filter(|_| strangers.knock(source(1), true) == Door::Open);
        assert_eq!(opened.count(), 64);
        assert_eq!(strangers.knock(source(2), true), Door::Open);
        strangers.gone(source(1));
        assert_eq!(strangers.knock(source(1), true), Door::Open);
    }

    #[test]
    fn a_crowd_must_prove_its_addresses() {
        let mut strangers = Strangers::new(KnockLimits::default());
        for number in 0..32 {
            assert_eq!(strangers.knock(source(number), false), Door::Open);
        }
        assert_eq!(strangers.knock(source(99), false), Door::Validate);
        assert_eq!(strangers.knock(source(99), true), Door::Open);
    }

    #[test]
    fn nobody_is_heard_past_the_limit_and_all_are_forgotten() {
        let mut strangers = Strangers::new(KnockLimits::default());
        let knocks = (0..=255).flat_map(|number| [source(number); 3]);
        let opened: Vec<_> = knocks
            .filter(|&source| strangers.knock(source, true) == Door::Open)
            .collect();
        assert_eq!(opened.len(), 512);
        for source in opened {
            strangers.gone(source);
        }
        assert!(strangers.by_source.is_empty() && strangers.total == 0);
    }
}
