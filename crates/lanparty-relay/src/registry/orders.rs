//! What the host of a room may order, once the relay has seen that it is the host: the room's gateway.

#[cfg(test)]
mod tests;

use super::{Registry, Seat};
use crate::room::{Departure, Step};
use lanparty_ctrl::message::{NewKey, Vouched};
use lanparty_ctrl::{AdmissionKey, HostOrder, LeaveReason};
use lanparty_proto::PeerId;
use std::time::Instant;

/// What follows from an order.
#[derive(Debug)]
pub struct Obeyed<L> {
    /// Who is out: tell these links [`DisconnectReason::Kicked`], or `MacOnLan`, and close them.
    ///
    /// [`DisconnectReason::Kicked`]: lanparty_ctrl::DisconnectReason::Kicked
    pub kicked: Vec<Departure<L>>,
    /// What is to be said to the host.
    pub steps: Vec<Step<L>>,
}

/// Somebody gives orders who is not the room's gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("only a room's gateway gives orders to it")]
pub struct NotTheHost;

impl<L: Clone> Registry<L> {
    /// Does what the host wants, at once. Orders about somebody who is not there do nothing.
    ///
    /// # Errors
    /// [`NotTheHost`]; nothing has changed then.
    pub fn handle_order(
        &mut self,
        now: Instant,
        from: Seat,
        order: HostOrder,
    ) -> Result<Obeyed<L>, NotTheHost> {
        let room = self.rooms.get_mut(&from.room);
        let room = room.filter(|room| room.gateway() == Some(from.peer));
        let room = room.ok_or(NotTheHost)?;
        let mut obeyed = Obeyed {
            kicked: Vec::new(),
            steps: Vec::new(),
        };
        match order {
            HostOrder::Kick { peer_id } => obeyed.kicked.extend(self.kick(from, peer_id)),
            HostOrder::Ban { banned } => {
                let here = room.ban(banned).into_iter();
                obeyed.kicked = here.filter_map(|peer| self.kick(from, peer)).collect();
            }
            HostOrder::Lock { locked: true, also } => room.lock(also),
            HostOrder::Lock { locked: false, .. } => room.unlock(),
            HostOrder::Mute { peer_id, muted } => room.set_muted(peer_id, muted),
            HostOrder::Isolate { isolated } => room.set_isolated(isolated),
            HostOrder::OnLan { mac } => {
                let here = room.hear_on_lan(now, mac);
                let place = here.map(|peer| Seat { peer, ..from });
                let displaced = place.and_then(|place| self.displace(now, place));
                obeyed.kicked.extend(displaced);
            }
            HostOrder::Known { macs } => room.hear_known(now, &macs),
            HostOrder::Rotate { admission_key } => self.rotate(from, admission_key),
            // Where rooms are is no matter of a room.
            HostOrder::Place { .. } => {}
            HostOrder::Members => {
                let answers = room.describe(now).into_iter();
                obeyed.steps = answers.map(Step::Answer).collect();
            }
        }
        Ok(obeyed)
    }

    /// Hands a gateway's answer to the client that wants it; nothing, where nobody wants one.
    ///
    /// # Errors
    /// [`NotTheHost`].
    pub fn handle_vouch(
        &mut self,
        from: Seat,
        vouched: Vouched,
    ) -> Result<Option<Step<L>>, NotTheHost> {
        let room = self.rooms.get_mut(&from.room);
        let room = room.filter(|room| room.gateway() == Some(from.peer));
        Ok(room.ok_or(NotTheHost)?.hand_on(from.peer, vouched))
    }

    /// Hands a room's new key to the client that it is for; nothing, where that takes none.
    ///
    /// # Errors
    /// [`NotTheHost`].
    pub fn handle_new_key(&self, from: Seat, key: NewKey) -> Result<Option<Step<L>>, NotTheHost> {
        let room = self.rooms.get(&from.room);
        let room = room.filter(|room| room.gateway() == Some(from.peer));
        Ok(room.ok_or(NotTheHost)?.hand_key_on(from.peer, key))
    }

    /// Does what a host who has just come in wanted before. Answers who is out by that.
    pub(super) fn repeat_orders(
        &mut self,
        now: Instant,
        from: Seat,
        orders: &[HostOrder],
    ) -> Vec<Departure<L>> {
        let orders = orders.iter().filter(|order| stands(order)).cloned();
        orders
            .filter_map(|order| self.handle_order(now, from, order).ok())
            .flat_map(|obeyed| obeyed.kicked)
            .collect()
    }

    fn kick(&mut self, host: Seat, peer: PeerId) -> Option<Departure<L>> {
        let place = Seat { peer, ..host };
        let mac = self.peer(place)?.who.mac()?;
        self.rooms.get_mut(&host.room)?.strike_off(mac);
        self.leave(place, LeaveReason::Kicked)
    }

    /// The LAN's own machine has its MAC back, and the host is told whose it was not.
    fn displace(&mut self, now: Instant, place: Seat) -> Option<Departure<L>> {
        let departure = self.leave(place, LeaveReason::MacOnLan)?;
        let record = &departure.record;
        if let (Some(room), Some(mac)) = (self.rooms.get_mut(&place.room), record.who.mac()) {
            room.note_mac_on_lan(now, mac, record.name.clone());
        }
        Some(departure)
    }

    /// Newcomers to a keyed room need this key from now on; an open room stays open.
    fn rotate(&mut self, host: Seat, key: AdmissionKey) {
        let mut names = self.names.iter();
        if let Some((name, _)) = names.find(|&(_, &id)| id == host.room) {
            self.claims.rotate(name, key);
        }
    }
}

/// True for what is wanted until it is taken back; the rest is about peers of the moment.
fn stands(order: &HostOrder) -> bool {
    match order {
        HostOrder::Lock { .. } | HostOrder::Ban { .. } | HostOrder::Isolate { .. } => true,
        HostOrder::Kick { .. }
        | HostOrder::Mute { .. }
        | HostOrder::OnLan { .. }
        | HostOrder::Known { .. }
        | HostOrder::Rotate { .. }
        | HostOrder::Place { .. }
        | HostOrder::Members => false,
    }
}
