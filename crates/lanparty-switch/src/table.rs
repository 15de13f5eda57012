//! Which stations live behind the gateway, learnt as a switch learns: from whom it hears.
//!
//! Frames to them are known unicast. Without this every unicast frame of a client to the LAN would
//! be an unknown one, and 32 of those a second are all that a client gets (spec R27, R30).

use foldhash::HashSet;
use lanparty_proto::MacAddr;
use std::time::{Duration, Instant};

/// An address is forgotten when it has been silent for this long or up to twice as long. Together
/// that spans the 300 s which IEEE 802.1Q §8.8.3 recommends.
const GENERATION: Duration = Duration::from_secs(200);
/// How many addresses a generation holds: a large party's LAN ten times over.
pub(crate) const MAX_GENERATION: usize = 2048;

/// Two generations of addresses. A generation ends by age or when it is full, and takes the older
/// one with it; so the table is bounded and ages without a timer of its own, and a flood of invented
/// addresses pushes out only stations that keep silent.
#[derive(Debug)]
pub(crate) struct LanTable {
    young: HashSet<MacAddr>,
    old: HashSet<MacAddr>,
    young_since: Instant,
    // Asked for each frame.
    young_until: Instant,
}

impl LanTable {
    /// An empty table.
    pub(crate) fn new(now: Instant) -> Self {
        LanTable {
            young: HashSet::default(),
            old: HashSet::default(),
            young_since: now,
            young_until: now + GENERATION,
        }
    }

    /// This station was heard.
    pub(crate) fn learn(&mut self, now: Instant, mac: MacAddr) {
        self.age(now);
        if self.young.insert(mac) && self.young.len() == MAX_GENERATION {
            self.next_generation(now);
        }
    }

    /// True for a station that was heard of late.
    pub(crate) fn knows(&self, now: Instant, mac: MacAddr) -> bool {
        let age = now.saturating_duration_since(self.young_since);
        let in_young = age < 2 * GENERATION && self.young.contains(&mac);
        in_young || age < GENERATION && self.old.contains(&mac)
    }

    /// All that were heard of late.
    pub(crate) fn known(&self, now: Instant) -> impl Iterator<Item = MacAddr> {
        let all = self.young.union(&self.old).copied();
        all.filter(move |&mac| self.knows(now, mac))
    }

    pub(crate) fn clear(&mut self) {
        self.young.clear();
        self.old.clear();
    }

    fn age(&mut self, now: Instant) {
        if now < self.young_until {
            return;
        }
        let age = now.saturating_duration_since(self.young_since);
        if age >= GENERATION {
            self.next_generation(now);
        }
        if age >= 2 * GENERATION {
            self.old.clear();
        }
    }

    fn next_generation(&mut self, now: Instant) {
        std::mem::swap(&mut self.young, &mut self.old);
        self.young.clear();
        self.young_since = now;
        self.young_until = now + GENERATION;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mac(number: u32) -> MacAddr {
        let [a, b, c, d] = number.to_be_bytes();
        MacAddr::new([0x00, 0x16, a, b, c, d])
    }

    #[test]
    fn a_silent_station_is_forgotten_and_a_speaking_one_is_not() {
        let start = Instant::now();
        let mut table = LanTable::new(start);
        table.learn(start, mac(1));
        for seconds in (0..1000).step_by(50) {
            table.learn(start + Duration::from_secs(seconds), mac(2));
        }
        let end = start + Duration::from_secs(1000);
        assert!(!table.knows(end, mac(1)));
        assert!(table.knows(end, mac(2)));
        assert!(!table.knows(end + 2 * GENERATION, mac(2)));
    }

    #[test]
    fn a_station_is_known_for_200_s_at_least_and_400_s_at_most() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let known = |learnt, asked| {
            let mut table = LanTable::new(start);
            table.learn(at(learnt), mac(1));
            table.knows(at(asked), mac(1))
        };
        assert!(known(199, 399));
        assert!(known(0, 399));
        assert!(!known(0, 400));
    }

    #[test]
    fn a_flood_of_addresses_stays_bounded_and_spares_who_speaks() {
        let now = Instant::now();
        let mut table = LanTable::new(now);
        for number in 0..100_000 {
            table.learn(now, mac(number));
            if number % 1000 == 0 {
                table.learn(now, mac(u32::MAX));
            }
            assert!(table.young.len() <= MAX_GENERATION && table.old.len() <= MAX_GENERATION);
        }
        assert!(table.knows(now, mac(u32::MAX)));
    }
}
