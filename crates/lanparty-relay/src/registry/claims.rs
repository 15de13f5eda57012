//! Which rooms are for invited people only, and who is one of them.
//!
//! A keyed room is its host's key, and its code no more than the label: strangers with other keys have
//! other rooms of the same code, so nobody can take a host's room, nor keep the host out of it. While a
//! gateway is there, and for ten minutes after, it *claims* its room: the relay knows with which admission key
//! guests prove that they are invited. A stranger learns nothing from trying: "no such room" and "wrong
//! key" are one answer, after the same work.

#[cfg(test)]
mod tests;

use crate::sources::place_of;
use lanparty_ctrl::message::{Entry, Invitation};
use lanparty_ctrl::{AdmissionKey, HostId, RoomCode, RoomKey};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::iter;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// How long a claim outlasts its gateway.
pub(crate) const LINGER: Duration = Duration::from_secs(600);
/// How many claims of gateways from one source may outlast them.
const LINGERING_PER_SOURCE: usize = 8;
/// How many of these may be of one code, from one IPv4 address or IPv6 /48: the oldest.
const LINGERING_PER_CODE: usize = 2;
/// Among how many claims of one code an invite is looked for that does not name its host.
const CANDIDATES: usize = 8;

/// A room by its code and, if it is for invited people, its host.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct RoomName {
    pub(crate) code: RoomCode,
    pub(crate) host: Option<HostId>,
}

/// The claims by room code, the oldest first.
#[derive(Debug)]
pub(crate) struct Claims {
    claims: HashMap<RoomCode, Vec<Claim>>,
    capacity: usize,
    /// What a proof is held against where there is no claim.
    decoy: AdmissionKey,
}

/// A claim on its way to the relay that takes this one's place. The key in it is a secret of the relay's.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KeptClaim {
    room: RoomCode,
    host: HostId,
    key: AdmissionKey,
    source: IpAddr,
}

#[derive(Debug)]
struct Claim {
    host: HostId,
    key: AdmissionKey,
    source: IpAddr,
    /// When it ends, if nobody renews it; never while its gateway is there.
    ends: Option<Instant>,
}

impl Claim {
    fn is_live(&self, now: Instant) -> bool {
        self.ends.is_none_or(|ends| now < ends)
    }

    fn name(&self, code: &RoomCode) -> RoomName {
        RoomName {
            code: code.clone(),
            host: Some(self.host),
        }
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

    /// The room to whose key a client's proof belongs. As many keys are tried whatever is claimed: one, if the
    /// client says whose room it means.
    pub(crate) fn find(&self, now: Instant, entry: &Entry, shown: &Invitation) -> Option<RoomName> {
        let tries = shown.host.map_or(CANDIDATES, |_| 1);
        let claims = self.in_turn(now, &entry.room, shown.host).into_iter();
        let mut found = None;
        for claim in claims.map(Some).chain(iter::repeat(None)).take(tries) {
            let key = claim.map_or(&self.decoy, |claim| &claim.key);
            let accepted = key.accepts(&shown.proof, &shown.channel, &entry.room, entry.who);
            found = found.or(claim.filter(|_| accepted));
        }
        found.map(|claim| claim.name(&entry.room))
    }

    /// The claims among which an invite is looked for: of each place the oldest, the oldest of these first, then of each
    /// the second. However often a code is claimed from one place, that costs the others one try.
    fn in_turn(&self, now: Instant, code: &RoomCode, host: Option<HostId>) -> Vec<&Claim> {
        let mut of_place: HashMap<IpAddr, usize> = HashMap::new();
        let claims = self.of(now, code, host).map(|claim| {
            let turn = of_place.entry(place_of(claim.source)).or_default();
            *turn += 1;
            (*turn, claim)
        });
        let mut claims: Vec<_> = claims.collect();
        claims.sort_by_key(|&(turn, _)| turn);
        let claims = claims.into_iter().map(|(_, claim)| claim);
        claims.take(CANDIDATES).collect()
    }

    /// The rooms that an invite can mean.
    pub(crate) fn candidates(
        &self,
        now: Instant,
        code: &RoomCode,
        host: Option<HostId>,
    ) -> impl Iterator<Item = RoomName> {
        let claims = self.in_turn(now, code, host).into_iter();
        claims.map(|claim| claim.name(code))
    }

    /// True while any room of this code is claimed.
    pub(crate) fn has(&self, now: Instant, code: &RoomCode) -> bool {
        self.of(now, code, None).next().is_some()
    }

    /// True while this room is claimed.
    pub(crate) fn is_live(&self, now: Instant, name: &RoomName) -> bool {
        let host = name.host;
        host.is_some() && self.of(now, &name.code, host).next().is_some()
    }

    /// The gateway of a keyed room has entered and brought this key.
    ///
    /// The claims may be as many as there can be; then the one that would end first makes room.
    pub(crate) fn hold(&mut self, name: &RoomName, key: &AdmissionKey, source: IpAddr) {
        let Some(host) = name.host else { return };
        let claim = Claim {
            host,
            key: key.clone(),
            source,
            ends: None,
        };
        if let Some(old) = self.claim_mut(name) {
            *old = claim;
            return;
        }
        if self.len() >= self.capacity {
            self.forget_one();
        }
        self.claims
            .entry(name.code.clone())
            .or_default()
            .push(claim);
    }

    /// All of them, for a relay that takes this one's place.
    pub(crate) fn kept(&self, now: Instant) -> Vec<KeptClaim> {
        let all = self.claims.iter().flat_map(|(code, claims)| {
            let live = claims.iter().filter(|claim| claim.is_live(now));
            live.map(|claim| KeptClaim {
                room: code.clone(),
                host: claim.host,
                key: claim.key.clone(),
                source: claim.source,
            })
        });
        all.collect()
    }

    /// Takes on what another relay had. The gateways are on their way; who does not come loses the claim as ever.
    pub(crate) fn inherit(&mut self, now: Instant, kept: Vec<KeptClaim>) {
        for claim in kept {
            let name = RoomName {
                code: claim.room,
                host: Some(claim.host),
            };
            self.hold(&name, &claim.key, claim.source);
            if let Some(claim) = self.claim_mut(&name) {
                claim.ends = Some(now + LINGER);
            }
        }
    }

    /// Guests of this room need another key from now on.
    pub(crate) fn rotate(&mut self, name: &RoomName, key: AdmissionKey) {
        if let Some(claim) = self.claim_mut(name) {
            claim.key = key;
        }
    }

    /// Lets claims end some time after their gateways; `is_held` knows whose gateway is there.
    pub(crate) fn handle_timeout(&mut self, now: Instant, is_held: impl Fn(&RoomName) -> bool) {
        let mut lingering: HashMap<IpAddr, usize> = HashMap::new();
        for (code, claims) in &mut self.claims {
            claims.retain(|claim| claim.is_live(now));
            let mut of_code: HashMap<IpAddr, usize> = HashMap::new();
            claims.retain_mut(|claim| {
                if is_held(&claim.name(code)) {
                    claim.ends = None;
                    return true;
                }
                claim.ends.get_or_insert(now + LINGER);
                let of_code = of_code.entry(place_of(claim.source)).or_default();
                *of_code += 1;
                if *of_code > LINGERING_PER_CODE {
                    return false;
                }
                let of_source = lingering.entry(claim.source).or_default();
                *of_source += 1;
                *of_source <= LINGERING_PER_SOURCE
            });
        }
        self.claims.retain(|_, claims| !claims.is_empty());
    }

    /// The live claims of a code, or of one host's among them.
    fn of(
        &self,
        now: Instant,
        code: &RoomCode,
        host: Option<HostId>,
    ) -> impl Iterator<Item = &Claim> {
        let claims = self.claims.get(code).into_iter().flatten();
        claims
            .filter(move |claim| claim.is_live(now))
            .filter(move |claim| host.is_none_or(|host| host == claim.host))
    }

    fn claim_mut(&mut self, name: &RoomName) -> Option<&mut Claim> {
        let mut claims = self.claims.get_mut(&name.code)?.iter_mut();
        claims.find(|claim| Some(claim.host) == name.host)
    }

    fn len(&self) -> usize {
        self.claims.values().map(Vec::len).sum()
    }

    fn forget_one(&mut self) {
        let all = self.claims.iter().flat_map(|(code, claims)| {
            let claims = claims.iter();
            claims.filter_map(move |claim| Some((claim.ends?, claim.host, code)))
        });
        let Some((_, host, code)) = all.min() else {
            return;
        };
        let code = code.clone();
        if let Some(claims) = self.claims.get_mut(&code) {
            claims.retain(|claim| claim.host != host);
        }
    }
}
