//! The public relay: rooms that behave like a careful switch.
//!
//! [`Registry`] and [`room::Room`] decide who may enter, what every datagram is worth and where it
//! goes; they are plain state machines without I/O, clock or randomness of their own. [`server`] is the
//! shell around them. Start with [`room::Room::handle_datagram`] for the path of a frame, and with
//! [`RelayServer`] to run a relay, also inside another program.
#![cfg_attr(
    test,
    allow(clippy::disallowed_methods, reason = "tests own the clock")
)]

pub mod config;
#[cfg(target_os = "linux")]
#[allow(clippy::disallowed_methods, reason = "shell: talks to a relay")]
pub mod ctl;
#[cfg(feature = "cluster-etcd")]
#[allow(
    clippy::disallowed_methods,
    reason = "shell: asks etcd, reads files and the clock"
)]
pub mod directory;
pub mod registry;
#[cfg(target_os = "linux")]
#[allow(clippy::disallowed_methods, reason = "shell: starts a relay")]
pub mod reload;
pub mod room;
#[allow(
    clippy::disallowed_methods,
    reason = "shell: owns sockets, files, tasks and the clock"
)]
pub mod server;
mod sources;
mod strangers;
#[cfg(test)]
mod testing;
#[cfg(all(test, not(windows)))]
mod told;

pub use config::Config;
pub use registry::{JoinLimits, Limits, Registry};
pub use room::{Rate, Rates};
#[cfg(feature = "cluster-etcd")]
pub use server::{FleetClock, Line};
pub use server::{RelayServer, SocketGone, StartError, check, run};
pub use strangers::KnockLimits;
