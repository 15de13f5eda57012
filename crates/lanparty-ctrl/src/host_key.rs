//! Who the host of a room is: whoever has the room's host key, which no invite carries.
//!
//! The host's machine keeps one [`HostSecret`] and makes of it a [`HostKey`] for each room, so that nobody can
//! tell that two rooms have one host. A gateway proves on its connection that it has the room's key; the
//! relay then knows the room by the key's [`HostId`], and players who know that from their invite ask the
//! gateway for a [`Vouch`], which no relay can make.

use crate::base64url;
use crate::room_key::KeyId;
use crate::{ChannelBinding, RoomCode, identity};
use lanparty_proto::{PeerId, RoomId, VirtualMac};
use ring::hkdf;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

/// Separates what is derived here from what anybody else derives from the same bits.
const SALT: &[u8] = b"softlan-vpn host secret 1";
/// Stands before the room's code, which makes the key another one for each room.
const LABEL: &[u8] = b"host key ";
/// Starts what a gateway signs for its relay, and what it signs for a player: neither is ever the other.
const PROOF: &[u8] = b"softlan-vpn host proof 1";
const VOUCH: &[u8] = b"softlan-vpn host vouch 1";

/// 256 random bits that never leave the host's machine, as 43 characters of base64url. `Debug` hides them and
/// there is no `Display`.
#[derive(Clone)]
pub struct HostSecret(Zeroizing<[u8; 32]>);

/// Not what it should be in base64url.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "host secrets, host keys and challenges are 43 letters, digits, hyphens and underscores, signatures 86"
)]
pub struct HostKeyError;

impl HostSecret {
    /// A secret from 256 bits of OS randomness.
    pub fn from_random(bits: [u8; 32]) -> Self {
        HostSecret(Zeroizing::new(bits))
    }

    /// The text of the secret, which is for a file that nobody else reads.
    pub fn reveal(&self) -> Zeroizing<String> {
        Zeroizing::new(base64url::encode(&*self.0))
    }

    /// The host's key for this room, always the same.
    pub fn host_key(&self, room: &RoomCode) -> HostKey {
        let mut seed = Zeroizing::new([0; 32]);
        hkdf::Salt::new(hkdf::HKDF_SHA256, SALT)
            .extract(&*self.0)
            .expand(&[LABEL, room.as_str().as_bytes()], hkdf::HKDF_SHA256)
            .and_then(|expanded| expanded.fill(&mut *seed))
            .expect("HKDF-SHA256 gives up to 8160 bytes");
        HostKey::from_seed(seed)
    }
}

impl FromStr for HostSecret {
    type Err = HostKeyError;

    fn from_str(text: &str) -> Result<Self, HostKeyError> {
        let bits = base64url::decode(text).ok_or(HostKeyError)?;
        Ok(HostSecret::from_random(bits))
    }
}

/// Takes the same time wherever two secrets differ.
impl PartialEq for HostSecret {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&*other.0).into()
    }
}

impl Eq for HostSecret {}

impl fmt::Debug for HostSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HostSecret(…)")
    }
}

/// A room's own Ed25519 key (RFC 8032), for its host alone.
#[derive(Clone)]
pub struct HostKey {
    seed: Zeroizing<[u8; 32]>,
    public: HostPublicKey,
}

impl HostKey {
    fn from_seed(seed: Zeroizing<[u8; 32]>) -> Self {
        let pair = Ed25519KeyPair::from_seed_unchecked(&*seed).expect("a seed is 32 bytes");
        let public = pair.public_key().as_ref();
        let public = HostPublicKey(public.try_into().expect("a public key is 32 bytes"));
        HostKey { seed, public }
    }

    /// By what others know the host.
    pub fn id(&self) -> HostId {
        self.public.id()
    }

    /// With what others check its signatures.
    pub fn public(&self) -> HostPublicKey {
        self.public
    }

    /// Proves that the gateway on this connection is the host's, and that it brings this admission key.
    pub fn prove(&self, channel: &ChannelBinding, key: &KeyId, room: &RoomCode) -> HostSignature {
        self.sign(&proof(channel, key, room))
    }

    /// Answers a player's challenge.
    pub fn vouch(&self, at: &Introduction<'_>) -> Vouch {
        Vouch {
            host_key: self.public,
            signature: self.sign(&at.bytes()),
        }
    }

    pub(crate) fn sign(&self, message: &[u8]) -> HostSignature {
        let pair = Ed25519KeyPair::from_seed_unchecked(&*self.seed).expect("a seed is 32 bytes");
        let signature = pair.sign(message);
        HostSignature(
            signature
                .as_ref()
                .try_into()
                .expect("Ed25519 gives 64 bytes"),
        )
    }
}

impl fmt::Debug for HostKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HostKey({}, …)", self.id())
    }
}

/// The half of a host key that everybody may see.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HostPublicKey([u8; 32]);

impl HostPublicKey {
    /// The short form, which invites carry.
    pub fn id(&self) -> HostId {
        HostId(identity::sha256_of_spki(&self.0))
    }

    /// True when its owner has signed that it is the gateway on this connection and brings this key.
    pub fn accepts(
        &self,
        signature: &HostSignature,
        channel: &ChannelBinding,
        key: &KeyId,
        room: &RoomCode,
    ) -> bool {
        self.has_signed(&proof(channel, key, room), signature)
    }

    pub(crate) fn has_signed(&self, message: &[u8], signature: &HostSignature) -> bool {
        let key = UnparsedPublicKey::new(&ED25519, self.0);
        key.verify(message, &signature.0).is_ok()
    }
}

/// The SHA-256 of a host's public key in the form in which certificates hold it (SubjectPublicKeyInfo), written
/// like a pin: together with the code it is the room. No secret.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HostId([u8; 32]);

impl HostId {
    /// The id of a key, from the SHA-256 of its SubjectPublicKeyInfo.
    pub const fn from_sha256(digest: [u8; 32]) -> Self {
        HostId(digest)
    }

    /// Its bytes, for where text would be too long.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// A signature by a host key (RFC 8032 §5.1.6).
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HostSignature([u8; 64]);

/// Random bits of a player's, for the gateway to sign: nobody can have had the answer before.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Challenge([u8; 32]);

impl Challenge {
    /// A challenge from 256 bits of OS randomness.
    pub const fn from_random(bits: [u8; 32]) -> Self {
        Challenge(bits)
    }

    pub(crate) const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// What a gateway vouches for: that it is the gateway with this number in the room where this player is.
#[derive(Debug, Clone, Copy)]
pub struct Introduction<'a> {
    /// What the player asked.
    pub challenge: Challenge,
    /// The player's MAC.
    pub client: VirtualMac,
    /// The gateway's own number.
    pub gateway: PeerId,
    /// The room's number.
    pub room_id: RoomId,
    /// The room's code.
    pub room: &'a RoomCode,
}

impl Introduction<'_> {
    /// What is signed. Only the code's length varies, and it stands last.
    fn bytes(&self) -> Vec<u8> {
        [
            VOUCH,
            &self.challenge.0,
            &self.client.addr().octets(),
            &self.gateway.number().to_be_bytes(),
            &self.room_id.number().to_be_bytes(),
            self.room.as_str().as_bytes(),
        ]
        .concat()
    }
}

/// A gateway's answer to a player's challenge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vouch {
    /// With what it can be checked; its [`HostId`] must be the one that the player knows.
    pub host_key: HostPublicKey,
    /// The answer itself.
    pub signature: HostSignature,
}

impl Vouch {
    /// True when it comes from this host and is about this introduction.
    pub fn holds(&self, host: &HostId, at: &Introduction<'_>) -> bool {
        self.host_key.id() == *host && self.host_key.has_signed(&at.bytes(), &self.signature)
    }
}

/// What a gateway signs for its relay. Only the code's length varies, and it stands last.
fn proof(channel: &ChannelBinding, key: &KeyId, room: &RoomCode) -> Vec<u8> {
    [
        PROOF,
        &channel.0,
        b"g",
        key.as_bytes(),
        room.as_str().as_bytes(),
    ]
    .concat()
}

macro_rules! is_text {
    ($($name:ident),*) => {$(
        impl FromStr for $name {
            type Err = HostKeyError;

            fn from_str(text: &str) -> Result<Self, HostKeyError> {
                base64url::decode(text).map($name).ok_or(HostKeyError)
            }
        }

        impl TryFrom<String> for $name {
            type Error = HostKeyError;

            fn try_from(text: String) -> Result<Self, HostKeyError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> String {
                value.to_string()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&base64url::encode(&self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }
    )*};
}

is_text!(HostPublicKey, HostId, HostSignature, Challenge);

#[cfg(test)]
mod tests;
