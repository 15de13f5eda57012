//! The public relay: rooms that behave like a careful switch.
//!
//! [`Registry`] and [`room::Room`] decide who may enter, what every datagram is worth and where it
//! goes; they are plain state machines without I/O, clock or randomness of their own.
#![cfg_attr(
    test,
    allow(clippy::disallowed_methods, reason = "tests own the clock")
)]

pub mod registry;
pub mod room;
#[cfg(test)]
mod testing;

pub use registry::{Limits, Registry};
pub use room::{Rate, Rates};
