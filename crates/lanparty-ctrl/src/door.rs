//! A direct path between a player and its gateway: how they are introduced, and how each knows the other.
//!
//! The relay introduces them: it tells each where the other is and both a secret of this meeting. At the gateway's
//! door they prove to each other that they have that secret *and* the room's key: the relay lacks the key, and
//! another member lacks the secret, so neither can stand in between.

use crate::{
    ChannelBinding, HostId, HostKey, HostPublicKey, HostSignature, Pin, Proof, RoomCode, RoomKey,
    base64url,
};
use lanparty_proto::{DatagramBudget, PeerId, RoomId, VirtualMac};
use ring::{hkdf, hmac};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::SocketAddr;
use zeroize::Zeroizing;

/// The ability of a peer to take a direct path, in its `hello`, and of a relay to introduce peers for one, in its
/// `welcome`.
pub const DOORS: &str = "doors";

/// The ability of a relay to be the host's own gateway, in its `welcome`: there is no shorter path.
pub const HERE: &str = "here";

/// The name of what is spoken at a door, in TLS (RFC 7301).
pub const DOOR_ALPN: &[u8] = b"lanparty-door/1";

/// How many addresses of its own a peer names.
pub const MAX_ADDRESSES: usize = 8;

const LABEL: &[u8] = b"door";
/// Starts every proof at a door.
const PROOF: &[u8] = b"softlan-vpn door proof 1";
/// Starts what the host signs for a door.
const SIGNED: &[u8] = b"softlan-vpn door 1";

/// From a peer to the relay: where else it can be reached, or that it wants no direct path. A later one replaces it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Door {
    /// False when it wants none: its person has turned that off, or the room is open to everybody.
    pub open: bool,
    /// Its own sockets beside the one that the relay sees, [`MAX_ADDRESSES`] at most.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<SocketAddr>,
    /// By which a gateway's door is known; gateways only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pin: Option<Pin>,
    /// What is known of its NAT.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nat: Option<Mapping>,
}

/// Whether a NAT gives one socket one address, whomever it talks to (RFC 4787 §4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mapping {
    /// The same towards everybody: others can be told of it.
    Stable,
    /// Another one towards each: nobody can be told of it before ("symmetric").
    Varies,
}

/// From the relay to both: the other one is there. Each opens its own NAT towards these addresses with packets that
/// do not arrive, and says [`Ready`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meet {
    /// The other one's number.
    pub peer_id: PeerId,
    /// Which attempt of this pair it is.
    pub round: u32,
    /// Where the other one may be: as the relay sees it, then what it has named itself.
    pub addresses: Vec<SocketAddr>,
    /// The receiver's own address, as the relay sees it.
    pub seen: SocketAddr,
    /// For the proofs of this attempt.
    pub secret: MeetSecret,
    /// By which the gateway's door is known; to clients only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pin: Option<Pin>,
    /// The other one's round trip to the relay, in microseconds.
    pub rtt_us: u32,
    /// What is known of the other one's NAT.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nat: Option<Mapping>,
}

/// From a peer to the relay: its NAT is open for the other one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ready {
    /// The other one's number.
    pub peer_id: PeerId,
    /// Of the [`Meet`] that it answers.
    pub round: u32,
}

/// From the relay to both, once both are ready: now with packets that arrive.
pub type Go = Ready;

/// From a client to the relay: the round has led to a direct path. Without this word the next rounds are few.
pub type Met = Ready;

/// From the relay to a peer that has said [`Door`]: there is no meeting with this one, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoMeeting {
    /// The other one's number.
    pub peer_id: PeerId,
    /// Why.
    pub why: NoMeetingReason,
}

/// Why two are not introduced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoMeetingReason {
    /// The other one wants none.
    Closed,
    /// The other one's program is too old for it.
    Unable,
    /// One of the two is seen at no address that is of use to the other: its link comes over TCP, for one.
    Unseen,
    /// They have tried often enough for now.
    Spent,
    /// The relay's operator does not introduce anybody.
    RelayRefuses,
    /// A reason that a newer program knows.
    #[serde(other)]
    Other,
}

impl NoMeetingReason {
    /// Every reason, in the order of the enum.
    pub const ALL: [NoMeetingReason; 6] = [
        NoMeetingReason::Closed,
        NoMeetingReason::Unable,
        NoMeetingReason::Unseen,
        NoMeetingReason::Spent,
        NoMeetingReason::RelayRefuses,
        NoMeetingReason::Other,
    ];

    /// The reason as it stands on the wire and in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            NoMeetingReason::Closed => "closed",
            NoMeetingReason::Unable => "unable",
            NoMeetingReason::Unseen => "unseen",
            NoMeetingReason::Spent => "spent",
            NoMeetingReason::RelayRefuses => "relay_refuses",
            NoMeetingReason::Other => "other",
        }
    }
}

/// From a player to the gateway, on the first bidirectional stream at its door.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enter {
    /// The player's own number.
    pub peer_id: PeerId,
    /// The room's number.
    pub room_id: RoomId,
    /// Of the [`Meet`] that led here.
    pub round: u32,
    /// What its path takes in one datagram now.
    pub datagram_budget: DatagramBudget,
    /// That it is the player who was introduced.
    pub proof: Proof,
}

/// The gateway's answer: come in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entered {
    /// What its path takes in one datagram now.
    pub datagram_budget: DatagramBudget,
    /// That it is the gateway to which the player was introduced.
    pub proof: Proof,
    /// The room's host key, where the gateway has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_key: Option<HostPublicKey>,
    /// That the host's gateway is at this end of the connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_signature: Option<HostSignature>,
}

/// 256 random bits that the relay tells both sides of a meeting. Shown to nobody: `Debug` hides it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MeetSecret(Zeroizing<[u8; 32]>);

/// Not 43 characters of base64url.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a meeting's secret is 43 characters of base64url")]
pub struct MeetSecretError;

impl MeetSecret {
    /// A secret from 256 bits of OS randomness.
    pub fn from_random(bits: [u8; 32]) -> Self {
        MeetSecret(Zeroizing::new(bits))
    }
}

impl TryFrom<String> for MeetSecret {
    type Error = MeetSecretError;

    fn try_from(text: String) -> Result<Self, MeetSecretError> {
        base64url::decode(&text)
            .map(MeetSecret::from_random)
            .ok_or(MeetSecretError)
    }
}

impl From<MeetSecret> for String {
    fn from(secret: MeetSecret) -> String {
        base64url::encode(&*secret.0)
    }
}

impl fmt::Debug for MeetSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MeetSecret(…)")
    }
}

/// Who proves something at a door.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The one who came.
    Client,
    /// The one whose door it is.
    Gateway,
}

/// Who meets whom, and over which connection.
#[derive(Debug, Clone, Copy)]
pub struct Encounter<'a> {
    /// The connection at the door.
    pub channel: &'a ChannelBinding,
    /// The player's MAC.
    pub client: VirtualMac,
    /// The player's number.
    pub peer: PeerId,
    /// The room's number.
    pub room_id: RoomId,
    /// The room's code.
    pub room: &'a RoomCode,
}

impl Encounter<'_> {
    /// Only the code's length varies, and it stands last.
    fn bytes(&self, begins: &[u8], side: &[u8]) -> Vec<u8> {
        [
            begins,
            &self.channel.0,
            side,
            &self.client.addr().octets(),
            &self.peer.number().to_be_bytes(),
            &self.room_id.number().to_be_bytes(),
            self.room.as_str().as_bytes(),
        ]
        .concat()
    }

    /// The host's word that its gateway is at the other end of this connection.
    pub fn sign(&self, host: &HostKey) -> HostSignature {
        host.sign(&self.bytes(SIGNED, b""))
    }

    /// True when this host has given its word.
    pub fn is_signed(&self, by: &HostId, key: &HostPublicKey, signature: &HostSignature) -> bool {
        key.id() == *by && key.has_signed(&self.bytes(SIGNED, b""), signature)
    }
}

/// With what the two of a meeting prove themselves to each other (HKDF-SHA256, RFC 5869; HMAC-SHA256, RFC 2104).
pub struct DoorKey(Zeroizing<[u8; 32]>);

impl DoorKey {
    /// Of this meeting, in a room with this key, or in one that is open to everybody.
    pub fn new(secret: &MeetSecret, room: Option<&RoomKey>) -> Self {
        let mut key = Zeroizing::new([0; 32]);
        let material: &[u8] = room.map_or(b"", |room| room.reveal_bytes());
        hkdf::Salt::new(hkdf::HKDF_SHA256, &*secret.0)
            .extract(material)
            .expand(&[LABEL], hkdf::HKDF_SHA256)
            .and_then(|expanded| expanded.fill(&mut *key))
            .expect("HKDF-SHA256 gives up to 8160 bytes");
        DoorKey(key)
    }

    /// Proves that this side has it.
    pub fn prove(&self, side: Side, at: &Encounter<'_>) -> Proof {
        Proof::from_tag(&hmac::sign(&self.hmac_key(), &said(side, at)))
    }

    /// True when the other side has proved it; takes the same time wherever the proof is wrong.
    pub fn accepts(&self, proof: &Proof, side: Side, at: &Encounter<'_>) -> bool {
        hmac::verify(&self.hmac_key(), &said(side, at), proof.as_bytes()).is_ok()
    }

    fn hmac_key(&self) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, &*self.0)
    }
}

fn said(side: Side, at: &Encounter<'_>) -> Vec<u8> {
    let side: &[u8] = match side {
        Side::Client => b"c",
        Side::Gateway => b"g",
    };
    at.bytes(PROOF, side)
}

impl fmt::Debug for DoorKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DoorKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::HostSecret;

    const CHANNEL: ChannelBinding = ChannelBinding([7; 32]);

    fn room() -> RoomCode {
        "FRIDAY".parse().unwrap()
    }

    fn key(secret: u8, room: u8) -> DoorKey {
        let room = RoomKey::from_random([room; 16]);
        DoorKey::new(&MeetSecret::from_random([secret; 32]), Some(&room))
    }

    fn at<'a>(room: &'a RoomCode, channel: &'a ChannelBinding) -> Encounter<'a> {
        Encounter {
            channel,
            client: VirtualMac::from_random([2, 0, 0, 0, 0, 9]),
            peer: PeerId::new(3).unwrap(),
            room_id: RoomId::new(4).unwrap(),
            room,
        }
    }

    #[test]
    fn a_proof_needs_the_meetings_secret_and_the_rooms_key() {
        let room = room();
        let here = at(&room, &CHANNEL);
        let proof = key(1, 2).prove(Side::Client, &here);
        assert!(key(1, 2).accepts(&proof, Side::Client, &here));
        // Another member has the room's key, the relay the secret.
        assert!(!key(9, 2).accepts(&proof, Side::Client, &here));
        assert!(!key(1, 9).accepts(&proof, Side::Client, &here));
        let keyless = DoorKey::new(&MeetSecret::from_random([1; 32]), None);
        assert!(!keyless.accepts(&proof, Side::Client, &here));
    }

    /// The figures of docs/protocol.md, which Python's hmac and cryptography have made.
    #[test]
    fn proofs_and_signature_have_these_bytes() {
        let room = room();
        let at = Encounter {
            channel: &CHANNEL,
            client: VirtualMac::from_random([0x02, 0x1a, 0x2b, 0x3c, 0x4d, 0x5e]),
            peer: PeerId::new(2).unwrap(),
            room_id: RoomId::new(7).unwrap(),
            room: &room,
        };
        let secret = std::array::from_fn(|at| at as u8);
        let secret = MeetSecret::from_random(secret);
        assert_eq!(
            String::from(secret.clone()),
            "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
        );
        let room_key = RoomKey::from_random(std::array::from_fn(|at| at as u8));
        for (room_key, client, gateway) in [
            (
                Some(&room_key),
                "3m-55U0XFrGPLpjkOPCYkPTF_FcWjHAEUGvQpzVZ0DU",
                "zMegAaqwTJ30-MjUW2s9GfUhLPeBSXETfCZj9aHCxA8",
            ),
            (
                None,
                "OzQbQ-2rJjnW9AuDC7dewMg9zmzYfeUsNTcWBm_3PqM",
                "oX8z5fdn0_6dAhtEuwoy7dF9IF2beY1eeQBPHCbifHs",
            ),
        ] {
            let key = DoorKey::new(&secret, room_key);
            for (side, text) in [(Side::Client, client), (Side::Gateway, gateway)] {
                assert_eq!(String::from(key.prove(side, &at)), text);
            }
        }
        let host = HostSecret::from_random([5; 32]).host_key(&room);
        let signed = "r642gddtQEdOdOVSR656N5KbDu2h91MBoRhZUNPHAI668WUs2CNgR3SYpYkN5sVEF7m-FmW9lv-4nam-TZodDA";
        assert_eq!(String::from(at.sign(&host)), signed);
    }

    #[test]
    fn it_is_of_one_side_on_one_connection_of_one_player_in_one_room() {
        let (room, other_room) = (room(), "MONDAY".parse().unwrap());
        let (here, key) = (at(&room, &CHANNEL), key(1, 2));
        let proof = key.prove(Side::Client, &here);
        assert!(!key.accepts(&proof, Side::Gateway, &here), "sent back");
        let other = ChannelBinding([8; 32]);
        assert!(!key.accepts(&proof, Side::Client, &at(&room, &other)));
        assert!(!key.accepts(&proof, Side::Client, &at(&other_room, &CHANNEL)));
        let numbered = Encounter {
            peer: PeerId::new(5).unwrap(),
            ..here
        };
        assert!(!key.accepts(&proof, Side::Client, &numbered));
        let named = Encounter {
            client: VirtualMac::from_random([2, 0, 0, 0, 0, 8]),
            ..here
        };
        assert!(!key.accepts(&proof, Side::Client, &named));
        let elsewhere = Encounter {
            room_id: RoomId::new(5).unwrap(),
            ..here
        };
        assert!(!key.accepts(&proof, Side::Client, &elsewhere));
    }

    #[test]
    fn the_host_signs_for_one_connection() {
        let room = room();
        let host = HostSecret::from_random([5; 32]).host_key(&room);
        let here = at(&room, &CHANNEL);
        let signature = here.sign(&host);
        assert!(here.is_signed(&host.id(), &host.public(), &signature));
        let other = ChannelBinding([8; 32]);
        let elsewhere = at(&room, &other);
        assert!(!elsewhere.is_signed(&host.id(), &host.public(), &signature));
        let stranger = HostSecret::from_random([6; 32]).host_key(&room);
        assert!(!here.is_signed(&host.id(), &stranger.public(), &here.sign(&stranger)));
    }

    #[test]
    fn a_secret_is_never_shown() {
        let secret = MeetSecret::from_random([7; 32]);
        let text = String::from(secret.clone());
        assert_eq!(MeetSecret::try_from(text.clone()), Ok(secret.clone()));
        assert!(!format!("{secret:?}").contains(&text[..8]));
        assert_eq!(
            MeetSecret::try_from(text[1..].to_owned()),
            Err(MeetSecretError)
        );
    }
}
