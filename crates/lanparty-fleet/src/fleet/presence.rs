//! That this relay is in the fleet: the secret compared, the lease, the card.

use super::{Fleet, OnLoss, Output, Purpose, Settings, Standing};
use crate::card::{Card, FleetValue, Value};
use crate::directory::{Answer, Entry, Guard, LeaseId, Put, Request, Revision, Write};
use crate::key::Key;
use crate::lease::{Ask, TTL};
use crate::name::RelayId;
use crate::placement::coarse;
use crate::trouble::Trouble;
use std::time::{Duration, Instant};

/// Free places that changed are told so often at most.
const CARD_PACE: Duration = Duration::from_secs(2);
/// What failed is tried again after that time.
const AGAIN: Duration = Duration::from_millis(500);
/// What is another fleet's may have been mended after that time.
const REFUSED_AGAIN: Duration = Duration::from_secs(5);

/// What the others know of this relay.
#[derive(Debug)]
pub(super) struct OwnCard {
    pub(super) free: u32,
    /// What was put last, under which lease.
    told: Option<(Card, LeaseId)>,
    asked: bool,
    /// Free places are not told before.
    next: Instant,
    /// Nothing is.
    retry: Instant,
}

impl OwnCard {
    pub(super) fn new(now: Instant, settings: &Settings) -> Self {
        OwnCard {
            free: settings.free,
            told: None,
            asked: false,
            next: now,
            retry: now,
        }
    }

    pub(super) fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        let due = [self.next, self.retry].into_iter();
        due.filter(|&at| at > now && !self.asked).min()
    }

    /// Whether this is to be told now.
    fn is_due(&self, now: Instant, wanted: &Card, lease: LeaseId) -> bool {
        if self.asked || now < self.retry {
            return false;
        }
        let Some((told, under)) = &self.told else {
            return true;
        };
        let states = |card: &Card| (card.draining, card.slow, card.ready);
        let is_news = *under != lease || states(told) != states(wanted);
        is_news || now >= self.next && coarse(told.free) != coarse(wanted.free)
    }
}

impl Fleet {
    /// What all agree on is asked for first, then the lease, then everything else.
    pub(super) fn look_at_lease(&mut self, now: Instant) {
        self.look_at_check(now);
        if self.epoch.is_some()
            && let Some(ask) = self.lease.poll(now)
        {
            match ask {
                Ask::Grant => self.request(Purpose::Grant, Request::Grant { ttl: TTL }),
                Ask::KeepAlive(lease) => {
                    self.request(Purpose::KeepAlive(lease), Request::KeepAlive { lease });
                }
            }
        }
        let was_in = self.standing == Standing::In;
        if was_in && self.lease.live(now).is_none() {
            self.standing = Standing::Fenced;
            self.fenced(now);
        }
        if !was_in && self.lease.live(now).is_some() && self.view.loaded {
            if self.standing == Standing::Fenced {
                self.say(now, Trouble::Back);
            }
            self.standing = Standing::In;
            self.entered.get_or_insert(now);
            self.outputs.push_back(Output::Unfenced);
        }
    }

    pub(super) fn look_at_check(&mut self, now: Instant) {
        if self.check_at.take_if(|at| *at <= now).is_some() {
            self.check(now);
        }
    }

    fn fenced(&mut self, now: Instant) {
        self.counts.fenced += 1;
        self.outputs.push_back(Output::Fenced);
        self.say(now, Trouble::Silent);
        if self.settings.on_loss == OnLoss::Close {
            self.close_all();
        }
    }

    /// The fleet's key is made by whoever comes first, and compared by everybody else.
    fn check(&mut self, now: Instant) {
        let least = self.last_epoch.saturating_add(1);
        let epoch = self.unix(now).max(least);
        let ours = FleetValue {
            check: self.settings.secret.check(),
            epoch,
        };
        let write = Write {
            guard: Some(Guard {
                key: Key::Fleet.bytes(),
                revision: Revision(0),
            }),
            puts: vec![Put {
                key: Key::Fleet.bytes(),
                value: ours.encode(),
                lease: None,
            }],
            deletes: Vec::new(),
        };
        self.request(Purpose::Check(epoch), Request::Write(write));
    }

    pub(super) fn checked(&mut self, now: Instant, epoch: u64, answer: Answer) {
        match answer {
            Answer::Written { .. } => self.agree(epoch),
            Answer::Refused { found: Some(found) } => match FleetValue::decode(&found.value) {
                Some(theirs) => self.compare(now, theirs),
                None => self.refuse(now, Trouble::NotAFleet),
            },
            Answer::Refused { found: None } => self.check_at = Some(now),
            _ => self.check_at = Some(now + AGAIN),
        }
    }

    fn compare(&mut self, now: Instant, theirs: FleetValue) {
        if theirs.check != self.settings.secret.check() {
            return self.refuse(now, Trouble::WrongSecret);
        }
        self.agree(theirs.epoch);
    }

    fn agree(&mut self, epoch: u64) {
        if self.standing == Standing::Refused {
            self.standing = Standing::Entering;
        }
        self.last_epoch = self.last_epoch.max(epoch);
        let known = self.epoch.replace(epoch);
        if known.is_some_and(|known| known != epoch) {
            self.refence_all();
        }
    }

    /// Who was in stays in: one that writes rubbish over the fleet's key must not end everybody's rooms.
    fn refuse(&mut self, now: Instant, why: Trouble) {
        self.say(now, why);
        self.check_at = Some(now + REFUSED_AGAIN);
        if self.standing == Standing::Entering {
            self.standing = Standing::Refused;
        }
    }

    pub(super) fn fleet_changed(&mut self, now: Instant) {
        match self.view.fleet.clone() {
            Some(theirs) if self.last_epoch > 0 => self.compare(now, theirs),
            None if self.last_epoch > 0 => self.check_at = Some(now),
            _ => {}
        }
    }

    pub(super) fn handle_snapshot(
        &mut self,
        now: Instant,
        cluster: u64,
        revision: Revision,
        entries: Vec<Entry>,
    ) {
        let known = self.cluster.replace(cluster);
        let is_other = known.is_some_and(|known| {
            known != cluster || revision < self.view.revision || self.is_made_anew(&entries)
        });
        if is_other {
            self.say(now, Trouble::AnotherDirectory);
            if let Some(lease) = self.lease.id() {
                self.lease.lost(now, lease);
            }
        }
        self.view.load(revision, entries);
        if self.last_epoch > 0 {
            match self.view.fleet.clone() {
                Some(theirs) => self.compare(now, theirs),
                None => {
                    // No fence of the new one before it is known on top of what it counts.
                    self.epoch = None;
                    self.check_at = Some(now);
                }
            }
        }
        self.compare_rooms(now, revision, is_other);
        self.compare_holds(now, is_other);
    }

    /// A directory that was set up again may have the old one's name, and after a while as many revisions; but not the
    /// same day of birth.
    fn is_made_anew(&self, entries: &[Entry]) -> bool {
        let key = Key::Fleet.bytes();
        let fleet = entries.iter().find(|entry| entry.key == key);
        let fleet = fleet.and_then(|entry| FleetValue::decode(&entry.value));
        self.last_epoch > 0 && fleet.is_none_or(|fleet| fleet.epoch != self.last_epoch)
    }

    pub(super) fn granted(&mut self, now: Instant, answer: Answer) {
        match answer {
            Answer::Granted { lease, .. } => {
                self.lease.granted(now, lease);
                self.reclaim_all();
            }
            _ => self.lease.failed(now),
        }
    }

    pub(super) fn kept_alive(&mut self, now: Instant, lease: LeaseId, answer: Answer) {
        if self.lease.id() != Some(lease) {
            return;
        }
        match answer {
            Answer::Alive { .. } => self.lease.kept(now),
            Answer::Gone => self.lease_lost(now, lease),
            _ => self.lease.failed(now),
        }
    }

    pub(super) fn lease_lost(&mut self, now: Instant, lease: LeaseId) {
        if self.lease.lost(now, lease) {
            self.counts.leases_lost += 1;
            self.say(now, Trouble::LeaseLost);
        }
    }

    /// What the others shall know of this relay.
    pub(super) fn wanted_card(&self, now: Instant) -> Card {
        Card {
            address: self.settings.address.clone(),
            pin: self.settings.pin,
            region: self.settings.region.clone(),
            free: self.card.free,
            draining: self.draining,
            slow: self.overload.is_slow(),
            ready: self.lease.is_up(now),
        }
    }

    pub(super) fn look_at_card(&mut self, now: Instant) {
        let Some(lease) = self.lease.live(now) else {
            return;
        };
        let wanted = self.wanted_card(now);
        if !self.card.is_due(now, &wanted, lease) {
            return;
        }
        let put = Put {
            key: Key::Relay(self.settings.id).bytes(),
            value: wanted.encode(),
            lease: Some(lease),
        };
        self.card.asked = true;
        self.card.told = Some((wanted, lease));
        self.card.next = now + CARD_PACE;
        let write = Write {
            guard: None,
            puts: vec![put],
            deletes: Vec::new(),
        };
        self.request(Purpose::Card(lease), Request::Write(write));
    }

    pub(super) fn card_put(&mut self, now: Instant, lease: LeaseId, answer: Answer) {
        self.card.asked = false;
        match answer {
            Answer::Written { .. } => {}
            Answer::Gone => {
                self.card.told = None;
                self.lease_lost(now, lease);
            }
            _ => {
                self.card.told = None;
                self.card.retry = now + AGAIN;
            }
        }
    }

    /// A card that somebody else took away or wrote over is put back.
    pub(super) fn card_changed(&mut self, now: Instant, relay: RelayId) {
        if relay != self.settings.id || self.card.asked {
            return;
        }
        let told = self.card.told.as_ref().map(|(card, _)| card);
        if told.is_some() && told != self.view.relays.get(&relay) {
            self.card.told = None;
            self.card.retry = now + AGAIN;
        }
    }
}
