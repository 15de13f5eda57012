//! The LAN side: a bridge between a party's switch and a room on the relay.
//!
//! [`bridge`] decides what crosses, without sockets and without a clock.

#![cfg_attr(
    test,
    allow(clippy::disallowed_methods, reason = "tests own the clock")
)]

pub mod bridge;
