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
        "the configuration {file} has an unknown key {key}; keys are named like the flags of \
         `{program} --help`, such as max-rooms"
    )]
    UnknownKey {
        /// The file.
        file: PathBuf,
        /// The key.
        key: String,
        /// The program whose flags it should be named like.
        program: String,
    },
    /// The flag would refuse the value.
    #[error("the configuration {file} has {key} = {value}, which cannot be: {problem}")]
    BadValue {
        /// The file.
        file: PathBuf,
        /// The key.
        key: String,
        /// Its value.
        value: String,
        /// What is wrong with it.
        problem: String,
    },
}

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
    for (key, value) in &parse(file, &text)? {
        let id = flag_of(file, &command, key)?;
        let flag = checked(file, &command, key, value)?;
        if !is_overruled(&id, given) {
            flags.push(flag);
        }
    }
    Ok(flags)
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

fn parse(file: &Path, text: &str) -> Result<Table, FileError> {
    text.parse::<Table>().map_err(|error| {
        let start = error.span().map_or(0, |span| span.start);
        let before = text.get(..start).unwrap_or(text);
        FileError::NotToml {
            file: file.to_owned(),
            line: 1 + before.matches('\n').count(),
            problem: error.message().replace('\n', ", "),
        }
    })
}

/// The id under which clap knows the flag.
fn flag_of(file: &Path, command: &Command, key: &str) -> Result<String, FileError> {
    let mut flags = command.get_arguments();
    let flag = flags.find(|flag| flag.get_long() == Some(key) && flag.get_id() != "config");
    match flag {
        Some(flag) => Ok(flag.get_id().to_string()),
        None => Err(FileError::UnknownKey {
            file: file.to_owned(),
            key: key.to_owned(),
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
    key: &str,
    value: &Value,
) -> Result<OsString, FileError> {
    let bad = |shown: &str, problem| FileError::BadValue {
        file: file.to_owned(),
        key: key.to_owned(),
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
