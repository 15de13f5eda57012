//! All rooms of a relay, and who may enter them.
//!
//! Pure like the rooms themselves: resume tokens and the time are passed in, and what must be said to
//! whom comes out.

mod admission;
mod claims;
mod finds;
mod guesses;
mod joins;
mod legacy;
mod meetings;
mod openers;
mod operator;
mod orders;
#[cfg(feature = "cluster-etcd")]
mod places;
mod seat;
#[cfg(test)]
mod tests;
mod totals;
mod waiting;

pub use guesses::GuessLimits;
pub(crate) use guesses::Spent;
pub use joins::JoinLimits;
pub(crate) use legacy::Legacy;
pub use operator::{Draining, RoomSummary};
pub use orders::{NotTheHost, Obeyed};
#[cfg(feature = "cluster-etcd")]
pub(crate) use places::Wanted;
pub use seat::Seat;
pub use totals::{Carried, Census, KindTotals, Totals};

use crate::room::{Departure, LinkHealth, Path, Paths, PeerRecord, Rates, Room, Step, Verdict};
use crate::sources::{PerSource, Sources, source_of};
use admission::is_host;
use bytes::Bytes;
use claims::{Claims, RoomName};
use guesses::Guesses;
use joins::Joins;
use lanparty_ctrl::message::{Entry, Newcomer};
use lanparty_ctrl::places::Silence;
use lanparty_ctrl::{
    AccessToken, AdmissionKey, HostId, LeaveReason, Notice, Pings, RejectReason, RelayMessage,
    ResumeToken, RoomCode, Text,
};
use lanparty_obs::{DropReason, PeerStats};
use lanparty_proto::RoomId;
use lanparty_switch::rates::Bucket;
use openers::Openers;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::net::IpAddr;
use std::time::Instant;
use waiting::Waiting;

/// How much a relay takes on (spec R22).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Rooms on the relay.
    pub rooms: usize,
    /// Peers on the relay.
    pub peers: usize,
    /// Peers from one source: an IPv4 address, or an IPv6 /64, which is what a host or a home gets.
    pub peers_per_address: usize,
    /// Peers from one IPv6 /48, which is what a site gets.
    pub peers_per_network: usize,
    /// Rooms that were opened from one source.
    pub rooms_per_address: usize,
    /// Rooms that were opened from one IPv6 /48.
    pub rooms_per_network: usize,
    /// Clients in one room; its gateway comes on top.
    pub clients_per_room: usize,
    /// How often somebody may come in.
    pub joins: JoinLimits,
}

impl Limits {
    fn peers_from(&self) -> PerSource {
        PerSource {
            address: self.peers_per_address,
            network: self.peers_per_network,
        }
    }

    fn rooms_from(&self) -> PerSource {
        PerSource {
            address: self.rooms_per_address,
            network: self.rooms_per_network,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            rooms: 256,
            peers: 1024,
            peers_per_address: 32,
            peers_per_network: 128,
            rooms_per_address: 8,
            rooms_per_network: 32,
            clients_per_room: 64,
            joins: JoinLimits::default(),
        }
    }
}

impl fmt::Display for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} rooms, {} per address, {} per IPv6 /48, {} peers, {} per address, {} per IPv6 /48, \
             {} clients per room, {}",
            self.rooms,
            self.rooms_per_address,
            self.rooms_per_network,
            self.peers,
            self.peers_per_address,
            self.peers_per_network,
            self.clients_per_room,
            self.joins
        )
    }
}

/// A newcomer has been let in.
#[derive(Debug)]
pub struct Admission<L> {
    /// Where.
    pub place: Seat,
    /// Whose place it has taken back: tell that link [`DisconnectReason::Replaced`] and close it. Its
    /// own notices come before the newcomer's.
    ///
    /// [`DisconnectReason::Replaced`]: lanparty_ctrl::DisconnectReason::Replaced
    pub replaced: Option<Departure<L>>,
    /// What is to be said to whom, in this order.
    pub steps: Vec<Step<L>>,
    /// Who is out by what the newcomer, a host, has ordered before: tell these links
    /// [`DisconnectReason::Kicked`] and close them. Their notices come last.
    ///
    /// [`DisconnectReason::Kicked`]: lanparty_ctrl::DisconnectReason::Kicked
    pub kicked: Vec<Departure<L>>,
}

/// Whom the relay lets in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Admits {
    All,
    /// Those who take their places back.
    Members,
    Nobody,
}

/// The rooms by their names, within [`Limits`].
#[derive(Debug)]
pub struct Registry<L> {
    limits: Limits,
    rates: Rates,
    rooms: BTreeMap<RoomId, Room<L>>,
    names: HashMap<RoomName, RoomId>,
    claims: Claims,
    sources: Sources,
    openers: Openers,
    joins: Joins,
    /// Who has had rooms' codes kept in a fleet of late.
    #[cfg(feature = "cluster-etcd")]
    claimants: Spent<IpAddr>,
    peers: usize,
    last_room: u32,
    admits: Admits,
    /// When the relay ends, whoever is left, once it drains.
    drained_at: Option<Instant>,
    /// Members of the relay whose place this one has taken come back until then, though it drains.
    members_return_until: Option<Instant>,
    only: Option<RoomName>,
    guesses: Guesses,
    /// What the operator allows of them, on all relays of a fleet together.
    guess_limits: GuessLimits,
    guess_share: u32,
    access: Option<AccessToken>,
    paths: Paths,
    /// Where it is, as its operator calls it.
    region: Option<Text>,
    /// Who has asked in vain of late.
    waiting: Waiting,
    /// How many were told where their party is.
    finds: u64,
    /// Meetings that this relay may still arrange.
    meetings_left: Option<Bucket>,
    totals: Totals,
}

impl<L: Clone> Registry<L> {
    /// A relay without rooms.
    pub fn new(limits: Limits, rates: Rates) -> Self {
        Registry {
            limits,
            rates,
            rooms: BTreeMap::new(),
            names: HashMap::new(),
            claims: Claims::new(2 * limits.rooms),
            sources: Sources::default(),
            openers: Openers::default(),
            joins: Joins::new(limits.joins),
            #[cfg(feature = "cluster-etcd")]
            claimants: Spent::new(places::claims_from(&limits), places::CLAIM),
            peers: 0,
            last_room: 0,
            admits: Admits::All,
            drained_at: None,
            members_return_until: None,
            only: None,
            guesses: Guesses::new(GuessLimits::default()),
            guess_limits: GuessLimits::default(),
            guess_share: 1,
            access: None,
            paths: Paths::default(),
            region: None,
            waiting: Waiting::default(),
            finds: 0,
            meetings_left: None,
            totals: Totals::default(),
        }
    }

    /// Lets only gateways that have this token open rooms.
    pub fn set_access(&mut self, token: Option<AccessToken>) {
        self.access = token;
    }

    /// What they must have.
    pub(crate) fn access(&self) -> Option<&AccessToken> {
        self.access.as_ref()
    }

    /// Lets in nobody but this host, and those who prove that they are invited to this one room.
    pub fn only(mut self, code: RoomCode, host: HostId) -> Self {
        let host = Some(host);
        self.only = Some(RoomName { code, host });
        self.paths = Paths::Here;
        self
    }

    /// How much the relay takes on.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// Whether somebody may be told from where the relay sees it, who wants nothing else.
    pub fn may_look(&mut self, now: Instant, source: IpAddr) -> bool {
        self.joins.may_look(now, source_of(source))
    }

    /// Lets a newcomer into the room it wants, which is made if it is the first. `token` is random:
    /// nobody may be able to guess it.
    ///
    /// # Errors
    /// The reason to give it. Nothing has changed then.
    pub fn admit(
        &mut self,
        now: Instant,
        entry: &Entry,
        source: IpAddr,
        token: ResumeToken,
        link: L,
    ) -> Result<Admission<L>, RejectReason> {
        let source = source_of(source);
        let decision = self.decide(now, entry, source)?;
        let predecessor = decision.room.zip(decision.replaces);
        let replaced = predecessor
            .and_then(|(room, peer)| self.remove(Seat { room, peer }, LeaveReason::Replaced))
            .map(|departure| Departure {
                room_closed: false,
                ..departure
            });
        let name = decision.name;
        let id = match decision.room {
            Some(id) => id,
            None => self.open_room(now, name.clone(), entry, source),
        };
        let room = self.rooms.get_mut(&id).expect("the room was just opened");
        let joined = room.join(now, entry, source, token, link);
        let (peer, mut steps) = joined.inspect_err(|_| self.close_if_empty(id))?;
        self.sign(&mut steps);
        self.waiting.came_in(entry, source);
        if let Some(key) = key_of_the_host(entry) {
            self.claims.hold(&name, key, source);
        }
        self.peers += 1;
        self.totals.note_joined(entry, decision.replaces.is_some());
        self.sources.add(source);
        if !is_host(&name, entry) {
            let is_new = decision.replaces.is_none();
            self.joins.note(now, entry, source, is_new);
        }
        let place = Seat { room: id, peer };
        Ok(Admission {
            kicked: self.repeat_orders(now, place, &entry.orders),
            place,
            replaced,
            steps,
        })
    }

    /// Removes a peer, and its room with the last one; `None` when it is gone already.
    pub fn leave(&mut self, place: Seat, reason: LeaveReason) -> Option<Departure<L>> {
        let departure = self.remove(place, reason);
        self.close_if_empty(place.room);
        departure
    }

    /// Judges a datagram from a peer.
    pub fn handle_datagram(&mut self, now: Instant, from: Seat, datagram: Bytes) -> Verdict<L> {
        match self.rooms.get_mut(&from.room) {
            Some(room) => room.handle_datagram(now, from.peer, datagram),
            None => Verdict::Drop(DropReason::LinkDown),
        }
    }

    /// Keeps a peer's counters.
    pub fn handle_stats(&mut self, now: Instant, from: Seat, stats: PeerStats, health: LinkHealth) {
        if let Some(room) = self.rooms.get_mut(&from.room) {
            room.handle_stats(now, from.peer, stats, health);
        }
    }

    /// When [`Self::handle_timeout`] has something to do.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.rooms.values().filter_map(Room::poll_timeout).min()
    }

    /// Gives up frames whose pieces have not come in time, and claims whose gateways have not come back.
    pub fn handle_timeout(&mut self, now: Instant) {
        for room in self.rooms.values_mut() {
            room.handle_timeout(now);
        }
        self.guesses.handle_timeout(now);
        self.joins.handle_timeout(now);
        #[cfg(feature = "cluster-etcd")]
        self.claimants.forget(now);
        self.waiting.handle_timeout(now);
        let (names, rooms) = (&self.names, &self.rooms);
        self.claims.handle_timeout(now, |name| {
            let room = names.get(name);
            room.is_some_and(|id| rooms[id].has_gateway())
        });
    }

    /// What is to be told about frames that do not cross: to whose they are, and to their hosts.
    pub fn poll_notices(&mut self, now: Instant) -> Vec<(L, Notice)> {
        let rooms = self.rooms.values_mut();
        rooms.flat_map(|room| room.poll_notices(now)).collect()
    }

    /// What is to be told about the ways to peers, which `path` knows by a peer's link.
    pub fn poll_pings(
        &mut self,
        now: Instant,
        path: impl Fn(&L) -> Option<Path>,
    ) -> Vec<(L, Pings)> {
        let rooms = self.rooms.values_mut();
        rooms.flat_map(|room| room.poll_pings(now, &path)).collect()
    }

    /// Who is to be told that somebody has fallen silent, or is heard again; `heard` counts what has come over a link.
    pub fn poll_silences(&mut self, now: Instant, heard: impl Fn(&L) -> u64) -> Vec<(L, Silence)> {
        let rooms = self.rooms.values_mut();
        rooms
            .flat_map(|room| room.poll_silences(now, &heard))
            .collect()
    }

    /// Admits nobody from now on; answers the links of all who are here and must be told.
    pub fn drain(&mut self) -> Vec<L> {
        self.admits = Admits::Nobody;
        let members = self.rooms.values().flat_map(Room::members);
        members.map(|(_, link, _)| link.clone()).collect()
    }

    /// Everybody on the relay.
    pub fn peers(&self) -> impl Iterator<Item = (Seat, &PeerRecord)> {
        self.rooms.iter().flat_map(|(&room, members)| {
            let members = members.members();
            members.map(move |(peer, _, record)| (Seat { room, peer }, record))
        })
    }

    /// What is known about a peer.
    pub fn peer(&self, place: Seat) -> Option<&PeerRecord> {
        self.rooms.get(&place.room)?.member(place.peer)
    }

    /// How many rooms there are.
    pub fn rooms(&self) -> usize {
        self.rooms.len()
    }

    /// Says in a welcome which relay it is of.
    fn sign(&self, steps: &mut [Step<L>]) {
        for step in steps {
            if let Step::Answer(RelayMessage::Welcome(welcome)) = step {
                welcome.region.clone_from(&self.region);
            }
        }
    }

    fn open_room(&mut self, now: Instant, name: RoomName, entry: &Entry, source: IpAddr) -> RoomId {
        let id = self.free_number();
        self.openers.open(id, source, is_host(&name, entry));
        let mut room = Room::new(now, id, entry.datagram_budget.ip_mtu(), self.rates);
        room.set_paths(self.paths);
        self.rooms.insert(id, room);
        self.names.insert(name, id);
        self.totals.rooms += 1;
        id
    }

    /// The next number in turn that is free: nobody who still holds the number of a room that went
    /// may find another one there.
    fn free_number(&mut self) -> RoomId {
        let candidates = (1..=u32::MAX).map(|step| self.last_room.wrapping_add(step));
        let id = candidates
            .filter_map(RoomId::new)
            .find(|id| !self.rooms.contains_key(id))
            .expect("there are fewer rooms than numbers for them");
        self.last_room = id.number();
        id
    }

    /// Removes a peer but keeps its room.
    fn remove(&mut self, place: Seat, reason: LeaveReason) -> Option<Departure<L>> {
        let departure = self.rooms.get_mut(&place.room)?.leave(place.peer, reason)?;
        self.peers -= 1;
        self.totals.note_left(&departure.record, reason);
        self.sources.remove(departure.record.source);
        Some(departure)
    }

    fn close_if_empty(&mut self, id: RoomId) {
        if self.rooms.get(&id).is_some_and(Room::is_empty) {
            self.rooms.remove(&id);
            self.openers.close(id);
            self.names.retain(|_, room| *room != id);
        }
    }
}

/// With what the guests of this gateway prove that they are invited.
fn key_of_the_host(entry: &Entry) -> Option<&AdmissionKey> {
    let key = entry.invitation.as_ref()?.admission_key.as_ref();
    key.filter(|_| entry.who == Newcomer::Gateway)
}
