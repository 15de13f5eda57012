//! The one switch: who may say what, what it claims, what is learnt from it, and where it goes.
//!
//! Relay, gateway, clients and tests judge frames with this crate and nothing else. It is pure: bytes
//! and the time come in, verdicts come out. [`Switch`] judges one room: each peer has a [`Port`],
//! which holds what that peer may say. What it asks depends on from where it looks, its [`View`].
//! [`classify`] is the part that remembers nothing, for those who see too little to hold anybody to a
//! claim.
//!
//! A frame is read once, into the one thing that it says (`said`), by the file of its protocol: `arp`,
//! `nd`, `dhcp`, `dhcpv6`, `group`, `router`, `vlan`, `llc`, `ip`. There stand side by side what may be
//! said, what is claimed, and what is learnt. Who has which address is in `addresses`, who lives behind
//! the gateway in `table`, how much may be said in `rates` and `traffic`, and `segment` asks them all. What players may
//! reach on the LAN is a question of its own, which the gateway asks afterwards: [`reach`]. Who answers for a machine that
//! cannot be asked does it with [`neighbours`].
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
pub mod neighbours;
mod ports;
pub mod rates;
pub mod reach;
mod router;
mod said;
mod segment;
pub mod snooping;
mod switch;
mod table;
#[cfg(test)]
mod tests;
mod traffic;
mod view;
mod vlan;

pub use dhcp::DhcpTalk;
pub use judge::{Speaker, classify, goes_direct};
pub use ports::Port;
pub use rates::{Rate, Rates};
pub use segment::Route;
pub use switch::{Crossing, Judged, Switch};
pub use view::View;
