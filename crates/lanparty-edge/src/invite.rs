//! An invite: one link that says where the party is and proves that whoever has it may come.
//!
//! ```text
//! lanparty://relay.example.net:4433/FRIDAY#key=MDEy…&host=z8UH…&pin=9GqE…&name=Friday%20night&expires=1790000000
//! ```
//!
//! What is secret stands behind the `#`, which no program sends anywhere.

use crate::address::{DEFAULT_PORT, RelayAddress};
use lanparty_ctrl::{HostId, Pin, RoomCode, RoomKey, Text};
use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What every invite begins with.
pub const SCHEME: &str = "lanparty://";
/// No invite is longer, in bytes.
pub const MAX_LEN: usize = 2048;

/// A checked invite. [`Invite::reveal`] has its text; `Display` and `Debug` leave the key out.
#[derive(Clone, PartialEq, Eq)]
pub struct Invite {
    /// Where the relay is.
    pub relay: RelayAddress,
    /// The room.
    pub room: RoomCode,
    /// Who has this is invited.
    pub key: RoomKey,
    /// Whose room it is; older invites do not say.
    pub host: Option<HostId>,
    /// How the relay is known; without it by a certificate of an authority.
    pub pin: Option<Pin>,
    /// What the host calls the party.
    pub name: Option<Text>,
    /// When it ends, in seconds since 1970.
    pub expires: Option<u64>,
}

/// Why a text is no invite. Nothing of the text is in here, as it may hold a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InviteError {
    /// Something else altogether, or a part of one.
    #[error(
        "this is not a whole invite; it begins with lanparty:// and has a key behind its #: copy all of it"
    )]
    Shape,
    /// The relay's address.
    #[error("the invite names no relay that there could be; ask the host for a new one")]
    Relay,
    /// The room code.
    #[error("the invite names no room that there could be; ask the host for a new one")]
    Room,
    /// The key is missing, twice there, or spoilt.
    #[error("the invite's key is not whole; copy all of it, or ask the host for a new one")]
    Key,
    /// The host, the pin, the name or the end.
    #[error("the invite is damaged; copy all of it, or ask the host for a new one")]
    Field,
}

impl Invite {
    /// The whole link with its key: for the eyes of those who are invited.
    pub fn reveal(&self) -> String {
        self.write(&self.key.reveal())
    }

    /// True when its time is over.
    pub fn is_expired(&self, now: SystemTime) -> bool {
        let end = |seconds| UNIX_EPOCH.checked_add(Duration::from_secs(seconds));
        self.expires.and_then(end).is_some_and(|end| end <= now)
    }

    fn write(&self, key: &str) -> String {
        let mut link = format!("{SCHEME}{}/{}#key={key}", self.authority(), self.room);
        if let Some(host) = self.host {
            link += &format!("&host={host}");
        }
        if let Some(pin) = self.pin {
            link += &format!("&pin={pin}");
        }
        if let Some(name) = &self.name {
            link += &format!("&name={}", encode(name.as_str()));
        }
        if let Some(expires) = self.expires {
            link += &format!("&expires={expires}");
        }
        link
    }

    fn authority(&self) -> String {
        let whole = self.relay.to_string();
        let usual = whole.strip_suffix(&format!(":{DEFAULT_PORT}"));
        usual.map_or(whole.clone(), str::to_owned)
    }
}

impl FromStr for Invite {
    type Err = InviteError;

    fn from_str(text: &str) -> Result<Self, InviteError> {
        let (scheme, rest) = text
            .split_at_checked(SCHEME.len())
            .ok_or(InviteError::Shape)?;
        if !scheme.eq_ignore_ascii_case(SCHEME) || text.len() > MAX_LEN {
            return Err(InviteError::Shape);
        }
        let (place, fragment) = rest.split_once('#').ok_or(InviteError::Shape)?;
        let (relay, room) = place.split_once('/').ok_or(InviteError::Shape)?;
        let mut fields = Fields::default();
        for pair in fragment.split('&') {
            fields.take(pair)?;
        }
        Ok(Invite {
            relay: relay.parse().map_err(|_| InviteError::Relay)?,
            room: room.parse().map_err(|_| InviteError::Room)?,
            key: fields.key.ok_or(InviteError::Key)?,
            host: fields.host,
            pin: fields.pin,
            name: fields.name,
            expires: fields.expires,
        })
    }
}

#[derive(Default)]
struct Fields {
    key: Option<RoomKey>,
    host: Option<HostId>,
    pin: Option<Pin>,
    name: Option<Text>,
    expires: Option<u64>,
}

impl Fields {
    /// Takes a `name=value`; one that a newer version knows is none of our business.
    fn take(&mut self, pair: &str) -> Result<(), InviteError> {
        let (name, value) = pair.split_once('=').ok_or(InviteError::Field)?;
        match name {
            "key" => put(&mut self.key, value.parse().ok()).ok_or(InviteError::Key),
            "host" => put(&mut self.host, value.parse().ok()).ok_or(InviteError::Field),
            "pin" => put(&mut self.pin, value.parse().ok()).ok_or(InviteError::Field),
            "name" => put(&mut self.name, decode(value)).ok_or(InviteError::Field),
            "expires" => put(&mut self.expires, number(value)).ok_or(InviteError::Field),
            _ => Ok(()),
        }
    }
}

/// Fills an empty field with a value that could be read.
fn put<T>(field: &mut Option<T>, value: Option<T>) -> Option<()> {
    let value = value?;
    field.replace(value).is_none().then_some(())
}

/// Digits and nothing else, as [`u64::from_str`] takes a plus sign too.
fn number(text: &str) -> Option<u64> {
    text.bytes()
        .all(|c| c.is_ascii_digit())
        .then(|| text.parse().ok())?
}

/// Percent-encodes everything but the characters that stand for themselves everywhere (RFC 3986 §2.3).
fn encode(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}

fn decode(text: &str) -> Option<Text> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, more @ ..] = rest {
        let (byte, more) = match (first, more) {
            (b'%', [high, low, more @ ..]) => (digit(*high)? << 4 | digit(*low)?, more),
            (b'%', _) => return None,
            _ => (*first, more),
        };
        bytes.push(byte);
        rest = more;
    }
    Some(String::from_utf8(bytes).ok()?.into())
}

fn digit(c: u8) -> Option<u8> {
    char::from(c).to_digit(16)?.try_into().ok()
}

impl fmt::Display for Invite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.write("…"))
    }
}

impl fmt::Debug for Invite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Invite({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KEY: &str = "MDEyMzQ1Njc4OWFiY2RlZg";
    const HOST: &str = "z8UHIyD9lkZafFPtBuxfNva1c3aAv1DoPEecPwL3Jxs";
    const PIN: &str = "KoYZpP5oBt3Ao7PpQRSVVl2DQ1NCGSsnfPNU-vvrAhw";

    #[test]
    fn an_invite_is_written_like_this() {
        let whole = format!(
            "lanparty://relay.example.net:4433/FRIDAY#key={KEY}&host={HOST}&pin={PIN}&name=Friday%20night%21&expires=1790000000"
        );
        let invite: Invite = whole.parse().unwrap();
        assert_eq!(invite.reveal(), whole);
        assert_eq!(invite.relay.to_string(), "relay.example.net:4433");
        assert_eq!(invite.room.as_str(), "FRIDAY");
        assert_eq!(invite.host, HOST.parse().ok());
        assert_eq!(invite.name.as_ref().unwrap().as_str(), "Friday night!");
        for (short, long) in [
            ("relay.example.net/FRIDAY", "relay.example.net/FRIDAY"),
            ("relay.example.net:443/friday", "relay.example.net/FRIDAY"),
            ("203.0.113.7/FRIDAY", "203.0.113.7/FRIDAY"),
            ("[2001:db8::7]:443/FRIDAY", "[2001:db8::7]/FRIDAY"),
        ] {
            let invite: Invite = format!("LANPARTY://{short}#later=1&key={KEY}")
                .parse()
                .unwrap();
            assert_eq!(invite.reveal(), format!("lanparty://{long}#key={KEY}"));
        }
    }

    #[test]
    fn nothing_but_reveal_shows_the_key() {
        let invite: Invite = format!("lanparty://r.example/FRIDAY#key={KEY}")
            .parse()
            .unwrap();
        assert_eq!(invite.to_string(), "lanparty://r.example/FRIDAY#key=…");
        assert!(!format!("{invite:?} {invite:#?}").contains(KEY));
    }

    #[test]
    fn other_texts_are_no_invites_and_are_not_repeated() {
        for (bad, error) in [
            (String::new(), InviteError::Shape),
            (
                format!("https://r.example/FRIDAY#key={KEY}"),
                InviteError::Shape,
            ),
            (
                format!("lanparty://r.example/FRIDAY?key={KEY}"),
                InviteError::Shape,
            ),
            (
                format!("lanparty://r.example#key={KEY}"),
                InviteError::Shape,
            ),
            (
                format!(
                    "lanparty://r.example/FRIDAY#key={KEY}&name={}",
                    "x".repeat(MAX_LEN)
                ),
                InviteError::Shape,
            ),
            (format!("lanparty:///FRIDAY#key={KEY}"), InviteError::Relay),
            (
                format!("lanparty://me@r.example/FRIDAY#key={KEY}"),
                InviteError::Relay,
            ),
            (
                format!("lanparty://r.example/a/b#key={KEY}"),
                InviteError::Room,
            ),
            (
                "lanparty://r.example/FRIDAY#pin=x".to_owned(),
                InviteError::Field,
            ),
            (
                format!("lanparty://r.example/FRIDAY#key={KEY}&host={}", &HOST[1..]),
                InviteError::Field,
            ),
            (
                format!("lanparty://r.example/FRIDAY#key={KEY}&host={HOST}&host={HOST}"),
                InviteError::Field,
            ),
            (
                "lanparty://r.example/FRIDAY#name=x".to_owned(),
                InviteError::Key,
            ),
            (
                format!("lanparty://r.example/FRIDAY#key={}", &KEY[1..]),
                InviteError::Key,
            ),
            (
                format!("lanparty://r.example/FRIDAY#key={KEY}&key={KEY}"),
                InviteError::Key,
            ),
            (
                format!("lanparty://r.example/FRIDAY#key={KEY}&"),
                InviteError::Field,
            ),
            (
                format!("lanparty://r.example/FRIDAY#key={KEY}&expires=+1"),
                InviteError::Field,
            ),
            (
                format!("lanparty://r.example/FRIDAY#key={KEY}&name=%f"),
                InviteError::Field,
            ),
            (
                format!("lanparty://r.example/FRIDAY#key={KEY}&name=%ff"),
                InviteError::Field,
            ),
        ] {
            assert_eq!(bad.parse::<Invite>(), Err(error), "{bad}");
            assert!(!error.to_string().contains(KEY));
        }
    }

    #[test]
    fn an_invite_ends_when_it_says_so() {
        let end = |expires| {
            let link = format!("lanparty://r.example/FRIDAY#key={KEY}{expires}");
            link.parse::<Invite>()
                .unwrap()
                .is_expired(UNIX_EPOCH + Duration::from_secs(100))
        };
        assert!(end("&expires=99") && end("&expires=100"));
        assert!(!end("&expires=101") && !end(""));
        assert!(!end("&expires=18446744073709551615"));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(
            host in "[a-z][a-z0-9]{0,20}(\\.[a-z]{2,5})?",
            port in 1u16..,
            room in "[A-Z0-9-]{4,32}",
            key: [u8; 16],
            host_id: Option<[u8; 32]>,
            pin: Option<[u8; 32]>,
            name: Option<String>,
            expires: Option<u64>,
        ) {
            let invite = Invite {
                relay: format!("{host}:{port}").parse().unwrap(),
                room: room.parse().unwrap(),
                key: RoomKey::from_random(key),
                host: host_id.map(HostId::from_sha256),
                pin: pin.map(Pin::from_sha256),
                name: name.map(Text::from),
                expires,
            };
            let link = invite.reveal();
            prop_assume!(link.len() <= MAX_LEN);
            prop_assert_eq!(link.parse::<Invite>(), Ok(invite));
        }

        #[test]
        fn no_text_is_too_strange(text: String) {
            let _ = text.parse::<Invite>();
            let _ = format!("{SCHEME}{text}").parse::<Invite>();
            let _ = format!("lanparty://r.example/FRIDAY#key={KEY}&name={text}").parse::<Invite>();
        }
    }
}
