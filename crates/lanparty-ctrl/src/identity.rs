//! By what a relay knows a peer again, whatever its MAC and address: a key that never leaves its machine.

use crate::base64url;
use ring::digest::{SHA256, digest};
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

/// The DER in front of an Ed25519 seed in a PKCS #8 key, and of a public key in a SubjectPublicKeyInfo
/// (RFC 8410 §7 and §4).
const PKCS8: &[u8; 16] = b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20";
const SPKI: &[u8; 12] = b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00";

/// The seed of an Ed25519 key (RFC 8032 §5.1.5), as 43 characters of base64url. `Debug` hides it and there
/// is no `Display`.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct IdentityKey(Zeroizing<[u8; 32]>);

/// Not 43 characters of base64url.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("identity keys and fingerprints are 43 letters, digits, hyphens and underscores")]
pub struct IdentityKeyError;

impl IdentityKey {
    /// A key from 256 bits of OS randomness.
    pub fn from_random(seed: [u8; 32]) -> Self {
        IdentityKey(Zeroizing::new(seed))
    }

    /// The text of the key, which is for a file that nobody else reads.
    pub fn reveal(&self) -> String {
        base64url::encode(&*self.0)
    }

    /// The key as TLS libraries want it: PKCS #8 in DER.
    pub fn pkcs8(&self) -> Vec<u8> {
        [PKCS8.as_slice(), &*self.0].concat()
    }

    /// By what others know who has the key.
    pub fn fingerprint(&self) -> Fingerprint {
        let pair = Ed25519KeyPair::from_seed_unchecked(&*self.0).expect("a seed is 32 bytes");
        Fingerprint(sha256_of_spki(pair.public_key().as_ref()))
    }
}

/// The SHA-256 of an Ed25519 public key in the form in which certificates hold it.
pub(crate) fn sha256_of_spki(public: &[u8]) -> [u8; 32] {
    let digest = digest(&SHA256, &[SPKI.as_slice(), public].concat());
    digest.as_ref().try_into().expect("SHA-256 gives 32 bytes")
}

impl FromStr for IdentityKey {
    type Err = IdentityKeyError;

    fn from_str(text: &str) -> Result<Self, IdentityKeyError> {
        base64url::decode(text)
            .map(IdentityKey::from_random)
            .ok_or(IdentityKeyError)
    }
}

impl TryFrom<String> for IdentityKey {
    type Error = IdentityKeyError;

    fn try_from(text: String) -> Result<Self, IdentityKeyError> {
        text.parse()
    }
}

impl From<IdentityKey> for String {
    fn from(key: IdentityKey) -> String {
        key.reveal()
    }
}

/// Takes the same time wherever two keys differ.
impl PartialEq for IdentityKey {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&*other.0).into()
    }
}

impl Eq for IdentityKey {}

impl fmt::Debug for IdentityKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IdentityKey(…)")
    }
}

/// The SHA-256 of a peer's public key in the form in which certificates hold it (SubjectPublicKeyInfo),
/// written as 43 characters of base64url. No secret.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// How many characters people see and type; 48 bits tell the guests of a party apart.
    pub const SHORT_LEN: usize = 8;

    /// The fingerprint of a key, from the SHA-256 of its SubjectPublicKeyInfo.
    pub const fn from_sha256(digest: [u8; 32]) -> Self {
        Fingerprint(digest)
    }

    /// Its bytes, for where text would be too long.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Its first characters.
    pub fn short(&self) -> String {
        let mut text = self.to_string();
        text.truncate(Self::SHORT_LEN);
        text
    }
}

impl FromStr for Fingerprint {
    type Err = IdentityKeyError;

    fn from_str(text: &str) -> Result<Self, IdentityKeyError> {
        base64url::decode(text)
            .map(Fingerprint)
            .ok_or(IdentityKeyError)
    }
}

impl TryFrom<String> for Fingerprint {
    type Error = IdentityKeyError;

    fn try_from(text: String) -> Result<Self, IdentityKeyError> {
        text.parse()
    }
}

impl From<Fingerprint> for String {
    fn from(fingerprint: Fingerprint) -> String {
        fingerprint.to_string()
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&base64url::encode(&self.0))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first test vector of RFC 8032 §7.1; the digest is openssl's.
    #[test]
    fn a_fingerprint_is_the_sha_256_of_the_subject_public_key_info() {
        let seed = u256("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60");
        let key = IdentityKey::from_random(seed);
        assert_eq!(key.fingerprint().to_string(), FINGERPRINT);
        assert_eq!(key.fingerprint().short(), FINGERPRINT[..8]);
        assert_eq!(FINGERPRINT.parse(), Ok(key.fingerprint()));
    }

    #[test]
    fn a_key_is_43_characters_and_never_shown() {
        let key = IdentityKey::from_random([7; 32]);
        assert_eq!(key.reveal().len(), 43);
        assert_eq!(key.reveal().parse(), Ok(key.clone()));
        assert_eq!(format!("{key:?}"), "IdentityKey(…)");
        for bad in ["", "BwcH", &format!("{}=", key.reveal())] {
            assert_eq!(bad.parse::<IdentityKey>(), Err(IdentityKeyError), "{bad}");
        }
    }

    fn u256(hex: &str) -> [u8; 32] {
        let byte = |at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap();
        std::array::from_fn(byte)
    }

    const FINGERPRINT: &str = "BuP9j9opu2CrWVV95h7bCuzbIxE0vjDnW0Vfjht5L6k";
}
