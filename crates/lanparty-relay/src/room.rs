//! A room: a careful switch whose ports are peers.
//!
//! A [`Room`] decides who is in it and where each datagram goes. It does no I/O and reads no clock:
//! datagrams and the time come in, verdicts and messages to send come out. `L` is the handle with
//! which the caller reaches a peer; the room only keeps and hands out clones of it.

pub(crate) mod meeting;
mod member;
mod notices;
mod orders;
mod pings;
mod silence;
mod speed;
#[cfg(test)]
mod tests;

pub use lanparty_switch::{Rate, Rates};
pub use meeting::{Introductions, Sight};
pub use member::{LinkHealth, MAX_MALFORMED, PeerRecord};
pub use pings::Path;

use bytes::Bytes;
use lanparty_ctrl::message::{Entry, Newcomer, PeerLeft, Welcome};
use lanparty_ctrl::orders::Person;
use lanparty_ctrl::{
    DOORS, FINDS, Fingerprint, GROUPS, HERE, HOST_CONTROLS, HOST_KEYS, LAN_MACS, LeaveReason,
    NEW_KEYS, ROOM_KEYS, RejectReason, RelayMessage, ResumeToken, SignedTerm,
};
use lanparty_obs::{DropCounts, DropReason, PeerStats};
use lanparty_proto::{IpMtu, PeerId, RoomId};
use lanparty_switch::{Judged, Route, Speaker, Switch, snooping};
use meeting::Meetings;
use member::Member;
use notices::Lookalikes;
use orders::Lock;
use pings::Rounds;
use smallvec::SmallVec;
use std::collections::{BTreeMap, HashSet};
use std::net::IpAddr;
use std::time::Instant;

/// The peers that get a frame; up to eight need no allocation.
pub type Targets<L> = SmallVec<[L; 8]>;

/// What becomes of a datagram.
#[derive(Debug)]
pub enum Verdict<L> {
    /// Its frame goes on.
    Forward(Forward<L>),
    /// It is a piece of a frame that is not whole yet.
    Pending,
    /// It is a probe of the path: send it back to its sender, and to nobody else.
    Echo(Bytes),
    /// It goes nowhere.
    Drop(DropReason),
    /// It goes nowhere, and its sender has sent too many malformed ones: let it leave with
    /// [`LeaveReason::ProtocolError`] (spec R31).
    Expel(DropReason),
}

/// A frame on its way to other peers.
#[derive(Debug)]
pub struct Forward<L> {
    /// The whole frame behind the header of its origin: the very bytes that came, unless they came in pieces.
    pub datagram: Bytes,
    /// The frame's number for targets that cannot take it whole.
    pub frame_id: u16,
    /// Who gets it; nobody, when a client talks to an empty room.
    pub targets: Targets<L>,
}

/// One message to send after a change. Steps are taken in the order of their list (spec R24).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step<L> {
    /// Tell the newcomer, or the host who asked. It must get this: where that fails, it leaves again.
    Answer(RelayMessage),
    /// Tell a peer that is in the room, as well as that goes.
    Tell(L, RelayMessage),
}

/// Somebody who has left, and who is to know (spec R23, R25).
#[derive(Debug)]
pub struct Departure<L> {
    /// Its number.
    pub peer: PeerId,
    /// Why it has left.
    pub reason: LeaveReason,
    /// Its link, which may still be open.
    pub link: L,
    /// What was known about it.
    pub record: PeerRecord,
    /// The notices to those who are still there.
    pub steps: Vec<Step<L>>,
    /// True when it was the last, and the room went with it.
    pub room_closed: bool,
}

/// What there is to know about direct paths on a relay.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Paths {
    /// It introduces players to gateways for them.
    #[default]
    Introduces,
    /// Its operator does not want that.
    Refuses,
    /// It is the host's own, so the path to it is the direct one.
    Here,
}

impl Paths {
    fn ability(self) -> Option<&'static str> {
        match self {
            Paths::Introduces => Some(DOORS),
            Paths::Refuses => None,
            Paths::Here => Some(HERE),
        }
    }
}

/// What every relay of this version can do.
const ABILITIES: [&str; 7] = [
    ROOM_KEYS,
    HOST_CONTROLS,
    HOST_KEYS,
    LAN_MACS,
    GROUPS,
    NEW_KEYS,
    FINDS,
];

/// The peers of one room code.
#[derive(Debug)]
pub struct Room<L> {
    id: RoomId,
    mtu: IpMtu,
    paths: Paths,
    // In order of their numbers, so that the same inputs give the same outputs.
    // Each in memory of its own: the map's smallest part has room for eleven.
    members: BTreeMap<PeerId, Box<Member<L>>>,
    switch: Switch,
    last_gateway: Option<LastGateway>,
    last_peer: u16,
    /// What was dropped of those who have left.
    drops_of_gone: DropCounts,
    lookalikes: Lookalikes,
    rounds: Rounds,
    meetings: Meetings,
    lock: Option<Lock>,
    banned: HashSet<Person>,
}

/// Through whom the room knows its LAN.
#[derive(Debug)]
struct LastGateway {
    token: ResumeToken,
    identity: Option<Fingerprint>,
}

impl LastGateway {
    /// True for the same one: it has the same key, or without keys its token.
    fn is(&self, entry: &Entry) -> bool {
        let has_token = entry.resume_token.as_ref() == Some(&self.token);
        self.identity == entry.identity && (entry.identity.is_some() || has_token)
    }
}

impl<L: Clone> Room<L> {
    /// An empty room whose MTU stays as it is (spec R7).
    pub fn new(now: Instant, id: RoomId, mtu: IpMtu, rates: Rates) -> Self {
        Room {
            id,
            mtu,
            paths: Paths::default(),
            members: BTreeMap::new(),
            switch: Switch::new(now, id, rates),
            last_gateway: None,
            last_peer: 0,
            drops_of_gone: DropCounts::default(),
            lookalikes: Lookalikes::default(),
            rounds: Rounds::default(),
            meetings: Meetings::new(now),
            lock: None,
            banned: HashSet::new(),
        }
    }

    /// Who has the place that this one wants.
    pub(crate) fn holder(&self, who: Newcomer) -> Option<PeerId> {
        self.switch.holder(speaker(who))
    }

    /// The place that this one takes back: it has its token (spec R91). A token is worth something only in the
    /// hands of whoever got it.
    pub(crate) fn place_of(&self, entry: &Entry) -> Option<PeerId> {
        let (holder, token) = (self.holder(entry.who)?, entry.resume_token.as_ref()?);
        let member = self.members.get(&holder)?;
        let is_own = member.token == *token && member.record.identity == entry.identity;
        is_own.then_some(holder)
    }

    /// The gateway, while there is one.
    pub fn gateway(&self) -> Option<PeerId> {
        self.switch.gateway()
    }

    /// True while there is a gateway.
    pub fn has_gateway(&self) -> bool {
        self.gateway().is_some()
    }

    /// The term that the gateway has told, while there is one.
    pub fn term(&self) -> Option<SignedTerm> {
        self.members.get(&self.gateway()?)?.term()
    }

    /// Lets a newcomer in whose place is free: its number, and what is to be said to whom.
    ///
    /// # Errors
    /// [`RejectReason::RoomFull`] when all the numbers of [`PeerId`] are taken.
    pub fn join(
        &mut self,
        now: Instant,
        entry: &Entry,
        source: IpAddr,
        token: ResumeToken,
        link: L,
    ) -> Result<(PeerId, Vec<Step<L>>), RejectReason> {
        let peer = self.free_number().ok_or(RejectReason::RoomFull)?;
        let catch_up = [self.introductions(entry.who), self.silences_for(entry)].concat();
        let who = entry.who;
        let newcomer = Member::new(now, entry, source, token.clone(), link);
        let notices = self.tell_all(|to| newcomer.introduction(peer, to));
        if who == Newcomer::Gateway {
            self.recognise_gateway(entry, token.clone());
        }
        self.switch.plug_in(now, peer, speaker(who));
        if entry.tells_groups {
            self.switch.trust_reports(peer, now + snooping::SETTLING);
        }
        self.members.insert(peer, Box::new(newcomer));
        let welcome = Step::Answer(self.welcome(peer, who, token));
        let steps = match who {
            Newcomer::Client(_) => [notices, vec![welcome], catch_up].concat(),
            Newcomer::Gateway => [vec![welcome], catch_up, notices].concat(),
        };
        Ok((peer, steps))
    }

    /// Removes a peer and its address; `None` when it is not there.
    pub fn leave(&mut self, peer: PeerId, reason: LeaveReason) -> Option<Departure<L>> {
        let member = *self.members.remove(&peer)?;
        let is_gateway = member.record.who == Newcomer::Gateway;
        self.switch.unplug(peer);
        self.meetings.forget(peer, is_gateway);
        self.drops_of_gone.add_all(&member.record.drops);
        let news = RelayMessage::PeerLeft(PeerLeft {
            peer_id: peer,
            reason,
        });
        Some(Departure {
            peer,
            reason,
            link: member.link,
            record: member.record,
            steps: self.tell_all(|_| news.clone()),
            room_closed: self.members.is_empty(),
        })
    }

    /// Judges a datagram: what becomes of it is counted at its sender.
    pub fn handle_datagram(&mut self, now: Instant, from: PeerId, datagram: Bytes) -> Verdict<L> {
        let Some(member) = self.members.get_mut(&from) else {
            return Verdict::Drop(DropReason::LinkDown);
        };
        member.record.last_seen = now;
        member.record.datagrams += 1;
        let judged = self
            .switch
            .judge(now, from, datagram, &mut member.record.drops);
        match judged {
            Ok(Judged::Frame(crossing)) => {
                member.count_forward(&crossing);
                Verdict::Forward(Forward {
                    frame_id: crossing.frame_id,
                    targets: self.targets(now, from, crossing.route),
                    datagram: crossing.datagram,
                })
            }
            Ok(Judged::Piece) => {
                member.record.pieces += 1;
                Verdict::Pending
            }
            Ok(Judged::Probe(probe)) => {
                member.record.probes += 1;
                Verdict::Echo(probe)
            }
            Err(reason) => {
                member.record.drops.count(reason);
                let is_forgiven = member.is_forgiven(reason);
                self.note(now, from, reason);
                match is_forgiven {
                    true => Verdict::Drop(reason),
                    false => Verdict::Expel(reason),
                }
            }
        }
    }

    /// Tells newcomers this of direct paths from now on.
    pub fn set_paths(&mut self, paths: Paths) {
        self.paths = paths;
    }

    /// Lets each client send so much from now on, and begin with full buckets.
    pub fn set_rates(&mut self, now: Instant, rates: Rates) {
        self.switch.set_rates(now, rates);
    }

    /// Keeps a peer's counters (spec R34).
    pub fn handle_stats(
        &mut self,
        now: Instant,
        from: PeerId,
        stats: PeerStats,
        health: LinkHealth,
    ) {
        if let Some(member) = self.members.get_mut(&from) {
            member.record.last_seen = now;
            member.record.health = health;
            member.take_stats(now, stats);
        }
    }

    /// When [`Self::handle_timeout`] has something to do.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.switch.poll_timeout()
    }

    /// Gives up frames whose pieces have not come in time.
    pub fn handle_timeout(&mut self, now: Instant) {
        let members = &mut self.members;
        self.switch.handle_timeout(now, |peer, incomplete| {
            if let Some(member) = members.get_mut(&peer) {
                let drops = &mut member.record.drops;
                drops.add(DropReason::Incomplete, incomplete);
            }
        });
    }

    /// True for a client with the MAC of a machine that was heard on the LAN of late.
    pub fn is_on_lan(&self, now: Instant, who: Newcomer) -> bool {
        let mac = who.mac();
        mac.is_some_and(|mac| self.switch.is_on_lan(now, mac.addr()))
    }

    /// Who is in the room.
    pub fn members(&self) -> impl Iterator<Item = (PeerId, &L, &PeerRecord)> {
        self.members
            .iter()
            .map(|(&peer, member)| (peer, &member.link, &member.record))
    }

    /// What is known about a peer.
    pub fn member(&self, peer: PeerId) -> Option<&PeerRecord> {
        self.members.get(&peer).map(|member| &member.record)
    }

    /// How many clients are in the room.
    pub fn clients(&self) -> usize {
        self.switch.players()
    }

    /// True when nobody is in the room.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// The next number in turn that is free, so that a number is not soon given again.
    fn free_number(&mut self) -> Option<PeerId> {
        let candidates = (1..=u16::MAX).map(|step| self.last_peer.wrapping_add(step));
        let peer = candidates
            .filter_map(PeerId::new)
            .find(|peer| !self.members.contains_key(peer))?;
        self.last_peer = peer.number();
        Some(peer)
    }

    /// What the room knows of its LAN outlives the gateway's link, but not the gateway.
    fn recognise_gateway(&mut self, entry: &Entry, token: ResumeToken) {
        let last = self.last_gateway.as_ref();
        if !last.is_some_and(|last| last.is(entry)) {
            self.switch.forget_lan();
        }
        self.last_gateway = Some(LastGateway {
            token,
            identity: entry.identity,
        });
    }

    fn welcome(&self, peer_id: PeerId, who: Newcomer, resume_token: ResumeToken) -> RelayMessage {
        RelayMessage::Welcome(Welcome {
            room_id: self.id,
            peer_id,
            effective_mtu: self.mtu,
            gateway: match who {
                Newcomer::Client(_) => self.switch.gateway(),
                Newcomer::Gateway => None,
            },
            resume_token,
            capabilities: ABILITIES
                .into_iter()
                .chain(self.paths.ability())
                .map(str::to_owned)
                .collect(),
            term: match who {
                Newcomer::Client(_) => self.term(),
                Newcomer::Gateway => None,
            },
            fence: None,
            region: None,
        })
    }

    fn introductions(&self, to: Newcomer) -> Vec<Step<L>> {
        self.members
            .iter()
            .map(|(&peer, member)| member.introduction(peer, to))
            .map(Step::Answer)
            .collect()
    }

    fn tell_all(&self, news: impl Fn(Newcomer) -> RelayMessage) -> Vec<Step<L>> {
        self.members
            .values()
            .map(|member| Step::Tell(member.link.clone(), news(member.record.who)))
            .collect()
    }

    fn link_of(&self, peer: PeerId) -> Option<L> {
        self.members.get(&peer).map(|member| member.link.clone())
    }

    fn targets(&self, now: Instant, from: PeerId, route: Route) -> Targets<L> {
        match route {
            Route::Known(peer) | Route::Unknown(peer) => self.link_of(peer).into_iter().collect(),
            Route::GroupOfLan => {
                let gateway = self.gateway().and_then(|gateway| self.link_of(gateway));
                gateway.into_iter().collect()
            }
            Route::Members { group, unsure } => {
                let members = self.members.iter().filter(|&(&peer, member)| {
                    let is_lan = member.record.who == Newcomer::Gateway;
                    peer != from && (is_lan || self.switch.hears(now, peer, group, unsure))
                });
                let mut targets = Targets::with_capacity(self.members.len());
                targets.extend(members.map(|(_, member)| member.link.clone()));
                targets
            }
            Route::Group => {
                let mut targets = Targets::with_capacity(self.members.len());
                let others = self.members.iter().filter(|&(&peer, _)| peer != from);
                targets.extend(others.map(|(_, member)| member.link.clone()));
                targets
            }
        }
    }
}

/// Who speaks at the port of such a peer.
fn speaker(who: Newcomer) -> Speaker {
    match who {
        Newcomer::Client(mac) => Speaker::Player(mac.addr()),
        Newcomer::Gateway => Speaker::Lan,
    }
}
