//! A running peer: gateway or player, from its first attempt to reach the relay to its goodbye.
//!
//! One core, one port, one link, one loop: [`run`] carries frames between a [`PeerCore`], which decides, and
//! a [`FramePort`], where they enter the machine. The link to the relay ([`link`]) is found, greeted, watched
//! and made anew ([`backoff`]). Between a player and its gateway there may be a direct path ([`door`]), and which way is the better one is
//! looked at all the time ([`ways`]); ports whose frames come as super-frames share [`vnet`]; [`relay_args`] has the flags
//! that say which relay, which room and whom to trust.
//!
//! Start with [`run`].
#![allow(clippy::disallowed_methods, reason = "shell: owns tasks and the clock")]

pub mod backoff;
pub mod door;
pub mod link;
mod path_watch;
mod peer;
mod pulse;
#[cfg(unix)]
pub mod readable;
pub mod relay_args;
pub mod relays;
#[cfg(all(test, not(windows)))]
mod told;
pub mod vnet;
pub mod ways;

pub use link::{LinkFacts, RelayLink};
pub use peer::{
    Event, FramePort, HostError, PeerCore, PeerHost, PeerOutput, RelaySight, RunError, run,
};
