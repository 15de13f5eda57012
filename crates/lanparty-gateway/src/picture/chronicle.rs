//! What has happened this evening, as far as a host wants to know: bounded, whoever does what how often.

use super::Moment;
use lanparty_gateway_control::{Event, Mark};
use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

/// How many events are kept.
pub(super) const MAX_EVENTS: usize = 200;
/// What happens again within this time is the same event, counted: a player whose link keeps breaking, say.
const SAME: Duration = Duration::from_secs(600);

/// What an event is about. Of too many events those of the commonest kind make room, so that players who come and go do not
/// push out what the host has ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum About {
    /// The host's own will.
    Order,
    /// The link, the LAN, the party as a whole.
    Party,
    /// Somebody came, went, got an address.
    Player,
    /// Something is wrong with one player.
    Trouble,
}

/// The events, the latest first.
#[derive(Debug, Default)]
pub(super) struct Chronicle {
    entries: VecDeque<Entry>,
    /// How many there have been.
    count: u64,
}

#[derive(Debug)]
struct Entry {
    about: About,
    /// What makes it the same event.
    key: String,
    since: Instant,
    times: u32,
    event: Event,
}

impl Chronicle {
    /// Something has happened; the same `key` again is the same event.
    pub(super) fn note(
        &mut self,
        now: Moment,
        (about, key): (About, &str),
        mark: Mark,
        sentence: &str,
    ) {
        let is_same = |entry: &Entry| {
            let age = now.instant.saturating_duration_since(entry.since);
            entry.about == about && entry.key == key && age < SAME
        };
        let before = self.entries.iter().position(is_same);
        let before = before.and_then(|at| self.entries.remove(at));
        let (since, times) = before.map_or((now.instant, 1), |before| {
            (before.since, before.times.saturating_add(1))
        });
        self.count += 1;
        self.entries.push_front(Entry {
            about,
            key: key.to_owned(),
            since,
            times,
            event: Event {
                number: self.count,
                at: now.unix,
                mark,
                sentence: match times {
                    1 => sentence.to_owned(),
                    _ => format!("{sentence} ({times} times of late)"),
                },
            },
        });
        self.make_room();
    }

    /// The latest first.
    pub(super) fn events(&self) -> Vec<Event> {
        let events = self.entries.iter().map(|entry| &entry.event);
        events.cloned().collect()
    }

    fn make_room(&mut self) {
        if self.entries.len() <= MAX_EVENTS {
            return;
        }
        let mut counts = BTreeMap::<_, usize>::new();
        for entry in &self.entries {
            *counts.entry(entry.about).or_default() += 1;
        }
        let commonest = counts.into_iter().max_by_key(|&(_, count)| count);
        let oldest = self
            .entries
            .iter()
            .rposition(|entry| commonest.is_some_and(|(about, _)| about == entry.about));
        self.entries.remove(oldest.unwrap_or(MAX_EVENTS));
    }
}
