//! Who came with a MAC of the LAN, and what is no sign of one (spec R102).
//!
//! The switch remembers what it hears on the wire, whoever it is for. But a frame under a player's MAC is ours on its way
//! round a loop ([`super::loop_guard`] tells it from a machine's), also when that player has just left.

use super::MAX_CLIENTS;
use lanparty_proto::{MacAddr, PeerId};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How long what a player said may still go round on the LAN after it has left.
const ROUND: Duration = Duration::from_secs(10);

/// Players of before, and those who are none.
#[derive(Debug, Default)]
pub(super) struct LanMacs {
    /// Players of before, until the LAN may have their MACs.
    left: BTreeMap<MacAddr, Instant>,
    /// And whether their clients say again which groups they want.
    refused: BTreeMap<PeerId, (MacAddr, bool)>,
}

impl LanMacs {
    /// A player with this MAC has left.
    pub(super) fn leave(&mut self, now: Instant, mac: MacAddr) {
        self.left.retain(|_, until| *until > now);
        if self.left.len() < MAX_CLIENTS {
            self.left.insert(mac, now + ROUND);
        }
    }

    /// True for the MAC of a player that has just left: what comes under it by the wire is an echo.
    pub(super) fn has_just_left(&self, now: Instant, mac: MacAddr) -> bool {
        self.left.get(&mac).is_some_and(|until| *until > now)
    }

    /// There is a link again: what was said over the one before may still go round.
    pub(super) fn come_back(&mut self, now: Instant) {
        self.left
            .values_mut()
            .for_each(|until| *until = now + ROUND);
        self.refused.clear();
    }

    /// This peer came with the LAN's MAC.
    pub(super) fn refuse(&mut self, peer: PeerId, mac: MacAddr, tells_groups: bool) {
        if self.refused.len() < MAX_CLIENTS {
            self.refused.insert(peer, (mac, tells_groups));
        }
    }

    pub(super) fn is_refused(&self, peer: PeerId) -> bool {
        self.refused.contains_key(&peer)
    }

    pub(super) fn forget(&mut self, peer: PeerId) {
        self.refused.remove(&peer);
    }

    /// Those whom the LAN's machines do not keep out any more, and whom the relay has kept.
    pub(super) fn take_pardoned(
        &mut self,
        is_kept_out: impl Fn(MacAddr) -> bool,
    ) -> Vec<((PeerId, MacAddr), bool)> {
        let refused = self.refused.iter();
        let refused = refused.map(|(&peer, &(mac, tells_groups))| ((peer, mac), tells_groups));
        let pardoned: Vec<_> = refused.filter(|&((_, mac), _)| !is_kept_out(mac)).collect();
        for &((peer, _), _) in &pardoned {
            self.forget(peer);
        }
        pardoned
    }
}
