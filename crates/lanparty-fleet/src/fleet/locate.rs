//! Where a room is, for whoever says hello.

use super::room::State;
use super::{Fleet, Output, Standing};
use crate::card::Card;
use crate::lease::TTL;
use crate::name::{Fence, RelayId, RoomHash};
use crate::placement::{self, Distances, Near};
use crate::trouble::Trouble;
use std::time::{Duration, Instant};

/// A room whose owner is not in the fleet for so long is nobody's: two leases.
const OWNERLESS: Duration = TTL.saturating_mul(2);

/// Who asks for a room.
#[derive(Debug, Clone, Copy, Default)]
pub struct Asker<'a> {
    /// Its gateway; else a player.
    pub gateway: bool,
    /// The gateway's round trips to relays, if it has measured any.
    pub near: &'a [Near],
    /// How many relays have sent it on to the next already, as far as it says. Who was sent here stays, where the room
    /// is nobody's: two relays that disagree on where it goes must not send it to and fro.
    pub redirects: u8,
    /// It only looks, or has not shown that it is invited: a room that is nobody's stays so.
    pub looks: bool,
    /// It wants a code's open room, which nobody opens while a room of that code is kept for its host.
    pub open: bool,
}

/// Where a room is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Located {
    /// Here.
    Here {
        /// By which fence, for the welcome.
        fence: Fence,
    },
    /// At another relay, or there it shall be.
    Redirect {
        /// Which.
        to: Card,
        /// By which fence it is there; none while it is nobody's.
        fence: Option<Fence>,
    },
    /// It is not known yet: ask again when [`Output::Settled`](super::Output::Settled) names the room, or give up
    /// after [`Fleet::PATIENCE`].
    Ask,
    /// It is at no relay, and none opens it for this asker.
    Nobody,
    /// It is the open room of a code that is kept for a host.
    Claimed,
    /// It cannot be told.
    Refused(Refusal),
}

/// Why it is not told where a room is; a text for who is rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The directory does not answer.
    #[error(
        "the relay cannot ask its fleet's directory at the moment, so it opens no new room; try again in a minute"
    )]
    NoDirectory,
    /// The relay is not in the fleet yet.
    #[error("the relay has just started and is not in its fleet yet; try again in some seconds")]
    Entering,
    /// No relay takes a room.
    #[error("all relays of the fleet are full; try again later")]
    Full,
    /// More rooms than the directory writes are being opened.
    #[error("the relay opens many rooms at the moment; try again in some seconds")]
    Busy,
}

impl Fleet {
    /// As long as somebody waits for an answer at most.
    pub const PATIENCE: Duration = Duration::from_secs(3);

    /// Nobody of a room that was opened here could come in, as the relay is full: it takes no room any more before it says so by
    /// [`handle_load`](Self::handle_load) again, and this one goes to another relay. False where it stays, as somebody is in it.
    pub fn give_back(&mut self, now: Instant, room: RoomHash) -> bool {
        if self.rooms.get(&room).is_some_and(|ours| ours.open) {
            return false;
        }
        self.card.free = 0;
        if self.rooms.remove(&room).is_some() {
            self.strays.add(room);
        }
        self.handle_timeout(now);
        true
    }

    /// Where a room is. Ask only for whom the limits on guesses and joins let in: a room that is nobody's becomes this
    /// relay's thereby, for ten seconds at least.
    pub fn locate(&mut self, now: Instant, room: RoomHash, asker: &Asker<'_>) -> Located {
        // A relay that was stopped and wakes up must know before it answers anybody.
        self.handle_timeout(now);
        let located = self.find(now, room, asker);
        match &located {
            Located::Here { .. } => self.counts.here += 1,
            Located::Redirect { .. } => self.counts.redirected += 1,
            Located::Refused(_) => self.counts.refused += 1,
            Located::Ask | Located::Nobody | Located::Claimed => {}
        }
        located
    }

    fn find(&mut self, now: Instant, room: RoomHash, asker: &Asker<'_>) -> Located {
        if let Some(ours) = self.rooms.get_mut(&room) {
            // Who only asks has not said how far it is from where.
            if asker.gateway && !asker.near.is_empty() {
                ours.near = placement::distances(asker.near, &self.view.relays);
            }
            match &ours.state {
                State::Held(held) => return Located::Here { fence: held.fence },
                State::Leaving(leaving) => {
                    let to = leaving.to.clone();
                    let fence = Some(leaving.fence);
                    return Located::Redirect { to, fence };
                }
                State::Claiming(_) => return Located::Ask,
                State::Failed { until, why } if now < *until => return Located::Refused(*why),
                State::Failed { .. } => {
                    self.rooms.remove(&room);
                }
            }
        }
        match self.view.rooms.get(&room) {
            Some(owned) if owned.relay == self.settings.id => self.place(now, room, asker),
            Some(owned) => {
                let (relay, revision) = (owned.relay, owned.revision);
                match self.view.relays.get(&relay) {
                    Some(card) if self.is_predecessor(now, card) => {
                        let redirects = asker.redirects.max(1);
                        self.place(
                            now,
                            room,
                            &Asker {
                                redirects,
                                ..*asker
                            },
                        )
                    }
                    Some(card) => Located::Redirect {
                        to: card.clone(),
                        fence: self.fence(revision),
                    },
                    None => self.ownerless(now, room, asker),
                }
            }
            None => self.place(now, room, asker),
        }
    }

    /// Whether that is who stood here before this relay: peers who are sent there come here, so it is gone, whatever the
    /// directory still says of it until its lease has ended.
    fn is_predecessor(&self, now: Instant, card: &Card) -> bool {
        let is_new = self.entered.is_none_or(|entered| now < entered + OWNERLESS);
        is_new && self.is_at_our_address(card)
    }

    fn is_at_our_address(&self, card: &Card) -> bool {
        card.address == self.settings.address && card.pin == self.settings.pin
    }

    /// Who is still there when it cannot be a predecessor is a relay of its own, and neither can be found for sure.
    pub(super) fn look_for_double(&mut self, now: Instant) {
        let id = self.settings.id;
        let is_double = |(&relay, card): (&RelayId, &Card)| {
            relay != id && self.is_at_our_address(card) && !self.is_predecessor(now, card)
        };
        if self.view.relays.iter().any(is_double) {
            self.say(now, Trouble::SameAddress);
        }
    }

    /// The owner has no card: it has just come, or is gone, or never was.
    fn ownerless(&mut self, now: Instant, room: RoomHash, asker: &Asker<'_>) -> Located {
        let Some(owned) = self.view.rooms.get_mut(&room) else {
            return Located::Ask;
        };
        let since = *owned.ownerless.get_or_insert(now);
        if now >= since + OWNERLESS {
            return self.place(now, room, asker);
        }
        self.asked_for.insert(room);
        Located::Ask
    }

    /// Whoever waits for a room whose owner was not there asks again: it has another one, or none, or that one has come.
    pub(super) fn settle_ownerless(&mut self, room: RoomHash) {
        if self.asked_for.remove(&room) {
            self.outputs.push_back(Output::Settled(room));
        }
    }

    /// The same for all of them.
    pub(super) fn settle_all_ownerless(&mut self) {
        let rooms = std::mem::take(&mut self.asked_for).into_iter();
        self.outputs.extend(rooms.map(Output::Settled));
    }

    fn place(&mut self, now: Instant, room: RoomHash, asker: &Asker<'_>) -> Located {
        match self.standing {
            Standing::In => {}
            Standing::Fenced | Standing::Refused | Standing::Left if asker.looks => {
                return Located::Nobody;
            }
            Standing::Entering if self.agreement.is_known() => return Located::Ask,
            Standing::Entering => return Located::Refused(Refusal::Entering),
            _ => return Located::Refused(Refusal::NoDirectory),
        }
        if asker.open && self.view.claims.contains_key(&room) {
            return Located::Claimed;
        }
        if asker.looks {
            return self.kept(now, &room);
        }
        let near = placement::distances(asker.near, &self.view.relays);
        let chosen = self.chosen(now, &room, asker, &near);
        let Some(chosen) = chosen else {
            return Located::Refused(Refusal::Full);
        };
        // Where all are late, late is better than nothing: for a party whose relay is gone always, for a new one up to a point.
        let goes_on = self.view.claims.contains_key(&room);
        if chosen == self.settings.id && self.overload.is_too_slow() && !goes_on {
            return Located::Refused(Refusal::Full);
        }
        if chosen == self.settings.id {
            return self.open(now, room, asker, near);
        }
        match self.view.relays.get(&chosen) {
            Some(card) => Located::Redirect {
                to: card.clone(),
                fence: None,
            },
            None => Located::Ask,
        }
    }

    /// Nobody has the room, but a relay may keep its code: that one knows who is invited.
    fn kept(&self, now: Instant, room: &RoomHash) -> Located {
        let keeper = self
            .view
            .keeper(room)
            .filter(|&keeper| keeper != self.settings.id);
        let card = keeper.and_then(|keeper| self.view.relays.get(&keeper));
        match card.filter(|card| !self.is_predecessor(now, card)) {
            Some(card) => Located::Redirect {
                to: card.clone(),
                fence: None,
            },
            None => Located::Nobody,
        }
    }

    fn chosen(
        &self,
        now: Instant,
        room: &RoomHash,
        asker: &Asker<'_>,
        near: &Distances,
    ) -> Option<RelayId> {
        let own = self.wanted_card(now);
        if asker.redirects > 0 && own.takes_rooms() {
            return Some(self.settings.id);
        }
        if let Some(keeper) = self.view.keeper(room) {
            let card = self.view.relays.get(&keeper);
            let was_here = card.is_some_and(|card| self.is_predecessor(now, card));
            match keeper == self.settings.id || was_here {
                true if own.takes_rooms() && !own.slow => return Some(self.settings.id),
                true => {}
                false => return Some(keeper),
            }
        }
        self.best(now, &own, room, near, &[])
    }

    /// Where a room goes that is nobody's, but not to these.
    pub(super) fn best(
        &self,
        now: Instant,
        own: &Card,
        room: &RoomHash,
        near: &Distances,
        but: &[RelayId],
    ) -> Option<RelayId> {
        let id = self.settings.id;
        let others = self.view.relays.iter();
        let others =
            others.filter(|&(&relay, card)| relay != id && !self.is_predecessor(now, card));
        let all = others
            .map(|(&relay, card)| (relay, card))
            .chain([(id, own)]);
        let takes: Vec<_> = all
            .filter(|(relay, card)| card.takes_rooms() && !but.contains(relay))
            .collect();
        let ready: Vec<_> = takes
            .iter()
            .copied()
            .filter(|(_, card)| card.ready)
            .collect();
        // All of them have just started, or all are late: then any is better than none.
        let candidates = if ready.is_empty() { takes } else { ready };
        let quick: Vec<_> = candidates
            .iter()
            .copied()
            .filter(|(_, card)| !card.slow)
            .collect();
        let candidates = if quick.is_empty() { candidates } else { quick };
        placement::choose(room, placement::nearest(candidates.into_iter(), near))
    }
}
