//! Introduces players to their room's gateway, so that they find a direct path: who wants that, when they try it, and
//! what each is told of the other.
//!
//! A round goes like this: both are told of each other (`meet`), each opens its own NAT for the other with packets that
//! do not arrive and says `ready`, and once both have, both hear `go`. A router that sees the other side's packet before
//! its own has left may send that one from another port, for good; so nobody goes before both are ready, and a round that
//! not both answer ends.

mod candidates;
#[cfg(test)]
mod tests;

use super::{Paths, Rate, Room, Step};
use lanparty_ctrl::RelayMessage;
use lanparty_ctrl::door::{
    Door, Go, MAX_ADDRESSES, Meet, MeetSecret, Met, NoMeeting, NoMeetingReason, Ready,
};
use lanparty_ctrl::message::Newcomer;
use lanparty_proto::PeerId;
use lanparty_switch::rates::Bucket;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// How long both have to be ready.
pub(super) const ANSWERED_WITHIN: Duration = Duration::from_secs(3);
/// How soon the same two may try again.
pub(super) const PAUSE: Duration = Duration::from_secs(5);
/// How often they may in vain.
pub(super) const TRIES: u32 = 3;
/// How soon after that, where they are seen as before,
pub(super) const LONG_PAUSE: Duration = Duration::from_secs(300);
/// and where something about that is new: a port that was mapped meanwhile, another network.
pub(super) const PAUSE_AFTER_NEWS: Duration = Duration::from_secs(30);

const _: () = assert!(ANSWERED_WITHIN.as_secs() < PAUSE.as_secs());

/// Rounds of one room: a party of sixty comes at once, and tries a second time.
const OF_ROOM: Rate = Rate {
    burst: 128,
    per_second: 16,
};
/// How many must be left for a player's word to bring it one at once; else it has its turn after those who wait for longer.
const AT_A_WORD: usize = OF_ROOM.burst as usize / 2;
/// And of all rooms of a relay.
pub(crate) const OF_RELAY: Rate = Rate {
    burst: 1024,
    per_second: 128,
};

/// Where a peer is seen at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sight {
    /// The other end of its link, as the relay sees it.
    pub address: SocketAddr,
    /// The relay's own end, where that is known.
    pub relay: Option<SocketAddr>,
    /// The round trip between them.
    pub rtt: Duration,
}

/// How many have been introduced since the relay started.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Introductions {
    /// Rounds that began: two were told of each other.
    pub rounds: u64,
    /// Rounds in which both were ready.
    pub ready: u64,
    /// Rounds that led to a direct path, as the players say.
    pub met: u64,
    /// How often a peer was told why there is none, in the order of [`NoMeetingReason::ALL`].
    pub refused: [u64; NoMeetingReason::ALL.len()],
}

/// What all rooms of a relay have in common.
pub(crate) struct Introducer<'a> {
    pub(crate) now: Instant,
    /// Rounds that the relay has left.
    pub(crate) budget: &'a mut Bucket,
    pub(crate) totals: &'a mut Introductions,
    /// Makes one that nobody else knows.
    pub(crate) secret: &'a mut dyn FnMut() -> MeetSecret,
}

/// Who is in the room.
struct Cast<'a> {
    gateway: PeerId,
    /// Whether the relay's operator wants anybody introduced.
    is_willing: bool,
    clients: Vec<PeerId>,
    /// True where that is the one who has spoken.
    is_of_one: bool,
    /// Whether a peer's program can be introduced.
    is_able: &'a dyn Fn(PeerId) -> bool,
    sight: &'a dyn Fn(PeerId) -> Option<Sight>,
}

/// Whose doors are open, and who meets whom.
#[derive(Debug)]
pub(super) struct Meetings {
    left: Bucket,
    doors: BTreeMap<PeerId, Door>,
    /// Each client with the gateway of the moment.
    pairs: BTreeMap<PeerId, Pair>,
}

/// The two of a pair, where something is kept of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Client,
    Gateway,
}

/// Whether a round is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Wish {
    No,
    /// If one of them is seen elsewhere by now. The gateway has something new to say, and these two have a direct path:
    /// should that be lost, the player asks.
    IfMoved,
    Yes,
}

#[derive(Debug)]
struct Pair {
    /// What has been asked for since the last round began.
    wish: Wish,
    /// Who of them is ready, while a round waits for that.
    ready: Option<[bool; 2]>,
    /// The number of the last round.
    round: u32,
    began: Option<Instant>,
    /// Rounds since one has led to something.
    in_vain: u32,
    /// The last one that has.
    met: u32,
    /// Where each was seen then.
    seen: [Option<SocketAddr>; 2],
    /// What each was told of the other.
    given: [Vec<SocketAddr>; 2],
    /// Why there is no meeting, as each has been told last.
    told: [Option<NoMeetingReason>; 2],
}

impl Default for Pair {
    fn default() -> Self {
        Pair {
            wish: Wish::Yes,
            ready: None,
            round: 0,
            began: None,
            in_vain: 0,
            met: 0,
            seen: [None; 2],
            given: [Vec::new(), Vec::new()],
            told: [None; 2],
        }
    }
}

impl Meetings {
    pub(super) fn new(now: Instant) -> Self {
        Meetings {
            left: Bucket::full(now, OF_ROOM),
            doors: BTreeMap::new(),
            pairs: BTreeMap::new(),
        }
    }

    /// True while nobody wants to be introduced to anybody.
    fn is_idle(&self) -> bool {
        self.doors.is_empty()
    }

    /// This one says where it can be met, or that it cannot be: what was true before is not any more.
    fn open(&mut self, from: PeerId, is_gateway: bool, mut door: Door) {
        door.addresses.truncate(MAX_ADDRESSES);
        let (is_open, nat) = (door.open, door.nat);
        if let Some(before) = self.doors.insert(from, door) {
            // What its NAT does is found out later than where it is.
            let is_told = before.nat != nat && self.doors[&from] == Door { nat, ..before };
            if is_told {
                return;
            }
        }
        let side = if is_gateway {
            Side::Gateway
        } else {
            Side::Client
        };
        let pairs = self.pairs.iter_mut();
        for (_, pair) in pairs.filter(|&(&client, _)| is_gateway || client == from) {
            pair.told[side as usize] = None;
            pair.wish = pair.wish.max(match is_gateway && pair.has_met() {
                true => Wish::IfMoved,
                false => Wish::Yes,
            });
            if !is_open {
                pair.ready = None;
            }
        }
    }

    /// This one is ready; false where nobody has asked.
    fn note_ready(&mut self, from: PeerId, gateway: PeerId, ready: Ready) -> bool {
        let (client, side) = match from == gateway {
            true => (ready.peer_id, Side::Gateway),
            false => (from, Side::Client),
        };
        let is_about = from == gateway || ready.peer_id == gateway;
        let pair = self.pairs.get_mut(&client).filter(|_| is_about);
        let pair = pair.filter(|pair| pair.round == ready.round);
        let answered = pair.and_then(|pair| pair.ready.as_mut());
        answered.is_some_and(|ready| !std::mem::replace(&mut ready[side as usize], true))
    }

    /// This client has a direct path; false where that is no news.
    fn note_met(&mut self, client: PeerId, met: Met) -> bool {
        let pair = self.pairs.get_mut(&client);
        let pair = pair.filter(|pair| pair.round == met.round && pair.met < met.round);
        let Some(pair) = pair else {
            return false;
        };
        pair.met = met.round;
        pair.in_vain = 0;
        true
    }

    /// This one is not in the room any more.
    pub(super) fn forget(&mut self, peer: PeerId, was_gateway: bool) {
        self.doors.remove(&peer);
        self.pairs.remove(&peer);
        if was_gateway {
            // How often they have tried stays: another link of the same gateway is no other gateway.
            for pair in self.pairs.values_mut() {
                pair.ready = None;
                pair.told = [None; 2];
                pair.wish = Wish::Yes;
            }
        }
    }

    /// What is due: who is told what.
    fn poll(&mut self, cast: &Cast<'_>, by: &mut Introducer<'_>) -> Vec<(PeerId, RelayMessage)> {
        let mut said = Vec::new();
        for &client in &cast.clients {
            let pair = self.pairs.entry(client).or_default();
            said.extend(pair.go(by, client, cast.gateway));
        }
        // Nobody waits for ever because others come before it.
        let pairs = cast.clients.iter();
        let pairs = pairs.map(|client| (*client, &self.pairs[client]));
        let wants = pairs.filter(|(_, pair)| pair.wish > Wish::No);
        let mut waiting: Vec<_> = wants.map(|(client, pair)| (pair.began, client)).collect();
        waiting.sort_unstable();
        for (_, client) in waiting {
            said.extend(self.introduce(cast, by, client));
        }
        said
    }

    /// Begins a round, or says why there is none. Nothing, where it is not the time yet.
    fn introduce(
        &mut self,
        cast: &Cast<'_>,
        by: &mut Introducer<'_>,
        client: PeerId,
    ) -> Vec<(PeerId, RelayMessage)> {
        let peers = [client, cast.gateway];
        let doors = peers.map(|peer| self.doors.get(&peer));
        let pair = self.pairs.get_mut(&client).expect("it is one that wants");
        let doors = match standing(cast, peers, doors) {
            Ok(Some(both)) => both,
            Ok(None) => return Vec::new(),
            Err(why) => return pair.refuse(by, peers, doors, why),
        };
        // Before anything that takes longer: this is asked for each pair whenever one of them says something.
        let needed = if cast.is_of_one { AT_A_WORD } else { 1 };
        if pair.is_too_soon(by.now) || !self.left.holds(by.now, needed) {
            return Vec::new();
        }
        let Some(lookout) = Lookout::new(cast, peers, doors) else {
            return pair.refuse(by, peers, doors.map(Some), NoMeetingReason::Unseen);
        };
        if pair.wish == Wish::IfMoved && pair.seen == lookout.seen() {
            pair.wish = Wish::No;
            return Vec::new();
        }
        if pair.is_spent(by.now, &lookout) {
            return pair.refuse(by, peers, doors.map(Some), NoMeetingReason::Spent);
        }
        // The room's own is looked at first, so one room cannot take more of the relay's than it has.
        if !by.budget.take(by.now, 1) || !self.left.take(by.now, 1) {
            return Vec::new();
        }
        let secret = (by.secret)();
        by.totals.rounds += 1;
        pair.begin(by.now, &lookout);
        let meet = |to: Side, of: Side| {
            let (mine, other) = (to as usize, of as usize);
            let meet = Meet {
                peer_id: peers[other],
                round: pair.round,
                addresses: pair.given[mine].clone(),
                seen: lookout.sights[mine].address,
                secret: secret.clone(),
                pin: lookout.doors[other].pin.filter(|_| of == Side::Gateway),
                rtt_us: micros(lookout.sights[other].rtt),
                nat: lookout.doors[other].nat,
            };
            (peers[mine], RelayMessage::Meet(Box::new(meet)))
        };
        vec![
            meet(Side::Gateway, Side::Client),
            meet(Side::Client, Side::Gateway),
        ]
    }
}

/// The doors of two who both want to be introduced; nothing while one has not said yet what it wants. Else why they are
/// not.
fn standing<'a>(
    cast: &Cast<'_>,
    peers: [PeerId; 2],
    doors: [Option<&'a Door>; 2],
) -> Result<Option<[&'a Door; 2]>, NoMeetingReason> {
    if !cast.is_willing {
        return Err(NoMeetingReason::RelayRefuses);
    }
    if peers.iter().any(|&peer| !(cast.is_able)(peer)) {
        return Err(NoMeetingReason::Unable);
    }
    let [Some(client), Some(gateway)] = doors else {
        return Ok(None);
    };
    // A door that cannot be known again is none.
    match client.open && gateway.open && gateway.pin.is_some() {
        true => Ok(Some([client, gateway])),
        false => Err(NoMeetingReason::Closed),
    }
}

/// Two who can find each other.
struct Lookout<'a> {
    doors: [&'a Door; 2],
    sights: [Sight; 2],
    /// What each would be told of the other.
    given: [Vec<SocketAddr>; 2],
}

impl<'a> Lookout<'a> {
    fn new(cast: &Cast<'_>, peers: [PeerId; 2], doors: [&'a Door; 2]) -> Option<Self> {
        let [client, gateway] = doors;
        let [Some(of_client), Some(of_gateway)] = peers.map(|peer| (cast.sight)(peer)) else {
            return None;
        };
        let to_client = candidates::given(&of_gateway, &gateway.addresses, &of_client);
        let to_gateway = candidates::given(&of_client, &client.addresses, &of_gateway);
        // The client is the one that connects.
        (!to_client.is_empty()).then_some(Lookout {
            doors,
            sights: [of_client, of_gateway],
            given: [to_client, to_gateway],
        })
    }

    fn seen(&self) -> [Option<SocketAddr>; 2] {
        self.sights.map(|sight| Some(sight.address))
    }
}

impl Pair {
    /// Both hear that they may go, or nobody does: a round ends.
    fn go(
        &mut self,
        by: &mut Introducer<'_>,
        client: PeerId,
        gateway: PeerId,
    ) -> Vec<(PeerId, RelayMessage)> {
        let ended_at = self.began.map(|began| began + ANSWERED_WITHIN);
        match self.ready {
            Some([true, true]) => {
                self.ready = None;
                by.totals.ready += 1;
                let go = |to, peer_id| {
                    let round = self.round;
                    (to, RelayMessage::Go(Go { peer_id, round }))
                };
                vec![go(gateway, client), go(client, gateway)]
            }
            Some(_) if ended_at.is_some_and(|end| by.now >= end) => {
                self.ready = None;
                Vec::new()
            }
            Some(_) | None => Vec::new(),
        }
    }

    /// True while the last round has led to a direct path, as far as is known.
    fn has_met(&self) -> bool {
        self.round > 0 && self.met == self.round
    }

    /// True right after a round.
    fn is_too_soon(&self, now: Instant) -> bool {
        self.began.is_some_and(|began| now < began + PAUSE)
    }

    /// True when they have tried often enough for now.
    fn is_spent(&self, now: Instant, lookout: &Lookout<'_>) -> bool {
        let pause = match self.given == lookout.given {
            true => LONG_PAUSE,
            false => PAUSE_AFTER_NEWS,
        };
        self.in_vain >= TRIES && self.began.is_some_and(|began| now < began + pause)
    }

    fn begin(&mut self, now: Instant, lookout: &Lookout<'_>) {
        self.wish = Wish::No;
        self.seen = lookout.seen();
        self.ready = Some([false; 2]);
        self.round += 1;
        self.began = Some(now);
        self.in_vain += 1;
        self.given.clone_from(&lookout.given);
        self.told = [None; 2];
    }

    /// Says why not to each who wants to know and has not been told.
    fn refuse(
        &mut self,
        by: &mut Introducer<'_>,
        peers: [PeerId; 2],
        doors: [Option<&Door>; 2],
        why: NoMeetingReason,
    ) -> Vec<(PeerId, RelayMessage)> {
        let mut said = Vec::new();
        for side in [Side::Gateway, Side::Client].map(|side| side as usize) {
            let is_asking = doors[side].is_some_and(|door| door.open);
            if is_asking && self.told[side].replace(why) != Some(why) {
                by.totals.refused[why as usize] += 1;
                let peer_id = peers[1 - side];
                let told = RelayMessage::NoMeeting(NoMeeting { peer_id, why });
                said.push((peers[side], told));
            }
        }
        said
    }
}

impl<L: Clone> Room<L> {
    /// A peer says where it can be met.
    pub(crate) fn handle_door(&mut self, from: PeerId, door: Door) {
        if let Some(member) = self.members.get(&from).filter(|member| member.knows_doors) {
            let is_gateway = member.record.who == Newcomer::Gateway;
            self.meetings.open(from, is_gateway, door);
        }
    }

    /// A peer is ready for a round; false where nobody has asked it.
    pub(crate) fn handle_ready(&mut self, from: PeerId, ready: Ready) -> bool {
        let gateway = self.gateway();
        gateway.is_some_and(|gateway| self.meetings.note_ready(from, gateway, ready))
    }

    /// A client has a direct path; false where that is no news.
    pub(crate) fn handle_met(&mut self, from: PeerId, met: Met) -> bool {
        self.gateway() == Some(met.peer_id) && self.meetings.note_met(from, met)
    }

    /// What is due between those who want a direct path, or, where a client has spoken, between it and the gateway: its words
    /// cost no more than itself. `sight` knows by a peer's link where it is seen.
    pub(crate) fn poll_meetings(
        &mut self,
        by: &mut Introducer<'_>,
        of: Option<PeerId>,
        sight: &dyn Fn(&L) -> Option<Sight>,
    ) -> Vec<Step<L>> {
        let Some(gateway) = self.gateway().filter(|_| !self.meetings.is_idle()) else {
            return Vec::new();
        };
        let members = &self.members;
        let of = of.filter(|&speaker| speaker != gateway);
        let clients = members.keys().copied().filter(|&peer| peer != gateway);
        let clients = clients.filter(|&peer| of.is_none_or(|speaker| peer == speaker));
        let cast = Cast {
            gateway,
            is_willing: self.paths == Paths::Introduces,
            clients: clients.collect(),
            is_of_one: of.is_some(),
            is_able: &|peer| members[&peer].knows_doors,
            sight: &|peer| sight(&members[&peer].link),
        };
        let said = self.meetings.poll(&cast, by).into_iter();
        said.map(|(peer, message)| Step::Tell(members[&peer].link.clone(), message))
            .collect()
    }
}

fn micros(rtt: Duration) -> u32 {
    u32::try_from(rtt.as_micros()).unwrap_or(u32::MAX)
}
