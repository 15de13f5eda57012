//! Virtual time, and the links under it.

use super::doors::Turn;
use crate::dice::Dice;
use bytes::Bytes;
use lanparty_ctrl::{PeerMessage, RelayMessage};
use lanparty_proto::DatagramBudget;
use std::collections::{BTreeMap, VecDeque};

/// Where something arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Relay,
    Peer,
}

/// What happens at a moment.
#[derive(Debug)]
pub(super) enum Event {
    /// The next control message of a link arrives.
    Message(u32, Side),
    /// A datagram arrives.
    Datagram(u32, Side, Bytes),
    /// A peer that connects says again what was not answered.
    Knock(u32),
    /// This side has heard nothing for too long, or knows that the other one is gone.
    Silence(u32, Side),
    /// A peer has something to do.
    Wake(usize),
    /// The relay runs again.
    RelayIsBack,
    /// Something between two who have a direct path, or want one.
    Door(Turn),
}

/// What one side says to the other, reliably and in order.
#[derive(Debug)]
pub(super) enum Said<M> {
    /// The handshake's packets.
    Handshake,
    Message(M),
    Close,
}

/// A QUIC connection, seen from above.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) peer: usize,
    /// The largest datagram in either direction.
    pub(super) budget: DatagramBudget,
    pub(super) to_relay: VecDeque<Said<PeerMessage>>,
    pub(super) to_peer: VecDeque<Said<RelayMessage>>,
    /// The relay has answered the handshake.
    pub(super) is_greeted: bool,
    // When the last message on its way arrives, to the relay and to the peer.
    last: [u64; 2],
    is_cut: bool,
    delay: (usize, usize),
    lost_one_in: usize,
    doubled_one_in: usize,
}

impl Link {
    /// The usual round trip.
    pub(super) fn rtt(&self) -> u64 {
        (self.delay.0 + self.delay.1) as u64
    }
}

/// All links and the clock.
#[derive(Debug, Default)]
pub(super) struct Network {
    pub(super) now: u64,
    pub(super) links: BTreeMap<u32, Link>,
    /// No more losses and doubles.
    pub(super) is_calm: bool,
    events: BTreeMap<(u64, u64), Event>,
    last_event: u64,
    last_link: u32,
}

impl Network {
    /// A new link, good or bad.
    pub(super) fn link(&mut self, dice: &mut Dice, peer: usize) -> u32 {
        self.last_link += 1;
        let shortest = dice.between(1, 60);
        let link = Link {
            peer,
            budget: DatagramBudget::clamped(dice.between(512, 1600)),
            to_relay: VecDeque::new(),
            to_peer: VecDeque::new(),
            is_greeted: false,
            last: [0; 2],
            is_cut: false,
            delay: (shortest, shortest + dice.between(0, 40)),
            lost_one_in: *dice.pick(&[10, 50, usize::MAX]),
            doubled_one_in: *dice.pick(&[10, usize::MAX, usize::MAX]),
        };
        self.links.insert(self.last_link, link);
        self.last_link
    }

    pub(super) fn at(&mut self, moment: u64, event: Event) {
        self.last_event += 1;
        self.events.insert((moment, self.last_event), event);
    }

    pub(super) fn after(&mut self, ms: u64, event: Event) {
        self.at(self.now + ms, event);
    }

    /// The next event until this moment, which is then reached; when there is none, `until` is.
    pub(super) fn next(&mut self, until: u64) -> Option<Event> {
        let first = self.events.first_entry().filter(|e| e.key().0 <= until);
        let Some(first) = first else {
            self.now = self.now.max(until);
            return None;
        };
        let ((moment, _), event) = first.remove_entry();
        self.now = self.now.max(moment);
        Some(event)
    }

    pub(super) fn say_to_relay(&mut self, dice: &mut Dice, link: u32, said: Said<PeerMessage>) {
        if let Some(found) = self.links.get_mut(&link) {
            found.to_relay.push_back(said);
            self.deliver_message(dice, link, Side::Relay);
        }
    }

    pub(super) fn say_to_peer(&mut self, dice: &mut Dice, link: u32, said: Said<RelayMessage>) {
        if let Some(found) = self.links.get_mut(&link) {
            found.to_peer.push_back(said);
            self.deliver_message(dice, link, Side::Peer);
        }
    }

    /// Sends a datagram on its way; answers whether it was doubled.
    pub(super) fn send(&mut self, dice: &mut Dice, link: u32, to: Side, datagram: Bytes) -> bool {
        let Some(found) = self.links.get(&link).filter(|link| !link.is_cut) else {
            return false;
        };
        assert!(datagram.len() <= found.budget.bytes(), "it fits the path");
        let ((least, most), calm) = (found.delay, self.is_calm);
        if !calm && dice.one_in(found.lost_one_in) {
            return false;
        }
        let doubled = !calm && dice.one_in(found.doubled_one_in);
        for _ in 0..=u8::from(doubled) {
            let delay = dice.between(least, most) as u64;
            self.after(delay, Event::Datagram(link, to, datagram.clone()));
        }
        doubled
    }

    pub(super) fn cut(&mut self, link: u32) {
        if let Some(link) = self.links.get_mut(&link) {
            link.is_cut = true;
        }
    }

    pub(super) fn is_open(&self, link: u32) -> bool {
        self.links.get(&link).is_some_and(|link| !link.is_cut)
    }

    /// Losses delay a message; they do not stop it, nor let another one pass it.
    fn deliver_message(&mut self, dice: &mut Dice, link: u32, to: Side) {
        let now = self.now;
        let found = self.links.get_mut(&link).expect("the caller has found it");
        let mut delay = dice.between(found.delay.0, found.delay.1) as u64;
        if dice.one_in(found.lost_one_in) {
            delay *= 3;
        }
        let last = &mut found.last[usize::from(to == Side::Peer)];
        *last = (*last).max(now + delay);
        let moment = *last;
        self.at(moment, Event::Message(link, to));
    }
}
