//! A peer's shell without a link: it asks all relays, enters one, and begins anew.

use super::beside::{Elsewhere, Wish};
use super::checks::name;
use super::{At, Event, GATEWAY, Invite, Link, Reply, Sabotage, Said, Several};
use crate::dice::Dice;
use lanparty_client_core::Session;
use lanparty_ctrl::message::{Entry, Invitation, Newcomer, Welcome};
use lanparty_ctrl::{ChannelBinding, RejectReason, ResumeToken, SignedTerm, Term, places};
use lanparty_gateway::Bridge;
use lanparty_peer::PeerCore;
use lanparty_peer::backoff::{Backoff, STEADY};
use lanparty_peer::relays::choose::{Ages, Answer, Choice, Chooser, Open, choose, is_good};
use lanparty_peer::relays::rhythm::Rhythm;
use lanparty_peer::relays::seen::Seen;
use lanparty_proto::{DatagramBudget, MacAddr, VirtualMac};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

/// How long a relay may take to be reached, and to let somebody in.
const CONNECT: u64 = 5_000;
/// How long a relay keeps a connection on which it was asked, and somewhat less.
const KEPT: u64 = 2_500;
/// So long a gateway goes by what was answered while its link was failing.
const FRESH: u64 = 1_500;
/// Nobody waits for the next answer for longer without looking around.
const LONG: u64 = 10_000;
/// Players of a relay that is gone come within that; the gateway at once.
const SPREAD: usize = 100;
/// Whose party is moving asks again so soon, so often; then within a second.
const SOON: (usize, usize) = (300, 600);
const SOON_TIMES: u32 = 12;
const EAGER: u64 = 1_000;
/// Who makes another link as this one ends waits so long for it.
pub(super) const PATIENCE: u64 = 4_000;
/// A link is asked whether it lives once a second, and looked at each quarter.
pub(super) const BEAT: u64 = 1_000;
pub(super) const LOOK: u64 = 250;
/// After so many beats without a word it is given up.
const GIVE_UP: u32 = 3;

/// What one relay has answered.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) place: usize,
    attempt: u32,
    /// When, and what.
    pub(super) reply: Option<(u64, Answer)>,
    /// There is a connection, on which hello may be said.
    has_connection: bool,
    /// It has said that the party is not there, or not open there.
    is_away: bool,
}

/// Relays that are asked side by side.
#[derive(Debug, Default)]
pub(super) struct Survey {
    pub(super) asked: Vec<Asked>,
    good: Option<u64>,
    any: Option<u64>,
}

impl Survey {
    pub(super) fn begin(&mut self, now: u64, keep: u64) {
        self.asked
            .retain(|asked| asked.reply.is_none_or(|(at, _)| now - at < keep));
        if self.asked.iter().all(|asked| asked.reply.is_none()) {
            (self.good, self.any) = (None, None);
        }
    }

    pub(super) fn stop(&mut self) {
        *self = Survey::default();
    }

    /// Chooses among those that were asked; what `is_wanted` says no to is no choice.
    pub(super) fn choose(
        &self,
        now: u64,
        chooser: Chooser,
        order: &[usize],
        is_wanted: impl Fn(usize, &Answer) -> bool,
    ) -> Choice {
        let answers = self.asked.iter().map(|asked| match &asked.reply {
            None => Answer::None,
            Some((_, answer)) if is_wanted(asked.place, answer) => *answer,
            Some(_) => Answer::No { is_refusal: false },
        });
        let answers: Vec<_> = answers.collect();
        let position = |place: &usize| self.asked.iter().position(|asked| asked.place == *place);
        let order: Vec<_> = order.iter().filter_map(position).collect();
        let age = |since: Option<u64>| since.map(|since| Duration::from_millis(now - since));
        let ages = Ages {
            good: age(self.good),
            any: age(self.any),
        };
        match choose(chooser, &answers, &order, ages) {
            Choice::Enter(number) => Choice::Enter(self.asked[number].place),
            choice => choice,
        }
    }

    fn note(&mut self, now: u64, chooser: Chooser, attempt: u32, answer: Answer) -> bool {
        let mut asked = self.asked.iter_mut();
        let Some(asked) = asked.find(|asked| asked.attempt == attempt) else {
            return false;
        };
        asked.reply = Some((now, answer));
        if is_good(chooser, &answer) {
            self.good.get_or_insert(now);
        }
        if answer != (Answer::No { is_refusal: false }) {
            self.any.get_or_insert(now);
        }
        true
    }

    /// True where the relay that was asked keeps a connection; it is used once.
    pub(super) fn take_connection(&mut self, now: u64, place: usize) -> bool {
        let mut asked = self.asked.iter_mut();
        let asked = asked.find(|asked| asked.place == place);
        asked.is_some_and(|asked| {
            let is_kept = asked.reply.is_some_and(|(at, _)| now - at < KEPT);
            std::mem::take(&mut asked.has_connection) && is_kept
        })
    }
}

/// A link that stands.
#[derive(Debug)]
pub(super) struct Here {
    pub(super) link: Link,
    pub(super) at: At,
    since: u64,
    /// When something came last, and when it had at the last beat.
    heard: u64,
    heard_before: u64,
    silent: u32,
}

impl Here {
    /// A question stands unanswered for a beat.
    pub(super) fn is_faint(&self) -> bool {
        self.silent > 1 && self.heard == self.heard_before
    }
}

/// How far it has got.
#[derive(Debug)]
pub(super) enum Stage {
    /// It asks, or waits until it does so again.
    Out,
    In(Here),
    /// Its link is lost while another relay lets it in.
    Between,
}

pub(super) struct Peer {
    pub(super) number: usize,
    pub(super) mac: MacAddr,
    pub(super) entry: Entry,
    pub(super) source: IpAddr,
    /// One way to each relay.
    pub(super) delays: Vec<u64>,
    /// The relays, the one that is worth most to this room first.
    pub(super) order: Vec<usize>,
    pub(super) core: Box<dyn PeerCore>,
    pub(super) links: u32,
    /// The last term that it has counted; a gateway's.
    pub(super) term: Term,
    pub(super) tokens: Vec<Option<ResumeToken>>,
    pub(super) stage: Stage,
    pub(super) survey: Survey,
    pub(super) seen: Seen,
    pub(super) elsewhere: Elsewhere,
    /// Where it says hello, and by which attempt.
    pub(super) entering: Option<(usize, u32)>,
    attempts: u32,
    searches: u32,
    backoff: Backoff,
    without_host: u32,
    /// How long the last link stood.
    stood: u64,
}

impl Peer {
    pub(super) fn new(dice: &mut Dice, number: usize, invite: &Invite) -> Self {
        let is_gateway = number == GATEWAY;
        let mac = match is_gateway {
            true => super::relay::LAN_HOST,
            false => MacAddr::new([2, 0, 0, 0, 0, number as u8]),
        };
        let virtual_mac = || VirtualMac::try_from(mac).unwrap();
        let (who, core): (_, Box<dyn PeerCore>) = match is_gateway {
            true => (Newcomer::Gateway, Box::new(Bridge::new(mac))),
            false => (
                Newcomer::Client(virtual_mac()),
                Box::new(Session::new(virtual_mac())),
            ),
        };
        let channel = ChannelBinding([7; 32]);
        let key = invite.key.admission_key();
        let budget = DatagramBudget::new(1312).expect("it is enough");
        let mut entry = Entry::new(invite.room.clone(), who, budget);
        entry.invitation = Some(Invitation {
            proof: key.prove(&channel, &invite.room, who),
            channel,
            host: Some(invite.host.id()),
            admission_key: is_gateway.then_some(key),
        });
        entry.takes_redirects = true;
        let relays = invite.pins.len();
        let mut order: Vec<_> = (0..relays).collect();
        order.sort_by_cached_key(|&relay| {
            let worth = places::rendezvous(&invite.room, invite.pins[relay].as_bytes());
            std::cmp::Reverse(worth)
        });
        Peer {
            number,
            mac,
            entry,
            source: IpAddr::V4(Ipv4Addr::from(0xcb00_7100 + number as u32)),
            delays: (0..relays).map(|_| dice.between(3, 40) as u64).collect(),
            order,
            core,
            links: 0,
            term: Term::default(),
            tokens: vec![None; relays],
            stage: Stage::Out,
            survey: Survey::default(),
            seen: Seen::default(),
            elsewhere: Elsewhere::new(Rhythm::default()),
            entering: None,
            attempts: 0,
            searches: 0,
            backoff: Backoff::default(),
            without_host: 0,
            stood: 0,
        }
    }

    pub(super) fn is_gateway(&self) -> bool {
        self.number == GATEWAY
    }

    pub(super) fn here(&self) -> Option<&Here> {
        match &self.stage {
            Stage::In(here) => Some(here),
            Stage::Out | Stage::Between => None,
        }
    }

    pub(super) fn is_heard(&mut self, now: u64) {
        if let Stage::In(here) = &mut self.stage {
            here.heard = now;
        }
    }

    /// It waits for the answer to this.
    pub(super) fn waits_for(&self, attempt: u32) -> bool {
        let is_asked = |asked: &Asked| asked.attempt == attempt && asked.reply.is_none();
        let enters = self
            .entering
            .is_some_and(|(_, entering)| entering == attempt);
        enters || self.survey.asked.iter().any(is_asked)
    }

    pub(super) fn chooser(&self) -> Chooser {
        match self.is_gateway() {
            true => Chooser::Gateway { is_sought: false },
            false => Chooser::Player {
                seen: self.seen.highest(),
                is_open_room: false,
            },
        }
    }
}

impl Several {
    /// Asks this relay whether the party is there, which takes a handshake first.
    pub(super) fn asks(&mut self, number: usize, place: usize) {
        let peer = &mut self.peers[number];
        if peer.survey.asked.iter().any(|asked| asked.place == place) {
            return;
        }
        peer.attempts += 1;
        let attempt = peer.attempts;
        peer.survey.asked.push(Asked {
            place,
            attempt,
            reply: None,
            has_connection: false,
            is_away: false,
        });
        let wait = 3 * peer.delays[place];
        self.says(number, place, wait, Said::Find { attempt });
        self.after(
            CONNECT,
            Event::Expires {
                peer: number,
                attempt,
            },
        );
    }

    /// Says hello there.
    pub(super) fn enters(&mut self, number: usize, place: usize) {
        let now = self.now;
        let peer = &mut self.peers[number];
        let wait = match peer.survey.take_connection(now, place) {
            true => peer.delays[place],
            false => 3 * peer.delays[place],
        };
        peer.attempts += 1;
        let attempt = peer.attempts;
        peer.entering = Some((place, attempt));
        self.says(number, place, wait, Said::Hello { attempt });
        self.after(
            CONNECT,
            Event::Expires {
                peer: number,
                attempt,
            },
        );
    }

    pub(super) fn says(&mut self, peer: usize, relay: usize, wait: u64, said: Said) {
        self.after(wait, Event::Reaches { relay, peer, said });
    }

    pub(super) fn closes(&mut self, link: Link, at: At) {
        if self.relays[at.relay].at == at {
            let delay = self.peers[link.peer].delays[at.relay];
            self.says(link.peer, at.relay, delay, Said::Close(link));
        }
    }

    // Without a link.

    pub(super) fn wakes(&mut self, number: usize, search: u32) {
        let now = self.now;
        let peer = &mut self.peers[number];
        if peer.searches != search || !matches!(peer.stage, Stage::Out) {
            return;
        }
        peer.searches += 1;
        let keep = match peer.is_gateway() {
            true => FRESH,
            false => 0,
        };
        peer.survey.begin(now, keep);
        for place in 0..self.relays.len() {
            self.asks(number, place);
        }
        self.chooses(number);
    }

    pub(super) fn chooses_again(&mut self, number: usize, search: u32) {
        if self.peers[number].searches == search {
            self.chooses(number);
        }
    }

    fn chooses(&mut self, number: usize) {
        let now = self.now;
        let peer = &self.peers[number];
        // A search has begun, and nothing is waited for in it.
        if !matches!(peer.stage, Stage::Out)
            || peer.entering.is_some()
            || peer.survey.asked.is_empty()
        {
            return;
        }
        let choice = peer
            .survey
            .choose(now, peer.chooser(), &peer.order, |_, _| true);
        match choice {
            Choice::Enter(place) => self.enters(number, place),
            Choice::Nowhere => self.finds_nobody(number),
            Choice::Wait(wait) => {
                let wait = wait.map_or(LONG, |wait| wait.as_millis() as u64 + 1);
                let search = peer.searches;
                self.after(
                    wait,
                    Event::Chooses {
                        peer: number,
                        search,
                    },
                );
            }
        }
    }

    fn finds_nobody(&mut self, number: usize) {
        self.tally.count("nowhere to go");
        let (random, soon) = (self.dice.bits() as u32, self.dice.between(SOON.0, SOON.1));
        let peer = &mut self.peers[number];
        let is_away = peer.survey.asked.iter().any(|asked| asked.is_away);
        peer.survey.stop();
        let backoff = peer.backoff.next_wait(random).as_millis() as u64;
        let wait = match is_away && !peer.is_gateway() {
            true => {
                peer.without_host += 1;
                match peer.without_host <= SOON_TIMES {
                    true => soon as u64,
                    false => backoff.min(EAGER),
                }
            }
            false => backoff,
        };
        self.waits(number, wait);
    }

    fn waits(&mut self, number: usize, wait: u64) {
        let search = self.peers[number].searches;
        self.after(
            wait.max(1),
            Event::Wakes {
                peer: number,
                search,
            },
        );
    }

    pub(super) fn expires(&mut self, number: usize, attempt: u32) {
        if !self.peers[number].waits_for(attempt) {
            return;
        }
        let peer = &mut self.peers[number];
        if let Some((place, _)) = peer.entering.take_if(|(_, entering)| *entering == attempt) {
            return self.is_not_let_in(number, place, false);
        }
        let no = Answer::No { is_refusal: false };
        let chooser = peer.chooser();
        peer.survey.note(self.now, chooser, attempt, no);
        self.has_news(number);
    }

    pub(super) fn answered(&mut self, number: usize, relay: usize, attempt: u32, reply: Reply) {
        let is_waited_for = self.peers[number].waits_for(attempt);
        if !is_waited_for || !self.is_open(number, relay) {
            // What nobody waits for, or cannot get there, is a link that ends.
            if let Reply::Welcome(link, at, _) = reply {
                self.closes(link, at);
            }
            return;
        }
        let now = self.now;
        let peer = &mut self.peers[number];
        match reply {
            Reply::Found(found) => {
                let term = term_of(&self.invite, found.term.as_ref(), relay);
                let answer = Answer::Open(Open {
                    gateway: found.gateway.then_some(term),
                    waiting: found.waiting,
                    rtt: Duration::from_millis(2 * peer.delays[relay]),
                });
                let is_kept = found.gateway || peer.is_gateway();
                let chooser = peer.chooser();
                peer.survey.note(now, chooser, attempt, answer);
                let mut asked = peer.survey.asked.iter_mut();
                if let Some(asked) = asked.find(|asked| asked.attempt == attempt) {
                    asked.has_connection = is_kept;
                    asked.is_away = !found.gateway;
                }
                self.has_news(number);
            }
            Reply::No(reason) => {
                if let Some((place, _)) = peer.entering.take_if(|(_, it)| *it == attempt) {
                    return self.is_not_let_in(number, place, true);
                }
                let chooser = peer.chooser();
                let no = Answer::No { is_refusal: true };
                peer.survey.note(now, chooser, attempt, no);
                let mut asked = peer.survey.asked.iter_mut();
                if let Some(asked) = asked.find(|asked| asked.attempt == attempt) {
                    asked.is_away = reason == RejectReason::NotAuthorised;
                }
                self.has_news(number);
            }
            Reply::Welcome(link, at, welcome) => {
                peer.entering = None;
                self.is_let_in(number, link, at, &welcome);
            }
        }
    }

    /// A relay that was asked has answered, or has not.
    fn has_news(&mut self, number: usize) {
        match self.peers[number].stage {
            Stage::Out => self.chooses(number),
            Stage::In(_) => self.decides(number),
            Stage::Between => {}
        }
    }

    fn is_not_let_in(&mut self, number: usize, place: usize, is_refusal: bool) {
        let now = self.now;
        let peer = &mut self.peers[number];
        match peer.stage {
            Stage::Out => {
                let mut asked = peer.survey.asked.iter_mut();
                if let Some(asked) = asked.find(|asked| asked.place == place) {
                    asked.reply = Some((now, Answer::No { is_refusal }));
                }
                self.chooses(number);
            }
            Stage::In(_) => self.is_not_let_in_elsewhere(number, place),
            Stage::Between => self.begins_anew(number),
        }
    }

    fn is_let_in(&mut self, number: usize, link: Link, at: At, welcome: &Welcome) {
        let term = term_of(&self.invite, welcome.term.as_ref(), at.relay);
        let here = self.peers[number].here().map(|here| (here.link, here.at));
        let is_another = here.is_none_or(|(_, here)| here.relay != at.relay);
        let is_beside = !matches!(self.peers[number].stage, Stage::Out);
        if is_beside && is_another && !self.goes_over(number, welcome, term) {
            self.tally.count("another relay was no use");
            self.closes(link, at);
            if matches!(self.peers[number].stage, Stage::Between) {
                self.begins_anew(number);
            }
            return;
        }
        if let Some((old, here)) = here {
            self.tally.count("went over");
            self.has_ended(number);
            self.peers[number].survey.stop();
            if here != at {
                self.closes(old, here);
            }
        }
        self.is_in(number, link, at, welcome, term);
    }

    fn is_in(&mut self, number: usize, link: Link, at: At, welcome: &Welcome, term: Option<Term>) {
        self.note(|| {
            let name = name(number);
            format!(
                "{name} is at {at:?}, gateway {:?} {term:?}",
                welcome.gateway
            )
        });
        let (now, instant) = (self.now, self.instant());
        let peer = &mut self.peers[number];
        peer.tokens[at.relay] = Some(welcome.resume_token.clone());
        peer.without_host = 0;
        peer.searches += 1;
        peer.stage = Stage::In(Here {
            link,
            at,
            since: now,
            heard: now,
            heard_before: now,
            silent: 0,
        });
        let budget = peer.entry.datagram_budget;
        peer.core.handle_welcome(instant, welcome, budget);
        peer.spend();
        let is_stale = !peer.is_gateway() && welcome.gateway.is_some() && !peer.seen.believe(term);
        peer.elsewhere.is_in(now, welcome.gateway, is_stale);
        let is_followed = !peer.is_gateway() && welcome.gateway.is_some() && !is_stale;
        if let (true, Some(term)) = (is_followed, term) {
            self.check_a_way(number, term);
        }
        let beat = self.dice.between(1, BEAT as usize) as u64;
        self.after(beat, Event::Beats(link));
        self.after(beat % LOOK + 1, Event::Looks(link));
    }

    pub(super) fn beats(&mut self, link: Link) {
        let Stage::In(here) = &mut self.peers[link.peer].stage else {
            return;
        };
        if here.link != link {
            return;
        }
        if here.heard == here.heard_before {
            here.silent += 1;
            if here.silent >= GIVE_UP {
                return self.is_lost(link, "it says nothing");
            }
        } else {
            (here.heard_before, here.silent) = (here.heard, 0);
        }
        self.after(BEAT, Event::Beats(link));
    }

    /// The link is gone.
    pub(super) fn is_lost(&mut self, link: Link, why: &str) {
        let number = link.peer;
        let now = self.now;
        let peer = &mut self.peers[number];
        let Stage::In(here) = &peer.stage else { return };
        if here.link != link {
            return;
        }
        let at = here.at;
        peer.stood = now - here.since;
        peer.stage = Stage::Between;
        self.note(|| format!("{} has no link: {why}", name(number)));
        self.tally.count(format!("a link is lost: {why}"));
        self.closes(link, at);
        match self.peers[number].entering {
            Some(_) => {
                let search = self.peers[number].searches;
                let peer = number;
                self.after(PATIENCE, Event::GivesUp { peer, search });
            }
            None => self.begins_anew(number),
        }
    }

    pub(super) fn gives_up(&mut self, number: usize, search: u32) {
        let peer = &self.peers[number];
        if matches!(peer.stage, Stage::Between) && peer.searches == search {
            self.begins_anew(number);
        }
    }

    /// As there are others, the gateway does not wait, and its players hardly.
    fn begins_anew(&mut self, number: usize) {
        self.has_ended(number);
        let spread = self.dice.between(0, SPREAD) as u64;
        let random = self.dice.bits() as u32;
        let peer = &mut self.peers[number];
        peer.stage = Stage::Out;
        peer.entering = None;
        let stood = Duration::from_millis(peer.stood);
        peer.backoff.ended(stood);
        let wait = match peer.is_gateway() {
            _ if stood < STEADY => peer.backoff.next_wait(random).as_millis() as u64,
            true => 0,
            false => spread,
        };
        self.waits(number, wait);
    }

    /// What its core and its looking elsewhere make of that.
    fn has_ended(&mut self, number: usize) {
        let (instant, sabotage) = (self.instant(), self.sabotage);
        let peer = &mut self.peers[number];
        if sabotage == Sabotage::FollowsAnyTerm {
            peer.seen = Seen::default();
        }
        peer.core.handle_lost_link(instant);
        peer.spend();
        peer.elsewhere.ended(instant);
    }

    /// For who reads of it.
    pub(super) fn state(&self, number: usize) -> String {
        let peer = &self.peers[number];
        let asked: BTreeMap<_, _> = peer
            .survey
            .asked
            .iter()
            .map(|asked| (asked.place, asked.reply))
            .collect();
        format!(
            "{:?}, entering {:?}, has seen {}, wishes {:?}, asks {asked:?}",
            peer.stage,
            peer.entering,
            peer.seen.highest(),
            peer.elsewhere.wish.map(|wish: Wish| wish)
        )
    }
}

impl Peer {
    /// What the core wants said goes nowhere here.
    pub(super) fn spend(&mut self) {
        while self.core.poll_output().is_some() {}
    }
}

/// The term that the room's host has signed for this relay.
pub(super) fn term_of(invite: &Invite, term: Option<&SignedTerm>, relay: usize) -> Option<Term> {
    term?.of(&invite.host.id(), &invite.room, &invite.pins[relay])
}
