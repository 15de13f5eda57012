//! What players are told of each other's round trips, and of their own losses: seldom, only what has changed, and never
//! more than a little.

use super::{Member, Room};
use lanparty_ctrl::Pings;
use lanparty_ctrl::message::Newcomer;
use lanparty_obs::{Losses, Packets};
use lanparty_proto::PeerId;
use std::time::{Duration, Instant};

/// How long it takes until somebody hears again of a round trip that has changed.
pub(super) const ROUND: Duration = Duration::from_secs(5);
/// Of how many changes one round tells; the others have their turn in the next.
///
/// A change is 19 bytes at most, so a round is 64 × 19 + 60 = 1276 bytes, and a player hears 255 bytes a second of it at
/// worst, whatever the room's size: less than the link's own acknowledgements. 128 players whose round trips all keep
/// changing cost the relay 128 × 255 = 33 kB/s, where one of them may send 12.5 MB/s; without the limit it would be 62 kB/s, and with
/// 1024 players 4 MB/s. In a room whose paths are steady it is nothing. A newcomer hears once of all, 128 × 19 = 2.4 kB.
const CHANGES_PER_ROUND: usize = 64;
/// Which change is none: jitter is no news.
const JITTER_US: u32 = 2_000;
/// And which part of a long round trip is none.
const JITTER_PART: u32 = 8;

/// How the way to a member is, as its link knows it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Path {
    /// The smoothed round trip.
    pub rtt: Duration,
    /// What became of the packets to it.
    pub packets: Packets,
}

/// When a room's players hear of round trips next, and what they have heard.
#[derive(Debug, Default)]
pub(super) struct Rounds {
    next: Option<Instant>,
    /// The first whose turn is in the next round.
    first: Option<PeerId>,
    /// Whether what was told last is for players who are kept apart.
    isolated: bool,
}

/// What a member has been told, and what others have been told of it.
#[derive(Debug, Default)]
pub(super) struct Gauge {
    /// Its round trip in microseconds, as everybody was told it last.
    told_us: Option<u32>,
    /// True once it has been told of the others.
    is_told: bool,
    losses: Losses,
    loss_permille: Option<u16>,
    told_loss: Option<u16>,
}

impl<L: Clone> Room<L> {
    /// What is to be told about the ways to members, which `path` knows by a member's link. Somebody new is told of all, and all
    /// of somebody new, at once; else a round of changes goes out every five seconds.
    pub fn poll_pings(
        &mut self,
        now: Instant,
        path: impl Fn(&L) -> Option<Path>,
    ) -> Vec<(L, Pings)> {
        if !self.members.values().any(|member| member.hears_pings()) {
            return Vec::new();
        }
        let isolated = self.switch.is_isolated();
        if std::mem::replace(&mut self.rounds.isolated, isolated) != isolated {
            let gauges = self.members.values_mut().map(|member| &mut member.gauge);
            gauges.for_each(|gauge| gauge.is_told = false);
        }
        let changed = self.measure(now, path);
        let of_lan = |changed: &[(PeerId, u32)]| {
            let is_lan = |peer: &PeerId| self.switch.gateway() == Some(*peer);
            let shown = changed.iter().filter(|(peer, _)| !isolated || is_lan(peer));
            shown.copied().collect::<Vec<_>>()
        };
        let changed = of_lan(&changed);
        let known = self.members.iter();
        let known = known.filter_map(|(&peer, member)| Some((peer, member.gauge.told_us?)));
        let known = of_lan(&known.collect::<Vec<_>>());
        let listeners = self.members.values_mut();
        let listeners = listeners.filter(|member| member.hears_pings());
        let told = listeners.filter_map(|member| {
            let gauge = &mut member.gauge;
            let all = !std::mem::replace(&mut gauge.is_told, true);
            let loss_permille = gauge.loss_permille;
            let other_loss =
                std::mem::replace(&mut gauge.told_loss, loss_permille) != loss_permille;
            let mut rtt_us = if all { known.clone() } else { changed.clone() };
            rtt_us.truncate(Pings::MOST);
            let is_news = all || other_loss || !rtt_us.is_empty();
            let pings = Pings {
                all,
                rtt_us,
                loss_permille,
            };
            is_news.then(|| (member.link.clone(), pings))
        });
        told.collect()
    }

    /// The round trips that have changed, each in its turn.
    fn measure(&mut self, now: Instant, path: impl Fn(&L) -> Option<Path>) -> Vec<(PeerId, u32)> {
        let rounds = &mut self.rounds;
        let is_round = rounds.next.is_none_or(|next| next <= now);
        if is_round {
            rounds.next = Some(now + ROUND);
        }
        let first = rounds.first.take();
        let mut changed = Vec::new();
        let later = self
            .members
            .iter_mut()
            .map(|(&peer, member)| (peer, member));
        let (mut waiting, before): (Vec<_>, Vec<_>) =
            later.partition(|&(peer, _)| Some(peer) >= first);
        waiting.extend(before);
        for (peer, member) in waiting {
            if !is_round && member.gauge.told_us.is_some() {
                continue;
            }
            let Some(path) = path(&member.link) else {
                continue;
            };
            let gauge = &mut member.gauge;
            gauge.loss_permille = gauge.losses.of_late(now, path.packets);
            let rtt_us = micros(path.rtt);
            if !gauge.is_news(rtt_us) {
                continue;
            }
            if changed.len() == CHANGES_PER_ROUND {
                self.rounds.first = self.rounds.first.or(Some(peer));
                continue;
            }
            gauge.told_us = Some(rtt_us);
            changed.push((peer, rtt_us));
        }
        changed
    }
}

impl<L> Member<L> {
    /// The host asks for more than that.
    fn hears_pings(&self) -> bool {
        self.takes_pings && self.record.who != Newcomer::Gateway
    }
}

impl Gauge {
    /// The round trip that others were told of last.
    pub(super) fn told_us(&self) -> Option<u32> {
        self.told_us
    }

    fn is_news(&self, rtt_us: u32) -> bool {
        self.told_us.is_none_or(|told| {
            let jitter = JITTER_US.max(told / JITTER_PART);
            told.abs_diff(rtt_us) > jitter
        })
    }
}

fn micros(rtt: Duration) -> u32 {
    u32::try_from(rtt.as_micros()).unwrap_or(u32::MAX)
}
