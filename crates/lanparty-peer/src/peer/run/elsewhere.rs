//! Looking at the other relays while a link stands, and going over to where the party is.

use super::super::{FramePort, PeerCore, PeerHost, RelaySight, RunError};
use super::Peer;
use super::said::Said;
use super::sent::{SILENT, Sent};
use super::several::Looked;
use super::wish::Wish;
use crate::link::RelayLink;
use crate::relays::Relays;
use crate::relays::choose::{Answer, Choice, Chooser};
use crate::relays::rhythm::{Rhythm, jittered};
use crate::relays::survey::{Question, Reply, Step};
use lanparty_ctrl::message::{Hello, Newcomer, Role};
use lanparty_ctrl::places::Silence;
use lanparty_ctrl::{NoticeKind, RelayMessage};
use lanparty_edge::address::RelayAddress;
use lanparty_proto::PeerId;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// How long a gateway that has no players leaves the others unasked, each time.
const LONELY: Duration = Duration::from_secs(10);
/// After so long the host is told how its relays do, whoever of them has not answered.
const LOOKED: Duration = Duration::from_secs(3);

/// What is known of the party's being elsewhere.
#[derive(Debug, Default)]
pub(super) struct Elsewhere {
    rhythm: Rhythm,
    /// The gateway that is here.
    gateway: Option<PeerId>,
    /// It is of an earlier term.
    stale: Option<PeerId>,
    is_draining: bool,
    /// Where the fleet wants us.
    pub(super) sent: Sent,
    /// Where the fleet was asked to have the party.
    pub(super) wished: Option<RelayAddress>,
    /// Of whom nothing has come to this relay for seconds: the gateway, or to a gateway its players.
    silent: BTreeSet<PeerId>,
    /// Players who are here, for gateways; and since when there are none.
    players: usize,
    lonely_since: Option<Instant>,
    /// Where a gateway without any player has gone since it saw the last one: nobody walks it about for ever.
    lonely_at: Vec<usize>,
    /// Since when the host wants to know how all of them do.
    look_since: Option<Instant>,
    /// Why the relays are asked that are asked now.
    pub(super) wish: Option<Wish>,
    looked: Looked,
    /// The other relay to which hello was said last is one of the internet.
    pub(super) is_of_internet: bool,
    /// What was said to relays that are not here.
    pub(super) said: Said,
}

impl Elsewhere {
    /// The link is gone.
    pub(super) fn ended(&mut self, now: Instant) {
        let rhythm = std::mem::take(&mut self.rhythm);
        let mut said = std::mem::take(&mut self.said);
        said.ended();
        let lonely_at = std::mem::take(&mut self.lonely_at);
        let mut sent = std::mem::take(&mut self.sent);
        sent.ends();
        *self = Elsewhere {
            lonely_at,
            sent,
            rhythm,
            said,
            ..Elsewhere::default()
        };
        self.rhythm.poll(now, false, 0);
    }
}

impl<C: PeerCore, P: FramePort, H: PeerHost<C>> Peer<'_, C, P, H> {
    /// The link stands: who is there.
    pub(super) fn note_gateway(&mut self, link: &RelayLink) {
        let welcome = link.welcome();
        let term = Relays::term(self.relay, welcome.term.as_ref(), link.key());
        self.elsewhere.lonely_since = Some(Instant::now());
        self.elsewhere.gateway = welcome.gateway;
        self.elsewhere.stale = welcome
            .gateway
            .filter(|_| self.is_player() && !self.relays.believe(term));
    }

    /// What the relay says that concerns where the party is.
    pub(super) fn note_control(&mut self, now: Instant, link: &RelayLink, message: &RelayMessage) {
        match message {
            RelayMessage::PeerJoined(who) if who.role == Role::Gateway => {
                let term = Relays::term(self.relay, who.term.as_ref(), link.key());
                let is_over = self.is_player() && !self.relays.believe(term);
                self.elsewhere.gateway = Some(who.peer_id);
                self.elsewhere.stale = is_over.then_some(who.peer_id);
            }
            RelayMessage::PeerJoined(_) => {
                self.elsewhere.lonely_at.clear();
                self.elsewhere.players += 1;
                self.elsewhere.lonely_since = None;
            }
            RelayMessage::PeerLeft(who) => {
                self.elsewhere.silent.remove(&who.peer_id);
                self.elsewhere
                    .gateway
                    .take_if(|gateway| *gateway == who.peer_id);
                if self.elsewhere.stale == Some(who.peer_id) {
                    self.elsewhere.stale = None;
                    return;
                }
                self.elsewhere.players = self.elsewhere.players.saturating_sub(1);
                if self.elsewhere.players == 0 {
                    self.elsewhere.lonely_since = Some(now);
                }
            }
            RelayMessage::Silence(Silence {
                peer_id,
                silent: true,
            }) => {
                self.elsewhere.silent.insert(*peer_id);
            }
            RelayMessage::Silence(Silence {
                peer_id,
                silent: false,
            }) => {
                self.elsewhere.silent.remove(peer_id);
            }
            RelayMessage::Notice(notice) => match notice.kind {
                NoticeKind::Draining => self.elsewhere.is_draining = true,
                NoticeKind::Staying => self.elsewhere.is_draining = false,
                _ => {}
            },
            RelayMessage::Moved(to) => self.is_sent(now, link, to),
            _ => {}
        }
    }

    /// Whether a gateway's players may be looking for it elsewhere: all of them have gone without a word, or say nothing now.
    fn is_deserted(&self, now: Instant) -> bool {
        let Elsewhere {
            silent, players, ..
        } = &self.elsewhere;
        (*players > 0 && silent.len() >= *players) || self.core.is_deserted(now)
    }

    pub(super) fn is_player(&self) -> bool {
        self.core.newcomer() != Newcomer::Gateway
    }

    /// Why to go elsewhere now, if at all.
    fn wish(&mut self, now: Instant, link: &RelayLink) -> Option<Wish> {
        if let Some(place) = self.elsewhere.sent.place() {
            return Some(Wish::To(place));
        }
        let has_others = self.relays.are_several() || self.relays.are_fleet();
        if !has_others {
            return None;
        }
        if self.is_player() {
            let is_missed = self.elsewhere.stale.is_some()
                || !self.elsewhere.silent.is_empty()
                || self.core.misses_gateway(now);
            return is_missed.then_some(Wish::Party);
        }
        let is_lonely = self
            .elsewhere
            .lonely_since
            .is_some_and(|since| now.saturating_duration_since(since) >= LONELY);
        if let Some(place) = self.preferred(link) {
            Some(Wish::To(place))
        } else if self.elsewhere.is_draining && self.relays.are_several() {
            Some(Wish::Away)
        } else if link.is_faint() {
            Some(Wish::Ready)
        } else if self.is_deserted(now) || is_lonely {
            Some(Wish::Players)
        } else {
            self.elsewhere.look_since.map(|_| Wish::Look)
        }
    }

    /// The relay where the host wants the party, unless it is here.
    fn preferred(&mut self, link: &RelayLink) -> Option<usize> {
        let Some(wanted) = self.host.preferred_relay() else {
            self.elsewhere.wished = None;
            return None;
        };
        if self.is_matter_of_fleet(link, &wanted) {
            return None;
        }
        let place = self.relays.named(&wanted)?;
        (place != link.place()).then_some(place)
    }

    /// Asks the others when it is time to; to be called every look.
    pub(super) async fn look_elsewhere(&mut self, link: &RelayLink) -> Result<(), RunError> {
        let now = Instant::now();
        self.relays
            .keep_fence(now, link.place(), link.welcome().fence);
        if self.host.wants_survey() {
            self.elsewhere.look_since = Some(now);
        }
        let is_over = |since: Instant| now.saturating_duration_since(since) >= LOOKED;
        if self.elsewhere.look_since.is_some_and(is_over) {
            self.tell_who_is_silent(link).await?;
        }
        self.look_at_sent(now).await?;
        let wish = self.wish(now, link);
        let random = rand::random();
        // A link that falls silent, or a relay that ends, is no matter of patience.
        let is_urgent = matches!(wish, Some(Wish::Ready | Wish::Away | Wish::Look))
            && self.elsewhere.wish != wish;
        if is_urgent {
            self.elsewhere.rhythm.asked(now, random);
        }
        let is_due = self.elsewhere.rhythm.poll(now, wish.is_some(), random) || is_urgent;
        if wish == Some(Wish::Players) && is_due {
            match self.is_deserted(now) {
                true => self.elsewhere.rhythm.hurry(now, random),
                // Nobody is known to look for it.
                false => self.elsewhere.rhythm.rest(now + jittered(LONELY, random)),
            }
        }
        if let Some(wish) = wish.filter(|_| is_due) {
            self.ask_others(now, link.place(), wish);
        }
        if wish.is_none() && self.elsewhere.wish.is_some() {
            self.elsewhere.wish = None;
            self.survey.stop();
        }
        self.say_anew(link).await?;
        self.decide(link)
    }

    fn ask_others(&mut self, now: Instant, here: usize, wish: Wish) {
        let mut survey = std::mem::take(&mut self.survey);
        if self.elsewhere.wish != Some(wish) {
            survey.stop();
            self.elsewhere.looked = Looked::default();
        }
        self.elsewhere.wish = Some(wish);
        survey.begin(now, Duration::ZERO);
        match wish {
            Wish::To(place) => {
                // Whoever is sent there need not ask.
                let question = match self.elsewhere.sent.place() {
                    Some(_) => Question::Nothing,
                    None => Question::Find,
                };
                self.look_up(&mut survey, place, question);
            }
            Wish::Party | Wish::Players | Wish::Away | Wish::Ready | Wish::Look => {
                let is_fleet = self.relays.are_fleet();
                for place in self
                    .relays
                    .invited()
                    .filter(|place| is_fleet || *place != here)
                {
                    self.look_up(&mut survey, place, Question::Find);
                }
            }
        }
        self.survey = survey;
    }

    /// One of those who are asked has answered.
    pub(super) async fn hear_survey(
        &mut self,
        link: &RelayLink,
        step: (usize, Step),
    ) -> Result<(), RunError> {
        let mut survey = std::mem::take(&mut self.survey);
        let mut looked = std::mem::take(&mut self.elsewhere.looked);
        let was_running = survey.is_running();
        let handled = self
            .handle_step(&mut survey, step, Some(link), &mut looked)
            .await;
        let is_over = was_running && !survey.is_running();
        if is_over {
            self.note_sights(&survey);
            self.note_here(link);
            self.elsewhere.look_since = None;
        }
        self.survey = survey;
        self.elsewhere.looked = looked;
        handled?;
        if is_over {
            self.tell_sights(Some(link)).await?;
        }
        self.decide(link)
    }

    /// The host has waited long enough: who has not answered by now is silent.
    async fn tell_who_is_silent(&mut self, link: &RelayLink) -> Result<(), RunError> {
        self.elsewhere.look_since = None;
        let survey = std::mem::take(&mut self.survey);
        self.note_sights(&survey);
        let has_replied = |place| survey.replies().any(|replied| replied.place == place);
        let silent: Vec<_> = self
            .relays
            .invited()
            .filter(|place| survey.has(*place) && !has_replied(*place))
            .collect();
        self.survey = survey;
        let now = Instant::now();
        for place in silent {
            self.sights.note(RelaySight {
                address: self.relays.place(place).address.clone(),
                region: None,
                rtt: None,
                at: now,
                is_here: false,
                leads_to: None,
                said: Some(SILENT.to_owned()),
            });
        }
        self.note_here(link);
        self.tell_sights(Some(link)).await
    }

    /// The link that stands knows how far its relay is.
    fn note_here(&mut self, link: &RelayLink) {
        self.sights.note(RelaySight {
            address: self.relays.place(link.place()).address.clone(),
            region: link.welcome().region.clone(),
            rtt: link.rtt(),
            at: Instant::now(),
            is_here: true,
            leads_to: None,
            said: None,
        });
    }

    /// Goes over where one of those who have answered is the right one.
    fn decide(&mut self, link: &RelayLink) -> Result<(), RunError> {
        let now = Instant::now();
        let here = link.place();
        let Some(wish) = self.elsewhere.wish.filter(|_| self.beside.is_idle()) else {
            return Ok(());
        };
        let may_move = self.elsewhere.rhythm.may_move(now);
        let is_deserted = self.is_deserted(now);
        let is_new = |place| is_deserted || !self.elsewhere.lonely_at.contains(&place);
        let has_gateway = self.elsewhere.stale.is_none() && self.elsewhere.gateway.is_some();
        let is_wanted = |place: usize, answer: &Answer| match (wish, answer) {
            (Wish::To(to), _) if self.elsewhere.sent.place().is_some() => place == to,
            (Wish::To(to), _) if place != to => false,
            (_, _) if place == here => false,
            (_, _) if self.elsewhere.said.has_refused(now, place) => false,
            (Wish::Ready | Wish::Look, _) => false,
            (Wish::Players, Answer::Open(open)) => open.waiting > 0 && may_move && is_new(place),
            (Wish::Players, _) => false,
            // Whether it is at an old one shows inside only, and it may be here again any moment.
            (Wish::Party, Answer::Old) => may_move && !has_gateway,
            (Wish::Party | Wish::Away | Wish::To(_), _) => true,
        };
        let chooser = match self.chooser() {
            Chooser::Player { seen, .. } => Chooser::Player {
                seen,
                is_open_room: matches!(wish, Wish::To(_)),
            },
            Chooser::Gateway { .. } => Chooser::Gateway {
                is_sought: wish == Wish::Players,
            },
        };
        let order = self.relays.order(self.relay);
        let is_doubted = |place| self.is_doubted(now, place);
        let chosen = self
            .survey
            .choose(now, chooser, &order, is_wanted, is_doubted);
        if let Choice::Enter(place) = chosen {
            self.enter_beside(now, place, wish);
        }
        Ok(())
    }

    fn enter_beside(&mut self, now: Instant, place: usize, wish: Wish) {
        let reached = self.survey.take_reached(now, place);
        if reached.is_none() && self.elsewhere.wish == Some(wish) {
            // Who has answered without a connection that stands is reached anew, and entered then.
            let is_old = self
                .survey
                .replies()
                .any(|replied| replied.place == place && matches!(replied.reply, Ok(Reply::Old)));
            self.survey.stop();
            if is_old {
                self.elsewhere.rhythm.moves(now);
                let mut survey = std::mem::take(&mut self.survey);
                self.look_up(&mut survey, place, Question::Nothing);
                self.survey = survey;
                self.elsewhere.wish = Some(Wish::To(place));
            }
            return;
        }
        let Some(reached) = reached else { return };
        let address = &self.relays.place(place).address;
        tracing::info!(relay = %address, ?wish, "Going over to another relay");
        let config = self.config_of(place);
        let key = reached.1.connection().key();
        let hello = Hello {
            sent_on: self.elsewhere.sent.place().is_some().into(),
            ..self.hello(&config, place, key, false)
        };
        self.elsewhere.said.says(hello.term.is_some());
        self.elsewhere.is_of_internet = reached.1.is_of_internet();
        if matches!(wish, Wish::Players | Wish::Party) {
            self.elsewhere.rhythm.moves(now);
        }
        if wish == Wish::Players && !self.is_deserted(now) {
            self.elsewhere.lonely_at.push(place);
        }
        self.beside.enter(place, config, reached, hello);
        self.survey.stop();
    }

    /// Another relay has let us in, or this one another way: goes over to that link, if it is worth it.
    pub(super) fn goes_over(
        &mut self,
        here: usize,
        other: Box<RelayLink>,
    ) -> Option<Box<RelayLink>> {
        if other.place() == here {
            return Some(other);
        }
        let welcome = other.welcome();
        let now = Instant::now();
        if self.relays.is_stale(now, other.place(), welcome.fence) {
            tracing::debug!("The other relay has lost the room");
            self.elsewhere.said.in_vain(now, other.place());
            return None;
        }
        let is_sent = self.elsewhere.sent.place().is_some();
        let term = Relays::term(self.relay, welcome.term.as_ref(), other.key());
        let is_there = welcome.gateway.is_some() && !self.relays.is_over(term);
        // Where a fleet sends all, the gateway comes as well.
        (is_sent || is_there || !self.is_player()).then_some(other)
    }
}
