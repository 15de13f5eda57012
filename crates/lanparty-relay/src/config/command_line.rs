//! The words with which a program was started, the file that they name, and both of them again later.

use super::{ArgsError, Config, file};
use clap::{ArgMatches, CommandFactory, Parser};
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

/// The words with which a relay was started, to read its settings again. They may hold a secret, so `Debug`
/// says nothing of them.
#[derive(Clone)]
pub struct CommandLine {
    words: Vec<OsString>,
    files: Vec<PathBuf>,
    meaning: fn(Vec<OsString>) -> Result<Config, ArgsError>,
}

impl CommandLine {
    /// The words of a program that read `files`; what they mean is found out anew with `meaning`.
    pub fn new(
        words: Vec<OsString>,
        files: impl IntoIterator<Item = PathBuf>,
        meaning: fn(Vec<OsString>) -> Result<Config, ArgsError>,
    ) -> Self {
        CommandLine {
            words,
            files: files.into_iter().collect(),
            meaning,
        }
    }

    /// What they mean now, with the files that they name.
    ///
    /// # Errors
    /// [`ArgsError`].
    pub fn read(&self) -> Result<Config, ArgsError> {
        (self.meaning)(self.words.clone())
    }

    /// True when there is something that may have changed.
    pub(crate) fn has_files(&self) -> bool {
        !self.files.is_empty()
    }

    /// Where the files are that they name and are read again.
    pub fn folders(&self) -> Vec<PathBuf> {
        let files = self.files.iter();
        let files = files.filter_map(|file| std::path::absolute(file).ok());
        files
            .filter_map(|file| file.parent().map(PathBuf::from))
            .collect()
    }
}

impl fmt::Debug for CommandLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CommandLine(…)")
    }
}

impl PartialEq for CommandLine {
    fn eq(&self, other: &Self) -> bool {
        self.words == other.words
    }
}

impl Eq for CommandLine {}

/// Reads a command line, of which the first word is the program, and the file that its `--config` names.
///
/// # Errors
/// [`ArgsError`].
pub fn read<A: Parser>(mut words: Vec<OsString>) -> Result<A, ArgsError> {
    if let Some((file, given)) = file_of::<A>(&words)? {
        let flags = file::read(&file, A::command(), &given)?;
        words.splice(1..1, flags);
    }
    Ok(A::try_parse_from(words)?)
}

/// What is given beside the file, and the file. What must be given may stand in it, and what is wrong is told later.
fn file_of<A: CommandFactory>(
    words: &[OsString],
) -> Result<Option<(PathBuf, ArgMatches)>, ArgsError> {
    let command = A::command().ignore_errors(true);
    let given = command.try_get_matches_from(words)?;
    let file = given.get_one::<PathBuf>("config").cloned();
    Ok(file.map(|file| (file, given)))
}
