//! The player's window: a view of the service, drawn by the CPU (spec R120, R122).
//!
//! [`App`] knows and decides, without a window, a clock or a service: snapshots go in, effects come out. [`views`] draws it
//! with egui. The shell opens the window with winit and softbuffer, so that it opens in Remote Desktop, virtual
//! machines and Wine, and takes nothing from a game's GPU; threads follow the service and ask it for things.

mod app;
#[allow(clippy::disallowed_methods, reason = "shell: reads the system's fonts")]
mod fonts;
mod invite_field;
mod look;
mod mark;
pub mod views;
mod words;

pub mod args;
#[allow(clippy::disallowed_methods, reason = "shell: asks the desktop")]
mod desktop;
#[allow(clippy::disallowed_methods, reason = "shell: follows the service")]
mod line;
#[allow(clippy::disallowed_methods, reason = "shell: a file of the user's")]
mod memory;
#[allow(clippy::disallowed_methods, reason = "shell: draws without a display")]
pub mod picture;
#[allow(clippy::disallowed_methods, reason = "shell: starts one of the others")]
pub mod run;
#[allow(clippy::disallowed_methods, reason = "shell: the window itself")]
pub mod shell;
#[allow(clippy::disallowed_methods, reason = "shell: one window a user")]
mod single;
#[cfg(all(test, not(windows)))]
mod told;
mod tray;
mod wake;

pub use app::{Absence, App, Clock, Effect, Forbidden, Page, Question, Standing, VERSION};
pub use mark::{Shape, Tone};
pub use memory::Memory;

/// Prepares a context of egui: letters, colours, sizes.
pub fn prepare(ctx: &egui::Context) {
    fonts::install(ctx);
    look::install(ctx);
}
