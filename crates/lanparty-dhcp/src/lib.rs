//! An address on the LAN for a player's adapter (spec R131): from the LAN's DHCP server (RFC 2131), or, where there is
//! none, one that the adapter gives itself (RFC 3927), after looking whether somebody has it (RFC 5227).
//!
//! [`AddressClient`] asks, keeps and gives back; [`Watchman`] looks after addresses that a player has chosen. Both hear
//! the frames that reach the machine and make frames in its name; what the adapter should have, [`Held`], is for
//! the program around them to set. Nothing here routes, resolves names, or knows any other interface.

#![cfg_attr(
    test,
    allow(clippy::disallowed_methods, reason = "tests own the clock")
)]

mod asking;
mod at_home;
mod claim;
mod client;
mod lease;
mod made_up;
pub mod probe;
mod proxy;
mod random;
mod watchman;
mod wire;
mod word;

pub use at_home::AtHome;
pub use client::{AddressClient, Held, How};
pub use watchman::Watchman;
pub use word::Word;

#[cfg(test)]
mod told;
