//! Room codes that are kept for their hosts, also while their gateways are away (spec R151).

use super::claiming::AGAIN;
use super::room::State;
use super::{Fleet, Purpose};
use crate::card::{ClaimOf, Value};
use crate::directory::{Answer, LeaseId, Put, Request, Write};
use crate::key::Key;
use crate::name::RoomHash;
use crate::placement;
use lanparty_ctrl::HostId;
use std::time::{Duration, Instant};

/// A code is kept so long after its gateway was last there, as on a relay alone (`registry/claims.rs`).
const LINGER: Duration = Duration::from_secs(600);
/// While it is there, its lease is kept alive so often: twice may fail.
const BEAT: Duration = Duration::from_secs(200);
/// As many codes are kept at most; more than four times the rooms of a large relay.
const MAX_HOLDS: usize = 4096;

/// A code that this relay keeps for its host.
#[derive(Debug)]
pub(super) struct Hold {
    host: HostId,
    /// The open room of its code, which is kept closed.
    code: RoomHash,
    lease: Option<LeaseId>,
    /// It is written.
    put: bool,
    /// Its gateway is there.
    present: bool,
    /// When it ends, if the gateway stays away.
    until: Instant,
    /// When to do something; none while an answer is awaited.
    pub(super) next: Option<Instant>,
}

impl Fleet {
    /// The gateway of a closed room has entered it here: the room is its host's in the whole fleet, and nobody opens the
    /// open room of its code, whose hash is `code`.
    pub fn gateway_came(&mut self, now: Instant, room: RoomHash, code: RoomHash, host: HostId) {
        let until = now + LINGER;
        if self.holds.len() >= MAX_HOLDS && !self.holds.contains_key(&room) {
            // It is its host's here all the same; only when it is empty do others not know whose it was.
            self.settle(now, room);
            return self.handle_timeout(now);
        }
        let hold = self.holds.entry(room).or_insert(Hold {
            host,
            code,
            lease: None,
            put: false,
            present: true,
            until,
            next: Some(now),
        });
        hold.host = host;
        hold.present = true;
        hold.until = until;
        hold.next = hold.next.map(|_| now);
        self.set_hold_timer(room);
        self.settle(now, room);
        self.handle_timeout(now);
    }

    /// The gateway has left; its code is kept for ten minutes.
    pub fn gateway_left(&mut self, now: Instant, room: RoomHash) {
        if let Some(hold) = self.holds.get_mut(&room) {
            hold.present = false;
            hold.until = now + LINGER;
            hold.next = hold.next.map(|_| now);
        }
        self.set_hold_timer(room);
        self.handle_timeout(now);
    }

    /// Players may have been first, and the room is far from its gateway: then it goes where that is near, once.
    fn settle(&mut self, now: Instant, room: RoomHash) {
        let own = self.wanted_card(now);
        let Some(ours) = self.rooms.get_mut(&room) else {
            return;
        };
        if std::mem::replace(&mut ours.placed, true) || ours.near.is_empty() {
            return;
        }
        let id = self.settings.id;
        let all = self.view.relays.iter().map(|(&relay, card)| (relay, card));
        let ready = all.filter(|(relay, card)| *relay == id || card.ready && card.takes_rooms());
        let near = placement::nearest(ready, &ours.near);
        let is_far = near.iter().all(|&(relay, _)| relay != id);
        if is_far
            && self
                .best(now, &own, &room, &self.rooms[&room].near, &[id])
                .is_some()
        {
            self.send_away(now, room);
        }
    }

    pub(super) fn look_at_holds(&mut self, now: Instant) {
        while let Some(&(at, room)) = self.hold_timers.first()
            && at <= now
        {
            self.hold_timers.pop_first();
            let hold = self.holds.get(&room);
            if hold.is_some_and(|hold| hold.next.is_some_and(|next| next <= now)) {
                self.look_at_hold(now, room);
                self.set_hold_timer(room);
            }
        }
    }

    /// A hold has changed: it is looked at when it says.
    pub(super) fn set_hold_timer(&mut self, room: RoomHash) {
        let next = self.holds.get(&room).and_then(|hold| hold.next);
        self.hold_timers.extend(next.map(|next| (next, room)));
    }

    fn look_at_hold(&mut self, now: Instant, room: RoomHash) {
        let live = self.lease.live(now).is_some();
        let unix = self.unix(now) + LINGER.as_secs();
        let id = self.settings.id;
        let guards = match self.rooms.get(&room).map(|ours| &ours.state) {
            Some(State::Held(held)) => self.guards(Key::Room(room), held.stamp()),
            _ => None,
        };
        let Some(hold) = self.holds.get_mut(&room) else {
            return;
        };
        if !hold.present && now >= hold.until {
            self.holds.remove(&room);
            return;
        }
        if !live {
            hold.next = Some(now + AGAIN);
            return;
        }
        hold.next = None;
        let Some(lease) = hold.lease else {
            let ttl = LINGER;
            return self.request(Purpose::GrantHold(room), Request::Grant { ttl });
        };
        if hold.put {
            return self.request(Purpose::KeepHold(room, lease), Request::KeepAlive { lease });
        }
        // Only who has the room may say whose its code is.
        let Some(guards) = guards else {
            hold.next = Some(now + AGAIN);
            return;
        };
        let claim = ClaimOf {
            relay: id,
            host: hold.host,
            until: unix,
        };
        let write = Write {
            guards,
            puts: [room, hold.code]
                .map(|key| Put {
                    key: Key::Claim(key).bytes(),
                    value: claim.encode(),
                    lease: Some(lease),
                })
                .into(),
            deletes: Vec::new(),
        };
        self.request(Purpose::PutHold(room), Request::Write(write));
    }

    pub(super) fn hold_granted(&mut self, now: Instant, room: RoomHash, answer: Answer) {
        let Some(hold) = self.holds.get_mut(&room) else {
            // The room has gone meanwhile; nothing is under this lease.
            if let Answer::Granted { lease, .. } = answer {
                self.request(Purpose::Idle, Request::Revoke { lease });
            }
            return;
        };
        match answer {
            Answer::Granted { lease, .. } => {
                hold.lease = Some(lease);
                hold.next = Some(now);
            }
            _ => hold.next = Some(now + AGAIN),
        }
    }

    pub(super) fn hold_put(&mut self, now: Instant, room: RoomHash, answer: Answer) {
        let Some(hold) = self.holds.get_mut(&room) else {
            return;
        };
        match answer {
            Answer::Written { .. } => {
                hold.put = true;
                hold.next = Some(now + BEAT);
            }
            Answer::Gone => {
                hold.lease = None;
                hold.next = Some(now);
            }
            _ => hold.next = Some(now + AGAIN),
        }
    }

    pub(super) fn hold_kept(
        &mut self,
        now: Instant,
        room: RoomHash,
        lease: LeaseId,
        answer: Answer,
    ) {
        let Some(hold) = self.holds.get_mut(&room) else {
            return;
        };
        if hold.lease != Some(lease) {
            return;
        }
        match answer {
            Answer::Alive { .. } if hold.present => hold.next = Some(now + BEAT),
            // The last one; its lease ends with it.
            Answer::Alive { .. } => hold.next = Some(hold.until),
            Answer::Gone => {
                hold.lease = None;
                hold.put = false;
                hold.next = Some(now);
            }
            _ => hold.next = Some(now + AGAIN),
        }
    }

    /// A code's key has changed: what this relay keeps is put back.
    pub(super) fn hold_changed(&mut self, now: Instant, room: RoomHash) {
        self.put_back_if_lost(now, room);
        if !self.view.claims.contains_key(&room) {
            // An open room's is under the lease of whoever wrote it last; others of the same code may be kept.
            let same = self.holds.iter().filter(|(_, hold)| hold.code == room);
            let same: Vec<RoomHash> = same.map(|(&kept, _)| kept).collect();
            for kept in same {
                self.put_back_if_lost(now, kept);
            }
        }
    }

    fn put_back_if_lost(&mut self, now: Instant, room: RoomHash) {
        let Some(hold) = self.holds.get_mut(&room).filter(|hold| hold.put) else {
            return;
        };
        let claims = &self.view.claims;
        let id = self.settings.id;
        let is_ours = claims
            .get(&room)
            .is_some_and(|(claim, _)| claim.relay == id);
        if !is_ours || !claims.contains_key(&hold.code) {
            hold.put = false;
            hold.next = hold.next.map(|_| now + AGAIN);
            self.set_hold_timer(room);
        }
    }

    /// A new view of everything; of another directory, perhaps, which knows none of the leases.
    pub(super) fn compare_holds(&mut self, now: Instant, is_other: bool) {
        let all: Vec<RoomHash> = self.holds.keys().copied().collect();
        for room in all {
            if let Some(hold) = self.holds.get_mut(&room).filter(|_| is_other) {
                hold.lease = None;
            }
            self.put_back_if_lost(now, room);
        }
    }
}
