//! What peers and relay say to each other beside the frames.
//!
//! A peer opens the first bidirectional stream with a [`Hello`](message::Hello); the relay answers
//! [`Welcome`](message::Welcome) or [`Reject`](message::Reject). Afterwards every event is one
//! message on a stream of its own. One enum per direction, so that the wrong side cannot send the
//! wrong thing: [`PeerMessage`] and [`RelayMessage`].
//!
//! This crate turns bytes into checked values and back; it opens no stream and keeps no state.

pub mod access;
mod base64url;
pub mod codec;
pub mod door;
pub mod host_key;
pub mod identity;
pub mod message;
pub mod name;
pub mod new_key;
pub mod notice;
pub mod orders;
pub mod pin;
pub mod pings;
pub mod places;
pub mod reason;
mod role;
pub mod room_code;
pub mod room_key;
pub mod term;
pub mod text;
pub mod token;
#[cfg(all(test, not(windows)))]
mod told;

pub use access::AccessToken;
pub use door::{DOORS, HERE};
pub use host_key::{Challenge, HostId, HostKey, HostPublicKey, HostSecret, HostSignature, Vouch};
pub use identity::{Fingerprint, IdentityKey};
pub use message::{PeerMessage, RelayMessage, Role};
pub use name::Name;
pub use new_key::{NEW_KEYS, SealedKey};
pub use notice::{DRAINS, NOTICES, Notice, NoticeKind};
pub use orders::HostOrder;
pub use pin::{Pin, PinError};
pub use pings::{PINGS, Pings};
pub use places::{FINDS, PLACES, REDIRECTS};
pub use reason::{DisconnectReason, LeaveReason, RejectReason};
pub use room_code::RoomCode;
pub use room_key::{AdmissionKey, ChannelBinding, Proof, RoomKey};
pub use term::{SignedTerm, Term};
pub use text::Text;
pub use token::ResumeToken;

/// The protocol's name in TLS (RFC 7301): a server that does not speak it is not a relay.
pub const ALPN: &[u8] = b"lanparty/1";

/// The ability of a relay to keep a room for those who were invited, in its `welcome`.
pub const ROOM_KEYS: &str = "room_keys";

/// The ability of a relay to follow a host's orders, in its `welcome`.
pub const HOST_CONTROLS: &str = "host_controls";

/// The ability of a relay to tell a host from its guests, in its `welcome`: a keyed room is its host's key.
pub const HOST_KEYS: &str = "host_keys";

/// The ability of a peer to read several messages from one stream, in its `hello`.
pub const BATCHES: &str = "batches";

/// The ability of a relay to be told which MACs the LAN has, in its `welcome`.
pub const LAN_MACS: &str = "lan_macs";

/// In a `hello` the ability of a client to say again which groups its machine wants, at each coming in and every two
/// minutes; in a `welcome` that of a relay to give it no others.
pub const GROUPS: &str = "groups";

/// The version of the control protocol, in every `hello`.
pub const VERSION: u16 = 1;
