//! What stands behind relay and room in a link: base32, as capitals and digits make the smallest QR code and mean
//! nothing to anybody else.
//!
//! ```text
//!  0       1 0 0 0 | r a p h    version 1; r: must be 0, a: the relay is an IPv6 address, p: pin, h: host
//!  1       key                  16 bytes
//!          host                 32 bytes, if h
//!          pin                  32 bytes, if p
//!          tag length value …   1, 2 (big endian) and so many bytes, until
//! -4       CRC-32 of `RELAY/ROOM/` as the link has it and of all bytes before
//! ```
//!
//! A tag below 128 that is not known is kept and not understood; one from 128 on must be.

use super::{Extra, Invite, InviteError, MAX_ALSO, OtherRelay, may_be_relay};
use crate::address::{DEFAULT_PORT, RelayAddress};
use data_encoding::BASE32_NOPAD_NOCASE;
use lanparty_ctrl::{HostId, Pin, RoomCode, RoomKey};
use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

const VERSION: u8 = 1;
const HAS_HOST: u8 = 1;
const HAS_PIN: u8 = 2;
const IS_IPV6: u8 = 4;
const RESERVED: u8 = 8;

const NAME: u8 = 1;
/// Seconds since 1970, as few bytes as they need.
const EXPIRES: u8 = 2;
/// The relay's host, where the link shows a hyphen for each of its underscores.
const HOST_NAME: u8 = 3;
/// Where else the relay is: each address with 4 or 16 bytes, behind its length, and a port. Programs that do not know this
/// have the relay's own address.
const ALSO: u8 = 4;
/// A relay beside the first, one in each such field: a byte that says whether its pin follows, the pin, the port, and the host
/// to the end. Programs that do not know this have the first relay.
const OTHER: u8 = 5;
const MUST_BE_KNOWN: u8 = 128;

/// The pin of another relay follows.
const OTHER_HAS_PIN: u8 = 1;

const CHECKSUM_LEN: usize = 4;
/// Version, key and checksum.
const MIN_LEN: usize = 1 + 16 + CHECKSUM_LEN;
/// How many characters that is at least.
const MIN_CHARS: usize = MIN_LEN * 8 / 5;

/// Relay and room as a link has them: no brackets, which are a shell's, and no underscores, which are a chat's.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Place {
    relay: String,
    room: RoomCode,
}

impl Place {
    pub(super) fn of(invite: &Invite) -> Self {
        Place::new(&invite.relay, invite.room.clone())
    }

    fn new(relay: &RelayAddress, room: RoomCode) -> Self {
        let host = shown_host(relay);
        let relay = match relay.port() {
            DEFAULT_PORT => host,
            port => format!("{host}:{port}"),
        };
        Place { relay, room }
    }

    fn checksum(&self, bytes: &[u8]) -> [u8; CHECKSUM_LEN] {
        let mut sum = crc32fast::Hasher::new();
        sum.update(format!("{self}/").as_bytes());
        sum.update(bytes);
        sum.finalize().to_be_bytes()
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.relay, self.room)
    }
}

fn is_ipv6(relay: &RelayAddress) -> bool {
    relay.host().contains(':')
}

/// Names are in any case (RFC 4343), and an underscore is a hyphen here, or a letter where no name has a hyphen.
fn shown_host(relay: &RelayAddress) -> String {
    let host = relay.host().to_ascii_lowercase();
    let hyphens = host.replace([':', '_'], "-");
    match is_ipv6(relay) || hyphens.parse::<RelayAddress>().is_ok() {
        true => hyphens,
        false => host.replace('_', "x"),
    }
}

/// The text behind the place.
pub(super) fn write(invite: &Invite, place: &Place) -> String {
    let flag = |is_set: bool, flag| if is_set { flag } else { 0 };
    let mut bytes = vec![
        VERSION << 4
            | flag(invite.host.is_some(), HAS_HOST)
            | flag(invite.pin.is_some(), HAS_PIN)
            | flag(is_ipv6(&invite.relay), IS_IPV6),
    ];
    bytes.extend(invite.key.reveal_bytes());
    bytes.extend(invite.host.iter().flat_map(HostId::as_bytes));
    bytes.extend(invite.pin.iter().flat_map(Pin::as_bytes));
    let mut field = |tag, value: &[u8]| {
        // Names end after 200 characters, hosts after 253, and what was read came with such a length.
        let len = u16::try_from(value.len()).expect("a value is short");
        bytes.push(tag);
        bytes.extend(len.to_be_bytes());
        bytes.extend(value);
    };
    if let Some(name) = &invite.name {
        field(NAME, name.as_str().as_bytes());
    }
    if let Some(expires) = invite.expires {
        let zeros = expires.leading_zeros() as usize / 8;
        field(EXPIRES, &expires.to_be_bytes()[zeros..]);
    }
    if invite.relay.host().contains('_') {
        field(HOST_NAME, invite.relay.host().as_bytes());
    }
    let also: Vec<u8> = invite.also().flat_map(address_bytes).collect();
    if !also.is_empty() {
        field(ALSO, &also);
    }
    for other in invite.others() {
        field(OTHER, &other_bytes(other));
    }
    for (tag, value) in &invite.extra.later {
        field(*tag, value);
    }
    bytes.extend(place.checksum(&bytes));
    BASE32_NOPAD_NOCASE.encode(&bytes)
}

/// Reads what stands behind the scheme; answers also what follows the payload's last character.
pub(super) fn read(text: &str) -> Result<(Invite, &str), InviteError> {
    let mut parts = text.splitn(3, '/');
    let mut part = || parts.next().ok_or(InviteError::Cut);
    let (relay, room, payload) = (part()?, part()?, part()?);
    let end = payload.find(|c: char| !is_digit(c));
    let (payload, rest) = payload.split_at(end.unwrap_or(payload.len()));
    let room = room.parse().map_err(|_| InviteError::Damaged)?;
    Ok((read_payload(relay, room, payload)?, rest))
}

/// True for a character of base32.
fn is_digit(c: char) -> bool {
    c.is_ascii_alphabetic() || matches!(c, '2'..='7')
}

fn read_payload(shown: &str, room: RoomCode, payload: &str) -> Result<Invite, InviteError> {
    let broken = match payload.len() < MIN_CHARS {
        true => InviteError::Cut,
        false => InviteError::Damaged,
    };
    let bytes = BASE32_NOPAD_NOCASE.decode(payload.as_bytes());
    let bytes = bytes.map_err(|_| broken)?;
    let len = bytes.len().checked_sub(CHECKSUM_LEN).ok_or(broken)?;
    let (bytes, sum) = bytes.split_at(len);
    let flags = bytes.first().ok_or(broken)?;
    let relay = read_relay(shown, flags & IS_IPV6 != 0).ok_or(InviteError::Damaged)?;
    if Place::new(&relay, room.clone()).checksum(bytes) != *sum {
        return Err(broken);
    }
    if flags >> 4 != VERSION || flags & RESERVED != 0 {
        return Err(InviteError::Newer);
    }
    read_bytes(relay, room, bytes)
}

/// The address as the link shows it; an IPv6 address has hyphens for its colons.
fn read_relay(shown: &str, is_ipv6: bool) -> Option<RelayAddress> {
    if !is_ipv6 {
        return shown.to_ascii_lowercase().parse().ok();
    }
    let (host, port) = match shown.split_once(':') {
        Some((host, port)) => (host, format!(":{port}")),
        None => (shown, String::new()),
    };
    let ip: Ipv6Addr = host.replace('-', ":").parse().ok()?;
    format!("[{ip}]{port}").parse().ok()
}

/// Takes the fields of what has come whole.
fn read_bytes(relay: RelayAddress, room: RoomCode, bytes: &[u8]) -> Result<Invite, InviteError> {
    let mut bytes = Bytes(bytes);
    let [flags] = bytes.array()?;
    let key = RoomKey::from_random(bytes.array()?);
    let mut flagged = |flag| match flags & flag {
        0 => Ok(None),
        _ => bytes.array::<32>().map(Some),
    };
    let (host, pin) = (flagged(HAS_HOST)?, flagged(HAS_PIN)?);
    let mut invite = Invite {
        relay,
        room,
        key,
        host: host.map(HostId::from_sha256),
        pin: pin.map(Pin::from_sha256),
        name: None,
        expires: None,
        also: Vec::new(),
        others: Vec::new(),
        extra: Extra::default(),
    };
    while !bytes.0.is_empty() {
        let [tag] = bytes.array()?;
        let len = u16::from_be_bytes(bytes.array()?);
        let value = bytes.take(usize::from(len))?;
        take_field(&mut invite, tag, value)?;
    }
    invite.others = invite.others().cloned().collect();
    Ok(invite)
}

fn take_field(invite: &mut Invite, tag: u8, value: &[u8]) -> Result<(), InviteError> {
    match tag {
        NAME => invite.name = Some(text(value)?.into()),
        EXPIRES => invite.expires = Some(number(value)?),
        HOST_NAME => {
            let exact = format!("{}:{}", text(value)?, invite.relay.port());
            let exact: RelayAddress = exact.parse().map_err(|_| InviteError::Damaged)?;
            // Who reads the link must have read where it leads.
            if shown_host(&exact) != invite.relay.host() {
                return Err(InviteError::Damaged);
            }
            invite.relay = exact;
        }
        ALSO => invite.also.extend(addresses(value)?),
        // What a later version says in another form is kept as it is.
        OTHER if value.first().is_none_or(|form| *form <= OTHER_HAS_PIN) => {
            invite.others.push(other(value)?);
        }
        MUST_BE_KNOWN.. => return Err(InviteError::Newer),
        _ => invite.extra.later.push((tag, value.to_owned())),
    }
    Ok(())
}

fn address_bytes(address: SocketAddr) -> Vec<u8> {
    let ip = match address.ip().to_canonical() {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    let len = u8::try_from(ip.len()).expect("4 or 16");
    [&[len][..], &ip, &address.port().to_be_bytes()].concat()
}

/// What no relay can have is left out, and so is what a later version may have found of another length.
fn addresses(value: &[u8]) -> Result<Vec<SocketAddr>, InviteError> {
    let (mut bytes, mut addresses) = (Bytes(value), Vec::new());
    while !bytes.0.is_empty() {
        let [len] = bytes.array()?;
        let ip = bytes.take(usize::from(len))?;
        let port = u16::from_be_bytes(bytes.array()?);
        let ip = match len {
            4 => <[u8; 4]>::try_from(ip).ok().map(IpAddr::from),
            _ => <[u8; 16]>::try_from(ip).ok().map(IpAddr::from),
        };
        let address = ip.map(|ip| SocketAddr::new(ip, port));
        addresses.extend(address.filter(may_be_relay));
    }
    addresses.truncate(MAX_ALSO);
    Ok(addresses)
}

fn other_bytes(other: &OtherRelay) -> Vec<u8> {
    let mut bytes = vec![u8::from(other.pin.is_some()) * OTHER_HAS_PIN];
    bytes.extend(other.pin.iter().flat_map(Pin::as_bytes));
    bytes.extend(other.address.port().to_be_bytes());
    bytes.extend(other.address.host().to_ascii_lowercase().bytes());
    bytes
}

fn other(value: &[u8]) -> Result<OtherRelay, InviteError> {
    let mut bytes = Bytes(value);
    let [form] = bytes.array()?;
    let pin = match form & OTHER_HAS_PIN {
        0 => None,
        _ => Some(Pin::from_sha256(bytes.array()?)),
    };
    let port = u16::from_be_bytes(bytes.array()?);
    // What says a port itself would have two.
    let host = text(bytes.0)?;
    let address = RelayAddress::parse(host, port).map_err(|_| InviteError::Damaged)?;
    match address.port() == port && address.host().eq_ignore_ascii_case(host) {
        true => Ok(OtherRelay { address, pin }),
        false => Err(InviteError::Damaged),
    }
}

fn text(value: &[u8]) -> Result<&str, InviteError> {
    std::str::from_utf8(value).map_err(|_| InviteError::Damaged)
}

fn number(value: &[u8]) -> Result<u64, InviteError> {
    let mut whole = [0; 8];
    let start = whole.len().checked_sub(value.len());
    whole[start.ok_or(InviteError::Newer)?..].copy_from_slice(value);
    Ok(u64::from_be_bytes(whole))
}

/// What is left to read.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, len: usize) -> Result<&'a [u8], InviteError> {
        let (taken, rest) = self.0.split_at_checked(len).ok_or(InviteError::Damaged)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], InviteError> {
        let taken = self.take(N)?;
        Ok(taken.try_into().expect("as many as were asked for"))
    }
}
