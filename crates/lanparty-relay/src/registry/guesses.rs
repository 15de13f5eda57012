//! How often somebody may be wrong about who is invited.
//!
//! A room key has 128 bits, so nobody guesses one; but trying costs the relay handshakes, and its log
//! lines. Who was wrong too often is not listened to for a while, right or wrong.

use crate::room::{Bucket, Rate};
use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Instant;

/// Sources that are told apart; those beyond share one allowance.
const MAX_SOURCES: usize = 4096;

/// What a relay grants unless told otherwise: a whole party behind one address that is early tries again
/// every three seconds.
pub const DEFAULT: Rate = Rate {
    burst: 128,
    per_second: 16,
};

/// Who has been wrong of late, by source.
#[derive(Debug)]
pub(crate) struct Guesses {
    rate: Rate,
    by_source: HashMap<IpAddr, Bucket>,
    /// Of all who find no place above.
    others: Option<Bucket>,
}

impl Guesses {
    pub(crate) fn new(rate: Rate) -> Self {
        Guesses {
            rate,
            by_source: HashMap::new(),
            others: None,
        }
    }

    /// Grants so much to whoever is wrong for the first time from now on.
    pub(crate) fn set_rate(&mut self, rate: Rate) {
        self.rate = rate;
    }

    /// True when this source may try once more.
    pub(crate) fn may_try(&mut self, now: Instant, source: IpAddr) -> bool {
        let has_room = self.by_source.len() < MAX_SOURCES;
        let bucket = match self.by_source.get_mut(&source) {
            None if !has_room => self.others.as_mut(),
            own => own,
        };
        bucket.is_none_or(|bucket| bucket.holds(now, 1))
    }

    /// It has tried, and was wrong.
    pub(crate) fn was_wrong(&mut self, now: Instant, source: IpAddr) {
        let has_place = self.by_source.len() < MAX_SOURCES || self.by_source.contains_key(&source);
        let fresh = || Bucket::full(now, self.rate);
        let bucket = match has_place {
            true => self.by_source.entry(source).or_insert_with(fresh),
            false => self.others.get_or_insert_with(fresh),
        };
        bucket.take(now, 1);
    }

    /// Forgets who has been quiet for long enough.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        self.by_source.retain(|_, bucket| !bucket.is_full(now));
        self.others.take_if(|bucket| bucket.is_full(now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;
    use std::time::Duration;

    fn source(number: u32) -> IpAddr {
        Ipv4Addr::from(0x0a00_0000 + number).into()
    }

    /// How many of 20,000 wrong attempts are looked at.
    fn heard(guesses: &mut Guesses, now: Instant, sources: u32) -> usize {
        let attempts = (0..20_000).map(|attempt| source(attempt % sources));
        let heard = attempts.filter(|&source| {
            let heard = guesses.may_try(now, source);
            if heard {
                guesses.was_wrong(now, source);
            }
            heard
        });
        heard.count()
    }

    #[test]
    fn twenty_thousand_guesses_from_one_address_are_128() {
        let (now, mut guesses) = (Instant::now(), Guesses::new(DEFAULT));
        assert_eq!(heard(&mut guesses, now, 1), 128);
        assert!(guesses.may_try(now, source(1)), "others are not meant");
        let later = now + Duration::from_secs(1);
        assert_eq!(heard(&mut guesses, later, 1), 16);
    }

    #[test]
    fn from_very_many_addresses_they_cost_no_more_memory() {
        let (now, mut guesses) = (Instant::now(), Guesses::new(DEFAULT));
        let all = heard(&mut guesses, now, 20_000);
        assert_eq!(all, MAX_SOURCES + 128);
        assert_eq!(guesses.by_source.len(), MAX_SOURCES);
        guesses.handle_timeout(now + Duration::from_secs(8));
        assert!(guesses.by_source.is_empty() && guesses.others.is_none());
    }
}
