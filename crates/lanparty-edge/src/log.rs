//! Logs: to standard error, for people by default, as JSON for machines; nothing waits for whoever reads them.

use crate::speech::LogLines;
use clap::{Args, ValueEnum};
use lanparty_obs::FrameLog;
use std::io::{self, IsTerminal};
use tracing_subscriber::EnvFilter;

/// The target of frame log lines: `--log info,lanparty::frames=trace` shows every frame.
pub const FRAMES: &str = "lanparty::frames";

/// The flags about logs that every program has.
#[derive(Debug, Clone, Args)]
pub struct LogArgs {
    /// What to log, as levels and targets; `info,lanparty::frames=trace` logs every frame.
    #[arg(
        long,
        value_name = "FILTER",
        default_value = "info",
        env = "LANPARTY_LOG"
    )]
    pub log: EnvFilter,

    /// How log lines look.
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub log_format: LogFormat,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Lines for people.
    Human,
    /// One JSON object per line.
    Json,
}

impl LogArgs {
    /// Starts logging for the whole process; a second call changes nothing.
    pub fn start(self) {
        let builder = tracing_subscriber::fmt()
            .with_env_filter(self.log)
            // Colours in a file or a service's journal are noise.
            .with_ansi(io::stderr().is_terminal())
            .with_writer(LogLines);
        // Fails only when logging has started already, which tests do.
        let _ = match self.log_format {
            LogFormat::Human => builder.try_init(),
            LogFormat::Json => builder.json().flatten_event(true).try_init(),
        };
    }
}

/// True when frames are logged: ask before you make a [`FrameLog`].
pub fn frames_enabled() -> bool {
    tracing::enabled!(target: FRAMES, tracing::Level::TRACE)
}

/// Logs one frame.
pub fn frame(line: &FrameLog) {
    tracing::trace!(target: FRAMES, "{line}");
}
