//! What was seen of each relay, for people to look at.

use super::super::RelaySight;
use super::sent::SILENT;
use crate::relays::nearby::Measured;
use lanparty_edge::address::RelayAddress;
use std::time::Instant;

/// So many relays are shown to people.
const MAX_SIGHTS: usize = 16;

/// All that were seen, each once.
#[derive(Debug, Default)]
pub(super) struct Sights {
    seen: Vec<RelaySight>,
    /// Those of them that a fleet has named.
    of_fleet: Vec<RelayAddress>,
}

impl Sights {
    /// Each as it was seen last.
    pub(super) fn all(&self) -> &[RelaySight] {
        &self.seen
    }

    /// Remembers this of a relay; where it has told its region before, that is known still.
    pub(super) fn note(&mut self, mut sight: RelaySight) {
        let mut seen = self.seen.iter_mut();
        match seen.find(|before| before.address.is_same(&sight.address)) {
            Some(before) => {
                sight.region = sight.region.or_else(|| before.region.take());
                *before = sight;
            }
            None => self.seen.push(sight),
        }
    }

    /// The fleet's relays are these, and were measured at `now`. What it has named before and does not any more is forgotten, but
    /// for the relay where the link is and for those that `is_invited` says the invite names.
    pub(super) fn note_fleet(
        &mut self,
        now: Instant,
        fleet: &[Measured],
        is_invited: impl Fn(&RelayAddress) -> bool,
    ) {
        let sights: Vec<_> = fleet.iter().filter_map(|it| sight(now, it)).collect();
        let has = |all: &[RelayAddress], it: &RelayAddress| all.iter().any(|one| one.is_same(it));
        let named: Vec<_> = sights.iter().map(|sight| sight.address.clone()).collect();
        let of_fleet = &self.of_fleet;
        self.seen.retain(|sight| {
            let has_left = has(of_fleet, &sight.address) && !has(&named, &sight.address);
            !has_left || sight.is_here || is_invited(&sight.address)
        });
        for sight in sights {
            let mut seen = self.seen.iter_mut();
            match seen.find(|before| before.address.is_same(&sight.address)) {
                Some(before) => {
                    *before = RelaySight {
                        is_here: before.is_here,
                        ..sight
                    }
                }
                None => self.seen.push(sight),
            }
        }
        // Relays come and go, and a directory may be full of garbage.
        self.seen.truncate(MAX_SIGHTS);
        for name in named {
            if !has(&self.of_fleet, &name) {
                self.of_fleet.push(name);
            }
        }
        let is_seen = |it: &RelayAddress| self.seen.iter().any(|sight| sight.address.is_same(it));
        self.of_fleet.retain(is_seen);
    }

    /// The link is at the relay with these names, and at no other one.
    pub(super) fn stand_at(&mut self, names: &[RelayAddress]) {
        for sight in &mut self.seen {
            sight.is_here = names.iter().any(|name| name.is_same(&sight.address));
        }
    }
}

/// Nothing where its address is none.
fn sight(at: Instant, Measured { relay, rtt }: &Measured) -> Option<RelaySight> {
    Some(RelaySight {
        address: relay.address.parse().ok()?,
        region: relay.region.clone(),
        rtt: *rtt,
        at,
        is_here: false,
        leads_to: None,
        said: rtt.is_none().then(|| SILENT.to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use lanparty_ctrl::places::FleetRelay;
    use std::time::Duration;

    fn at(address: &str) -> RelayAddress {
        address.parse().unwrap()
    }

    fn measured(address: &str) -> Measured {
        Measured {
            relay: FleetRelay {
                address: address.to_owned(),
                pin: None,
                region: None,
            },
            rtt: Some(Duration::from_millis(9)),
        }
    }

    fn invited(name: &str, when: Instant) -> RelaySight {
        RelaySight {
            rtt: None,
            leads_to: Some(at("r1.example")),
            ..sight(when, &measured(name)).unwrap()
        }
    }

    fn names(sights: &Sights) -> Vec<&str> {
        let seen = sights.all().iter();
        seen.map(|sight| sight.address.host()).collect()
    }

    #[test]
    fn each_relay_is_as_old_as_what_is_known_of_it() {
        let mut sights = Sights::default();
        let begin = Instant::now();
        let minute = Duration::from_secs(60);
        let (all, is_invited) = ("relay.example", |it: &RelayAddress| {
            it.is_same(&at("relay.example"))
        });
        sights.note_fleet(
            begin,
            &["r1.example", "r2.example"].map(measured),
            is_invited,
        );
        sights.note(invited(all, begin + minute));
        let ages = |sights: &Sights| -> Vec<_> {
            let seen = sights.all().iter();
            seen.map(|sight| (sight.at - begin).as_secs()).collect()
        };
        assert_eq!(names(&sights), ["r1.example", "r2.example", all]);
        assert_eq!(ages(&sights), [0, 0, 60]);
        sights.note_fleet(begin + 2 * minute, &[measured("r2.example")], is_invited);
        assert_eq!(ages(&sights), [120, 60]);
    }

    #[test]
    fn who_has_left_the_fleet_is_forgotten_but_not_where_we_are_and_what_the_invite_names() {
        let mut sights = Sights::default();
        let now = Instant::now();
        let is_invited = |it: &RelayAddress| it.is_same(&at("r1.example"));
        sights.note(invited("other.example", now));
        let fleet = ["r1.example", "r2.example", "r3.example", "R3.example."];
        sights.note_fleet(now, &fleet.map(measured), is_invited);
        sights.stand_at(&[at("r2.example")]);
        sights.note_fleet(now, &[measured("r4.example")], is_invited);
        let left = ["other.example", "r1.example", "r2.example", "r4.example"];
        assert_eq!(names(&sights), left);
        // Whoever was kept because the link was there is forgotten once it is not.
        sights.stand_at(&[at("r4.example")]);
        sights.note_fleet(now, &[measured("r4.example")], is_invited);
        assert_eq!(
            names(&sights),
            ["other.example", "r1.example", "r4.example"]
        );
    }

    #[test]
    fn a_fleet_full_of_garbage_fills_no_memory() {
        let mut sights = Sights::default();
        for round in 0..50 {
            let named: Vec<_> = (0..8)
                .map(|n| measured(&format!("r{round}-{n}.example")))
                .collect();
            sights.stand_at(&[at(&format!("r{round}-0.example"))]);
            sights.note_fleet(Instant::now(), &named, |_| true);
        }
        assert_eq!(sights.all().len(), MAX_SIGHTS);
        assert!(sights.of_fleet.len() <= MAX_SIGHTS);
    }
}
