//! A player's session, the same on every system.
//!
//! [`Session`] decides what crosses between a virtual adapter and the relay, with the rules in
//! [`filter`]; [`Identity`] is the MAC and the key by which a player is known, and
//! [`identity_store`] the file that keeps it; [`Player`] joins both to a room and its relay; [`Reporter`] hears how things are, [`StatusLine`] says it; [`way`]
//! is what routes have in common. Adapters, routes and the program around them belong to the clients of
//! each system.

pub mod ears;
pub mod filter;
pub mod identity;
#[allow(clippy::disallowed_methods, reason = "shell: owns the identity file")]
pub mod identity_store;
pub mod overlap;
#[allow(clippy::disallowed_methods, reason = "shell: reads the player's files")]
pub mod player;
mod report;
pub mod session;
pub mod status_line;
#[cfg(all(test, not(windows)))]
mod told;
pub mod way;

pub use identity::Identity;
pub use lanparty_dhcp::Held as HeldAddress;
pub use lanparty_edge::sentence;
pub use player::{Player, PlayerArgs};
pub use report::{Report, Reporter};
pub use session::{MemberFacts, Session};
pub use status_line::StatusLine;
