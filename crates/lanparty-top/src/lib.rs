//! A live table in the terminal: who sends, and what that costs.
//!
//! `lanparty-relay ctl top` and `lanparty-gateway ctl top` ask their program once a second and hand what it says to
//! [`run`]. `board` makes rates of counters, sorts, and knows what keys do; `draw` puts it on the screen; `shell` owns the
//! terminal and gives it back however this ends. There are no colours: bold and reversed letters say the same on every
//! terminal.
#![cfg_attr(
    test,
    allow(clippy::disallowed_methods, reason = "tests own the clock")
)]

mod board;
mod draw;
#[allow(
    clippy::disallowed_methods,
    reason = "shell: owns the terminal and the clock"
)]
mod shell;
#[cfg(test)]
mod tests;
#[cfg(all(test, not(windows)))]
mod told;

pub use board::{Column, Figure, Look, Row, Table, Unit};
pub use shell::{TopError, run};
