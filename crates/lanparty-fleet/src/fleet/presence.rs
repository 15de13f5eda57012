//! That this relay is in the fleet: the lease, the card, and what is heard of the directory as a whole.

use super::{Fleet, OnLoss, Output, Purpose, Settings, Standing};
use crate::card::{Card, Value};
use crate::directory::{Answer, LeaseId, Put, Request, Revision, Write};
use crate::key::Key;
use crate::lease::{Ask, TTL};
use crate::name::RelayId;
use crate::placement::coarse;
use crate::trouble::Trouble;
use crate::view::View;
use std::time::{Duration, Instant};

/// Free places that changed are told so often at most.
const CARD_PACE: Duration = Duration::from_secs(2);
/// What failed is tried again after that time.
const AGAIN: Duration = Duration::from_millis(500);

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
        if self.may_ask_for_its_lease()
            && let Some(ask) = self.lease.poll(now)
        {
            match ask {
                Ask::Grant => self.request(Purpose::Grant(now), Request::Grant { ttl: TTL }),
                Ask::KeepAlive(lease) => {
                    self.request(Purpose::KeepAlive(lease, now), Request::KeepAlive { lease });
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

    /// A new one only where it is known what all agree on; one that is there is kept alive whatever is.
    fn may_ask_for_its_lease(&self) -> bool {
        self.agreement.is_known() || self.lease.id().is_some()
    }

    pub(super) fn lease_timeout(&self, now: Instant) -> Option<Instant> {
        let timeout = self.lease.poll_timeout(now);
        timeout.filter(|_| self.may_ask_for_its_lease())
    }

    fn fenced(&mut self, now: Instant) {
        self.counts.fenced += 1;
        self.outputs.push_back(Output::Fenced);
        self.say(now, Trouble::Silent);
        if self.settings.on_loss == OnLoss::Close {
            self.close_all();
        }
    }

    pub(super) fn handle_snapshot(
        &mut self,
        now: Instant,
        cluster: u64,
        revision: Revision,
        everything: View,
    ) {
        let known = self.cluster.replace(cluster);
        let is_other = known.is_some_and(|known| {
            known != cluster
                || revision < self.view.revision
                || self.is_made_anew(revision, everything.fleet.as_ref())
        });
        if is_other {
            self.say(now, Trouble::AnotherDirectory);
            self.forget_agreement(now);
            if let Some(lease) = self.lease.id() {
                self.lease.lost(now, lease);
            }
        }
        self.view.load(revision, everything);
        self.fleet_changed(now);
        self.compare_rooms(now);
        self.settle_all_ownerless();
        self.compare_holds(now, is_other);
    }

    pub(super) fn granted(&mut self, now: Instant, asked: Instant, answer: Answer) {
        match answer {
            Answer::Granted { lease, ttl } => {
                self.lease.granted(now, asked, lease, ttl);
                self.reclaim_all();
            }
            _ => self.lease.failed(now),
        }
    }

    pub(super) fn kept_alive(
        &mut self,
        now: Instant,
        lease: LeaseId,
        asked: Instant,
        answer: Answer,
    ) {
        if self.lease.id() != Some(lease) {
            return;
        }
        match answer {
            Answer::Alive { .. } => self.lease.kept(asked),
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
            guards: Vec::new(),
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
