//! A peer's shell while its link stands: it looks at the other relays, and goes over to where the party is.

use super::peer::{Here, LOOK, Stage, term_of};
use super::{Event, Link, Sabotage, Several};
use lanparty_ctrl::message::{Role, Welcome};
use lanparty_ctrl::places::Silence;
use lanparty_ctrl::{RelayMessage, Term};
use lanparty_peer::relays::choose::{Answer, Choice, Chooser};
use lanparty_peer::relays::rhythm::{Rhythm, jittered};
use lanparty_proto::PeerId;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// How long a gateway that has no players leaves the others unasked, each time.
const LONELY: u64 = 10_000;
/// How long a gateway does not say hello again to a relay that has not let it in.
const REFUSED: u64 = 10_000;
/// How often it says hello anew where it is, after that.
const AGAIN: u64 = 2_000;

/// Why a peer would go to another relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    /// A player, to the party's gateway.
    Party,
    /// A gateway, to its players.
    Players,
    /// Nowhere yet, but this link may fail.
    Ready,
}

/// What is known of the party's being elsewhere.
#[derive(Debug)]
pub(super) struct Elsewhere {
    rhythm: Rhythm,
    gateway: Option<PeerId>,
    /// It is of an earlier term.
    stale: Option<PeerId>,
    /// Of whom nothing has come to this relay for seconds.
    silent: BTreeSet<PeerId>,
    players: usize,
    lonely_since: Option<u64>,
    lonely_at: Vec<usize>,
    pub(super) wish: Option<Wish>,
    /// When to say hello anew here, as it was said elsewhere in vain, and where.
    anew: Option<u64>,
    refused: Option<(usize, u64)>,
}

impl Elsewhere {
    pub(super) fn new(rhythm: Rhythm) -> Self {
        Elsewhere {
            rhythm,
            gateway: None,
            stale: None,
            silent: BTreeSet::new(),
            players: 0,
            lonely_since: None,
            lonely_at: Vec::new(),
            wish: None,
            anew: None,
            refused: None,
        }
    }

    pub(super) fn is_in(&mut self, now: u64, gateway: Option<PeerId>, is_stale: bool) {
        self.lonely_since = Some(now);
        self.gateway = gateway;
        self.stale = gateway.filter(|_| is_stale);
    }

    /// The link is gone.
    pub(super) fn ended(&mut self, now: Instant) {
        let rhythm = std::mem::take(&mut self.rhythm);
        *self = Elsewhere {
            lonely_at: std::mem::take(&mut self.lonely_at),
            refused: self.refused,
            ..Elsewhere::new(rhythm)
        };
        self.rhythm.poll(now, false, 0);
    }
}

impl Several {
    /// Its relay tells it something.
    pub(super) fn is_told(&mut self, link: Link, message: RelayMessage) {
        let now = self.now;
        let instant = self.instant();
        let peer = &mut self.peers[link.peer];
        let Some(here) = peer.here().filter(|here| here.link == link) else {
            return;
        };
        let relay = here.at.relay;
        let is_player = !peer.is_gateway();
        let mut followed = None;
        peer.core.handle_control(instant, message.clone());
        peer.spend();
        let elsewhere = &mut peer.elsewhere;
        match message {
            RelayMessage::PeerJoined(who) if who.role == Role::Gateway => {
                let term = term_of(&self.invite, who.term.as_ref(), relay);
                let is_over = is_player && !peer.seen.believe(term);
                elsewhere.gateway = Some(who.peer_id);
                elsewhere.stale = is_over.then_some(who.peer_id);
                followed = term.filter(|_| is_player && !is_over);
            }
            RelayMessage::PeerJoined(_) => {
                elsewhere.lonely_at.clear();
                elsewhere.players += 1;
                elsewhere.lonely_since = None;
            }
            RelayMessage::PeerLeft(who) => {
                elsewhere.silent.remove(&who.peer_id);
                elsewhere.gateway.take_if(|it| *it == who.peer_id);
                if elsewhere.stale == Some(who.peer_id) {
                    elsewhere.stale = None;
                    return;
                }
                elsewhere.players = elsewhere.players.saturating_sub(1);
                if elsewhere.players == 0 {
                    elsewhere.lonely_since = Some(now);
                }
            }
            RelayMessage::Silence(Silence { peer_id, silent }) => {
                match silent {
                    true => elsewhere.silent.insert(peer_id),
                    false => elsewhere.silent.remove(&peer_id),
                };
            }
            _ => {}
        }
        if let Some(term) = followed {
            self.check_a_way(link.peer, term);
        }
    }

    /// Several times a second.
    pub(super) fn looks(&mut self, link: Link) {
        let number = link.peer;
        let Some(here) = self.peers[number].here().filter(|here| here.link == link) else {
            return;
        };
        let place = here.at.relay;
        self.core_wakes(number);
        let (now, random) = (self.instant(), self.dice.bits() as u32);
        let wish = self.wish(number);
        let is_deserted = self.is_deserted(number);
        let elsewhere = &mut self.peers[number].elsewhere;
        let is_urgent = wish == Some(Wish::Ready) && elsewhere.wish != wish;
        if is_urgent {
            elsewhere.rhythm.asked(now, random);
        }
        let is_due = elsewhere.rhythm.poll(now, wish.is_some(), random) || is_urgent;
        if wish == Some(Wish::Players) && is_due {
            match is_deserted {
                true => elsewhere.rhythm.hurry(now, random),
                false => {
                    let rests = jittered(Duration::from_millis(LONELY), random);
                    elsewhere.rhythm.rest(now + rests);
                }
            }
        }
        if let Some(wish) = wish.filter(|_| is_due) {
            self.asks_others(number, place, wish);
        }
        let peer = &mut self.peers[number];
        if wish.is_none() && peer.elsewhere.wish.is_some() {
            peer.elsewhere.wish = None;
            peer.survey.stop();
        }
        self.says_anew(number, place);
        self.decides(number);
        self.after(LOOK, Event::Looks(link));
    }

    fn core_wakes(&mut self, number: usize) {
        let now = self.instant();
        let peer = &mut self.peers[number];
        if peer.core.poll_timeout().is_some_and(|at| at <= now) {
            peer.core.handle_timeout(now);
        }
        peer.spend();
    }

    /// Its players may be looking for it elsewhere: all have gone without a word, or say nothing now.
    fn is_deserted(&self, number: usize) -> bool {
        let peer = &self.peers[number];
        let Elsewhere {
            silent, players, ..
        } = &peer.elsewhere;
        (*players > 0 && silent.len() >= *players) || peer.core.is_deserted(self.instant())
    }

    /// Why to go elsewhere now, if at all.
    fn wish(&self, number: usize) -> Option<Wish> {
        let peer = &self.peers[number];
        let elsewhere = &peer.elsewhere;
        if !peer.is_gateway() {
            let is_missed = elsewhere.stale.is_some()
                || !elsewhere.silent.is_empty()
                || peer.core.misses_gateway(self.instant());
            let looks = self.sabotage != Sabotage::WaitsForGateway;
            return (is_missed && looks).then_some(Wish::Party);
        }
        let is_lonely = elsewhere
            .lonely_since
            .is_some_and(|since| self.now - since >= LONELY);
        let is_faint = peer.here().is_some_and(Here::is_faint);
        let looks = self.sabotage != Sabotage::LeavesPlayersAlone;
        if is_faint {
            Some(Wish::Ready)
        } else if (self.is_deserted(number) || is_lonely) && looks {
            Some(Wish::Players)
        } else {
            None
        }
    }

    fn asks_others(&mut self, number: usize, here: usize, wish: Wish) {
        let now = self.now;
        let peer = &mut self.peers[number];
        if peer.elsewhere.wish != Some(wish) {
            peer.survey.stop();
        }
        peer.elsewhere.wish = Some(wish);
        peer.survey.begin(now, 0);
        self.tally.count(format!("the others are asked: {wish:?}"));
        for place in (0..self.relays.len()).filter(|&place| place != here) {
            self.asks(number, place);
        }
    }

    /// Goes over where one of those who have answered is the right one.
    pub(super) fn decides(&mut self, number: usize) {
        let (now, instant) = (self.now, self.instant());
        let is_deserted = self.is_deserted(number);
        let peer = &self.peers[number];
        let (Stage::In(here), None) = (&peer.stage, peer.entering) else {
            return;
        };
        let Some(wish) = peer.elsewhere.wish else {
            return;
        };
        let elsewhere = &peer.elsewhere;
        let may_move = elsewhere.rhythm.may_move(instant);
        let is_new = |place| is_deserted || !elsewhere.lonely_at.contains(&place);
        let has_refused = |place| {
            let refused = elsewhere.refused;
            refused.is_some_and(|(relay, at)| relay == place && now - at < REFUSED)
        };
        let is_wanted = |place: usize, answer: &Answer| match (wish, answer) {
            _ if place == here.at.relay || has_refused(place) => false,
            (Wish::Ready, _) => false,
            (Wish::Players, Answer::Open(open)) => open.waiting > 0 && may_move && is_new(place),
            (Wish::Players, _) => false,
            (Wish::Party, _) => true,
        };
        let chooser = match peer.chooser() {
            Chooser::Gateway { .. } => Chooser::Gateway {
                is_sought: wish == Wish::Players,
            },
            player => player,
        };
        let choice = peer.survey.choose(now, chooser, &peer.order, is_wanted);
        let Choice::Enter(place) = choice else { return };
        self.note(|| {
            format!(
                "{} goes over to {place}: {wish:?}",
                super::checks::name(number)
            )
        });
        let elsewhere = &mut self.peers[number].elsewhere;
        if matches!(wish, Wish::Players | Wish::Party) {
            elsewhere.rhythm.moves(instant);
        }
        if wish == Wish::Players && !is_deserted {
            elsewhere.lonely_at.push(place);
        }
        self.enters(number, place);
        self.peers[number].survey.stop();
    }

    /// Whether to take a place that another relay has given.
    pub(super) fn goes_over(&self, number: usize, welcome: &Welcome, term: Option<Term>) -> bool {
        let peer = &self.peers[number];
        peer.is_gateway() || welcome.gateway.is_some() && !peer.seen.is_over(term)
    }

    pub(super) fn is_not_let_in_elsewhere(&mut self, number: usize, place: usize) {
        let now = self.now;
        let peer = &mut self.peers[number];
        let is_gateway = peer.is_gateway();
        peer.elsewhere.wish = None;
        if is_gateway {
            // What it has said there was a term of its own.
            peer.elsewhere.anew = Some(now);
            peer.elsewhere.refused = Some((place, now));
        }
    }

    fn says_anew(&mut self, number: usize, here: usize) {
        let now = self.now;
        let peer = &mut self.peers[number];
        if peer.elsewhere.anew.is_some_and(|at| now >= at) && peer.entering.is_none() {
            peer.elsewhere.anew = Some(now + AGAIN);
            self.tally.count("a gateway says hello anew");
            self.enters(number, here);
        }
    }
}
