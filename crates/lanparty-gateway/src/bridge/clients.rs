//! Who is in the room: taken in, kept out where the LAN has its MAC, and forgotten.

use super::{Bridge, MAX_CLIENTS};
use lanparty_ctrl::message::{PeerJoined, Role};
use lanparty_ctrl::{HostOrder, PeerMessage};
use lanparty_obs::DropReason;
use lanparty_peer::PeerOutput;
use lanparty_proto::{MacAddr, PeerId, VirtualMac};
use lanparty_switch::{Port, Speaker};
use std::time::Instant;

/// Of how many clients with the LAN's MACs the host has not heard yet at most.
const MAX_LOOKALIKES: usize = 16;

impl Bridge {
    /// Takes a client's MAC from it for which a machine on the LAN speaks as well.
    pub(super) fn make_room_for_machines(&mut self, now: Instant) {
        while let Some(mac) = self.guard.take_machine(now) {
            let Some(switch) = &mut self.switch else {
                return;
            };
            switch.learn_of_lan(now, mac);
            if let Some(id) = switch.holder(Speaker::Player(mac)) {
                switch.unplug(id);
                self.doors.unplug(id);
                self.doors.forget(mac);
                self.refresh.remove(id);
                self.groups.leave(now, (id, mac));
                // Nothing is known of its client by now; it is asked.
                self.refuse((id, mac), false);
            }
        }
    }

    /// True for the MAC of a machine on the LAN, or of our own interface.
    pub(super) fn is_on_lan(&self, now: Instant, mac: MacAddr) -> bool {
        let switch = self.switch.as_ref();
        mac == self.nic || switch.is_some_and(|switch| switch.is_on_lan(now, mac))
    }

    /// The LAN's machine wins: the client is not carried, and the relay is told.
    pub(super) fn refuse(&mut self, (id, mac): (PeerId, MacAddr), tells_groups: bool) {
        self.lan.refuse(id, mac, tells_groups);
        self.doors.forget(mac);
        let asks = self.place.is_some_and(|place| place.asks_for_macs);
        match VirtualMac::try_from(mac) {
            Ok(mac) if asks => {
                let order = PeerMessage::Host(HostOrder::OnLan { mac });
                self.outputs.push_back(PeerOutput::Message(order));
            }
            _ if self.lookalikes.len() < MAX_LOOKALIKES => self.lookalikes.push_back(mac),
            _ => {}
        }
    }

    pub(super) fn welcome_client(&mut self, now: Instant, joined: &PeerJoined) {
        let (Some(place), Role::Client, Some(mac)) = (self.place, joined.role, joined.mac) else {
            return;
        };
        let (id, mac) = (joined.peer_id, mac.addr());
        if id == place.own_id {
            return;
        }
        self.note_found(mac);
        // The relay keeps ids and MACs unique: who has one of these already is gone, or known again.
        self.make_room_for(now, joined, mac);
        self.know(now, joined);
        // Frames for our own NIC are the gateway host's, and a machine's are its own, whatever a client calls itself.
        if self.is_on_lan(now, mac) {
            self.refuse((id, mac), joined.tells_groups);
            let early = self.early.take(now, id).len() as u64;
            return self.stats.drops.add(DropReason::MacOnLan, early);
        }
        if self.take_in(now, (id, mac), joined.tells_groups) {
            let voucher = self.voucher.as_ref();
            let answer = voucher.and_then(|own| own.answer(place.room, place.own_id, joined));
            if let Some(answer) = answer {
                let message = PeerMessage::Vouch(answer);
                self.outputs.push_back(PeerOutput::Message(message));
            }
            self.take_early(now, id);
        }
    }

    /// Takes in those whose MACs the LAN has no more. A relay that is told of the LAN's MACs has sent them out.
    pub(super) fn pardon(&mut self, now: Instant) {
        let (nic, switch) = (self.nic, self.switch.as_ref());
        let is_kept_out =
            |mac| mac == nic || switch.is_some_and(|switch| switch.is_on_lan(now, mac));
        for (player, tells_groups) in self.lan.take_pardoned(is_kept_out) {
            self.take_in(now, player, tells_groups);
        }
    }

    /// False when there are too many already.
    pub(super) fn take_in(
        &mut self,
        now: Instant,
        (id, mac): (PeerId, MacAddr),
        tells_groups: bool,
    ) -> bool {
        let switch = self.switch.as_mut();
        let switch = switch.filter(|switch| switch.players() < MAX_CLIENTS);
        let (Some(place), Some(switch)) = (self.place, switch) else {
            self.doors.forget(mac);
            return false;
        };
        switch.plug_in(now, id, Speaker::Player(mac));
        self.doors.plug_in(now, id, Speaker::Player(mac));
        if tells_groups {
            switch.trust_reports(id, now + place.until_told(now));
        }
        self.groups.arrive(now, (id, mac), tells_groups);
        self.apply_orders_for(id, mac);
        let frame = self.refresh.add(now, id, mac);
        self.outputs.push_back(PeerOutput::Frame(frame));
        true
    }

    /// Takes what a client said before it was announced.
    pub(super) fn take_early(&mut self, now: Instant, id: PeerId) {
        for datagram in self.early.take(now, id) {
            match self.judge_datagram(now, &datagram) {
                Ok(Some(frame)) => self.outputs.push_back(PeerOutput::Frame(frame)),
                Ok(None) => {}
                Err(reason) => self.stats.drops.count(reason),
            }
        }
        self.count_lost_early();
    }

    pub(super) fn count_lost_early(&mut self) {
        let lost = self.early.take_lost();
        self.stats
            .drops
            .add(DropReason::UnauthorizedSourceMac, lost);
    }

    pub(super) fn forget_client(&mut self, now: Instant, id: PeerId) {
        self.lan.forget(id);
        let Some(switch) = &mut self.switch else {
            return;
        };
        let speaker = switch.port(id).map(Port::speaker);
        if let Some(Speaker::Player(mac)) = speaker {
            switch.unplug(id);
            self.doors.unplug(id);
            self.doors.forget(mac);
            self.remaining.remove(&mac);
            self.refresh.remove(id);
            self.lan.leave(now, mac);
            self.games.forget(mac);
            self.reach.leave(mac);
            self.people.remove(&mac);
            self.groups.leave(now, (id, mac));
        }
    }
}
