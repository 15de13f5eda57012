//! The directory as this relay last heard it. It may be late; what counts is decided by guarded writes.

use crate::card::{Card, ClaimOf, FleetValue, Move, Value};
use crate::entry::{Entry, Revision};
use crate::key::Key;
use crate::name::{RelayId, RoomHash};
use std::collections::{BTreeMap, HashMap};
use std::time::Instant;

/// As many relays are known at once.
const MAX_RELAYS: usize = 1024;
/// As many rooms, moves and claims each.
const MAX_ROOMS: usize = 1 << 18;

/// Who has a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Owned {
    pub(crate) relay: RelayId,
    pub(crate) revision: Revision,
    /// Since when somebody has asked for it while its owner had no card.
    pub(crate) ownerless: Option<Instant>,
}

/// What the whole fleet agrees on, as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fleetwide {
    pub(crate) written: Vec<u8>,
    pub(crate) base: u64,
}

/// All that relays have in a directory, read from its keys and values. It holds as much as a fleet can have, and only
/// counts the rest, whatever that is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct View {
    pub(crate) relays: BTreeMap<RelayId, Card>,
    pub(crate) rooms: HashMap<RoomHash, Owned>,
    pub(crate) moves: HashMap<RoomHash, (Move, Revision)>,
    pub(crate) claims: HashMap<RoomHash, (ClaimOf, Revision)>,
    pub(crate) fleet: Option<Fleetwide>,
    /// Whether anything was ever heard.
    pub(crate) loaded: bool,
    /// Up to which change everything is known.
    pub(crate) revision: Revision,
    /// Keys and values that no relay writes, counted as they came by.
    pub(crate) garbage: u64,
}

impl View {
    /// Reads a key and its value, one of many.
    pub fn read(&mut self, entry: Entry) {
        self.put(entry);
    }

    /// How many relays, rooms, moves and claims it has.
    pub fn len(&self) -> usize {
        self.relays.len() + self.rooms.len() + self.moves.len() + self.claims.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Keys and values that no relay writes.
    pub fn garbage(&self) -> u64 {
        self.garbage
    }

    /// Replaces everything.
    pub(crate) fn load(&mut self, revision: Revision, everything: View) {
        *self = View {
            garbage: self.garbage + everything.garbage,
            loaded: true,
            revision,
            ..everything
        };
    }

    /// A key has this value now. Says which, if that is news.
    pub(crate) fn put(&mut self, entry: Entry) -> Option<Key> {
        self.revision = self.revision.max(entry.revision);
        let Some(key) = Key::parse(&entry.key) else {
            self.garbage += 1;
            return None;
        };
        let value = &entry.value;
        let kept = match key {
            Key::Fleet => {
                self.fleet = FleetValue::decode(value).map(|fleet| Fleetwide {
                    base: fleet.base,
                    written: entry.value,
                });
                self.fleet.is_some()
            }
            Key::Relay(relay) => self.put_card(relay, value),
            Key::Room(room) => match RelayId::decode(value) {
                Some(relay) => return self.own(room, relay, entry.revision).then_some(key),
                None => {
                    self.rooms.remove(&room);
                    false
                }
            },
            Key::Move(room) => {
                let offer = Move::decode(value);
                let offer = offer.map(|offer| (offer, entry.revision));
                keep(&mut self.moves, room, offer)
            }
            Key::Claim(room) => {
                let claim = ClaimOf::decode(value);
                keep(
                    &mut self.claims,
                    room,
                    claim.map(|claim| (claim, entry.revision)),
                )
            }
        };
        self.garbage += u64::from(!kept);
        Some(key)
    }

    fn put_card(&mut self, relay: RelayId, value: &[u8]) -> bool {
        let known = self.relays.contains_key(&relay);
        match Card::decode(value) {
            Some(card) if known || self.relays.len() < MAX_RELAYS => {
                self.relays.insert(relay, card);
                true
            }
            _ => {
                self.relays.remove(&relay);
                false
            }
        }
    }

    /// A room has this owner; false if something later is known already.
    pub(crate) fn own(&mut self, room: RoomHash, relay: RelayId, revision: Revision) -> bool {
        let known = self.rooms.get(&room);
        if known.is_some_and(|known| known.revision > revision) {
            return false;
        }
        if known.is_none() && self.rooms.len() >= MAX_ROOMS {
            self.garbage += 1;
            return false;
        }
        let owned = Owned {
            relay,
            revision,
            ownerless: None,
        };
        self.rooms.insert(room, owned);
        true
    }

    /// A key is gone. Says which, if that is news.
    pub(crate) fn gone(&mut self, key: &[u8], revision: Revision) -> Option<Key> {
        self.revision = self.revision.max(revision);
        self.delete(Key::parse(key)?, revision)
    }

    /// A key is gone by a write of this relay's own. What others changed before that may not have been heard yet.
    pub(crate) fn delete(&mut self, key: Key, revision: Revision) -> Option<Key> {
        match key {
            Key::Fleet => self.fleet = None,
            Key::Relay(relay) => {
                self.relays.remove(&relay);
            }
            Key::Room(room) => {
                let known = self.rooms.get(&room);
                if known.is_some_and(|known| known.revision > revision) {
                    return None;
                }
                self.rooms.remove(&room);
            }
            Key::Move(room) => {
                let known = self.moves.get(&room);
                if known.is_some_and(|&(_, known)| known > revision) {
                    return None;
                }
                self.moves.remove(&room);
            }
            Key::Claim(room) => {
                self.claims.remove(&room);
            }
        }
        Some(key)
    }

    /// The relay that keeps this room's code for its host, if it is there, takes rooms and is not late.
    pub(crate) fn keeper(&self, room: &RoomHash) -> Option<RelayId> {
        let (claim, _) = self.claims.get(room)?;
        let card = self.relays.get(&claim.relay)?;
        (card.takes_rooms() && !card.slow).then_some(claim.relay)
    }
}

fn keep<T>(map: &mut HashMap<RoomHash, T>, room: RoomHash, value: Option<T>) -> bool {
    match value {
        Some(value) if map.len() < MAX_ROOMS || map.contains_key(&room) => {
            map.insert(room, value);
            true
        }
        _ => {
            map.remove(&room);
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(view: &mut View, key: &str, value: &[u8]) {
        view.read(Entry {
            key: key.as_bytes().to_vec(),
            value: value.to_vec(),
            revision: Revision(7),
        });
    }

    #[test]
    fn whatever_is_there_is_read_up_to_a_bound_and_the_rest_counted() {
        let mut view = View::default();
        let owner = br#"{"relay":"00000000000000ab"}"#;
        for number in 0..=MAX_ROOMS as u64 {
            let mut room = [0; 32];
            room[..8].copy_from_slice(&number.to_be_bytes());
            let room = RoomHash::from_bytes(room);
            read(&mut view, &Key::Room(room).to_string(), owner);
        }
        for relay in 0..=MAX_RELAYS as u64 {
            let card = br#"{"address":"a","free":1,"draining":false,"ready":true}"#;
            let relay = RelayId::from_random(relay);
            read(&mut view, &Key::Relay(relay).to_string(), card);
        }
        assert_eq!(view.len(), MAX_ROOMS + MAX_RELAYS);
        assert_eq!(view.garbage(), 2);
        read(&mut view, "diary", b"dear");
        read(&mut view, "fleet", &vec![b' '; 1 << 20]);
        assert_eq!(view.garbage(), 4);
    }
}
