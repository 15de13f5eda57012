//! Logs: to standard error, for people by default, as JSON for machines; nothing waits for whoever reads them.

use crate::speech::LogLines;
use clap::{Args, ValueEnum};
use lanparty_obs::FrameLog;
use std::io::{self, IsTerminal};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _, fmt};

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
        let filter = self.log.unwrap_or_else(usual);
        let lines = fmt::layer()
            // Colours in a file or a service's journal are noise.
            .with_ansi(is_read)
            .with_writer(LogLines);
        let lines = match (self.log_format, is_dated()) {
            (LogFormat::Human, false) => lines.boxed(),
            (LogFormat::Human, true) => lines.without_time().boxed(),
            (LogFormat::Json, false) => lines.json().flatten_event(true).boxed(),
            (LogFormat::Json, true) => lines.json().flatten_event(true).without_time().boxed(),
        };
        let subscriber = tracing_subscriber::registry().with(lines).with(filter);
        // Fails only when logging has started already, which tests do.
        let _ = subscriber.try_init();
    }
}

/// True where whoever takes the lines writes down the time of each: systemd's journal, which names the pipe that it has
/// given us (systemd.exec(5), JOURNAL_STREAM). A pipe of somebody else's behind it has another number.
fn is_dated() -> bool {
    #[cfg(target_os = "linux")]
    {
        let stream = std::env::var("JOURNAL_STREAM").ok();
        let stderr = rustix::fs::fstat(io::stderr()).ok();
        let named = stream.as_deref().and_then(file_of);
        named.is_some() && named == stderr.map(|file| (file.st_dev, file.st_ino))
    }
    #[cfg(not(target_os = "linux"))]
    false
}

/// Device and inode, as systemd writes them.
#[cfg(target_os = "linux")]
fn file_of(stream: &str) -> Option<(u64, u64)> {
    let (device, inode) = stream.split_once(':')?;
    Some((device.parse().ok()?, inode.parse().ok()?))
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

    #[cfg(target_os = "linux")]
    #[test]
    fn the_journals_pipe_is_known_by_its_number() {
        assert_eq!(file_of("8:1234"), Some((8, 1234)));
        for text in ["", "8", "8:", "x:1", "8:1:2"] {
            assert_eq!(file_of(text), None, "{text}");
        }
    }

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
