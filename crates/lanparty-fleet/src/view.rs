//! The directory as this relay last heard it. It may be late; what counts is decided by guarded writes.

use crate::card::{Card, ClaimOf, FleetValue, Move, Value};
use crate::directory::{Entry, Revision};
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

#[derive(Debug, Default)]
pub(crate) struct View {
    pub(crate) relays: BTreeMap<RelayId, Card>,
    pub(crate) rooms: HashMap<RoomHash, Owned>,
    pub(crate) moves: HashMap<RoomHash, Move>,
    pub(crate) claims: HashMap<RoomHash, (ClaimOf, Revision)>,
    pub(crate) fleet: Option<FleetValue>,
    /// Whether anything was ever heard.
    pub(crate) loaded: bool,
    /// Up to which change everything is known.
    pub(crate) revision: Revision,
    /// Keys and values that no relay writes, counted as they came by.
    pub(crate) garbage: u64,
}

impl View {
    /// Replaces everything.
    pub(crate) fn load(&mut self, revision: Revision, entries: Vec<Entry>) {
        *self = View {
            garbage: self.garbage,
            loaded: true,
            ..View::default()
        };
        for entry in entries {
            self.put(entry);
        }
        self.revision = revision;
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
                self.fleet = FleetValue::decode(value);
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
            Key::Move(room) => keep(&mut self.moves, room, Move::decode(value)),
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
        let key = Key::parse(key)?;
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
