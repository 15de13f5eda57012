//! One machine's part in IGMP and MLD on its LAN: it says what is new, and answers queriers (RFC 3376 §5, RFC 2236 §3,
//! RFC 3810 §6).

use super::frames::{GROUPS_V4, GROUPS_V6, Group, link_local, old_report, reports};
use super::members::MAX_GROUPS_OF_ALL;
use super::query::Query;
use super::rounds::Rounds;
use super::{LIFETIME, RENEWAL};
use crate::rates::{Bucket, Rate};
use lanparty_proto::MacAddr;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

/// What is new is said a second time within this (RFC 3376 §8.11, RFC 3810 §9.11).
const AGAIN: Duration = Duration::from_secs(1);
/// Nobody waits longer for our answer, however long a querier lets its hosts take so that a thousand of them do not
/// answer at once: this is one host for many, and a switch that has just lost its memory has asked.
const PATIENCE: Duration = Duration::from_secs(2);
/// How many frames the LAN hears in each of the two protocols: together as many as of one player's broadcast. Players
/// who change their minds without end cost no more than this; and a thousand groups are still said, one by one,
/// long before a switch forgets.
const PACE: Rate = Rate {
    burst: 64,
    per_second: 32,
};
/// Those that are wanted, and as many again whose leaves have been said once.
const MAX_GROUPS: usize = 2 * MAX_GROUPS_OF_ALL;

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
    /// What the LAN has heard last: what it has not heard need not be taken back.
    said: bool,
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
    /// How much may be said; once something was to be.
    pace: Option<Bucket>,
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
        if self.groups.len() >= MAX_GROUPS {
            // Switches forget them by themselves.
            self.groups.retain(|_, membership| membership.wanted);
        }
        match self.groups.get_mut(&group) {
            Some(membership) => match (membership.said, wanted) {
                (true, true) => membership.take_back(),
                (false, false) => drop(self.groups.remove(&group)),
                (true, false) | (false, true) => membership.change(now, wanted),
            },
            None if wanted => drop(self.groups.insert(group, Membership::new(now))),
            None => return,
        }
        // Nothing else has changed, and to look through all for each of a report's groups would take long.
        let ready_at = self.side(group).ready_at();
        let at = ready_at.map_or(now, |ready_at| ready_at.max(now));
        self.next = Some(sooner(self.next, at));
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
        let is_old = side.version(now, query.group).is_some();
        if query.group.is_unspecified() {
            side.asked_at = Some(now);
            match is_old {
                true => self.answer_one_by_one(now, query),
                false => side.answer_at = Some(sooner(side.answer_at, now + delay)),
            }
        } else if let Some(membership) = self.groups.get_mut(&query.group) {
            membership.answer_at = Some(sooner(membership.answer_at, now + delay));
        }
        self.plan();
    }

    /// Old versions have a frame for each group, and each its own moment (RFC 2236 §3, RFC 2710 §4).
    fn answer_one_by_one(&mut self, now: Instant, query: &Query) {
        let is_ours = |group: &IpAddr| group.is_ipv4() == query.group.is_ipv4();
        let count = self.groups.keys().filter(|group| is_ours(group)).count();
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        let time = Duration::from_secs(1) * (count / PACE.per_second);
        let within = query.within.min(PATIENCE.max(time));
        for (group, membership) in &mut self.groups {
            if is_ours(group) {
                let at = now + self.jitter.within(within);
                membership.answer_at = Some(sooner(membership.answer_at, at));
            }
        }
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
        let v4 = self.poll_side(now, round, Ipv4Addr::UNSPECIFIED.into());
        let v6 = self.poll_side(now, round, link_local(self.mac).into());
        self.groups
            .retain(|_, membership| membership.wanted || membership.changes > 0);
        self.plan();
        v4.into_iter().chain(v6).collect()
    }

    /// The same of one protocol, which speaks from this address: what is due longest first, and no more than may be said.
    fn poll_side(&mut self, now: Instant, round: Option<bool>, source: IpAddr) -> Vec<Vec<u8>> {
        let side = match source {
            IpAddr::V4(_) => &mut self.v4,
            IpAddr::V6(_) => &mut self.v6,
        };
        let says_all = side.says_all(now, round);
        let old = side.version(now, source);
        let pace = side.pace.get_or_insert_with(|| Bucket::full(now, PACE));
        let in_one = match (old, source) {
            (Some(_), _) => 1,
            (None, IpAddr::V4(_)) => GROUPS_V4,
            (None, IpAddr::V6(_)) => GROUPS_V6,
        };
        let most = pace.tokens(now).saturating_mul(in_one);
        let again = now + self.jitter.within(AGAIN);
        let ours = self.groups.iter_mut();
        let ours = ours.filter(|(group, _)| group.is_ipv4() == source.is_ipv4());
        let mut due: Vec<_> = ours
            .filter_map(|(&group, membership)| {
                if says_all && membership.wanted {
                    membership.answer_at = Some(sooner(membership.answer_at, now));
                }
                let at = membership.due_at().filter(|&at| at <= now)?;
                Some((at, group, membership))
            })
            .collect();
        due.sort_by_key(|&(at, group, _)| (at, group));
        let due = due.into_iter().take(most);
        let said = due.filter_map(|(_, group, it)| Some((it.say(now, again)?, group)));
        let who = (self.mac, source);
        let frames = match old {
            None => reports(self.mac, source, said),
            Some(version) => said
                .filter_map(|said| old_report(who, version, said))
                .collect(),
        };
        pace.take(now, frames.len());
        frames
    }

    fn side(&self, group: IpAddr) -> &Side {
        match group {
            IpAddr::V4(_) => &self.v4,
            IpAddr::V6(_) => &self.v6,
        }
    }

    /// A round says something only where there is something to be said.
    fn plan(&mut self) {
        let of_groups = [&self.v4, &self.v6].into_iter().zip([true, false]);
        let of_groups = of_groups.filter_map(|(side, is_v4)| {
            let ours = self.groups.iter();
            let ours = ours.filter(|(group, _)| group.is_ipv4() == is_v4);
            let due_at = ours.filter_map(|(_, it)| it.due_at()).min()?;
            Some(
                side.ready_at()
                    .map_or(due_at, |ready_at| ready_at.max(due_at)),
            )
        });
        let rounds = self.rounds.poll_timeout();
        let rounds = rounds.filter(|_| !self.groups.is_empty());
        let others = [self.v4.answer_at, self.v6.answer_at, rounds];
        self.next = of_groups.chain(others.into_iter().flatten()).min();
    }
}

impl Membership {
    /// Nothing is to be said of it but in rounds and answers. Who comes back may be remembered.
    fn told() -> Self {
        Membership {
            wanted: true,
            said: true,
            change_at: None,
            changes: 0,
            answer_at: None,
        }
    }

    /// It is wanted from now on.
    fn new(now: Instant) -> Self {
        Membership {
            said: false,
            change_at: Some(now),
            changes: 2,
            ..Self::told()
        }
    }

    /// It is wanted, or not any more.
    fn change(&mut self, now: Instant, wanted: bool) {
        self.wanted = wanted;
        self.change_at = Some(now);
        self.changes = 2;
    }

    /// It was left, and is wanted again before that was said.
    fn take_back(&mut self) {
        self.wanted = true;
        (self.change_at, self.changes) = (None, 0);
    }

    /// When something is to be said of it.
    fn due_at(&self) -> Option<Instant> {
        let change_at = self.change_at.filter(|_| self.changes > 0);
        let answer_at = self.answer_at.filter(|_| self.wanted);
        change_at.into_iter().chain(answer_at).min()
    }

    /// What is said of it now, if anything.
    fn say(&mut self, now: Instant, again: Instant) -> Option<Group> {
        let is_due = |at: &mut Option<Instant>| at.take_if(|at| *at <= now).is_some();
        let is_change = is_due(&mut self.change_at);
        let is_asked = is_due(&mut self.answer_at);
        if is_change {
            self.changes -= 1;
            self.change_at = (self.changes > 0).then_some(again);
        }
        self.said = self.wanted;
        match (self.wanted, is_change) {
            (false, true) => Some(Group::Left),
            (false, false) => None,
            (true, true) => Some(Group::Joined),
            (true, false) => is_asked.then_some(Group::Wanted),
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

    /// The old version that is spoken now in the protocol of this address, if it is one.
    fn version(&self, now: Instant, address: IpAddr) -> Option<u8> {
        let newest = if address.is_ipv4() { 3 } else { 2 };
        let mut old = (1..newest).zip(self.old_until);
        old.find_map(|(version, until)| until.filter(|&until| now < until).map(|_| version))
    }

    /// Not before this may something be said; any time if nothing was.
    fn ready_at(&self) -> Option<Instant> {
        self.pace.as_ref().map(Bucket::has_one_at)
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
