//! Who is at the door: connections, of which strangers have few and make room for each other, and guesses at the token.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

/// Where somebody comes from: an IPv4 address, or the network of an IPv6 one, of which a machine has as many as it likes.
pub(crate) fn source(address: IpAddr) -> IpAddr {
    const NETWORK: u128 = !0 << 64;
    match address.to_canonical() {
        IpAddr::V6(address) if !address.is_loopback() => {
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & NETWORK))
        }
        address => address,
    }
}

/// How many may be there.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Room {
    /// Of those who have not shown the host's cookie, from one source.
    pub(crate) strangers_of_one: usize,
    /// Of these in all.
    pub(crate) strangers: usize,
    /// Of those who have.
    pub(crate) known: usize,
}

/// A connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Number(u64);

/// Connections, by the order in which they came.
#[derive(Debug)]
pub(crate) struct Crowd {
    room: Room,
    next: u64,
    strangers: HashMap<Number, IpAddr>,
    known: HashSet<Number>,
}

impl Crowd {
    pub(crate) fn new(room: Room) -> Self {
        Crowd {
            room,
            next: 0,
            strangers: HashMap::new(),
            known: HashSet::new(),
        }
    }

    /// Lets a stranger in. Where there is no room the one who came first goes: of the same source, or else of the one that has
    /// most here. So nobody is kept out by somebody who only waits.
    pub(crate) fn admit(&mut self, from: IpAddr) -> (Number, Option<Number>) {
        let from = source(from);
        let leaves = match self.count(from) >= self.room.strangers_of_one {
            true => Some(from),
            false if self.strangers.len() >= self.room.strangers => self.largest(),
            false => None,
        };
        let leaves = leaves.and_then(|source| self.first_of(source));
        if let Some(number) = leaves {
            self.strangers.remove(&number);
        }
        let number = Number(self.next);
        self.next += 1;
        self.strangers.insert(number, from);
        (number, leaves)
    }

    /// This one has shown that it is the host's, and makes room for nobody from now on, while there are not too many of these.
    pub(crate) fn know(&mut self, number: Number) {
        if self.known.len() < self.room.known && self.strangers.remove(&number).is_some() {
            self.known.insert(number);
        }
    }

    /// This one has gone.
    pub(crate) fn leave(&mut self, number: Number) {
        self.strangers.remove(&number);
        self.known.remove(&number);
    }

    fn count(&self, source: IpAddr) -> usize {
        self.strangers
            .values()
            .filter(|from| **from == source)
            .count()
    }

    fn largest(&self) -> Option<IpAddr> {
        let mut counts: HashMap<IpAddr, usize> = HashMap::new();
        for from in self.strangers.values() {
            *counts.entry(*from).or_default() += 1;
        }
        // By address where two have as many, so that the same happens each time.
        counts
            .into_iter()
            .max_by_key(|(from, count)| (*count, *from))
            .map(|(from, _)| from)
    }

    fn first_of(&self, source: IpAddr) -> Option<Number> {
        let of = self.strangers.iter().filter(|(_, from)| **from == source);
        of.map(|(number, _)| *number).min()
    }
}

/// So many wrong tokens from one source…
const GUESSES: u32 = 10;
/// …and from all of them…
const ALL_GUESSES: u32 = 100;
/// …are looked at in this time.
const WINDOW: Duration = Duration::from_secs(60);

/// How often somebody has guessed. With 128 bits there is nothing to be had by it but work for us.
#[derive(Debug, Default)]
pub(crate) struct Guesses {
    since: Option<Instant>,
    wrong: HashMap<IpAddr, u32>,
    all: u32,
}

impl Guesses {
    /// True for somebody who may show a token.
    pub(crate) fn may(&mut self, now: Instant, from: IpAddr) -> bool {
        if self
            .since
            .is_none_or(|since| now.saturating_duration_since(since) >= WINDOW)
        {
            *self = Guesses {
                since: Some(now),
                ..Guesses::default()
            };
        }
        let of_one = self.wrong.get(&source(from)).copied().unwrap_or(0);
        of_one < GUESSES && self.all < ALL_GUESSES
    }

    /// It was a wrong one.
    pub(crate) fn note_wrong(&mut self, from: IpAddr) {
        self.all += 1;
        *self.wrong.entry(source(from)).or_default() += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: Room = Room {
        strangers_of_one: 2,
        strangers: 4,
        known: 1,
    };

    fn ip(last: u8) -> IpAddr {
        [192, 168, 50, last].into()
    }

    #[test]
    fn of_one_source_the_first_makes_room_for_the_last() {
        let mut crowd = Crowd::new(SMALL);
        let (first, _) = crowd.admit(ip(1));
        let (other, none) = crowd.admit(ip(2));
        assert_eq!(none, None);
        let (second, none) = crowd.admit(ip(1));
        assert_eq!(none, None);
        assert_eq!(crowd.admit(ip(1)).1, Some(first));
        assert_eq!(crowd.admit(ip(1)).1, Some(second));
        crowd.leave(other);
        assert_eq!(crowd.strangers.len(), 2);
    }

    #[test]
    fn of_all_sources_the_largest_makes_room() {
        let mut crowd = Crowd::new(SMALL);
        crowd.admit(ip(1));
        let (first, _) = crowd.admit(ip(2));
        crowd.admit(ip(2));
        crowd.admit(ip(3));
        assert_eq!(crowd.admit(ip(4)).1, Some(first));
    }

    #[test]
    fn who_is_known_stays_and_gives_its_place_back() {
        let mut crowd = Crowd::new(SMALL);
        let (host, _) = crowd.admit(ip(1));
        crowd.know(host);
        crowd.know(host);
        let (second, _) = crowd.admit(ip(1));
        crowd.know(second);
        crowd.admit(ip(1));
        assert_eq!(
            crowd.admit(ip(1)).1,
            Some(second),
            "one is known, the other too many"
        );
        crowd.leave(host);
        assert!(crowd.known.is_empty());
    }

    #[test]
    fn an_ipv6_machine_is_one_source_whatever_its_address() {
        let source = |text: &str| source(text.parse().unwrap());
        assert_eq!(source("2001:db8::1"), source("2001:db8::ffff:2"));
        assert_ne!(source("2001:db8::1"), source("2001:db8:0:1::1"));
        assert_eq!(source("::ffff:192.168.50.1"), ip(1));
        assert_ne!(source("::1"), source("::2"));
    }

    #[test]
    fn guesses_are_few_for_one_and_for_all() {
        let (mut guesses, now) = (Guesses::default(), Instant::now());
        let mut made = |at, from| {
            let may = guesses.may(at, from);
            if may {
                guesses.note_wrong(from);
            }
            may
        };
        let of_one = (0..1000).filter(|_| made(now, ip(1))).count();
        assert_eq!(of_one, GUESSES as usize);
        let of_all = (2..=200)
            .flat_map(|last| [ip(last); 20])
            .filter(|from| made(now, *from))
            .count();
        assert_eq!(of_all, (ALL_GUESSES - GUESSES) as usize);
        assert!(!made(now, ip(250)));
        assert!(made(now + WINDOW, ip(1)));
    }
}
