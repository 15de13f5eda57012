//! The key of a room for invited people, and what is derived from it.
//!
//! The room key itself stays with those who were invited. HKDF-SHA256 (RFC 5869) makes independent keys
//! of it, one for each label; the relay sees one of them, the [`AdmissionKey`], from which none of the
//! others can be had.

use crate::role::Newcomer;
use crate::{RoomCode, base64url};
use ring::{hkdf, hmac};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

/// Separates what is derived here from what anybody else derives from the same bits.
const SALT: &[u8] = b"softlan-vpn room key 1";
const ADMISSION: &[u8] = b"admission";
const ID: &[u8] = b"softlan-vpn room id 1";
/// Starts every proof.
const PROOF: &[u8] = b"softlan-vpn admission proof 1";

/// 128 random bits that everybody who was invited has, as 22 characters of base64url. `Debug` hides them
/// and there is no `Display`.
#[derive(Clone)]
pub struct RoomKey(Zeroizing<[u8; 16]>);

/// The text is no room key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a room key is 22 letters, digits, hyphens and underscores")]
pub struct RoomKeyError;

impl RoomKey {
    /// A key from 128 bits of OS randomness.
    pub fn from_random(bits: [u8; 16]) -> Self {
        RoomKey(Zeroizing::new(bits))
    }

    /// The text of the key, which is for an invite or a file that nobody else reads.
    pub fn reveal(&self) -> String {
        base64url::encode(&*self.0)
    }

    /// The key itself, for an invite that is written in bytes.
    pub fn reveal_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// A key for one purpose: other labels give keys that have nothing to do with it.
    pub fn derive(&self, label: &[u8]) -> Zeroizing<[u8; 32]> {
        let mut key = Zeroizing::new([0; 32]);
        hkdf::Salt::new(hkdf::HKDF_SHA256, SALT)
            .extract(&*self.0)
            .expand(&[label], hkdf::HKDF_SHA256)
            .and_then(|expanded| expanded.fill(&mut *key))
            .expect("HKDF-SHA256 gives up to 8160 bytes");
        key
    }

    /// The key with which the relay tells who is invited.
    pub fn admission_key(&self) -> AdmissionKey {
        AdmissionKey(self.derive(ADMISSION))
    }
}

impl FromStr for RoomKey {
    type Err = RoomKeyError;

    fn from_str(text: &str) -> Result<Self, RoomKeyError> {
        base64url::decode(text)
            .map(RoomKey::from_random)
            .ok_or(RoomKeyError)
    }
}

/// Takes the same time wherever two keys differ.
impl PartialEq for RoomKey {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&*other.0).into()
    }
}

impl Eq for RoomKey {}

impl fmt::Debug for RoomKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RoomKey(…)")
    }
}

/// What one TLS session has and no other: its exporter's output (RFC 8446 §7.5). A proof that is made
/// with it is worth nothing on another connection.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ChannelBinding(pub [u8; 32]);

impl fmt::Debug for ChannelBinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ChannelBinding(…)")
    }
}

/// Makes and checks proofs that somebody is invited. The gateway gives it to the relay.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AdmissionKey(Zeroizing<[u8; 32]>);

impl AdmissionKey {
    /// Proves that a newcomer to `room` on this connection has the key.
    pub fn prove(&self, channel: &ChannelBinding, room: &RoomCode, who: Newcomer) -> Proof {
        Proof::from_tag(&hmac::sign(&self.hmac_key(), &claim(channel, room, who)))
    }

    /// True when `proof` is that proof; takes the same time wherever it is wrong.
    pub fn accepts(
        &self,
        proof: &Proof,
        channel: &ChannelBinding,
        room: &RoomCode,
        who: Newcomer,
    ) -> bool {
        hmac::verify(&self.hmac_key(), &claim(channel, room, who), &proof.0).is_ok()
    }

    /// A name for the room that has this key, which tells nothing about the key.
    pub fn id(&self) -> KeyId {
        let tag = hmac::sign(&self.hmac_key(), ID);
        KeyId(tag.as_ref().try_into().expect("HMAC-SHA256 gives 32 bytes"))
    }

    fn hmac_key(&self) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, &*self.0)
    }
}

/// Takes the same time wherever two keys differ.
impl PartialEq for AdmissionKey {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&*other.0).into()
    }
}

impl Eq for AdmissionKey {}

/// Tells rooms with different keys apart; no secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId([u8; 32]);

impl KeyId {
    /// Its bytes, to sign or keep it.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// What a proof speaks of. Only the room's length varies, and it stands last.
fn claim(channel: &ChannelBinding, room: &RoomCode, who: Newcomer) -> Vec<u8> {
    let role = match who {
        Newcomer::Client(_) => b'c',
        Newcomer::Gateway => b'g',
    };
    let mac = who.mac().map_or([0; 6], |mac| mac.addr().octets());
    [PROOF, &channel.0, &[role], &mac, room.as_str().as_bytes()].concat()
}

/// That a peer has the room's key: an HMAC-SHA256 over the connection, the role, the MAC and the room.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Proof([u8; 32]);

impl Proof {
    /// Of what HMAC-SHA256 has given.
    pub(crate) fn from_tag(tag: &hmac::Tag) -> Self {
        Proof(tag.as_ref().try_into().expect("HMAC-SHA256 gives 32 bytes"))
    }

    pub(crate) fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Not 43 characters of base64url.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("keys and proofs are 43 characters of base64url")]
pub struct MaterialError;

macro_rules! is_text {
    ($($name:ident),*) => {$(
        impl TryFrom<String> for $name {
            type Error = MaterialError;

            fn try_from(text: String) -> Result<Self, MaterialError> {
                base64url::decode(&text).map(|bits| $name(bits.into())).ok_or(MaterialError)
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> String {
                base64url::encode(value.0.as_slice())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(…)"))
            }
        }
    )*};
}

is_text!(AdmissionKey, Proof);

#[cfg(test)]
mod tests {
    use super::*;

    const CHANNEL: ChannelBinding = ChannelBinding([7; 32]);

    fn key() -> RoomKey {
        RoomKey::from_random(*b"0123456789abcdef")
    }

    fn room() -> RoomCode {
        "FRIDAY".parse().unwrap()
    }

    fn client(last: u8) -> Newcomer {
        Newcomer::Client(lanparty_proto::VirtualMac::from_random([
            2, 0, 0, 0, 0, last,
        ]))
    }

    /// Worked out with Python's hmac module, from RFC 5869 and RFC 2104.
    #[test]
    fn keys_and_proofs_are_these() {
        let key = key();
        assert_eq!(key.reveal(), "MDEyMzQ1Njc4OWFiY2RlZg");
        assert_eq!(
            String::from(key.admission_key()),
            "oFbDwdaj2YgqK1c46PfoWPr0yCECChSrvQ1Rkmf5864"
        );
        assert_eq!(
            base64url::encode(&*key.derive(b"sealing")),
            "UWW85ySOo3-Il4GqfxRU7GsxFj15degfVMxg-TLDgUM"
        );
        let proof = key.admission_key().prove(&CHANNEL, &room(), client(9));
        assert_eq!(
            String::from(proof),
            "vdrCet4s1M5NfaoLZXhJwUv9Tc50eHsUSVWR0Rto2vA"
        );
        let proof = key
            .admission_key()
            .prove(&CHANNEL, &room(), Newcomer::Gateway);
        assert_eq!(
            String::from(proof),
            "Qp9ifjlfZRkehaCi-xrRiIa3P-bcKCzqCHXFT2FbDSQ"
        );
    }

    #[test]
    fn a_proof_is_for_one_key_connection_room_and_newcomer() {
        let admission = key().admission_key();
        let proof = admission.prove(&CHANNEL, &room(), client(9));
        assert!(admission.accepts(&proof, &CHANNEL, &room(), client(9)));
        let other_room = "MONDAY".parse().unwrap();
        let other_key = RoomKey::from_random([1; 16]).admission_key();
        for accepted in [
            other_key.accepts(&proof, &CHANNEL, &room(), client(9)),
            admission.accepts(&proof, &ChannelBinding([8; 32]), &room(), client(9)),
            admission.accepts(&proof, &CHANNEL, &other_room, client(9)),
            admission.accepts(&proof, &CHANNEL, &room(), client(8)),
            admission.accepts(&proof, &CHANNEL, &room(), Newcomer::Gateway),
        ] {
            assert!(!accepted);
        }
    }

    #[test]
    fn no_secret_shows_itself() {
        let admission = key().admission_key();
        let proof = admission.prove(&CHANNEL, &room(), client(9));
        assert_eq!(format!("{:?}", key()), "RoomKey(…)");
        assert_eq!(
            format!("{admission:?} {proof:?}"),
            "AdmissionKey(…) Proof(…)"
        );
        assert_eq!(format!("{CHANNEL:?}"), "ChannelBinding(…)");
    }

    #[test]
    fn a_room_key_is_22_characters() {
        assert_eq!("MDEyMzQ1Njc4OWFiY2RlZg".parse(), Ok(key()));
        for bad in [
            "",
            "MDEy",
            "MDEyMzQ1Njc4OWFiY2RlZh",
            "MDEyMzQ1Njc4OWFiY2RlZg==",
        ] {
            assert_eq!(bad.parse::<RoomKey>(), Err(RoomKeyError), "{bad}");
        }
    }
}
