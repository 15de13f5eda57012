//! The configuration file: each key is a flag's name, and each value goes the flag's way.
//!
//! So there is one list of settings, one set of checks and one set of defaults, and a key cannot mean
//! something else than its flag.

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgMatches, Command};
use std::error::Error;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use toml::de::DeTable;
use toml::{Table, Value};

/// Why a configuration file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It cannot be read.
    #[error(
        "the configuration {file} cannot be read: {error}; give a file to --config that is there"
    )]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// It is no TOML.
    #[error("the configuration {file} is not TOML in line {line}: {problem}")]
    NotToml {
        /// The file.
        file: PathBuf,
        /// Where, counted from 1.
        line: usize,
        /// What is wrong there.
        problem: String,
    },
    /// No flag is called like this.
    #[error(
        "the configuration {file} has an unknown key {key} in line {line}; keys are named like the flags of \
         `{program} --help`, such as max-rooms"
    )]
    UnknownKey {
        /// The file.
        file: PathBuf,
        /// Where, counted from 1.
        line: usize,
        /// The key.
        key: String,
        /// The program whose flags it should be named like.
        program: String,
    },
    /// It has one of two keys that belong together.
    #[error(
        "the configuration {file} has {key} in line {line} and no {missing}, which belongs to it; add {missing}, or take {key} out"
    )]
    Half {
        /// The file.
        file: PathBuf,
        /// Where, counted from 1.
        line: usize,
        /// What it has.
        key: String,
        /// What it lacks.
        missing: String,
    },
    /// The flag would refuse the value.
    #[error(
        "the configuration {file} has {key} = {value} in line {line}, which cannot be: {problem}"
    )]
    BadValue {
        /// The file.
        file: PathBuf,
        /// Where, counted from 1.
        line: usize,
        /// The key.
        key: String,
        /// Its value.
        value: String,
        /// What is wrong with it.
        problem: String,
    },
}

/// Settings that mean nothing without each other.
const PAIR: [&str; 2] = ["cert", "key"];

/// The settings in `file` that nobody has `given` by flag or environment, as flags.
pub(super) fn read(
    file: &Path,
    command: Command,
    given: &ArgMatches,
) -> Result<Vec<OsString>, FileError> {
    let text = std::fs::read_to_string(file).map_err(|error| FileError::Unreadable {
        file: file.to_owned(),
        error,
    })?;
    let mut flags = Vec::new();
    let settings = parse(file, &text)?;
    for setting in &settings {
        let id = flag_of(file, &command, setting)?;
        let flag = checked(file, &command, setting)?;
        if !is_overruled(&id, given) {
            flags.push(flag);
        }
    }
    has_whole_pair(file, &settings)?;
    Ok(flags)
}

fn has_whole_pair(file: &Path, settings: &[Setting<'_>]) -> Result<(), FileError> {
    let in_file = |key: &str| settings.iter().find(|setting| setting.key == key);
    for [one, other] in [PAIR, [PAIR[1], PAIR[0]]] {
        if let (Some(setting), None) = (in_file(one), in_file(other)) {
            return Err(FileError::Half {
                file: file.to_owned(),
                line: setting.line,
                key: one.to_owned(),
                missing: other.to_owned(),
            });
        }
    }
    Ok(())
}

/// A line of the file.
struct Setting<'a> {
    key: &'a str,
    line: usize,
    value: Value,
}

/// Whether somebody has given this flag, or another one that says the same.
fn is_overruled(id: &str, given: &ArgMatches) -> bool {
    let is_given = |id: &str| {
        let source = given.value_source(id);
        source.is_some_and(|source| source != ValueSource::DefaultValue)
    };
    let instead = match id {
        "access_token" => "access_token_file",
        "access_token_file" => "access_token",
        other => other,
    };
    is_given(id) || is_given(instead)
}

/// The settings in the order of their lines.
fn parse<'a>(file: &Path, text: &'a str) -> Result<Vec<Setting<'a>>, FileError> {
    let not_toml = |error: toml::de::Error| FileError::NotToml {
        file: file.to_owned(),
        line: line_of(text, error.span().map_or(0, |span| span.start)),
        problem: error.message().replace('\n', ", "),
    };
    let table: Table = text.parse().map_err(not_toml)?;
    let places = DeTable::parse(text).map_err(not_toml)?;
    let settings = places.get_ref().iter().filter_map(|(key, _)| {
        let value = table.get(&**key.get_ref())?.clone();
        let span = key.span();
        let key = text.get(span.clone())?.trim_matches(['"', '\'']);
        let line = line_of(text, span.start);
        Some(Setting { key, line, value })
    });
    let mut settings: Vec<_> = settings.collect();
    settings.sort_by_key(|setting| setting.line);
    Ok(settings)
}

/// The line in which a byte stands, counted from 1.
fn line_of(text: &str, byte: usize) -> usize {
    1 + text.get(..byte).unwrap_or(text).matches('\n').count()
}

/// The id under which clap knows the flag.
fn flag_of(file: &Path, command: &Command, setting: &Setting<'_>) -> Result<String, FileError> {
    let mut flags = command.get_arguments();
    let flag = flags.find(|flag| flag.get_long() == Some(setting.key) && flag.get_id() != "config");
    match flag {
        Some(flag) => Ok(flag.get_id().to_string()),
        None => Err(FileError::UnknownKey {
            file: file.to_owned(),
            line: setting.line,
            key: setting.key.to_owned(),
            program: program(command).to_owned(),
        }),
    }
}

/// What the program is called where people start it.
fn program(command: &Command) -> &str {
    command.get_bin_name().unwrap_or(command.get_name())
}

/// The setting as a flag that would be taken.
fn checked(
    file: &Path,
    command: &Command,
    Setting { key, line, value }: &Setting<'_>,
) -> Result<OsString, FileError> {
    let bad = |shown: &str, problem| FileError::BadValue {
        file: file.to_owned(),
        line: *line,
        key: (*key).to_owned(),
        value: shown.to_owned(),
        problem,
    };
    let word = match value {
        Value::String(text) => text.clone(),
        Value::Integer(number) => number.to_string(),
        Value::Float(_)
        | Value::Boolean(_)
        | Value::Datetime(_)
        | Value::Array(_)
        | Value::Table(_) => {
            let problem = "a value is a \"text\" or a whole number".to_owned();
            return Err(bad(value.type_str(), problem));
        }
    };
    let flag = OsString::from(format!("--{key}={word}"));
    match command
        .clone()
        .try_get_matches_from([OsString::new(), flag.clone()])
    {
        Ok(_) => Ok(flag),
        // What it belongs to may be the next key: all of them are parsed together in the end.
        Err(error) if error.kind() == ErrorKind::MissingRequiredArgument => Ok(flag),
        Err(error) => Err(bad(
            &word,
            match error.source() {
                Some(cause) => cause.to_string(),
                None => format!("see `{} --help` for what can", program(command)),
            },
        )),
    }
}
