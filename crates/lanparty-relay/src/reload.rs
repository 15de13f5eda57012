//! `lanparty-relay --reload`: what `systemctl reload` runs beside the relay that serves.
//!
//! The same program is asked to read its settings again. Another one, after an update, gets a successor: a relay that is started in
//! the background, with the words of the one that asks, and takes the place over. So an update is a reload, and a
//! reload that fails leaves the relay as it was.

use crate::Config;
use crate::server::HandoverError;
use crate::server::handover::{self, Predecessor, Program};
use anyhow::{Context, bail, ensure};
use lanparty_edge::speech::say;
use std::ffi::OsString;
use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

const RELOAD: &str = "--reload";
const TELLS_STARTER: &str = "--tells-starter";
const SUCCESSOR: [&str; 2] = ["--take-over", TELLS_STARTER];

/// Has the relay that runs read its settings again, or replaces it. `words` are those of this program.
///
/// # Errors
/// One sentence; the relay that runs then goes on as it was.
pub fn run(config: &Config, words: &[OsString]) -> anyhow::Result<()> {
    let file = config.handover.as_deref();
    let running = file.map(Predecessor::find).transpose()?.flatten();
    let mut running = running.context(
        "no relay runs with this state folder that could be reloaded; start it, or name its folder with --state",
    )?;
    let theirs = running.program().map_err(HandoverError::from)?;
    let own = Program::own().context("cannot see which program this is")?;
    if theirs == own {
        let read = running.read_settings().map_err(HandoverError::from)?;
        return match read {
            Ok(sentences) => {
                sentences.iter().for_each(say);
                say("The relay has read its settings again.");
                Ok(())
            }
            Err(why) => bail!("the settings in force stay, because the new ones are wrong: {why}"),
        };
    }
    drop(running);
    start_successor(words)
}

/// Has it started, and waits until it serves.
fn start_successor(words: &[OsString]) -> anyhow::Result<()> {
    let (ours, theirs) = UnixStream::pair()?;
    // Between the two is one that ends at once: a relay that is this one's child, and not systemd's, would be killed without a
    // word when systemd stops it.
    let starter = own_program()?
        .args(words.iter().skip(1))
        .arg(TELLS_STARTER)
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .status()
        .context("cannot start the new relay")?;
    let mut byte = [0];
    let serves = starter.success() && (&ours).read_exact(&mut byte).is_ok();
    // It has said why.
    ensure!(
        serves,
        "the new relay did not start; the one that ran goes on"
    );
    ensure!(
        byte == *handover::READY,
        "the new relay says something strange"
    );
    say("The relay is now another program.");
    Ok(())
}

/// Starts the relay that is to take over, for the one whose end of a socket is the standard input, and waits for nothing.
///
/// # Errors
/// One sentence; the relay that runs then goes on as it was.
pub fn leave_successor(words: &[OsString]) -> anyhow::Result<()> {
    own_program()?
        .args(successors(words))
        .process_group(0)
        .spawn()
        .context("cannot start the new relay")
        .map(drop)
}

fn own_program() -> anyhow::Result<Command> {
    let program = std::env::current_exe().context("cannot see which program this is")?;
    Ok(Command::new(program))
}

/// The words of a relay that takes over, from those of one that reloads.
fn successors(words: &[OsString]) -> Vec<OsString> {
    let others = words
        .iter()
        .skip(1)
        .filter(|word| *word != RELOAD && *word != TELLS_STARTER);
    let mut words: Vec<_> = others.cloned().collect();
    words.extend(SUCCESSOR.map(OsString::from));
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::RelayArgs;

    #[test]
    fn a_successor_has_the_words_of_who_reloads() {
        let words = [
            "lanparty-relay",
            "--listen",
            "4433/udp",
            RELOAD,
            "--state",
            "x",
        ];
        let words = words.map(OsString::from);
        let mut successors = successors(&words);
        assert_eq!(successors[..4], ["--listen", "4433/udp", "--state", "x"]);
        successors.insert(0, "lanparty-relay".into());
        let args = RelayArgs::read(successors).unwrap();
        assert!(args.take_over && args.tells_starter && !args.reload);
    }

    #[test]
    fn where_no_relay_runs_there_is_nothing_to_reload() {
        let config = Config::new("127.0.0.1:0".parse().unwrap());
        let error = run(&config, &[]).unwrap_err().to_string();
        assert!(error.contains("no relay runs"), "{error}");
    }
}
