//! How many connections may knock at once: those that have not been admitted to a room yet.
//!
//! Each costs a handshake and some memory until a deadline, so there is a limit in all, a smaller
//! one for each source, and when it gets busy a proof that the source is not invented.

use crate::registry::site;
use std::collections::HashMap;
use std::net::IpAddr;

/// At once, from everywhere. A handshake's state is some 50 KiB.
const MAX: usize = 512;
/// At once, from one source: a whole party behind one address that comes back after a lost relay.
const MAX_PER_SOURCE: usize = 64;
/// Below this, nobody is asked to prove its address, which would cost a round trip.
const CALM: usize = 32;

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
#[derive(Debug, Default)]
pub(crate) struct Strangers {
    by_source: HashMap<IpAddr, usize>,
    total: usize,
}

impl Strangers {
    pub(crate) fn knock(&mut self, source: IpAddr, validated: bool) -> Door {
        let here = self.by_source.get(&site(source)).copied().unwrap_or(0);
        if self.total >= MAX || here >= MAX_PER_SOURCE {
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
        let mut strangers = Strangers::default();
        let opened = (0..1000).filter(|_| strangers.knock(source(1), true) == Door::Open);
        assert_eq!(opened.count(), MAX_PER_SOURCE);
        assert_eq!(strangers.knock(source(2), true), Door::Open);
        strangers.gone(source(1));
        assert_eq!(strangers.knock(source(1), true), Door::Open);
    }

    #[test]
    fn a_crowd_must_prove_its_addresses() {
        let mut strangers = Strangers::default();
        for number in 0..32 {
            assert_eq!(strangers.knock(source(number), false), Door::Open);
        }
        assert_eq!(strangers.knock(source(99), false), Door::Validate);
        assert_eq!(strangers.knock(source(99), true), Door::Open);
    }

    #[test]
    fn nobody_is_heard_past_the_limit_and_all_are_forgotten() {
        let mut strangers = Strangers::default();
        let knocks = (0..=255).flat_map(|number| [source(number); 3]);
        let opened: Vec<_> = knocks
            .filter(|&source| strangers.knock(source, true) == Door::Open)
            .collect();
        assert_eq!(opened.len(), MAX);
        for source in opened {
            strangers.gone(source);
        }
        assert!(strangers.by_source.is_empty() && strangers.total == 0);
    }
}
