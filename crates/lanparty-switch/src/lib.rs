//! The one switch: who may say what, what it claims, what is learnt from it, and where it goes.
//!
//! Relay, gateway, clients and tests judge frames with this crate and nothing else. It is pure: bytes
//! and the time come in, verdicts come out. [`Switch`] judges one room: each peer has a [`Port`],
//! which holds what that peer may say. [`classify`] is the part that remembers nothing, for those who
//! see too little to hold anybody to a claim.
//!
//! It is not a room: who may come in, who is told what, and how a peer is reached is the relay's.
#![cfg_attr(
    test,
    allow(clippy::disallowed_methods, reason = "tests own the clock")
)]

mod addresses;
mod arp;
mod chatter;
mod claim;
mod dhcp;
mod dhcpv6;
mod group;
mod ip;
mod judge;
mod llc;
mod nd;
mod ports;
pub mod rates;
mod router;
mod said;
mod segment;
pub mod snooping;
mod switch;
mod table;
#[cfg(test)]
mod tests;
mod traffic;
mod vlan;

pub use judge::{Speaker, classify};
pub use ports::Port;
pub use rates::{Rate, Rates};
pub use segment::Route;
pub use switch::{Crossing, Judged, Switch};
