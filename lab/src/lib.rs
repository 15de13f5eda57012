//! A LAN party on one machine: network namespaces joined by cables, real programs in them, real frames between them.
//!
//! Start at [`Venue`], which has a picture, and [`Party`]; [`Lab`], [`Machine`], [`Process`] and [`Wire`] are what it is made
//! of, [`Suite`] runs tests on it. Everything is removed when it is dropped, on Ctrl-C, and, after a `kill -9`, by the
//! next start. Nothing is ever made in the machine's own network namespace. Needs root; nothing here is in a product.
//!
//! ```no_run
//! # fn main() -> anyhow::Result<()> {
//! let party = lanparty_lab::Party::builder().players(2).start()?;
//! party.players[0].machine.run(["ping", "-c1", "192.168.50.11"])?;
//! # Ok(())
//! # }
//! ```

#![allow(
    clippy::disallowed_methods,
    reason = "shell: the lab owns processes, sockets, files and the clock"
)]

mod booted;
pub mod calls;
mod etcd;
mod fleet;
mod guests;
pub mod http_proxy;
mod lab;
mod machine;
mod nat;
mod needs;
mod party;
mod process;
mod raw_socket;
mod relay_site;
mod several;
mod snapshot;
mod spare;
mod suite;
mod system;
mod tap;
pub mod traffic;
mod venue;
mod wait;
mod windows;
mod wire;

pub use booted::Booted;
pub use etcd::{Etcd, EtcdMember, EtcdTls};
pub use fleet::{Fleet, FleetPlan, fleet_flags};
pub use guests::{Guest, GuestPlan, Guests};
pub use lab::{Lab, end_clean_on_interrupt, leftovers, until_interrupted};
pub use lanparty_skip::skip;
pub use machine::Machine;
pub use nat::{Nat, NatRouter, Router, Weather};
pub use needs::{Needs, SERVERS, has_program, is_root, missing_packages};
pub use party::{Addressing, Party, PartyBuilder, Player, Role, binaries, program};
pub use process::{Process, Usage};
pub use raw_socket::RawSocket;
pub use relay_site::{RelaySite, RoomSeen};
pub use several::{Several, SeveralPlan};
pub use snapshot::Snapshot;
pub use spare::Spare;
pub use suite::{Check, Suite, World, run};
pub use system::System;
pub use tap::Tap;
pub use venue::{HomePlan, LAN_BROADCAST, LAN_NAME, Plan, Venue};
pub use wait::{eventually, pass};
pub use windows::{Trouble, WindowsPc};
pub use wire::{Wire, WireConditions};
