//! Answers players who want to know that this is their host's gateway.

use lanparty_ctrl::host_key::Introduction;
use lanparty_ctrl::message::{PeerJoined, Vouched};
use lanparty_ctrl::{HostKey, RoomCode};
use lanparty_proto::{PeerId, RoomId};

/// The host's key for this room.
#[derive(Debug)]
pub(super) struct Voucher {
    key: HostKey,
    room: RoomCode,
}

impl Voucher {
    pub(super) fn new(key: HostKey, room: RoomCode) -> Self {
        Voucher { key, room }
    }

    /// The answer to a client's challenge, if it has one, from the gateway with this number in this room.
    pub(super) fn answer(
        &self,
        room_id: RoomId,
        gateway: PeerId,
        client: &PeerJoined,
    ) -> Option<Vouched> {
        let introduction = Introduction {
            challenge: client.host_challenge?,
            client: client.mac?,
            gateway,
            room_id,
            room: &self.room,
        };
        Some(Vouched {
            peer_id: client.peer_id,
            vouch: self.key.vouch(&introduction),
        })
    }
}
