//! Players who stay although the gateway's link to the relay is lost: those who have a direct path (spec R140).
//!
//! A relay that is killed takes nobody's game along who plays by one. Everything that the bridge does for them goes on for
//! [`AFTERGLOW`]: their MACs stay known to the LAN's switches, and their conversations allowed, and the LAN is told their MACs
//! when it asks for their addresses, for such questions go by a relay or not at all. When a relay lets the gateway
//! in again it may count anew. Until it announces them they keep their numbers, or make room for who has got these.

use super::door::AFTERGLOW;
use super::passage::padded;
use super::{Bridge, LoopGuard};
use lanparty_ctrl::LeaveReason;
use lanparty_ctrl::message::{PeerJoined, PeerLeft};
use lanparty_ctrl::orders::Person;
use lanparty_obs::DropReason;
use lanparty_peer::PeerOutput;
use lanparty_peer::door::Standing;
use lanparty_proto::{EthernetFrame, MacAddr, PeerId};
use lanparty_switch::neighbours::Question;
use lanparty_switch::{Port, Speaker, Switch};
use std::time::Instant;

/// Those who stay, under the numbers that they had, and until when.
type Remaining = Vec<(PeerId, MacAddr, Instant)>;

/// True where nobody wanted that.
fn has_lost_the_relay(reason: LeaveReason) -> bool {
    use LeaveReason::{Closed, Draining, Kicked, Leaving, MacOnLan, Other, ProtocolError};
    use LeaveReason::{Replaced, TimedOut};
    match reason {
        Closed | TimedOut | Replaced | Draining => true,
        Leaving | ProtocolError | Kicked | MacOnLan | Other => false,
    }
}

impl Bridge {
    /// The link is gone. Who has no direct path is gone too.
    pub(super) fn begin_afterglow(&mut self, now: Instant) {
        let remaining = self.remaining(now);
        self.forget_others(now, &remaining);
        match &mut self.place {
            Some(place) if !remaining.is_empty() => {
                place.lost = Some(place.lost.unwrap_or(now + AFTERGLOW));
            }
            _ => self.place = None,
        }
    }

    /// Who stays.
    pub(super) fn remaining(&self, now: Instant) -> Remaining {
        let lost = self.place.and_then(|place| place.lost);
        let remaining = |mac| {
            let switch = self.switch.as_ref()?;
            let id = switch.holder(Speaker::Player(mac))?;
            let until = self.remaining.get(&mac).copied().or(lost);
            Some((id, mac, until.unwrap_or(now + AFTERGLOW)))
        };
        self.doors
            .macs()
            .into_iter()
            .filter_map(remaining)
            .collect()
    }

    /// When the next of those who have not come back is forgotten.
    pub(super) fn remaining_until(&self) -> Option<Instant> {
        let lost = self.place.and_then(|place| place.lost);
        lost.into_iter()
            .chain(self.remaining.values().copied())
            .min()
    }

    /// Forgets those who have not come back in time.
    pub(super) fn expire_remaining(&mut self, now: Instant) {
        if self.remaining_until().is_none_or(|until| until > now) {
            return;
        }
        let late = self.remaining.iter().filter(|&(_, &until)| until <= now);
        for mac in late.map(|(&mac, _)| mac).collect::<Vec<_>>() {
            self.forget_mac(now, mac);
        }
        let lost = self.place.and_then(|place| place.lost);
        match lost.is_some_and(|until| until <= now) {
            true => self.end_afterglow(now),
            false => self.end_afterglow_if_alone(now),
        }
    }

    /// Without a relay, nobody keeps the gateway in a room but players with direct paths.
    pub(super) fn end_afterglow_if_alone(&mut self, now: Instant) {
        let is_lost = self.place.is_some_and(|place| place.lost.is_some());
        if is_lost && self.doors.is_empty() {
            self.end_afterglow(now);
        }
    }

    fn end_afterglow(&mut self, now: Instant) {
        for mac in self.doors.macs() {
            self.forget_mac(now, mac);
        }
        self.forget_others(now, &Remaining::new());
        self.place = None;
    }

    /// Forgets everybody else. What is known of the LAN stays.
    pub(super) fn forget_others(&mut self, now: Instant, remaining: &Remaining) {
        let players: Vec<_> = self
            .switch
            .iter()
            .flat_map(Switch::macs_of_players)
            .collect();
        let stays = |mac| remaining.iter().any(|&(_, player, _)| player == mac);
        for mac in players.into_iter().filter(|&mac| !stays(mac)) {
            self.lan.leave(now, mac);
            self.games.forget(mac);
            self.unplug(mac);
        }
        self.early.clear();
        self.count_lost_early();
        self.groups.go();
        self.outputs.clear();
        if remaining.is_empty() {
            self.remaining.clear();
            self.refresh.clear();
            self.guard = LoopGuard::default();
            self.proofs.clear();
            if let (Some(switch), Some(place)) = (&mut self.switch, self.place) {
                switch.move_to(place.room);
            }
        }
    }

    fn unplug(&mut self, mac: MacAddr) {
        let Some(switch) = &mut self.switch else {
            return;
        };
        if let Some(id) = switch.holder(Speaker::Player(mac)) {
            switch.unplug(id);
            self.doors.unplug(id);
            self.refresh.remove(id);
        }
    }

    /// The room is another one, or has been emptied, and these are in it still.
    pub(super) fn keep(&mut self, now: Instant, remaining: Remaining) {
        self.refresh.clear();
        for (id, mac, until) in remaining {
            let id = self.free_number(id);
            self.plug_in(now, id, mac);
            self.remaining.insert(mac, until);
        }
    }

    fn plug_in(&mut self, now: Instant, id: PeerId, mac: MacAddr) {
        let Some(switch) = &mut self.switch else {
            return;
        };
        switch.plug_in(now, id, Speaker::Player(mac));
        self.doors.plug_in(now, id, Speaker::Player(mac));
        // Switches know where it is already.
        let _ = self.refresh.add(now, id, mac);
        self.apply_orders_for(id, mac);
    }

    /// This number, or another one where somebody has it.
    fn free_number(&self, id: PeerId) -> PeerId {
        let is_free = |id: &PeerId| {
            let switch = self.switch.as_ref();
            switch.is_none_or(|switch| switch.port(*id).is_none())
        };
        // Relays count from below.
        let others = (1..u16::MAX).rev().filter_map(PeerId::new);
        let mut numbers = std::iter::once(id).chain(others);
        numbers.find(is_free).unwrap_or(id)
    }

    /// Somebody is announced: who had this number or this MAC is gone. But who has stayed makes room, or is known again.
    pub(super) fn make_room_for(&mut self, now: Instant, joined: &PeerJoined, mac: MacAddr) {
        let id = joined.peer_id;
        let who = joined.identity.map(Person::Identity);
        let who = who.or(joined.mac.map(Person::Mac));
        let switch = self.switch.as_ref();
        let holder = switch.and_then(|switch| switch.port(id)).map(Port::speaker);
        let predecessor = switch.and_then(|switch| switch.holder(Speaker::Player(mac)));
        if let Some(Speaker::Player(other)) = holder
            && other != mac
        {
            match self.remaining.contains_key(&other) {
                true => self.renumber(now, other, id),
                false => self.forget_client(now, id),
            }
        }
        let is_same = self.doors.has(mac) && self.doors.person(mac) == who;
        match predecessor {
            Some(_) if is_same => self.unplug(mac),
            Some(before) => self.forget_client(now, before),
            None => {}
        }
        self.lan.forget(id);
        self.remaining.remove(&mac);
    }

    /// A player is not in the room any more. Who has lost the relay alone goes on by a direct path, as long as it holds and
    /// until the player is back; the number is the relay's to give again.
    pub(super) fn part_from(&mut self, now: Instant, left: &PeerLeft) {
        let switch = self.switch.as_ref();
        let port = switch.and_then(|switch| switch.port(left.peer_id));
        match port.map(Port::speaker) {
            Some(Speaker::Player(mac))
                if has_lost_the_relay(left.reason) && self.stands(mac) == Standing::In =>
            {
                self.renumber(now, mac, left.peer_id);
                self.remaining.insert(mac, now + AFTERGLOW);
            }
            _ => self.forget_client(now, left.peer_id),
        }
    }

    /// Somebody else has this one's number.
    fn renumber(&mut self, now: Instant, mac: MacAddr, taken: PeerId) {
        let free = self.free_number(taken);
        self.unplug(mac);
        self.plug_in(now, free, mac);
    }

    pub(super) fn forget_mac(&mut self, now: Instant, mac: MacAddr) {
        self.remaining.remove(&mac);
        let switch = self.switch.as_ref();
        match switch.and_then(|switch| switch.holder(Speaker::Player(mac))) {
            Some(id) => self.forget_client(now, id),
            None => self.doors.forget(mac),
        }
    }

    /// Somebody on the LAN asks for a player's address whom no relay brings the question, or asks again for one that is there.
    pub(super) fn answer_for_staying(
        &mut self,
        now: Instant,
        frame: &[u8],
        verdict: Result<(), DropReason>,
    ) {
        if verdict.is_err() || self.doors.is_empty() {
            return;
        }
        let question = EthernetFrame::parse(frame).ok().and_then(Question::of);
        let (Some(question), Some(switch)) = (question, &self.switch) else {
            return;
        };
        let has_it = |mac: &MacAddr| {
            let mut addresses = switch.addresses_of(now, *mac);
            addresses.any(|address| address == question.wanted())
        };
        let Some(mac) = self.doors.macs().into_iter().find(has_it) else {
            return;
        };
        let answer = match self.stands(mac) {
            Standing::Out => None,
            Standing::Unknown => question.answer(mac, false),
            Standing::In => self.doors.neighbours.answer_again(now, &question),
        };
        let Some(answer) = answer.filter(|answer| answer[6..12] == mac.octets()) else {
            return;
        };
        let answer = PeerOutput::Frame(padded(answer.into()));
        self.outputs.push_back(answer);
    }

    /// What is on the LAN, for the judge of direct paths, which is not asked about most of what the LAN says.
    pub(super) fn hear_for_doors(
        &mut self,
        now: Instant,
        frame: &[u8],
        verdict: Result<(), DropReason>,
    ) {
        if self.doors.is_empty() {
            return;
        }
        let is_heard = match verdict {
            Ok(()) | Err(DropReason::UnknownDestination | DropReason::Unwanted) => true,
            Err(_) => false,
        };
        if let (true, Ok(view)) = (is_heard, EthernetFrame::parse(frame)) {
            self.doors.learn_of_lan(now, view.source());
        }
    }
}
