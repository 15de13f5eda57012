//! The configuration file: each key is a flag's name, and each value goes the flag's way.
//!
//! So there is one list of settings, one set of checks and one set of defaults, and a key cannot mean
//! something else than its flag.

use clap::builder::PossibleValue;
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command};
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
        "the configuration {file} has an unknown key {key} in line {line}; {} are named like the flags of `{program} --help`",
        nearest.as_ref().map_or_else(|| "keys".to_owned(), |key| format!("did you mean {key}? Keys"))
    )]
    UnknownKey {
        /// The file.
        file: PathBuf,
        /// Where, counted from 1.
        line: usize,
        /// The key.
        key: String,
        /// The key that is spelt most like it, if one is.
        nearest: Option<String>,
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

/// How much of a key must be right for another to be taken for it.
const ALIKE: f64 = 0.7;

/// The settings in `file` that nobody has `given` by flag or environment, as flags.
pub(super) fn read(
    file: &Path,
    command: Command,
    given: &ArgMatches,
) -> Result<Vec<OsString>, FileError> {
    let text = load(file)?;
    let mut flags = Vec::new();
    let settings = parse(file, &text)?;
    for setting in &settings {
        let flag = flag_of(file, &command, setting)?;
        let words = checked(file, &command, flag, setting)?;
        if !is_overruled(&command, flag, given) {
            flags.extend(words);
        }
    }
    has_whole_pair(file, &settings)?;
    Ok(flags)
}

/// What a file says of one key, for who must know it before its flags are known; `None` where it says nothing of it, or no
/// text.
///
/// # Errors
/// [`FileError`], when it cannot be read or is no TOML.
pub fn text_of(file: &Path, key: &str) -> Result<Option<(usize, String)>, FileError> {
    let text = load(file)?;
    let mut settings = parse(file, &text)?.into_iter();
    let setting = settings.find(|setting| setting.key == key);
    Ok(setting.and_then(|setting| Some((setting.line, setting.value.as_str()?.to_owned()))))
}

fn load(file: &Path) -> Result<String, FileError> {
    std::fs::read_to_string(file).map_err(|error| FileError::Unreadable {
        file: file.to_owned(),
        error,
    })
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

/// Whether somebody has given this flag, or another one that says the same and does not go with it.
fn is_overruled(command: &Command, flag: &Arg, given: &ArgMatches) -> bool {
    let excludes = |one: &Arg, other: &Arg| {
        let others = command.get_arg_conflicts_with(one);
        others.iter().any(|arg| arg.get_id() == other.get_id())
    };
    let instead = command
        .get_arguments()
        .filter(|other| excludes(flag, other) || excludes(other, flag));
    instead.chain([flag]).any(|flag| {
        let source = given.value_source(flag.get_id().as_str());
        source.is_some_and(|source| source != ValueSource::DefaultValue)
    })
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

/// The flag that is called like this key.
fn flag_of<'a>(
    file: &Path,
    command: &'a Command,
    setting: &Setting<'_>,
) -> Result<&'a Arg, FileError> {
    let mut flags = command.get_arguments();
    let flag = flags.find(|flag| flag.get_long() == Some(setting.key) && is_setting(flag));
    flag.ok_or_else(|| FileError::UnknownKey {
        file: file.to_owned(),
        line: setting.line,
        key: setting.key.to_owned(),
        nearest: nearest(command, setting.key),
        program: program(command).to_owned(),
    })
}

/// What is about one start of the program is no setting of it.
fn is_setting(flag: &Arg) -> bool {
    !matches!(
        flag.get_id().as_str(),
        "config" | "check" | "help" | "version" | "take_over" | "reload" | "tells_starter"
    )
}

/// The flag whose name is most like this key, if it is like it at all.
fn nearest(command: &Command, key: &str) -> Option<String> {
    let key = key.to_lowercase().replace('_', "-");
    let flags = command.get_arguments().filter(|&flag| is_setting(flag));
    let names = flags.filter_map(Arg::get_long);
    let is_part = |name: &str| key.len() > 3 && (name.starts_with(&key) || key.starts_with(name));
    let likeness = names.map(|name| {
        let alike = strsim::normalized_damerau_levenshtein(&key, name);
        match is_part(name) {
            true => (alike.max(ALIKE), name),
            false => (alike, name),
        }
    });
    let most = likeness.max_by(|one, other| one.0.total_cmp(&other.0));
    most.filter(|(likeness, _)| *likeness >= ALIKE)
        .map(|(_, name)| name.to_owned())
}

/// What the program is called where people start it.
fn program(command: &Command) -> &str {
    command.get_bin_name().unwrap_or(command.get_name())
}

/// The setting as flags that would be taken: none for one that is switched off.
fn checked(
    file: &Path,
    command: &Command,
    flag: &Arg,
    setting: &Setting<'_>,
) -> Result<Vec<OsString>, FileError> {
    let Setting { key, value, .. } = setting;
    let bad = |shown: &str, problem: &str| bad_value(file, setting, shown, problem);
    let is_switch = matches!(flag.get_action(), ArgAction::SetTrue);
    let is_list = matches!(flag.get_action(), ArgAction::Append);
    let word = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Integer(number) => Some(number.to_string()),
        Value::Float(_)
        | Value::Boolean(_)
        | Value::Datetime(_)
        | Value::Array(_)
        | Value::Table(_) => None,
    };
    let words = match value {
        Value::Boolean(is_on) if is_switch => {
            return Ok(is_on
                .then(|| format!("--{key}").into())
                .into_iter()
                .collect());
        }
        _ if is_switch => {
            let shown = word(value).unwrap_or_else(|| value.type_str().to_owned());
            return Err(bad(&shown, "it is true or false, without quotes"));
        }
        Value::Array(values) if is_list => values.iter().map(word).collect(),
        value => word(value).map(|word| vec![word]),
    };
    let Some(words) = words else {
        let problem = match is_list {
            true => "a value is a \"text\", or several in [brackets]",
            false => "a value is a \"text\" or a whole number",
        };
        return Err(bad(value.type_str(), problem));
    };
    let mut flags = Vec::new();
    for word in words {
        let words = OsString::from(format!("--{key}={word}"));
        let tried = [OsString::new(), words.clone()];
        match command.clone().try_get_matches_from(tried) {
            Ok(_) => {}
            // What it belongs to may be the next key: all of them are parsed together in the end.
            Err(error) if error.kind() == ErrorKind::MissingRequiredArgument => {}
            Err(error) => return Err(bad(&word, &why(&error, command, flag))),
        }
        flags.push(words);
    }
    Ok(flags)
}

/// What is wrong with a flag's value.
fn why(error: &clap::Error, command: &Command, flag: &Arg) -> String {
    if let Some(cause) = error.source() {
        return cause.to_string();
    }
    let possible = flag.get_possible_values();
    let names: Vec<_> = possible.iter().map(PossibleValue::get_name).collect();
    match names[..] {
        [] => format!("see `{} --help` for what can", program(command)),
        _ => format!("it is one of {}", names.join(", ")),
    }
}

fn bad_value(file: &Path, setting: &Setting<'_>, shown: &str, problem: &str) -> FileError {
    FileError::BadValue {
        file: file.to_owned(),
        line: setting.line,
        key: setting.key.to_owned(),
        value: shown.to_owned(),
        problem: problem.to_owned(),
    }
}
