//! One machine's part in IGMP and MLD on its LAN: it says what is new, and answers queriers (RFC 3376 §5, RFC 2236 §3,
//! RFC 3810 §6).

use super::frames::{Group, link_local, old_report, reports};
use super::query::Query;
use super::rounds::Rounds;
use super::{LIFETIME, RENEWAL};
use lanparty_proto::MacAddr;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

/// What is new is said a second time within this (RFC 3376 §8.11, RFC 3810 §9.11).
const AGAIN: Duration = Duration::from_secs(1);
/// Nobody waits longer for our answer, however long a querier lets its hosts take so that a thousand of them do not
/// answer at once: this is one host for many, and a switch that has just lost its memory has asked.
const PATIENCE: Duration = Duration::from_secs(2);

/// What a machine with this MAC says on its LAN.
#[derive(Debug)]
pub(super) struct Host {
    mac: MacAddr,
    groups: BTreeMap<IpAddr, Membership>,
    v4: Side,
    v6: Side,
    rounds: Rounds,
    jitter: Jitter,
    /// The earliest of all that is to be said.
    next: Option<Instant>,
}

#[derive(Debug, Clone, Copy)]
struct Membership {
    wanted: bool,
    /// When its last change is said, or said again.
    change_at: Option<Instant>,
    /// How often that is still to be said.
    changes: u8,
    /// When a querier's question about it is answered.
    answer_at: Option<Instant>,
}

/// One of the two protocols.
#[derive(Debug, Default)]
struct Side {
    /// Until when somebody is taken to be there who speaks only the first version, or the second; of MLD the first
    /// alone is old.
    old_until: [Option<Instant>; 2],
    /// When a question about all groups is answered.
    answer_at: Option<Instant>,
    /// When there was one last.
    asked_at: Option<Instant>,
}

impl Host {
    /// One that is on no LAN yet.
    pub(super) fn new(mac: MacAddr, seed: u64) -> Self {
        Host {
            mac,
            groups: BTreeMap::new(),
            v4: Side::default(),
            v6: Side::default(),
            rounds: Rounds::default(),
            jitter: Jitter(seed),
            next: None,
        }
    }

    /// The same by way of another card.
    pub(super) fn moved(self, mac: MacAddr) -> Self {
        Host { mac, ..self }
    }

    /// It is on its LAN, where nobody knows of it: it says all it wants, and again until that is heard.
    pub(super) fn come_in(&mut self, now: Instant, groups: impl Iterator<Item = IpAddr>) {
        self.groups = groups.map(|group| (group, Membership::told())).collect();
        for side in [&mut self.v4, &mut self.v6] {
            (side.answer_at, side.asked_at) = (None, None);
        }
        match self.groups.is_empty() {
            true => self.rounds.renew(now),
            false => self.rounds.begin(now),
        }
        self.plan();
    }

    /// It is on no LAN any more.
    pub(super) fn go(&mut self) {
        self.rounds.end();
        self.next = None;
    }

    /// It wants a group, or does not any more.
    pub(super) fn set(&mut self, now: Instant, group: IpAddr, wanted: bool) {
        if !self.rounds.are_on() {
            return;
        }
        let membership = self.groups.entry(group).or_insert(Membership::told());
        membership.wanted = wanted;
        membership.change_at = Some(now);
        membership.changes = 2;
        self.plan();
    }

    /// A querier asks.
    pub(super) fn hear(&mut self, now: Instant, query: &Query) {
        if !self.rounds.are_on() {
            return;
        }
        let delay = self.jitter.within(query.within.min(PATIENCE));
        let side = match query.group {
            IpAddr::V4(_) => &mut self.v4,
            IpAddr::V6(_) => &mut self.v6,
        };
        side.meet(now, query);
        if query.group.is_unspecified() {
            side.asked_at = Some(now);
            side.answer_at = Some(sooner(side.answer_at, now + delay));
        } else if let Some(membership) = self.groups.get_mut(&query.group) {
            membership.answer_at = Some(sooner(membership.answer_at, now + delay));
        }
        self.plan();
    }

    /// When [`Self::poll`] has something to say.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.next
    }

    /// What is to be said by now.
    pub(super) fn poll(&mut self, now: Instant) -> Vec<Vec<u8>> {
        if self.next.is_none_or(|next| now < next) {
            return Vec::new();
        }
        let round = self.rounds.poll(now);
        let frames = [IpAddr::is_ipv4, IpAddr::is_ipv6].map(|is_ours| {
            let is_v4 = is_ours(&Ipv4Addr::UNSPECIFIED.into());
            let side = if is_v4 { &mut self.v4 } else { &mut self.v6 };
            let says_all = side.says_all(now, round);
            let again = now + self.jitter.within(AGAIN);
            let ours = self.groups.iter_mut().filter(|(group, _)| is_ours(group));
            let said: Vec<_> = ours
                .filter_map(|(&group, membership)| {
                    Some((membership.say(now, says_all, again)?, group))
                })
                .collect();
            match is_v4 {
                true => (self.v4.version(now, 3), Ipv4Addr::UNSPECIFIED.into(), said),
                false => (self.v6.version(now, 2), link_local(self.mac).into(), said),
            }
        });
        self.groups
            .retain(|_, membership| membership.wanted || membership.changes > 0);
        self.plan();
        let [v4, v6] = frames.map(|(old, source, said)| self.frames(old, source, said));
        v4.into_iter().chain(v6).collect()
    }

    fn frames(&self, old: Option<u8>, source: IpAddr, said: Vec<(Group, IpAddr)>) -> Vec<Vec<u8>> {
        match old {
            None => reports(self.mac, source, said),
            Some(version) => {
                let who = (self.mac, source);
                let said = said.into_iter();
                said.filter_map(|said| old_report(who, version, said))
                    .collect()
            }
        }
    }

    /// A round says something only where there is something to be said.
    fn plan(&mut self) {
        let of_groups = self.groups.values().flat_map(|membership| {
            let change_at = membership.change_at.filter(|_| membership.changes > 0);
            [change_at, membership.answer_at]
        });
        let rounds = self.rounds.poll_timeout();
        let rounds = rounds.filter(|_| !self.groups.is_empty());
        let others = [self.v4.answer_at, self.v6.answer_at, rounds];
        self.next = of_groups.chain(others).flatten().min();
    }
}

impl Membership {
    /// Nothing is to be said of it but in rounds and answers.
    fn told() -> Self {
        Membership {
            wanted: true,
            change_at: None,
            changes: 0,
            answer_at: None,
        }
    }

    /// What is said of it now, if anything.
    fn say(&mut self, now: Instant, says_all: bool, again: Instant) -> Option<Group> {
        let is_due = |at: &mut Option<Instant>| at.take_if(|at| *at <= now).is_some();
        let is_change = is_due(&mut self.change_at);
        let is_asked = is_due(&mut self.answer_at);
        if is_change {
            self.changes -= 1;
            self.change_at = (self.changes > 0).then_some(again);
        }
        match (self.wanted, is_change) {
            (false, true) => Some(Group::Left),
            (false, false) => None,
            (true, true) => Some(Group::Joined),
            (true, false) => (is_asked || says_all).then_some(Group::Wanted),
        }
    }
}

impl Side {
    /// Whoever asks in an old version understands no newer one (RFC 3376 §7.2.1, RFC 3810 §8.2.1).
    fn meet(&mut self, now: Instant, query: &Query) {
        let newest = if query.group.is_ipv4() { 3 } else { 2 };
        if query.version < newest {
            self.old_until[usize::from(query.version - 1)] = Some(now + LIFETIME);
        }
    }

    /// The old version that is spoken now, if it is one.
    fn version(&self, now: Instant, newest: u8) -> Option<u8> {
        let mut old = (1..newest).zip(self.old_until);
        old.find_map(|(version, until)| until.filter(|&until| now < until).map(|_| version))
    }

    /// Whether all groups are said now. Where a querier asks, nothing has to be renewed.
    fn says_all(&mut self, now: Instant, round: Option<bool>) -> bool {
        let is_asked = self.answer_at.take_if(|at| *at <= now).is_some();
        let asked_at = self.asked_at;
        let has_querier =
            asked_at.is_some_and(|at| now.saturating_duration_since(at) < 2 * RENEWAL);
        is_asked || round.is_some_and(|renews| !renews || !has_querier)
    }
}

fn sooner(known: Option<Instant>, at: Instant) -> Instant {
    known.map_or(at, |known| known.min(at))
}

/// Moments that nobody foresees, from one number: SplitMix64.
#[derive(Debug)]
struct Jitter(u64);

impl Jitter {
    fn within(&mut self, most: Duration) -> Duration {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let part = u32::try_from((bits ^ (bits >> 31)) >> 32).expect("half of it");
        most.mul_f64(f64::from(part) / f64::from(u32::MAX))
    }
}
