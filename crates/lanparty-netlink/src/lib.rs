//! Questions and orders to Linux' routing netlink (rtnetlink(7)).
//!
//! `order`, `ask` and `list` exchange messages of `netlink-packet-route`; which ones is up to the caller. `link`,
//! `redirect` and `route` know what more than one program says: about an interface, so that what comes in at one comes in at
//! another, and which way packets take.
//!
//! On systems other than Linux there is nothing in it.

#[cfg(target_os = "linux")]
mod exchange;
#[cfg(target_os = "linux")]
pub mod link;
#[cfg(target_os = "linux")]
pub mod redirect;
#[cfg(target_os = "linux")]
pub mod route;

#[cfg(target_os = "linux")]
pub use exchange::{ask, family, list, list_some, order};
