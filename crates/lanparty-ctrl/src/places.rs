//! Several relays for one party: what a peer asks before it enters, and where a relay sends it.

use crate::term::SignedTerm;
use crate::{Pin, RoomCode, Text};
use lanparty_proto::PeerId;
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

/// The ability of a peer to be sent to another relay ([`Elsewhere`]), in its `hello`.
pub const REDIRECTS: &str = "redirects";

/// The ability of a relay to be asked whether a party is there ([`PeerMessage::Find`]), in its `welcome`.
///
/// [`PeerMessage::Find`]: crate::PeerMessage::Find
pub const FINDS: &str = "finds";

/// The ability of a relay of a fleet to move a room where its host wants it ([`HostOrder::Place`]), in its `welcome`.
///
/// [`HostOrder::Place`]: crate::HostOrder::Place
pub const PLACES: &str = "places";

/// So many relays of a fleet are told to a gateway.
pub const MAX_FLEET: usize = 32;

/// The answer to a `find`: the one who asks may enter.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// Whether the room has a gateway now.
    #[serde(default)]
    pub gateway: bool,
    /// The gateway's term, where it has told one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub term: Option<SignedTerm>,
    /// How many players have asked for this room in vain in the last seconds; told to gateways only.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub waiting: u16,
    /// Where the relay is, as its operator calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<Text>,
    /// The relays of its fleet, at most [`MAX_FLEET`]; told to gateways only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub relays: Vec<FleetRelay>,
}

/// A relay of a fleet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FleetRelay {
    /// `HOST:PORT`, as peers reach it.
    pub address: String,
    /// Its key; without it an authority vouches for its certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pin: Option<Pin>,
    /// Where it is, as its operator calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<Text>,
}

/// How far a gateway is from a relay of a fleet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Near {
    /// The relay, as [`FleetRelay::address`] has it.
    pub address: String,
    /// The round trip, in milliseconds.
    pub rtt_ms: u16,
}

/// The room is at another relay of the fleet: the answer to a `hello` or a `find`, or, as `moved`, told to those inside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Elsewhere {
    /// `HOST:PORT`.
    pub address: String,
    /// The relay's key; without it an authority vouches for its certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pin: Option<Pin>,
    /// The fencing token of that place, where it has one: a relay with a lower one has lost the room.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fence: Option<u64>,
}

/// The room stays where it is: the answer to [`HostOrder::Place`](crate::HostOrder::Place) where that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotPlaced {
    /// The relay that was wanted.
    pub relay: String,
    /// Why not, as part of a sentence.
    pub text: Text,
}

/// What a relay is worth to a room where all else is equal: everybody finds the same order, and another one for each room
/// (rendezvous hashing). `relay` is its key's bytes, or its address where no key is known.
pub fn rendezvous(room: &RoomCode, relay: &[u8]) -> [u8; 32] {
    let room = digest(&SHA256, room.as_str().as_bytes());
    let both = digest(&SHA256, &[room.as_ref(), relay].concat());
    both.as_ref().try_into().expect("SHA-256 gives 32 bytes")
}

/// Nothing has come of a member for seconds, or again something does: it may have gone elsewhere, and the relay only hears of
/// that when its time is over. A gateway's silence is told to clients, a client's to the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Silence {
    /// The member's number.
    pub peer_id: PeerId,
    /// False once it is heard again.
    pub silent: bool,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
fn is_zero(count: &u16) -> bool {
    *count == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rooms_are_spread_over_relays_and_each_goes_on_at_the_same_one_for_all() {
        let relays = [[1u8; 32], [2; 32], [3; 32]];
        let mut counts = [0; 3];
        for number in 0..300 {
            let room: RoomCode = format!("ROOM-{number}").parse().unwrap();
            let best = |relays: &[[u8; 32]]| {
                let best = relays.iter().max_by_key(|relay| rendezvous(&room, *relay));
                best.copied().unwrap()
            };
            let chosen = best(&relays);
            counts[usize::from(chosen[0]) - 1] += 1;
            // Where another one is gone, the room stays.
            let gone = relays.iter().find(|relay| **relay != chosen).unwrap();
            let rest: Vec<_> = relays.into_iter().filter(|relay| relay != gone).collect();
            assert_eq!(best(&rest), chosen);
        }
        assert!(counts.iter().all(|count| *count > 60), "{counts:?}");
    }
}
