//! The QUIC shell that relay, gateway and clients share.
//!
//! Everything here touches sockets, files, signals or the clock, so that the cores need not:
//! addresses and trust ([`address`], [`tls`]), the QUIC engine behind one small face ([`quic`], the
//! only file that knows which engine it is), control messages on streams ([`control`]), a peer's
//! link to its relay ([`link`]), the file that keeps its place there ([`place_store`]), the loop that
//! turns a core, a port and a link into a running peer ([`peer`]), what ports with super-frames share
//! ([`vnet`]), the queue in front of each link ([`queue`]), and what every program needs at its edges ([`log`], [`signals`], [`backoff`],
//! [`privilege`]).
//!
//! Start with [`peer::run`].
#![allow(
    clippy::disallowed_methods,
    reason = "shell: owns sockets, files, tasks and the clock"
)]

pub mod access_args;
pub mod address;
pub mod args;
pub mod backoff;
pub mod control;
#[cfg(target_os = "linux")]
pub mod ctl;
mod gate;
pub mod invite;
pub mod kept_file;
pub mod link;
pub mod log;
mod path;
pub mod peer;
pub mod place;
pub mod place_store;
pub mod privilege;
mod pulse;
pub mod queue;
pub mod quic;
pub mod runtime;
pub mod signals;
mod socket;
pub mod state;
pub mod tls;
pub mod vnet;

pub use link::RelayLink;
