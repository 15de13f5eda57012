//! What every program needs at its edges.
//!
//! Addresses and invites as people write them ([`address`], [`invite`]), flags that programs share
//! ([`access_args`], [`congestion_args`]), what is said to people ([`sentence`], [`speech`], [`seldom`], [`log`]), signals ([`signals`]), the one thread ([`runtime`]), rights
//! ([`privilege`]), what is kept on disk ([`state_folder`], [`kept_file`], [`resume_file`]), the local socket with which a
//! running program is steered ([`ctl`]), the manual that packages get ([`manual`]), and systemd's side of a service ([`systemd`], [`ending`]).
#![allow(
    clippy::disallowed_methods,
    reason = "shell: owns files, signals, rights and the clock"
)]

pub mod access_args;
pub mod address;
pub mod congestion_args;
#[cfg(target_os = "linux")]
pub mod ctl;
pub mod ending;
pub mod invite;
pub mod kept_file;
mod kept_token;
pub mod log;
#[cfg(target_os = "linux")]
pub mod manual;
pub mod privilege;
pub mod resume_file;
pub mod runtime;
pub mod seldom;
mod sentence;
pub mod signals;
pub mod source_address;
pub mod speech;
pub mod state_folder;
pub mod systemd;
pub mod table;
#[cfg(all(test, not(windows)))]
mod told;

pub use sentence::sentence;
