//! Where a person's invite is: on the command line, in a file, in a pipe, or about to be pasted.

use super::{Invite, InviteError, MAX_TEXT};
use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, IsTerminal as _, Read};
use std::path::{Path, PathBuf};

/// A link this long was not broken into lines by the program that it comes from.
const UNBROKEN: usize = 100;
/// After so many lines what comes through a pipe is looked at once more, at its end.
const MAX_LINES: usize = 64;

/// Where an invite is. It may be one itself, so `Debug` says nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub enum InviteSource {
    /// Here.
    Text(String),
    /// In this file.
    File(PathBuf),
    /// On standard input.
    Stdin,
}

/// Why no invite comes from there.
#[derive(Debug, thiserror::Error)]
pub enum InviteSourceError {
    /// There is something, but no invite.
    #[error(transparent)]
    Invite(#[from] InviteError),
    /// Somebody has forgotten the sign before a file's name.
    #[error("{} is a file; write @{} to take the invite that is in it", .0.display(), .0.display())]
    FileName(PathBuf),
    /// Nothing can be read there.
    #[error("the invite in {} cannot be read ({cause}); name a file that is there and yours", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
}

impl fmt::Debug for InviteSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InviteSource(…)")
    }
}

/// Takes everything: what is no invite is found when it is read, and not shown.
impl From<String> for InviteSource {
    fn from(text: String) -> Self {
        match text.strip_prefix('@') {
            Some(file) => InviteSource::File(file.into()),
            None if text == "-" => InviteSource::Stdin,
            None => InviteSource::Text(text),
        }
    }
}

impl InviteSource {
    /// The invite there. A person at a terminal is asked for it.
    ///
    /// # Errors
    /// [`InviteSourceError`].
    pub fn read(self) -> Result<Invite, InviteSourceError> {
        let unreadable = |file| |cause| InviteSourceError::Unreadable { file, cause };
        match self {
            InviteSource::Text(text) => in_words(&text),
            InviteSource::File(file) => {
                let text = File::open(&file).and_then(beginning);
                Ok(Invite::find_in_bytes(&text.map_err(unreadable(file))?)?)
            }
            InviteSource::Stdin => {
                let input = io::stdin().lock();
                let found = match input.is_terminal() {
                    true => ask(input),
                    false => in_pipe(input),
                };
                Ok(found.map_err(unreadable("standard input".into()))??)
            }
        }
    }
}

fn in_words(text: &str) -> Result<Invite, InviteSourceError> {
    let found = Invite::find(text);
    if found == Err(InviteError::Missing) && Path::new(text).is_file() {
        return Err(InviteSourceError::FileName(text.into()));
    }
    Ok(found?)
}

/// No more than an invite could be in, so that no wrong file is read to its end.
fn beginning(source: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    source.take(MAX_TEXT as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

type Found = Result<Invite, InviteError>;

/// What follows a whole invite is not waited for: the program at the other end may go on for long.
fn in_pipe(source: impl BufRead) -> io::Result<Found> {
    let mut source = source.take(MAX_TEXT as u64);
    let mut bytes = Vec::new();
    for _ in 0..MAX_LINES {
        let line = source.read_until(b'\n', &mut bytes)?;
        match Invite::find_in_bytes(&bytes) {
            Ok(invite) if line == 0 || is_settled(&invite, line) => return Ok(Ok(invite)),
            found if line == 0 => return Ok(found),
            _ => {}
        }
    }
    source.read_to_end(&mut bytes)?;
    Ok(Invite::find_in_bytes(&bytes))
}

/// True when nothing that could follow belongs to it: an old link does not say where it ends.
fn is_settled(invite: &Invite, line: usize) -> bool {
    !invite.extra.is_old || line > UNBROKEN
}

/// Asks a person until there is an invite in what was pasted, in one line or in several.
fn ask(mut person: impl BufRead) -> io::Result<Found> {
    let mut text = String::new();
    eprintln!("Paste the invite here and press Enter.");
    loop {
        let mut line = Vec::new();
        let len = person
            .by_ref()
            .take(MAX_TEXT as u64)
            .read_until(b'\n', &mut line)?;
        text += &String::from_utf8_lossy(&line);
        match Invite::find(&text) {
            Err(error) if len > 0 => {
                if !line.trim_ascii().is_empty() {
                    complain(error);
                }
            }
            found => return Ok(found),
        }
        if text.len() > MAX_TEXT {
            text.clear();
        }
    }
}

/// The first line of a message, or of a link that was broken into lines, is no fault.
fn complain(error: InviteError) {
    match error {
        InviteError::Missing => {
            eprintln!("There is no invite in this line. Paste it and press Enter.");
        }
        error => eprintln!("So far {error}."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEW: &str = "lanparty://r.example/FRIDAY/CAYDCMRTGQ2TMNZYHFQWEY3EMVTN6A2XGM";
    const OLD: &str = "lanparty://r.example/FRIDAY#key=MDEyMzQ1Njc4OWFiY2RlZg";
    const PIN: &str = "&pin=KoYZpP5oBt3Ao7PpQRSVVl2DQ1NCGSsnfPNU-vvrAhw";

    #[test]
    fn an_invite_is_read_wherever_it_is() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let message = format!("Hey! join: {OLD}{PIN}.\r\nBert");
        let utf16 = message.encode_utf16().flat_map(u16::to_le_bytes);
        let path = file.path().to_str().unwrap();
        let expected = Invite::find(&message).unwrap();
        let read = |source: &str| InviteSource::from(source.to_owned()).read();
        for bytes in [message.clone().into_bytes(), utf16.collect()] {
            std::fs::write(file.path(), bytes).unwrap();
            assert_eq!(read(&format!("@{path}")).unwrap(), expected);
        }
        assert_eq!(read(&message).unwrap(), expected);
        let error = read(path).unwrap_err().to_string();
        assert!(error.contains(&format!("write @{path}")), "{error}");
        let error = read("@/no/such/file").unwrap_err().to_string();
        assert!(error.contains("/no/such/file"), "{error}");
        assert_eq!(InviteSource::from("-".to_owned()), InviteSource::Stdin);
    }

    #[test]
    fn of_a_file_no_more_is_read_than_an_invite_could_be_in() {
        let endless = io::BufReader::new(io::repeat(b'x'));
        assert_eq!(beginning(endless).unwrap().len(), MAX_TEXT);
        let endless = io::BufReader::new(io::repeat(b'\n'));
        assert_eq!(in_pipe(endless).unwrap(), Err(InviteError::Missing));
    }

    #[test]
    fn a_pipe_is_not_waited_for_once_the_invite_is_whole() {
        for whole in [NEW.to_owned(), format!("{OLD}{PIN}")] {
            let typed = format!("\n{whole}\r\nmore");
            let mut rest = typed.as_bytes();
            assert!(in_pipe(&mut rest).unwrap().is_ok());
            assert_eq!(rest, b"more", "{whole}");
        }
        let broken = format!("{OLD}\n{PIN}\n\nmore");
        let invite = in_pipe(broken.as_bytes()).unwrap().unwrap();
        assert!(invite.pin.is_some());
        assert_eq!(in_pipe(&b""[..]).unwrap(), Err(InviteError::Missing));
        assert!(in_pipe(OLD.as_bytes()).unwrap().is_ok());
    }

    #[test]
    fn a_person_may_paste_the_message_around_the_invite_or_the_invite_in_lines() {
        let whole = Invite::find(NEW);
        for pasted in [
            format!("Hello!\n\nJoin here: {NEW} tonight\nSee you!"),
            format!("{}\n{}\n", &NEW[..40], &NEW[40..]),
            format!("{}\noh\n{NEW}\n", &NEW[..40]),
        ] {
            assert_eq!(ask(pasted.as_bytes()).unwrap(), whole, "{pasted}");
        }
        assert_eq!(
            ask(&b"Join here:\n"[..]).unwrap(),
            Err(InviteError::Missing)
        );
    }
}
