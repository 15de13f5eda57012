//! Which groups a room's players want, by their own reports: the membership database of RFC 4605 §4.1.

use super::LIFETIME;
use super::message::{Change, Message};
use lanparty_proto::MacAddr;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Instant;

/// With how many groups one player is remembered. A machine has a dozen by itself: those of its IPv6 addresses and of
/// its services' discovery.
pub(super) const MAX_GROUPS_OF_ONE: usize = 128;
/// How many groups a room has at most.
pub(super) const MAX_GROUPS_OF_ALL: usize = 1024;

/// Who wants which group, and when that was last said. Players are known by their MACs, which outlive a link.
#[derive(Debug, Default)]
pub(super) struct Members {
    /// No group is without a player.
    groups: BTreeMap<IpAddr, BTreeMap<MacAddr, Instant>>,
    /// How many groups each player has.
    counts: BTreeMap<MacAddr, usize>,
}

impl Members {
    /// A player says which groups it wants, or not any more. Tells `changed` what somebody wants now and nobody did
    /// before, and the other way round; answers whether all of it is remembered.
    pub(super) fn learn(
        &mut self,
        now: Instant,
        player: MacAddr,
        report: &Message<'_>,
        mut changed: impl FnMut(IpAddr, bool),
    ) -> bool {
        let mut is_whole = true;
        for change in report.all_changes() {
            match change {
                Change::Joins(group) => match self.join(now, player, group) {
                    Joined::First => changed(group, true),
                    Joined::Another => {}
                    Joined::TooMany => is_whole = false,
                },
                Change::Leaves(group) if self.leave(player, group) => changed(group, false),
                Change::Leaves(_) => {}
            }
        }
        is_whole
    }

    /// A player goes; tells `unwanted` what nobody wants any more.
    pub(super) fn forget(&mut self, player: MacAddr, unwanted: impl FnMut(IpAddr)) {
        self.retain(|mac, _| mac != player, unwanted);
    }

    /// Forgets what was not said again within [`LIFETIME`], or not since then.
    pub(super) fn expire(
        &mut self,
        now: Instant,
        since: Option<Instant>,
        unwanted: impl FnMut(IpAddr),
    ) {
        let is_live = |said_at| now.saturating_duration_since(said_at) < LIFETIME;
        let is_told = |said_at| since.is_none_or(|since| said_at >= since);
        self.retain(|_, said_at| is_live(said_at) && is_told(said_at), unwanted);
    }

    /// What somebody wants.
    pub(super) fn groups(&self) -> impl Iterator<Item = IpAddr> {
        self.groups.keys().copied()
    }

    fn join(&mut self, now: Instant, player: MacAddr, group: IpAddr) -> Joined {
        let known = self.groups.get_mut(&group);
        let is_first = known.is_none();
        if let Some(said_at) = known.and_then(|players| players.get_mut(&player)) {
            *said_at = now;
            return Joined::Another;
        }
        let count = self.counts.entry(player).or_default();
        let is_full = is_first && self.groups.len() == MAX_GROUPS_OF_ALL;
        if *count == MAX_GROUPS_OF_ONE || is_full {
            return Joined::TooMany;
        }
        *count += 1;
        self.groups.entry(group).or_default().insert(player, now);
        match is_first {
            true => Joined::First,
            false => Joined::Another,
        }
    }

    /// True when nobody is left.
    fn leave(&mut self, player: MacAddr, group: IpAddr) -> bool {
        let Some(players) = self.groups.get_mut(&group) else {
            return false;
        };
        if players.remove(&player).is_some() {
            discount(&mut self.counts, player);
        }
        players.is_empty() && self.groups.remove(&group).is_some()
    }

    fn retain(
        &mut self,
        mut stays: impl FnMut(MacAddr, Instant) -> bool,
        mut unwanted: impl FnMut(IpAddr),
    ) {
        let counts = &mut self.counts;
        self.groups.retain(|&group, players| {
            players.retain(|&player, &mut said_at| {
                let stays = stays(player, said_at);
                if !stays {
                    discount(counts, player);
                }
                stays
            });
            if players.is_empty() {
                unwanted(group);
            }
            !players.is_empty()
        });
    }
}

/// What came of a player's wish.
enum Joined {
    First,
    Another,
    TooMany,
}

fn discount(counts: &mut BTreeMap<MacAddr, usize>, player: MacAddr) {
    if let Some(count) = counts.get_mut(&player) {
        *count -= 1;
        if *count == 0 {
            counts.remove(&player);
        }
    }
}
