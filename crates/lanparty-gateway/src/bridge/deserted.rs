//! Players who fell silent: they may look for the party at another relay (ways-in.md §4).
//!
//! A relay may be cut off from players only. The gateway, whose link stands, sees that all of them are lost without a
//! goodbye; where they wait for it, other relays say.

use super::Bridge;
use lanparty_ctrl::LeaveReason;
use lanparty_ctrl::message::PeerLeft;
use lanparty_proto::MacAddr;
use lanparty_switch::{Port, Speaker, Switch};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Who has fallen silent looks for the party for so long, as far as the gateway is concerned.
const LOOKS: Duration = Duration::from_secs(60);
/// Players find the gateway within this time where it has just gone to. Relays say for six seconds of a player that it
/// waits, also of one that has found the gateway meanwhile.
const SETTLES: Duration = Duration::from_secs(8);

/// Who has fallen silent and has not come back, and when.
#[derive(Debug, Default)]
pub(super) struct Lost(BTreeMap<MacAddr, Instant>);

impl Lost {
    fn note(&mut self, now: Instant, mac: MacAddr) {
        self.0
            .retain(|_, at| now.saturating_duration_since(*at) < LOOKS);
        self.0.insert(mac, now);
    }

    fn looks(&self, now: Instant) -> bool {
        let mut lost = self.0.values();
        lost.any(|&at| now.saturating_duration_since(at) < LOOKS)
    }
}

impl Bridge {
    /// True when nobody is in the room whom the relay still knows of, and somebody was who fell silent.
    pub(super) fn has_lost_all(&self, now: Instant) -> bool {
        let is_settled = |since: Instant| now.saturating_duration_since(since) >= SETTLES;
        let stands = self
            .place
            .is_some_and(|place| place.lost.is_none() && is_settled(place.since));
        stands && self.lost.looks(now) && self.announced().next().is_none()
    }

    /// The relay says that somebody is in.
    pub(super) fn note_found(&mut self, mac: MacAddr) {
        self.lost.0.remove(&mac);
    }

    /// The relay says that somebody is not in any more; to be asked before that one is forgotten.
    pub(super) fn note_left(&mut self, now: Instant, left: &PeerLeft) {
        let switch = self.switch.as_ref();
        let port = switch.and_then(|switch| switch.port(left.peer_id));
        let Some(Speaker::Player(mac)) = port.map(Port::speaker) else {
            return;
        };
        match left.reason {
            LeaveReason::TimedOut => self.lost.note(now, mac),
            _ => drop(self.lost.0.remove(&mac)),
        }
    }

    /// The link is gone; to be asked before anybody is forgotten. Who finds another relay than the gateway does is silent too.
    pub(super) fn note_all_lost(&mut self, now: Instant) {
        for mac in self.switch.iter().flat_map(Switch::macs_of_players) {
            self.lost.note(now, mac);
        }
    }

    /// Whom the relay knows of: not those who stay by direct paths alone.
    fn announced(&self) -> impl Iterator<Item = MacAddr> {
        let macs = self.switch.iter().flat_map(Switch::macs_of_players);
        macs.filter(|mac| !self.remaining.contains_key(mac))
    }
}
