//! The messages, one enum per direction (spec R11, R13).
//!
//! Unknown fields are ignored and missing optional ones default, so that either side may be newer.
//! A `hello` is the exception that is read in two steps: [`Hello`] holds what a stranger wrote,
//! [`Hello::check`] makes an [`Entry`] of it or names the reason for the refusal.

pub use crate::role::{Newcomer, Role};

use crate::door::{Door, Enter, Entered, Go, Meet, Met, NoMeeting, Ready};
use crate::orders::{HostOrder, Members};
use crate::places::{Elsewhere, Found, MAX_FLEET, Near, NotPlaced, Silence};
use crate::{
    AccessToken, AdmissionKey, BATCHES, Challenge, ChannelBinding, DOORS, DRAINS, DisconnectReason,
    Fingerprint, GROUPS, HostId, HostKey, HostPublicKey, HostSignature, LeaveReason, NEW_KEYS,
    NOTICES, Name, Notice, PINGS, Pings, Proof, REDIRECTS, RejectReason, ResumeToken, RoomCode,
    SealedKey, SignedTerm, Text, VERSION, Vouch,
};
use lanparty_obs::PeerStats;
use lanparty_proto::{DatagramBudget, IpMtu, PeerId, RoomId, VirtualMac};
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// From a peer to the relay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum PeerMessage {
    /// The first message on the first bidirectional stream, and only there.
    Hello(Box<Hello>),
    /// In the place of a `hello`, and checked like one: is the party here? It gets no place in a room, and a `hello` may
    /// follow on the next bidirectional stream of the same connection. Only to relays that know [`FINDS`](crate::FINDS),
    /// or to try whether one does.
    Find(Box<Hello>),
    /// In the place of a `hello`: from where does the relay see this connection? It gets no place in a room.
    Look,
    /// The peer's counters, every few seconds.
    Stats(Box<PeerStats>),
    /// What the host wants of the room; from its gateway only.
    Host(HostOrder),
    /// Answers the challenge of the client with this number; from a room's gateway only.
    Vouch(Vouched),
    /// The room's new key for the client with this number; from a room's gateway only.
    NewKey(NewKey),
    /// Where it can be met for a direct path; only to relays that know [`DOORS`].
    Door(Door),
    /// Its NAT is open for a meeting.
    Ready(Ready),
    /// A meeting has led to a direct path; from clients only.
    Met(Met),
    /// The first message on the first bidirectional stream at a gateway's door, and only there.
    Enter(Enter),
    /// The peer is about to close the link.
    Disconnect(Disconnect),
}

impl From<Hello> for PeerMessage {
    fn from(hello: Hello) -> Self {
        PeerMessage::Hello(Box::new(hello))
    }
}

/// From the relay to a peer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum RelayMessage {
    /// The answer to a `hello`: come in.
    Welcome(Welcome),
    /// The answer to a `hello`: no.
    Reject(Reject),
    /// The answer to a `look`.
    Seen(Seen),
    /// The answer to a `find`.
    Found(Box<Found>),
    /// The answer to a `hello` or a `find`: another relay of this fleet has the room; only to peers that know [`REDIRECTS`].
    Redirect(Elsewhere),
    /// The room goes to another relay of this fleet now; only to peers that know [`REDIRECTS`].
    Moved(Elsewhere),
    /// A member has fallen silent, or is heard again; only to peers that know [`REDIRECTS`].
    Silence(Silence),
    /// The room does not go where its host wants it; to its gateway only.
    NotPlaced(NotPlaced),
    /// Somebody is in the room.
    PeerJoined(PeerJoined),
    /// Somebody is no longer in the room.
    PeerLeft(PeerLeft),
    /// The gateway with this number answers the client's challenge.
    Vouched(Vouched),
    /// The room's new key, from the gateway with this number; only to clients that know [`NEW_KEYS`].
    NewKey(NewKey),
    /// The answer to the host, who asked for the members.
    Members(Box<Members>),
    /// Something does not cross; only to peers that know [`NOTICES`].
    Notice(Notice),
    /// How far members are from the relay; only to peers that know [`PINGS`].
    Pings(Pings),
    /// Somebody can be met for a direct path; like the next two only to peers that have said `door`.
    Meet(Box<Meet>),
    /// Both are ready for it.
    Go(Go),
    /// There is no meeting.
    NoMeeting(NoMeeting),
    /// The answer at a gateway's door, and only there: come in.
    Entered(Box<Entered>),
    /// The relay is about to close the link.
    Disconnect(Disconnect),
}

/// From where the relay sees a connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// The address that its packets come from.
    pub address: SocketAddr,
    /// Where the relay is, as its operator calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<Text>,
}

/// A peer's first words, as a stranger wrote them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The version of the protocol it speaks.
    pub version: u16,
    /// What it is.
    pub role: Role,
    /// The room it wants.
    pub room: String,
    /// Its adapter's MAC; clients only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mac: Option<VirtualMac>,
    /// What its path takes in one datagram now.
    pub datagram_budget: DatagramBudget,
    /// Names of optional abilities: [`NOTICES`], [`GROUPS`], [`BATCHES`], [`PINGS`], [`NEW_KEYS`], [`DRAINS`], [`DOORS`], [`REDIRECTS`];
    /// unknown ones are ignored.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub capabilities: Vec<String>,
    /// What its player wants to be called; see [`Name::from_stranger`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Text>,
    /// The token of the place it had before, to take it back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resume_token: Option<ResumeToken>,
    /// That it is invited, made for this connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<Proof>,
    /// With what the relay shall check the proofs of others; gateways only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub admission_key: Option<AdmissionKey>,
    /// Whose room it means, by its invite; clients only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<HostId>,
    /// What the room's gateway shall sign, before the client believes in it; clients only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_challenge: Option<Challenge>,
    /// The room's host key; gateways only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_key: Option<HostPublicKey>,
    /// That it has that key, made for this connection and this admission key; gateways only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_proof: Option<HostSignature>,
    /// That it may open rooms on this relay; gateways only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_token: Option<AccessToken>,
    /// That it wants its place only if nobody has it; gateways only.
    #[serde(default, skip_serializing_if = "is_false")]
    pub yields: bool,
    /// What the host has ordered before and still wants, which holds from the welcome on; gateways only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub orders: Vec<HostOrder>,
    /// The term of its stay, for this relay; gateways only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub term: Option<SignedTerm>,
    /// How far the relays of the fleet are, as far as they were measured; gateways only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub near: Vec<Near>,
    /// How many relays have sent it on to another one before it came to this, in this attempt. Whoever was sent somewhere opens its room
    /// there: relays that disagree on where it goes do not send it to and fro.
    #[serde(default, skip_serializing_if = "is_none_yet")]
    pub sent_on: u8,
}

/// Who wants to enter which room: a [`Hello`] that makes sense.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The room it wants.
    pub room: RoomCode,
    /// What it is.
    pub who: Newcomer,
    /// What its path takes in one datagram.
    pub datagram_budget: DatagramBudget,
    /// What its player wants to be called.
    pub name: Option<Name>,
    /// The token of the place it had before.
    pub resume_token: Option<ResumeToken>,
    /// Who it has proved to be on its connection, which alone knows: no hello says it.
    pub identity: Option<Fingerprint>,
    /// What it shows to enter a room for invited people; without it, it means an open room.
    pub invitation: Option<Invitation>,
    /// What it wants the room's gateway to sign.
    pub host_challenge: Option<Challenge>,
    /// That it may open rooms.
    pub access_token: Option<AccessToken>,
    /// Whether it gives way to whoever has its place.
    pub yields: bool,
    /// What a host has ordered before.
    pub orders: Vec<HostOrder>,
    /// Whether it takes a [`Notice`].
    pub takes_notices: bool,
    /// Whether it takes [`Pings`].
    pub takes_pings: bool,
    /// Whether it takes a [`Notice`] of a relay that is about to end.
    pub takes_drains: bool,
    /// Whether it says again which groups its machine wants.
    pub tells_groups: bool,
    /// Whether it reads several messages from one stream.
    pub reads_batches: bool,
    /// Whether it takes a [`NewKey`].
    pub takes_new_keys: bool,
    /// Whether it can be introduced for a direct path.
    pub knows_doors: bool,
    /// Whether it can be sent to another relay.
    pub takes_redirects: bool,
    /// The gateway's term, which the relay hands on and need not understand.
    pub term: Option<SignedTerm>,
    /// How far the relays of the fleet are from this gateway.
    pub near: Vec<Near>,
    /// How many relays of the fleet have sent it on, as far as it says.
    pub sent_on: u8,
}

impl Entry {
    /// What a peer wants that shows nothing.
    pub fn new(room: RoomCode, who: Newcomer, datagram_budget: DatagramBudget) -> Self {
        Entry {
            room,
            who,
            datagram_budget,
            name: None,
            resume_token: None,
            identity: None,
            invitation: None,
            host_challenge: None,
            access_token: None,
            yields: false,
            orders: Vec::new(),
            takes_notices: false,
            takes_pings: false,
            takes_drains: false,
            tells_groups: false,
            reads_batches: false,
            takes_new_keys: false,
            knows_doors: false,
            takes_redirects: false,
            term: None,
            near: Vec::new(),
            sent_on: 0,
        }
    }
}

/// What a peer shows to prove that it is invited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    /// The proof itself.
    pub proof: Proof,
    /// The connection on which it came.
    pub channel: ChannelBinding,
    /// Whose room it is: a client's invite says so, a gateway has proved that it is this host's.
    pub host: Option<HostId>,
    /// What a gateway would check the proofs of others with.
    pub admission_key: Option<AdmissionKey>,
}

/// A hello that no program of ours sends: its connection is closed without an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a client says its MAC in its hello, a gateway has none")]
pub struct RoleWithoutMac;

impl Hello {
    /// The hello of a program of this version.
    pub fn new(room: &RoomCode, who: Newcomer, datagram_budget: DatagramBudget) -> Self {
        Hello {
            version: VERSION,
            role: who.role(),
            room: room.as_str().to_owned(),
            mac: who.mac(),
            datagram_budget,
            capabilities: vec![NOTICES.to_owned()],
            name: None,
            resume_token: None,
            proof: None,
            admission_key: None,
            host: None,
            host_challenge: None,
            host_key: None,
            host_proof: None,
            access_token: None,
            yields: false,
            orders: Vec::new(),
            term: None,
            near: Vec::new(),
            sent_on: 0,
        }
    }

    /// Adds the proof that its sender is invited, for this connection; a gateway's hello also gets the
    /// key with which the relay checks the proofs of others. A hello that makes no sense stays as it is.
    pub fn prove(&mut self, key: &AdmissionKey, channel: ChannelBinding) {
        if let Ok(Ok(entry)) = self.clone().check(channel) {
            self.proof = Some(key.prove(&channel, &entry.room, entry.who));
            self.admission_key = (self.role == Role::Gateway).then(|| key.clone());
        }
    }

    /// Adds the proof that its sender is the host's gateway, to a gateway's hello that [`Self::prove`] has
    /// given its key to.
    pub fn prove_host(&mut self, host: &HostKey, channel: ChannelBinding) {
        if let (Some(key), Ok(room)) = (&self.admission_key, self.room.parse()) {
            self.host_proof = Some(host.prove(&channel, &key.id(), &room));
            self.host_key = Some(host.public());
        }
    }

    /// The host who has signed that this is its gateway.
    fn proven_host(&self, channel: &ChannelBinding, room: &RoomCode) -> Option<HostId> {
        let (key, proof) = (self.host_key?, self.host_proof?);
        let brought = self.admission_key.as_ref()?.id();
        key.accepts(&proof, channel, &brought, room)
            .then(|| key.id())
    }

    /// Makes sense of it: an entry, or the reason to refuse it. `channel` is the connection's.
    ///
    /// # Errors
    /// [`RoleWithoutMac`] when the fields contradict each other, which is a protocol error.
    pub fn check(
        self,
        channel: ChannelBinding,
    ) -> Result<Result<Entry, RejectReason>, RoleWithoutMac> {
        if self.version != VERSION {
            return Ok(Err(RejectReason::Version));
        }
        let who = match (self.role, self.mac) {
            (Role::Client, Some(mac)) => Newcomer::Client(mac),
            (Role::Gateway, None) => Newcomer::Gateway,
            (Role::Client, None) | (Role::Gateway, Some(_)) => return Err(RoleWithoutMac),
        };
        let Ok(room) = self.room.parse() else {
            return Ok(Err(RejectReason::BadRoomCode));
        };
        let host = match who {
            Newcomer::Client(_) => self.host,
            Newcomer::Gateway => self.proven_host(&channel, &room),
        };
        let Hello {
            datagram_budget,
            capabilities,
            name,
            resume_token,
            proof,
            admission_key,
            host_challenge,
            access_token,
            yields,
            mut orders,
            term,
            mut near,
            sent_on,
            ..
        } = self;
        orders.retain(|_| who == Newcomer::Gateway);
        near.retain(|_| who == Newcomer::Gateway);
        near.truncate(MAX_FLEET);
        let name = name.and_then(|name| Name::from_stranger(&name));
        let admission_key = admission_key.filter(|_| who == Newcomer::Gateway);
        Ok(Ok(Entry {
            name: name.filter(|_| who != Newcomer::Gateway),
            resume_token,
            invitation: proof.map(|proof| Invitation {
                proof,
                channel,
                host,
                admission_key,
            }),
            host_challenge: host_challenge.filter(|_| who != Newcomer::Gateway),
            access_token,
            yields,
            orders,
            takes_notices: capabilities.iter().any(|name| name == NOTICES),
            takes_pings: capabilities.iter().any(|name| name == PINGS),
            takes_drains: capabilities.iter().any(|name| name == DRAINS),
            tells_groups: capabilities.iter().any(|name| name == GROUPS),
            reads_batches: capabilities.iter().any(|name| name == BATCHES),
            takes_new_keys: capabilities.iter().any(|name| name == NEW_KEYS),
            knows_doors: capabilities.iter().any(|name| name == DOORS),
            takes_redirects: capabilities.iter().any(|name| name == REDIRECTS),
            term: term.filter(|_| who == Newcomer::Gateway),
            near,
            sent_on,
            ..Entry::new(room, who, datagram_budget)
        }))
    }
}

/// The relay lets a peer in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// The room's number in overlay headers.
    pub room_id: RoomId,
    /// The peer's own number in overlay headers.
    pub peer_id: PeerId,
    /// The room's IP MTU, which stays as it is.
    pub effective_mtu: IpMtu,
    /// The room's gateway, when there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<PeerId>,
    /// With this the peer takes its place back after a lost link.
    pub resume_token: ResumeToken,
    /// Names of optional abilities of the relay: [`ROOM_KEYS`](crate::ROOM_KEYS),
    /// [`HOST_CONTROLS`](crate::HOST_CONTROLS), [`HOST_KEYS`](crate::HOST_KEYS), [`DOORS`], [`HERE`](crate::HERE), [`FINDS`](crate::FINDS),
    /// [`PLACES`](crate::PLACES).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub capabilities: Vec<String>,
    /// The term of the gateway that is there, where it has told one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub term: Option<SignedTerm>,
    /// The fencing token of the room at this relay; in fleets only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fence: Option<u64>,
    /// Where the relay is, as its operator calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<Text>,
}

/// The relay does not let a peer in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reject {
    /// Why.
    pub reason: RejectReason,
    /// The same in words.
    #[serde(default)]
    pub text: Text,
}

/// Somebody is in the room: one who came, or, for a newcomer, one who was there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerJoined {
    /// Its number.
    pub peer_id: PeerId,
    /// What it is.
    pub role: Role,
    /// Its MAC, for clients.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mac: Option<VirtualMac>,
    /// What its player wants to be called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Name>,
    /// Whose key it has; told to the host only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<Fingerprint>,
    /// What it wants signed before it believes in the gateway; told to the gateway only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_challenge: Option<Challenge>,
    /// Whether it says again which groups its machine wants; told to the gateway only, which then needs no others.
    #[serde(default, skip_serializing_if = "is_false")]
    pub tells_groups: bool,
    /// Whether it takes a [`NewKey`]; told to the gateway only.
    #[serde(default, skip_serializing_if = "is_false")]
    pub takes_new_keys: bool,
    /// The term of a gateway that comes, where it has told one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub term: Option<SignedTerm>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
fn is_false(flag: &bool) -> bool {
    !flag
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
fn is_none_yet(count: &u8) -> bool {
    *count == 0
}

/// A gateway's answer to a client's challenge, on its way through the relay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vouched {
    /// The client's number on the way to the relay, the gateway's on the way from it.
    pub peer_id: PeerId,
    /// The answer.
    #[serde(flatten)]
    pub vouch: Vouch,
}

/// A room's new key on its way through the relay, which cannot read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewKey {
    /// The client's number on the way to the relay, the gateway's on the way from it.
    pub peer_id: PeerId,
    /// With what it can be checked; its [`HostId`] must be the one that the player knows.
    pub host_key: HostPublicKey,
    /// That it is the host's, for this player and this link.
    pub signature: HostSignature,
    /// The key itself.
    pub sealed: SealedKey,
}

/// Somebody is no longer in the room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerLeft {
    /// Its number.
    pub peer_id: PeerId,
    /// Why it is gone.
    pub reason: LeaveReason,
}

/// One side is about to close the link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disconnect {
    /// Why.
    pub reason: DisconnectReason,
    /// The same in words.
    #[serde(default)]
    pub text: Text,
}

#[cfg(test)]
mod tests;
