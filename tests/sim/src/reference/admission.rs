//! Who may enter which room: the questions of docs/protocol.md, one after the other.

use super::orders::are_meant;
use super::{Bucket, Mac, Peer, Reference};
use lanparty_ctrl::{AdmissionKey, HostOrder, RejectReason, RoomKey};
use lanparty_relay::registry::GuessLimits;

/// A claim outlasts its gateway for so long.
const LINGER: u64 = 600_000;
/// So many of one code and from one source.
const LINGERING: usize = 2;
/// Among so many claims of a code an invite is looked for that does not say whose room it means.
const CANDIDATES: usize = 8;

/// Who wants to come in.
#[derive(Debug, Clone)]
pub struct Hello {
    /// How it is reached.
    pub link: u32,
    /// The code of the room it wants, and once it is in, the room's name.
    pub room: String,
    /// Its MAC; without one it is a gateway.
    pub mac: Option<Mac>,
    /// Where it comes from.
    pub source: u8,
    /// Who it has proved to be.
    pub identity: Option<u8>,
    /// The token it shows.
    pub token: Option<[u8; 16]>,
    /// What it shows to enter a room for invited people.
    pub shown: Option<Shown>,
    /// The relay's access token, if it has one.
    pub access: Option<u8>,
    /// What it has ordered before; only a host's is heard.
    pub orders: Vec<HostOrder>,
    /// What its path takes in one datagram.
    pub budget: u16,
    /// Whether it says again which groups its machine wants.
    pub tells_groups: bool,
}

impl Hello {
    fn host(&self) -> Option<u8> {
        self.shown?.host
    }
}

/// An invitation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shown {
    /// The room's key by its number.
    pub key: u8,
    /// Whose room it is: a client says so, a gateway has proved it.
    pub host: Option<u8>,
    /// False for a proof that was made for another connection.
    pub fresh: bool,
}

/// What the relay gives a newcomer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Given {
    /// Its room's number.
    pub room_id: u32,
    /// Its own number.
    pub peer_id: u16,
    /// Its resume token.
    pub token: [u8; 16],
    /// Its room's MTU.
    pub mtu: u16,
}

/// The name of a room: an open one is its code, a keyed one its host's.
fn name(code: &str, host: Option<u8>) -> String {
    match host {
        Some(host) => format!("{code} of {host}"),
        None => code.to_owned(),
    }
}

/// What the relay remembers of rooms while nobody is in them, and of those who are wrong.
#[derive(Debug)]
pub(super) struct Door {
    pub(super) access: Option<u8>,
    // The oldest first.
    claims: Vec<Claim>,
    wrong_from: Vec<(u8, Bucket)>,
    wrong_about: Vec<(String, Bucket)>,
    guesses: GuessLimits,
}

#[derive(Debug)]
struct Claim {
    code: String,
    host: u8,
    key: AdmissionKey,
    source: u8,
    ends: Option<u64>,
}

impl Door {
    pub(super) fn new(guesses: GuessLimits) -> Self {
        Door {
            access: None,
            claims: Vec::new(),
            wrong_from: Vec::new(),
            wrong_about: Vec::new(),
            guesses,
        }
    }
}

/// The key that guests of this number's room show.
pub(crate) fn admission_key(number: u8) -> AdmissionKey {
    RoomKey::from_random([number; 16]).admission_key()
}

impl Reference {
    /// From now on only hosts with this token open rooms.
    pub fn set_access(&mut self, access: Option<u8>) {
        self.door.access = access;
    }

    /// In which room the newcomer is and whom it replaces, or why it is refused.
    pub fn admit(
        &mut self,
        now: u64,
        hello: &Hello,
    ) -> Result<(String, Option<u32>), RejectReason> {
        use RejectReason::{CodeClaimed, NoAccess, NotAuthorised, NotHost, RateLimited};
        let answer = self.ask(now, hello);
        let is_wrong = matches!(
            answer,
            Err(NotAuthorised | CodeClaimed | NotHost | NoAccess)
        );
        if is_wrong && !self.may_be_told(now, hello) {
            return Err(RateLimited);
        }
        answer
    }

    fn ask(&mut self, now: u64, hello: &Hello) -> Result<(String, Option<u32>), RejectReason> {
        if self.draining {
            return Err(RejectReason::Draining);
        }
        let name = self.which_room(now, hello)?;
        self.may_open(now, &name, hello)?;
        let is_gateway = hello.mac.is_none();
        let is_host = is_gateway && name != hello.room;
        let room = self.room(&name);
        if !is_host && self.is_banned(&room, hello) {
            return Err(RejectReason::Banned);
        }
        let rival = room.iter().find(|peer| peer.mac == hello.mac);
        if let Some(rival) = rival
            && !is_own(rival, hello)
            && !is_host
        {
            return Err(match is_gateway {
                false => RejectReason::MacInUse,
                true => RejectReason::GatewayPresent,
            });
        }
        if rival.is_none() && self.is_locked_out(&room, hello.mac) {
            return Err(RejectReason::Locked);
        }
        if rival.is_none() && self.is_on_lan(&room, hello.mac) {
            return Err(RejectReason::MacOnLan);
        }
        let rival = rival.map(|rival| (rival.link, rival.source));
        let is_there = !room.is_empty();
        let clients = room.iter().filter(|peer| peer.mac.is_some()).count();
        let is_claimed = || !self.claims_of(now, &hello.room, hello.host()).is_empty();
        if is_host && (is_there || is_claimed()) {
            return Ok((name, rival.map(|rival| rival.0)));
        }
        let room_is_full = !is_gateway && clients >= self.limits.clients_per_room;
        if rival.is_none() && is_there && room_is_full {
            return Err(RejectReason::RoomFull);
        }
        if !is_there && self.rooms() >= self.limits.rooms {
            return Err(RejectReason::RelayFull);
        }
        let opened = self
            .openers
            .iter()
            .filter(|room| (room.1, room.2) == (hello.source, is_host));
        if !is_there && opened.count() >= self.limits.rooms_per_address {
            return Err(RejectReason::RateLimited);
        }
        if rival.is_none() && self.peers.len() >= self.limits.peers {
            return Err(RejectReason::RelayFull);
        }
        if is_host {
            return Ok((name, None));
        }
        let here = self.peers.iter().filter(|peer| peer.source == hello.source);
        let leaves = rival.is_some_and(|rival| rival.1 == hello.source);
        if here.count() - usize::from(leaves) >= self.limits.peers_per_address {
            return Err(RejectReason::RateLimited);
        }
        Ok((name, rival.map(|rival| rival.0)))
    }

    /// A gateway of a keyed room is its host; a client is where its key opens or where it has been; and nobody is led
    /// into an open room without a LAN where a keyed one has the code.
    fn which_room(&self, now: u64, hello: &Hello) -> Result<String, RejectReason> {
        let code = &hello.room;
        let Some(shown) = hello.shown else {
            let room = self.room(code);
            let goes_on = room.iter().any(|peer| {
                let takes_back = peer.mac == hello.mac && is_own(peer, hello);
                hello.mac.is_none() || peer.mac.is_none() || takes_back
            });
            return match goes_on || self.claims_of(now, code, None).is_empty() {
                true => Ok(code.clone()),
                false if hello.mac.is_none() => Err(RejectReason::CodeClaimed),
                false => Err(RejectReason::NotAuthorised),
            };
        };
        if hello.mac.is_none() {
            let host = shown.host.ok_or(RejectReason::NotHost)?;
            return Ok(name(code, Some(host)));
        }
        let claims = self.claims_of(now, code, shown.host);
        let key = admission_key(shown.key);
        let opened = claims.iter().find(|claim| shown.fresh && claim.key == key);
        let was_in = || {
            claims.iter().find(|claim| {
                let room = self.room(&name(code, Some(claim.host)));
                room.iter()
                    .any(|peer| peer.mac == hello.mac && is_own(peer, hello))
            })
        };
        let claim = opened.or_else(was_in);
        let claim = claim.ok_or(RejectReason::NotAuthorised)?;
        Ok(name(code, Some(claim.host)))
    }

    /// The claims that an invite can mean.
    fn claims_of(&self, now: u64, code: &str, host: Option<u8>) -> Vec<&Claim> {
        let live = self.door.claims.iter().filter(|claim| {
            claim.code == code
                && claim.ends.is_none_or(|ends| now < ends)
                && host.is_none_or(|host| host == claim.host)
        });
        let live: Vec<&Claim> = live.collect();
        let turn = |at: usize| {
            let before = live[..at].iter();
            let before = before.filter(|claim| claim.source == live[at].source);
            before.count()
        };
        let mut order: Vec<usize> = (0..live.len()).collect();
        order.sort_by_key(|&at| (turn(at), at));
        order.truncate(CANDIDATES);
        order.into_iter().map(|at| live[at]).collect()
    }

    fn may_open(&self, now: u64, name: &str, hello: &Hello) -> Result<(), RejectReason> {
        let Some(wanted) = self.door.access else {
            return Ok(());
        };
        let is_keyed = name != hello.room;
        let room = self.room(name);
        if hello.mac.is_some() {
            return match is_keyed || !room.is_empty() {
                true => Ok(()),
                false => Err(RejectReason::NotOpened),
            };
        }
        let is_back = room
            .iter()
            .any(|peer| peer.mac.is_none() && is_own(peer, hello));
        let claims = self.claims_of(now, &hello.room, hello.host());
        let is_known = is_keyed && !claims.is_empty();
        match is_back || is_known || hello.access == Some(wanted) {
            true => Ok(()),
            false => Err(RejectReason::NoAccess),
        }
    }

    /// Who is wrong too often hears only that; and what one source says too often is not held against the room.
    fn may_be_told(&mut self, now: u64, hello: &Hello) -> bool {
        let rates = self.door.guesses;
        let door = &mut self.door;
        let may = |bucket: &mut Bucket| {
            let may = bucket.has(now, 1);
            if may {
                bucket.take(1);
            }
            may
        };
        let fresh = |rate| Bucket::new(rate, now);
        let from = entry(&mut door.wrong_from, hello.source, || {
            fresh(rates.per_source)
        });
        if !may(from) {
            return false;
        }
        let code = hello.room.clone();
        may(entry(&mut door.wrong_about, code, || fresh(rates.per_room)))
    }

    fn is_banned(&self, room: &[&Peer], hello: &Hello) -> bool {
        let Some(somebody) = room.first() else {
            return false;
        };
        let mut bans = self.banned.iter();
        let ban = bans.find(|ban| ban.0 == somebody.room_id);
        ban.is_some_and(|(_, people)| are_meant(people, hello.mac, hello.identity))
    }

    fn is_on_lan(&self, room: &[&Peer], mac: Option<Mac>) -> bool {
        let heard = room.first().map(|somebody| somebody.room_id).zip(mac);
        heard.is_some_and(|heard| self.heard.contains(&heard))
    }

    fn is_locked_out(&self, room: &[&Peer], mac: Option<Mac>) -> bool {
        let (Some(somebody), Some(mac)) = (room.first(), mac) else {
            return false;
        };
        let lock = self.locked.iter().find(|lock| lock.0 == somebody.room_id);
        lock.is_some_and(|(_, guests)| !guests.contains(&mac))
    }

    /// The gateway of a keyed room is in, and has brought the key of its guests.
    pub(super) fn claim(&mut self, hello: &Hello) {
        let Some(Shown { key, host, .. }) = hello.shown.filter(|_| hello.mac.is_none()) else {
            return;
        };
        let host = host.expect("else it had not been let in");
        let code = hello.room.strip_suffix(&format!(" of {host}"));
        let claim = Claim {
            code: code.expect("it is named after its host").to_owned(),
            host,
            key: admission_key(key),
            source: hello.source,
            ends: None,
        };
        let claims = &mut self.door.claims;
        let own = claims
            .iter()
            .position(|other| other.code == claim.code && other.host == host);
        if let Some(at) = own {
            claims[at] = claim;
            return;
        }
        if claims.len() >= 2 * self.limits.rooms {
            let ending = claims.iter().filter(|claim| claim.ends.is_some());
            let first = ending.min_by_key(|claim| (claim.ends, claim.host, claim.code.clone()));
            let first = first.map(|claim| (claim.code.clone(), claim.host));
            claims.retain(|claim| Some((claim.code.clone(), claim.host)) != first);
        }
        claims.push(claim);
    }

    /// The host wants another key; an open room has none.
    pub(super) fn rotate(&mut self, room: &str, key: &AdmissionKey) {
        let mut claims = self.door.claims.iter_mut();
        let claim = claims.find(|claim| name(&claim.code, Some(claim.host)) == room);
        if let Some(claim) = claim {
            claim.key = key.clone();
        }
    }

    pub(super) fn end_claims(&mut self, now: u64) {
        let mut claims = std::mem::take(&mut self.door.claims);
        claims.retain(|claim| claim.ends.is_none_or(|ends| now < ends));
        for claim in &mut claims {
            let room = self.room(&name(&claim.code, Some(claim.host)));
            match room.iter().any(|peer| peer.mac.is_none()) {
                true => claim.ends = None,
                false => claim.ends = claim.ends.or(Some(now + LINGER)),
            }
        }
        self.door.claims = claims;
        self.end_surplus_claims();
    }

    /// Of those whose gateways are gone the oldest stay.
    fn end_surplus_claims(&mut self) {
        let mut left: Vec<(String, u8)> = Vec::new();
        self.door.claims.retain(|claim| {
            let of = (claim.code.clone(), claim.source);
            let is_surplus = left.iter().filter(|other| **other == of).count() >= LINGERING;
            if claim.ends.is_some() {
                left.push(of);
            }
            claim.ends.is_none() || !is_surplus
        });
    }
}

/// The place is the newcomer's own: it has its token, and is who got it.
fn is_own(peer: &Peer, hello: &Hello) -> bool {
    Some(peer.token) == hello.token && peer.identity == hello.identity
}

fn entry<K: PartialEq, V>(list: &mut Vec<(K, V)>, key: K, fresh: impl FnOnce() -> V) -> &mut V {
    let at = list.iter().position(|(other, _)| *other == key);
    let at = at.unwrap_or_else(|| {
        list.push((key, fresh()));
        list.len() - 1
    });
    &mut list[at].1
}
