//! Links of before: `#key=…&host=…&pin=…&name=…&expires=…`, which have no checksum. They are read strictly where a loss
//! would go unnoticed: a field that is nearly one that we know is a damaged one.

use super::{Extra, Invite, InviteError};
use lanparty_ctrl::{HostId, Pin, RoomKey, Text};

/// What a link of before may say.
pub(super) const KNOWN: [&str; 5] = ["key", "host", "pin", "name", "expires"];
/// The year 2001: an end before that is the beginning of a longer number.
const EARLIEST_END: u64 = 1_000_000_000;

/// Reads what stands before and behind the `#`.
pub(super) fn read(place: &str, fragment: &str) -> Result<Invite, InviteError> {
    // A chat may add a slash of its own before the `#`.
    let place = place.strip_suffix('/').unwrap_or(place);
    let (relay, room) = place.split_once('/').ok_or(InviteError::Damaged)?;
    let mut fields = Fields::default();
    for pair in fragment.trim_end_matches('&').split('&') {
        fields.take(pair)?;
    }
    Ok(Invite {
        relay: relay.parse().map_err(|_| InviteError::Damaged)?,
        room: room.parse().map_err(|_| InviteError::Damaged)?,
        key: fields.key.ok_or(InviteError::Cut)?,
        host: fields.host,
        pin: fields.pin,
        name: fields.name,
        expires: fields.expires,
        also: Vec::new(),
        others: Vec::new(),
        extra: Extra {
            is_old: true,
            ..Extra::default()
        },
    })
}

/// True when these words begin with a field that we know.
pub(super) fn is_field(text: &str) -> bool {
    let name = text.split_once('=').map(|(name, _)| name);
    name.is_some_and(|name| KNOWN.contains(&name))
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
    fn take(&mut self, pair: &str) -> Result<(), InviteError> {
        let (name, value) = pair.split_once('=').ok_or(InviteError::Cut)?;
        let bits = bits(value);
        match name {
            "key" => put(&mut self.key, bits.parse().ok()).ok_or(cut(&bits, 22)),
            "host" => put(&mut self.host, bits.parse().ok()).ok_or(cut(&bits, 43)),
            "pin" => put(&mut self.pin, bits.parse().ok()).ok_or(cut(&bits, 43)),
            "name" => put(&mut self.name, decode(value)).ok_or(InviteError::Damaged),
            "expires" => put(&mut self.expires, end(value)).ok_or(InviteError::Damaged),
            _ if is_foreign(name, &bits) => Ok(()),
            _ => Err(InviteError::Damaged),
        }
    }
}

/// Base64 as others write it.
fn bits(value: &str) -> String {
    let value = value.trim_end_matches('=');
    value.replace('+', "-").replace('/', "_")
}

fn cut(bits: &str, whole: usize) -> InviteError {
    match bits.len() < whole {
        true => InviteError::Cut,
        false => InviteError::Damaged,
    }
}

/// True for a field that is none of our business, and none of ours that was spoilt on its way.
fn is_foreign(name: &str, bits: &str) -> bool {
    let is_plain = !name.is_empty() && name.bytes().all(|c| c.is_ascii_lowercase());
    let is_like = |known: &str| {
        strsim::osa_distance(name, known) <= 1 || name.ends_with(known) || known.starts_with(name)
    };
    let has_our_length = matches!(bits.len(), 22 | 43);
    is_plain && !has_our_length && !KNOWN.into_iter().any(is_like)
}

/// Fills an empty field with a value that could be read.
fn put<T>(field: &mut Option<T>, value: Option<T>) -> Option<()> {
    let value = value?;
    field.replace(value).is_none().then_some(())
}

/// Digits and nothing else, as [`u64::from_str`](std::str::FromStr) takes a plus sign too.
fn end(text: &str) -> Option<u64> {
    let is_number = text.bytes().all(|c| c.is_ascii_digit());
    let end = is_number.then(|| text.parse().ok())?;
    end.filter(|end| *end >= EARLIEST_END)
}

fn decode(text: &str) -> Option<Text> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, more @ ..] = rest {
        let (byte, more) = match (first, more) {
            (b'%', [high, low, more @ ..]) => (digit(*high)? << 4 | digit(*low)?, more),
            (b'%', _) => return None,
            // All that was ever written as it is (RFC 3986 §2.3).
            (b'-' | b'.' | b'_' | b'~', _) => (*first, more),
            _ if first.is_ascii_alphanumeric() => (*first, more),
            _ => return None,
        };
        bytes.push(byte);
        rest = more;
    }
    Some(String::from_utf8(bytes).ok()?.into())
}

fn digit(c: u8) -> Option<u8> {
    char::from(c).to_digit(16)?.try_into().ok()
}
