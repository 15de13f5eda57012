//! What players are told of each other's round trips: seldom, only what has changed, and never more than a little.

use super::{Member, Room};
use lanparty_ctrl::Pings;
use lanparty_ctrl::message::Newcomer;
use lanparty_proto::PeerId;
use std::time::{Duration, Instant};

/// How long it takes until somebody hears again of a round trip that has changed.
pub(super) const ROUND: Duration = Duration::from_secs(5);
/// Of how many changes one round tells; the others have their turn in the next.
///
/// A change is 19 bytes at most, so a round is 64 × 19 + 30 = 1246 bytes, and a player hears 250 bytes a second of it at
/// worst, whatever the room's size: less than the link's own acknowledgements. 128 players whose round trips all keep
/// changing cost the relay 128 × 250 = 32 kB/s, where one of them may send 12.5 MB/s; without the limit it would be 62 kB/s, and with
/// 1024 players 4 MB/s. In a room whose paths are steady it is nothing. A newcomer hears once of all, 128 × 19 = 2.4 kB.
const CHANGES_PER_ROUND: usize = 64;
/// Which change is none: jitter is no news.
const JITTER_US: u32 = 2_000;
/// And which part of a long round trip is none.
const JITTER_PART: u32 = 8;

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
}

impl<L: Clone> Room<L> {
    /// What is to be told about round trips, which `rtt` knows by a member's link. Somebody new is told of all, and all
    /// of somebody new, at once; else a round of changes goes out every five seconds.
    pub fn poll_pings(
        &mut self,
        now: Instant,
        rtt: impl Fn(&L) -> Option<Duration>,
    ) -> Vec<(L, Pings)> {
        if !self.members.values().any(Member::hears_pings) {
            return Vec::new();
        }
        let isolated = self.switch.is_isolated();
        if std::mem::replace(&mut self.rounds.isolated, isolated) != isolated {
            let gauges = self.members.values_mut().map(|member| &mut member.gauge);
            gauges.for_each(|gauge| gauge.is_told = false);
        }
        let changed = self.measure(now, rtt);
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
            let all = !std::mem::replace(&mut member.gauge.is_told, true);
            let mut rtt_us = if all { known.clone() } else { changed.clone() };
            rtt_us.truncate(Pings::MOST);
            let is_news = all || !rtt_us.is_empty();
            is_news.then(|| (member.link.clone(), Pings { all, rtt_us }))
        });
        told.collect()
    }

    /// The round trips that have changed, each in its turn.
    fn measure(
        &mut self,
        now: Instant,
        rtt: impl Fn(&L) -> Option<Duration>,
    ) -> Vec<(PeerId, u32)> {
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
            let measured = rtt(&member.link).map(micros);
            let Some(rtt_us) = measured.filter(|&rtt_us| member.gauge.is_news(rtt_us)) else {
                continue;
            };
            if changed.len() == CHANGES_PER_ROUND {
                self.rounds.first = Some(peer);
                break;
            }
            member.gauge.told_us = Some(rtt_us);
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
