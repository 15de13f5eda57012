//! Who has fallen silent, where that matters to others: a party that has several relays may have gone to another one, and the
//! link that it has left here lives on for QUIC's fifteen seconds (spec R35, R150).

use super::Room;
use lanparty_ctrl::message::Newcomer;
use lanparty_ctrl::places::Silence;
use std::time::{Duration, Instant};

/// Without a word for so long, somebody is silent. A peer that has nothing to say asks its relay every two seconds
/// whether it is there.
const SILENT: Duration = Duration::from_secs(3);

/// What was heard of a member.
#[derive(Debug)]
pub(super) struct Hearing {
    heard: u64,
    since: Instant,
    is_silent: bool,
}

impl Hearing {
    pub(super) fn new(now: Instant) -> Self {
        Hearing {
            heard: 0,
            since: now,
            is_silent: false,
        }
    }

    /// Whether it has fallen silent, or is heard again; `heard` counts what has come of it.
    fn hear(&mut self, now: Instant, heard: u64) -> Option<bool> {
        if heard != self.heard {
            (self.heard, self.since) = (heard, now);
        }
        let is_silent = now.saturating_duration_since(self.since) >= SILENT;
        (std::mem::replace(&mut self.is_silent, is_silent) != is_silent).then_some(is_silent)
    }
}

impl<L: Clone> Room<L> {
    /// Who is to be told of whose silence, or of its end: players of the gateway's, the gateway of each player's. Only where the
    /// gateway has told a term, which it does where the party has several relays. `heard` counts what has come over a link.
    pub fn poll_silences(&mut self, now: Instant, heard: impl Fn(&L) -> u64) -> Vec<(L, Silence)> {
        let mut members = self.members.values();
        if !members.any(|member| member.term().is_some()) {
            return Vec::new();
        }
        let heard = self.members.iter_mut().filter_map(|(&peer_id, member)| {
            let silent = member.hearing.hear(now, heard(&member.link))?;
            Some((member.record.who, Silence { peer_id, silent }))
        });
        let news: Vec<_> = heard.collect();
        let of = |(who, silence): &(Newcomer, Silence)| {
            let is_told = |other: Newcomer| match who {
                Newcomer::Gateway => other != Newcomer::Gateway,
                Newcomer::Client(_) => other == Newcomer::Gateway,
            };
            let listeners = self
                .members
                .values()
                .filter(move |member| member.takes_redirects && is_told(member.record.who));
            let silence = *silence;
            let told = listeners.map(move |member| (member.link.clone(), silence));
            told.collect::<Vec<_>>()
        };
        news.iter().flat_map(of).collect()
    }
}
