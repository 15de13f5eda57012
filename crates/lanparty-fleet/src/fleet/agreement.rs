//! What the whole fleet agrees on: its secret, and from where its fences count.
//!
//! Both stand in one key, which is made by whoever comes first. What is written about rooms is written only while that key
//! is as this relay knows it: a directory that was lost and made anew has another one, whatever else it has in common with
//! the one before, so nothing that was meant for one of them is done in the other.

use super::{Fleet, Purpose, Standing};
use crate::card::{FleetValue, Value};
use crate::directory::{Answer, Found, Guard, Put, Request, Revision, Write};
use crate::key::Key;
use crate::name::{Fence, RoomHash, chance};
use crate::trouble::Trouble;
use crate::view::Fleetwide;
use std::time::{Duration, Instant};

/// What failed is tried again after that time.
const AGAIN: Duration = Duration::from_millis(500);
/// What is another fleet's may have been mended after that time; and as often a member mends it.
const REFUSED_AGAIN: Duration = Duration::from_secs(5);

/// When a key was changed last, in the directory of this base. In another one that says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) revision: Revision,
    pub(super) base: Option<u64>,
}

impl Stamp {
    /// Of a key that is not there, or of which nothing is known.
    pub(super) const NONE: Stamp = Stamp {
        revision: Revision(0),
        base: None,
    };
}

#[derive(Debug)]
pub(super) struct Agreement {
    /// What stands there; none while it is not known.
    agreed: Option<Fleetwide>,
    /// Since which change, as the answer had it.
    agreed_at: Revision,
    /// No fence of the directories that were before is higher, as far as this relay knows; nor one of its own.
    highest: Fence,
    /// When to ask what stands there.
    check_at: Option<Instant>,
    checking: bool,
    /// How often this relay has thought of a base.
    tries: u64,
    mended: Option<Instant>,
}

impl Agreement {
    pub(super) fn new(now: Instant) -> Self {
        Agreement {
            agreed: None,
            agreed_at: Revision(0),
            highest: Fence(0),
            check_at: Some(now),
            checking: false,
            tries: 0,
            mended: None,
        }
    }

    pub(super) fn is_known(&self) -> bool {
        self.agreed.is_some()
    }

    pub(super) fn base(&self) -> Option<u64> {
        self.agreed.as_ref().map(|agreed| agreed.base)
    }

    /// A condition: nothing else stands there.
    fn guard(&self) -> Option<Guard> {
        let agreed = self.agreed.as_ref()?;
        Some(Guard::Value {
            key: Key::Fleet.bytes(),
            value: agreed.written.clone(),
        })
    }

    /// Whether that is what stands there, with this base.
    pub(super) fn is_met_by(&self, base: u64, found: Option<&Found>) -> bool {
        let agreed = self.agreed.as_ref().filter(|agreed| agreed.base == base);
        agreed.is_some_and(|agreed| found.is_some_and(|found| found.value == agreed.written))
    }

    /// It is to be asked what stands there.
    pub(super) fn doubt(&mut self, now: Instant) {
        self.check_at = Some(self.check_at.map_or(now, |at| at.min(now)));
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.check_at.filter(|_| !self.checking)
    }
}

impl Fleet {
    /// A key must be as it was then, and the directory the one of that time; none where it is not, or not known.
    pub(super) fn guards(&self, key: Key, stamp: Stamp) -> Option<Vec<Guard>> {
        let is_of_this = stamp == Stamp::NONE || stamp.base == self.agreement.base();
        let revision = Guard::Revision {
            key: key.bytes(),
            revision: stamp.revision,
        };
        Some(vec![revision, self.agreement.guard()?]).filter(|_| is_of_this)
    }

    /// A revision that was heard of.
    pub(super) fn heard(&self, revision: Revision) -> Stamp {
        let base = self.view.fleet.as_ref().map(|fleet| fleet.base);
        Stamp { revision, base }
    }

    /// When a room's key was changed last, as was heard, where it is this relay's or may be.
    pub(super) fn heard_of(&self, room: &RoomHash) -> Stamp {
        let known = self.view.rooms.get(room);
        known.map_or(Stamp::NONE, |owned| self.heard(owned.revision))
    }

    /// By what an owner is fenced that the directory was heard to name; none while it is not known which directory that is.
    pub(super) fn fence(&self, revision: Revision) -> Option<Fence> {
        let heard = self.view.fleet.as_ref()?;
        let base = self.agreement.base().filter(|&base| base == heard.base)?;
        Some(Fence::new(base, revision.0))
    }

    pub(super) fn look_at_check(&mut self, now: Instant) {
        if self.agreement.poll_timeout().is_some_and(|at| at <= now) {
            self.write_agreement(now, Revision(0));
        }
    }

    /// What all agree on is made, where the fleet's key is as it was at this revision; else it is heard what is there.
    fn write_agreement(&mut self, now: Instant, revision: Revision) {
        self.agreement.check_at = None;
        self.agreement.checking = true;
        self.agreement.tries += 1;
        let base = Fence::base(
            self.unix(now),
            chance(self.settings.id, self.agreement.tries),
        );
        let base = base.max(self.highest_fence().0.saturating_add(1));
        let ours = FleetValue {
            check: self.settings.secret.check(),
            base,
        };
        let key = Key::Fleet.bytes();
        let written = ours.encode();
        let write = Write {
            guards: vec![Guard::Revision {
                key: key.clone(),
                revision,
            }],
            puts: vec![Put {
                key,
                value: written.clone(),
                lease: None,
            }],
            deletes: Vec::new(),
        };
        self.request(Purpose::Check(base), Request::Write(write));
    }

    pub(super) fn checked(&mut self, now: Instant, base: u64, answer: Answer) {
        self.agreement.checking = false;
        match answer {
            Answer::Written { revision } => {
                let check = self.settings.secret.check();
                let written = FleetValue { check, base }.encode();
                self.agree(revision, Fleetwide { written, base });
            }
            Answer::Refused { found } => match found.into_iter().next().flatten() {
                Some(found) => self.compare(now, found),
                None => self.agreement.doubt(now),
            },
            _ => self.agreement.check_at = Some(now + AGAIN),
        }
    }

    fn compare(&mut self, now: Instant, found: Found) {
        let Some(theirs) = FleetValue::decode(&found.value) else {
            return self.refuse(now, Trouble::NotAFleet, found.revision);
        };
        if theirs.check != self.settings.secret.check() {
            return self.refuse(now, Trouble::WrongSecret, found.revision);
        }
        let is_known = self.agreement.base() == Some(theirs.base);
        if !is_known && theirs.base <= self.highest_fence().0 {
            // Who made this one did not know of the one before, whose fences were higher; or it is as it was once.
            return self.write_agreement(now, found.revision);
        }
        let fleetwide = Fleetwide {
            written: found.value,
            base: theirs.base,
        };
        self.agree(found.revision, fleetwide);
    }

    fn agree(&mut self, revision: Revision, fleetwide: Fleetwide) {
        if self.standing == Standing::Refused {
            self.standing = Standing::Entering;
        }
        let base = fleetwide.base;
        self.agreement.highest = self.highest_fence();
        let known = self.agreement.agreed.replace(fleetwide);
        self.agreement.agreed_at = revision;
        if known.is_none_or(|known| known.base != base) {
            // A fence is made of the answer to a write, never of what was counted elsewhere, or on another base.
            self.reclaim_all();
        }
    }

    /// What was known of a directory is no longer so: it is another one, or it is as it was once.
    pub(super) fn forget_agreement(&mut self, now: Instant) {
        self.agreement.highest = self.highest_fence();
        self.agreement.agreed = None;
        self.agreement.doubt(now);
    }

    /// No relay has shown a higher fence, as far as this one has heard.
    fn highest_fence(&self) -> Fence {
        let last = self.agreement.base();
        let last = last.map(|base| Fence::new(base, self.view.revision.0));
        last.max(Some(self.agreement.highest)).unwrap_or_default()
    }

    /// This relay has a room by this fence.
    pub(super) fn note_fence(&mut self, fence: Fence) {
        self.agreement.highest = self.agreement.highest.max(fence);
    }

    /// Who was in stays in: one that writes rubbish over the fleet's key must not end everybody's rooms.
    fn refuse(&mut self, now: Instant, why: Trouble, revision: Revision) {
        self.say(now, why);
        self.agreement.check_at = Some(now + REFUSED_AGAIN);
        let mended = self.agreement.mended;
        let is_member = self.agreement.is_known() && self.lease.live(now).is_some();
        let is_time = mended.is_none_or(|mended| now >= mended + REFUSED_AGAIN);
        if why == Trouble::NotAFleet && is_member && is_time {
            self.agreement.mended = Some(now);
            self.write_agreement(now, revision);
        }
        if self.standing == Standing::Entering {
            self.standing = Standing::Refused;
        }
    }

    /// The directory was heard to have something else there; what counts is what it answers.
    pub(super) fn fleet_changed(&mut self, now: Instant) {
        if self.agreement.agreed.is_some() && self.view.fleet != self.agreement.agreed
            || self.standing == Standing::Refused
        {
            self.agreement.doubt(now);
        }
    }

    /// A directory that was set up again may have the old one's name, and after a while as many revisions; but not what
    /// the fleet has agreed on. What was there before it has says nothing.
    pub(super) fn is_made_anew(&self, revision: Revision, heard: Option<&Fleetwide>) -> bool {
        let agreed = self.agreement.agreed.as_ref();
        agreed.is_some() && agreed != heard && revision >= self.agreement.agreed_at
    }
}
