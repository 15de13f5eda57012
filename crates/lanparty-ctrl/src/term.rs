//! Terms: which of several relays a party is at.
//!
//! A gateway counts a term each time it begins a link, and signs it together with the relay's key. Players go by
//! the highest one, so neither a relay that was left nor a guest can call the party to another place.

use crate::host_key::{HostId, HostKey, HostPublicKey, HostSignature};
use crate::{Pin, RoomCode};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Starts what is signed, so that it is nothing else that a host signs.
const TERM: &[u8] = b"softlan-vpn term 1";

/// The number of a stay of a party at a relay: the gateway's next one is higher, whatever the relay.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Term(u64);

impl Term {
    /// The term with this number.
    pub const fn new(number: u64) -> Self {
        Term(number)
    }

    /// Its number.
    pub const fn number(self) -> u64 {
        self.0
    }

    /// The one after this, at the time of `unix_seconds`: a host that has lost its count goes on by the clock.
    #[must_use]
    pub fn next(self, unix_seconds: u64) -> Self {
        Term(self.0.saturating_add(1).max(unix_seconds))
    }

    /// The term, as the host signs it for this room at the relay with this key.
    pub fn sign(self, host: &HostKey, room: &RoomCode, relay: &Pin) -> SignedTerm {
        SignedTerm {
            number: self,
            host_key: host.public(),
            signature: host.sign(&signed(self, room, relay)),
        }
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A term with its host's signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedTerm {
    /// The term.
    pub number: Term,
    /// With what it can be checked; its [`HostId`] must be the one that the player knows.
    pub host_key: HostPublicKey,
    /// That it is the host's, for this room and this relay.
    pub signature: HostSignature,
}

impl SignedTerm {
    /// The term, if this host has signed it for this room at the relay with this key.
    pub fn of(&self, host: &HostId, room: &RoomCode, relay: &Pin) -> Option<Term> {
        let is_signed = self.host_key.id() == *host
            && self
                .host_key
                .has_signed(&signed(self.number, room, relay), &self.signature);
        is_signed.then_some(self.number)
    }
}

/// What a host signs. Only the code's length varies, and it stands last.
fn signed(term: Term, room: &RoomCode, relay: &Pin) -> Vec<u8> {
    [
        TERM,
        &term.0.to_be_bytes(),
        relay.as_bytes(),
        room.as_str().as_bytes(),
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::HostSecret;

    #[test]
    fn a_term_is_of_one_host_one_room_and_one_relay() {
        let host = |byte| HostSecret::from_random([byte; 32]);
        let (friday, monday): (RoomCode, RoomCode) =
            ("FRIDAY".parse().unwrap(), "MONDAY".parse().unwrap());
        let (a, b) = (Pin::from_sha256([1; 32]), Pin::from_sha256([2; 32]));
        let ours = host(7).host_key(&friday);
        let term = Term::new(5).sign(&ours, &friday, &a);
        assert_eq!(term.of(&ours.id(), &friday, &a), Some(Term::new(5)));
        assert_eq!(
            term.of(&ours.id(), &friday, &b),
            None,
            "another relay shows it"
        );
        assert_eq!(term.of(&ours.id(), &monday, &a), None);
        assert_eq!(term.of(&host(8).host_key(&friday).id(), &friday, &a), None);
        let raised = SignedTerm {
            number: Term::new(6),
            ..term
        };
        assert_eq!(raised.of(&ours.id(), &friday, &a), None);
        let guest = Term::new(9).sign(&host(9).host_key(&friday), &friday, &a);
        assert_eq!(guest.of(&ours.id(), &friday, &a), None);
    }

    /// Worked out by Python's `cryptography`: HKDF, Ed25519 and the bytes as docs/protocol.md has them.
    #[test]
    fn what_is_signed_is_what_the_protocol_says() {
        let room = "friday".parse().unwrap();
        let host = HostSecret::from_random([5; 32]).host_key(&room);
        let term = Term::new(1_790_000_000).sign(&host, &room, &Pin::from_sha256([9; 32]));
        assert_eq!(
            host.public().to_string(),
            "FTG6V-cEW7NDhmTTDw2LqWT11_l06Og3n1SvFhbHcMY"
        );
        assert_eq!(
            host.id().to_string(),
            "mcJ_s9n_JOONuSIBHGaY-_XAOcv7J5J-P7blDkvsiLQ"
        );
        assert_eq!(
            term.signature.to_string(),
            "iHJOdIaxmTmXLa3beLYgqFEdVxheKtMXjngoRUUt2Z_T3w1-h3p3Nw85tqtdlKjicYQj39hyC2RIwEv4-HxUDQ"
        );
    }

    #[test]
    fn the_next_term_is_higher_whatever_the_clock_says() {
        let kept = Term::new(1_800_000_000);
        assert_eq!(kept.next(1_700_000_000), Term::new(1_800_000_001));
        assert_eq!(kept.next(1_900_000_000), Term::new(1_900_000_000));
        assert_eq!(
            Term::default().next(1_700_000_000),
            Term::new(1_700_000_000)
        );
        assert_eq!(Term::new(u64::MAX).next(0), Term::new(u64::MAX));
    }
}
