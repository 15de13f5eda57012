//! The place a peer had: what one that was killed needs to take it back at once (spec R91).
//!
//! Until the relay has noticed that nobody is there any more, it refuses a second peer with the same
//! MAC, and a second gateway, unless that peer shows the token of the first.

use lanparty_ctrl::{ResumeToken, RoomCode};
use lanparty_proto::VirtualMac;
use serde::{Deserialize, Serialize};

/// A place in a room, and the token that proves that it was ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptPlace {
    /// The relay, as its user named it.
    pub relay: String,
    /// The room.
    pub room: RoomCode,
    /// The MAC that has the place; a gateway has none.
    pub mac: Option<VirtualMac>,
    /// The token that came with the last welcome.
    pub token: ResumeToken,
}

impl KeptPlace {
    /// The token, if it is for this place: a token is shown to nobody but the relay that gave it.
    pub fn token_for(
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
        let place = KeptPlace {
            relay: "relay:443".into(),
            room: room("FRIDAY"),
            mac,
            token: token.clone(),
        };
        assert_eq!(
            place.token_for("relay:443", &room("friday"), mac),
            Some(token)
        );
        assert_eq!(place.token_for("other:443", &room("friday"), mac), None);
        assert_eq!(place.token_for("relay:443", &room("monday"), mac), None);
        let other = Some(VirtualMac::from_random([2, 0, 0, 0, 0, 2]));
        for other in [other, None] {
            assert_eq!(place.token_for("relay:443", &room("friday"), other), None);
        }
    }
}
