//! Which rooms are for invited people only, and who is one of them.
//!
//! The first gateway that brings a key claims a room code with it: while it is there, and for ten
//! minutes after, nobody enters a room of this code without a proof that is made with the same key.
//! A stranger learns nothing from trying: "no such room" and "wrong key" are one answer, after the
//! same work.

#[cfg(test)]
mod tests;

use lanparty_ctrl::message::{Entry, Newcomer};
use lanparty_ctrl::room_key::KeyId;
use lanparty_ctrl::{AdmissionKey, RejectReason, RoomCode, RoomKey};
use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// How long a claim outlasts its gateway.
pub(crate) const LINGER: Duration = Duration::from_secs(600);
/// How many claims of gateways from one source may outlast them.
const LINGERING_PER_SOURCE: usize = 8;

/// Which of the rooms with one code: the open one, or the one with this key.
pub(crate) type Door = Option<KeyId>;

/// The claims by room code.
#[derive(Debug)]
pub(crate) struct Claims {
    claims: HashMap<RoomCode, Claim>,
    capacity: usize,
    /// What a proof is held against where there is no claim.
    decoy: AdmissionKey,
}

#[derive(Debug)]
struct Claim {
    key: AdmissionKey,
    source: IpAddr,
    /// When it ends, if nobody renews it; never while its gateway is there.
    ends: Option<Instant>,
}

impl Claim {
    fn is_live(&self, now: Instant) -> bool {
        self.ends.is_none_or(|ends| now < ends)
    }
}

impl Claims {
    /// No claims yet, and never more than `capacity`.
    pub(crate) fn new(capacity: usize) -> Self {
        Claims {
            claims: HashMap::new(),
            capacity,
            decoy: RoomKey::from_random([0; 16]).admission_key(),
        }
    }

    /// Never more than `capacity` new ones from now on.
    pub(crate) fn set_capacity(&mut self, capacity: usize) {
        self.capacity = capacity;
    }

    /// Says which room an entry leads to.
    ///
    /// # Errors
    /// [`RejectReason::NotAuthorised`], whatever is missing.
    pub(crate) fn check(&self, now: Instant, entry: &Entry) -> Result<Door, RejectReason> {
        let claim = self.live(now, &entry.room);
        let Some(invitation) = &entry.invitation else {
            return match claim {
                Some(_) => Err(RejectReason::NotAuthorised),
                None => Ok(None),
            };
        };
        let known = claim.map(|claim| &claim.key);
        let known = known.or(invitation.admission_key.as_ref());
        let key = known.unwrap_or(&self.decoy);
        let accepted = key.accepts(
            &invitation.proof,
            &invitation.channel,
            &entry.room,
            entry.who,
        );
        match known {
            Some(key) if accepted => Ok(Some(key.id())),
            Some(_) | None => Err(RejectReason::NotAuthorised),
        }
    }

    /// True when this entry, which was let through, would claim its room.
    pub(crate) fn is_new(&self, now: Instant, entry: &Entry) -> bool {
        brought(entry).is_some() && self.live(now, &entry.room).is_none()
    }

    /// A gateway has entered: what it brought claims the room, or renews the claim.
    ///
    /// The claims may be as many as there can be; then the one that would end first makes room.
    pub(crate) fn hold(&mut self, door: Door, entry: &Entry, source: IpAddr) {
        // A member may prove that it has the room's key and bring another one.
        let Some(key) = brought(entry).filter(|key| door == Some(key.id())).cloned() else {
            return;
        };
        if self.claims.len() >= self.capacity && !self.claims.contains_key(&entry.room) {
            self.forget_one();
        }
        let claim = Claim {
            key,
            source,
            ends: None,
        };
        self.claims.insert(entry.room.clone(), claim);
    }

    /// The key with which a code is claimed.
    pub(crate) fn key_of(&self, now: Instant, room: &RoomCode) -> Option<KeyId> {
        self.live(now, room).map(|claim| claim.key.id())
    }

    /// Puts another key in the place of `old`; false when the code is not claimed with that.
    pub(crate) fn rotate(&mut self, room: &RoomCode, old: KeyId, new: AdmissionKey) -> bool {
        let claim = self.claims.get_mut(room);
        let claim = claim.filter(|claim| claim.key.id() == old);
        claim.map(|claim| claim.key = new).is_some()
    }

    /// Lets claims end some time after their gateways; `is_held` knows whose gateway is there.
    pub(crate) fn handle_timeout(
        &mut self,
        now: Instant,
        is_held: impl Fn(&RoomCode, KeyId) -> bool,
    ) {
        self.claims.retain(|_, claim| claim.is_live(now));
        let mut lingering: HashMap<IpAddr, usize> = HashMap::new();
        self.claims.retain(|room, claim| {
            if is_held(room, claim.key.id()) {
                claim.ends = None;
                return true;
            }
            claim.ends.get_or_insert(now + LINGER);
            let of_source = lingering.entry(claim.source).or_default();
            *of_source += 1;
            *of_source <= LINGERING_PER_SOURCE
        });
    }

    fn live(&self, now: Instant, room: &RoomCode) -> Option<&Claim> {
        self.claims.get(room).filter(|claim| claim.is_live(now))
    }

    fn forget_one(&mut self) {
        let lingering = self
            .claims
            .iter()
            .filter_map(|(room, claim)| Some((claim.ends?, room)));
        if let Some((_, room)) = lingering.min() {
            let room = room.clone();
            self.claims.remove(&room);
        }
    }
}

/// The key that a gateway brought.
fn brought(entry: &Entry) -> Option<&AdmissionKey> {
    let key = entry.invitation.as_ref()?.admission_key.as_ref();
    key.filter(|_| entry.who == Newcomer::Gateway)
}
