//! How often somebody may be wrong about who is invited, from one source and about one room.
//!
//! A room key has 128 bits, so nobody guesses one, however often; but answering costs the relay, and its log
//! lines. Only who is wrong spends anything, and only the answers to the wrong are fewer then: whoever has a
//! valid proof, the token of a place or the relay's access token is let in whatever strangers do, also those
//! behind the same address or about the same room: a guest who guesses shares the host's. So a guess costs its
//! handshake and no more, and an access token must be as random as a key is.

use lanparty_ctrl::RoomCode;
use lanparty_switch::rates::{Bucket, Rate};
use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::net::IpAddr;
use std::time::Instant;

/// Sources that are told apart, and rooms; those beyond share one allowance.
const MAX_KNOWN: usize = 4096;

/// How many wrong attempts are answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GuessLimits {
    /// From one source: an IPv4 address, or an IPv6 /64.
    pub per_source: Rate,
    /// About one room, whether it exists or not, from everywhere.
    pub per_room: Rate,
}

impl Default for GuessLimits {
    /// A whole party that is early tries again every three seconds, from one address or from many.
    fn default() -> Self {
        GuessLimits {
            per_source: Rate {
                burst: 128,
                per_second: 16,
            },
            per_room: Rate {
                burst: 512,
                per_second: 64,
            },
        }
    }
}

impl GuessLimits {
    /// One of so many parts of it, and never nothing.
    pub(super) fn shared(self, share: u32) -> Self {
        let part = |rate: Rate| Rate {
            burst: (rate.burst / share).max(1),
            per_second: (rate.per_second / share).max(u32::from(rate.per_second > 0)),
        };
        GuessLimits {
            per_source: part(self.per_source),
            per_room: part(self.per_room),
        }
    }
}

impl fmt::Display for GuessLimits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} per address, {} per room",
            self.per_source, self.per_room
        )
    }
}

/// Who has been wrong of late, and about which rooms.
#[derive(Debug)]
pub(crate) struct Guesses {
    by_source: Spent<IpAddr>,
    by_room: Spent<RoomCode>,
}

impl Guesses {
    pub(crate) fn new(limits: GuessLimits) -> Self {
        Guesses {
            by_source: Spent::new(limits.per_source, 1),
            by_room: Spent::new(limits.per_room, 1),
        }
    }

    /// Grants so much to whoever is wrong for the first time from now on.
    pub(crate) fn set_limits(&mut self, limits: GuessLimits) {
        self.by_source.set_rate(limits.per_source);
        self.by_room.set_rate(limits.per_room);
    }

    /// It was wrong. True when it may hear that; what one source says too often spends nothing of the room's.
    pub(crate) fn was_wrong(&mut self, now: Instant, source: IpAddr, room: &RoomCode) -> bool {
        self.by_source.take(now, source) && self.by_room.take(now, room.clone())
    }

    /// Forgets who has been quiet for long enough.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        self.by_source.forget(now);
        self.by_room.forget(now);
    }
}

/// Buckets, for those who have taken something out of them.
#[derive(Debug)]
pub(crate) struct Spent<K> {
    rate: Rate,
    /// How many tokens one is worth.
    price: usize,
    known: HashMap<K, Bucket>,
    /// Of all who find no place above.
    others: Option<Bucket>,
}

impl<K: Hash + Eq> Spent<K> {
    pub(crate) fn new(rate: Rate, price: usize) -> Self {
        Spent {
            rate,
            price,
            known: HashMap::new(),
            others: None,
        }
    }

    /// Grants so much to whoever spends for the first time from now on.
    pub(super) fn set_rate(&mut self, rate: Rate) {
        self.rate = rate;
    }

    /// True when one is there.
    pub(super) fn holds(&mut self, now: Instant, key: &K) -> bool {
        let has_room = self.known.len() < MAX_KNOWN;
        let bucket = match self.known.get_mut(key) {
            None if !has_room => self.others.as_mut(),
            own => own,
        };
        bucket.is_none_or(|bucket| bucket.holds(now, self.price))
    }

    /// Takes one out, if it is there.
    pub(crate) fn take(&mut self, now: Instant, key: K) -> bool {
        let has_place = self.known.len() < MAX_KNOWN || self.known.contains_key(&key);
        let fresh = || Bucket::full(now, self.rate);
        let bucket = match has_place {
            true => self.known.entry(key).or_insert_with(fresh),
            false => self.others.get_or_insert_with(fresh),
        };
        bucket.take(now, self.price)
    }

    pub(crate) fn forget(&mut self, now: Instant) {
        self.known.retain(|_, bucket| !bucket.is_full(now));
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

    fn room(number: u32) -> RoomCode {
        format!("ROOM-{number}").parse().unwrap()
    }

    /// How many of 20,000 wrong attempts are answered.
    fn answered(guesses: &mut Guesses, now: Instant, sources: u32, rooms: u32) -> usize {
        let attempts = (0..20_000).map(|attempt| (source(attempt % sources), attempt % rooms));
        let answered = attempts.filter(|&(from, about)| guesses.was_wrong(now, from, &room(about)));
        answered.count()
    }

    #[test]
    fn twenty_thousand_guesses_from_one_address_are_128() {
        let (now, mut guesses) = (Instant::now(), Guesses::new(GuessLimits::default()));
        assert_eq!(answered(&mut guesses, now, 1, 1), 128);
        assert!(
            guesses.was_wrong(now, source(1), &room(0)),
            "the room has more"
        );
        let later = now + Duration::from_secs(1);
        assert_eq!(answered(&mut guesses, later, 1, 1), 16);
    }

    #[test]
    fn from_200_addresses_about_one_room_they_are_512() {
        let (now, mut guesses) = (Instant::now(), Guesses::new(GuessLimits::default()));
        assert_eq!(answered(&mut guesses, now, 200, 1), 512);
        assert!(
            guesses.was_wrong(now, source(999), &room(1)),
            "others are not meant"
        );
        let later = now + Duration::from_secs(1);
        assert_eq!(answered(&mut guesses, later, 200, 1), 64);
    }

    #[test]
    fn new_limits_are_for_who_is_wrong_from_now_on() {
        let (now, mut guesses) = (Instant::now(), Guesses::new(GuessLimits::default()));
        let rate = |burst, per_second| Rate { burst, per_second };
        guesses.set_limits(GuessLimits {
            per_source: rate(3, 1),
            per_room: rate(5, 2),
        });
        assert_eq!(answered(&mut guesses, now, 1, 1), 3);
        assert_eq!(
            answered(&mut guesses, now, 200, 1),
            2,
            "five about the room"
        );
        let later = now + Duration::from_secs(1);
        assert_eq!(answered(&mut guesses, later, 1, 1), 1);
        assert_eq!(answered(&mut guesses, later, 200, 1), 1);
    }

    #[test]
    fn from_very_many_addresses_about_as_many_rooms_they_cost_no_more_memory() {
        let (now, mut guesses) = (Instant::now(), Guesses::new(GuessLimits::default()));
        let all = answered(&mut guesses, now, 20_000, 20_000);
        assert_eq!(all, MAX_KNOWN + 128);
        let known =
            |guesses: &Guesses| [guesses.by_source.known.len(), guesses.by_room.known.len()];
        assert_eq!(known(&guesses), [MAX_KNOWN; 2]);
        guesses.handle_timeout(now + Duration::from_secs(9));
        assert_eq!(known(&guesses), [0; 2]);
        assert!(guesses.by_source.others.is_none() && guesses.by_room.others.is_none());
    }
}
