//! The messages, one enum per direction (spec R11, R13).
//!
//! Unknown fields are ignored and missing optional ones default, so that either side may be newer.
//! A `hello` is the exception that is read in two steps: [`Hello`] holds what a stranger wrote,
//! [`Hello::check`] makes an [`Entry`] of it or names the reason for the refusal.

use crate::host::{HostOrder, Members};
use crate::{
    AccessToken, AdmissionKey, ChannelBinding, DisconnectReason, Fingerprint, LeaveReason, Name,
    Proof, RejectReason, ResumeToken, RoomCode, Text, VERSION,
};
use lanparty_obs::PeerStats;
use lanparty_proto::{DatagramBudget, IpMtu, PeerId, RoomId, VirtualMac};
use serde::{Deserialize, Serialize};

/// What a peer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// A player's adapter: one MAC.
    Client,
    /// The LAN side: as many MACs as the LAN has.
    Gateway,
}

/// From a peer to the relay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum PeerMessage {
    /// The first message on the first bidirectional stream, and only there.
    Hello(Hello),
    /// The peer's counters, every few seconds.
    Stats(Box<PeerStats>),
    /// What the host wants of the room; from its gateway only.
    Host(HostOrder),
    /// The peer is about to close the link.
    Disconnect(Disconnect),
}

/// From the relay to a peer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum RelayMessage {
    /// The answer to a `hello`: come in.
    Welcome(Welcome),
    /// The answer to a `hello`: no.
    Reject(Reject),
    /// Somebody is in the room.
    PeerJoined(PeerJoined),
    /// Somebody is no longer in the room.
    PeerLeft(PeerLeft),
    /// The answer to the host, who asked for the members.
    Members(Members),
    /// The relay is about to close the link.
    Disconnect(Disconnect),
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
    /// Names of optional abilities; none exist yet, unknown ones are ignored.
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
    /// That it may open rooms on this relay; gateways only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_token: Option<AccessToken>,
    /// What the host has ordered before and still wants, which holds from the welcome on; gateways only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub orders: Vec<HostOrder>,
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
    /// That it may open rooms.
    pub access_token: Option<AccessToken>,
    /// What a host has ordered before.
    pub orders: Vec<HostOrder>,
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
            access_token: None,
            orders: Vec::new(),
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
    /// What a gateway would check the proofs of others with.
    pub admission_key: Option<AdmissionKey>,
}

/// A role with what belongs to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Newcomer {
    /// A player's adapter.
    Client(VirtualMac),
    /// The LAN side.
    Gateway,
}

impl Newcomer {
    /// The role alone.
    pub fn role(self) -> Role {
        match self {
            Newcomer::Client(_) => Role::Client,
            Newcomer::Gateway => Role::Gateway,
        }
    }

    /// The MAC, for clients.
    pub fn mac(self) -> Option<VirtualMac> {
        match self {
            Newcomer::Client(mac) => Some(mac),
            Newcomer::Gateway => None,
        }
    }
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
            capabilities: Vec::new(),
            name: None,
            resume_token: None,
            proof: None,
            admission_key: None,
            access_token: None,
            orders: Vec::new(),
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
        let Hello {
            datagram_budget,
            name,
            resume_token,
            proof,
            admission_key,
            access_token,
            mut orders,
            ..
        } = self;
        orders.retain(|_| who == Newcomer::Gateway);
        let name = name.and_then(|name| Name::from_stranger(&name));
        let admission_key = admission_key.filter(|_| who == Newcomer::Gateway);
        Ok(Ok(Entry {
            name: name.filter(|_| who != Newcomer::Gateway),
            resume_token,
            invitation: proof.map(|proof| Invitation {
                proof,
                channel,
                admission_key,
            }),
            access_token,
            orders,
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
    /// [`HOST_CONTROLS`](crate::HOST_CONTROLS).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub capabilities: Vec<String>,
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
mod tests {
    use super::*;
    use crate::host::{ADDRESSES_PER_MEMBER, MAX_BANNED, MEMBERS_PER_MESSAGE, Member, Person};
    use crate::{RoomKey, codec};
    use serde_json::json;

    const CHANNEL: ChannelBinding = ChannelBinding([7; 32]);

    fn mac() -> VirtualMac {
        "02:1a:2b:3c:4d:5e".parse().unwrap()
    }

    fn hello() -> Hello {
        let budget = DatagramBudget::new(1312).unwrap();
        Hello::new(&"friday".parse().unwrap(), Newcomer::Client(mac()), budget)
    }

    fn same_both_ways<M>(message: M, json: serde_json::Value)
    where
        M: Serialize + serde::de::DeserializeOwned + PartialEq + std::fmt::Debug,
    {
        assert_eq!(serde_json::to_value(&message).unwrap(), json);
        let bytes = codec::encode(&message).unwrap();
        assert_eq!(
            codec::decode::<M>(&bytes[codec::PREFIX_LEN..]).unwrap(),
            message
        );
    }

    #[test]
    fn peer_messages_have_this_json() {
        same_both_ways(
            PeerMessage::Hello(hello()),
            json!({
                "type": "hello", "version": 1, "role": "client", "room": "FRIDAY",
                "mac": "02:1a:2b:3c:4d:5e", "datagram_budget": 1312
            }),
        );
        let resume_token = Some(ResumeToken::from_random([0xab; 16]));
        let budget = DatagramBudget::new(1162).unwrap();
        let gateway = Hello::new(&"friday".parse().unwrap(), Newcomer::Gateway, budget);
        same_both_ways(
            PeerMessage::Hello(Hello {
                resume_token,
                ..gateway
            }),
            json!({
                "type": "hello", "version": 1, "role": "gateway", "room": "FRIDAY",
                "datagram_budget": 1162, "resume_token": "abababababababababababababababab"
            }),
        );
        let proof = Proof::try_from("_".repeat(42) + "8").unwrap();
        let admission_key = AdmissionKey::try_from("-".repeat(42) + "4").unwrap();
        same_both_ways(
            PeerMessage::Hello(Hello {
                proof: Some(proof),
                admission_key: Some(admission_key),
                ..Hello::new(&"friday".parse().unwrap(), Newcomer::Gateway, budget)
            }),
            json!({
                "type": "hello", "version": 1, "role": "gateway", "room": "FRIDAY",
                "datagram_budget": 1162, "proof": "_".repeat(42) + "8",
                "admission_key": "-".repeat(42) + "4"
            }),
        );
        same_both_ways(
            PeerMessage::Stats(Box::new(PeerStats {
                frames_to_relay: 5,
                ..PeerStats::default()
            })),
            json!({
                "type": "stats", "frames_to_relay": 5, "bytes_to_relay": 0, "datagrams_to_relay": 0,
                "frames_from_relay": 0, "bytes_from_relay": 0, "datagrams_from_relay": 0,
                "group_frames_from_relay": 0, "port_reads": 0, "port_writes": 0, "drops": {}
            }),
        );
        let peer_id = PeerId::new(2).unwrap();
        same_both_ways(
            PeerMessage::Host(HostOrder::Mute {
                peer_id,
                muted: true,
            }),
            json!({ "type": "host", "order": "mute", "peer_id": 2, "muted": true }),
        );
        let admission_key = AdmissionKey::try_from("-".repeat(42) + "4").unwrap();
        same_both_ways(
            PeerMessage::Host(HostOrder::Rotate { admission_key }),
            json!({ "type": "host", "order": "rotate", "admission_key": "-".repeat(42) + "4" }),
        );
        let banned = vec![
            Person::Identity(Fingerprint::from_sha256([0xff; 32])),
            Person::Mac(mac()),
        ];
        same_both_ways(
            PeerMessage::Host(HostOrder::Ban { banned }),
            json!({ "type": "host", "order": "ban",
                "banned": [{ "identity": "_".repeat(42) + "8" }, { "mac": "02:1a:2b:3c:4d:5e" }] }),
        );
        same_both_ways(
            PeerMessage::Host(HostOrder::Members),
            json!({ "type": "host", "order": "members" }),
        );
        same_both_ways(
            PeerMessage::Disconnect(Disconnect {
                reason: DisconnectReason::Leaving,
                text: "the player pressed Ctrl-C".into(),
            }),
            json!({ "type": "disconnect", "reason": "leaving", "text": "the player pressed Ctrl-C" }),
        );
    }

    #[test]
    fn relay_messages_have_this_json() {
        let peer_id = PeerId::new(2).unwrap();
        same_both_ways(
            RelayMessage::Welcome(Welcome {
                room_id: RoomId::new(7).unwrap(),
                peer_id,
                effective_mtu: IpMtu::new(1290).unwrap(),
                gateway: PeerId::new(1),
                resume_token: ResumeToken::from_random([1; 16]),
                capabilities: Vec::new(),
            }),
            json!({
                "type": "welcome", "room_id": 7, "peer_id": 2, "effective_mtu": 1290, "gateway": 1,
                "resume_token": "01010101010101010101010101010101"
            }),
        );
        same_both_ways(
            RelayMessage::Reject(Reject {
                reason: RejectReason::RoomFull,
                text: "full".into(),
            }),
            json!({ "type": "reject", "reason": "room_full", "text": "full" }),
        );
        same_both_ways(
            RelayMessage::PeerJoined(PeerJoined {
                peer_id,
                role: Role::Client,
                mac: Some(mac()),
                name: Some("Ann".parse().unwrap()),
                identity: Some(Fingerprint::from_sha256([0xff; 32])),
            }),
            json!({ "type": "peer_joined", "peer_id": 2, "role": "client", "mac": "02:1a:2b:3c:4d:5e",
                "name": "Ann", "identity": "_".repeat(42) + "8" }),
        );
        same_both_ways(
            RelayMessage::PeerLeft(PeerLeft {
                peer_id,
                reason: LeaveReason::TimedOut,
            }),
            json!({ "type": "peer_left", "peer_id": 2, "reason": "timed_out" }),
        );
    }

    #[test]
    fn the_fullest_answer_about_members_fits_a_message() {
        let member = Member {
            peer_id: PeerId::new(65_534).unwrap(),
            addresses: vec![[u16::MAX; 8].into(); ADDRESSES_PER_MEMBER],
            seconds: u64::MAX,
            rtt_us: Some(u64::MAX),
            loss_permille: Some(1000),
            sends: Some(u64::MAX),
            receives: Some(u64::MAX),
            dropped: u64::MAX,
            muted: false,
        };
        let message = RelayMessage::Members(Members {
            locked: true,
            isolated: true,
            members: vec![member; MEMBERS_PER_MESSAGE],
            last: false,
        });
        let bytes = codec::encode(&message).unwrap();
        assert_eq!(
            codec::decode::<RelayMessage>(&bytes[codec::PREFIX_LEN..]).unwrap(),
            message
        );
    }

    #[test]
    fn a_hello_with_all_that_a_host_may_want_fits_a_message() {
        let budget = DatagramBudget::new(1162).unwrap();
        let hello = Hello {
            orders: vec![
                HostOrder::Ban {
                    banned: vec![Person::Identity(Fingerprint::from_sha256([1; 32])); MAX_BANNED],
                },
                HostOrder::Lock {
                    locked: true,
                    also: vec![mac(); 1024],
                },
                HostOrder::Isolate { isolated: true },
            ],
            ..Hello::new(&"friday".parse().unwrap(), Newcomer::Gateway, budget)
        };
        assert!(codec::encode(&PeerMessage::Hello(hello.clone())).is_ok());
        let entry = hello.clone().check(CHANNEL).unwrap().unwrap();
        assert_eq!(entry.orders, hello.orders);
        let (role, mac) = (Role::Client, Some(mac()));
        let from_a_client = Hello { role, mac, ..hello };
        let entry = from_a_client.check(CHANNEL).unwrap().unwrap();
        assert_eq!(entry.orders, []);
    }

    #[test]
    fn a_hello_is_checked_version_first() {
        let entry = hello().check(CHANNEL).unwrap().unwrap();
        assert_eq!(
            (entry.room.as_str(), entry.who),
            ("FRIDAY", Newcomer::Client(mac()))
        );
        let newer = Hello {
            version: 2,
            mac: None,
            ..hello()
        };
        assert_eq!(newer.check(CHANNEL), Ok(Err(RejectReason::Version)));
        let strange_room = Hello {
            room: "a b".into(),
            ..hello()
        };
        assert_eq!(
            strange_room.check(CHANNEL),
            Ok(Err(RejectReason::BadRoomCode))
        );
        assert_eq!(
            Hello {
                mac: None,
                ..hello()
            }
            .check(CHANNEL),
            Err(RoleWithoutMac)
        );
        assert_eq!(
            Hello {
                role: Role::Gateway,
                ..hello()
            }
            .check(CHANNEL),
            Err(RoleWithoutMac)
        );
    }

    #[test]
    fn a_hello_proves_what_it_says_and_only_a_gateway_gives_the_key_away() {
        let key = RoomKey::from_random([1; 16]).admission_key();
        let mut client = hello();
        client.prove(&key, CHANNEL);
        let entry = client.clone().check(CHANNEL).unwrap().unwrap();
        let invitation = entry.invitation.unwrap();
        assert!(key.accepts(&invitation.proof, &CHANNEL, &entry.room, entry.who));
        assert_eq!(
            (invitation.admission_key, client.admission_key),
            (None, None)
        );
        let mut gateway = Hello::new(&entry.room, Newcomer::Gateway, client.datagram_budget);
        gateway.prove(&key, CHANNEL);
        let entry = gateway.check(CHANNEL).unwrap().unwrap();
        assert_eq!(entry.invitation.unwrap().admission_key, Some(key));
    }

    #[test]
    fn values_that_cannot_be_are_no_message() {
        for json in [
            json!({ "type": "peer_left", "peer_id": 0, "reason": "closed" }),
            json!({ "type": "peer_joined", "peer_id": 1, "role": "client", "mac": "01:00:5e:00:00:01" }),
            json!({ "type": "peer_joined", "peer_id": 1, "role": "router" }),
            json!({ "type": "hello" }),
            json!(["peer_left"]),
        ] {
            let body = json.to_string();
            assert!(
                codec::decode::<RelayMessage>(body.as_bytes()).is_err(),
                "{json}"
            );
        }
    }

    #[test]
    fn unknown_fields_are_ignored() {
        let body = br#"{"type":"peer_left","peer_id":2,"reason":"closed","later":[1]}"#;
        assert!(codec::decode::<RelayMessage>(body).is_ok());
    }
}
