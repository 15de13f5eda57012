//! Following a relay of a fleet to the one that has the room. Pure: the time is passed in.

use lanparty_ctrl::Pin;
use lanparty_ctrl::places::Elsewhere;
use lanparty_edge::address::RelayAddress;
use lanparty_edge::source_address::is_public;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

/// So many times in one attempt somebody is sent on.
const MOST: usize = 3;
/// How long nobody is sent to a relay that has just failed: its fleet knows within seconds, and to ask again is quicker than to
/// knock where nobody is.
const FAILED: Duration = Duration::from_secs(1);
/// How long nobody waits for one as long as for others.
const DOUBTED: Duration = Duration::from_secs(8);
/// So long one is waited for that has failed: little at first, as it is dead most likely, and its fleet may have another one by
/// then; and longer each time, as it may have come back and be busy with thousands who were there.
const PATIENCE: [Duration; 4] = [
    Duration::from_millis(700),
    Duration::from_millis(700),
    Duration::from_millis(1400),
    Duration::from_millis(2800),
];
/// How many such relays are remembered.
const REMEMBERED: usize = 8;

/// Where a relay has sent somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) address: RelayAddress,
    pub(crate) pin: Option<Pin>,
    pub(crate) fence: Option<u64>,
}

/// Why nobody goes there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotFollowed {
    /// It is no address.
    #[error("it sends us to what is no address")]
    NoAddress,
    /// It has been sent on too often, or in a circle.
    #[error("its fleet sends us round and round")]
    Circle,
    /// That relay has just failed.
    #[error(
        "it sends us to a relay that does not answer; its fleet finds another one within seconds"
    )]
    Failed,
    /// That place has been left for a later one.
    #[error("it sends us to where the room no longer is")]
    Stale,
    /// A relay of the internet means a machine of ours.
    #[error("it sends us to an address within our own network")]
    Within,
    /// Who is there has another key.
    #[error("it sends us to a relay that has another key than it says; tell its operator")]
    Stranger,
    /// No authority can vouch for it here.
    #[error(
        "it sends us to a relay for which nobody vouches; this system has no list of certificate authorities"
    )]
    Unknown,
}

/// Where one attempt has been.
#[derive(Debug, Clone, Default)]
pub(crate) struct Trail {
    been: Vec<RelayAddress>,
}

impl Trail {
    /// An attempt that begins at this relay.
    pub(crate) fn from(first: &RelayAddress) -> Self {
        Trail {
            been: vec![first.clone()],
        }
    }

    /// A relay sends us on, which is one of the internet or not.
    ///
    /// # Errors
    /// [`NotFollowed`].
    pub(crate) fn follow(
        &mut self,
        to: &Elsewhere,
        is_of_internet: bool,
        failures: &Failures,
        now: Instant,
    ) -> Result<Sent, NotFollowed> {
        let address: RelayAddress = to.address.parse().map_err(|_| NotFollowed::NoAddress)?;
        if let Ok(ip) = address.host().parse::<IpAddr>()
            && !may_lead_to(is_of_internet, ip)
        {
            return Err(NotFollowed::Within);
        }
        if self.been.len() > MOST || self.been.iter().any(|been| been.is_same(&address)) {
            return Err(NotFollowed::Circle);
        }
        if failures.has_just_failed(&address, now) {
            return Err(NotFollowed::Failed);
        }
        self.been.push(address.clone());
        Ok(Sent {
            address,
            pin: to.pin,
            fence: to.fence,
        })
    }
}

/// No relay of the internet leads to a machine that only we can reach.
pub(crate) fn may_lead_to(is_of_internet: bool, to: IpAddr) -> bool {
    let to = to.to_canonical();
    let is_usable =
        !to.is_unspecified() && !to.is_multicast() && to != IpAddr::from(Ipv4Addr::BROADCAST);
    is_usable && (is_public(to) || !is_of_internet)
}

/// Relays that have just failed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Failures(Vec<Failure>);

#[derive(Debug, Clone)]
struct Failure {
    address: RelayAddress,
    /// Where its packets went. A fleet may have one name for all its relays, and call the same one by its own.
    to: Option<SocketAddr>,
    at: Instant,
    /// How often in a row.
    times: usize,
}

impl Failures {
    /// This one has, there.
    pub(crate) fn note(&mut self, now: Instant, address: &RelayAddress, to: Option<SocketAddr>) {
        let before = self.doubted(address, to.as_slice(), now);
        let times = before.map_or(0, |before| before.times) + 1;
        self.0.retain(|other| !other.address.is_same(address));
        if self.0.len() >= REMEMBERED {
            self.0.remove(0);
        }
        self.0.push(Failure {
            address: address.clone(),
            to,
            at: now,
            times,
        });
    }

    /// How long this one is waited for, which is to be found there, if it has failed so lately that nobody waits as long as for
    /// others.
    pub(crate) fn patience(
        &self,
        address: &RelayAddress,
        places: &[SocketAddr],
        now: Instant,
    ) -> Option<Duration> {
        let failure = self.doubted(address, places, now)?;
        PATIENCE.get(failure.times - 1).copied()
    }

    /// True for one that has failed so lately.
    pub(crate) fn is_doubted(
        &self,
        address: &RelayAddress,
        places: &[SocketAddr],
        now: Instant,
    ) -> bool {
        self.doubted(address, places, now).is_some()
    }

    /// The same addresses, those last where nobody has answered of late.
    pub(crate) fn last(&self, mut places: Vec<SocketAddr>, now: Instant) -> Vec<SocketAddr> {
        let has_failed = |to: &SocketAddr| {
            let mut failures = self.0.iter();
            failures.any(|failure| failure.to == Some(*to) && is_of_late(failure, now))
        };
        places.sort_by_key(has_failed);
        places
    }

    /// By its name, or by where it is to be found and no other one.
    fn doubted(
        &self,
        address: &RelayAddress,
        places: &[SocketAddr],
        now: Instant,
    ) -> Option<&Failure> {
        let mut failures = self.0.iter().filter(|failure| is_of_late(failure, now));
        failures.find(|failure| {
            let is_there = |to| places.contains(&to);
            failure.address.is_same(address) || failure.to.is_some_and(is_there)
        })
    }

    fn has_just_failed(&self, address: &RelayAddress, now: Instant) -> bool {
        let mut failures = self.0.iter();
        failures.any(|failure| is_fresh(failure.at, now) && failure.address.is_same(address))
    }
}

fn is_of_late(failure: &Failure, now: Instant) -> bool {
    now.saturating_duration_since(failure.at) < DOUBTED
}

fn is_fresh(at: Instant, now: Instant) -> bool {
    now.saturating_duration_since(at) < FAILED
}

/// How long a place that was lost keeps an earlier one from being taken for it. A directory that has begun anew counts
/// from one again.
const FENCED: Duration = Duration::from_secs(15);

/// The highest fencing token of a room's places, and when it was last good.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Fence(Option<(u64, Instant)>);

impl Fence {
    /// True where a place has been lost to a later one.
    pub(crate) fn is_stale(&self, now: Instant, fence: Option<u64>) -> bool {
        match (self.0, fence) {
            (Some((highest, at)), Some(fence)) => {
                fence < highest && now.saturating_duration_since(at) < FENCED
            }
            (None, _) | (_, None) => false,
        }
    }

    /// We are at a place with this one.
    pub(crate) fn note(&mut self, now: Instant, fence: Option<u64>) {
        if let Some(fence) = fence.filter(|_| !self.is_stale(now, fence)) {
            self.0 = Some((fence, now));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(address: &str) -> Elsewhere {
        Elsewhere {
            address: address.to_owned(),
            pin: Some(Pin::from_sha256([7; 32])),
            fence: Some(3),
        }
    }

    fn first() -> RelayAddress {
        "a.example".parse().unwrap()
    }

    #[test]
    fn who_is_sent_on_ends_somewhere() {
        let (now, failures) = (Instant::now(), Failures::default());
        let mut trail = Trail::from(&first());
        let mut follow = |address| trail.follow(&to(address), false, &failures, now);
        let sent = follow("b.example:444").unwrap();
        assert_eq!(sent.address.to_string(), "b.example:444");
        assert_eq!(sent.pin, Some(Pin::from_sha256([7; 32])));
        assert_eq!(follow("A.example.:443"), Err(NotFollowed::Circle));
        assert_eq!(follow("b.example:444"), Err(NotFollowed::Circle));
        follow("c.example").unwrap();
        follow("d.example").unwrap();
        assert_eq!(follow("e.example"), Err(NotFollowed::Circle), "three times");
    }

    #[test]
    fn what_a_relay_says_is_looked_at() {
        let (now, failures) = (Instant::now(), Failures::default());
        let follow = |address: &str, is_of_internet| {
            let followed =
                Trail::from(&first()).follow(&to(address), is_of_internet, &failures, now);
            followed.map(|_| ())
        };
        for bad in [
            "",
            "b.example:0",
            "http://b.example",
            "b example",
            &"b".repeat(4000),
        ] {
            assert_eq!(follow(bad, false), Err(NotFollowed::NoAddress), "{bad}");
        }
        for within in [
            "192.168.1.1",
            "127.0.0.1:80",
            "[::1]:443",
            "0.0.0.0",
            "224.0.0.1",
        ] {
            assert_eq!(follow(within, true), Err(NotFollowed::Within), "{within}");
        }
        assert_eq!(follow("192.168.1.1", false), Ok(()));
        assert_eq!(follow("203.0.113.9:4433", true), Ok(()));
        assert_eq!(follow("0.0.0.0", false), Err(NotFollowed::Within));
    }

    #[test]
    fn a_relay_that_has_just_failed_is_not_gone_to_for_a_moment() {
        let now = Instant::now();
        let mut failures = Failures::default();
        failures.note(now, &"b.example".parse().unwrap(), None);
        let follow = |failures: &Failures, now| {
            let mut trail = Trail::from(&first());
            trail.follow(&to("b.example"), false, failures, now).err()
        };
        assert_eq!(
            follow(&failures, now + FAILED / 2),
            Some(NotFollowed::Failed)
        );
        assert_eq!(follow(&failures, now + FAILED), None);
        for number in 0..100 {
            let other = format!("{number}.example").parse().unwrap();
            failures.note(now, &other, None);
        }
        assert!(failures.0.len() <= REMEMBERED);
    }

    #[test]
    fn a_relay_that_fails_again_and_again_is_waited_for_longer_each_time() {
        let address: RelayAddress = "b.example".parse().unwrap();
        let (mut failures, mut now) = (Failures::default(), Instant::now());
        assert_eq!(failures.patience(&address, &[], now), None);
        for patience in PATIENCE {
            failures.note(now, &address, None);
            assert_eq!(failures.patience(&address, &[], now), Some(patience));
            now += patience;
        }
        failures.note(now, &address, None);
        assert_eq!(
            failures.patience(&address, &[], now),
            None,
            "as for any other"
        );
        failures.note(now + DOUBTED, &address, None);
        let first = Some(PATIENCE[0]);
        assert_eq!(
            failures.patience(&address, &[], now + DOUBTED),
            first,
            "anew"
        );
    }

    /// A fleet has one name for all its relays, which leads to several machines, and sends us to one of them by its own.
    #[test]
    fn a_relay_that_has_failed_by_the_name_of_all_is_known_by_its_own_one() {
        let now = Instant::now();
        let all: RelayAddress = "relay.example".parse().unwrap();
        let own: RelayAddress = "r1.relay.example".parse().unwrap();
        let machine = |number: u8| SocketAddr::from(([203, 0, 113, number], 443));
        let mut failures = Failures::default();
        failures.note(now, &all, Some(machine(1)));
        assert!(failures.patience(&own, &[machine(1)], now).is_some());
        assert_eq!(failures.patience(&own, &[machine(2)], now), None);
        let places = [1, 2, 3].map(machine).to_vec();
        let expected = [2, 3, 1].map(machine);
        assert_eq!(failures.last(places.clone(), now), expected);
        assert_eq!(failures.last(places.clone(), now + DOUBTED), places);
    }

    #[test]
    fn a_place_that_was_lost_is_not_taken_again_for_a_while() {
        let (mut fence, now) = (Fence::default(), Instant::now());
        assert!(!fence.is_stale(now, Some(1)));
        fence.note(now, Some(5));
        assert!(fence.is_stale(now, Some(4)));
        assert!(!fence.is_stale(now, Some(5)) && !fence.is_stale(now, Some(6)));
        assert!(!fence.is_stale(now, None), "a relay of no fleet");
        fence.note(now, Some(4));
        assert!(fence.is_stale(now, Some(4)), "it has not gone down");
        let later = now + FENCED;
        assert!(
            !fence.is_stale(later, Some(1)),
            "the directory is a new one"
        );
    }
}
