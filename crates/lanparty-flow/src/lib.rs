//! What waits for a link, and how much of it may go.
//!
//! The queue in front of each link, small flows first ([`queue`]), and the gate that keeps the path's own
//! queue short ([`gate`]). Both are plain state machines: the time is passed in, and whoever has the
//! socket asks them. [`Congestion`] says which of the ways to share a path a link takes.
#![cfg_attr(
    test,
    allow(clippy::disallowed_methods, reason = "tests own the clock")
)]

mod congestion;
pub mod gate;
pub mod queue;

pub use congestion::Congestion;
