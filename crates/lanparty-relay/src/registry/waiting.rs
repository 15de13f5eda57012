//! Who has asked in vain for a room of late: what a gateway learns that has lost its players.
//!
//! Everything here is a stranger's word, and none of it opens a door: a gateway that is told of somebody who does not
//! exist comes, finds nobody, and looks on. To be counted for a room one must know its code and its host.

use super::claims::RoomName;
use crate::sources::{PerSource, Sources};
use lanparty_ctrl::message::Entry;
use lanparty_proto::VirtualMac;
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// Whoever has not asked again for so long has found its party, or given up: players ask each 1.5 s.
pub(crate) const WAITS: Duration = Duration::from_secs(6);
/// How many askers are known.
const MAX_KNOWN: usize = 4096;
/// How many of one source, so that nobody pushes everybody else out.
const PER_SOURCE: PerSource = PerSource {
    address: 64,
    network: 256,
};

/// The askers, whoever has asked last at the end.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    asked: HashMap<Asker, Turn>,
    /// The same, in the order of time: whoever asks again stands at its end, and nowhere else.
    order: BTreeMap<Turn, Asker>,
    /// How many questions there have been.
    turns: u64,
    sources: Sources,
}

/// When somebody has asked, and which question of all that was.
type Turn = (Instant, u64);

/// One player behind one source is one asker, however often it asks.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Asker {
    room: RoomName,
    source: IpAddr,
    mac: VirtualMac,
}

impl Waiting {
    /// A client has asked for its room, and nobody is there who could take it in.
    pub(super) fn note(&mut self, now: Instant, entry: &Entry, source: IpAddr) {
        let Some(mac) = entry.who.mac() else { return };
        self.handle_timeout(now);
        let shown = entry.invitation.as_ref();
        let asker = Asker {
            room: RoomName {
                code: entry.room.clone(),
                host: shown.and_then(|shown| shown.host),
            },
            source,
            mac,
        };
        if let Some(before) = self.asked.get(&asker) {
            self.order.remove(before);
        } else {
            if !self.sources.fits(source, None, PER_SOURCE) {
                return;
            }
            if self.asked.len() >= MAX_KNOWN {
                self.forget_first();
            }
            self.sources.add(source);
        }
        self.turns += 1;
        let turn = (now, self.turns);
        self.order.insert(turn, asker.clone());
        self.asked.insert(asker, turn);
    }

    /// How many wait for this room, but those of `here`.
    pub(super) fn of(
        &self,
        now: Instant,
        room: &RoomName,
        here: impl Fn(VirtualMac) -> bool,
    ) -> usize {
        let asked = self.asked.iter();
        let waiting = asked.filter(|&(asker, &(at, _))| {
            asker.room == *room && now.saturating_duration_since(at) < WAITS && !here(asker.mac)
        });
        waiting.count()
    }

    /// How many wait for any room.
    pub(super) fn count(&self) -> usize {
        self.asked.len()
    }

    /// The one who has asked has found its room.
    pub(super) fn came_in(&mut self, entry: &Entry, source: IpAddr) {
        if self.asked.is_empty() {
            return;
        }
        let mac = entry.who.mac();
        let (sources, order, code) = (&mut self.sources, &mut self.order, &entry.room);
        self.asked.retain(|asker, turn| {
            let is_it =
                Some(asker.mac) == mac && asker.source == source && asker.room.code == *code;
            if is_it {
                sources.remove(source);
                order.remove(turn);
            }
            !is_it
        });
    }

    /// Forgets who has not asked for long enough.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        while let Some((&(at, _), _)) = self.order.first_key_value()
            && now.saturating_duration_since(at) >= WAITS
        {
            self.forget_first();
        }
    }

    fn forget_first(&mut self) {
        if let Some((_, asker)) = self.order.pop_first() {
            self.asked.remove(&asker);
            self.sources.remove(asker.source);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{client, host_id};
    use lanparty_ctrl::message::Newcomer;
    use lanparty_proto::DatagramBudget;
    use std::net::Ipv4Addr;

    fn entry(code: &str, who: Newcomer) -> Entry {
        Entry::new(
            code.parse().unwrap(),
            who,
            DatagramBudget::new(1312).unwrap(),
        )
    }

    fn source(number: u32) -> IpAddr {
        Ipv4Addr::from(0x0a00_0000 + number).into()
    }

    fn room(code: &str) -> RoomName {
        RoomName {
            code: code.parse().unwrap(),
            host: None,
        }
    }

    #[test]
    fn one_player_is_one_however_often_it_asks_and_gone_after_six_seconds() {
        let (mut waiting, start) = (Waiting::default(), Instant::now());
        let count = |waiting: &Waiting, now| waiting.of(now, &room("FRIDAY"), |_| false);
        for tick in 0..100 {
            let now = start + tick * Duration::from_millis(50);
            waiting.note(now, &entry("FRIDAY", client(1)), source(1));
            waiting.note(now, &entry("FRIDAY", Newcomer::Gateway), source(2));
            waiting.note(now, &entry("MONDAY", client(3)), source(3));
        }
        let last = start + 99 * Duration::from_millis(50);
        assert_eq!(count(&waiting, last), 1);
        waiting.note(last, &entry("FRIDAY", client(2)), source(1));
        assert_eq!(count(&waiting, last), 2);
        assert_eq!(
            waiting.of(last, &room("FRIDAY"), |mac| Some(mac) == client(2).mac()),
            1,
            "the other is in"
        );
        let theirs = RoomName {
            host: Some(host_id(1)),
            ..room("FRIDAY")
        };
        assert_eq!(waiting.of(last, &theirs, |_| false), 0, "another's room");
        waiting.came_in(&entry("FRIDAY", client(2)), source(1));
        assert_eq!(count(&waiting, last), 1);
        assert_eq!(
            count(&waiting, last + WAITS - Duration::from_millis(1)),
            1,
            "it has asked last at the end"
        );
        assert_eq!(count(&waiting, last + WAITS), 0);
        waiting.handle_timeout(last + WAITS);
        assert!(waiting.order.is_empty() && waiting.sources.is_empty());
        assert_eq!(waiting.count(), 0);
    }

    #[test]
    fn very_many_cost_no_more_memory_and_one_source_pushes_nobody_out() {
        let (mut waiting, now) = (Waiting::default(), Instant::now());
        waiting.note(now, &entry("FRIDAY", client(1)), source(1));
        for number in 0..10_000 {
            let code = format!("ROOM-{number}");
            waiting.note(now, &entry(&code, client(2)), source(2));
        }
        assert_eq!(waiting.count(), 1 + 64);
        assert_eq!(waiting.of(now, &room("FRIDAY"), |_| false), 1);
        for number in 0..10_000 {
            waiting.note(now, &entry("FRIDAY", client(3)), source(100 + number));
        }
        assert_eq!(waiting.count(), MAX_KNOWN);
        assert_eq!(waiting.order.len(), MAX_KNOWN);
        waiting.handle_timeout(now + WAITS);
        assert!(waiting.asked.is_empty() && waiting.sources.is_empty());
    }

    #[test]
    fn who_asks_without_end_pushes_nobody_out_and_stays_one() {
        let (mut waiting, now) = (Waiting::default(), Instant::now());
        waiting.note(now, &entry("FRIDAY", client(1)), source(1));
        for _ in 0..3 * MAX_KNOWN {
            waiting.note(now, &entry("FRIDAY", client(2)), source(2));
        }
        assert_eq!((waiting.count(), waiting.order.len()), (2, 2));
        assert_eq!(waiting.of(now, &room("FRIDAY"), |_| false), 2);
        // Where its source has as many as it may, who is known counts on and who is not does not.
        for number in 3..200 {
            waiting.note(now, &entry("FRIDAY", client(number)), source(2));
        }
        let later = now + WAITS / 2;
        for number in 0..200 {
            waiting.note(later, &entry("FRIDAY", client(number)), source(2));
        }
        let count = waiting.of(now + WAITS, &room("FRIDAY"), |_| false);
        assert_eq!((count, waiting.count()), (64, 65));
        waiting.came_in(&entry("FRIDAY", client(2)), source(2));
        waiting.handle_timeout(now + 2 * WAITS);
        assert!(waiting.asked.is_empty() && waiting.order.is_empty());
        assert!(waiting.sources.is_empty());
    }
}
