//! What a peer that was killed needs to take its place in the room back at once (spec R91).
//!
//! Until the relay has noticed that nobody is there any more, it refuses a second peer with the same
//! MAC, and a second gateway, unless that peer shows the token of the first.

use lanparty_ctrl::{ResumeToken, RoomCode};
use lanparty_proto::VirtualMac;
use serde::{Deserialize, Serialize};

/// The token that proves that a place in a room was ours, and which place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KeptToken {
    /// The relay, as its user named it.
    pub(crate) relay: String,
    /// The room.
    pub(crate) room: RoomCode,
    /// The MAC that has the place; a gateway has none.
    pub(crate) mac: Option<VirtualMac>,
    /// The token that came with the last welcome.
    pub(crate) token: ResumeToken,
    /// The relay was one of a fleet.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) fleet: bool,
}

impl KeptToken {
    /// The token, if it is for this place: a token is shown to nobody but the relay that gave it.
    pub(crate) fn token_for(
        &self,
        relay: &str,
        room: &RoomCode,
        mac: Option<VirtualMac>,
    ) -> Option<ResumeToken> {
        let same = self.relay == relay && self.room == *room && self.mac == mac;
        same.then(|| self.token.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_for_one_relay_one_room_and_one_mac() {
        let mac = Some(VirtualMac::from_random([2, 0, 0, 0, 0, 1]));
        let room = |text: &str| text.parse::<RoomCode>().unwrap();
        let token = ResumeToken::from_random([7; 16]);
        let kept = KeptToken {
            relay: "relay:443".into(),
            room: room("FRIDAY"),
            mac,
            token: token.clone(),
            fleet: false,
        };
        assert_eq!(
            kept.token_for("relay:443", &room("friday"), mac),
            Some(token)
        );
        assert_eq!(kept.token_for("other:443", &room("friday"), mac), None);
        assert_eq!(kept.token_for("relay:443", &room("monday"), mac), None);
        let other = Some(VirtualMac::from_random([2, 0, 0, 0, 0, 2]));
        for other in [other, None] {
            assert_eq!(kept.token_for("relay:443", &room("friday"), other), None);
        }
    }
}
