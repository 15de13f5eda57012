//! A port in the home router, opened by the program itself: PCP (RFC 6887), NAT-PMP (RFC 6886), UPnP-IGD.
//!
//! [`Plan`] decides what is asked of the router and when, [`report`] what the host is told of it; both are pure.
//! [`keep_open`] is the shell that asks, with crab_nat and igd-next, and tells how things stand as they change.
//!
//! A router is a stranger: what it answers is bounded and believed for what it may mean, and only the router of the
//! default route is ever spoken to.

#![cfg_attr(
    test,
    allow(clippy::disallowed_methods, reason = "tests own the clock")
)]

mod address;
mod epoch;
mod find;
mod plan;
mod report;
#[cfg(test)]
mod told;
mod way;

#[allow(clippy::disallowed_methods, reason = "shell: asks the router")]
mod ask;
#[allow(
    clippy::disallowed_methods,
    reason = "shell: reads the clock and looks at the routes"
)]
mod keep;

pub use address::Outside;
pub use find::find;
pub use keep::{Settings, keep_open, own_addresses};
pub use plan::{Asked, Found, Granted, Held, Order, Outcome, Plan, Refused, Router, WhyShut};
pub use report::{Facts, Report, Standing, report};
pub use way::Way;
