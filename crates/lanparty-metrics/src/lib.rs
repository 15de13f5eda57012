//! Metrics, health and readiness of a program, at an address of the operator's choice.
//!
//! What a program counts stays where it is counted. Whoever scrapes is served by a thread of its own (`server`), which
//! asks the program's loop for a copy of its numbers, at most once a second (`pulse`), and writes them down in
//! Prometheus' text format (`sheet`). So no lock is shared with the path of frames, and a loop that hangs is seen as one.
//! Labels come from lists that stand in the code: no name, address or room of a stranger's is one.
//!
//! Start with [`Bound::serve`].
#![cfg_attr(
    test,
    allow(clippy::disallowed_methods, reason = "tests own the clock")
)]

mod address;
#[allow(clippy::disallowed_methods, reason = "shell: asks the system")]
mod process;
#[allow(clippy::disallowed_methods, reason = "shell: owns the clock")]
mod pulse;
#[allow(
    clippy::disallowed_methods,
    reason = "shell: owns a socket and a thread"
)]
mod server;
mod sheet;
#[cfg(all(test, not(windows)))]
mod told;

pub use address::{MetricsAddress, NoMetricsAddress};
pub use pulse::LoopEnd;
pub use server::{Bound, Metrics, MetricsError};
pub use sheet::{Buckets, Sheet};
