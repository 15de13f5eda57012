//! Who has called over TCP and has not shown yet that it is a peer: how many of them there may be, and how often one may call.
//!
//! Each costs a descriptor, a TLS handshake and some memory until a deadline. So there is a limit in all, one for each source
//! at once, and one for each source in the long run. Whoever calls from this machine may be a web server that speaks for
//! others: who these are is known once it has said so.

use crate::registry::Spent;
use crate::room::Rate;
use crate::sources::{PerSource, Sources, place_of, source_of};
use crate::strangers::KnockLimits;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// How often one source may call: a party behind one address that comes back after a lost relay, twice, and then as often as
/// its players' programs try again.
const PACE: Rate = Rate {
    burst: 128,
    per_second: 8,
};

/// All of them.
#[derive(Debug)]
pub(super) struct Callers(Mutex<Inner>);

#[derive(Debug)]
struct Inner {
    limits: KnockLimits,
    total: usize,
    sources: Sources,
    pace: Spent<IpAddr>,
}

/// The place of one of them, which is free again when this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    callers: Arc<Callers>,
    /// Where it comes from, once that is known.
    source: Option<IpAddr>,
}

impl Callers {
    pub(super) fn new(limits: KnockLimits) -> Self {
        Callers(Mutex::new(Inner {
            limits,
            total: 0,
            sources: Sources::default(),
            pace: Spent::new(PACE, 1),
        }))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets so many call at once from now on.
    pub(super) fn set_limits(&self, limits: KnockLimits) {
        self.lock().limits = limits;
    }

    /// Forgets who has been quiet for long enough.
    pub(super) fn tidy(&self, now: Instant) {
        self.lock().pace.forget(now);
    }

    /// A place for somebody who calls from there, if it may have one.
    pub(super) fn take(self: &Arc<Self>, now: Instant, from: IpAddr) -> Option<Place> {
        let mut inner = self.lock();
        if inner.total >= inner.limits.at_once {
            return None;
        }
        let source = (!from.to_canonical().is_loopback()).then(|| source_of(from));
        if let Some(source) = source {
            inner.come_in(now, source).then_some(())?;
        }
        inner.total += 1;
        Some(Place {
            callers: self.clone(),
            source,
        })
    }
}

impl Place {
    /// It speaks for somebody else, who comes from there. Nothing when that one may not have a place.
    pub(super) fn of(mut self, now: Instant, from: IpAddr) -> Option<Self> {
        let source = source_of(from);
        let mut inner = self.callers.lock();
        if let Some(before) = self.source.take() {
            inner.sources.remove(before);
        }
        let comes_in = inner.come_in(now, source);
        drop(inner);
        self.source = comes_in.then_some(source);
        comes_in.then_some(self)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut inner = self.callers.lock();
        inner.total -= 1;
        if let Some(source) = self.source {
            inner.sources.remove(source);
        }
    }
}

impl Inner {
    fn come_in(&mut self, now: Instant, source: IpAddr) -> bool {
        let limits = PerSource {
            address: self.limits.per_address,
            network: self.limits.per_network,
        };
        let fits = self.sources.fits(source, None, limits);
        let comes_in = fits && self.pace.take(now, place_of(source));
        if comes_in {
            self.sources.add(source);
        }
        comes_in
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const PROXY: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn callers() -> Arc<Callers> {
        Arc::new(Callers::new(KnockLimits::default()))
    }

    fn source(number: u8) -> IpAddr {
        [198, 51, 100, number].into()
    }

    fn take_all(callers: &Arc<Callers>, from: impl Iterator<Item = IpAddr>) -> Vec<Place> {
        let now = Instant::now();
        from.filter_map(|from| callers.take(now, from)).collect()
    }

    #[test]
    fn one_source_has_64_places_at_once_and_all_together_512() {
        let callers = callers();
        let one = take_all(&callers, std::iter::repeat_n(source(1), 1000));
        assert_eq!(one.len(), 64);
        let many = (0..=255).flat_map(|number| [source(number); 3]);
        let others = take_all(&callers, many);
        assert_eq!(one.len() + others.len(), 512);
        drop((one, others));
        let inner = callers.lock();
        assert!(inner.total == 0 && inner.sources.is_empty());
    }

    #[test]
    fn one_site_with_many_networks_has_256() {
        let callers = callers();
        let from = |subnet: u16| [0x2001, 0xdb8, 1, subnet, 0, 0, 0, 1].into();
        let now = Instant::now();
        let mut places = take_all(&callers, (0..1000).map(from));
        // As many as one place may make in one go; later there may be more.
        assert_eq!(places.len(), 128);
        for second in 1..60 {
            let later = now + Duration::from_secs(second);
            places.extend((0..1000).filter_map(|net| callers.take(later, from(net))));
        }
        assert_eq!(places.len(), 256);
        assert!(callers.take(now, source(1)).is_some());
    }

    #[test]
    fn who_calls_again_and_again_is_heard_eight_times_a_second() {
        let (callers, now) = (callers(), Instant::now());
        let calls = |now: Instant, from: IpAddr| {
            let calls = (0..1000).filter(|_| callers.take(now, from).is_some());
            calls.count()
        };
        assert_eq!(calls(now, source(1)), 128);
        assert_eq!(calls(now, source(2)), 128, "others are not meant");
        assert_eq!(calls(now + Duration::from_secs(1), source(1)), 8);
        callers.tidy(now + Duration::from_secs(100));
        assert_eq!(calls(now + Duration::from_secs(100), source(1)), 128);
    }

    #[test]
    fn a_web_server_has_as_many_places_as_there_are_and_each_for_whom_it_speaks_its_own() {
        let (callers, now) = (callers(), Instant::now());
        let proxied = take_all(&callers, std::iter::repeat_n(PROXY, 1000));
        assert_eq!(proxied.len(), 512);
        let for_one = proxied
            .into_iter()
            .filter_map(|place| place.of(now, source(1)));
        let for_one: Vec<_> = for_one.collect();
        assert_eq!(for_one.len(), 64);
        assert!(callers.take(now, source(1)).is_none());
        assert!(callers.take(now, source(2)).is_some());
        drop(for_one);
        let inner = callers.lock();
        assert!(inner.total == 0 && inner.sources.is_empty());
    }
}
