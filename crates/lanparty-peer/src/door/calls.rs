//! A player calls at the gateway's door, and the gateway lets in who was introduced.

use super::Door;
use super::addresses::Unforeseen;
use super::doors::{Doors, News, Told, Tried};
use super::enter::{Caller, Knock, Place};
use crate::peer::PeerCore;
use lanparty_ctrl::door::DoorKey;
use lanparty_ctrl::{HostId, HostKey, RoomCode, RoomKey};
use lanparty_obs::NotDirect;
use lanparty_proto::{DatagramBudget, PeerId};
use std::time::Instant;

/// The room, as a program knows it now.
pub(super) struct Room {
    pub(super) code: RoomCode,
    pub(super) key: Option<RoomKey>,
    pub(super) host: Option<HostId>,
    pub(super) host_key: Option<HostKey>,
}

impl Doors {
    /// Begins to get in where the relay says that the gateway is.
    pub(super) fn call(&mut self, now: Instant, peer: PeerId, room: Room) {
        let (Some(at), Some(meeting)) = (&mut self.at, self.meetings.with(now, peer)) else {
            return;
        };
        let Some(pin) = meeting.meet.pin else {
            return;
        };
        let door = Door {
            player: meeting.player,
            client: at.own_id,
            gateway: peer,
            room: at.room_id,
        };
        let round = meeting.meet.round;
        let punches = at.punches.take_if(|(from, _)| *from == peer);
        let knock = Knock {
            endpoint: at.endpoint.clone(),
            addresses: meeting.addresses.clone(),
            punches: punches.map(|(_, punches)| punches),
            unforeseen: Unforeseen::beside(&meeting.addresses, at.relay),
            pin,
            key: DoorKey::new(&meeting.meet.secret, room.key.as_ref()),
            player: meeting.player,
            round,
            room: room.code,
            room_id: at.room_id,
            own_id: at.own_id,
            host: room.host,
        };
        let (news, endpoint) = (self.news.clone(), at.endpoint.clone());
        self.spawn(async move {
            let connection = knock.knock().await.map(|connection| (connection, endpoint));
            let tried = Tried {
                door,
                round,
                connection,
            };
            let _ = news.send(News(Told::Tried(tried))).await;
        });
    }

    pub(super) fn spawn(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        // What has ended is not kept.
        while self.tasks.try_join_next().is_some() {}
        self.tasks.spawn(task);
    }

    /// Judges whoever is at the gateway's door, and lets in who was introduced.
    pub(super) fn hear_caller(
        &mut self,
        core: &mut impl PeerCore,
        now: Instant,
        caller: Caller,
        room: Room,
        cap: Option<DatagramBudget>,
    ) -> bool {
        while self.tasks.try_join_next().is_some() {}
        let peer = caller.enter.peer_id;
        let (Some(at), Some(meeting)) = (&self.at, self.meetings.with(now, peer)) else {
            caller.refuse(&mut self.tasks);
            return false;
        };
        let (own_id, room_id, player) = (at.own_id, at.room_id, meeting.player);
        let place = Place {
            room: room.code,
            key: room.key,
            room_id,
        };
        let entered = caller.judge(&place, meeting, room.host_key.as_ref());
        let may = core.meets(peer) == Some(player);
        let entered = match entered {
            Ok(entered) if may => entered,
            Ok(_) | Err(_) => {
                tracing::debug!(%peer, "Somebody at the door did not prove to be who was introduced");
                self.whys.insert(peer, NotDirect::Unproven);
                caller.refuse(&mut self.tasks);
                return false;
            }
        };
        let endpoint = at.endpoint.clone();
        let connection = caller.let_in(entered, &mut self.tasks);
        let door = Door {
            player,
            client: peer,
            gateway: own_id,
            room: room_id,
        };
        self.meetings.succeeded(peer);
        self.open(core, now, (connection, endpoint), (door, own_id), cap);
        true
    }
}
