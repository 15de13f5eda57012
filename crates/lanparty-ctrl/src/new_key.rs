//! A room's new key, on its way to those who are inside.
//!
//! The host gives its room another key, and whoever is in shall come back with it. The gateway seals it with a key that
//! follows from the one before, which the relay that carries it does not have, and signs it with the host's, for this
//! player and this link: what the relay kept, made up or gave to somebody else opens nothing.

use crate::message::NewKey;
use crate::{Challenge, HostId, HostKey, RoomCode, RoomKey, base64url};
use lanparty_proto::{PeerId, VirtualMac};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The ability of a client to take a new key, in its `hello`, and of a relay to carry it, in its `welcome`.
pub const NEW_KEYS: &str = "new_keys";

const LABEL: &[u8] = b"new key";
/// Starts what the host signs; it is no proof and no vouch.
const SIGNED: &[u8] = b"softlan-vpn new key 1";
/// A room key, and AES-GCM's tag behind it.
const SEALED_LEN: usize = 16 + 16;

/// A room key that only holders of the one before can read: a nonce, and what AES-256-GCM (NIST SP 800-38D) makes of it.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SealedKey([u8; NONCE_LEN + SEALED_LEN]);

/// Not 59 characters of base64url.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("sealed keys are 59 characters of base64url")]
pub struct SealedKeyError;

/// For whom it is: the player in this room who has asked so on this link.
#[derive(Debug, Clone, Copy)]
pub struct Recipient<'a> {
    /// What the player asked the gateway to sign. It is another one on each link.
    pub challenge: Challenge,
    /// The player's MAC.
    pub client: VirtualMac,
    /// The room's code.
    pub room: &'a RoomCode,
}

impl Recipient<'_> {
    /// Only the code's length varies, and it stands last.
    fn bytes(&self) -> Vec<u8> {
        [
            self.challenge.as_bytes(),
            &self.client.addr().octets()[..],
            self.room.as_str().as_bytes(),
        ]
        .concat()
    }

    fn signed(&self, sealed: &SealedKey) -> Vec<u8> {
        [SIGNED, &sealed.0, &self.bytes()].concat()
    }
}

impl NewKey {
    /// Seals `new` for a player who has `old`; `random` is never the same again.
    pub fn seal(
        (old, new): (&RoomKey, &RoomKey),
        host: &HostKey,
        (peer_id, to): (PeerId, &Recipient<'_>),
        random: [u8; NONCE_LEN],
    ) -> Self {
        let mut text = new.reveal_bytes().to_vec();
        let nonce = Nonce::assume_unique_for_key(random);
        cipher(old)
            .seal_in_place_append_tag(nonce, Aad::from(to.bytes()), &mut text)
            .expect("AES-GCM takes more than 16 bytes");
        let sealed = [&random[..], &text].concat();
        let sealed = SealedKey(sealed.try_into().expect("a nonce, a key and a tag"));
        NewKey {
            peer_id,
            host_key: host.public(),
            signature: host.sign(&to.signed(&sealed)),
            sealed,
        }
    }

    /// The key, if it is for this player and from this host.
    pub fn open(&self, old: &RoomKey, host: &HostId, to: &Recipient<'_>) -> Option<RoomKey> {
        let is_hosts = self.host_key.id() == *host
            && self
                .host_key
                .has_signed(&to.signed(&self.sealed), &self.signature);
        if !is_hosts {
            return None;
        }
        let (nonce, text) = self.sealed.0.split_at(NONCE_LEN);
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut text = text.to_vec();
        let opened = cipher(old).open_in_place(nonce, Aad::from(to.bytes()), &mut text);
        let key: &[u8] = opened.ok()?;
        Some(RoomKey::from_random(key.try_into().ok()?))
    }
}

fn cipher(old: &RoomKey) -> LessSafeKey {
    let key = UnboundKey::new(&AES_256_GCM, &*old.derive(LABEL));
    LessSafeKey::new(key.expect("AES-256 has keys of 32 bytes"))
}

impl TryFrom<String> for SealedKey {
    type Error = SealedKeyError;

    fn try_from(text: String) -> Result<Self, SealedKeyError> {
        base64url::decode(&text)
            .map(SealedKey)
            .ok_or(SealedKeyError)
    }
}

impl From<SealedKey> for String {
    fn from(sealed: SealedKey) -> String {
        base64url::encode(&sealed.0)
    }
}

impl fmt::Debug for SealedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealedKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::HostSecret;

    fn room() -> RoomCode {
        "FRIDAY".parse().unwrap()
    }

    fn key(byte: u8) -> RoomKey {
        RoomKey::from_random([byte; 16])
    }

    fn host(byte: u8) -> HostKey {
        HostSecret::from_random([byte; 32]).host_key(&room())
    }

    fn to(room: &RoomCode, last: u8) -> Recipient<'_> {
        Recipient {
            challenge: Challenge::from_random([last; 32]),
            client: VirtualMac::from_random([2, 0, 0, 0, 0, last]),
            room,
        }
    }

    fn sealed(room: &RoomCode) -> NewKey {
        let peer = PeerId::new(3).unwrap();
        NewKey::seal((&key(1), &key(2)), &host(5), (peer, &to(room, 9)), [7; 12])
    }

    #[test]
    fn who_has_the_key_before_reads_the_new_one() {
        let room = room();
        let new = sealed(&room);
        assert_eq!(
            new.open(&key(1), &host(5).id(), &to(&room, 9)),
            Some(key(2))
        );
        let text = serde_json::to_string(&new).unwrap();
        let secrets = [key(1).reveal(), key(2).reveal()];
        assert!(
            secrets.iter().all(|secret| !text.contains(secret)),
            "{text}"
        );
        assert!(!format!("{new:?}").contains(&String::from(new.sealed)));
        assert_eq!(serde_json::from_str::<NewKey>(&text).unwrap(), new);
    }

    #[test]
    fn it_is_for_one_player_on_one_link_in_one_room_and_from_one_host() {
        let room = room();
        let (new, id) = (sealed(&room), host(5).id());
        let other_room = "MONDAY".parse().unwrap();
        let moved = Recipient {
            client: to(&room, 8).client,
            ..to(&room, 9)
        };
        let later = Recipient {
            challenge: to(&room, 8).challenge,
            ..to(&room, 9)
        };
        for (what, opened) in [
            ("another key", new.open(&key(3), &id, &to(&room, 9))),
            ("the new key", new.open(&key(2), &id, &to(&room, 9))),
            (
                "another host",
                new.open(&key(1), &host(6).id(), &to(&room, 9)),
            ),
            ("another room", new.open(&key(1), &id, &to(&other_room, 9))),
            ("another player", new.open(&key(1), &id, &moved)),
            ("another link", new.open(&key(1), &id, &later)),
        ] {
            assert_eq!(opened, None, "{what}");
        }
    }

    #[test]
    fn a_relay_makes_none_of_its_own_and_changes_none() {
        let room = room();
        let (new, id) = (sealed(&room), host(5).id());
        for at in 0..new.sealed.0.len() {
            let mut changed = new.clone();
            changed.sealed.0[at] ^= 1;
            assert_eq!(changed.open(&key(1), &id, &to(&room, 9)), None, "byte {at}");
        }
        // Even one that has the key before, by an invite of its own, is not the host.
        let peer = PeerId::new(3).unwrap();
        let forged = NewKey::seal((&key(1), &key(4)), &host(6), (peer, &to(&room, 9)), [7; 12]);
        let posing = NewKey {
            host_key: new.host_key,
            ..forged
        };
        assert_eq!(posing.open(&key(1), &id, &to(&room, 9)), None);
    }
}
