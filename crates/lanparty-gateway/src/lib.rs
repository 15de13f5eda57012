//! The LAN side: a bridge between a party's switch and a room on the relay.
//!
//! [`bridge`] decides what crosses, without sockets and without a clock. [`lan`] is the AF_PACKET port
//! that shows frames as the wire has them. [`run()`] puts the two on a link to the relay; [`serverless`] brings
//! the relay too.

#![cfg_attr(
    test,
    allow(clippy::disallowed_methods, reason = "tests own the clock")
)]

pub mod bridge;
pub mod config;
#[cfg(target_os = "linux")]
mod controls;
#[cfg(target_os = "linux")]
#[allow(clippy::disallowed_methods, reason = "shell: talks to a gateway")]
pub mod ctl;
#[cfg(target_os = "linux")]
#[allow(clippy::disallowed_methods, reason = "shell: owns the socket")]
mod desk;
#[cfg(target_os = "linux")]
#[allow(
    clippy::disallowed_methods,
    reason = "shell: asks the router and tells"
)]
mod door;
#[cfg(target_os = "linux")]
mod figures;
#[cfg(target_os = "linux")]
#[allow(
    clippy::disallowed_methods,
    reason = "shell: reads the clock and keeps files"
)]
mod host;
#[allow(
    clippy::disallowed_methods,
    reason = "shell: reads the clock and keeps the key"
)]
mod invite;
#[allow(
    clippy::disallowed_methods,
    reason = "shell: reads the clock and keeps the key"
)]
pub mod invite_args;
pub mod keys;
#[cfg(target_os = "linux")]
#[allow(
    clippy::disallowed_methods,
    reason = "shell: owns the socket and its waits"
)]
pub mod lan;
#[cfg(target_os = "linux")]
#[allow(clippy::disallowed_methods, reason = "shell: opens files and sockets")]
mod opening;
#[cfg(target_os = "linux")]
mod own_part;
mod page;
#[cfg(target_os = "linux")]
mod picture;
pub mod reach;
#[cfg(target_os = "linux")]
#[doc(hidden)]
pub mod rehearsal;
#[cfg(target_os = "linux")]
mod relays;
#[cfg(target_os = "linux")]
#[allow(clippy::disallowed_methods, reason = "shell: runs everything")]
mod run;
#[cfg(target_os = "linux")]
#[allow(clippy::disallowed_methods, reason = "shell: runs relay and gateway")]
pub mod serverless;
#[cfg(target_os = "linux")]
#[allow(
    clippy::disallowed_methods,
    reason = "shell: asks a person, and writes files"
)]
pub mod setup;
#[cfg(target_os = "linux")]
#[allow(clippy::disallowed_methods, reason = "shell: waits for an interface")]
mod standing;
#[cfg(target_os = "linux")]
#[allow(clippy::disallowed_methods, reason = "shell: waits for the disk")]
mod terms;
#[cfg(all(test, not(windows)))]
mod told;
#[cfg(target_os = "linux")]
#[allow(
    clippy::disallowed_methods,
    reason = "shell: asks the router and tells"
)]
mod way_in;

pub use bridge::Bridge;
pub use config::{Args, Config};
pub use page::Places;
#[cfg(target_os = "linux")]
pub use run::run;
