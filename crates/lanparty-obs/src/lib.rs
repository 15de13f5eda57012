//! What the programs say about themselves.
//!
//! One list of reasons why frames die ([`DropReason`]), the counters that every program keeps
//! ([`PeerStats`]), how links are doing ([`LinkStats`]), the words of a frame log line ([`FrameLog`]), the snapshot behind a client's
//! diagnostics ([`Diagnostics`]), the way that frames take and why ([`Ways`]) and the sentences a player reads ([`PlayerStatus`]). All of it is
//! plain data: who prints or sends it is the shells' business.

pub mod diagnostics;
pub mod drop_reason;
pub mod frame_log;
pub mod link;
pub mod losses;
mod place;
pub mod stats;
pub mod status;
#[cfg(all(test, not(windows)))]
mod told;
mod utc;
pub mod way;

pub use diagnostics::{Diagnostics, Opening, is_self_assigned};
pub use drop_reason::DropReason;
pub use frame_log::FrameLog;
pub use link::LinkStats;
pub use losses::{Losses, Packets};
pub use place::RelayPlace;
pub use stats::{DropCounts, PeerStats};
pub use status::{NoAddress, PlayerStatus};
pub use utc::Utc;
pub use way::{NotDirect, Way, Ways};
