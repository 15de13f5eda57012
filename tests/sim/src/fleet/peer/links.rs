//! What becomes of a peer's links.

use super::{Attempt, GIVEN_UP, GRACE, LOOKS, Place, SILENCE, SPREAD, STEADY, Told};
use crate::fleet::{At, Event, Fleets, Link};
use lanparty_ctrl::ResumeToken;
use std::time::Duration;

impl Fleets {
    pub(in crate::fleet) fn is_welcome(&mut self, number: usize, place: Place, token: ResumeToken) {
        let now = self.now;
        self.check_a_welcome(number, &place);
        let peer = &mut self.peers[number];
        if peer.is_stale(now, place.fence) {
            self.tally.count("an earlier place is refused");
            self.closes(place.at, place.link);
            return self.fails_misled(number);
        }
        peer.attempt = None;
        (peer.misled, peer.without_host) = (0, 0);
        peer.fence = Some((place.fence, now));
        peer.tokens[place.at.relay] = Some(token);
        let (at, link, misses) = (place.at, place.link, !place.has_gateway);
        let is_gateway = peer.is_gateway;
        if let Some(old) = peer.place.replace(place) {
            self.tally.count("went over");
            if old.at != at {
                self.closes(old.at, old.link);
            }
        }
        if !self.speaks(at) {
            let given_up = self.dice.between(GIVEN_UP.0, GIVEN_UP.1) as u64;
            self.after(given_up, Event::Silence(link));
        }
        if is_gateway {
            self.note_a_bridge(number);
        } else if misses {
            self.after(GRACE, Event::Looks(link));
        }
        self.frames.comes_in(&self.halls, &self.peers, number);
    }

    pub(in crate::fleet) fn closes(&mut self, at: At, link: Link) {
        let delay = self.peers[link.peer()].delay;
        self.after(delay, Event::Closed(at, link));
    }

    /// A link is given up that was heard nothing from.
    pub(in crate::fleet) fn gives_up(&mut self, link: Link) {
        let number = link.peer();
        let Some(place) = self.place_of(link) else {
            return;
        };
        let at = place.at;
        if !place.is_broken && self.speaks(at) {
            return;
        }
        self.closes(at, link);
        let now = self.now;
        self.peers[number].has_failed(at.relay, now);
        self.tally.count("a link fell silent");
        self.ended(number);
    }

    /// That run of the relay lives and does not stand still.
    pub(in crate::fleet) fn speaks(&self, at: At) -> bool {
        let relay = &self.relays[at.relay];
        relay.at == at && relay.is_awake()
    }

    /// Where somebody is by this link.
    pub(in crate::fleet) fn place_of(&self, link: Link) -> Option<&Place> {
        let place = self.peers[link.peer()].place.as_ref();
        place.filter(|place| place.link == link)
    }

    fn ended(&mut self, number: usize) {
        let spread = self.dice.between(0, SPREAD) as u64;
        let random = self.dice.bits() as u32;
        let now = self.now;
        let peer = &mut self.peers[number];
        let Some(place) = peer.place.take() else {
            return;
        };
        let stood = now - place.since;
        peer.backoff.ended(Duration::from_millis(stood));
        if let Some((_, at)) = &mut peer.fence {
            *at = now;
        }
        if peer.attempt.is_some() {
            // It is on its way to another place.
            return;
        }
        let wait = match peer.is_gateway {
            _ if stood < STEADY => peer.backoff.next_wait(random).as_millis() as u64,
            true => 0,
            false => spread,
        };
        self.waits(number, wait);
    }

    pub(in crate::fleet) fn is_told(&mut self, link: Link, told: Told) {
        let Some(place) = self.place_of(link) else {
            return;
        };
        let from = place.at.relay;
        let number = link.peer();
        match told {
            Told::Gateway(is_there) => {
                let is_gateway = self.peers[number].is_gateway;
                self.peers[number].place.as_mut().unwrap().has_gateway = is_there;
                if !is_there && !is_gateway {
                    self.after(GRACE, Event::Looks(link));
                }
            }
            Told::Moved { to, fence } => {
                let peer = &mut self.peers[number];
                peer.attempts += 1;
                peer.attempt = Some(Attempt::default());
                self.follows(number, from, to, Some(fence), false);
            }
            Told::Out => self.ended(number),
        }
    }

    /// A player whose gateway is not there looks elsewhere.
    pub(in crate::fleet) fn looks(&mut self, link: Link) {
        let number = link.peer();
        let Some(place) = self.place_of(link) else {
            return;
        };
        if place.has_gateway {
            return;
        }
        if self.peers[number].attempt.is_none() {
            self.tally.count("looked for its gateway");
            self.begins(number, true);
        }
        let again = self.dice.between(LOOKS.0, LOOKS.1) as u64;
        self.after(again, Event::Looks(link));
    }

    /// Nothing crosses this peer's link any more, and both ends notice in time.
    pub(in crate::fleet) fn link_breaks(&mut self, number: usize) {
        let Some(place) = &mut self.peers[number].place else {
            return;
        };
        place.is_broken = true;
        let place = place.clone();
        self.note_a_broken_link(number);
        self.tally.count("a link breaks");
        let given_up = self.dice.between(GIVEN_UP.0, GIVEN_UP.1) as u64;
        self.after(given_up, Event::Silence(place.link));
        self.after(SILENCE, Event::Closed(place.at, place.link));
    }

    /// A relay says nothing from now on.
    pub(in crate::fleet) fn relay_falls_silent(&mut self, relay: usize) {
        for number in 0..self.peers.len() {
            let place = self.peers[number].place.as_ref();
            if let Some(link) = place
                .filter(|place| place.at.relay == relay)
                .map(|place| place.link)
            {
                let given_up = self.dice.between(GIVEN_UP.0, GIVEN_UP.1) as u64;
                self.after(given_up, Event::Silence(link));
            }
        }
    }
}
