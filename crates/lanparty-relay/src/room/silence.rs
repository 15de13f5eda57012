//! Who has fallen silent, where that matters to others: a party that has several relays may have gone to another one, and the
//! link that it has left here lives on for a while: for the four seconds of QUIC links of peers that know several relays
//! (`lanparty_quic::Endpoint::brisk`), for up to fifteen where it was made otherwise, as over TCP (spec R35, R150).

use super::{Room, Step};
use lanparty_ctrl::RelayMessage;
use lanparty_ctrl::message::{Entry, Newcomer};
use lanparty_ctrl::places::Silence;
use std::time::{Duration, Instant};

/// Without a word for so long, somebody is silent: a second before the shortest link ends by itself, and whatever its
/// other end has made of it. A peer that has nothing to say asks its relay every two seconds whether it is there.
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

    /// Whether it was silent when last listened to.
    pub(super) fn is_silent(&self) -> bool {
        self.is_silent
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
    /// True while there is a gateway and something comes of it. One that has told no term always counts as heard.
    pub fn hears_gateway(&self) -> bool {
        let member = self.gateway().and_then(|peer| self.members.get(&peer));
        member.is_some_and(|gateway| !gateway.hearing.is_silent())
    }

    /// Of whose silence this newcomer is told at once: what [`Self::poll_silences`] has told the others already.
    pub(super) fn silences_for(&self, entry: &Entry) -> Vec<Step<L>> {
        let silent = self.members.iter().filter(|(_, member)| {
            let concerns = match entry.who {
                Newcomer::Client(_) => member.record.who == Newcomer::Gateway,
                Newcomer::Gateway => entry.term.is_some(),
            };
            entry.takes_redirects && concerns && member.hearing.is_silent()
        });
        let silent = silent.map(|(&peer_id, _)| Silence {
            peer_id,
            silent: true,
        });
        silent
            .map(|silence| Step::Answer(RelayMessage::Silence(silence)))
            .collect()
    }

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
