//! What systemd hands to a program that it runs, and what it wants to hear of it (sd_notify(3), systemd.exec(5)). Elsewhere
//! there is neither, and all of this does nothing.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
use linux as imp;
#[cfg(not(target_os = "linux"))]
mod none;
#[cfg(not(target_os = "linux"))]
use none as imp;

use std::convert::Infallible;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// No more of a sentence is told, in bytes: systemd takes 4 KiB for all that it is told at once.
const MAX_LEN: usize = 1000;

/// Who has taken over from the process that systemd started knows no time; it is content with a longer one too.
const SUCCESSORS: Duration = Duration::from_secs(10);

/// How a service stands, in a line that systemd was told last. No secret is in it: everybody on the machine may read it.
#[derive(Debug, Default)]
pub struct Standing(Option<String>);

impl Standing {
    /// Tells it, if it is news, and answers whether it is. The first time it says that the service does its work.
    pub fn tell(&mut self, line: impl Into<String>) -> bool {
        let line = line.into();
        match &self.0 {
            Some(told) if *told == line => return false,
            Some(_) => status(&line),
            None => ready(&line),
        }
        self.0 = Some(line);
        true
    }

    /// The settings are read again until [`Standing::tell`].
    pub fn reloading(&mut self) {
        reloading();
        self.0 = None;
    }
}

/// Whether systemd waits for news of this program: it was started as a service of `Type=notify`.
pub fn waits() -> bool {
    imp::waits()
}

/// The service does its work from now on.
pub fn ready(standing: &str) {
    imp::tell(&imp::ready(&one_line(standing)));
}

/// What `systemctl status` shows.
pub fn status(standing: &str) {
    imp::tell(&imp::status(&one_line(standing)));
}

/// The service reads its settings again, until it says that it is [`ready`].
pub fn reloading() {
    imp::tell(&imp::reloading());
}

/// The service ends.
pub fn stopping() {
    imp::tell(&imp::stopping());
}

/// Says that the service is not stuck.
pub fn watched() {
    imp::tell(&imp::watched());
}

/// The time in which systemd wants to hear that this service is not stuck, if it wants to.
pub fn watchdog() -> Option<Duration> {
    imp::watchdog()
}

/// Says that the service is not stuck, as often as systemd wants; to be awaited by whoever must not be stuck.
pub async fn keep_watched() -> Infallible {
    keep_watched_within(watchdog(), || true).await
}

/// The same, as long as it `goes_on`, for whoever may know the time from another one, whose place it has taken.
pub async fn keep_watched_within(
    limit: Option<Duration>,
    mut goes_on: impl FnMut() -> bool,
) -> Infallible {
    if let Some(limit) = limit.or_else(|| waits().then_some(SUCCESSORS)) {
        let mut beat = tokio::time::interval(limit / 2);
        loop {
            beat.tick().await;
            if goes_on() {
                watched();
            }
        }
    }
    std::future::pending().await
}

/// The folder with the secrets that systemd has handed over.
fn credentials() -> Option<PathBuf> {
    let folder = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
    folder.filter(|folder| folder.is_absolute())
}

/// The file with a secret of this name that systemd has handed over (`LoadCredential=`).
///
/// # Errors
/// That it cannot be seen whether there is one: what `ExecReload=` starts is told of the folder, and may not look into it.
pub fn credential(name: &str) -> io::Result<Option<PathBuf>> {
    credentials().map_or(Ok(None), |folder| credential_in(&folder, name))
}

fn credential_in(folder: &Path, name: &str) -> io::Result<Option<PathBuf>> {
    let file = folder.join(name);
    match fs::metadata(&file) {
        Ok(found) => Ok(found.is_file().then_some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => fs::read_dir(folder).map(|_| None),
        Err(error) => Err(error),
    }
}

/// Whether what is printed stands in the journal for others to read.
pub fn keeps_what_is_printed() -> bool {
    imp::is_journal(&io::stdout())
}

/// A sentence may quote what others have said, and a line more would be another word to systemd.
fn one_line(sentence: &str) -> String {
    let mut line: String = sentence
        .chars()
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .collect();
    if line.len() > MAX_LEN {
        let end = (0..=MAX_LEN).rev().find(|&end| line.is_char_boundary(end));
        line.truncate(end.unwrap_or_default());
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_said_is_no_word_to_systemd() {
        assert_eq!(one_line("gone\nMAINPID=1\r\n"), "gone MAINPID=1  ");
        let long = one_line(&"é".repeat(MAX_LEN));
        assert_eq!(long.chars().count(), MAX_LEN / 2 + 1);
    }

    #[test]
    fn the_same_line_is_told_once_and_again_after_a_reload() {
        let mut standing = Standing::default();
        assert!(standing.tell("one player"));
        assert!(!standing.tell("one player"));
        assert!(standing.tell("two players"));
        standing.reloading();
        assert!(standing.tell("two players"));
    }

    #[test]
    fn without_systemd_nothing_is_told_and_nothing_is_there() {
        if waits() {
            return;
        }
        ready("at work");
        status("at work");
        assert_eq!(watchdog(), None);
        assert_eq!(credential("access-token").unwrap(), None);
    }

    #[test]
    fn a_folder_of_secrets_that_cannot_be_seen_is_not_one_without_them() {
        let folder = tempfile::tempdir().unwrap();
        let token = folder.path().join("access-token");
        let look = |folder: &Path| credential_in(folder, "access-token");
        assert_eq!(look(folder.path()).unwrap(), None);
        fs::write(&token, "correct-horse-battery").unwrap();
        assert_eq!(look(folder.path()).unwrap().as_deref(), Some(&*token));
        assert!(look(&folder.path().join("gone")).is_err());
        assert!(look(&token).is_err(), "no folder");
    }
}
