//! The service that owns a player's session, and the command line that speaks to it (spec R120, R121).
//!
//! `desk` decides: requests of people and news of the session go in, answers and orders come out. [`run`] is
//! the shell around it: it runs sessions by way of a [`Place`], which each system has, keeps what must outlive it, and
//! answers views, of which a [`Listener`] says who they are. [`cli`] is a view: the commands of both client programs.

mod caller;
#[allow(
    clippy::disallowed_methods,
    reason = "shell: a view with files and a clock"
)]
pub mod cli;
mod desk;
mod place;
#[allow(clippy::disallowed_methods, reason = "shell: runs the service")]
mod run;
#[allow(clippy::disallowed_methods, reason = "shell: answers views in tasks")]
mod serve;
#[allow(
    clippy::disallowed_methods,
    reason = "shell: runs sessions, and owns the clock"
)]
mod service;
#[cfg(target_os = "linux")]
#[allow(clippy::disallowed_methods, reason = "shell: reads who has an account")]
pub mod socket;

pub use caller::Caller;
pub use place::{Place, Wishes};
pub use run::run;
pub use serve::Listener;
pub use service::Options;
