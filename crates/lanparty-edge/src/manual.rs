//! Man pages and shell completions, made from a program's own flags when packages are made.
//!
//! A packager's word and not a person's, so no help names it: `PROGRAM --write-manual FOLDER`.

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::process::ExitCode;

use clap::Command;
use clap::builder::Resettable;
use clap_complete::Shell::{Bash, Fish, Zsh};

use crate::speech;

const FLAG: &str = "--write-manual";

/// Writes the manual if that is what the words ask for; then nothing else is to be done.
pub fn asked_for(words: &[OsString], command: impl FnOnce() -> Command) -> Option<ExitCode> {
    let [_, flag, folder] = words else {
        return None;
    };
    if flag != FLAG {
        return None;
    }
    match write(command(), Path::new(folder)) {
        Ok(()) => Some(ExitCode::SUCCESS),
        Err(error) => {
            speech::complain(format_args!("error: cannot write the manual: {error}"));
            speech::finish();
            Some(ExitCode::FAILURE)
        }
    }
}

/// A program whose first word may choose another set of flags, as one command.
pub fn together<const N: usize>(program: Command, others: [(&'static str, Command); N]) -> Command {
    others.into_iter().fold(program, |whole, (name, command)| {
        whole.subcommand(command.name(name).bin_name(Resettable::Reset))
    })
}

/// A page for each subcommand, and completions for three shells.
fn write(command: Command, folder: &Path) -> io::Result<()> {
    let name = command.get_name().to_owned();
    let mut command = command.disable_help_subcommand(true);
    clap_mangen::generate_to(command.clone(), folder)?;
    for shell in [Bash, Zsh, Fish] {
        clap_complete::generate_to(shell, &mut command, &name, folder)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command() -> Command {
        let order = Command::new("kick").about("Send a peer out");
        let ctl = Command::new("program ctl").bin_name("program ctl");
        let ctl = ctl.about("Steer it").subcommand(order);
        together(Command::new("program").about("Does things"), [("ctl", ctl)])
    }

    fn words(words: &[&str]) -> Vec<OsString> {
        words.iter().map(OsString::from).collect()
    }

    #[test]
    fn writes_a_page_for_each_command_and_completions_for_each_shell() {
        let folder = tempfile::tempdir().unwrap();
        let asked = words(&["program", FLAG, folder.path().to_str().unwrap()]);
        assert_eq!(asked_for(&asked, command), Some(ExitCode::SUCCESS));
        let mut files: Vec<_> = std::fs::read_dir(folder.path())
            .unwrap()
            .map(|file| file.unwrap().file_name().into_string().unwrap())
            .collect();
        files.sort();
        let pages = ["program-ctl-kick.1", "program-ctl.1", "program.1"];
        let completions = ["_program", "program.bash", "program.fish"];
        let mut expected = [pages, completions].concat();
        expected.sort_unstable();
        assert_eq!(files, expected);
        let page = std::fs::read_to_string(folder.path().join("program-ctl.1")).unwrap();
        assert!(page.contains("program\\-ctl \\- Steer it"), "{page}");
    }

    #[test]
    fn a_folder_that_is_not_there_is_a_failure() {
        let asked = words(&["program", FLAG, "/no/such/folder"]);
        assert_eq!(asked_for(&asked, command), Some(ExitCode::FAILURE));
    }

    #[test]
    fn other_words_are_left_alone() {
        for other in [&["program"][..], &["program", FLAG], &["program", "a", "b"]] {
            assert_eq!(asked_for(&words(other), command), None);
        }
    }
}
