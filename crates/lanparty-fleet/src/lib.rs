//! Many relays as one: whose a room is, leases and fences, where a new room goes, and how rooms move.
//!
//! An operator's relays share a small directory, a store of keys with leases, revisions, guarded writes and a watch
//! (etcd has these). [`Fleet`] is one relay's part in it and decides everything; it opens no connection and reads no
//! clock. What it wants of the directory comes out of [`Fleet::poll_request`] as [`Request`]s, and comes back as
//! [`Answer`]s and [`Event`]s; what the relay's server shall do comes out of [`Fleet::poll_output`].
//!
//! * Whoever says hello asks [`Fleet::locate`]: the room is here, or elsewhere, or nobody's; then it is placed, and the
//!   relay where it goes claims it with a write that succeeds only while nobody has it. A relay never claims for another.
//! * The revision of that write is the room's [`Fence`]: who holds a room by a lower one has lost it.
//! * All that a relay has in the directory lies under one lease of three seconds. Who has not renewed it for two and a half
//!   opens no new room. Rooms that it has go on ([`OnLoss::Keep`]), for a directory that is away for everybody gives them to
//!   nobody else; when it is back they are put back, or are lost to whoever has them by then.
//!
//! [`model::Model`] is a directory in memory with partitions, delay and loss, for tests. Start with [`Fleet::locate`].
#![cfg_attr(
    test,
    allow(clippy::disallowed_methods, reason = "tests own the clock")
)]

mod card;
mod directory;
mod entry;
mod fleet;
mod key;
mod lease;
pub mod model;
mod name;
mod placement;
#[cfg(all(test, not(windows)))]
mod told;
mod trouble;
mod view;

pub use card::{Address, AddressError, Card, MAX_REGION};
pub use directory::{
    Answer, Entry, Event, Found, Guard, LeaseId, Put, Request, Revision, Tag, Write,
};
pub use fleet::{
    Asker, Counts, Fleet, Load, Located, Lost, NotPlaced, OnLoss, Output, Refusal, RelayRow,
    RoomRow, Settings, Standing, Whom,
};
pub use name::{Fence, FleetSecret, FleetSecretError, RelayId, RoomHash};
pub use placement::Near;
pub use trouble::Trouble;
pub use view::View;
