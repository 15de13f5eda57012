//! What a player's service and its views say to each other (spec R120, R121).
//!
//! The service owns the session. Window, tray and command line ask it for things ([`Request`]) and show what it
//! answers ([`Answer`]), above all its [`Snapshot`]: they decide nothing and remember nothing about the session, so
//! they never disagree. Each message is one line of JSON; [`connection`] is the view's end of it.
//!
//! A view of another version reads what it knows: unknown fields are ignored, missing ones default, and [`Snapshot::program`]
//! says that the versions differ.

#[cfg(unix)]
#[allow(clippy::disallowed_methods, reason = "shell: reads who has an account")]
pub mod account;
#[allow(
    clippy::disallowed_methods,
    reason = "shell: owns the view's end of socket or pipe"
)]
pub mod connection;
mod doctor;
mod order;
mod snapshot;
mod state;
#[cfg(all(test, not(windows)))]
mod told;

pub use doctor::{FixOffer, Mark, Row};
pub use order::{Answer, Fix, Request, Secret};
pub use snapshot::{
    LanAddress, Lease, Loss, Me, Measured, Member, Mtu, NotDirect, Party, Ping, PingVerdict,
    Reason, RelayPlace, Room, Snapshot, Warning, Way, ms,
};
pub use state::State;

/// The version of this vocabulary; it grows when an old view would misread a new service.
pub const VERSION: u16 = 1;

/// No line of a view is longer, in bytes: an invite and some words.
pub const MAX_REQUEST: usize = 16 * 1024;
/// No line of the service is longer, in bytes: a full room, a full list of games, a minute of pings.
pub const MAX_ANSWER: usize = 1024 * 1024;
