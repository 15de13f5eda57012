//! Logs: to standard error, for people by default, as JSON for machines; nothing waits for whoever reads them.

use crate::speech::LogLines;
use clap::{Args, ValueEnum};
use lanparty_obs::FrameLog;
use std::io::{self, IsTerminal};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// The target of frame log lines: `--log info,lanparty::frames=trace` shows every frame.
pub const FRAMES: &str = "lanparty::frames";

/// The flags about logs that every program has.
#[derive(Debug, Clone, Args)]
pub struct LogArgs {
    /// What to log, as levels and targets; `info,lanparty::frames=trace` logs every frame [default: warn on a
    /// terminal, else info].
    #[arg(
        long,
        value_name = "FILTER",
        value_parser = filter,
        env = "LANPARTY_LOG"
    )]
    pub log: Option<EnvFilter>,

    /// How log lines look.
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub log_format: LogFormat,
}

/// Why a text says nothing of what to log.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FilterError {
    #[error("`{0}` is no level; write error, warn, info, debug or trace, or TARGET=LEVEL")]
    NoLevel(String),
    #[error("that is no filter ({0}); write a level, like info, or TARGET=LEVEL")]
    Malformed(#[from] tracing_subscriber::filter::ParseError),
}

/// Reads a filter. A word that is no level would be a target whose lines are all logged, and silence everything else.
pub(crate) fn filter(text: &str) -> Result<EnvFilter, FilterError> {
    let is_level = |word: &str| word.parse::<LevelFilter>().is_ok();
    let is_target = |word: &str| word.contains(['=', '_', ':', '[']);
    let mut words = text.split(',').map(str::trim);
    match words.find(|word| !word.is_empty() && !is_level(word) && !is_target(word)) {
        Some(word) => Err(FilterError::NoLevel(word.to_owned())),
        None => Ok(text.parse()?),
    }
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
        // A person at a terminal reads the program's sentences, and what needs looking after.
        let is_read = io::stderr().is_terminal();
        let usual = || EnvFilter::new(if is_read { "warn" } else { "info" });
        let builder = tracing_subscriber::fmt()
            .with_env_filter(self.log.unwrap_or_else(usual))
            // Colours in a file or a service's journal are noise.
            .with_ansi(is_read)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_is_no_level_is_refused_as_it_would_silence_everything() {
        for good in [
            "info",
            "WARN",
            "off",
            "info,lanparty::frames=trace",
            "lanparty_relay=debug",
            "warn, noq_proto",
        ] {
            assert!(filter(good).is_ok(), "{good}");
        }
        for (bad, says) in [
            ("loud", "`loud` is no level"),
            ("info,lots", "`lots` is no level"),
            ("lanparty_relay=loud", "TARGET=LEVEL"),
        ] {
            let error = filter(bad).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
    }
}
