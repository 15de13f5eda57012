//! An invite: one link that says where the party is and proves that whoever has it may come.
//!
//! ```text
//! lanparty://relay.example.net:4433/FRIDAY/CMYDCMRTGQ2TMNZYHFQWEY3EMVTM…
//! ```
//!
//! Relay and room can be read, and what stands behind them is everything else, with a checksum (`payload`).
//! Nothing in it means anything to a shell, a chat or a mail program. Links of before
//! (`lanparty://relay/ROOM#key=…&pin=…`) are read for ever (`fields`).
//!
//! People hand on whole messages, and programs change what passes through them: [`Invite::find`] takes all
//! of that (`found`, `disguise`, `bytes`).

mod bytes;
mod disguise;
mod fields;
mod found;
mod other_relay;
mod page;
mod payload;
mod relays;
mod source;

use crate::address::{DEFAULT_PORT, RelayAddress};
use lanparty_ctrl::{HostId, Pin, RoomCode, RoomKey, Text};
pub use other_relay::{OtherRelay, OtherRelayError};
pub use page::{InvitePage, InvitePageError};
pub use relays::{Relays, RelaysError};
pub use source::{InviteSource, InviteSourceError};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What every invite begins with.
pub const SCHEME: &str = "lanparty://";
/// No invite is longer, in bytes.
pub const MAX_LEN: usize = 2048;
/// So many addresses beside the relay's own are in an invite.
pub const MAX_ALSO: usize = 4;
/// So many relays beside the first are in an invite.
pub const MAX_OTHERS: usize = 4;
/// In so many bytes of a text an invite is looked for: a long mail with pictures of it has that.
pub const MAX_TEXT: usize = 256 * 1024;

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
    /// Where else the relay may be found: the same one, as the pin knows it; with it go at most [`MAX_ALSO`].
    pub also: Vec<SocketAddr>,
    /// The relays to which the party may move, beside the first. With it go at most [`MAX_OTHERS`].
    pub others: Vec<OtherRelay>,
    /// What else it came with.
    pub extra: Extra,
}

/// What an invite says that this version of the program knows nothing of, and how it was written.
#[derive(Clone, Default)]
pub struct Extra {
    /// Tags and values, to be written again as they were.
    later: Vec<(u8, Vec<u8>)>,
    /// In the old form, which a shell cuts.
    is_old: bool,
}

/// Two invites are the same however they were written.
impl PartialEq for Extra {
    fn eq(&self, other: &Self) -> bool {
        self.later == other.later
    }
}

impl Eq for Extra {}

/// Why there is no invite. Nothing of the text is in here, as it may hold a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InviteError {
    /// Something else altogether.
    #[error(
        "there is no invite in this; one begins with lanparty:// and is a single long word: copy all of it"
    )]
    Missing,
    /// Only its beginning is there.
    #[error(
        "the invite is cut short; copy all of it, and where it is typed as a command put it between quotes ('…')"
    )]
    Cut,
    /// Something in it was lost or changed.
    #[error(
        "the invite is damaged: something on its way has changed it; copy all of it once more, or ask the host for a new one"
    )]
    Damaged,
    /// Nobody can tell which one is meant.
    #[error("there are two different invites in this; give the one that you mean")]
    Several,
    /// It says something that must be understood, and is not.
    #[error("the invite is for a newer version of this program; update it")]
    Newer,
    /// It is whole, but longer than any that this program makes.
    #[error("the invite is too long; ask the host for one with a shorter name or fewer relays")]
    Long,
}

impl Invite {
    /// The first whole invite in whatever somebody has pasted: a link, a message around it, what a mail or a
    /// chat has made of it.
    ///
    /// # Errors
    /// [`InviteError`], one sentence: there is none, it is damaged, there are two.
    pub fn find(text: &str) -> Result<Self, InviteError> {
        found::find(text)
    }

    /// The same for what a file or a pipe holds: text in UTF-8 or UTF-16, with or without a mark.
    ///
    /// # Errors
    /// [`InviteError`].
    pub fn find_in_bytes(bytes: &[u8]) -> Result<Self, InviteError> {
        found::find(&bytes::text(bytes))
    }

    /// The whole link with its key: for the eyes of those who are invited.
    pub fn reveal(&self) -> String {
        format!("{SCHEME}{}", self.reveal_behind_scheme())
    }

    /// The same as a link to a page that hands it to the program, for chats in which nothing else can be clicked.
    /// No browser sends what stands behind the `#`.
    pub fn reveal_at(&self, page: &InvitePage) -> String {
        format!("{page}#{}", self.reveal_behind_scheme())
    }

    /// True when its time is over.
    pub fn is_expired(&self, now: SystemTime) -> bool {
        self.end().is_some_and(|end| end <= now)
    }

    /// The addresses of `also` that a relay can have and this invite can say. Only a pin tells the relay from whoever else has
    /// such an address, above all a private one, so without it there are none.
    pub fn also(&self) -> impl Iterator<Item = SocketAddr> {
        let known = self.also.iter().filter(|_| self.pin.is_some());
        known.copied().filter(may_be_relay).take(MAX_ALSO)
    }

    /// The relays of `others` that this invite can say: each once, and none that is the first.
    pub fn others(&self) -> impl Iterator<Item = &OtherRelay> {
        OtherRelay::distinct(&self.relay, &self.others).take(MAX_OTHERS)
    }

    /// When its time is over, as far as the system's clock can tell.
    pub fn end(&self) -> Option<SystemTime> {
        UNIX_EPOCH.checked_add(Duration::from_secs(self.expires?))
    }

    /// True when it may be the beginning of a longer one: an old link ends at its first `&` where a shell was given it
    /// without quotes, and is whole all the same.
    pub fn may_be_cut(&self) -> bool {
        self.extra.is_old && self.pin.is_none()
    }

    fn reveal_behind_scheme(&self) -> String {
        let place = payload::Place::of(self);
        format!("{place}/{}", payload::write(self, &place))
    }
}

/// A link and nothing else, as [`Invite::reveal`] writes it or used to.
impl FromStr for Invite {
    type Err = InviteError;

    fn from_str(text: &str) -> Result<Self, InviteError> {
        let (scheme, rest) = text
            .split_at_checked(SCHEME.len())
            .ok_or(InviteError::Missing)?;
        if !scheme.eq_ignore_ascii_case(SCHEME) {
            return Err(InviteError::Missing);
        }
        if text.len() > MAX_LEN {
            return Err(InviteError::Long);
        }
        match rest.split_once('#') {
            Some((place, fields)) => fields::read(place, fields),
            None => match payload::read(rest)? {
                (invite, "") => Ok(invite),
                _ => Err(InviteError::Damaged),
            },
        }
    }
}

/// False for what is nobody's address, or this machine's own.
fn may_be_relay(address: &SocketAddr) -> bool {
    let ip = address.ip().to_canonical();
    let is_broadcast = ip == IpAddr::V4(Ipv4Addr::BROADCAST);
    let is_anybodys = ip.is_unspecified() || ip.is_loopback() || ip.is_multicast() || is_broadcast;
    !is_anybodys && address.port() != 0
}

/// How a relay's address is written in a link: without the port that it has anyway.
fn authority(relay: &RelayAddress) -> String {
    let whole = relay.to_string();
    let usual = whole.strip_suffix(&format!(":{DEFAULT_PORT}"));
    usual.map_or(whole.clone(), str::to_owned)
}

impl fmt::Display for Invite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}/{}/…", authority(&self.relay), self.room)
    }
}

impl fmt::Debug for Invite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Invite({self})")
    }
}

#[cfg(test)]
mod tests;
