//! Which answer is for whom.

use super::{Fleet, Purpose};
use crate::directory::Answer;
use std::time::Instant;

impl Fleet {
    pub(super) fn answered(&mut self, now: Instant, purpose: Purpose, answer: Answer) {
        match purpose {
            Purpose::Check(base) => self.checked(now, base, answer),
            Purpose::Grant(asked) => self.granted(now, asked, answer),
            Purpose::KeepAlive(lease, asked) => self.kept_alive(now, lease, asked, answer),
            Purpose::Card(lease) => self.card_put(now, lease, answer),
            Purpose::Claim(room, terms) => self.claimed(now, room, terms, answer),
            Purpose::Offer(room) => self.offer_written(now, room, answer),
            Purpose::GrantHold(room) => {
                self.hold_granted(now, room, answer);
                self.set_hold_timer(room);
            }
            Purpose::KeepHold(room, lease) => {
                self.hold_kept(now, room, lease, answer);
                self.set_hold_timer(room);
            }
            Purpose::PutHold(room) => {
                self.hold_put(now, room, answer);
                self.set_hold_timer(room);
            }
            Purpose::Forget(key) => self.forgotten(now, key, answer),
            Purpose::Idle => {}
        }
    }
}
