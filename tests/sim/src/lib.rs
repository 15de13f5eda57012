//! A LAN party in one process: the pure cores under virtual time, driven by dice.
//!
//! One seed decides everything that happens in a [`party::Party`]: who comes and goes, which frames
//! are sent and how they are cut, mangled, forged and delayed, and how the clock moves. Each step is
//! also taken by a [`reference`](mod@reference) that is written without a look at the relay: plain
//! lists and loops, its own reading of the bytes, and for frames the truth that [`frames`] knows because
//! it built them. The two must agree on every step, and the invariants must hold after it.
//!
//! A frame may meet several judges on its way, each with its view: [`views`] asks each and its own reference, and
//! whether they let through together what one who sees everything refuses.
//!
//! An [`evening`] joins the relay to players' sessions and gateways' bridges by bad links, and lets each
//! of them end and come back at every step.
//!
//! A [`fleet`] is an operator's: three relays around one directory, thousands of players, and machines that fail. A party with
//! [`several`] relays in its invite moves between them by itself, where none of them knows of another.

// Whatever goes wrong here is a failed test.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "everything here is a test"
)]

pub mod dice;
pub mod evening;
pub mod fleet;
pub mod frames;
pub mod party;
pub mod reference;
pub mod seeds;
pub mod several;
pub mod views;
