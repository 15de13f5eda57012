//! Several relays at which a party may be: asked side by side, chosen between, and gone over to.
//!
//! `Relays` is what a peer knows of them; `survey` asks them, [`choose`] says where to go, [`rhythm`] when to look while a link
//! stands, and `trail` follows the relays of a fleet.

pub mod choose;
pub(crate) mod nearby;
mod none_of;
pub(crate) mod place;
pub mod rhythm;
pub mod seen;
pub(crate) mod survey;
pub(crate) mod trail;

pub use none_of::NoneOf;
pub(crate) use none_of::cause;
pub use trail::NotFollowed;

use crate::relay_args::RelayConfig;
use lanparty_ctrl::places::Elsewhere;
use lanparty_ctrl::{Pin, ResumeToken, SignedTerm, Term};
use lanparty_edge::address::RelayAddress;
use lanparty_quic::tls::TrustError;
use place::Place;
use seen::Seen;
use std::net::SocketAddr;
use std::time::Instant;
use trail::{Failures, Fence, Sent, Trail};

/// So many relays to which a fleet has sent us are remembered.
const SENT: usize = 4;

/// The relays of an invite, and those to which they have sent us.
#[derive(Debug)]
pub(crate) struct Relays {
    /// The invite's, the first one first; then those of fleets.
    places: Vec<Place>,
    /// How many are the invite's.
    invited: usize,
    /// The slot among those of fleets that is overwritten next.
    next_sent: usize,
    /// Where the link is, or was last.
    here: usize,
    seen: Seen,
    /// Of each of the invite's, which may be of different fleets.
    fences: Vec<Fence>,
    pub(crate) failures: Failures,
    /// A relay has sent us on, or has told a fencing token: thousands may be in the same plight.
    is_fleet: bool,
}

impl Relays {
    /// The relays of this configuration. One that nobody could trust is left out.
    pub(crate) fn new(config: &RelayConfig, token: Option<&ResumeToken>) -> Self {
        let mut places = vec![Place::first(config, token.cloned())];
        // A relay in this program is no one of several.
        let others = config.others.iter().filter(|_| config.inside.is_none());
        for other in others {
            match Place::other(config, other.address.clone(), other.pin, token.cloned()) {
                Ok(place) => places.push(place.by(places.len(), false)),
                Err(error) => tracing::warn!(relay = %other.address, %error, "Left out a relay"),
            }
        }
        Relays {
            invited: places.len(),
            next_sent: 0,
            here: 0,
            seen: Seen::default(),
            fences: vec![Fence::default(); places.len()],
            failures: Failures::default(),
            is_fleet: false,
            places,
        }
    }

    /// True where the party may be at one of several.
    pub(crate) fn are_several(&self) -> bool {
        self.invited > 1
    }

    /// True once one of them has turned out to be of a fleet.
    pub(crate) fn are_fleet(&self) -> bool {
        self.is_fleet
    }

    /// The numbers of the invite's.
    pub(crate) fn invited(&self) -> std::ops::Range<usize> {
        0..self.invited
    }

    /// All numbers, the one that is worth most to this room first.
    pub(crate) fn order(&self, config: &RelayConfig) -> Vec<usize> {
        let mut order: Vec<_> = (0..self.places.len()).collect();
        order.sort_by_cached_key(|&number| {
            std::cmp::Reverse(self.places[number].worth(&config.room))
        });
        order
    }

    pub(crate) fn place(&self, number: usize) -> &Place {
        &self.places[number]
    }

    pub(crate) fn place_mut(&mut self, number: usize) -> &mut Place {
        &mut self.places[number]
    }

    /// Where this one is to be found and no other one: whoever sends somebody on names a single relay, and an invite may name all
    /// of a fleet by one name.
    pub(crate) fn own_addresses(&self, number: usize) -> Vec<SocketAddr> {
        match self.invited().contains(&number) {
            true => Vec::new(),
            false => self.places[number].addresses(),
        }
    }

    /// The number of the one where the link is, or was last.
    pub(crate) fn here(&self) -> usize {
        self.here
    }

    pub(crate) fn here_mut(&mut self) -> &mut Place {
        &mut self.places[self.here]
    }

    /// The number of the relay that is named so, if it is one of ours.
    pub(crate) fn named(&self, address: &RelayAddress) -> Option<usize> {
        let mut places = self.places.iter();
        places.position(|place| place.address.is_same(address))
    }

    /// The link is there from now on.
    pub(crate) fn stand_at(&mut self, now: Instant, here: usize, fence: Option<u64>) {
        self.here = here;
        self.is_fleet |= fence.is_some();
        self.keep_fence(now, here, fence);
    }

    /// Follows the relay with the number `from`, which is one of the internet or not, to where it sends us. Answers the number of
    /// that one.
    ///
    /// # Errors
    /// [`NotFollowed`].
    pub(crate) fn follow(
        &mut self,
        now: Instant,
        config: &RelayConfig,
        trail: &mut Trail,
        (from, is_of_internet): (usize, bool),
        to: &Elsewhere,
    ) -> Result<usize, NotFollowed> {
        let origin = self.places[from].origin;
        if self.fences[origin].is_stale(now, to.fence) {
            return Err(NotFollowed::Stale);
        }
        let sent = trail.follow(to, is_of_internet, &self.failures, now)?;
        self.is_fleet = true;
        self.send(config, sent, origin, is_of_internet)
            .map_err(|_| NotFollowed::Unknown)
    }

    fn send(
        &mut self,
        config: &RelayConfig,
        sent: Sent,
        origin: usize,
        is_of_internet: bool,
    ) -> Result<usize, TrustError> {
        let mut places = self.places.iter();
        if let Some(known) = places.position(|place| place.is(&sent.address, sent.pin)) {
            return Ok(known);
        }
        let place = Place::other(config, sent.address, sent.pin, None)?.by(origin, is_of_internet);
        if self.places.len() < self.invited + SENT {
            self.places.push(place);
            return Ok(self.places.len() - 1);
        }
        // Where we are is not forgotten.
        let mut slot = self.invited + self.next_sent;
        if slot == self.here {
            self.next_sent = (self.next_sent + 1) % SENT;
            slot = self.invited + self.next_sent;
        }
        self.next_sent = (self.next_sent + 1) % SENT;
        self.places[slot] = place;
        Ok(slot)
    }

    /// True where the room has been at a later place of this one's fleet.
    pub(crate) fn is_stale(&self, now: Instant, number: usize, fence: Option<u64>) -> bool {
        self.fences[self.places[number].origin].is_stale(now, fence)
    }

    /// The link there stands, with this fencing token.
    pub(crate) fn keep_fence(&mut self, now: Instant, number: usize, fence: Option<u64>) {
        self.fences[self.places[number].origin].note(now, fence);
    }

    /// The highest term that was seen.
    pub(crate) fn seen(&self) -> Term {
        self.seen.highest()
    }

    /// The term that the room's host has signed for the relay with this key.
    pub(crate) fn term(
        config: &RelayConfig,
        term: Option<&SignedTerm>,
        relay: Option<Pin>,
    ) -> Option<Term> {
        term?.of(&config.host?, &config.room, &relay?)
    }

    /// See [`Seen::believe`].
    pub(crate) fn believe(&mut self, term: Option<Term>) -> bool {
        self.seen.believe(term)
    }

    /// See [`Seen::is_over`].
    pub(crate) fn is_over(&self, term: Option<Term>) -> bool {
        self.seen.is_over(term)
    }
}

#[cfg(test)]
mod tests;
