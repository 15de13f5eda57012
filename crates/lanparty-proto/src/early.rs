//! Datagrams that come before the message which says whose they are.
//!
//! Messages travel on streams and frames in datagrams, so a newcomer's first frames may overtake its
//! announcement. The first frame is often the one that counts: a DHCPDISCOVER is repeated after four seconds
//! only. So a little waits for a moment, in the order in which it came.

use crate::PeerId;
use bytes::Bytes;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How long a datagram waits: longer than a lost packet of a stream takes to come again on most paths.
pub const PATIENCE: Duration = Duration::from_millis(400);
/// How many datagrams wait, whosever they are.
pub const MAX_DATAGRAMS: usize = 16;
/// How many bytes wait.
pub const MAX_BYTES: usize = 64 * 1024;

/// Datagrams of peers that have not been announced yet, or not been proved.
#[derive(Debug, Default)]
pub struct EarlyDatagrams {
    /// In the order in which they came, which is that of their deadlines too.
    waiting: VecDeque<Waiting>,
    bytes: usize,
    lost: u64,
}

#[derive(Debug)]
struct Waiting {
    until: Instant,
    peer: PeerId,
    datagram: Bytes,
}

impl EarlyDatagrams {
    /// Keeps a datagram for a moment. Where there is no room it is lost, and not those that came first.
    pub fn hold(&mut self, now: Instant, peer: PeerId, datagram: &Bytes) {
        self.expire(now);
        if self.waiting.len() == MAX_DATAGRAMS || self.bytes + datagram.len() > MAX_BYTES {
            self.lost += 1;
            return;
        }
        self.bytes += datagram.len();
        self.waiting.push_back(Waiting {
            until: now + PATIENCE,
            peer,
            // What came with others in one packet train holds the memory of all of them.
            datagram: Bytes::copy_from_slice(datagram),
        });
    }

    /// Hands over what has come from this peer and is not too old, in order.
    pub fn take(&mut self, now: Instant, peer: PeerId) -> Vec<Bytes> {
        self.expire(now);
        let (mine, others): (VecDeque<_>, _) = std::mem::take(&mut self.waiting)
            .into_iter()
            .partition(|one| one.peer == peer);
        self.waiting = others;
        let mine: Vec<_> = mine.into_iter().map(|one| one.datagram).collect();
        self.bytes -= mine.iter().map(Bytes::len).sum::<usize>();
        mine
    }

    /// Gives up what nobody has been announced for.
    pub fn expire(&mut self, now: Instant) {
        while self.waiting.front().is_some_and(|one| one.until <= now) {
            let gone = self.waiting.pop_front().expect("it was just looked at");
            self.bytes -= gone.datagram.len();
            self.lost += 1;
        }
    }

    /// Gives up everything: what waits belongs to a link that is gone.
    pub fn clear(&mut self) {
        self.lost += self.waiting.len() as u64;
        self.waiting.clear();
        self.bytes = 0;
    }

    /// When [`Self::expire`] has something to do.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.waiting.front().map(|one| one.until)
    }

    /// How many datagrams have been given up since the last call.
    pub fn take_lost(&mut self) -> u64 {
        std::mem::take(&mut self.lost)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(number: u16) -> PeerId {
        PeerId::new(number).unwrap()
    }

    fn datagram(number: u8) -> Bytes {
        Bytes::from(vec![number; 100])
    }

    #[test]
    fn what_came_first_is_handed_over_first_and_once() {
        let (mut early, now) = (EarlyDatagrams::default(), Instant::now());
        for (number, from) in [(1, 2), (2, 3), (3, 2)] {
            early.hold(now, peer(from), &datagram(number));
        }
        let at = now + PATIENCE - Duration::from_millis(1);
        assert_eq!(early.take(at, peer(2)), [datagram(1), datagram(3)]);
        assert!(early.take(at, peer(2)).is_empty());
        assert_eq!(early.take(at, peer(3)), [datagram(2)]);
        assert_eq!((early.take_lost(), early.poll_timeout()), (0, None));
    }

    #[test]
    fn nothing_waits_for_longer_than_a_moment() {
        let (mut early, now) = (EarlyDatagrams::default(), Instant::now());
        early.hold(now, peer(2), &datagram(1));
        assert_eq!(early.poll_timeout(), Some(now + PATIENCE));
        assert!(early.take(now + PATIENCE, peer(2)).is_empty());
        assert_eq!((early.take_lost(), early.take_lost()), (1, 0));
        early.hold(now, peer(2), &datagram(1));
        early.clear();
        assert_eq!((early.take_lost(), early.bytes), (1, 0));
    }

    #[test]
    fn strangers_cannot_fill_the_memory() {
        let (mut early, now) = (EarlyDatagrams::default(), Instant::now());
        for number in 0..100 {
            early.hold(now, peer(number + 1), &datagram(1));
        }
        assert_eq!(early.waiting.len(), MAX_DATAGRAMS);
        assert_eq!(early.take_lost(), 100 - 16);
        early.clear();
        let long = Bytes::from(vec![0; 60_000]);
        early.hold(now, peer(1), &long);
        early.hold(now, peer(1), &long);
        assert_eq!((early.waiting.len(), early.bytes), (1, 60_000));
        // Once they are too old, there is room again.
        early.hold(now + PATIENCE, peer(1), &long);
        assert_eq!(early.take(now + PATIENCE, peer(1)).len(), 1);
        assert_eq!(early.bytes, 0);
    }
}
