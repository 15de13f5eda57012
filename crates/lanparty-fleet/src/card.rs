//! What a relay says of itself, and the other values in the directory.

use crate::name::{MAX_BASE, RelayId};
use lanparty_ctrl::{HostId, Pin, Text};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The longest value that is read; a relay's own are below 700 bytes.
pub(crate) const MAX_VALUE: usize = 4096;

/// The most characters of a region's name.
pub const MAX_REGION: usize = 32;

/// Where peers reach a relay, as they are told: `HOST:PORT` or `HOST`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address(String);

/// The text cannot be the address of a relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a relay's address is a name or an IP address, with a port where that is not 443, like relay.example.net:4433"
)]
pub struct AddressError;

impl Address {
    /// The longest: a name of 253 characters, a colon, a port.
    const LONGEST: usize = 259;

    /// The address as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let allowed = |c: u8| c.is_ascii_alphanumeric() || b".-_:[]".contains(&c);
        let fits = (1..=Self::LONGEST).contains(&text.len());
        if !fits || !text.bytes().all(allowed) {
            return Err(AddressError);
        }
        Ok(Address(text.to_owned()))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A relay as the others know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card {
    /// Where peers reach it.
    pub address: Address,
    /// The pin of its key; peers need none where its certificate is one that the world knows.
    pub pin: Option<Pin>,
    /// Where it stands, in words; may be empty.
    pub region: Text,
    /// How many more players it takes.
    pub free: u32,
    /// It takes no new rooms.
    pub draining: bool,
    /// It is late, and gets new rooms only where all are.
    pub slow: bool,
    /// It has been up long enough to be given out.
    pub ready: bool,
}

impl Card {
    /// Whether new rooms may go there, as far as it says.
    pub(crate) fn takes_rooms(&self) -> bool {
        !self.draining && self.free > 0
    }
}

#[derive(Serialize, Deserialize)]
struct WrittenCard {
    address: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pin: Option<Pin>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    region: String,
    free: u32,
    draining: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    slow: bool,
    ready: bool,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
fn is_false(flag: &bool) -> bool {
    !flag
}

#[derive(Serialize, Deserialize)]
struct WrittenRoom {
    relay: String,
}

#[derive(Serialize, Deserialize)]
struct WrittenMove {
    from: String,
    to: String,
}

#[derive(Serialize, Deserialize)]
struct WrittenClaim {
    relay: String,
    host: HostId,
    until: u64,
}

#[derive(Serialize, Deserialize)]
struct WrittenFleet {
    check: String,
    base: u64,
}

/// A room is moving.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Move {
    pub(crate) from: RelayId,
    pub(crate) to: RelayId,
}

/// A room's code is kept for its host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ClaimOf {
    pub(crate) relay: RelayId,
    pub(crate) host: HostId,
    /// Seconds since 1970 when it ends, for people; what ends it is its lease.
    pub(crate) until: u64,
}

/// What the whole fleet agrees on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FleetValue {
    pub(crate) check: String,
    /// From where fences count; see [`Fence`](crate::Fence).
    pub(crate) base: u64,
}

/// A value's bytes and back; `None` for whatever no relay writes.
pub(crate) trait Value: Sized {
    fn encode(&self) -> Vec<u8>;
    fn decode(bytes: &[u8]) -> Option<Self>;
}

impl Value for Card {
    fn encode(&self) -> Vec<u8> {
        written(&WrittenCard {
            address: self.address.0.clone(),
            pin: self.pin,
            region: self.region.as_str().to_owned(),
            free: self.free,
            draining: self.draining,
            slow: self.slow,
            ready: self.ready,
        })
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let card: WrittenCard = read(bytes)?;
        let region: String = card.region.chars().take(MAX_REGION).collect();
        Some(Card {
            address: card.address.parse().ok()?,
            pin: card.pin,
            region: Text::from(region),
            free: card.free,
            draining: card.draining,
            slow: card.slow,
            ready: card.ready,
        })
    }
}

/// Of a room: who has it.
impl Value for RelayId {
    fn encode(&self) -> Vec<u8> {
        written(&WrittenRoom {
            relay: self.to_string(),
        })
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let room: WrittenRoom = read(bytes)?;
        RelayId::parse(&room.relay)
    }
}

impl Value for Move {
    fn encode(&self) -> Vec<u8> {
        written(&WrittenMove {
            from: self.from.to_string(),
            to: self.to.to_string(),
        })
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let moving: WrittenMove = read(bytes)?;
        Some(Move {
            from: RelayId::parse(&moving.from)?,
            to: RelayId::parse(&moving.to)?,
        })
    }
}

impl Value for ClaimOf {
    fn encode(&self) -> Vec<u8> {
        written(&WrittenClaim {
            relay: self.relay.to_string(),
            host: self.host,
            until: self.until,
        })
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let claim: WrittenClaim = read(bytes)?;
        Some(ClaimOf {
            relay: RelayId::parse(&claim.relay)?,
            host: claim.host,
            until: claim.until,
        })
    }
}

impl Value for FleetValue {
    fn encode(&self) -> Vec<u8> {
        written(&WrittenFleet {
            check: self.check.clone(),
            base: self.base,
        })
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let fleet: WrittenFleet = read(bytes)?;
        let WrittenFleet { check, base } = fleet;
        // Above it there would be no room for revisions.
        (base <= MAX_BASE).then_some(FleetValue { check, base })
    }
}

fn written(value: &impl Serialize) -> Vec<u8> {
    // Texts, numbers and booleans in a struct always become JSON.
    serde_json::to_vec(value).unwrap_or_default()
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    if bytes.len() > MAX_VALUE {
        return None;
    }
    serde_json::from_slice(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn card() -> Card {
        Card {
            address: "relay-a.example.net:4433".parse().unwrap(),
            pin: None,
            region: "Frankfurt".into(),
            free: 470,
            draining: false,
            slow: false,
            ready: true,
        }
    }

    #[test]
    fn a_card_is_short_json() {
        let written = card().encode();
        assert_eq!(
            String::from_utf8(written.clone()).unwrap(),
            r#"{"address":"relay-a.example.net:4433","region":"Frankfurt","free":470,"draining":false,"ready":true}"#
        );
        assert_eq!(Card::decode(&written), Some(card()));
    }

    #[test]
    fn a_later_version_may_say_more() {
        let more = br#"{"relay":"00000000000000ab","mood":"fine"}"#;
        assert_eq!(RelayId::decode(more), Some(RelayId::from_random(0xab)));
    }

    #[test]
    fn what_no_relay_writes_is_nothing() {
        for bad in [
            &b""[..],
            b"null",
            b"{}",
            br#"{"relay":7}"#,
            br#"{"relay":"x"}"#,
            b"\xff\xfe",
        ] {
            assert_eq!(RelayId::decode(bad), None);
            assert_eq!(Card::decode(bad), None);
            assert_eq!(Move::decode(bad), None);
            assert_eq!(ClaimOf::decode(bad), None);
            assert_eq!(FleetValue::decode(bad), None);
        }
        let long = format!(
            r#"{{"relay":"00000000000000ab","x":"{}"}}"#,
            "y".repeat(MAX_VALUE)
        );
        assert_eq!(RelayId::decode(long.as_bytes()), None);
        let forged = br#"{"address":"a\nb","free":1,"draining":false,"ready":true}"#;
        assert_eq!(Card::decode(forged), None);
    }

    #[test]
    fn a_region_is_one_short_line_whatever_it_says() {
        let region = "x\\n".repeat(100);
        let said = format!(
            r#"{{"address":"a","region":"{region}","free":1,"draining":false,"ready":true}}"#
        );
        let card = Card::decode(said.as_bytes()).unwrap();
        assert!(
            card.region.as_str().chars().count() <= MAX_REGION
                && !card.region.as_str().contains('\n')
        );
    }

    proptest! {
        #[test]
        fn no_value_panics(bytes: Vec<u8>) {
            let _ = (Card::decode(&bytes), RelayId::decode(&bytes), ClaimOf::decode(&bytes));
        }
    }
}
