//! What relays and rooms are called in the directory, and what fences them.

use data_encoding::HEXLOWER;
use lanparty_ctrl::{HostId, RoomCode};
use ring::{digest, hmac};
use std::fmt;

/// One run of one relay: random, so that a relay that starts again is not taken for the one that it was.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RelayId(u64);

impl RelayId {
    /// An id of random bits.
    pub const fn from_random(bits: u64) -> Self {
        RelayId(bits)
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        let bytes: [u8; 8] = HEXLOWER.decode(text.as_bytes()).ok()?.try_into().ok()?;
        Some(RelayId(u64::from_be_bytes(bytes)))
    }
}

impl fmt::Display for RelayId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for RelayId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RelayId({self})")
    }
}

/// A room as the directory knows it: an HMAC-SHA-256 of its code and its host under the fleet's secret, so that who
/// reads the directory learns neither.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoomHash([u8; 32]);

impl RoomHash {
    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// A hash of these bytes, for models.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        RoomHash(bytes)
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        let bytes = HEXLOWER.decode(text.as_bytes()).ok()?;
        bytes.try_into().ok().map(RoomHash)
    }
}

impl fmt::Display for RoomHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for RoomHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RoomHash({self})")
    }
}

/// What all relays of a fleet know and nobody else does.
#[derive(Clone)]
pub struct FleetSecret(hmac::Key);

/// The text is too short for a fleet's secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the fleet's secret has fewer than {least} characters; write a longer one, the same for all relays of the fleet \
     (`openssl rand -base64 32` makes one)",
    least = FleetSecret::LEAST
)]
pub struct FleetSecretError;

impl FleetSecret {
    /// As many characters it has at least.
    pub const LEAST: usize = 16;

    /// A secret as its file has it; white space around it is not part of it.
    ///
    /// # Errors
    /// [`FleetSecretError`].
    pub fn new(text: &str) -> Result<Self, FleetSecretError> {
        let text = text.trim();
        if text.chars().count() < Self::LEAST {
            return Err(FleetSecretError);
        }
        Ok(FleetSecret(hmac::Key::new(
            hmac::HMAC_SHA256,
            text.as_bytes(),
        )))
    }

    /// The room of this code and host; of an open room's code, where there is no host.
    pub fn room(&self, code: &RoomCode, host: Option<&HostId>) -> RoomHash {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(b"lanparty fleet room\0");
        context.update(code.as_str().as_bytes());
        context.update(b"\0");
        if let Some(host) = host {
            context.update(host.to_string().as_bytes());
        }
        RoomHash(sized(context.sign().as_ref()))
    }

    /// What shows who else knows the secret, without telling it.
    pub(crate) fn check(&self) -> String {
        let tag = hmac::sign(&self.0, b"lanparty fleet check");
        HEXLOWER.encode(tag.as_ref())
    }
}

impl fmt::Debug for FleetSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FleetSecret(…)")
    }
}

/// Bits that no other relay has, nor this one another time.
pub(crate) fn chance(relay: RelayId, time: u64) -> u64 {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(&relay.0.to_be_bytes());
    context.update(&time.to_be_bytes());
    first_of(context)
}

/// What a room and a relay have in common: evenly spread, the same wherever it is asked.
pub(crate) fn affinity(room: &RoomHash, relay: RelayId) -> u64 {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(room.as_bytes());
    context.update(&relay.0.to_be_bytes());
    first_of(context)
}

fn first_of(context: digest::Context) -> u64 {
    let digest: [u8; 32] = sized(context.finish().as_ref());
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    u64::from_be_bytes(first)
}

fn sized(bytes: &[u8]) -> [u8; 32] {
    let mut sized = [0; 32];
    sized.copy_from_slice(bytes);
    sized
}

/// Which of two holders of a room came later: the higher one. No two relays ever have a room by the same one.
///
/// It is the directory's revision of the room's key, on top of a base that all relays of the fleet agree on in the
/// directory itself, and that each write of such a key has as its condition. A directory that was lost and made anew
/// counts its revisions from one again, and may have the old one's name; its base is higher than all that whoever made it
/// has seen, and made of the time. Below 2^53 until the year 2242, so that every reader of JSON keeps it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fence(pub u64);

/// No base is higher.
pub(crate) const MAX_BASE: u64 = (1 << 53) - (1 << 40);

impl Fence {
    /// Twice as much as a directory makes in a second; so one that was made a second later is ahead.
    const REVISIONS_A_SECOND: u64 = 1 << 20;

    pub(crate) fn new(base: u64, revision: u64) -> Self {
        Fence(base.saturating_add(revision))
    }

    /// The base of a directory that is made in this second. Two that are made in the same one, by relays that know nothing
    /// of each other, are told apart by chance.
    pub(crate) fn base(unix: u64, chance: u64) -> u64 {
        let second = unix.saturating_mul(Self::REVISIONS_A_SECOND);
        let base = second.saturating_add(chance % (Self::REVISIONS_A_SECOND / 2));
        base.min(MAX_BASE)
    }
}

impl fmt::Display for Fence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_room_has_one_hash_for_all_who_know_the_secret_and_another_for_everybody_else() {
        let secret = FleetSecret::new("correct horse battery\n").unwrap();
        let same = FleetSecret::new("correct horse battery").unwrap();
        let other = FleetSecret::new("incorrect horse battery").unwrap();
        let code: RoomCode = "FRIDAY-LAN".parse().unwrap();
        let host = HostId::from_sha256([7; 32]);
        let room = secret.room(&code, Some(&host));
        assert_eq!(room, same.room(&code, Some(&host)));
        assert_ne!(room, other.room(&code, Some(&host)));
        assert_ne!(room, secret.room(&code, None));
        assert_eq!(RoomHash::parse(&room.to_string()), Some(room));
        assert_ne!(secret.check(), other.check());
        assert_eq!(FleetSecret::new("  short ").unwrap_err(), FleetSecretError);
    }

    #[test]
    fn a_directory_made_anew_gives_higher_fences() {
        let old = Fence::new(Fence::base(1_800_000_000, u64::MAX), 500_000);
        let new = Fence::new(Fence::base(1_800_000_001, 0), 2);
        assert!(new > old && new.0 < 1 << 53);
        assert!(Fence::new(Fence::base(u64::MAX, 1), u64::MAX) >= new);
        assert!(
            Fence::base(8_500_000_000, u64::MAX) < MAX_BASE,
            "until 2239"
        );
    }

    #[test]
    fn only_what_a_relay_writes_is_a_name() {
        let id = RelayId::from_random(0xab);
        assert_eq!(RelayId::parse(&id.to_string()), Some(id));
        for bad in ["", "zz", "00000000000000AB", "00000000000000ab00", "é"] {
            assert_eq!(RelayId::parse(bad), None, "{bad}");
        }
        assert_eq!(RoomHash::parse("00"), None);
    }
}
