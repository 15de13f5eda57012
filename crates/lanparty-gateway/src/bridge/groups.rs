//! What the gateway does about groups: it speaks for its players on the LAN ([`Proxy`]), and asks those machines which
//! groups they want whose clients do not ask them (spec R135).
//!
//! A client of today asks its machine whenever it comes in and whenever the gateway does. An older one waits until the
//! LAN's querier asks, if there is one, which may take two minutes.

use lanparty_obs::DropReason;
use lanparty_proto::{EthernetFrame, MacAddr, PeerId};
use lanparty_switch::Route;
use lanparty_switch::snooping::{Proxy, Rounds, questions};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// Whoever loses its link is back by then, and wants what it wanted.
const RETURN: Duration = Duration::from_secs(2);

/// Which groups a room's players want, and how the LAN hears of it.
#[derive(Debug)]
pub(super) struct Groups {
    nic: MacAddr,
    proxy: Proxy,
    asking: Rounds,
    /// Those whose clients leave it to others to ask.
    unasked: BTreeSet<PeerId>,
    /// Who has gone, and when that is for good.
    gone: BTreeMap<MacAddr, Instant>,
}

impl Groups {
    /// Of no players yet, for a gateway whose NIC has this MAC; its moments are made of the seed.
    pub(super) fn new(nic: MacAddr, seed: u64) -> Self {
        Groups {
            nic,
            proxy: Proxy::new(nic, seed),
            asking: Rounds::default(),
            unasked: BTreeSet::new(),
            gone: BTreeMap::new(),
        }
    }

    /// The same behind another NIC.
    pub(super) fn moved(self, nic: MacAddr) -> Self {
        Groups {
            nic,
            proxy: self.proxy.moved(nic),
            ..self
        }
    }

    /// The gateway is in a room.
    pub(super) fn come_in(&mut self, now: Instant) {
        self.proxy.come_in(now);
    }

    /// It is in none any more; everybody will be announced again.
    pub(super) fn go(&mut self) {
        self.proxy.go();
        self.gone.clear();
        self.unasked.clear();
        self.asking.end();
    }

    /// A player is there.
    pub(super) fn arrive(
        &mut self,
        now: Instant,
        (id, mac): (PeerId, MacAddr),
        tells_groups: bool,
    ) {
        self.gone.remove(&mac);
        if !tells_groups {
            self.unasked.insert(id);
            self.asking.begin(now);
        }
    }

    /// A player is gone.
    pub(super) fn leave(&mut self, now: Instant, (id, mac): (PeerId, MacAddr)) {
        self.gone.insert(mac, now + RETURN);
        self.unasked.remove(&id);
        if self.unasked.is_empty() {
            self.asking.end();
        }
    }

    /// Takes a player's report upon itself, if it is one and not too much.
    pub(super) fn speaks_for(&mut self, now: Instant, frame: EthernetFrame<'_>) -> bool {
        self.proxy.handle_report(now, frame.source(), frame.bytes())
    }

    /// Hears what the LAN asks, which was judged like this.
    pub(super) fn hear(&mut self, now: Instant, frame: &[u8], verdict: Result<Route, DropReason>) {
        // Those who may have asked: not a player whose frame comes back, and not a frame that no switch lets through.
        let is_heard = match verdict {
            Ok(Route::Group | Route::GroupOfLan | Route::Members { .. })
            | Err(DropReason::Unwanted) => true,
            Ok(Route::Known(_) | Route::Unknown(_)) | Err(_) => false,
        };
        if let (true, Ok(frame)) = (is_heard, EthernetFrame::parse(frame)) {
            self.proxy.hear(now, frame);
        }
    }

    /// Forgets what players have not said again.
    pub(super) fn expire(&mut self, now: Instant) {
        self.proxy.expire(now);
    }

    /// When there is something to be asked or said; while the LAN brings back what we say, there is nothing to be said.
    pub(super) fn poll_timeout(&self, is_looped: bool) -> Option<Instant> {
        let reports = self.proxy.poll_timeout().filter(|_| !is_looped);
        let gone = self.gone.values().min().copied();
        let all = [reports, gone, self.asking.poll_timeout()];
        all.into_iter().flatten().min()
    }

    /// What the room's machines are asked now.
    pub(super) fn questions(&mut self, now: Instant) -> Vec<Vec<u8>> {
        match self.asking.poll(now) {
            Some(_) => questions(self.nic).into(),
            None => Vec::new(),
        }
    }

    /// What the LAN is told now.
    pub(super) fn reports(&mut self, now: Instant) -> Vec<Vec<u8>> {
        let proxy = &mut self.proxy;
        self.gone.retain(|&mac, &mut then| {
            let waits = now < then;
            if !waits {
                proxy.forget(now, mac);
            }
            waits
        });
        self.proxy.poll(now)
    }
}
