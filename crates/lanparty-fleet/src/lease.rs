//! A relay's lease: asked for, kept alive twice a second, and how long ago that worked.
//!
//! When a relay dies its rooms are nobody's as soon as its lease has ended, so that is short: with the half second in which
//! etcd looks for leases that have ended it is over 2.5 to 3.5 seconds after a relay's last breath, when its peers have just
//! given it up (they take 3 to 4). It must not be too short either:
//!
//! * etcd grants no lease shorter than one and a half elections, in whole seconds: two with its own settings, more where its
//!   operator has slowed it down for a long way. Then the lease is as long as what was granted, and so is the time to the fence.
//! * A relay fences itself [`MARGIN`] before its lease can end. It counts from when it asked, the directory from when it
//!   heard that, which is later; so nobody else can have its rooms while it opens new ones, whatever the network does.
//! * etcd's leader may die. The new one, elected within one to two seconds, gives every lease its whole time again and an
//!   election's on top, so no lease ends by that. The old one, cut off, grants for no longer than two seconds more,
//!   which the new one's first ones outlast. What was asked meanwhile is lost, so it is asked each [`BEAT`], whether the
//!   last was answered or not: who hangs costs one beat, and not the whole time in which an answer is waited for. So an
//!   election of a second and a half fences nobody; a longer one does for a moment, in which etcd would write nothing.

use crate::directory::LeaseId;
use std::time::{Duration, Instant};

/// Everything of a relay is gone from the directory when it was silent for so long.
pub(crate) const TTL: Duration = Duration::from_secs(3);
/// So often it is kept alive.
const BEAT: Duration = Duration::from_millis(500);
/// Who was not kept alive opens no room from so long before another relay could.
const MARGIN: Duration = Duration::from_millis(500);
/// After a failure it is asked for again.
const AGAIN: Duration = Duration::from_millis(250);
/// No longer one is believed, whatever it says that was granted: who is not fenced would open rooms for ever.
const LONGEST: Duration = Duration::from_secs(60);
/// A relay is given out when its lease is so old.
pub(crate) const UP: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(crate) struct Lease {
    held: Option<Held>,
    /// When to ask next; `None` while an answer is awaited to who has asked for a lease.
    next: Option<Instant>,
}

#[derive(Debug, Clone, Copy)]
struct Held {
    id: LeaseId,
    since: Instant,
    /// When the last answered sign of life was sent.
    alive: Instant,
    ttl: Duration,
}

impl Held {
    /// From when on nothing may be done that another could do as well.
    fn fence(&self) -> Instant {
        self.alive + self.ttl.saturating_sub(MARGIN)
    }
}

/// What to ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ask {
    Grant,
    KeepAlive(LeaseId),
}

impl Lease {
    pub(crate) fn new(now: Instant) -> Self {
        Lease {
            held: None,
            next: Some(now),
        }
    }

    /// The lease, however long ago it was kept alive.
    pub(crate) fn id(&self) -> Option<LeaseId> {
        self.held.map(|held| held.id)
    }

    /// The lease, while nobody else can have what is under it.
    pub(crate) fn live(&self, now: Instant) -> Option<LeaseId> {
        let held = self.held?;
        (now < held.fence()).then_some(held.id)
    }

    /// Whether it has been there long enough.
    pub(crate) fn is_up(&self, now: Instant) -> bool {
        self.held.is_some_and(|held| now >= held.since + UP)
    }

    /// How long ago it was kept alive.
    pub(crate) fn age(&self, now: Instant) -> Option<Duration> {
        let held = self.held?;
        Some(now.saturating_duration_since(held.alive))
    }

    /// What is due, if anything. Its answer comes with the time at which this was asked.
    pub(crate) fn poll(&mut self, now: Instant) -> Option<Ask> {
        self.next.take_if(|next| *next <= now)?;
        let Some(held) = self.held else {
            return Some(Ask::Grant);
        };
        self.next = Some(now + BEAT);
        Some(Ask::KeepAlive(held.id))
    }

    pub(crate) fn granted(&mut self, now: Instant, asked: Instant, id: LeaseId, ttl: Duration) {
        self.held = Some(Held {
            id,
            since: now,
            alive: asked,
            ttl: ttl.min(LONGEST),
        });
        self.next = Some((asked + BEAT).max(now));
    }

    /// What was asked then has been answered; answers may overtake each other.
    pub(crate) fn kept(&mut self, asked: Instant) {
        if let Some(held) = &mut self.held {
            held.alive = held.alive.max(asked);
        }
    }

    /// No answer.
    pub(crate) fn failed(&mut self, now: Instant) {
        let again = now + AGAIN;
        self.next = Some(self.next.map_or(again, |next| next.min(again)));
    }

    /// The directory has ended this lease.
    pub(crate) fn lost(&mut self, now: Instant, id: LeaseId) -> bool {
        let was = self.held.take_if(|held| held.id == id).is_some();
        if was {
            self.next = Some(now);
        }
        was
    }

    /// When to look again: to ask, to be fenced, to be up.
    pub(crate) fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        let held = self.held;
        let fence = held.map(|held| held.fence());
        let up = held.map(|held| held.since + UP);
        let later = [fence, up].into_iter().flatten().filter(|&at| at > now);
        self.next.into_iter().chain(later).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: LeaseId = LeaseId(7);

    fn held(start: Instant, ttl: Duration) -> Lease {
        let mut lease = Lease::new(start);
        assert_eq!(lease.poll(start), Some(Ask::Grant));
        lease.granted(start, start, ID, ttl);
        lease
    }

    fn at(start: Instant, milliseconds: u64) -> Instant {
        start + Duration::from_millis(milliseconds)
    }

    #[test]
    fn a_relay_is_fenced_before_its_lease_can_end_however_long_that_is() {
        let start = Instant::now();
        for ttl in [2, 3, 5, 9].map(Duration::from_secs) {
            let mut lease = held(start, ttl);
            let fence = start + ttl - MARGIN;
            assert_eq!(lease.live(fence - Duration::from_millis(1)), Some(ID));
            assert_eq!(lease.live(fence), None);
            // What was asked at one second is answered late: the directory heard it no earlier than it was asked.
            lease.kept(at(start, 1000));
            let fence = fence + Duration::from_secs(1);
            assert_eq!(lease.live(fence - Duration::from_millis(1)), Some(ID));
            assert_eq!(lease.live(fence), None);
        }
    }

    #[test]
    fn no_lease_is_believed_to_last_for_ever() {
        let start = Instant::now();
        for ttl in [Duration::from_secs(3600), Duration::MAX] {
            let lease = held(start, ttl);
            assert_eq!(lease.live(start + Duration::from_secs(59)), Some(ID));
            assert_eq!(lease.live(start + Duration::from_secs(60)), None);
        }
    }

    /// The old leader hangs with what it was asked, the new one answers the next at once.
    #[test]
    fn an_etcd_that_elects_a_leader_for_a_second_and_a_half_fences_nobody() {
        let start = Instant::now();
        let takes = 1500;
        for dies_at in (0..1000).step_by(50) {
            let mut lease = held(start, TTL);
            let mut asked = Vec::new();
            for time in (0..6000).step_by(10) {
                let now = at(start, time);
                if let Some(Ask::KeepAlive(_)) = lease.poll(now) {
                    match (dies_at..dies_at + takes).contains(&time) {
                        true => asked.push(time + 1500),
                        false => lease.kept(now),
                    }
                }
                if asked.contains(&time) {
                    lease.failed(now);
                }
                assert!(lease.live(now).is_some(), "{dies_at}: at {time}");
            }
        }
    }

    #[test]
    fn who_waits_for_a_lease_asks_for_no_second_one_and_who_has_one_asks_twice_a_second() {
        let start = Instant::now();
        let mut lease = Lease::new(start);
        assert_eq!(lease.poll(start), Some(Ask::Grant));
        assert_eq!(lease.poll(at(start, 9000)), None);
        lease.failed(at(start, 9000));
        assert_eq!(lease.poll(at(start, 9250)), Some(Ask::Grant));
        lease.granted(at(start, 9300), at(start, 9250), ID, TTL);
        let asks = (9300..11_500).filter(|time| lease.poll(at(start, *time)).is_some());
        assert_eq!(asks.collect::<Vec<_>>(), [9750, 10_250, 10_750, 11_250]);
        assert!(lease.is_up(at(start, 14_300)) && !lease.is_up(at(start, 14_299)));
    }

    #[test]
    fn an_answer_that_is_overtaken_does_not_count_backwards() {
        let start = Instant::now();
        let mut lease = held(start, TTL);
        lease.kept(at(start, 2000));
        lease.kept(at(start, 1000));
        assert_eq!(lease.age(at(start, 2400)), Some(Duration::from_millis(400)));
    }
}
