//! A player's place in a room.

use super::members::Neighbour;
use lanparty_ctrl::Name;
use lanparty_ctrl::message::Newcomer;
use lanparty_proto::{DatagramBudget, IpMtu, PeerId, RoomId};
use std::collections::BTreeMap;
use std::time::Instant;

/// How many other clients we keep in mind; the frames of more are dropped. A relay with this many
/// in one room is not one of ours.
pub const MAX_CLIENTS: usize = 1024;

/// Our place in a room, while we have one.
#[derive(Debug)]
pub(super) struct Presence {
    pub(super) own_id: PeerId,
    pub(super) room: RoomId,
    pub(super) budget: DatagramBudget,
    pub(super) mtu: IpMtu,
    pub(super) neighbours: BTreeMap<PeerId, Neighbour>,
    pub(super) next_stats: Instant,
    /// How often it has heard them.
    pub(super) stats_sent: u8,
    /// How many of a thousand packets to us got lost of late, as the relay says.
    pub(super) loss_permille: Option<u16>,
    /// When the LAN last said something to everybody or to a group.
    pub(super) broadcast_at: Option<Instant>,
    /// The relay is gone, and a direct path is not.
    pub(super) is_lost: bool,
}

impl Presence {
    /// Takes a peer in; one that was known under this number is somebody else now.
    pub(super) fn add(&mut self, id: PeerId, who: Newcomer, name: Option<Name>) {
        let has_room = match who {
            Newcomer::Gateway => true,
            Newcomer::Client(_) => self.neighbours.len() < MAX_CLIENTS,
        };
        let known = self
            .neighbours
            .get(&id)
            .is_some_and(|neighbour| neighbour.who == who);
        if !known && has_room && id != self.own_id {
            self.neighbours.insert(id, Neighbour::new(who, name));
        }
    }

    pub(super) fn gateways(&self) -> impl Iterator<Item = PeerId> {
        let neighbours = self.neighbours.iter();
        let gateways = neighbours.filter(|(_, neighbour)| neighbour.who == Newcomer::Gateway);
        gateways.map(|(&id, _)| id)
    }

    /// Gives up unfinished frames that are too old; answers how many.
    pub(super) fn expire(&mut self, now: Instant) -> u64 {
        self.neighbours
            .values_mut()
            .map(|neighbour| {
                neighbour.pieces.expire(now);
                neighbour.pieces.take_lost()
            })
            .sum()
    }
}
