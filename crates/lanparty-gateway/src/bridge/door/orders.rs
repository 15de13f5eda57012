//! What the host has ordered, for the frames that no relay judges.

use super::super::Bridge;
use lanparty_ctrl::HostOrder;
use lanparty_ctrl::orders::Person;
use lanparty_proto::{MacAddr, PeerId};
use lanparty_switch::{Port, Speaker, Switch};
use std::collections::BTreeSet;
use std::time::Instant;

/// What of the host's orders the gateway sees to itself, beside its relay.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Orders {
    /// Whose words to everybody are dropped.
    pub muted: BTreeSet<Person>,
    /// Who must stay out.
    pub banned: BTreeSet<Person>,
    /// Whether players reach the LAN and not each other.
    pub isolated: bool,
}

impl Bridge {
    /// The host wants this from now on. Direct paths of the banned are shut at once.
    pub fn set_orders(&mut self, now: Instant, orders: Orders) {
        if self.orders == orders {
            return;
        }
        self.orders = orders;
        for mac in self.doors.macs() {
            if self.is_banned(mac) {
                self.let_go(now, mac);
            }
        }
        self.apply_orders();
    }

    /// What the host wants of the relay holds here at once, whether the relay does it or not.
    pub(in super::super) fn obey(&mut self, now: Instant, order: &HostOrder) {
        let speaker = |peer: &PeerId| {
            let port = self.switch.as_ref()?.port(*peer);
            port.map(Port::speaker)
        };
        match order {
            HostOrder::Kick { peer_id } => {
                if let Some(Speaker::Player(mac)) = speaker(peer_id) {
                    self.send_out(now, mac);
                }
            }
            HostOrder::Ban { banned } => {
                let orders = Orders {
                    banned: banned.iter().copied().collect(),
                    ..self.orders.clone()
                };
                self.set_orders(now, orders);
            }
            HostOrder::OnLan { mac } => self.let_go(now, mac.addr()),
            // Who is in stays in, and what is dropped of whom is told by itself.
            HostOrder::Lock { .. }
            | HostOrder::Mute { .. }
            | HostOrder::Isolate { .. }
            | HostOrder::Known { .. }
            | HostOrder::Rotate { .. }
            | HostOrder::Place { .. }
            | HostOrder::Members => {}
        }
    }

    pub(super) fn is_banned(&self, mac: MacAddr) -> bool {
        let person = self.people.get(&mac);
        person.is_some_and(|person| self.orders.banned.contains(person))
    }

    /// Tells both judges of it.
    pub(in super::super) fn apply_orders(&mut self) {
        let judges = [self.switch.as_mut(), self.doors.judge_mut()];
        for switch in judges.into_iter().flatten() {
            switch.set_isolated(self.orders.isolated);
        }
        let players = self.switch.iter().flat_map(Switch::macs_of_players);
        for mac in players.collect::<Vec<_>>() {
            let holder = |switch: &Switch| switch.holder(Speaker::Player(mac));
            if let Some(id) = self.switch.as_ref().and_then(holder) {
                self.apply_orders_for(id, mac);
            }
        }
    }

    /// The same for one player.
    pub(in super::super) fn apply_orders_for(&mut self, id: PeerId, mac: MacAddr) {
        let person = self.people.get(&mac);
        let is_muted = person.is_some_and(|person| self.orders.muted.contains(person));
        let judges = [self.switch.as_mut(), self.doors.judge_mut()];
        for switch in judges.into_iter().flatten() {
            switch.set_muted(id, is_muted);
        }
    }
}
