//! Which machines of the LAN the relay has not heard, because they spoke by direct paths alone.
//!
//! It forgets who says nothing, and a frame for somebody of whom it does not know is one of 32 a second (spec R30): a player
//! whose direct path fails in the middle of a game would starve there. So it is told, whether anybody comes back or not:
//! whoever notices first that a path has failed is the other end.

use lanparty_ctrl::orders::MAX_KNOWN;
use lanparty_proto::MacAddr;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// Machines that begin to speak at the same time are told of together.
const GATHERS: Duration = Duration::from_millis(250);

/// How long what the relay was told is good for: half of what it remembers at least.
const GOOD: Duration = Duration::from_secs(100);

/// How many it is told of in that time: a large party's LAN.
const MAX_TOLD: usize = 4 * MAX_KNOWN;

#[derive(Debug, Default)]
pub(super) struct LanNews {
    told: BTreeMap<MacAddr, Instant>,
    fresh: BTreeSet<MacAddr>,
    due: Option<Instant>,
    /// When it was last looked for what is old.
    looked: Option<Instant>,
}

impl LanNews {
    /// This machine has said something that the relay did not hear.
    pub(super) fn note(&mut self, now: Instant, mac: MacAddr) {
        let is_good = |at: &Instant| now.saturating_duration_since(*at) < GOOD;
        if self.told.get(&mac).is_some_and(is_good) {
            return;
        }
        if self.told.len() >= MAX_TOLD {
            self.forget_old(now);
        }
        if self.fresh.len() == MAX_KNOWN || self.told.len() >= MAX_TOLD {
            return;
        }
        self.fresh.insert(mac);
        self.due.get_or_insert(now + GATHERS);
    }

    /// What the relay is to be told now.
    pub(super) fn poll(&mut self, now: Instant) -> Option<Vec<MacAddr>> {
        self.due.filter(|due| *due <= now)?;
        self.due = None;
        self.forget_old(now);
        let fresh = std::mem::take(&mut self.fresh);
        self.told.extend(fresh.iter().map(|&mac| (mac, now)));
        Some(fresh.into_iter().collect())
    }

    /// Once in a while at most: a flood of addresses that are all good is not looked through for each of them.
    fn forget_old(&mut self, now: Instant) {
        if self
            .looked
            .is_none_or(|at| now.saturating_duration_since(at) >= GATHERS)
        {
            self.looked = Some(now);
            self.told
                .retain(|_, at| now.saturating_duration_since(*at) < GOOD);
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.due
    }

    /// Nobody has a direct path, or there is another relay.
    pub(super) fn clear(&mut self) {
        *self = LanNews::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mac(number: u16) -> MacAddr {
        let [a, b] = number.to_be_bytes();
        MacAddr::new([0, 0x16, 0x3e, 0, a, b])
    }

    #[test]
    fn a_machine_is_told_of_once_and_again_before_the_relay_forgets_it() {
        let (mut news, now) = (LanNews::default(), Instant::now());
        news.note(now, mac(1));
        news.note(now, mac(2));
        assert_eq!(news.poll(now), None, "there may be more of them");
        let then = now + GATHERS;
        assert_eq!(news.poll_timeout(), Some(then));
        assert_eq!(news.poll(then), Some(vec![mac(1), mac(2)]));
        news.note(then, mac(1));
        assert_eq!(news.poll_timeout(), None);
        let later = then + GOOD;
        news.note(later, mac(1));
        assert_eq!(news.poll(later + GATHERS), Some(vec![mac(1)]));
    }

    #[test]
    fn a_flood_of_addresses_stays_bounded() {
        let (mut news, mut now) = (LanNews::default(), Instant::now());
        for number in 0..10_000 {
            now += Duration::from_millis(1);
            news.note(now, mac(number));
            assert!(news.poll(now).is_none_or(|macs| macs.len() <= MAX_KNOWN));
        }
        assert!(news.told.len() <= MAX_TOLD + MAX_KNOWN);
        now += GOOD;
        news.note(now, mac(1));
        assert_eq!(news.poll(now + GATHERS), Some(vec![mac(1)]), "it is over");
    }
}
